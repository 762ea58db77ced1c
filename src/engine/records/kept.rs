//! Answers that are kept sealed, under an idempotency key.

use crate::store::StoreError;
use crate::store::rows::{Kept, KeptAnswer, SubjectId};
use crate::store::seal::{Scope, SubjectKey};

/// The first byte of an answer that is sealed under the scope's own key: it holds a secret.
pub const SEALED_BY_SCOPE: u8 = 0;
/// The first byte of an answer that is sealed under a person's key; 16 bytes name the subject.
pub const SEALED_BY_PERSON: u8 = 1;

/// The place of a kept answer, for sealing.
#[must_use]
pub fn kept_place(key: [u8; 16]) -> Vec<u8> {
    let mut place = b"kept answer ".to_vec();
    place.extend(key);
    place
}

/// An answer that shows a person's data, kept under the person's key.
///
/// # Errors
/// Where it cannot be sealed.
pub fn sealed_for(
    scope: &Scope,
    key: &SubjectKey,
    key_of_record: [u8; 16],
    body: &[u8],
) -> Result<KeptAnswer, StoreError> {
    let mut form = vec![SEALED_BY_PERSON];
    form.extend(key.id().0);
    form.extend(scope.seal(key, &kept_place(key_of_record), body)?);
    Ok(KeptAnswer::Sealed(form))
}

/// The bytes of an answer that stands by itself; `None` where it holds a secret, is kept by reference,
/// or its person was erased.
///
/// # Errors
/// As reading does.
pub async fn open_answer(scope: &Scope, kept: &Kept) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(match &kept.answer {
        KeptAnswer::Empty => Some(Vec::new()),
        KeptAnswer::Plain(body) => Some(body.clone()),
        KeptAnswer::Sealed(form) => match form.split_first() {
            Some((&SEALED_BY_PERSON, rest)) => match rest.split_first_chunk::<16>() {
                Some((subject, sealed)) => match scope.known_subject_key(SubjectId(*subject)).await? {
                    Some(key) => scope.open(&key, &kept_place(kept.key.0), sealed).ok(),
                    None => None,
                },
                None => None,
            },
            _ => None,
        },
        KeptAnswer::FirstBody(_) | KeptAnswer::FirstBodies(_) => None,
    })
}
