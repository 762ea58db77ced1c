//! What callers ask of nodes, and that they ask again where no definite answer came.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use spine::engine::front::{Changed, Claim, Front as _, Refusal, Taken};
use spine::engine::records::ProviderRecord;
use spine::model::{Id, Instant, ScopeId, Span, kinds};
use spine::store::rows::{ConsentRow, IdempotencyKey, KeptAnswer, NewAudit, QuotaRow, VersionKind};
use spine::store::{Change, ConsentChange, ProviderChange, Put, VersionChange};

use super::history::{POLICIES, Send, To, What};
use super::run::Program;
use super::scene::{policy_row, read};

/// What became of a request, as its caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A 2xx, and the message that it is about.
    Done(Option<Id<kinds::Message>>),
    /// The key was used for another request.
    OtherRequest,
    /// A 4xx.
    Refused(String),
    /// Nothing definite: to be asked again under the same key.
    Again(String),
}

/// A request, as it is handed to a node.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) no: u32,
    pub(crate) what: What,
    /// The message's own number, of which it is asked.
    pub(crate) message: Option<u32>,
    /// What is sent.
    pub(crate) send: Option<Box<Send>>,
    /// The message's id, where it is known to the caller.
    pub(crate) id: Option<Id<kinds::Message>>,
    pub(crate) scope: ScopeId,
    pub(crate) contacts: Vec<Id<kinds::Contact>>,
    pub(crate) at: Instant,
}

impl Request {
    fn key(&self) -> IdempotencyKey {
        // A repetition has the key of what it repeats.
        let number = match self.what {
            What::Again { of } | What::Other { of } => of,
            _ => self.no,
        };
        IdempotencyKey(u128::from(number).to_be_bytes())
    }

    fn claim(&self, request: &Value) -> Claim {
        let number = u128::from(self.no);
        Claim {
            key: self.key(),
            request: Sha256::digest(request.to_string()).into(),
            at: self.at,
            who: Id::from_u128(1),
            request_id: Id::from_u128(number),
        }
    }

    /// The JSON of the message, and the same for whoever repeats it.
    fn body(&self, start: Instant) -> Value {
        let Some(send) = &self.send else { return Value::Null };
        let number = self.message.unwrap_or(self.no);
        let text = if matches!(self.what, What::Other { .. }) { "another text" } else { "hello" };
        let mut body = json!({
            "content": {"sms": {"body": text}, "email": {"subject": "s", "body": text},
                "whatsapp": {"body": text}, "push": {"body": text}, "voice": {"body": text}},
            "metadata": {"n": number.to_string()},
        });
        let (name, source) = POLICIES[send.policy];
        let (field, policy) = if send.inline { ("strategy", source) } else { ("policy", name) };
        body[field] = json!(policy);
        match send.to {
            To::Everywhere => {
                let phone = format!("+49151{:07}", 1_000_000 + number);
                body["to"] = json!({"sms": phone, "whatsapp": phone, "voice": phone, "push": format!("token-{number}"),
                    "email": format!("p{number}@example.org")});
            }
            To::Phone => body["to"] = json!({"sms": format!("+49151{:07}", 2_000_000 + number)}),
            To::Contact(n) => body["contact_id"] = json!(self.contacts[n]),
        }
        if let Some(mute) = send.mute
            && let Some(content) = body["content"].as_object_mut()
        {
            content.remove(mute);
        }
        if send.urgent {
            body["priority"] = json!("urgent");
        }
        if let Some(ms) = send.send_at_ms {
            body["send_at"] = json!(start.plus(Span::from_ms(ms)));
        }
        if let Some(seconds) = send.expires_in_s {
            body["expires_in"] = json!(format!("{seconds}s"));
        }
        if send.whose == super::history::Whose::Test {
            body["sandbox"] = json!({"sms": send.sandbox, "email": "accepted, delivered after 2s"});
        }
        body
    }
}

/// The answers that have come, each with the place of its request and the number of its try.
pub(crate) type Answers = Arc<Mutex<Vec<(usize, u32, Answer)>>>;

fn refused(refusal: &Refusal) -> Answer {
    match refusal {
        Refusal::Store(_) | Refusal::Overloaded | Refusal::ShuttingDown => Answer::Again(refusal.to_string()),
        Refusal::Invalid(faults) => {
            let faults: Vec<String> = faults.iter().map(|fault| format!("{fault:?}")).collect();
            Answer::Refused(faults.join("; "))
        }
        other => Answer::Refused(other.to_string()),
    }
}

/// Asks a node.
pub(crate) async fn ask(program: &Program, request: &Request, start: Instant) -> Answer {
    match asked(program, request, start).await {
        Ok(answer) => answer,
        Err(refusal) => refused(&refusal),
    }
}

async fn asked(program: &Program, request: &Request, start: Instant) -> Result<Answer, Refusal> {
    let engine = &program.engine;
    if !engine.is_ready() {
        return Ok(Answer::Again("it is not ready".to_owned()));
    }
    let scope = engine.open(request.scope).await?;
    let id = || request.id.ok_or(Refusal::NotFound);
    let body = match &request.what {
        What::Cancel { .. } => json!({"cancel": request.id}),
        What::Confirm { read, .. } => {
            json!({"confirm": request.id, "goal": if *read { "read" } else { "delivered" }})
        }
        What::Advance { by_s } => json!({"by_s": by_s}),
        _ => request.body(start),
    };
    let claim = request.claim(&body);
    let (key, print) = (claim.key, claim.request);
    let by_kept = |kept: spine::store::rows::Kept| {
        if kept.request != print {
            return Answer::OtherRequest;
        }
        match kept.answer {
            KeptAnswer::FirstBody(id) => Answer::Done(Some(id)),
            _ => Answer::Done(request.id),
        }
    };
    Ok(match &request.what {
        What::Send(_) | What::Again { .. } | What::Other { .. } => {
            match engine.send(scope, Box::new(read(body)), claim).await? {
                Taken::Done(answer) => Answer::Done(Some(id_in(&answer))),
                Taken::Replayed(kept) => by_kept(*kept),
            }
        }
        What::Cancel { .. } => match engine.cancel(scope, id()?, claim).await? {
            Taken::Done(_) => Answer::Done(request.id),
            Taken::Replayed(kept) => by_kept(*kept),
        },
        What::Confirm { read: seen, .. } => {
            let what = read(json!({"goal": if *seen { "read" } else { "delivered" }}));
            match engine.confirm(scope, id()?, what, claim).await? {
                Taken::Done(_) => Answer::Done(request.id),
                Taken::Replayed(kept) => by_kept(*kept),
            }
        }
        What::Advance { by_s } => match engine.advance(scope, Span::from_s(*by_s), claim).await? {
            Taken::Done(_) => Answer::Done(None),
            Taken::Replayed(kept) => by_kept(*kept),
        },
        What::Erase { contact } => {
            let mut change = Change::keeping(claim.kept(204, KeptAnswer::Empty));
            change.audit.push(entry(request, "contact.deleted"));
            match engine.erase(scope, request.contacts[*contact], change).await? {
                Taken::Done(()) => Answer::Done(None),
                Taken::Replayed(kept) => by_kept(*kept),
            }
        }
        What::Consent { contact, opted_out } => {
            let hashes: Vec<_> = match spine::store::ScopeRows::contact(&**scope, request.contacts[*contact])
                .await?
            {
                Some(row) => spine::engine::records::ContactRecord::read(&scope, &row).await?.hashes(&scope),
                None => return Err(Refusal::NotFound),
            };
            let at = request.at;
            let consents = hashes.into_iter().map(|(channel, address)| {
                ConsentChange::Put(ConsentRow { channel, address, opted_out: *opted_out, at })
            });
            let change = Change {
                consents: consents.collect(),
                audit: vec![entry(request, "contact.changed")],
                ..Change::keeping(claim.kept(200, KeptAnswer::Empty))
            };
            scope.commit(change).await?;
            engine.changed(request.scope, Changed::Contact(request.contacts[*contact]));
            Answer::Done(None)
        }
        What::Quota { day } => {
            let row = QuotaRow { name: "sms".to_owned(), day: *day, month: None };
            let change = Change {
                quotas: vec![row],
                audit: vec![entry(request, "quota.set")],
                ..Change::keeping(claim.kept(200, KeptAnswer::Empty))
            };
            scope.commit(change).await?;
            engine.changed(request.scope, Changed::Quota);
            Answer::Done(None)
        }
        What::Publish { policy, source } => {
            let name = POLICIES[*policy].0;
            let known = scope.version_name(VersionKind::Policy, name).await?;
            let version = known.map_or(0, |known| known.newest) + 1;
            let row = policy_row(name, POLICIES[*source].1, version, 5_000 + u128::from(request.no));
            let change = Change {
                versions: vec![VersionChange::Publish(VersionKind::Policy, row)],
                ..Change::keeping(claim.kept(201, KeptAnswer::Empty))
            };
            scope.commit(change).await?;
            engine.changed(request.scope, Changed::Policy(name.to_owned()));
            Answer::Done(None)
        }
        What::Rate { per_second } => {
            let Some(row) = scope.provider("a").await? else { return Err(Refusal::NotFound) };
            let mut record = ProviderRecord::read(&row)?;
            record.rate_per_second = *per_second;
            let put = Put { row: record.row()?, expected: Some(row.version) };
            let change = Change {
                providers: vec![ProviderChange::Put(put)],
                ..Change::keeping(claim.kept(200, KeptAnswer::Empty))
            };
            scope.commit(change).await?;
            engine.changed(request.scope, Changed::Provider("a".to_owned()));
            Answer::Done(None)
        }
        other => Answer::Refused(format!("{other:?} is no request under {key:?}")),
    })
}

fn entry(request: &Request, what: &str) -> NewAudit {
    let id = Id::from_u128((u128::from(request.at.ms().unsigned_abs()) << 80) | u128::from(request.no));
    NewAudit::new(id, request.at, "key_1", what, None, None)
}

fn id_in(answer: &[u8]) -> Id<kinds::Message> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let id = answer.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    id.expect("the id of a message that was taken in")
}
