//! Rows as they come from a database.

use crate::model::{Channel, Id, Instant, Outcome, Priority, Status, kinds};
use crate::store::rows::{
    AddressHash, AttemptRow, AuditRow, ConsentRow, ContactRow, DeliveryRow, DeliveryState, DueMessage,
    EarlyReceiptRow, EndedState, EndpointRow, EventRow, IdempotencyKey, JournalRow, Kept, KeptAnswer,
    LiveState, MessageRow, MessageState, Names, NewAudit, OutcomeRow, ProviderRow, ProviderStateRow,
    QuotaRow, SignalRow, StoredAttempt, StoredEvent, StoredJournal, StoredMessage, StoredSignal, SubjectId,
    UsageRow, UsageWindow, VersionName, VersionRow,
};
use crate::store::{NodeId, Positioned, Pruned, StoreError};

/// One row of an answer, whichever database gave it.
pub(in crate::store) trait Columns {
    /// A number.
    fn maybe_int(&self, column: usize) -> Result<Option<i64>, StoreError>;
    /// A text.
    fn maybe_text(&self, column: usize) -> Result<Option<String>, StoreError>;
    /// Bytes.
    fn maybe_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, StoreError>;
    /// An id or a hash of 16 bytes.
    fn maybe_key(&self, column: usize) -> Result<Option<[u8; 16]>, StoreError>;
    /// Yes or no.
    fn flag(&self, column: usize) -> Result<bool, StoreError>;
}

/// A row as the functions below take it.
pub(in crate::store) type Row<'a> = &'a dyn Columns;

/// A row that is not as this program writes it.
pub(in crate::store) fn damaged(what: &'static str) -> StoreError {
    StoreError::Io { what: "reading a row", detail: format!("{what} is not as this program writes it") }
}

/// What a column is read as.
pub(in crate::store) trait Value: Sized {
    /// Reads it.
    fn read(row: Row<'_>, column: usize) -> Result<Self, StoreError>;
}

macro_rules! values {
    ($($of:ty: $read:ident, $what:literal;)+) => {
        $(impl Value for Option<$of> {
            fn read(row: Row<'_>, column: usize) -> Result<Self, StoreError> {
                row.$read(column)
            }
        }
        impl Value for $of {
            fn read(row: Row<'_>, column: usize) -> Result<Self, StoreError> {
                row.$read(column)?.ok_or_else(|| damaged($what))
            }
        })+
    };
}

values! {
    i64: maybe_int, "a number";
    String: maybe_text, "a text";
    Vec<u8>: maybe_bytes, "a row";
    [u8; 16]: maybe_key, "an id";
}

impl Value for bool {
    fn read(row: Row<'_>, column: usize) -> Result<Self, StoreError> {
        row.flag(column)
    }
}

impl Value for [u8; 32] {
    fn read(row: Row<'_>, column: usize) -> Result<Self, StoreError> {
        get::<Vec<u8>>(row, column)?.try_into().map_err(|_| damaged("a hash"))
    }
}

/// A column; one that is not as the schema says is damage.
pub(in crate::store) fn get<T: Value>(row: Row<'_>, column: usize) -> Result<T, StoreError> {
    T::read(row, column)
}

/// An id.
pub(in crate::store) fn id<K>(row: Row<'_>, column: usize) -> Result<Id<K>, StoreError> {
    get(row, column).map(Id::from_bytes)
}

fn maybe_id<K>(row: Row<'_>, column: usize) -> Result<Option<Id<K>>, StoreError> {
    Ok(get::<Option<[u8; 16]>>(row, column)?.map(Id::from_bytes))
}

/// An instant.
pub(in crate::store) fn instant(row: Row<'_>, column: usize) -> Result<Instant, StoreError> {
    get(row, column).map(Instant::from_ms)
}

/// An instant that may be missing.
pub(in crate::store) fn maybe_instant(row: Row<'_>, column: usize) -> Result<Option<Instant>, StoreError> {
    Ok(get::<Option<i64>>(row, column)?.map(Instant::from_ms))
}

fn word<T: Copy>(all: &[T], row: Row<'_>, column: usize) -> Result<T, StoreError> {
    let index = usize::try_from(get::<i64>(row, column)?).map_err(|_| damaged("a word"))?;
    all.get(index).copied().ok_or_else(|| damaged("a word"))
}

/// A number of a narrower kind.
pub(in crate::store) fn number<T: TryFrom<i64>>(row: Row<'_>, column: usize) -> Result<T, StoreError> {
    T::try_from(get::<i64>(row, column)?).map_err(|_| damaged("a number"))
}

fn names(row: Row<'_>, column: usize) -> Result<Option<Names>, StoreError> {
    let name: Option<String> = get(row, column)?;
    let version: Option<i64> = get(row, column + 1)?;
    Ok(name.map(|name| Names { name, version: version.unwrap_or_default() as u32 }))
}

/// An instant alone.
pub(in crate::store) fn lone_instant(row: Row<'_>) -> Result<Option<Instant>, StoreError> {
    maybe_instant(row, 0)
}

/// Bytes alone.
pub(in crate::store) fn lone_bytes(row: Row<'_>) -> Result<Vec<u8>, StoreError> {
    get(row, 0)
}

/// The largest id of a table.
pub(in crate::store) fn largest(row: Row<'_>) -> Result<u128, StoreError> {
    get(row, 0).map(u128::from_be_bytes)
}

/// The columns of `key, request, status, form, answer, at`.
pub(in crate::store) fn kept_row(row: Row<'_>) -> Result<Kept, StoreError> {
    let answer: Option<Vec<u8>> = get(row, 4)?;
    let answer = match (get::<i64>(row, 3)?, answer) {
        (0, None) => KeptAnswer::Empty,
        (1, Some(bytes)) => KeptAnswer::Plain(bytes),
        (2, Some(bytes)) => KeptAnswer::Sealed(bytes),
        (3, Some(bytes)) => {
            KeptAnswer::FirstBody(Id::from_bytes(bytes.try_into().map_err(|_| damaged("a kept answer"))?))
        }
        (4, Some(bytes)) => KeptAnswer::FirstBodies(bytes),
        _ => return Err(damaged("a kept answer")),
    };
    Ok(Kept {
        key: IdempotencyKey(get(row, 0)?),
        request: get(row, 1)?,
        status: number(row, 2)?,
        answer,
        at: instant(row, 5)?,
    })
}

/// The columns of [`super::messages::COLUMNS`].
pub(in crate::store) fn message(row: Row<'_>) -> Result<StoredMessage, StoreError> {
    let bits: i64 = get(row, 10)?;
    let live: bool = get(row, 13)?;
    // One with neither state is damage, which `spine doctor` tells of: it reads as ended long ago.
    let status = get::<Option<i64>>(row, 14)?.map_or(Ok(Status::Queued), |_| word(Status::ALL, row, 14))?;
    let state = get::<Option<Vec<u8>>>(row, 17)?.unwrap_or_default();
    let version = get::<Option<i64>>(row, 12)?.map_or(Ok(0), |_| number(row, 12))?;
    Ok(StoredMessage {
        n: get(row, 0)?,
        row: MessageRow {
            id: id(row, 1)?,
            created_at: instant(row, 2)?,
            expires_at: maybe_instant(row, 3)?,
            contact: maybe_id(row, 4)?,
            template: names(row, 5)?,
            policy: names(row, 7)?,
            priority: word(Priority::ALL, row, 9)?,
            channels: Channel::ALL.iter().copied().filter(|c| bits & (1 << c.index()) != 0).collect(),
            doc: get(row, 11)?,
            first_body: Vec::new(),
        },
        owner: NodeId(get::<Option<i64>>(row, 18)?.unwrap_or_default()),
        version,
        state: if live {
            MessageState::Live(LiveState { status, due_at: maybe_instant(row, 15)?, state })
        } else {
            MessageState::Ended(EndedState {
                status,
                at: maybe_instant(row, 16)?.unwrap_or(Instant::from_ms(0)),
                state,
            })
        },
    })
}

/// `n, id, due_at, owner`.
pub(in crate::store) fn due(row: Row<'_>) -> Result<DueMessage, StoreError> {
    Ok(DueMessage { n: get(row, 0)?, id: id(row, 1)?, at: instant(row, 2)?, owner: NodeId(get(row, 3)?) })
}

pub(in crate::store) fn positioned_message(row: Row<'_>) -> Result<Positioned<StoredMessage>, StoreError> {
    message(row).map(|message| Positioned { n: message.n, row: message })
}

/// `n, message, message id, seq, count, at, body, hash`.
pub(in crate::store) fn journal(row: Row<'_>) -> Result<StoredJournal, StoreError> {
    Ok(StoredJournal {
        n: get(row, 0)?,
        message: get(row, 1)?,
        message_id: maybe_id(row, 2)?,
        row: JournalRow {
            seq: number(row, 3)?,
            count: number(row, 4)?,
            at: instant(row, 5)?,
            body: get(row, 6)?,
            hash: get(row, 7)?,
        },
    })
}

/// The columns of [`super::messages::ATTEMPT`].
pub(in crate::store) fn attempt(row: Row<'_>) -> Result<StoredAttempt, StoreError> {
    let attempt_id: Id<kinds::Attempt> = id(row, 3)?;
    let outcome = match get::<Option<i64>>(row, 9)? {
        None => None,
        Some(_) => Some(OutcomeRow {
            attempt: attempt_id,
            outcome: word(Outcome::ALL, row, 9)?,
            provider: get(row, 10)?,
            provider_message_id: get(row, 11)?,
            at: instant(row, 12)?,
            detail: get(row, 13)?,
        }),
    };
    let address = get::<Option<[u8; 16]>>(row, 7)?.map(AddressHash);
    Ok(StoredAttempt {
        n: get(row, 0)?,
        message: get(row, 1)?,
        message_id: id(row, 2)?,
        row: AttemptRow {
            id: attempt_id,
            provider: get(row, 4)?,
            channel: word(Channel::ALL, row, 5)?,
            at: instant(row, 6)?,
            address,
            doc: get(row, 8)?,
        },
        outcome,
    })
}

/// `n, id, kind, at, message, message id, sequence, data`.
pub(in crate::store) fn event(row: Row<'_>) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        n: get(row, 0)?,
        message: get(row, 4)?,
        message_id: maybe_id(row, 5)?,
        row: EventRow {
            id: id(row, 1)?,
            kind: get(row, 2)?,
            at: instant(row, 3)?,
            sequence: get::<Option<i64>>(row, 6)?.map(|sequence| sequence as u64),
            data: get(row, 7)?,
        },
    })
}

pub(in crate::store) fn positioned_event(row: Row<'_>) -> Result<Positioned<StoredEvent>, StoreError> {
    event(row).map(|event| Positioned { n: event.n, row: event })
}

/// `n, id, event, event_id, event_at, endpoint, version, state, next_try_at, tries`.
pub(in crate::store) fn delivery(row: Row<'_>) -> Result<Positioned<DeliveryRow>, StoreError> {
    let states = [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Dead];
    let delivery = DeliveryRow {
        id: id(row, 1)?,
        event: get(row, 2)?,
        event_id: id(row, 3)?,
        event_at: instant(row, 4)?,
        endpoint: id(row, 5)?,
        version: number(row, 6)?,
        state: word(&states, row, 7)?,
        next_try_at: maybe_instant(row, 8)?,
        tries: get(row, 9)?,
    };
    Ok(Positioned { n: get(row, 0)?, row: delivery })
}

/// `n, id, version, created_at, enabled, position, doc, secrets`.
pub(in crate::store) fn endpoint(row: Row<'_>) -> Result<Positioned<EndpointRow>, StoreError> {
    let endpoint = EndpointRow {
        id: id(row, 1)?,
        version: number(row, 2)?,
        created_at: instant(row, 3)?,
        enabled: get(row, 4)?,
        position: get(row, 5)?,
        doc: get(row, 6)?,
        secrets: get(row, 7)?,
    };
    Ok(Positioned { n: get(row, 0)?, row: endpoint })
}

/// `n, id, external_id, version, created_at, updated_at, doc, sealed`.
pub(in crate::store) fn contact(row: Row<'_>) -> Result<Positioned<ContactRow>, StoreError> {
    let contact = ContactRow {
        id: id(row, 1)?,
        external_id: get(row, 2)?,
        version: number(row, 3)?,
        created_at: instant(row, 4)?,
        updated_at: instant(row, 5)?,
        doc: get(row, 6)?,
        sealed: get(row, 7)?,
    };
    Ok(Positioned { n: get(row, 0)?, row: contact })
}

/// `channel, address, opted_out, at`.
pub(in crate::store) fn consent(row: Row<'_>) -> Result<ConsentRow, StoreError> {
    Ok(ConsentRow {
        channel: word(Channel::ALL, row, 0)?,
        address: AddressHash(get(row, 1)?),
        opted_out: get(row, 2)?,
        at: instant(row, 3)?,
    })
}

/// `n, name, version, id, created_at, doc`.
pub(in crate::store) fn version(row: Row<'_>) -> Result<Positioned<VersionRow>, StoreError> {
    let version = VersionRow {
        name: get(row, 1)?,
        version: number(row, 2)?,
        id: u128::from_be_bytes(get(row, 3)?),
        created_at: instant(row, 4)?,
        doc: get(row, 5)?,
    };
    Ok(Positioned { n: get(row, 0)?, row: version })
}

/// `n, name, newest, deleted`.
pub(in crate::store) fn version_name(row: Row<'_>) -> Result<VersionName, StoreError> {
    Ok(VersionName { n: get(row, 0)?, name: get(row, 1)?, newest: number(row, 2)?, deleted: number(row, 3)? })
}

/// `n, id, name, version, created_at, doc, credentials`.
pub(in crate::store) fn provider(row: Row<'_>) -> Result<Positioned<ProviderRow>, StoreError> {
    let provider = ProviderRow {
        id: id(row, 1)?,
        name: get(row, 2)?,
        version: number(row, 3)?,
        created_at: instant(row, 4)?,
        doc: get(row, 5)?,
        credentials: get(row, 6)?,
    };
    Ok(Positioned { n: get(row, 0)?, row: provider })
}

pub(in crate::store) fn provider_state(row: Row<'_>) -> Result<ProviderStateRow, StoreError> {
    Ok(ProviderStateRow { provider: get(row, 0)?, doc: get(row, 1)?, version: number(row, 2)? })
}

pub(in crate::store) fn quota(row: Row<'_>) -> Result<QuotaRow, StoreError> {
    let limit = |column| Ok(get::<Option<i64>>(row, column)?.map(|limit| limit as u64));
    Ok(QuotaRow { name: get(row, 0)?, day: limit(1)?, month: limit(2)? })
}

pub(in crate::store) fn usage(row: Row<'_>) -> Result<UsageRow, StoreError> {
    Ok(UsageRow {
        name: get(row, 0)?,
        window: word(&[UsageWindow::Day, UsageWindow::Month], row, 1)?,
        start: instant(row, 2)?,
        used: number(row, 3)?,
        told_percent: number(row, 4)?,
        held: number(row, 5)?,
    })
}

pub(in crate::store) fn early_receipt(row: Row<'_>) -> Result<EarlyReceiptRow, StoreError> {
    Ok(EarlyReceiptRow {
        provider: get(row, 0)?,
        provider_message_id: get(row, 1)?,
        at: instant(row, 2)?,
        doc: get(row, 3)?,
    })
}

/// `n, id, at, who, what, object, request, canonical, hash, prev_hash`.
pub(in crate::store) fn audit_row(row: Row<'_>) -> Result<Positioned<AuditRow>, StoreError> {
    let prev_hash = match get::<Option<Vec<u8>>>(row, 9)? {
        None => [0; 32],
        Some(hash) => hash.try_into().map_err(|_| damaged("a hash"))?,
    };
    let entry = NewAudit {
        id: id(row, 1)?,
        at: instant(row, 2)?,
        who: get(row, 3)?,
        what: get(row, 4)?,
        object_id: get(row, 5)?,
        request_id: get(row, 6)?,
        canonical: get(row, 7)?,
    };
    Ok(Positioned { n: get(row, 0)?, row: AuditRow { entry, prev_hash, hash: get(row, 8)? } })
}

/// `id, sealed_key`.
pub(in crate::store) fn subject(row: Row<'_>) -> Result<(SubjectId, Vec<u8>), StoreError> {
    Ok((SubjectId(get(row, 0)?), get(row, 1)?))
}

/// `n, message id, message, at, doc`.
pub(in crate::store) fn signal(row: Row<'_>) -> Result<StoredSignal, StoreError> {
    let signal = SignalRow { message: get(row, 2)?, at: instant(row, 3)?, doc: get(row, 4)? };
    Ok(StoredSignal { n: get(row, 0)?, message_id: id(row, 1)?, row: signal })
}

/// Where a chain begins, and which.
pub(in crate::store) fn pruned(row: Row<'_>) -> Result<(i64, Pruned), StoreError> {
    let pruned = Pruned { before: instant(row, 1)?, entries: get::<i64>(row, 2)? as u64, hash: get(row, 3)? };
    Ok((get(row, 0)?, pruned))
}
