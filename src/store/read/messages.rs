//! Messages and their journal.

use super::{Question, Source, decode as rows, listed, paged};
use crate::model::{Id, Instant, Status, kinds};
use crate::store::lookup::{self, Kind};
use crate::store::rows::{
    DueMessage, IdempotencyKey, Kept, MessageFilter, MessageState, StoredJournal, StoredMessage, StoredSignal,
};
use crate::store::{Generation, Listed, NodeId, Page, PageStart, Position, StoreError};

/// How many positions of a look-up are read in one question.
pub(super) const LOOKED_UP_CHUNK: usize = 200;

/// The columns of a message, in the order of [`rows::message`]; its owner is the last.
const COLUMNS: &str = "m.n, m.id, m.created_at, m.expires_at, m.contact, m.template, m.template_version, \
     m.policy, m.policy_version, m.priority, m.channels, c.doc, coalesce(l.version, e.version), \
     l.n IS NOT NULL, coalesce(l.status, e.status), l.due_at, e.at, coalesce(l.state, e.state)";
const FROM_MESSAGE: &str = "message m CROSS JOIN content c ON c.n = m.n \
     LEFT JOIN live l ON l.n = m.n LEFT JOIN ended e ON e.n = m.n";
const FROM_LIVE: &str = "live l CROSS JOIN message m ON m.n = l.n CROSS JOIN content c ON c.n = l.n \
     LEFT JOIN ended e ON e.n = l.n";
const FROM_ENDED: &str = "ended e CROSS JOIN message m ON m.n = e.n CROSS JOIN content c ON c.n = e.n \
     LEFT JOIN live l ON l.n = e.n";

const KEPT: &str = "SELECT key, request, status, form, answer, at FROM idempotency";
/// Where the messages stand of which something is to be done: those on their way, and those that have
/// ended and are not settled.
const UNDER_WAY: [&str; 2] = ["live", "unsettled"];

/// Which table leads a list of messages.
#[derive(Clone, Copy)]
enum Lead {
    Message,
    Live,
    Ended,
}

impl Lead {
    const fn from(self) -> &'static str {
        match self {
            Lead::Message => FROM_MESSAGE,
            Lead::Live => FROM_LIVE,
            Lead::Ended => FROM_ENDED,
        }
    }

    const fn position(self) -> &'static str {
        match self {
            Lead::Message => "m.n",
            Lead::Live => "l.n",
            Lead::Ended => "e.n",
        }
    }

    /// What a filter by status and end is led by.
    fn of(filter: &MessageFilter) -> &'static [Lead] {
        match (filter.ended, filter.status) {
            (Some(true), _) => &[Lead::Ended],
            (Some(false), _) => &[Lead::Live],
            (None, None) => &[Lead::Message],
            (None, Some(Status::Queued)) => &[Lead::Live],
            (None, Some(Status::Failed | Status::Expired | Status::Canceled)) => &[Lead::Ended],
            (None, Some(Status::Sent | Status::Delivered)) => &[Lead::Live, Lead::Ended],
        }
    }
}

fn question(source: &dyn Source, lead: Lead) -> Question {
    Question::new(format!("SELECT {COLUMNS}, {} FROM {}", source.owner_column(), lead.from()))
}

fn filtered(question: Question, filter: &MessageFilter) -> Question {
    let named = |question: Question, column: &str, names: &Option<(String, Option<u32>)>| match names {
        None => question,
        Some((name, version)) => question
            .and(&format!("m.{column} = ?"), name.clone())
            .and_maybe(&format!("m.{column}_version = ?"), version.map(i64::from)),
    };
    let question = question
        .and_maybe("(m.channels & ?) <> 0", filter.channel.map(|channel| 1_i64 << channel.index()))
        .and_maybe("m.created_at > ?", filter.created_after.map(Instant::ms))
        .and_maybe("m.created_at < ?", filter.created_before.map(Instant::ms))
        .and_maybe("m.contact = ?", filter.contact.map(|contact| contact.to_bytes()));
    let question = named(question, "template", &filter.template);
    named(question, "policy", &filter.policy)
}

fn by_status(question: Question, lead: Lead, filter: &MessageFilter) -> Question {
    let status = filter.status.map(|status| status.index() as i64);
    match lead {
        Lead::Message => question.and_maybe("coalesce(l.status, e.status) = ?", status),
        Lead::Live => question.and_maybe("l.status = ?", status),
        Lead::Ended => question.and_maybe("e.status = ?", status),
    }
}

impl dyn Source + '_ {
    pub(in crate::store) async fn idempotency(
        &self,
        key: IdempotencyKey,
    ) -> Result<Option<Kept>, StoreError> {
        let found = self.look_up(Kind::Idempotency, lookup::of_key(key)).await?;
        let questions: Vec<Question> = match found {
            Some(positions) => positions.iter().map(|n| Question::new(KEPT).and("n = ?", *n)).collect(),
            None => vec![Question::new(KEPT).and("key = ?", key.0)],
        };
        for question in questions {
            if let Some(kept) = self.one(question, rows::kept_row).await?
                && kept.key == key
            {
                return Ok(Some(kept));
            }
        }
        Ok(None)
    }

    pub(in crate::store) async fn message(
        &self,
        id: Id<kinds::Message>,
    ) -> Result<Option<StoredMessage>, StoreError> {
        self.one(question(self, Lead::Message).and("m.id = ?", id.to_bytes()), rows::message).await
    }

    pub(in crate::store) async fn message_at(
        &self,
        n: Position,
    ) -> Result<Option<StoredMessage>, StoreError> {
        self.one(question(self, Lead::Message).and("m.n = ?", n), rows::message).await
    }

    pub(in crate::store) async fn first_body(
        &self,
        id: Id<kinds::Message>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let question = Question::new("SELECT c.first_body FROM message m CROSS JOIN content c ON c.n = m.n");
        self.one(question.and("m.id = ?", id.to_bytes()), rows::lone_bytes).await
    }

    pub(in crate::store) async fn messages(
        &self,
        filter: MessageFilter,
        page: Page,
    ) -> Result<Listed<StoredMessage>, StoreError> {
        if let Some(contact) = filter.contact {
            return self.messages_of_contact(contact, &filter, page).await;
        }
        let mut found = Vec::new();
        for &lead in Lead::of(&filter) {
            let question = by_status(filtered(question(self, lead), &filter), lead, &filter);
            found.extend(self.all(paged(question, lead.position(), page), rows::positioned_message).await?);
        }
        // A message that ends between two questions stands in both answers.
        match page.start {
            PageStart::Before(_) => found.sort_by_key(|message| message.n),
            _ => found.sort_by_key(|message| -message.n),
        }
        found.dedup_by_key(|message| message.n);
        Ok(listed(found, page))
    }

    async fn messages_of_contact(
        &self,
        contact: Id<kinds::Contact>,
        filter: &MessageFilter,
        page: Page,
    ) -> Result<Listed<StoredMessage>, StoreError> {
        let wanted = || {
            let question = filtered(question(self, Lead::Message), filter);
            by_status(question, Lead::Message, filter).and_maybe("(e.n IS NOT NULL) = ?", filter.ended)
        };
        let Some(mut positions) = self.look_up(Kind::Contact, lookup::of_id(contact)).await? else {
            return self.page(wanted(), "m.n", page, rows::positioned_message).await;
        };
        match page.start {
            PageStart::Newest => {}
            PageStart::After(n) => positions.retain(|&position| position < n),
            PageStart::Before(n) => {
                positions.retain(|&position| position > n);
                positions.reverse();
            }
        }
        let mut found = Vec::new();
        for chunk in positions.chunks(LOOKED_UP_CHUNK) {
            let question = wanted().and_among("m.n IN ({})", chunk.iter().copied());
            let mut some = self.all(question, rows::positioned_message).await?;
            some.sort_by_key(|message| chunk.iter().position(|&n| n == message.n));
            found.extend(some);
            if found.len() > page.limit as usize {
                break;
            }
        }
        Ok(listed(found, page))
    }

    pub(in crate::store) async fn due(
        &self,
        until: Instant,
        after: Option<(Instant, Position)>,
        limit: u32,
    ) -> Result<Vec<DueMessage>, StoreError> {
        self.due_of(self.node(), until, after, limit).await
    }

    pub(in crate::store) async fn due_anywhere(
        &self,
        until: Instant,
        after: Option<(Instant, Position)>,
        limit: u32,
    ) -> Result<Vec<DueMessage>, StoreError> {
        self.due_of(None, until, after, limit).await
    }

    async fn due_of(
        &self,
        node: Option<NodeId>,
        until: Instant,
        after: Option<(Instant, Position)>,
        limit: u32,
    ) -> Result<Vec<DueMessage>, StoreError> {
        let owner = if self.node().is_some() { "l.owner" } else { "0" };
        let mut found = Vec::new();
        for table in self.under_way() {
            let select = format!(
                "SELECT l.n, m.id, l.due_at, {owner} FROM {table} l CROSS JOIN message m ON m.n = l.n"
            );
            let mut question = Question::new(select)
                .and_maybe("l.owner = ?", node.map(|node| node.0))
                .and("l.due_at <= ?", until.ms());
            if let Some((at, n)) = after {
                question =
                    question.and("l.due_at >= ?", at.ms()).and_both("(l.due_at > ? OR l.n > ?)", at.ms(), n);
            }
            let question = question.end("ORDER BY l.due_at, l.n LIMIT ?", i64::from(limit));
            found.extend(self.all(question, rows::due).await?);
        }
        found.sort_unstable_by_key(|due| (due.at, due.n));
        found.truncate(limit as usize);
        Ok(found)
    }

    /// These messages, in the order of their positions.
    pub(in crate::store) async fn messages_at(
        &self,
        positions: &[Position],
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let mut found = Vec::with_capacity(positions.len());
        for chunk in positions.chunks(LOOKED_UP_CHUNK) {
            let question = question(self, Lead::Message).and_among("m.n IN ({})", chunk.iter().copied());
            found.extend(self.all(question, rows::message).await?);
        }
        found.sort_by_key(|message| message.n);
        Ok(found)
    }

    /// Signals for this node, of messages that it owns or that have ended and are settled.
    pub(in crate::store) async fn signals(
        &self,
        after: Position,
        limit: u32,
    ) -> Result<Vec<StoredSignal>, StoreError> {
        let select = "SELECT g.n, m.id, g.message, g.at, g.doc FROM signal g \
                      CROSS JOIN message m ON m.n = g.message LEFT JOIN live l ON l.n = g.message";
        let (select, owner) = match self.has_unsettled() {
            true => {
                (format!("{select} LEFT JOIN unsettled u ON u.n = g.message"), "coalesce(l.owner, u.owner)")
            }
            false => (select.to_owned(), "l.owner"),
        };
        let question = Question::new(select)
            .and("g.n > ?", after)
            .and_maybe(&format!("coalesce({owner} = ?, true)"), self.node().map(|node| node.0))
            .end("ORDER BY g.n LIMIT ?", i64::from(limit));
        self.all(question.listed_by("g.n"), rows::signal).await
    }

    /// Whether a signal still waits.
    pub(in crate::store) async fn signal_waits(&self, n: Position) -> Result<bool, StoreError> {
        let question = Question::new("SELECT n FROM signal").and("n = ?", n);
        Ok(self.one(question, |row| rows::get::<i64>(row, 0)).await?.is_some())
    }

    /// The generation of the scope, and how often the health of providers was written.
    pub(in crate::store) async fn generation(&self) -> Result<(Generation, i64), StoreError> {
        let question = Question::new("SELECT settings, people, health FROM generation");
        let found = self
            .one(question, |row| {
                let generation = Generation { settings: rows::get(row, 0)?, people: rows::get(row, 1)? };
                Ok((generation, rows::get(row, 2)?))
            })
            .await?;
        Ok(found.unwrap_or_default())
    }

    /// The position of the newest event that is read, 0 without one.
    pub(in crate::store) async fn newest_event(&self) -> Result<Position, StoreError> {
        let question = Question::new("SELECT v.n FROM event v").listed_by("v.n");
        let newest = question.end("ORDER BY v.n DESC LIMIT ?", 1);
        Ok(self.one(newest, |row| rows::get(row, 0)).await?.unwrap_or_default())
    }

    /// The tables of the messages of which something is to be done.
    pub(super) fn under_way(&self) -> &'static [&'static str] {
        if self.has_unsettled() { &UNDER_WAY } else { &UNDER_WAY[..1] }
    }

    /// Of this node's messages alone.
    pub(super) fn own(&self, question: Question) -> Question {
        question.and_maybe("l.owner = ?", self.node().map(|node| node.0))
    }

    pub(in crate::store) async fn live(
        &self,
        after: Position,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let question =
            question(self, Lead::Live).and("l.n > ?", after).end("ORDER BY l.n LIMIT ?", i64::from(limit));
        self.all(question, rows::message).await
    }

    pub(in crate::store) async fn live_of_contact(
        &self,
        contact: Id<kinds::Contact>,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let mut found = Vec::new();
        match self.look_up(Kind::Contact, lookup::of_id(contact)).await? {
            None => {
                let question = question(self, Lead::Live).and("m.contact = ?", contact.to_bytes());
                found = self.all(question, rows::message).await?;
            }
            Some(positions) => {
                for chunk in positions.chunks(LOOKED_UP_CHUNK) {
                    let question = question(self, Lead::Live).and_among("l.n IN ({})", chunk.iter().copied());
                    found.extend(self.all(question, rows::message).await?);
                }
            }
        }
        found.retain(|message| {
            message.row.contact == Some(contact) && matches!(message.state, MessageState::Live(_))
        });
        Ok(found)
    }

    pub(in crate::store) async fn next_due(&self) -> Result<Option<Instant>, StoreError> {
        let mut first = None;
        for table in self.under_way() {
            let question = Question::new(format!("SELECT min(l.due_at) FROM {table} l"))
                .and_that("l.due_at IS NOT NULL");
            let found = self.one(self.own(question), rows::lone_instant).await?.flatten();
            first = first.into_iter().chain(found).min();
        }
        Ok(first)
    }

    pub(in crate::store) async fn journal(
        &self,
        message: Position,
        from_seq: u64,
        limit: u32,
    ) -> Result<Vec<StoredJournal>, StoreError> {
        let question = Question::new(JOURNAL)
            .and("j.message = ?", message)
            // The row that holds the transition may begin before it.
            .and("j.seq + j.count > ?", from_seq as i64)
            .end("ORDER BY j.seq LIMIT ?", i64::from(limit));
        self.all(question, rows::journal).await
    }

    pub(in crate::store) async fn journal_after(
        &self,
        after: Position,
        limit: u32,
    ) -> Result<Vec<StoredJournal>, StoreError> {
        let question =
            Question::new(JOURNAL).and("j.n > ?", after).end("ORDER BY j.n LIMIT ?", i64::from(limit));
        self.all(question.listed_by("j.n"), rows::journal).await
    }

    /// Positions of messages that were dropped and whose journal is there.
    pub(in crate::store) async fn dropped_with_journal(
        &self,
        after: Position,
        limit: u32,
    ) -> Result<Vec<Position>, StoreError> {
        let question = Question::new("SELECT DISTINCT j.message FROM journal j")
            .and("j.message > ?", after)
            .and_that("NOT EXISTS (SELECT 1 FROM message m WHERE m.n = j.message)")
            .end("ORDER BY j.message LIMIT ?", i64::from(limit));
        self.all(question, |row| rows::get(row, 0)).await
    }

    pub(in crate::store) async fn largest_id(&self) -> Result<u128, StoreError> {
        let mut largest = 0;
        for sql in LARGEST_IDS {
            let found = self.one(Question::new(*sql), rows::largest).await?;
            largest = largest.max(found.unwrap_or_default());
        }
        Ok(largest)
    }
}

const JOURNAL: &str = "SELECT j.n, j.message, m.id, j.seq, j.count, j.at, j.body, j.hash \
     FROM journal j LEFT JOIN message m ON m.n = j.message";

/// Where ids rise with the positions, the largest is among the last; how far a commit can come
/// after one with larger ids is bounded by what waits and runs at once.
const LARGEST_IDS: &[&str] = &[
    "SELECT id FROM message ORDER BY id DESC LIMIT 1",
    "SELECT id FROM event ORDER BY id DESC LIMIT 1",
    "SELECT id FROM (SELECT id FROM attempt ORDER BY n DESC LIMIT 20000) AS newest ORDER BY id DESC LIMIT 1",
    "SELECT id FROM (SELECT id FROM audit ORDER BY n DESC LIMIT 20000) AS newest ORDER BY id DESC LIMIT 1",
    "SELECT id FROM contact ORDER BY id DESC LIMIT 1",
    "SELECT id FROM provider ORDER BY id DESC LIMIT 1",
    "SELECT id FROM endpoint ORDER BY id DESC LIMIT 1",
    "SELECT id FROM delivery ORDER BY id DESC LIMIT 1",
    "SELECT id FROM version ORDER BY id DESC LIMIT 1",
];
