//! A request that has passed the conventions, and its answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;

use super::App;
use super::conventions::problem::{Code, Fault, Problem};
use super::endpoint::Surroundings;
use super::kept::Keep;
use crate::engine::front::{Claim, Refusal, Taken};
use crate::model::{Environment, Id, IdKind, Instant, kinds};
use crate::store::rows::{Kept, NewAudit};
use crate::store::seal::Scope;
use crate::store::{Change, Committed, RegistryAudit, RegistryChange, RegistryCommitted, StoreError};

/// How often a change is decided again after another came first.
pub const CONFLICTS_MAX: u32 = 16;

/// The media type of bodies.
pub const JSON: &str = "application/json";

/// A request that has passed the conventions.
pub struct Call {
    /// What everything needs.
    pub app: Arc<App>,
    /// The scope of the key.
    pub scope: Arc<Scope>,
    /// The key.
    pub key: Id<kinds::Key>,
    /// The environment of the key.
    pub environment: Environment,
    /// The request's own id.
    pub request_id: Id<kinds::Request>,
    /// The values of the path's variables, in their order.
    pub path: Vec<String>,
    /// The path as it was called, which cursors are bound to.
    pub list: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The idempotency key, where one is needed.
    pub claim: Option<Claim>,
}

/// A request that needs no key.
pub struct OpenCall {
    /// What everything needs.
    pub app: Arc<App>,
    /// The values of the path's variables, in their order.
    pub path: Vec<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What a mutation is called in the audit, and on what it was done.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    /// `contact.deleted`.
    pub what: &'static str,
    /// The object's id or name.
    pub object_id: &'a str,
}

/// A mutation that was not committed.
#[derive(Debug)]
pub enum Uncommitted {
    /// Another change came first: read again, decide again.
    Conflict,
    /// Anything else, for the caller.
    Problem(Problem),
}

impl From<Uncommitted> for Problem {
    fn from(uncommitted: Uncommitted) -> Problem {
        match uncommitted {
            Uncommitted::Conflict => Problem::new(
                Code::Overloaded,
                "Other requests changed the same record again and again; send the request again.",
            )
            .retry_after(1),
            Uncommitted::Problem(problem) => problem,
        }
    }
}

/// An answer on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
    /// Its headers, the content type among them.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether it stands under the idempotency key already.
    pub is_kept: bool,
}

impl Answer {
    /// With a JSON body.
    ///
    /// # Errors
    /// `internal` for what cannot be written, which no type of ours is.
    pub fn json(status: u16, body: &impl Serialize) -> Result<Answer, Problem> {
        Ok(Answer::bytes(status, to_bytes(body)?))
    }

    /// With a body that is JSON already.
    #[must_use]
    pub fn bytes(status: u16, body: impl Into<Bytes>) -> Answer {
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(JSON))];
        Answer { status, body: body.into(), headers, is_kept: false }
    }

    /// Without a body.
    #[must_use]
    pub fn empty(status: u16) -> Answer {
        Answer { status, body: Bytes::new(), headers: Vec::new(), is_kept: false }
    }

    /// With a text of this media type.
    #[must_use]
    pub fn text(status: u16, media: &'static str, body: impl Into<Bytes>) -> Answer {
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(media))];
        Answer { status, body: body.into(), headers, is_kept: false }
    }

    /// The same, standing under the idempotency key already.
    #[must_use]
    pub fn kept(mut self) -> Answer {
        self.is_kept = true;
        self
    }
}

fn to_bytes(body: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|_| Code::Internal.into())
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Full
            | StoreError::Overloaded
            | StoreError::Failed { .. }
            | StoreError::Stale { .. }
            | StoreError::Unavailable { .. } => Problem::from(Code::Overloaded).retry_after(1),
            StoreError::Closing | StoreError::Fenced => Problem::from(Code::ShuttingDown).retry_after(1),
            // A scope that cannot be opened is 503, not the whole server.
            StoreError::ReadOnly { .. } | StoreError::Corrupt { .. } | StoreError::NewerSchema { .. } => {
                tracing::error!(%error, "a scope cannot be used");
                Problem::from(Code::Overloaded)
            }
            StoreError::Conflict { .. } => Uncommitted::Conflict.into(),
            error => {
                tracing::error!(%error, "the store refused a request");
                Code::Internal.into()
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::NotFound => Problem::not_found(),
            Refusal::MessageEnded => Code::MessageEnded.into(),
            Refusal::Invalid(faults) => Problem::invalid(faults.into_iter().map(Fault::from).collect()),
            Refusal::PolicyInvalid(findings) => {
                Problem { findings: Some(Box::new(findings)), ..Problem::from(Code::PolicyInvalid) }
            }
            Refusal::QuotaExceeded(left) => {
                let seconds = u64::try_from(left.ms()).unwrap_or_default().div_ceil(1_000);
                Problem::from(Code::QuotaExceeded).retry_after(seconds.max(1))
            }
            Refusal::Unverified => Code::SignatureInvalid.into(),
            Refusal::Overloaded => Problem::from(Code::Overloaded).retry_after(1),
            Refusal::ShuttingDown => Problem::from(Code::ShuttingDown).retry_after(1),
            Refusal::Store(error) => error.into(),
        }
    }
}

impl Call {
    /// The id that the path names at `index`; what is no id is not there.
    ///
    /// # Errors
    /// `not_found`.
    pub fn id<K: IdKind>(&self, index: usize) -> Result<Id<K>, Problem> {
        self.path.get(index).and_then(|text| text.parse().ok()).ok_or_else(Problem::not_found)
    }

    /// The text that the path names at `index`.
    #[must_use]
    pub fn text(&self, index: usize) -> &str {
        self.path.get(index).map_or("", String::as_str)
    }

    /// Now, on the scope's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.app.clock.scope_now(self.scope.id())
    }

    /// What its body is checked against besides the schema.
    #[must_use]
    pub fn surroundings(&self) -> Surroundings {
        Surroundings { environment: self.environment, now: self.now() }
    }

    /// A fresh id.
    #[must_use]
    pub fn mint<K: IdKind>(&self) -> Id<K> {
        self.app.ids.mint()
    }

    /// The claim of a mutation.
    ///
    /// # Errors
    /// `internal` in an endpoint that takes no idempotency key.
    pub fn claim(&self) -> Result<Claim, Problem> {
        self.claim.clone().ok_or_else(|| Code::Internal.into())
    }

    /// An entry of the audit.
    #[must_use]
    pub fn audit(&self, deed: Deed<'_>, at: Instant) -> NewAudit {
        let (who, object_id) = (self.key.to_string(), deed.object_id.to_owned());
        let request_id = Some(self.request_id.to_string());
        NewAudit::new(self.mint(), at, &who, deed.what, Some(object_id), request_id)
    }

    /// Adds to `change` what every mutation has, its entry in the audit and its kept answer, and
    /// gives the answer as it will be sent.
    ///
    /// # Errors
    /// Those of sealing.
    pub async fn prepare(
        &self,
        change: &mut Change,
        deed: Deed<'_>,
        answer: Answer,
        keep: Keep,
    ) -> Result<Answer, Problem> {
        change.audit.push(self.audit(deed, self.now()));
        self.prepare_quietly(change, answer, keep).await
    }

    /// As [`Call::prepare`], for a mutation that changes nothing and so stands in no audit.
    ///
    /// # Errors
    /// Those of sealing.
    pub async fn prepare_quietly(
        &self,
        change: &mut Change,
        answer: Answer,
        keep: Keep,
    ) -> Result<Answer, Problem> {
        let claim = self.claim()?;
        let body = self.app.keep_form(&self.scope, claim.key.0, &answer.body, keep, change).await?;
        change.keep = Some(claim.kept(answer.status, body));
        Ok(answer.kept())
    }

    /// Commits a change with its entry in the audit and its kept answer.
    ///
    /// # Errors
    /// [`Uncommitted::Conflict`] where a row was not as expected.
    pub async fn commit(
        &self,
        mut change: Change,
        deed: Deed<'_>,
        answer: Answer,
        keep: Keep,
    ) -> Result<Answer, Uncommitted> {
        let answer = self.prepare(&mut change, deed, answer, keep).await.map_err(Uncommitted::Problem)?;
        match self.scope.commit(change).await {
            Ok(Committed::Applied(_)) => Ok(answer),
            Ok(Committed::Replayed(kept)) => self.replayed(&kept).await.map_err(Uncommitted::Problem),
            Err(StoreError::Conflict { .. }) => Err(Uncommitted::Conflict),
            Err(error) => Err(Uncommitted::Problem(error.into())),
        }
    }

    /// Commits a change of the registry with its entry in the audit and its kept answer.
    ///
    /// # Errors
    /// As [`Call::commit`].
    pub async fn commit_in_registry(
        &self,
        mut change: RegistryChange,
        deed: Deed<'_>,
        answer: Answer,
        keep: Keep,
    ) -> Result<Answer, Uncommitted> {
        let claim = self.claim().map_err(Uncommitted::Problem)?;
        let mut none = Change::default();
        let body = self.app.keep_form(&self.scope, claim.key.0, &answer.body, keep, &mut none).await;
        let body = body.map_err(Uncommitted::Problem)?;
        change.keep = Some((self.scope.id(), claim.kept(answer.status, body)));
        let entry = self.audit(deed, self.app.clock.real_now());
        change.audit.push(RegistryAudit { scope: Some(self.scope.id()), entry });
        match self.app.registry.commit(change).await {
            Ok(RegistryCommitted::Applied) => Ok(answer.kept()),
            Ok(RegistryCommitted::Replayed(kept)) => self.replayed(&kept).await.map_err(Uncommitted::Problem),
            Err(StoreError::Conflict { .. }) => Err(Uncommitted::Conflict),
            Err(error) => Err(Uncommitted::Problem(error.into())),
        }
    }

    /// The answer of a record that stands under the request's idempotency key.
    ///
    /// # Errors
    /// `idempotency_conflict` where it is another request's; `not_found` where the person that it
    /// is about was erased.
    pub async fn replayed(&self, kept: &Kept) -> Result<Answer, Problem> {
        let claim = self.claim()?;
        self.app.replay(&self.scope, &claim, kept).await
    }

    /// What the engine took, or the answer that stands.
    ///
    /// # Errors
    /// As [`Call::replayed`].
    pub async fn taken<T>(
        &self,
        taken: Taken<T>,
        answer: impl FnOnce(T) -> Result<Answer, Problem>,
    ) -> Result<Answer, Problem> {
        match taken {
            Taken::Done(done) => answer(done).map(Answer::kept),
            Taken::Replayed(kept) => self.replayed(&kept).await,
        }
    }
}
