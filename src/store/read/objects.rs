//! What a tenant set up, and the scope's books.

use std::collections::BTreeMap;

use super::{Question, Source, decode as rows};
use crate::model::{Channel, Id, Instant, kinds};
use crate::store::rows::{
    AddressHash, AuditRow, ClockRow, ConsentRow, ContactRow, EarlyReceiptRow, ProviderRow, ProviderStateRow,
    QuotaRow, SubjectId, UsageRow, VersionKind, VersionName, VersionRow,
};
use crate::store::{Listed, Page, Position, Positioned, PrunedAudit, StoreError};

use crate::store::forms::version_kind_number;
use rows::get;

/// How many keys are asked for in one question.
const ASKED_CHUNK: usize = 500;

const CONTACT: &str = "SELECT n, id, external_id, version, created_at, updated_at, doc, sealed FROM contact";
const VERSION: &str = "SELECT v.n, v.name, v.version, v.id, v.created_at, v.doc FROM version v";
const PROVIDER: &str = "SELECT n, id, name, version, created_at, doc, credentials FROM provider";
const AUDIT: &str = "SELECT a.n, a.id, a.at, a.who, a.what, a.object, a.request, a.canonical, a.hash, \
     coalesce(p.hash, g.hash) FROM audit a LEFT JOIN audit p ON p.n = a.n - 1 \
     LEFT JOIN pruned g ON g.chain = 0 AND g.n = a.n - 1";
/// The same of a file from before anything could be removed.
const WHOLE_AUDIT: &str = "SELECT a.n, a.id, a.at, a.who, a.what, a.object, a.request, a.canonical, a.hash, \
     p.hash FROM audit a LEFT JOIN audit p ON p.n = a.n - 1";

/// Keys for `IN (…)`, the last one repeated: so there are few texts, which stay prepared.
fn padded<K: Copy>(keys: &[K], bytes: fn(K) -> [u8; 16]) -> impl Iterator<Item = [u8; 16]> {
    let last = keys.last().copied();
    let missing = keys.len().next_power_of_two() - keys.len();
    keys.iter().copied().chain(last.into_iter().cycle().take(missing)).map(bytes)
}

impl dyn Source + '_ {
    pub(in crate::store) async fn contact(
        &self,
        id: Id<kinds::Contact>,
    ) -> Result<Option<ContactRow>, StoreError> {
        let Some(gathers) = self.gathers() else {
            let question = Question::new(CONTACT).and("id = ?", id.to_bytes());
            return Ok(self.one(question, rows::contact).await?.map(|contact| contact.row));
        };
        let ask = |ids: Vec<Id<kinds::Contact>>| async move {
            let mut found = BTreeMap::new();
            for chunk in ids.chunks(ASKED_CHUNK) {
                let question =
                    Question::new(CONTACT).and_among("id IN ({})", padded(chunk, |id| id.to_bytes()));
                let rows = self.all(question, rows::contact).await?;
                found.extend(rows.into_iter().map(|contact| (contact.row.id, contact.row)));
            }
            Ok(found)
        };
        Ok(gathers.contacts.get(&[id], ask).await?.remove(&id))
    }

    pub(in crate::store) async fn contacts(
        &self,
        external_id: Option<&str>,
        page: Page,
    ) -> Result<Listed<ContactRow>, StoreError> {
        let question = Question::new(CONTACT).and_maybe("external_id = ?", external_id);
        self.page(question, "n", page, rows::contact).await
    }

    pub(in crate::store) async fn consents(
        &self,
        addresses: &[(Channel, AddressHash)],
    ) -> Result<Vec<ConsentRow>, StoreError> {
        let Some(gathers) = self.gathers() else { return self.consents_among(addresses).await };
        let ask = |addresses: Vec<(Channel, AddressHash)>| async move {
            let rows = self.consents_among(&addresses).await?;
            Ok(rows.into_iter().map(|row| ((row.channel, row.address), row)).collect())
        };
        Ok(gathers.consents.get(addresses, ask).await?.into_values().collect())
    }

    async fn consents_among(
        &self,
        addresses: &[(Channel, AddressHash)],
    ) -> Result<Vec<ConsentRow>, StoreError> {
        let mut found: Vec<ConsentRow> = Vec::new();
        for &channel in Channel::ALL {
            let asked: Vec<AddressHash> =
                addresses.iter().filter(|(of, _)| *of == channel).map(|(_, address)| *address).collect();
            for chunk in asked.chunks(ASKED_CHUNK) {
                let question = Question::new("SELECT channel, address, opted_out, at FROM consent")
                    .and("channel = ?", channel.index() as i64)
                    .and_among("address IN ({})", padded(chunk, |address| address.0));
                found.extend(self.all(question, rows::consent).await?);
            }
        }
        Ok(found)
    }

    pub(in crate::store) async fn version(
        &self,
        kind: VersionKind,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<VersionRow>, StoreError> {
        let select = match version {
            Some(_) => VERSION.to_owned(),
            None => format!(
                "{VERSION} JOIN version_name h ON h.kind = v.kind AND h.name = v.name \
                 AND h.newest = v.version AND h.deleted < h.newest"
            ),
        };
        let question = Question::new(select)
            .and("v.kind = ?", version_kind_number(kind))
            .and("v.name = ?", name)
            .and_maybe("v.version = ?", version.map(i64::from));
        Ok(self.one(question, rows::version).await?.map(|version| version.row))
    }

    pub(in crate::store) async fn version_name(
        &self,
        kind: VersionKind,
        name: &str,
    ) -> Result<Option<VersionName>, StoreError> {
        let question = Question::new("SELECT n, name, newest, deleted FROM version_name")
            .and("kind = ?", version_kind_number(kind))
            .and("name = ?", name);
        self.one(question, rows::version_name).await
    }

    pub(in crate::store) async fn versions(
        &self,
        kind: VersionKind,
        name: &str,
        page: Page,
    ) -> Result<Listed<VersionRow>, StoreError> {
        let select = format!(
            "{VERSION} JOIN version_name h ON h.kind = v.kind AND h.name = v.name AND v.version > h.deleted"
        );
        let question =
            Question::new(select).and("v.kind = ?", version_kind_number(kind)).and("v.name = ?", name);
        self.page(question, "v.n", page, rows::version).await
    }

    pub(in crate::store) async fn newest_versions(
        &self,
        kind: VersionKind,
        page: Page,
    ) -> Result<Listed<VersionRow>, StoreError> {
        // The position is the name's, so that a new version does not move it in the list.
        let select = "SELECT h.n, v.name, v.version, v.id, v.created_at, v.doc \
             FROM version_name h JOIN version v ON v.kind = h.kind AND v.name = h.name \
             AND v.version = h.newest AND h.deleted < h.newest";
        let question = Question::new(select).and("h.kind = ?", version_kind_number(kind));
        self.page(question, "h.n", page, rows::version).await
    }

    pub(in crate::store) async fn provider(&self, name: &str) -> Result<Option<ProviderRow>, StoreError> {
        let question = Question::new(PROVIDER).and("name = ?", name);
        Ok(self.one(question, rows::provider).await?.map(|provider| provider.row))
    }

    pub(in crate::store) async fn provider_by_id(
        &self,
        id: Id<kinds::Provider>,
    ) -> Result<Option<ProviderRow>, StoreError> {
        let question = Question::new(PROVIDER).and("id = ?", id.to_bytes());
        Ok(self.one(question, rows::provider).await?.map(|provider| provider.row))
    }

    pub(in crate::store) async fn providers(&self, page: Page) -> Result<Listed<ProviderRow>, StoreError> {
        self.page(Question::new(PROVIDER), "n", page, rows::provider).await
    }

    pub(in crate::store) async fn provider_states(&self) -> Result<Vec<ProviderStateRow>, StoreError> {
        self.all(Question::new(self.health_select()), rows::provider_state).await
    }

    pub(in crate::store) async fn quotas(&self) -> Result<Vec<QuotaRow>, StoreError> {
        self.all(Question::new("SELECT name, day, month FROM quota"), rows::quota).await
    }

    pub(in crate::store) async fn usage(&self, since: Instant) -> Result<Vec<UsageRow>, StoreError> {
        let question = Question::new(self.usage_select()).and("start >= ?", since.ms());
        self.all(question, rows::usage).await
    }

    pub(in crate::store) async fn clock(&self) -> Result<ClockRow, StoreError> {
        let question = Question::new("SELECT advanced_by_ms, target_ms FROM clock");
        let clock = self
            .one(question, |row| Ok(ClockRow { advanced_by_ms: get(row, 0)?, target_ms: get(row, 1)? }))
            .await?;
        Ok(clock.unwrap_or_default())
    }

    pub(in crate::store) async fn early_receipts(
        &self,
        provider: &str,
        id: &str,
    ) -> Result<Vec<EarlyReceiptRow>, StoreError> {
        let question = Question::new("SELECT provider, provider_message_id, at, doc FROM early_receipt")
            .and("provider = ?", provider)
            .and("provider_message_id = ?", id)
            .end("ORDER BY n LIMIT ?", i64::MAX);
        self.all(question, rows::early_receipt).await
    }

    pub(in crate::store) async fn audit(&self, page: Page) -> Result<Listed<AuditRow>, StoreError> {
        self.page(self.audit_question(), "a.n", page, rows::audit_row).await
    }

    pub(in crate::store) async fn audit_after(
        &self,
        after: Position,
        limit: u32,
    ) -> Result<Vec<Positioned<AuditRow>>, StoreError> {
        let question =
            self.audit_question().and("a.n > ?", after).end("ORDER BY a.n LIMIT ?", i64::from(limit));
        self.all(question, rows::audit_row).await
    }

    fn audit_question(&self) -> Question {
        Question::new(if self.has_pruned() { AUDIT } else { WHOLE_AUDIT })
    }

    pub(in crate::store) async fn pruned(&self) -> Result<PrunedAudit, StoreError> {
        let mut pruned = PrunedAudit::default();
        if self.has_pruned() {
            let question = Question::new("SELECT chain, before, entries, hash FROM pruned");
            for (chain, row) in self.all(question, rows::pruned).await? {
                *(if chain == 0 { &mut pruned.audit } else { &mut pruned.journals }) = Some(row);
            }
        }
        Ok(pruned)
    }

    pub(in crate::store) async fn subjects(
        &self,
        ids: &[SubjectId],
    ) -> Result<Vec<(SubjectId, Vec<u8>)>, StoreError> {
        let Some(gathers) = self.gathers() else { return self.subjects_among(ids).await };
        let ask =
            |ids: Vec<SubjectId>| async move { Ok(self.subjects_among(&ids).await?.into_iter().collect()) };
        Ok(gathers.subjects.get(ids, ask).await?.into_iter().collect())
    }

    async fn subjects_among(&self, ids: &[SubjectId]) -> Result<Vec<(SubjectId, Vec<u8>)>, StoreError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(ASKED_CHUNK) {
            let question = Question::new("SELECT id, sealed_key FROM subject")
                .and_among("id IN ({})", padded(chunk, |id| id.0));
            found.extend(self.all(question, rows::subject).await?);
        }
        Ok(found)
    }
}
