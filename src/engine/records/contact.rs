//! A contact's row: what stands in clear because it is looked up by, and what is sealed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{read, unreadable, write};
use crate::model::shapes::text::{
    Attributes, Country, ExternalId, Locale, Metadata, PersonName, TimezoneName,
};
use crate::model::shapes::{Addresses, ConsentState};
use crate::model::{Channel, Id, Instant, kinds};
use crate::store::StoreError;
use crate::store::rows::{AddressHash, ContactRow};
use crate::store::seal::{Scope, SubjectKey};

const FORM: u8 = 1;

/// Consents that wait for an address.
pub type Waiting = BTreeMap<Channel, ConsentState>;

/// A contact as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactRecord {
    /// Its id.
    pub id: Id<kinds::Contact>,
    /// The row's version, 0 for one that is new.
    pub version: u32,
    /// The caller's own id.
    pub external_id: Option<ExternalId>,
    /// Its name.
    pub name: Option<PersonName>,
    /// By channel.
    pub addresses: Addresses,
    /// In which language to write.
    pub locale: Option<Locale>,
    /// An IANA name.
    pub timezone: Option<TimezoneName>,
    /// ISO 3166 alpha-2.
    pub country: Option<Country>,
    /// What else is known.
    pub attributes: Attributes,
    /// The caller's own notes.
    pub metadata: Metadata,
    /// Consents of channels without an address.
    pub waiting: Waiting,
    /// When it was made, on the scope's clock.
    pub created_at: Instant,
    /// When it was last changed, on the scope's clock.
    pub updated_at: Instant,
}

#[derive(Serialize, Deserialize)]
struct Clear {
    form: u8,
    locale: Option<Locale>,
    timezone: Option<TimezoneName>,
    country: Option<Country>,
    metadata: Metadata,
    waiting: BTreeMap<String, ConsentState>,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    name: Option<PersonName>,
    addresses: Addresses,
    attributes: Attributes,
}

impl ContactRecord {
    /// Its row. `key` is that of its subject.
    ///
    /// # Errors
    /// Where it cannot be sealed.
    pub fn row(&self, scope: &Scope, key: &SubjectKey) -> Result<ContactRow, StoreError> {
        let clear = Clear {
            form: FORM,
            locale: self.locale.clone(),
            timezone: self.timezone.clone(),
            country: self.country.clone(),
            metadata: self.metadata.clone(),
            waiting: self.waiting.iter().map(|(c, state)| (c.word().to_owned(), *state)).collect(),
        };
        let sealed = Sealed {
            name: self.name.clone(),
            addresses: self.addresses.clone(),
            attributes: self.attributes.clone(),
        };
        Ok(ContactRow {
            id: self.id,
            external_id: self.external_id.as_ref().map(|id| id.as_str().to_owned()),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            doc: write(&clear)?,
            sealed: scope.seal(key, &place(self.id), &write(&sealed)?)?,
        })
    }

    /// From its row.
    ///
    /// # Errors
    /// Where it does not open, or another program wrote it.
    pub async fn read(scope: &Scope, row: &ContactRow) -> Result<ContactRecord, StoreError> {
        let clear: Clear = read(&row.doc)?;
        if clear.form != FORM {
            return Err(unreadable());
        }
        let key = scope.known_subject_key(row.id.into()).await?.ok_or(StoreError::Sealed)?;
        let sealed: Sealed = read(&scope.open(&key, &place(row.id), &row.sealed)?)?;
        Ok(ContactRecord {
            id: row.id,
            version: row.version,
            external_id: row.external_id.clone().map(ExternalId::new),
            name: sealed.name,
            addresses: sealed.addresses,
            locale: clear.locale,
            timezone: clear.timezone,
            country: clear.country,
            attributes: sealed.attributes,
            metadata: clear.metadata,
            waiting: clear
                .waiting
                .into_iter()
                .filter_map(|(c, state)| c.parse().ok().map(|c| (c, state)))
                .collect(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }

    /// The keyed hashes of its addresses.
    #[must_use]
    pub fn hashes(&self, scope: &Scope) -> Vec<(Channel, AddressHash)> {
        self.addresses.iter().map(|(c, address)| (c, scope.address_hash(c, address))).collect()
    }
}

fn place(id: Id<kinds::Contact>) -> Vec<u8> {
    format!("{id} sealed").into_bytes()
}
