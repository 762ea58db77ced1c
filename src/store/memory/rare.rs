//! What a tenant sets up, written.

use super::tables::{Writing, kind_number};
use super::write::conflict;
use crate::store::rows::{ContactRow, DeliveryRow, DeliveryState, EndpointRow, ProviderRow, VersionName};
use crate::store::{
    Change, ConsentChange, ContactChange, EndpointChange, Position, ProviderChange, Put, StoreError,
    VersionChange,
};

impl Writing<'_> {
    /// `newest_event` is the newest event before this change.
    pub(super) fn rare(&mut self, change: &Change, newest_event: Position) -> Result<(), StoreError> {
        for contact in &change.contacts {
            self.contact(contact)?;
        }
        for consent in &change.consents {
            match consent {
                ConsentChange::Put(row) => {
                    let key = (row.channel.index(), row.address);
                    self.put(|tables| &mut tables.consents, key, row.clone());
                }
                ConsentChange::Delete(channel, address) => {
                    self.take(|tables| &mut tables.consents, (channel.index(), *address));
                }
            }
        }
        for version in &change.versions {
            self.version(version)?;
        }
        for provider in &change.providers {
            self.provider(provider)?;
        }
        for endpoint in &change.endpoints {
            self.endpoint(endpoint, newest_event)?;
        }
        for row in &change.quotas {
            self.put(|tables| &mut tables.quotas, row.name.clone(), row.clone());
        }
        for row in &change.early_receipts {
            let n = self.next_rare();
            self.put(|tables| &mut tables.early, n, row.clone());
        }
        for (provider, id) in &change.early_receipts_taken {
            let waiting = self.tables.early.iter();
            let waiting =
                waiting.filter(|(_, row)| row.provider == *provider && row.provider_message_id == *id);
            for n in waiting.map(|(n, _)| *n).collect::<Vec<_>>() {
                self.take(|tables| &mut tables.early, n);
            }
        }
        for subject in &change.erased {
            self.take(|tables| &mut tables.subjects, *subject);
        }
        if let Some(clock) = change.clock {
            self.put(|tables| &mut tables.clock, (), clock);
        }
        Ok(())
    }

    fn next_rare(&mut self) -> Position {
        self.tables.heads.rare += 1;
        self.tables.heads.rare
    }

    fn contact(&mut self, change: &ContactChange) -> Result<(), StoreError> {
        let found = |id| self.tables.contacts.iter().find(|(_, row)| row.id == id);
        match change {
            ContactChange::Put(Put { row, expected }) => {
                let stands = found(row.id).map(|(n, row)| (*n, row.version, row.created_at));
                if stands.map(|(_, version, _)| version) != *expected {
                    return Err(conflict("a contact"));
                }
                let same = |other: &ContactRow| {
                    other.id != row.id && other.external_id.is_some() && other.external_id == row.external_id
                };
                if self.tables.contacts.values().any(same) {
                    return Err(conflict("a contact"));
                }
                self.seen(row.id.as_u128());
                let n = stands.map_or_else(|| self.next_rare(), |(n, ..)| n);
                let row = ContactRow {
                    version: expected.unwrap_or(0) + 1,
                    created_at: stands.map_or(row.created_at, |(.., created_at)| created_at),
                    ..row.clone()
                };
                self.put(|tables| &mut tables.contacts, n, row);
            }
            ContactChange::Delete(id, version) => {
                let n = found(*id).filter(|(_, row)| row.version == *version).map(|(n, _)| *n);
                self.take(|tables| &mut tables.contacts, n.ok_or(conflict("a contact"))?);
            }
        }
        Ok(())
    }

    fn version(&mut self, change: &VersionChange) -> Result<(), StoreError> {
        match change {
            VersionChange::Publish(kind, row) => {
                let key = (kind_number(*kind), row.name.clone());
                let stands = self.tables.version_names.get(&key).cloned();
                if stands.as_ref().map_or(0, |name| name.newest) + 1 != row.version {
                    return Err(conflict("a version"));
                }
                self.seen(row.id);
                let n = self.next_rare();
                let name = match stands {
                    Some(name) => VersionName { newest: row.version, ..name },
                    None => VersionName { n, name: row.name.clone(), newest: 1, deleted: 0 },
                };
                self.put(|tables| &mut tables.version_names, key.clone(), name);
                let key = (key.0, key.1, row.version);
                self.put(|tables| &mut tables.versions, key, (n, row.clone()));
            }
            VersionChange::Delete(kind, name, newest) => {
                let key = (kind_number(*kind), name.clone());
                let stands = self.tables.version_names.get(&key);
                let Some(stands) = stands.filter(|it| it.newest == *newest && it.deleted < it.newest) else {
                    return Err(conflict("a version"));
                };
                let gone = VersionName { deleted: *newest, ..stands.clone() };
                self.put(|tables| &mut tables.version_names, key, gone);
            }
        }
        Ok(())
    }

    fn provider(&mut self, change: &ProviderChange) -> Result<(), StoreError> {
        let found = |id| self.tables.providers.iter().find(|(_, row)| row.id == id);
        match change {
            ProviderChange::Put(Put { row, expected }) => {
                let stands = found(row.id).map(|(n, row)| (*n, row.version, row.created_at));
                if stands.map(|(_, version, _)| version) != *expected {
                    return Err(conflict("a provider"));
                }
                if self.tables.providers.values().any(|other| other.id != row.id && other.name == row.name) {
                    return Err(conflict("a provider"));
                }
                self.seen(row.id.as_u128());
                let n = stands.map_or_else(|| self.next_rare(), |(n, ..)| n);
                let row = ProviderRow {
                    version: expected.unwrap_or(0) + 1,
                    created_at: stands.map_or(row.created_at, |(.., created_at)| created_at),
                    ..row.clone()
                };
                self.put(|tables| &mut tables.providers, n, row);
            }
            ProviderChange::Delete(id, version) => {
                let n = found(*id).filter(|(_, row)| row.version == *version).map(|(n, _)| *n);
                self.take(|tables| &mut tables.providers, n.ok_or(conflict("a provider"))?);
            }
        }
        Ok(())
    }

    fn endpoint(&mut self, change: &EndpointChange, newest_event: Position) -> Result<(), StoreError> {
        let found = |id| self.tables.endpoints.iter().find(|(_, row)| row.id == id);
        match change {
            EndpointChange::Make(_, limit) if self.tables.endpoints.len() >= *limit as usize => {
                return Err(conflict("the number of endpoints"));
            }
            EndpointChange::Make(row, _) => {
                let put = Put { row: row.clone(), expected: None };
                return self.endpoint(&EndpointChange::Put(put), newest_event);
            }
            EndpointChange::Put(Put { row, expected }) => {
                let stands = found(row.id).map(|(n, row)| (*n, row.clone()));
                if stands.as_ref().map(|(_, row)| row.version) != *expected {
                    return Err(conflict("an endpoint"));
                }
                self.seen(row.id.as_u128());
                let (n, row) = match stands {
                    None => {
                        let position = row.position.min(newest_event);
                        (self.next_rare(), EndpointRow { version: 1, position, ..row.clone() })
                    }
                    Some((n, stands)) => {
                        let EndpointRow { version, position, created_at, .. } = stands;
                        (n, EndpointRow { version: version + 1, position, created_at, ..row.clone() })
                    }
                };
                self.put(|tables| &mut tables.endpoints, n, row);
            }
            EndpointChange::Advance(id, to) => {
                let stands = found(*id).map(|(n, row)| (*n, row.clone()));
                let (n, row) = stands.ok_or(conflict("an endpoint"))?;
                let position = row.position.max(*to);
                self.put(|tables| &mut tables.endpoints, n, EndpointRow { position, ..row });
            }
            EndpointChange::SettlePending(id, state) => {
                let pending = self.tables.deliveries.iter();
                let pending =
                    pending.filter(|(_, row)| row.endpoint == *id && row.state == DeliveryState::Pending);
                let pending: Vec<_> = pending.map(|(n, row)| (*n, row.clone())).collect();
                for (n, row) in pending {
                    let next_try_at = row.next_try_at.filter(|_| *state == DeliveryState::Pending);
                    let version = row.version + 1;
                    let row = DeliveryRow { state: *state, next_try_at, version, ..row };
                    self.put(|tables| &mut tables.deliveries, n, row);
                }
            }
            EndpointChange::Delete(id, version) => {
                let n = found(*id).filter(|(_, row)| row.version == *version).map(|(n, _)| *n);
                self.take(|tables| &mut tables.endpoints, n.ok_or(conflict("an endpoint"))?);
                let pending = self.tables.deliveries.iter();
                let pending =
                    pending.filter(|(_, row)| row.endpoint == *id && row.state == DeliveryState::Pending);
                for n in pending.map(|(n, _)| *n).collect::<Vec<_>>() {
                    self.take(|tables| &mut tables.deliveries, n);
                }
            }
        }
        Ok(())
    }

    pub(super) fn delivery(&mut self, put: &Put<DeliveryRow>) -> Result<(), StoreError> {
        let Put { row, expected } = put;
        let stands = self.tables.deliveries.iter().find(|(_, other)| other.id == row.id);
        let stands = stands.map(|(n, row)| (*n, row.clone()));
        if stands.as_ref().map(|(_, row)| row.version) != *expected {
            return Err(conflict("a delivery"));
        }
        self.seen(row.id.as_u128());
        let (n, row) = match stands {
            None => {
                self.tables.heads.delivery += 1;
                (self.tables.heads.delivery, DeliveryRow { version: 1, ..row.clone() })
            }
            Some((n, before)) => {
                let DeliveryRow { state, next_try_at, tries, .. } = row.clone();
                (n, DeliveryRow { state, next_try_at, tries, version: before.version + 1, ..before })
            }
        };
        self.put(|tables| &mut tables.deliveries, n, row);
        Ok(())
    }
}
