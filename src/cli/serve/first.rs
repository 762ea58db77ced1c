//! The first start of an installation: a tenant to begin with, and a key to try it.

use super::super::operator::Operator;
use super::super::{CliError, terminal};
use crate::api::endpoint::Permission;
use crate::model::{Currency, Environment};

/// The tenant of a first start.
const TENANT: &str = "default";
const TIMEZONE: &str = "UTC";

/// Makes a tenant and prints a test key where there is no tenant yet.
pub(super) async fn greet(operator: &Operator) -> Result<(), CliError> {
    if !operator.registry.tenants().await?.is_empty() {
        return Ok(());
    }
    if let Err(error) = operator.make_tenant(TENANT, TIMEZONE, Currency::EUR).await {
        // Of several nodes that start at once on one database, one is the first.
        return if operator.registry.tenants().await?.is_empty() { Err(error) } else { Ok(()) };
    }
    let made = operator.make_key(TENANT, Environment::Test, "first start", &Permission::ALL).await?;
    terminal::tell(&format!(
        "Made the tenant `{TENANT}` and a test key, which is shown this once:\n\n    {}\n\n\
         For more: spine key create --tenant {TENANT} --env test",
        made.key.reveal()
    ));
    Ok(())
}
