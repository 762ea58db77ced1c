//! Answers that are kept sealed, under an idempotency key.

use crate::store::StoreError;
use crate::store::rows::KeptAnswer;
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
