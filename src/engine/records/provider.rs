//! A provider that a tenant made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{read, unreadable, write};
use crate::model::{Channel, Confirmation, Id, Instant, Money, Span, kinds};
use crate::store::StoreError;
use crate::store::rows::ProviderRow;
use crate::store::seal::Scope;

const FORM: u8 = 1;

/// A provider as it is kept. Its credentials are sealed in the row.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderRecord {
    /// Its id.
    pub id: Id<kinds::Provider>,
    /// What `via` names.
    pub name: String,
    /// The row's version, 0 for one that is new.
    pub version: u32,
    /// When it was made, on the scope's clock.
    pub created_at: Instant,
    /// Which adapter speaks to it.
    pub kind: String,
    /// What it carries.
    pub channels: Vec<Channel>,
    /// What an attempt costs, by channel.
    pub prices: BTreeMap<Channel, Money>,
    /// Its settings, in its kind's form.
    pub settings: Value,
    /// Its weight in a route without `via`.
    pub weight: u32,
    /// How many attempts a second.
    pub rate_per_second: Option<u32>,
    /// What it confirms, by channel, beyond acceptance.
    pub confirms: BTreeMap<Channel, Vec<Confirmation>>,
    /// How long a confirmation is waited for, by channel.
    pub horizon: BTreeMap<Channel, Span>,
    sealed: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct Doc {
    form: u8,
    kind: String,
    channels: Vec<Channel>,
    prices: BTreeMap<String, Money>,
    settings: Value,
    weight: u32,
    rate_per_second: Option<u32>,
    confirms: BTreeMap<String, Vec<Confirmation>>,
    horizon: BTreeMap<String, Span>,
}

fn by_word<T: Clone>(map: &BTreeMap<Channel, T>) -> BTreeMap<String, T> {
    map.iter().map(|(channel, value)| (channel.word().to_owned(), value.clone())).collect()
}

fn by_channel<T>(map: BTreeMap<String, T>) -> BTreeMap<Channel, T> {
    map.into_iter().filter_map(|(word, value)| word.parse().ok().map(|channel| (channel, value))).collect()
}

impl ProviderRecord {
    /// How long a confirmation is waited for where nothing is said.
    pub const HORIZON_DEFAULT: Span = Span::from_s(24 * 3_600);
    /// The weight where nothing is said.
    pub const WEIGHT_DEFAULT: u32 = 100;

    /// A new one, without credentials yet.
    #[must_use]
    pub fn new(id: Id<kinds::Provider>, name: String, kind: String, created_at: Instant) -> ProviderRecord {
        ProviderRecord {
            id,
            name,
            version: 0,
            created_at,
            kind,
            channels: Vec::new(),
            prices: BTreeMap::new(),
            settings: Value::Object(serde_json::Map::new()),
            weight: Self::WEIGHT_DEFAULT,
            rate_per_second: None,
            confirms: BTreeMap::new(),
            horizon: BTreeMap::new(),
            sealed: None,
        }
    }

    /// Its row.
    ///
    /// # Errors
    /// Where it cannot be written, which no provider does.
    pub fn row(&self) -> Result<ProviderRow, StoreError> {
        let doc = Doc {
            form: FORM,
            kind: self.kind.clone(),
            channels: self.channels.clone(),
            prices: by_word(&self.prices),
            settings: self.settings.clone(),
            weight: self.weight,
            rate_per_second: self.rate_per_second,
            confirms: by_word(&self.confirms),
            horizon: by_word(&self.horizon),
        };
        Ok(ProviderRow {
            id: self.id,
            name: self.name.clone(),
            version: self.version,
            created_at: self.created_at,
            doc: write(&doc)?,
            credentials: self.sealed.clone(),
        })
    }

    /// From its row.
    ///
    /// # Errors
    /// Where another program wrote it.
    pub fn read(row: &ProviderRow) -> Result<ProviderRecord, StoreError> {
        let doc: Doc = read(&row.doc)?;
        if doc.form != FORM {
            return Err(unreadable());
        }
        Ok(ProviderRecord {
            id: row.id,
            name: row.name.clone(),
            version: row.version,
            created_at: row.created_at,
            kind: doc.kind,
            channels: doc.channels,
            prices: by_channel(doc.prices),
            settings: doc.settings,
            weight: doc.weight,
            rate_per_second: doc.rate_per_second,
            confirms: by_channel(doc.confirms),
            horizon: by_channel(doc.horizon),
            sealed: row.credentials.clone(),
        })
    }

    /// Its credentials, opened; an empty object where there are none.
    ///
    /// # Errors
    /// Where they do not open.
    pub fn credentials(&self, scope: &Scope) -> Result<Value, StoreError> {
        match &self.sealed {
            Some(sealed) => read(&scope.open_secret(&place(self.id), sealed)?),
            None => Ok(Value::Object(serde_json::Map::new())),
        }
    }

    /// Seals its credentials.
    ///
    /// # Errors
    /// Where they cannot be sealed.
    pub fn set_credentials(&mut self, scope: &Scope, credentials: &Value) -> Result<(), StoreError> {
        self.sealed = Some(scope.seal_secret(&place(self.id), &write(credentials)?)?);
        Ok(())
    }
}

fn place(id: Id<kinds::Provider>) -> Vec<u8> {
    format!("{id} credentials").into_bytes()
}
