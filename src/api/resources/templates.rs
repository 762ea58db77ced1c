//! Templates, in versions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lists::{ListOf, PlainQuery};
use super::policies::POLICIES;
use super::versions::Versioned;
use crate::api::call::{Answer, CONFLICTS_MAX, Call, Uncommitted};
use crate::api::conventions::problem::{Code, Fault, Problem};
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission, Request};
use crate::engine::content::RenderError;
use crate::engine::front::Changed;
use crate::engine::records::{BodyRecord, TemplateRecord};
use crate::model::shapes::text::{BodyText, Category, Locale, NameRef, ObjectName, SubjectText, Vars};
use crate::model::{Channel, Id, Instant, kinds};
use crate::store::rows::{VersionKind, VersionRow};

const TAG: &str = "templates";
/// How templates are kept.
pub(super) const TEMPLATES: Versioned = Versioned {
    kind: VersionKind::Template,
    id: |row| Id::<kinds::Template>::from_u128(row.id).to_string(),
    published: "template.published",
    deleted: "template.deleted",
    changed: Changed::Template,
};

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
        && !POLICIES.exists(&call, policy).await?
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
        let known = call.scope.version_name(TEMPLATES.kind, &name).await?;
        let row = VersionRow {
            name: name.clone(),
            version: known.map_or(0, |known| known.newest) + 1,
            id: call.mint::<kinds::Template>().as_u128(),
            created_at: call.now(),
            doc: record.doc()?,
        };
        let answer = Answer::json(201, &shown(&row, record.clone()))?;
        if let Some(answer) = TEMPLATES.publish(&call, vec![row], answer).await? {
            return Ok(answer);
        }
    }
    Err(Uncommitted::Conflict.into())
}

async fn list(call: Call, query: PlainQuery) -> Result<Answer, Problem> {
    TEMPLATES.list(call, query, read).await
}

async fn show(call: Call, _: Nothing) -> Result<Answer, Problem> {
    Answer::json(200, &read(TEMPLATES.of_path(&call, call.text(0)).await?)?)
}

async fn versions(call: Call, query: PlainQuery) -> Result<Answer, Problem> {
    TEMPLATES.versions(call, query, read).await
}

async fn delete(call: Call, _: Nothing) -> Result<Answer, Problem> {
    TEMPLATES.delete(call).await
}

async fn render(call: Call, body: RenderTemplate) -> Result<Answer, Problem> {
    let row = TEMPLATES.of_path(&call, call.text(0)).await?;
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
