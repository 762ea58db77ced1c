//! Templates, in versions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lists::{ListOf, PlainQuery};
use crate::api::call::{Answer, CONFLICTS_MAX, Call, Deed, Uncommitted};
use crate::api::conventions::problem::{Code, Fault, Problem};
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission, Request};
use crate::api::kept::Keep;
use crate::engine::content::RenderError;
use crate::engine::front::Changed;
use crate::engine::records::{BodyRecord, TemplateRecord};
use crate::model::shapes::text::{BodyText, Category, Locale, NameRef, ObjectName, SubjectText, Vars};
use crate::model::{Channel, Id, Instant, kinds};
use crate::store::rows::{VersionKind, VersionRow};
use crate::store::{Change, VersionChange};

const TAG: &str = "templates";
const KIND: VersionKind = VersionKind::Template;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Access::Permission(Permission::Read);
    let manage = Permission::Manage;
    vec![
        Endpoint::post("/templates", manage, publish)
            .about(TAG, "Publish a template, or the next version of it")
            .gives::<Template>(201, "The version."),
        Endpoint::get("/templates", read, list)
            .about(TAG, "List the newest version of each template")
            .gives::<ListOf<Template>>(200, "A page of templates.")
            .refuses(&[Code::CursorInvalid]),
        Endpoint::get("/templates/{name}", read, show)
            .about(TAG, "Show the newest version of a template, or `name@version`")
            .gives::<Template>(200, "The version."),
        Endpoint::delete("/templates/{name}", manage, delete)
            .about(TAG, "Delete a template; messages on their way keep theirs")
            .gives_no_json(204, "It is gone."),
        Endpoint::get("/templates/{name}/versions", read, versions)
            .about(TAG, "List the versions of a template, newest first")
            .gives::<ListOf<Template>>(200, "A page of versions.")
            .refuses(&[Code::CursorInvalid]),
        Endpoint::post("/templates/{name}/render", manage, render)
            .asking()
            .about(TAG, "Render a body of a template")
            .gives::<Rendered>(200, "What a person would be told."),
    ]
}

/// A version of a template.
#[derive(Serialize, JsonSchema)]
struct Template {
    /// Its id.
    id: Id<kinds::Template>,
    /// Its name.
    name: String,
    /// Its version, from 1.
    version: u32,
    /// What it says.
    bodies: Vec<Body>,
    /// The policy of messages that name none: a name, or `name@version`.
    default_policy: Option<NameRef>,
    /// What its messages are for.
    category: Option<Category>,
    /// The names that the bodies use.
    vars: Vec<String>,
    /// When it was published.
    created_at: Instant,
}

/// What a template says on one channel, in one language: MiniJinja, with the message's `vars` at the
/// top and the contact under `contact`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TemplateBody", transform = one_schema)]
struct Body {
    /// On which channel.
    channel: Channel,
    /// In which language; without one, where no other fits (`de-AT`, then `de`, then this).
    locale: Option<Locale>,
    /// The subject, where the channel has one.
    subject: Option<SubjectText>,
    /// The text.
    body: BodyText,
    /// The same as HTML, for e-mail; values are escaped there.
    html: Option<BodyText>,
}

/// What is optional when it is sent and always there when it is shown has one schema: optional.
fn one_schema(schema: &mut schemars::Schema) {
    schema.insert("required".into(), serde_json::json!(["channel", "body"]));
}

/// Bodies: 1 to 200.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct Bodies(#[schemars(length(min = 1, max = 200))] Vec<Body>);

/// A template to be published.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PublishTemplate {
    /// Its name; one that stands gets its next version.
    name: ObjectName,
    /// What it says.
    bodies: Bodies,
    /// The policy of messages that name none. It must exist; without a version it means the newest
    /// at the time of the send.
    default_policy: Option<NameRef>,
    /// What its messages are for.
    category: Option<Category>,
}

impl Request for PublishTemplate {}

/// What to render.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RenderTemplate {
    /// For which channel.
    channel: Channel,
    /// In which language.
    locale: Option<Locale>,
    /// The values.
    vars: Option<Vars>,
}

impl Request for RenderTemplate {}

/// What a person would be told.
#[derive(Serialize, JsonSchema)]
struct Rendered {
    /// On which channel.
    channel: Channel,
    /// The locale of the body that was used.
    locale: Option<String>,
    /// The subject.
    subject: Option<String>,
    /// The text.
    body: String,
}

fn shown(row: &VersionRow, record: TemplateRecord) -> Template {
    let bodies = record
        .bodies
        .into_iter()
        .map(|BodyRecord { channel, locale, subject, body, html }| Body {
            channel,
            locale,
            subject,
            body,
            html,
        })
        .collect();
    Template {
        id: Id::from_u128(row.id),
        name: row.name.clone(),
        version: row.version,
        bodies,
        default_policy: record.default_policy,
        category: record.category,
        vars: record.vars,
        created_at: row.created_at,
    }
}

fn read(row: VersionRow) -> Result<Template, Problem> {
    let record = TemplateRecord::read(&row.doc)?;
    Ok(shown(&row, record))
}

/// The version that a path names: the newest, or that of `name@version`. What was deleted is gone.
pub(super) async fn version_of(call: &Call, kind: VersionKind, path: &str) -> Result<VersionRow, Problem> {
    let (name, version) = NameRef::new(path).parts_of_path().ok_or_else(Problem::not_found)?;
    let known = call.scope.version_name(kind, &name).await?.ok_or_else(Problem::not_found)?;
    let version = version.unwrap_or(known.newest);
    if version <= known.deleted || version > known.newest {
        return Err(Problem::not_found());
    }
    call.scope.version(kind, &name, Some(version)).await?.ok_or_else(Problem::not_found)
}

/// Whether a name in a body is there.
pub(super) async fn exists(call: &Call, kind: VersionKind, name: &NameRef) -> Result<bool, Problem> {
    match version_of(call, kind, name.as_str()).await {
        Ok(_) => Ok(true),
        Err(problem) if problem.code == Code::NotFound => Ok(false),
        Err(problem) => Err(problem),
    }
}

async fn publish(call: Call, body: PublishTemplate) -> Result<Answer, Problem> {
    let bodies: Vec<BodyRecord> = body
        .bodies
        .0
        .into_iter()
        .map(|Body { channel, locale, subject, body, html }| BodyRecord {
            channel,
            locale,
            subject,
            body,
            html,
        })
        .collect();
    let (compiled, mut faults) = match TemplateRecord::compile(&bodies) {
        Ok(compiled) => (Some(compiled), Vec::new()),
        Err(faults) => (None, faults.into_iter().map(Fault::from).collect()),
    };
    if let Some(policy) = &body.default_policy
        && !exists(&call, VersionKind::Policy, policy).await?
    {
        faults.push(Fault::at("/default_policy", "names a policy that is not there"));
    }
    let Some(compiled) = compiled.filter(|_| faults.is_empty()) else {
        return Err(Problem::invalid(faults));
    };
    let record = TemplateRecord {
        bodies,
        default_policy: body.default_policy,
        category: body.category,
        vars: compiled.vars().into_iter().collect(),
    };
    let name = body.name.into_string();
    for _ in 0..CONFLICTS_MAX {
        let known = call.scope.version_name(KIND, &name).await?;
        let row = VersionRow {
            name: name.clone(),
            version: known.map_or(0, |known| known.newest) + 1,
            id: call.mint::<kinds::Template>().as_u128(),
            created_at: call.now(),
            doc: record.doc()?,
        };
        let template = shown(&row, record.clone());
        let object_id = template.id.to_string();
        let answer = Answer::json(201, &template)?;
        let change = Change { versions: vec![VersionChange::Publish(KIND, row)], ..Change::default() };
        let deed = Deed { what: "template.published", object_id: &object_id };
        match call.commit(change, deed, answer, Keep::Plain).await {
            Err(Uncommitted::Conflict) => {}
            Err(Uncommitted::Problem(problem)) => return Err(problem),
            Ok(answer) => {
                call.app.front.changed(call.scope.id(), Changed::Template(name));
                return Ok(answer);
            }
        }
    }
    Err(Uncommitted::Conflict.into())
}

async fn list(call: Call, query: PlainQuery) -> Result<Answer, Problem> {
    let (page, bound) = query.parts();
    let page = call.page(&page, &bound)?;
    let listed = call.scope.newest_versions(KIND, page).await?;
    call.listed(page, &bound, listed, read)
}

async fn show(call: Call, _: Nothing) -> Result<Answer, Problem> {
    Answer::json(200, &read(version_of(&call, KIND, call.text(0)).await?)?)
}

async fn versions(call: Call, query: PlainQuery) -> Result<Answer, Problem> {
    let (page, bound) = query.parts();
    let page = call.page(&page, &bound)?;
    let name = version_of(&call, KIND, call.text(0)).await?.name;
    let listed = call.scope.versions(KIND, &name, page).await?;
    call.listed(page, &bound, listed, read)
}

async fn delete(call: Call, _: Nothing) -> Result<Answer, Problem> {
    delete_name(&call, KIND, "template.deleted").await?.finish(Changed::Template, &call)
}

/// A name that was deleted.
pub(super) struct Deleted {
    answer: Answer,
    name: String,
}

impl Deleted {
    /// Tells the engine and gives the answer.
    pub(super) fn finish(
        self,
        changed: impl FnOnce(String) -> Changed,
        call: &Call,
    ) -> Result<Answer, Problem> {
        call.app.front.changed(call.scope.id(), changed(self.name));
        Ok(self.answer)
    }
}

/// Deletes a name with all its versions.
pub(super) async fn delete_name(
    call: &Call,
    kind: VersionKind,
    what: &'static str,
) -> Result<Deleted, Problem> {
    for _ in 0..CONFLICTS_MAX {
        let newest = version_of(call, kind, call.text(0)).await?;
        if newest.name != call.text(0) {
            return Err(Problem::not_found());
        }
        let name = newest.name.clone();
        let change = Change {
            versions: vec![VersionChange::Delete(kind, newest.name, newest.version)],
            ..Change::default()
        };
        match call.commit(change, Deed { what, object_id: &name }, Answer::empty(204), Keep::Plain).await {
            Err(Uncommitted::Conflict) => {}
            Err(Uncommitted::Problem(problem)) => return Err(problem),
            Ok(answer) => return Ok(Deleted { answer, name }),
        }
    }
    Err(Uncommitted::Conflict.into())
}

async fn render(call: Call, body: RenderTemplate) -> Result<Answer, Problem> {
    let row = version_of(&call, KIND, call.text(0)).await?;
    let record = TemplateRecord::read(&row.doc)?;
    // What was published compiles.
    let template = TemplateRecord::compile(&record.bodies).map_err(|_| Problem::from(Code::Internal))?;
    let vars: serde_json::Map<_, _> = body.vars.unwrap_or_default().0.into_iter().collect();
    let missing: Vec<Fault> = template
        .needs(&[body.channel])
        .into_iter()
        .filter(|name| vars.get(name).is_none_or(serde_json::Value::is_null))
        .map(|name| Fault::at(format!("/vars/{name}"), "is required: the template uses it"))
        .collect();
    if !missing.is_empty() {
        return Err(Problem::invalid(missing));
    }
    let locale = body.locale.as_ref().map(Locale::as_str);
    let rendered = template.render(body.channel, locale, &vars, None).map_err(|error| match error {
        RenderError::NoBody => Problem::fault("/channel", error.to_string()),
        RenderError::Missing { .. } => Problem::fault("/vars", error.to_string()),
        RenderError::TooMuch { .. } | RenderError::Failed { .. } => Problem::fault("", error.to_string()),
    })?;
    Answer::json(
        200,
        &Rendered {
            channel: body.channel,
            locale: rendered.locale,
            subject: rendered.subject,
            body: rendered.body,
        },
    )
}
