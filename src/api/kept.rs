//! Answers that are kept under an idempotency key, and given again.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue};

use super::App;
use super::call::{Answer, JSON};
use super::conventions::problem::{Code, PROBLEM_JSON, Problem};
use crate::engine::front::Claim;
use crate::engine::records::{SEALED_BY_PERSON, SEALED_BY_SCOPE, kept_place, sealed_for};
use crate::store::rows::{Kept, KeptAnswer, SubjectId};
use crate::store::seal::Scope;
use crate::store::{Change, Committed, RegistryChange, RegistryCommitted};

/// Under which key an answer is kept.
#[derive(Debug, Clone, Copy)]
pub enum Keep {
    /// In clear: it holds neither a secret nor personal data.
    Plain,
    /// Under the scope's key: it holds a secret.
    Secret,
    /// Under a person's key: it holds their data, and goes with them.
    Person(SubjectId),
}

impl App {
    /// The form in which an answer's body is kept. What seals under a person's key puts that key
    /// into `change`.
    pub(super) async fn keep_form(
        &self,
        scope: &Scope,
        key_of_record: [u8; 16],
        body: &Bytes,
        keep: Keep,
        change: &mut Change,
    ) -> Result<KeptAnswer, Problem> {
        let aad = kept_place(key_of_record);
        Ok(match keep {
            _ if body.is_empty() => KeptAnswer::Empty,
            Keep::Plain => KeptAnswer::Plain(body.to_vec()),
            Keep::Secret => {
                let mut form = vec![SEALED_BY_SCOPE];
                form.extend(scope.seal_secret(&aad, body)?);
                KeptAnswer::Sealed(form)
            }
            Keep::Person(subject) => {
                let key = scope.subject_key(subject).await?;
                key.keep_in(change);
                sealed_for(scope, &key, key_of_record, body)?
            }
        })
    }

    /// The answer that a record holds.
    ///
    /// # Errors
    /// `idempotency_conflict` where it is another request's; `not_found` where the person that it
    /// is about was erased.
    pub(super) async fn replay(
        &self,
        scope: &Arc<Scope>,
        claim: &Claim,
        kept: &Kept,
    ) -> Result<Answer, Problem> {
        if kept.request != claim.request {
            return Err(Code::IdempotencyConflict.into());
        }
        let aad = kept_place(kept.key.0);
        let body = match &kept.answer {
            KeptAnswer::Empty => Some(Vec::new()),
            KeptAnswer::Plain(body) => Some(body.clone()),
            KeptAnswer::Sealed(form) => match form.split_first() {
                Some((&SEALED_BY_SCOPE, sealed)) => Some(scope.open_secret(&aad, sealed)?),
                Some((&SEALED_BY_PERSON, rest)) => match rest.split_first_chunk::<16>() {
                    Some((subject, sealed)) => match scope.known_subject_key(SubjectId(*subject)).await? {
                        Some(key) => scope.open(&key, &aad, sealed).ok(),
                        None => None,
                    },
                    None => None,
                },
                _ => None,
            },
            by_reference => self.front.kept_body(Arc::clone(scope), by_reference.clone()).await?,
        };
        let body = body.ok_or_else(Problem::not_found)?;
        let media = if kept.status >= 400 { PROBLEM_JSON } else { JSON };
        let mut answer =
            if body.is_empty() { Answer::empty(kept.status) } else { Answer::text(kept.status, media, body) };
        answer.headers.push((
            HeaderName::from_static(super::conventions::idempotency::IDEMPOTENT_REPLAYED),
            HeaderValue::from_static("true"),
        ));
        Ok(answer.kept())
    }

    /// Keeps an answer that no mutation has kept: a refusal, or a deed that changed nothing.
    pub(super) async fn keep_alone(
        &self,
        scope: &Arc<Scope>,
        claim: &Claim,
        status: u16,
        body: &Bytes,
        in_registry: bool,
    ) -> Result<Option<Answer>, Problem> {
        let form = if body.is_empty() { KeptAnswer::Empty } else { KeptAnswer::Plain(body.to_vec()) };
        let kept = claim.kept(status, form);
        let standing = if in_registry {
            let change = RegistryChange { keep: Some((scope.id(), kept)), ..RegistryChange::default() };
            match self.registry.commit(change).await? {
                RegistryCommitted::Applied => None,
                RegistryCommitted::Replayed(kept) => Some(kept),
            }
        } else {
            match scope.commit(Change::keeping(kept)).await? {
                Committed::Applied(_) => None,
                Committed::Replayed(kept) => Some(kept),
            }
        };
        match standing {
            Some(kept) => self.replay(scope, claim, &kept).await.map(Some),
            None => Ok(None),
        }
    }
}
