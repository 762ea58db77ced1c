//! The forms in which what a tenant sets up is kept: what the bytes in the store's rows mean.
//!
//! Written by the REST surface, read by it and by the engine. Each form has a number; one that is
//! not known here was written by another program and is refused.

mod contact;
mod kept;
mod policy;
mod provider;
mod template;

pub use contact::{ContactRecord, Waiting};
pub use kept::{SEALED_BY_PERSON, SEALED_BY_SCOPE, kept_place, open_answer, sealed_for};
pub use policy::PolicyRecord;
pub use provider::ProviderRecord;
pub use template::{BodyRecord, TemplateRecord};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

/// The bytes of a form.
pub(crate) fn write(form: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(form).map_err(|_| unreadable())
}

/// A form from its bytes.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| unreadable())
}

/// A row that is not of a form that is known here.
pub(crate) fn unreadable() -> StoreError {
    StoreError::Io { what: "reading a row", detail: "it has a form that is not known here".into() }
}
