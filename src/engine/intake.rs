//! Messages are taken in: what they name is found, what they begin with is decided, and both are
//! committed with the answer.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use super::decide::{Before, Decision, Input};
use super::desk::Desk;
use super::doc::{Clear, Personal, State, body_place, write_doc};
use super::front::{BatchItem, Claim, Refusal, Taken};
use super::load::Given;
use super::policies::{Inline, Plan, of_channels};
use super::records::{ContactRecord, unreadable};
use super::running::{Info, Running};
use super::show;
use super::templates::Version;
use crate::language::policy::Route;
use crate::language::script::Script;
use crate::lint;
use crate::machine::{Beginning, DEFAULT_CATEGORY, Instance, What};
use crate::model::shapes::text::{Category, NameRef};
use crate::model::shapes::{QuotaName, SendMessage};
use crate::model::{Channel, Environment, Fault, Id, Ids, Instant, Priority, kinds};
use crate::store::rows::{KeptAnswer, MessageRow, Names};
use crate::store::seal::Scope;
use crate::store::{Change, Committed, MessageChange, StoreError};

/// A message that is ready to be committed.
struct Ready {
    info: Arc<Info>,
    decision: Decision,
    held: OwnedMutexGuard<Option<Running>>,
    body: Vec<u8>,
}

impl Desk {
    /// Takes a message in.
    pub(super) async fn send(
        self: &Arc<Self>,
        request: SendMessage,
        claim: Claim,
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        let _gate = self.gate.read().await;
        let _counted = self.begin();
        if self.context.stopping.load(Ordering::Acquire) {
            return Err(Refusal::ShuttingDown);
        }
        let info = self.resolve(request).await?;
        let mut ready = self.prepare_message(info)?;
        let (id, body) = (ready.info.id, ready.body.clone());
        let mut change = Change::keeping(claim.kept(202, KeptAnswer::FirstBody(id)));
        if let Err(error) = self.put(&mut ready, &mut change) {
            self.withdraw(vec![ready]);
            return Err(error.into());
        }
        match self.commit_all(change, vec![ready]).await? {
            None => Ok(Taken::Done(body)),
            Some(kept) => Ok(Taken::Replayed(kept)),
        }
    }

    /// Takes a batch in, in one change. What is refused of it stands in the answer.
    pub(super) async fn send_batch(
        self: &Arc<Self>,
        items: Vec<BatchItem>,
        claim: Claim,
        refuse: &(dyn Fn(Refusal) -> (u16, Value) + Send + Sync),
    ) -> Result<Taken<Vec<u8>>, Refusal> {
        let _gate = self.gate.read().await;
        let _counted = self.begin();
        if self.context.stopping.load(Ordering::Acquire) {
            return Err(Refusal::ShuttingDown);
        }
        let (mut ready, mut parts): (Vec<Ready>, Vec<Part>) = (Vec::new(), Vec::new());
        for item in items {
            let refused = match item {
                BatchItem::Refused(status, problem) => (status, problem),
                BatchItem::Send(request) => {
                    let prepared = match self.resolve(*request).await {
                        Ok(info) => self.prepare_message(info),
                        Err(refusal) => Err(refusal),
                    };
                    match prepared {
                        Ok(message) => {
                            parts.push(Part::Message(message.info.id));
                            ready.push(message);
                            continue;
                        }
                        Err(Refusal::Store(error)) => {
                            self.withdraw(ready);
                            return Err(error.into());
                        }
                        Err(refusal) => refuse(refusal),
                    }
                }
            };
            parts.push(Part::Refused(refused.0, refused.1));
        }
        let bodies: HashMap<_, _> = ready.iter().map(|m| (m.info.id, m.body.clone())).collect();
        let body = assemble(&parts, |id| bodies.get(&id).cloned()).ok_or_else(unreadable)?;
        let kept = serde_json::to_vec(&parts.iter().map(Part::kept).collect::<Vec<_>>());
        let kept = kept.map_err(|_| unreadable())?;
        let mut change = Change::keeping(claim.kept(200, KeptAnswer::FirstBodies(kept)));
        for message in &mut ready {
            if let Err(error) = self.put(message, &mut change) {
                self.withdraw(ready);
                return Err(error.into());
            }
        }
        match self.commit_all(change, ready).await? {
            None => Ok(Taken::Done(body)),
            Some(kept) => Ok(Taken::Replayed(kept)),
        }
    }

    /// Commits what was prepared; the record that stands where its key was known.
    async fn commit_all(
        self: &Arc<Self>,
        change: Change,
        ready: Vec<Ready>,
    ) -> Result<Option<Box<crate::store::rows::Kept>>, StoreError> {
        let (mut decisions, mut held) = (Vec::new(), Vec::new());
        for message in ready {
            decisions.push(message.decision);
            held.push((message.info, message.held));
        }
        crash_point!("intake.before-commit");
        let committed = self.commit(change, &mut decisions).await;
        crash_point!("intake.after-commit");
        let applied = match committed {
            Ok(Committed::Applied(applied)) => applied,
            other => {
                for (info, guard) in held {
                    self.forget(info.id);
                    drop(guard);
                }
                return match other {
                    Ok(Committed::Replayed(kept)) => Ok(Some(kept)),
                    Ok(Committed::Applied(_)) => Ok(None),
                    Err(error) => Err(error),
                };
            }
        };
        for (((info, mut guard), decision), n) in held.into_iter().zip(decisions).zip(applied.messages) {
            let id = info.id;
            let state = decision.state.clone();
            let mut running = Running {
                n,
                version: 1,
                info,
                state,
                attempts: Vec::new(),
                said: Vec::new(),
                counts: HashMap::new(),
            };
            self.applied(&mut running, decision);
            let due = running.due().is_some_and(|due| due <= self.now());
            self.settle(id, &running);
            *guard = Some(running);
            drop(guard);
            if due {
                self.spawn_drive(id, Input::Due);
            }
        }
        Ok(None)
    }

    /// Gives back what messages took that are not committed.
    fn withdraw(&self, ready: Vec<Ready>) {
        for mut message in ready {
            self.undo(&mut message.decision);
            self.forget(message.info.id);
        }
    }

    /// Puts the rows of a message into a change.
    fn put(&self, ready: &mut Ready, change: &mut Change) -> Result<(), StoreError> {
        let info = Arc::clone(&ready.info);
        let (Some(key), Some(personal)) = (&info.key, &info.personal) else { return Err(StoreError::Sealed) };
        let mut channels: Vec<Channel> = info.plan.machine.channel_stages().map(|(_, c)| c.channel).collect();
        channels.sort_unstable();
        channels.dedup();
        let row = MessageRow {
            id: info.id,
            created_at: info.created_at,
            expires_at: info.expires_at,
            contact: info.contact,
            template: info.template.clone(),
            policy: info.policy.clone(),
            priority: info.priority,
            channels,
            doc: write_doc(&self.scope, key, info.id, &info.clear, personal)?,
            first_body: self.scope.seal(key, &body_place(info.id), &ready.body)?,
        };
        key.keep_in(change);
        let step = ready.decision.message_step(&info, None, false, Some(Box::new(row)))?;
        if let Some(step) = step {
            let mut part = MessageChange::new(step);
            ready.decision.fill(&mut part);
            change.messages.push(part);
        }
        Ok(())
    }

    /// Takes a place in the quota of messages, which the decision turns into a use; or says when the
    /// window ends in which there is none.
    fn take_quota(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        let used_up = state.quotas.used_up(QuotaName::Messages, now, 0);
        if used_up.is_none() {
            state.quotas.begin(QuotaName::Messages);
        }
        used_up
    }

    /// Decides how a message begins.
    fn prepare_message(self: &Arc<Self>, info: Info) -> Result<Ready, Refusal> {
        let now = info.created_at;
        let info = Arc::new(info);
        let beginning = Beginning {
            policy: info.plan.name.clone(),
            accepted_at: now,
            start_at: info.clear.send_at.map_or(now, |at| at.max(now)),
            expires_at: info.expires_at,
            seed: seed(info.id),
        };
        let state = State::new(Instance::new(&info.plan.machine, beginning.clone()));
        let held = self.make_slot(info.id).ok_or(Refusal::Overloaded)?;
        if let Some(end) = self.take_quota(now) {
            self.forget(info.id);
            return Err(Refusal::QuotaExceeded(super::quota::wait(now, end)));
        }
        let before = Before {
            info: &info,
            state,
            attempts: Vec::new(),
            said: Vec::new(),
            counts: HashMap::new(),
            beginning: Some(beginning),
        };
        let decided = self.decide(before, &mut [Input::What(What::Accepted)], now);
        let mut decision = match decided {
            Ok(decision) => decision,
            Err(error) => {
                self.forget(info.id);
                return Err(error.into());
            }
        };
        let currency = self.scope.row().currency;
        let message = show::message(&info, decision.instance(), &decision.attempts, currency);
        match serde_json::to_vec(&message) {
            Ok(body) => Ok(Ready { info, decision, held, body }),
            Err(_) => {
                self.undo(&mut decision);
                self.forget(info.id);
                Err(unreadable().into())
            }
        }
    }

    /// Finds what a request names, all faults at once.
    async fn resolve(&self, request: SendMessage) -> Result<Info, Refusal> {
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
            None if inline => plan = Some(self.accept_inline(&request).await?),
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
                let file = lint::FileFindings { path, source, policies, findings };
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

/// What a message's jitter is derived from: never 0, which stands for none.
fn seed(id: Id<kinds::Message>) -> u64 {
    let number = id.as_u128();
    #[expect(clippy::cast_possible_truncation, reason = "both halves of the number are used")]
    let folded = (number >> 64) as u64 ^ number as u64;
    folded | 1
}

/// An entry of a batch's answer.
enum Part {
    Message(Id<kinds::Message>),
    Refused(u16, Value),
}

impl Part {
    fn kept(&self) -> Value {
        match self {
            Part::Message(id) => json!({ "m": id }),
            Part::Refused(status, problem) => json!({"s": status, "e": problem}),
        }
    }

    fn read(value: &Value) -> Option<Part> {
        if let Some(id) = value.get("m") {
            return id.as_str()?.parse().ok().map(Part::Message);
        }
        let status = value.get("s")?.as_u64().and_then(|status| u16::try_from(status).ok())?;
        Some(Part::Refused(status, value.get("e")?.clone()))
    }
}

/// The answer to a batch: first bodies, and what stands between them.
fn assemble(parts: &[Part], body: impl Fn(Id<kinds::Message>) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut out = br#"{"data":["#.to_vec();
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match part {
            Part::Message(id) => {
                out.extend(br#"{"status":202,"message":"#);
                out.extend(body(*id)?);
                out.push(b'}');
            }
            Part::Refused(status, problem) => {
                out.extend(serde_json::to_vec(&json!({"status": status, "error": problem})).ok()?);
            }
        }
    }
    out.extend(b"]}");
    Some(out)
}

impl Desk {
    /// The bytes of an answer that is kept by reference; `None` once a person in it was erased.
    pub(super) async fn kept_body(&self, kept: KeptAnswer) -> Result<Option<Vec<u8>>, StoreError> {
        match kept {
            KeptAnswer::FirstBody(id) => self.first_body(id).await,
            KeptAnswer::FirstBodies(list) => {
                let list: Vec<Value> = super::records::read(&list)?;
                let parts: Option<Vec<Part>> = list.iter().map(Part::read).collect();
                let parts = parts.ok_or_else(unreadable)?;
                let mut bodies = HashMap::new();
                for part in &parts {
                    if let Part::Message(id) = part {
                        let Some(body) = self.first_body(*id).await? else { return Ok(None) };
                        bodies.insert(*id, body);
                    }
                }
                Ok(assemble(&parts, |id| bodies.get(&id).cloned()))
            }
            KeptAnswer::Empty => Ok(Some(Vec::new())),
            KeptAnswer::Plain(bytes) => Ok(Some(bytes)),
            KeptAnswer::Sealed(_) => Ok(None),
        }
    }

    async fn first_body(&self, id: Id<kinds::Message>) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(stored) = self.scope.message(id).await? else { return Ok(None) };
        let clear = super::doc::read_clear(&stored.row.doc)?;
        let Some(key) = self.scope.known_subject_key(clear.subject()).await? else { return Ok(None) };
        let Some(sealed) = self.scope.first_body(id).await? else { return Ok(None) };
        self.scope.open(&key, &body_place(id), &sealed).map(Some)
    }
}
