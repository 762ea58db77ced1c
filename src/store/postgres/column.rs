//! Values as PostgreSQL takes and gives them: ids as uuid, and whole columns as arrays.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgRow, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Row as _, Type};

use crate::store::StoreError;
use crate::store::read::Columns;

/// Object ids that are the same in every PostgreSQL.
mod oid {
    pub(super) const BYTEA: u32 = 17;
    pub(super) const INT8: u32 = 20;
    pub(super) const INT2: u32 = 21;
    pub(super) const INT4: u32 = 23;
    pub(super) const TEXT: u32 = 25;
    pub(super) const BYTEA_ARRAY: u32 = 1001;
    pub(super) const TEXT_ARRAY: u32 = 1009;
    pub(super) const INT8_ARRAY: u32 = 1016;
    pub(super) const UUID: u32 = 2950;
    pub(super) const UUID_ARRAY: u32 = 2951;
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Int,
    Text,
    Bytes,
    Key,
}

impl Of {
    const fn element(self) -> u32 {
        match self {
            Of::Int => oid::INT8,
            Of::Text => oid::TEXT,
            Of::Bytes => oid::BYTEA,
            Of::Key => oid::UUID,
        }
    }

    const fn array(self) -> u32 {
        match self {
            Of::Int => oid::INT8_ARRAY,
            Of::Text => oid::TEXT_ARRAY,
            Of::Bytes => oid::BYTEA_ARRAY,
            Of::Key => oid::UUID_ARRAY,
        }
    }
}

/// A column of rows that are written together: an array, already in the form in which it is sent.
pub(super) struct Column {
    of: Of,
    rows: i32,
    has_null: bool,
    bytes: Vec<u8>,
}

impl Column {
    /// An empty one, with room for so many bytes.
    pub(super) fn with_room(of: Of, bytes: usize) -> Column {
        Column { of, rows: 0, has_null: false, bytes: Vec::with_capacity(bytes) }
    }

    /// How many bytes its values have, with their lengths.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) const fn of(&self) -> Of {
        self.of
    }

    /// Adds a value, given in PostgreSQL's binary form.
    pub(super) fn push(&mut self, value: Option<&[u8]>) {
        self.rows += 1;
        match value {
            // A value of two gigabytes is refused long before.
            Some(value) => {
                self.bytes.extend_from_slice(&i32::try_from(value.len()).unwrap_or(i32::MAX).to_be_bytes());
                self.bytes.extend_from_slice(value);
            }
            None => {
                self.has_null = true;
                self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
            }
        }
    }
}

impl Type<Postgres> for Column {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(oid::INT8_ARRAY))
    }
}

impl Encode<'_, Postgres> for Column {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let dimensions = i32::from(self.rows > 0);
        buffer.extend_from_slice(&dimensions.to_be_bytes());
        buffer.extend_from_slice(&i32::from(self.has_null).to_be_bytes());
        buffer.extend_from_slice(&self.of.element().to_be_bytes());
        if self.rows > 0 {
            buffer.extend_from_slice(&self.rows.to_be_bytes());
            // The number of the first element.
            buffer.extend_from_slice(&1_i32.to_be_bytes());
            buffer.extend_from_slice(&self.bytes);
        }
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.of.array())))
    }
}

/// An id or a hash of 16 bytes: a uuid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(pub(super) [u8; 16]);

impl Type<Postgres> for Key {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(oid::UUID))
    }
}

impl Encode<'_, Postgres> for Key {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Key {
    fn decode(value: PgValueRef<'_>) -> Result<Key, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => Ok(Key(value.as_bytes()?.try_into()?)),
            PgValueFormat::Text => {
                let digits: String = value.as_str()?.chars().filter(|c| *c != '-').collect();
                Ok(Key(u128::from_str_radix(&digits, 16)?.to_be_bytes()))
            }
        }
    }
}

/// A whole number, however wide its column is.
struct Wide(i64);

impl Type<Postgres> for Wide {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(oid::INT8))
    }

    fn compatible(of: &PgTypeInfo) -> bool {
        [oid::INT8, oid::INT4, oid::INT2].iter().any(|known| *of == PgTypeInfo::with_oid(Oid(*known)))
    }
}

impl Decode<'_, Postgres> for Wide {
    fn decode(value: PgValueRef<'_>) -> Result<Wide, BoxDynError> {
        if value.format() == PgValueFormat::Text {
            return Ok(Wide(value.as_str()?.parse()?));
        }
        let bytes = value.as_bytes()?;
        Ok(Wide(match bytes.len() {
            2 => i16::from_be_bytes(bytes.try_into()?).into(),
            4 => i32::from_be_bytes(bytes.try_into()?).into(),
            _ => i64::from_be_bytes(bytes.try_into()?),
        }))
    }
}

fn column<'r, T>(row: &'r PgRow, column: usize) -> Result<T, StoreError>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(column).map_err(|error| StoreError::Io { what: "reading a row", detail: error.to_string() })
}

impl Columns for PgRow {
    fn maybe_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        Ok(column::<Option<Wide>>(self, index)?.map(|wide| wide.0))
    }

    fn maybe_text(&self, index: usize) -> Result<Option<String>, StoreError> {
        column(self, index)
    }

    fn maybe_bytes(&self, index: usize) -> Result<Option<Vec<u8>>, StoreError> {
        column(self, index)
    }

    fn maybe_key(&self, index: usize) -> Result<Option<[u8; 16]>, StoreError> {
        Ok(column::<Option<Key>>(self, index)?.map(|key| key.0))
    }

    fn flag(&self, index: usize) -> Result<bool, StoreError> {
        column(self, index)
    }
}
