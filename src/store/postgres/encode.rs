//! Changes as rows of one statement.
//!
//! Done while the batch before is being committed. Positions are counted from the first of the batch,
//! which is known only in the transaction; where a row names a message of the same batch, the number
//! is below zero.

use std::collections::{BTreeMap, HashMap};

use super::parts::{PARTS, part};
use super::statement::Tables;
use crate::store::forms::{channel_bits, delivery_state_number, kept_form, window_number};
use crate::store::group::{Gathers, Heads};
use crate::store::rows::{DeliveryRow, EventRow, IdempotencyKey, JournalRow, Kept, MessageRow, SubjectId};
use crate::store::{Change, MessageStep, Position, Put, Unsettled};

/// How many positions a transaction takes at once.
pub(super) const BLOCK: i64 = 4_096;
/// The window under which places held are counted.
const HELD_WINDOW: u8 = 2;

/// What a batch raises of its scope's generation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Raises {
    pub(super) settings: bool,
    pub(super) people: bool,
    pub(super) health: bool,
}

impl Raises {
    /// What a change raises.
    pub(super) fn of(change: &Change) -> Raises {
        Raises {
            settings: !(change.versions.is_empty()
                && change.providers.is_empty()
                && change.quotas.is_empty()
                && change.clock.is_none()),
            people: !(change.contacts.is_empty() && change.consents.is_empty() && change.erased.is_empty()),
            health: !change.provider_states.is_empty(),
        }
    }

    /// Whether facts are changed on which others decide.
    pub(super) const fn facts(self) -> bool {
        self.settings || self.people
    }
}

/// The rows of a batch.
pub(super) struct Statements {
    pub(super) tables: Tables,
    jobs: u32,
    usage: BTreeMap<(String, u8, i64), (i64, u8)>,
    subjects: BTreeMap<SubjectId, ()>,
    raises: Raises,
    /// The keys that jobs bring.
    pub(super) keys: HashMap<u32, IdempotencyKey>,
}

impl Default for Statements {
    fn default() -> Statements {
        Statements {
            tables: Tables::new(&PARTS),
            jobs: 0,
            usage: BTreeMap::new(),
            subjects: BTreeMap::new(),
            raises: Raises::default(),
            keys: HashMap::new(),
        }
    }
}

impl Gathers for Statements {
    const IS_SHARED: bool = true;
    const ROWS_MAX: usize = BLOCK as usize;

    fn add(&mut self, change: &Change, mut heads: Heads) -> Heads {
        let job = self.jobs;
        self.jobs += 1;
        if let Some(kept) = &change.keep {
            self.keys.insert(job, kept.key);
            self.keep(kept, job);
        }
        for message in &change.messages {
            let named = match &message.step {
                MessageStep::Begin(row, live) => {
                    self.begin(row, heads.message, job);
                    self.tables
                        .row(part::LIVE, job)
                        .int(heads.message)
                        .int(live.status.index() as i64)
                        .maybe_int(live.due_at.map(|at| at.ms()))
                        .bytes(&live.state);
                    -1 - heads.message
                }
                MessageStep::BeginEnded(row, ended, unsettled) => {
                    self.begin(row, heads.message, job);
                    self.tables
                        .row(part::ENDED, job)
                        .int(heads.message)
                        .int(ended.status.index() as i64)
                        .int(ended.at.ms())
                        .bytes(&ended.state);
                    let named = -1 - heads.message;
                    self.leave(named, *unsettled, job);
                    named
                }
                MessageStep::Go { n, expected, live } => {
                    self.tables
                        .row(part::LIVE_UPDATE, job)
                        .int(*n)
                        .int(*expected)
                        .int(live.status.index() as i64)
                        .maybe_int(live.due_at.map(|at| at.ms()))
                        .bytes(&live.state);
                    *n
                }
                MessageStep::End { n, expected, ended, unsettled }
                | MessageStep::Amend { n, expected, ended, unsettled } => {
                    let ends = matches!(message.step, MessageStep::End { .. });
                    self.tables
                        .row(if ends { part::LIVE_END } else { part::ENDED_UPDATE }, job)
                        .int(*n)
                        .int(*expected)
                        .int(ended.status.index() as i64)
                        .int(ended.at.ms())
                        .bytes(&ended.state);
                    if !ends && unsettled.is_none() {
                        self.tables.row(part::SETTLED, job).int(*n);
                    }
                    self.leave(*n, *unsettled, job);
                    *n
                }
                MessageStep::Stay { n } => *n,
            };
            if matches!(message.step, MessageStep::Begin(..) | MessageStep::BeginEnded(..)) {
                heads.message += 1;
            }
            for row in &message.journal {
                self.transition(heads.journal, Some(named), row, job);
                heads.journal += 1;
            }
            for row in &message.events {
                self.tell(heads.event, Some(named), row, job);
                heads.event += 1;
            }
            for row in &message.attempts {
                self.tables
                    .row(part::ATTEMPT, job)
                    .int(heads.attempt)
                    .bytes(&row.id.to_bytes())
                    .int(named)
                    .text(&row.provider)
                    .int(row.channel.index() as i64)
                    .int(row.at.ms())
                    .maybe_bytes(row.address.as_ref().map(|address| address.0.as_slice()))
                    .bytes(&row.doc);
                heads.attempt += 1;
            }
            for row in &message.outcomes {
                self.tables
                    .row(part::OUTCOME, job)
                    .int(heads.outcome)
                    .int(named)
                    .bytes(&row.attempt.to_bytes())
                    .int(row.outcome.index() as i64)
                    .text(&row.provider)
                    .maybe_text(row.provider_message_id.as_deref())
                    .int(row.at.ms())
                    .maybe_bytes(row.detail.as_deref());
                heads.outcome += 1;
            }
        }
        for row in &change.journal {
            self.transition(heads.journal, None, row, job);
            heads.journal += 1;
        }
        for row in &change.events {
            self.tell(heads.event, None, row, job);
            heads.event += 1;
        }
        for put in &change.deliveries {
            self.deliver(heads.delivery, put, job);
            heads.delivery += 1;
        }
        for (id, sealed) in &change.subjects {
            // Another change of the batch may bring the same key, and then it is the same bytes.
            if self.subjects.insert(*id, ()).is_none() {
                self.tables.row(part::SUBJECT, job).bytes(&id.0).bytes(sealed);
            }
        }
        for row in &change.signals {
            self.tables
                .row(part::SIGNAL, job)
                .int(heads.signal)
                .int(row.message)
                .int(row.at.ms())
                .bytes(&row.doc);
            heads.signal += 1;
        }
        for n in &change.signals_done {
            self.tables.row(part::SIGNAL_DONE, job).int(*n);
        }
        for name in &change.claims {
            self.tables.row(part::CLAIM, job).text(name);
        }
        self.count(change, job);
        heads
    }
}

impl Statements {
    /// Counters and generation, which a batch has one row of.
    fn count(&mut self, change: &Change, job: u32) {
        for row in &change.provider_states {
            match row.version {
                0 => self.tables.row(part::HEALTH, job).text(&row.provider).bytes(&row.doc),
                version => {
                    self.tables.row(part::HEALTH_UPDATE, job).text(&row.provider).bytes(&row.doc).int(version)
                }
            };
        }
        for delta in &change.usage {
            let window = window_number(delta.window);
            let sum = self.usage.entry((delta.name.clone(), window, delta.start.ms())).or_default();
            sum.0 += delta.add;
            sum.1 = sum.1.max(delta.told_percent);
            if delta.held != 0 {
                self.usage.entry((delta.name.clone(), HELD_WINDOW, 0)).or_default().0 += delta.held;
            }
        }
        let raises = Raises::of(change);
        self.raises.settings |= raises.settings;
        self.raises.people |= raises.people;
        self.raises.health |= raises.health;
    }

    /// Adds what is gathered of the whole batch. To be called once.
    pub(super) fn finish(&mut self) {
        for (n, ((name, window, start), (add, told))) in
            std::mem::take(&mut self.usage).into_iter().enumerate()
        {
            let row = self.tables.row(part::USAGE, 0);
            row.int(n as i64).text(&name).int(window).int(start).int(add).int(told);
        }
        let Raises { settings, people, health } = self.raises;
        if settings || people || health {
            self.tables.row(part::GENERATION, 0).int(settings).int(people).int(health);
        }
    }

    /// Leaves out what the schema of an older program has no place for.
    pub(super) fn forget_unsettled(&mut self) {
        self.tables.forget(part::UNSETTLED);
        self.tables.forget(part::SETTLED);
    }

    fn keep(&mut self, kept: &Kept, job: u32) {
        let (form, answer) = kept_form(&kept.answer);
        self.tables
            .row(part::IDEMPOTENCY, job)
            .bytes(&kept.key.0)
            .bytes(&kept.request)
            .int(kept.status)
            .int(form)
            .maybe_bytes(answer.as_deref())
            .int(kept.at.ms());
    }

    fn begin(&mut self, row: &MessageRow, n: Position, job: u32) {
        self.tables
            .row(part::MESSAGE, job)
            .int(n)
            .bytes(&row.id.to_bytes())
            .int(row.created_at.ms())
            .maybe_int(row.expires_at.map(|at| at.ms()))
            .maybe_bytes(row.contact.map(|id| id.to_bytes()).as_ref().map(<[u8; 16]>::as_slice))
            .maybe_text(row.template.as_ref().map(|names| names.name.as_str()))
            .maybe_int(row.template.as_ref().map(|names| i64::from(names.version)))
            .maybe_text(row.policy.as_ref().map(|names| names.name.as_str()))
            .maybe_int(row.policy.as_ref().map(|names| i64::from(names.version)))
            .int(row.priority.index() as i64)
            .int(channel_bits(&row.channels));
        self.tables.row(part::CONTENT, job).int(n).bytes(&row.doc).bytes(&row.first_body);
    }

    /// Writes down that something is still to come of a message that has ended.
    fn leave(&mut self, named: Position, unsettled: Unsettled, job: u32) {
        if let Some(at) = unsettled {
            self.tables.row(part::UNSETTLED, job).int(named).int(at.ms());
        }
    }

    fn transition(&mut self, n: Position, message: Option<Position>, row: &JournalRow, job: u32) {
        self.tables
            .row(part::JOURNAL, job)
            .int(n)
            .maybe_int(message)
            .int(row.seq as i64)
            .int(row.count)
            .int(row.at.ms())
            .bytes(&row.body)
            .bytes(&row.hash);
    }

    fn tell(&mut self, n: Position, message: Option<Position>, row: &EventRow, job: u32) {
        self.tables
            .row(part::EVENT, job)
            .int(n)
            .bytes(&row.id.to_bytes())
            .text(&row.kind)
            .int(row.at.ms())
            .maybe_int(message)
            .maybe_int(row.sequence.map(|sequence| sequence as i64))
            .bytes(&row.data);
    }

    fn deliver(&mut self, n: Position, put: &Put<DeliveryRow>, job: u32) {
        let row = &put.row;
        let state = delivery_state_number(row.state);
        let next_try_at = row.next_try_at.map(|at| at.ms());
        match put.expected {
            None => self
                .tables
                .row(part::DELIVERY, job)
                .int(n)
                .bytes(&row.id.to_bytes())
                .int(row.event)
                .bytes(&row.event_id.to_bytes())
                .int(row.event_at.ms())
                .bytes(&row.endpoint.to_bytes())
                .int(state)
                .maybe_int(next_try_at)
                .bytes(&row.tries),
            Some(version) => self
                .tables
                .row(part::DELIVERY_UPDATE, job)
                .bytes(&row.id.to_bytes())
                .int(version)
                .int(state)
                .maybe_int(next_try_at)
                .bytes(&row.tries),
        };
    }
}
