//! What is read of the rows of one scope.

use super::tables::{Of, StateRow, Tables, kind_number};
use crate::model::{Channel, Id, Instant, kinds};
use crate::store::rows::{
    AddressHash, AttemptRow, AuditRow, ConsentRow, ContactRow, DeliveryFilter, DeliveryRow, DeliveryState,
    DueMessage, EarlyReceiptRow, EndpointRow, EventFilter, EventRow, JournalRow, MessageFilter, MessageRow,
    MessageState, Names, ProviderRow, StoredAttempt, StoredEvent, StoredJournal, StoredMessage, UsageRow,
    VersionKind, VersionRow,
};
use crate::store::{Listed, NodeId, Page, PageStart, Position, Positioned};

/// A page, newest first, of rows in the order of their positions.
pub(super) fn paged<T>(rows: impl DoubleEndedIterator<Item = Positioned<T>>, page: Page) -> Listed<T> {
    let limit = page.limit as usize;
    let mut found: Vec<Positioned<T>> = match page.start {
        PageStart::Newest => rows.rev().take(limit + 1).collect(),
        PageStart::After(n) => rows.rev().filter(|row| row.n < n).take(limit + 1).collect(),
        PageStart::Before(n) => rows.filter(|row| row.n > n).take(limit + 1).collect(),
    };
    let has_more = found.len() > limit;
    found.truncate(limit);
    if matches!(page.start, PageStart::Before(_)) {
        found.reverse();
    }
    Listed { rows: found, has_more }
}

fn names_match(names: Option<&Names>, wanted: Option<&(String, Option<u32>)>) -> bool {
    wanted.is_none_or(|(name, version)| {
        names.is_some_and(|names| names.name == *name && version.is_none_or(|it| it == names.version))
    })
}

fn matches(message: &StoredMessage, filter: &MessageFilter) -> bool {
    let MessageFilter { status, ended, channel, contact, template, policy, created_after, created_before } =
        filter;
    let (row, state) = (&message.row, &message.state);
    status.is_none_or(|status| status == state.status())
        && ended.is_none_or(|ended| ended == matches!(state, MessageState::Ended(_)))
        && channel.is_none_or(|channel| row.channels.contains(&channel))
        && contact.is_none_or(|contact| row.contact == Some(contact))
        && names_match(row.template.as_ref(), template.as_ref())
        && names_match(row.policy.as_ref(), policy.as_ref())
        && created_after.is_none_or(|at| row.created_at > at)
        && created_before.is_none_or(|at| row.created_at < at)
}

impl Tables {
    pub(super) fn message_at(&self, n: Position) -> Option<StoredMessage> {
        let state = self.live.get(&n).or_else(|| self.ended.get(&n))?;
        self.stored(n, state)
    }

    fn stored(&self, n: Position, state: &StateRow) -> Option<StoredMessage> {
        let row = self.messages.get(&n)?;
        let row = MessageRow {
            first_body: Vec::new(),
            id: row.id,
            created_at: row.created_at,
            expires_at: row.expires_at,
            contact: row.contact,
            template: row.template.clone(),
            policy: row.policy.clone(),
            priority: row.priority,
            // In the order of all channels, whatever the order in which they were handed in.
            channels: Channel::ALL.iter().copied().filter(|it| row.channels.contains(it)).collect(),
            doc: row.doc.clone(),
        };
        Some(StoredMessage { n, row, version: state.version, state: state.state.clone(), owner: state.owner })
    }

    pub(super) fn message(&self, id: Id<kinds::Message>) -> Option<StoredMessage> {
        self.message_at(*self.message_ids.get(&id)?)
    }

    pub(super) fn first_body(&self, id: Id<kinds::Message>) -> Option<Vec<u8>> {
        Some(self.messages.get(self.message_ids.get(&id)?)?.first_body.clone())
    }

    pub(super) fn page_of_messages(&self, filter: &MessageFilter, page: Page) -> Listed<StoredMessage> {
        let all = self.messages.keys().filter_map(|n| self.message_at(*n));
        let all = all.filter(|message| matches(message, filter));
        paged(all.map(|row| Positioned { n: row.n, row }), page)
    }

    pub(super) fn due(
        &self,
        node: Option<NodeId>,
        until: Instant,
        after: Option<(Instant, Position)>,
        limit: u32,
    ) -> Vec<DueMessage> {
        let mut due: Vec<DueMessage> = self.all_due().filter(|due| due.at <= until).collect();
        due.sort_unstable_by_key(|due| (due.at, due.n));
        let due = due.into_iter().filter(|due| node.is_none_or(|node| due.owner == node));
        let due = due.filter(|due| after.is_none_or(|after| (due.at, due.n) > after));
        due.take(limit as usize).collect()
    }

    /// All that are due at some time, whoever runs them.
    fn all_due(&self) -> impl Iterator<Item = DueMessage> {
        let live = self.live.iter().filter_map(|(n, row)| match &row.state {
            MessageState::Live(live) => Some((live.due_at?, *n, row.owner)),
            MessageState::Ended(_) => None,
        });
        let ended = self.unsettled.iter().filter_map(|(n, at)| Some((*at, *n, self.ended.get(n)?.owner)));
        live.chain(ended)
            .filter_map(|(at, n, owner)| Some(DueMessage { at, n, id: self.messages.get(&n)?.id, owner }))
    }

    /// The first instant at which one is due, of a node's own where one is given.
    pub(super) fn first_due(&self, node: Option<NodeId>) -> Option<Instant> {
        let due = self.all_due().filter(|due| node.is_none_or(|node| due.owner == node));
        due.map(|due| due.at).min()
    }

    /// Who runs a message of which something is still to be done.
    pub(super) fn runs(&self, message: Position) -> Option<NodeId> {
        let unsettled = || self.ended.get(&message).filter(|_| self.unsettled.contains_key(&message));
        self.live.get(&message).or_else(unsettled).map(|row| row.owner)
    }

    pub(super) fn live_after(&self, after: Position, limit: u32) -> Vec<StoredMessage> {
        let live = self.live.range(after.saturating_add(1)..).take(limit as usize);
        live.filter_map(|(n, state)| self.stored(*n, state)).collect()
    }

    pub(super) fn live_of_contact(&self, contact: Id<kinds::Contact>) -> Vec<StoredMessage> {
        let of = |n: &Position| self.messages.get(n).is_some_and(|row| row.contact == Some(contact));
        let live = self.live.iter().rev().filter(|(n, _)| of(n));
        live.filter_map(|(n, state)| self.stored(*n, state)).collect()
    }

    fn stored_attempt(&self, n: Position, message: Position, row: &AttemptRow) -> Option<StoredAttempt> {
        let message_id = self.messages.get(&message)?.id;
        let outcome = self.outcomes.values().rev();
        let outcome = outcome.filter(|(of, outcome)| *of == message && outcome.attempt == row.id);
        let outcome = outcome.map(|(_, outcome)| outcome).next().cloned();
        Some(StoredAttempt { n, message, message_id, row: row.clone(), outcome })
    }

    pub(super) fn attempts_where(
        &self,
        wanted: impl Fn(Position, &AttemptRow) -> bool,
    ) -> impl DoubleEndedIterator<Item = StoredAttempt> {
        let found = self.attempts.iter().filter(move |(_, (message, row))| wanted(*message, row));
        found.filter_map(|(n, (message, row))| self.stored_attempt(*n, *message, row))
    }

    pub(super) fn unfinished(
        &self,
        node: NodeId,
        after: Option<(Position, Position)>,
        limit: u32,
    ) -> Vec<StoredAttempt> {
        let own = |message: Position| self.runs(message) == Some(node);
        let all = self.attempts_where(|message, _| own(message));
        let mut open: Vec<StoredAttempt> = all
            .filter(|attempt| attempt.outcome.is_none())
            .filter(|attempt| after.is_none_or(|after| (attempt.message, attempt.n) > after))
            .collect();
        open.sort_unstable_by_key(|attempt| (attempt.message, attempt.n));
        open.truncate(limit as usize);
        open
    }

    pub(super) fn attempts_by_provider_id(&self, provider: &str, id: &str) -> Vec<StoredAttempt> {
        let took: Vec<_> = self
            .outcomes
            .values()
            .filter(|(_, row)| row.provider == provider && row.provider_message_id.as_deref() == Some(id))
            .map(|(message, row)| (*message, row.attempt))
            .collect();
        self.attempts_where(|message, row| took.contains(&(message, row.id))).rev().collect()
    }

    pub(super) fn attempts_to(
        &self,
        channel: Channel,
        address: AddressHash,
        since: Instant,
        limit: u32,
    ) -> Vec<StoredAttempt> {
        let to = |row: &AttemptRow| row.address == Some(address) && row.channel == channel && row.at >= since;
        self.attempts_where(|_, row| to(row)).rev().take(limit as usize).collect()
    }

    fn stored_journal(&self, n: Position, of: &Of<JournalRow>) -> StoredJournal {
        let message_id = of.message.and_then(|n| self.messages.get(&n)).map(|row| row.id);
        StoredJournal { n, message: of.message, message_id, row: of.row.clone() }
    }

    pub(super) fn journal_of(&self, message: Position, from_seq: u64, limit: u32) -> Vec<StoredJournal> {
        let of = self
            .journal
            .iter()
            .filter(|(_, of)| of.message == Some(message) && of.row.seq + u64::from(of.row.count) > from_seq);
        let mut found: Vec<StoredJournal> = of.map(|(n, of)| self.stored_journal(*n, of)).collect();
        found.sort_by_key(|row| row.row.seq);
        found.truncate(limit as usize);
        found
    }

    pub(super) fn journal_after(&self, after: Position, limit: u32) -> Vec<StoredJournal> {
        let rows = self.journal.range(after.saturating_add(1)..).take(limit as usize);
        rows.map(|(n, of)| self.stored_journal(*n, of)).collect()
    }

    fn stored_event(&self, n: Position, of: &Of<EventRow>) -> StoredEvent {
        let message_id = of.message.and_then(|n| self.messages.get(&n)).map(|row| row.id);
        StoredEvent { n, message: of.message, message_id, row: of.row.clone() }
    }

    pub(super) fn event(&self, id: Id<kinds::Event>) -> Option<StoredEvent> {
        let n = *self.event_ids.get(&id)?;
        Some(self.stored_event(n, self.events.get(&n)?))
    }

    pub(super) fn page_of_events(&self, filter: &EventFilter, page: Page) -> Listed<StoredEvent> {
        let kind = |kind: &str| {
            filter.kind.as_deref().is_none_or(|wanted| match wanted.strip_suffix('*') {
                Some(prefix) => kind.starts_with(prefix),
                None => kind == wanted,
            })
        };
        let of = |of: Option<Position>| match filter.message {
            None => true,
            Some(id) => of.is_some() && self.message_ids.get(&id).copied() == of,
        };
        let found = self.events.iter().filter(|(_, event)| kind(&event.row.kind) && of(event.message));
        paged(found.map(|(n, event)| Positioned { n: *n, row: self.stored_event(*n, event) }), page)
    }

    pub(super) fn events_after(&self, after: Position, limit: u32) -> Vec<StoredEvent> {
        let rows = self.events.range(after.saturating_add(1)..).take(limit as usize);
        rows.map(|(n, of)| self.stored_event(*n, of)).collect()
    }

    pub(super) fn endpoint_row(&self, id: Id<kinds::Endpoint>) -> Option<EndpointRow> {
        self.endpoints.values().find(|row| row.id == id).cloned()
    }

    pub(super) fn delivery_row(&self, id: Id<kinds::Delivery>) -> Option<DeliveryRow> {
        self.deliveries.values().find(|row| row.id == id).cloned()
    }

    pub(super) fn page_of_deliveries(&self, filter: &DeliveryFilter, page: Page) -> Listed<DeliveryRow> {
        let DeliveryFilter { endpoint, state, event_from, event_to } = filter;
        let found = self.deliveries.iter().filter(|(_, row)| {
            endpoint.is_none_or(|endpoint| row.endpoint == endpoint)
                && state.is_none_or(|state| row.state == state)
                && event_from.is_none_or(|from| row.event_at >= from)
                && event_to.is_none_or(|to| row.event_at < to)
        });
        paged(found.map(|(n, row)| Positioned { n: *n, row: row.clone() }), page)
    }

    pub(super) fn pending(
        &self,
        endpoint: Option<Id<kinds::Endpoint>>,
    ) -> impl Iterator<Item = (Instant, Position)> {
        let rows = self.deliveries.iter().filter(move |(_, row)| {
            row.state == DeliveryState::Pending && endpoint.is_none_or(|endpoint| row.endpoint == endpoint)
        });
        rows.filter_map(|(n, row)| row.next_try_at.map(|at| (at, *n)))
    }

    pub(super) fn deliveries_due(
        &self,
        endpoint: Option<Id<kinds::Endpoint>>,
        until: Instant,
        limit: u32,
    ) -> Vec<DeliveryRow> {
        let mut due: Vec<_> = self.pending(endpoint).filter(|(at, _)| *at <= until).collect();
        due.sort_unstable();
        due.truncate(limit as usize);
        due.into_iter().filter_map(|(_, n)| self.deliveries.get(&n).cloned()).collect()
    }

    pub(super) fn page_of_contacts(&self, external_id: Option<&str>, page: Page) -> Listed<ContactRow> {
        let found = self.contacts.iter();
        let found =
            found.filter(|(_, row)| external_id.is_none() || row.external_id.as_deref() == external_id);
        paged(found.map(|(n, row)| Positioned { n: *n, row: row.clone() }), page)
    }

    pub(super) fn consents_of(&self, addresses: &[(Channel, AddressHash)]) -> Vec<ConsentRow> {
        let mut asked: Vec<_> = addresses.iter().map(|(channel, hash)| (channel.index(), *hash)).collect();
        asked.sort_unstable();
        asked.dedup();
        asked.iter().filter_map(|key| self.consents.get(key).cloned()).collect()
    }

    pub(super) fn version_row(
        &self,
        kind: VersionKind,
        name: &str,
        version: Option<u32>,
    ) -> Option<VersionRow> {
        let kind = kind_number(kind);
        let version = match version {
            Some(version) => version,
            None => {
                let name = self.version_names.get(&(kind, name.to_owned()))?;
                Some(name.newest).filter(|newest| *newest > name.deleted)?
            }
        };
        self.versions.get(&(kind, name.to_owned(), version)).map(|(_, row)| row.clone())
    }

    pub(super) fn page_of_versions(&self, kind: VersionKind, name: &str, page: Page) -> Listed<VersionRow> {
        let kind = kind_number(kind);
        let deleted = self.version_names.get(&(kind, name.to_owned())).map_or(u32::MAX, |name| name.deleted);
        let found = self
            .versions
            .iter()
            .filter(|((of, named, version), _)| *of == kind && named == name && *version > deleted);
        paged(found.map(|(_, (n, row))| Positioned { n: *n, row: row.clone() }), page)
    }

    pub(super) fn page_of_newest(&self, kind: VersionKind, page: Page) -> Listed<VersionRow> {
        let number = kind_number(kind);
        let standing =
            self.version_names.iter().filter(|((of, _), name)| *of == number && name.newest > name.deleted);
        let mut found: Vec<Positioned<VersionRow>> = standing
            .filter_map(|((_, text), name)| {
                let row = self.version_row(kind, text, Some(name.newest))?;
                Some(Positioned { n: name.n, row })
            })
            .collect();
        found.sort_by_key(|row| row.n);
        paged(found.into_iter(), page)
    }

    pub(super) fn page_of_providers(&self, page: Page) -> Listed<ProviderRow> {
        paged(self.providers.iter().map(|(n, row)| Positioned { n: *n, row: row.clone() }), page)
    }

    pub(super) fn page_of_endpoints(&self, page: Page) -> Listed<EndpointRow> {
        paged(self.endpoints.iter().map(|(n, row)| Positioned { n: *n, row: row.clone() }), page)
    }

    pub(super) fn usage_since(&self, since: Instant) -> Vec<UsageRow> {
        let found = self.usage.iter().filter(|((_, _, start), _)| *start >= since);
        found
            .map(|((name, window, start), used)| UsageRow {
                name: name.clone(),
                window: *window,
                start: *start,
                used: u64::try_from(used.used).unwrap_or_default(),
                told_percent: used.told_percent,
                held: u64::try_from(self.held.get(name).copied().unwrap_or_default()).unwrap_or_default(),
            })
            .collect()
    }

    pub(super) fn early_of(&self, provider: &str, id: &str) -> Vec<EarlyReceiptRow> {
        let found = self.early.values();
        found.filter(|row| row.provider == provider && row.provider_message_id == id).cloned().collect()
    }

    pub(super) fn page_of_audit(&self, page: Page) -> Listed<AuditRow> {
        paged(self.audit.iter().map(|(n, row)| Positioned { n: *n, row: row.clone() }), page)
    }
}
