//! What a request names is found, all faults at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::desk::Desk;
use crate::engine::doc::{Clear, Personal};
use crate::engine::front::Refusal;
use crate::engine::load::Given;
use crate::engine::policies::{Inline, Plan, of_channels};
use crate::engine::records::{ContactRecord, unreadable};
use crate::engine::running::Info;
use crate::engine::templates::Version;
use crate::language::policy::Route;
use crate::language::script::Script;
use crate::lint;
use crate::machine::DEFAULT_CATEGORY;
use crate::model::shapes::SendMessage;
use crate::model::shapes::text::{Category, NameRef};
use crate::model::{Channel, Environment, Fault, Ids, Instant, Priority, kinds};
use crate::store::rows::Names;
use crate::store::seal::Scope;

impl Desk {
    /// Finds what a request names, all faults at once.
    pub(super) async fn resolve(&self, request: SendMessage) -> Result<Info, Refusal> {
        let now = self.now();
        let mut faults = Vec::new();
        let contact = self.find_contact(&request, &mut faults).await?;
        let template = self.find_template(&request, &mut faults).await?;
        let policy_name = request.policy.as_ref().map(|name| (name.clone(), "/policy"));
        let inline = request.strategy.is_some() || request.channels.is_some();
        let default = || template.as_ref().and_then(|template| template.default_policy.clone());
        let named = match policy_name {
            None if !inline => default().map(|name| (name, "/template")),
            named => named,
        };
        let mut policy = None;
        let mut plan: Option<(Plan, Inline)> = None;
        match named {
            Some((name, pointer)) => match self.find_policy(&name).await? {
                Some(names) => {
                    let found = self.policies.version(&self.scope, &names).await?;
                    policy = Some(names);
                    plan = Some((found, Inline::default()));
                }
                None if request.policy.is_some() => {
                    faults.push(Fault::new(pointer, "there is no such policy"))
                }
                None => {
                    faults.push(Fault::new(pointer, "the template's default policy is gone; name a policy"))
                }
            },
            None if inline => plan = Some(Box::pin(self.accept_inline(&request)).await?),
            None if template.is_some() => faults.push(Fault::new(
                "",
                "must have one of `policy`, `strategy`, `channels`: the template has no default policy",
            )),
            None => {}
        }
        if let Some((plan, _)) = &plan {
            check_vars(&request, template.as_deref(), plan, &mut faults);
        }
        let served = plan.as_ref().map(|(plan, _)| served(plan)).unwrap_or_default();
        check_sandbox(&request, self.environment(), &served, &mut faults, |name, channel| {
            self.confirms(name, channel)
        });
        let (Some((plan, inline)), true) = (plan, faults.is_empty()) else {
            faults.sort();
            faults.dedup();
            return Err(Refusal::Invalid(faults));
        };
        self.accept(request, contact, template, policy, plan, inline, now).await
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message, each found on its own")]
    async fn accept(
        &self,
        request: SendMessage,
        contact: Option<Arc<ContactRecord>>,
        template: Option<Arc<Version>>,
        policy: Option<Names>,
        plan: Plan,
        inline: Inline,
        now: Instant,
    ) -> Result<Info, Refusal> {
        let ids: &dyn Ids = self.context.ids.as_ref();
        let id = ids.mint::<kinds::Message>();
        let headers = plan.machine.headers();
        let category = request.category.or_else(|| headers.category.clone().map(Category::new));
        let category = category.or_else(|| template.as_ref().and_then(|template| template.category.clone()));
        let category = category.unwrap_or_else(|| Category::new(DEFAULT_CATEGORY));
        let subject = self.subject(contact.as_deref(), &request.to)?;
        let key = self.scope.subject_key(subject).await?;
        let start = request.send_at.map_or(now, |at| at.max(now));
        let expires = request.expires_in.or(headers.expires);
        let mut clear = Clear::new(subject, category);
        clear.strategy = request.strategy;
        clear.channels = request.channels;
        clear.fallback_after = request.fallback_after;
        clear.locale = request.locale;
        clear.metadata = request.metadata.unwrap_or_default();
        clear.send_at = request.send_at;
        clear.uses = inline.uses;
        let personal = Personal {
            to: request.to,
            vars: request.vars,
            content: request.content,
            sandbox: request.sandbox,
        };
        let given = Given {
            id,
            created_at: now,
            expires_at: expires.map(|span| start.plus(span)),
            contact: contact.as_ref().map(|contact| contact.id),
            template: template.map(|template| template.names.clone()),
            policy,
            priority: request.priority.unwrap_or(Priority::Normal),
            clear,
            personal: Some(personal),
            key: Some(key),
            plan,
        };
        Ok(self.complete(given, contact).await?)
    }

    /// Whose key seals what is personal: the contact's, or that of the first address.
    fn subject(
        &self,
        contact: Option<&ContactRecord>,
        to: &Option<crate::model::shapes::Addresses>,
    ) -> Result<crate::store::rows::SubjectId, Refusal> {
        if let Some(contact) = contact {
            return Ok(Scope::subject_of_contact(contact.id));
        }
        let first = to.as_ref().and_then(|to| to.iter().next());
        let first = first.map(|(channel, address)| self.scope.address_hash(channel, address).into());
        first.ok_or_else(|| Refusal::Invalid(vec![Fault::new("/to", "must have at least one address")]))
    }

    async fn find_contact(
        &self,
        request: &SendMessage,
        faults: &mut Vec<Fault>,
    ) -> Result<Option<Arc<ContactRecord>>, Refusal> {
        let Some(id) = request.contact_id else { return Ok(None) };
        let contact = self.contact(id).await?;
        if contact.is_none() {
            faults.push(Fault::new("/contact_id", "there is no such contact"));
        }
        Ok(contact)
    }

    async fn find_template(
        &self,
        request: &SendMessage,
        faults: &mut Vec<Fault>,
    ) -> Result<Option<Arc<Version>>, Refusal> {
        let Some(wanted) = &request.template else { return Ok(None) };
        let (name, version) = wanted.parts();
        let found = self.templates.find(&self.scope, name, version).await?;
        if found.is_none() {
            faults.push(Fault::new("/template", "there is no such template"));
        }
        Ok(found)
    }

    async fn find_policy(&self, name: &NameRef) -> Result<Option<Names>, Refusal> {
        let (name, version) = name.parts();
        Ok(self.policies.resolve(&self.scope, name, version).await?)
    }

    async fn accept_inline(&self, request: &SendMessage) -> Result<(Plan, Inline), Refusal> {
        let source = match (&request.strategy, &request.channels) {
            (Some(strategy), _) => strategy.as_str().to_owned(),
            (None, Some(channels)) => of_channels(&channels.0, request.fallback_after),
            (None, None) => String::new(),
        };
        match self.policies.accept(&self.scope, &source).await? {
            Ok(found) => Ok(found),
            Err(compiled) => {
                let findings = lint::findings(&compiled, &source, &crate::language::NoLibrary);
                let (path, policies) = ("strategy".to_owned(), compiled.found);
                let file = lint::FileFindings { path, source, policies, findings, ..Default::default() };
                let report = lint::report::Report::of(&[file]);
                Err(Refusal::PolicyInvalid(serde_json::to_value(report.findings).map_err(|_| unreadable())?))
            }
        }
    }
}

/// A var that a body for a channel of the policy uses without a default, and that is not given.
fn check_vars(request: &SendMessage, template: Option<&Version>, plan: &Plan, faults: &mut Vec<Fault>) {
    let given = |name: &str| {
        request.vars.as_ref().and_then(|vars| vars.0.get(name)).is_some_and(|value| !value.is_null())
    };
    let mut missing: Vec<String> = Vec::new();
    if let Some(template) = template.and_then(|template| template.compiled.as_ref()) {
        let channels: Vec<Channel> = plan.machine.channel_stages().map(|(_, c)| c.channel).collect();
        missing.extend(template.needs(&channels).into_iter().filter(|name| !given(name)));
    }
    for (name, declared) in plan.machine.headers().vars.iter().flatten() {
        if !declared.optional && !given(name) && !missing.contains(name) {
            missing.push(name.clone());
        }
    }
    faults.extend(missing.iter().map(|name| {
        Fault::new(Fault::child("/vars", name), "is needed by the template or the policy, and has no value")
    }));
}

/// The providers that a policy's routes name, each with a channel that it is to serve.
fn served(plan: &Plan) -> Vec<(String, Channel)> {
    let mut served = Vec::new();
    for (_, stage) in plan.machine.channel_stages() {
        let names: Vec<&String> = match &stage.route {
            Route::Default => Vec::new(),
            Route::Failover(names) => names.iter().collect(),
            Route::Weighted(shares) => shares.iter().map(|(_, name)| name).collect(),
        };
        served.extend(names.into_iter().map(|name| (name.clone(), stage.channel)));
    }
    served.sort();
    served.dedup();
    served
}

/// All faults of outcome scripts. `served`: the providers of the policy's routes and their channels.
fn check_sandbox(
    request: &SendMessage,
    environment: Environment,
    served: &[(String, Channel)],
    faults: &mut Vec<Fault>,
    confirms: impl Fn(&str, Channel) -> Vec<crate::model::Confirmation>,
) {
    if environment == Environment::Live {
        return;
    }
    for (key, text) in request.sandbox.iter().flat_map(|scripts| &scripts.0) {
        let pointer = Fault::child("/sandbox", key);
        match Script::parse(text.as_str()) {
            Err(found) => faults.extend(found.into_iter().map(|d| {
                let help = d.help.map(|help| format!("; {help}")).unwrap_or_default();
                Fault::new(&pointer, format!("{}{help}", d.message))
            })),
            Ok(script) => {
                let named = served.iter().filter(|(name, _)| name == key).map(|(_, channel)| *channel);
                let channels: BTreeSet<Channel> = key.parse().ok().into_iter().chain(named).collect();
                for channel in channels {
                    faults.extend(
                        script.beyond(&confirms(key, channel)).into_iter().map(|level| {
                            Fault::new(&pointer, format!("`{channel}` cannot confirm `{level}`"))
                        }),
                    );
                }
            }
        }
    }
}
