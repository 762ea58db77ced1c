//! A version of a policy.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{read, unreadable, write};
use crate::store::StoreError;

const FORM: u8 = 1;

/// A version of a policy as it is kept: the text that compiles for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyRecord {
    /// The text of this policy alone.
    pub source: String,
    /// The `name@version` of every `use` in it, nested ones included. Versions are kept for ever, so
    /// that these can always be found.
    pub uses: Vec<String>,
    /// The findings of its publication, as the linter's JSON has them.
    pub findings: Value,
    /// Its bounds, as the answer shows them.
    pub bounds: Value,
}

#[derive(Serialize, Deserialize)]
struct Doc {
    form: u8,
    source: String,
    uses: Vec<String>,
    findings: Value,
    bounds: Value,
}

impl PolicyRecord {
    /// Its bytes.
    ///
    /// # Errors
    /// Where they cannot be written, which no policy does.
    pub fn doc(&self) -> Result<Vec<u8>, StoreError> {
        let PolicyRecord { source, uses, findings, bounds } = self.clone();
        write(&Doc { form: FORM, source, uses, findings, bounds })
    }

    /// From its bytes.
    ///
    /// # Errors
    /// Where another program wrote them.
    pub fn read(doc: &[u8]) -> Result<PolicyRecord, StoreError> {
        let Doc { form, source, uses, findings, bounds } = read(doc)?;
        if form != FORM {
            return Err(unreadable());
        }
        Ok(PolicyRecord { source, uses, findings, bounds })
    }
}
