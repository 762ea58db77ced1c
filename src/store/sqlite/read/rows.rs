//! Rows as they come from SQLite.

use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row as _, Sqlite, Type};

use crate::model::{Channel, Id, Instant, Outcome, Priority, Status, kinds};
use crate::store::rows::{
    AddressHash, AttemptRow, AuditRow, ConsentRow, ContactRow, DeliveryRow, DeliveryState, EarlyReceiptRow,
    EndedState, EndpointRow, EventRow, IdempotencyKey, JournalRow, Kept, KeptAnswer, LiveState, MessageRow,
    MessageState, Names, NewAudit, OutcomeRow, ProviderRow, ProviderStateRow, QuotaRow, StoredAttempt,
    StoredEvent, StoredJournal, StoredMessage, SubjectId, UsageRow, UsageWindow, VersionName, VersionRow,
};
use crate::store::{NodeId, Position, Positioned, Pruned, StoreError};

/// A column; one that is not as the schema says is damage.
pub(in crate::store::sqlite) fn get<'r, T>(row: &'r SqliteRow, column: usize) -> Result<T, StoreError>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(column).map_err(|error| StoreError::Io { what: "reading a row", detail: error.to_string() })
}

fn damaged(what: &'static str) -> StoreError {
    StoreError::Io { what: "reading a row", detail: format!("{what} is not as this program writes it") }
}

/// Bytes of a fixed length.
pub(in crate::store::sqlite) fn bytes<const N: usize>(
    row: &SqliteRow,
    column: usize,
) -> Result<[u8; N], StoreError> {
    get::<&[u8]>(row, column)?.try_into().map_err(|_| damaged("a key or hash"))
}

/// An id.
pub(in crate::store::sqlite) fn id<K>(row: &SqliteRow, column: usize) -> Result<Id<K>, StoreError> {
    bytes(row, column).map(Id::from_bytes)
}

fn maybe_id<K>(row: &SqliteRow, column: usize) -> Result<Option<Id<K>>, StoreError> {
    let bytes: Option<&[u8]> = get(row, column)?;
    bytes.map(|bytes| bytes.try_into().map(Id::from_bytes).map_err(|_| damaged("an id"))).transpose()
}

/// An instant.
pub(in crate::store::sqlite) fn instant(row: &SqliteRow, column: usize) -> Result<Instant, StoreError> {
    get(row, column).map(Instant::from_ms)
}

/// An instant that may be missing.
pub(in crate::store::sqlite) fn maybe_instant(
    row: &SqliteRow,
    column: usize,
) -> Result<Option<Instant>, StoreError> {
    Ok(get::<Option<i64>>(row, column)?.map(Instant::from_ms))
}

fn word<T: Copy>(all: &[T], row: &SqliteRow, column: usize) -> Result<T, StoreError> {
    let index = usize::try_from(get::<i64>(row, column)?).map_err(|_| damaged("a word"))?;
    all.get(index).copied().ok_or_else(|| damaged("a word"))
}

fn number<T: TryFrom<i64>>(row: &SqliteRow, column: usize) -> Result<T, StoreError> {
    T::try_from(get::<i64>(row, column)?).map_err(|_| damaged("a number"))
}

fn names(row: &SqliteRow, column: usize) -> Result<Option<Names>, StoreError> {
    let name: Option<String> = get(row, column)?;
    let version: Option<i64> = get(row, column + 1)?;
    Ok(name.map(|name| Names { name, version: version.unwrap_or_default() as u32 }))
}

/// `n`.
pub(super) fn position(row: &SqliteRow) -> Result<Position, StoreError> {
    get(row, 0)
}

/// An instant alone.
pub(super) fn lone_instant(row: &SqliteRow) -> Result<Option<Instant>, StoreError> {
    maybe_instant(row, 0)
}

/// Bytes alone.
pub(super) fn lone_bytes(row: &SqliteRow) -> Result<Vec<u8>, StoreError> {
    get(row, 0)
}

/// The largest id of a table, or none.
pub(super) fn largest(row: &SqliteRow) -> Result<u128, StoreError> {
    let bytes: Option<&[u8]> = get(row, 0)?;
    match bytes {
        None => Ok(0),
        Some(bytes) => Ok(u128::from_be_bytes(bytes.try_into().map_err(|_| damaged("an id"))?)),
    }
}

/// The columns of `key, request, status, form, answer, at`.
pub(in crate::store::sqlite) fn kept_row(row: &SqliteRow) -> Result<Kept, StoreError> {
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
        key: IdempotencyKey(bytes(row, 0)?),
        request: bytes(row, 1)?,
        status: number(row, 2)?,
        answer,
        at: instant(row, 5)?,
    })
}

/// The columns of [`super::messages::COLUMNS`].
pub(super) fn message(row: &SqliteRow) -> Result<StoredMessage, StoreError> {
    let bits: i64 = get(row, 10)?;
    let live: bool = get(row, 13)?;
    let status = word(Status::ALL, row, 14)?;
    let state = get(row, 17)?;
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
        owner: NodeId::ONLY,
        version: number(row, 12)?,
        state: if live {
            MessageState::Live(LiveState { status, due_at: maybe_instant(row, 15)?, state })
        } else {
            MessageState::Ended(EndedState { status, at: instant(row, 16)?, state })
        },
    })
}

pub(super) fn positioned_message(row: &SqliteRow) -> Result<Positioned<StoredMessage>, StoreError> {
    message(row).map(|message| Positioned { n: message.n, row: message })
}

/// `n, message, message id, seq, count, at, body, hash`.
pub(super) fn journal(row: &SqliteRow) -> Result<StoredJournal, StoreError> {
    Ok(StoredJournal {
        n: get(row, 0)?,
        message: get(row, 1)?,
        message_id: maybe_id(row, 2)?,
        row: JournalRow {
            seq: number(row, 3)?,
            count: number(row, 4)?,
            at: instant(row, 5)?,
            body: get(row, 6)?,
            hash: bytes(row, 7)?,
        },
    })
}

/// The columns of [`super::messages::ATTEMPT`].
pub(super) fn attempt(row: &SqliteRow) -> Result<StoredAttempt, StoreError> {
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
    let address: Option<&[u8]> = get(row, 7)?;
    let address = address
        .map(|bytes| bytes.try_into().map(AddressHash).map_err(|_| damaged("an address")))
        .transpose()?;
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
pub(super) fn event(row: &SqliteRow) -> Result<StoredEvent, StoreError> {
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

pub(super) fn positioned_event(row: &SqliteRow) -> Result<Positioned<StoredEvent>, StoreError> {
    event(row).map(|event| Positioned { n: event.n, row: event })
}

/// `n, id, event, event_id, event_at, endpoint, version, state, next_try_at, tries`.
pub(super) fn delivery(row: &SqliteRow) -> Result<Positioned<DeliveryRow>, StoreError> {
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
pub(super) fn endpoint(row: &SqliteRow) -> Result<Positioned<EndpointRow>, StoreError> {
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
pub(super) fn contact(row: &SqliteRow) -> Result<Positioned<ContactRow>, StoreError> {
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
pub(super) fn consent(row: &SqliteRow) -> Result<ConsentRow, StoreError> {
    Ok(ConsentRow {
        channel: word(Channel::ALL, row, 0)?,
        address: AddressHash(bytes(row, 1)?),
        opted_out: get(row, 2)?,
        at: instant(row, 3)?,
    })
}

/// `n, name, version, id, created_at, doc`.
pub(super) fn version(row: &SqliteRow) -> Result<Positioned<VersionRow>, StoreError> {
    let version = VersionRow {
        name: get(row, 1)?,
        version: number(row, 2)?,
        id: u128::from_be_bytes(bytes(row, 3)?),
        created_at: instant(row, 4)?,
        doc: get(row, 5)?,
    };
    Ok(Positioned { n: get(row, 0)?, row: version })
}

/// `n, name, newest, deleted`.
pub(super) fn version_name(row: &SqliteRow) -> Result<VersionName, StoreError> {
    Ok(VersionName { n: get(row, 0)?, name: get(row, 1)?, newest: number(row, 2)?, deleted: number(row, 3)? })
}

/// `n, id, name, version, created_at, doc, credentials`.
pub(super) fn provider(row: &SqliteRow) -> Result<Positioned<ProviderRow>, StoreError> {
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

pub(super) fn provider_state(row: &SqliteRow) -> Result<ProviderStateRow, StoreError> {
    Ok(ProviderStateRow { provider: get(row, 0)?, doc: get(row, 1)?, version: 0 })
}

pub(super) fn quota(row: &SqliteRow) -> Result<QuotaRow, StoreError> {
    let limit = |column| Ok(get::<Option<i64>>(row, column)?.map(|limit| limit as u64));
    Ok(QuotaRow { name: get(row, 0)?, day: limit(1)?, month: limit(2)? })
}

pub(super) fn usage(row: &SqliteRow) -> Result<UsageRow, StoreError> {
    Ok(UsageRow {
        name: get(row, 0)?,
        window: word(&[UsageWindow::Day, UsageWindow::Month], row, 1)?,
        start: instant(row, 2)?,
        used: number(row, 3)?,
        told_percent: number(row, 4)?,
        held: 0,
    })
}

pub(super) fn early_receipt(row: &SqliteRow) -> Result<EarlyReceiptRow, StoreError> {
    Ok(EarlyReceiptRow {
        provider: get(row, 0)?,
        provider_message_id: get(row, 1)?,
        at: instant(row, 2)?,
        doc: get(row, 3)?,
    })
}

/// `n, id, at, who, what, object, request, canonical, hash, prev_hash`.
pub(in crate::store::sqlite) fn audit_row(row: &SqliteRow) -> Result<Positioned<AuditRow>, StoreError> {
    let prev: Option<&[u8]> = get(row, 9)?;
    let prev_hash = match prev {
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
    Ok(Positioned { n: get(row, 0)?, row: AuditRow { entry, prev_hash, hash: bytes(row, 8)? } })
}

/// `id, sealed_key`.
pub(super) fn subject(row: &SqliteRow) -> Result<(SubjectId, Vec<u8>), StoreError> {
    Ok((SubjectId(bytes(row, 0)?), get(row, 1)?))
}

/// Where a chain begins, and which.
pub(super) fn pruned(row: &SqliteRow) -> Result<(i64, Pruned), StoreError> {
    let pruned =
        Pruned { before: instant(row, 1)?, entries: get::<i64>(row, 2)? as u64, hash: bytes(row, 3)? };
    Ok((get(row, 0)?, pruned))
}
