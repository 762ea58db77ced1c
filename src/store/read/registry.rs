//! The registry's rows as they come from a database.

use super::decode::{Row, get, id, instant, maybe_instant};
use crate::model::{Environment, ScopeId};
use crate::store::registry::{KeyRow, ScopeRow, TenantRow};
use crate::store::rows::SubjectId;
use crate::store::{Positioned, StoreError};

pub(in crate::store) const fn environment_number(environment: Environment) -> i64 {
    match environment {
        Environment::Test => 0,
        Environment::Live => 1,
    }
}

fn environment(row: Row<'_>, column: usize) -> Result<Environment, StoreError> {
    Ok(if get::<i64>(row, column)? == 0 { Environment::Test } else { Environment::Live })
}

fn currency(row: Row<'_>, column: usize) -> Result<crate::model::Currency, StoreError> {
    get::<String>(row, column)?.parse().map_err(|error: crate::model::MoneyError| StoreError::Io {
        what: "reading a tenant",
        detail: error.to_string(),
    })
}

pub(in crate::store) fn tenant_row(row: Row<'_>) -> Result<TenantRow, StoreError> {
    Ok(TenantRow {
        id: id(row, 0)?,
        name: get(row, 1)?,
        timezone: get(row, 2)?,
        currency: currency(row, 3)?,
        created_at: instant(row, 4)?,
    })
}

pub(in crate::store) fn scope_row(row: Row<'_>) -> Result<ScopeRow, StoreError> {
    Ok(ScopeRow {
        id: ScopeId(get(row, 0)?),
        tenant: id(row, 1)?,
        tenant_name: get(row, 2)?,
        timezone: get(row, 3)?,
        currency: currency(row, 4)?,
        environment: environment(row, 5)?,
        sealed_key: get(row, 6)?,
        wake_at: maybe_instant(row, 7)?,
    })
}

pub(in crate::store) fn key_row(row: Row<'_>) -> Result<Positioned<KeyRow>, StoreError> {
    let key = KeyRow {
        id: id(row, 1)?,
        scope: ScopeId(get(row, 2)?),
        environment: environment(row, 3)?,
        name: get(row, 4)?,
        hash: get(row, 5)?,
        hint: get(row, 6)?,
        permissions: get::<i64>(row, 7)? as u8,
        created_at: instant(row, 8)?,
        last_used_at: maybe_instant(row, 9)?,
        expires_at: maybe_instant(row, 10)?,
        revoked_at: maybe_instant(row, 11)?,
    };
    Ok(Positioned { n: get(row, 0)?, row: key })
}

pub(in crate::store) fn subject_row(row: Row<'_>) -> Result<SubjectId, StoreError> {
    get(row, 0).map(SubjectId)
}
