//! What the operator does to the registry: tenants and keys. Audited as `cli`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::CliError;
use super::config::Config;
use crate::api::conventions::keys::{ApiKey, KEY_RANDOM_BYTES};
use crate::api::endpoint::Permission;
use crate::model::{Currency, Environment, Id, IdKind, Instant, ScopeId, kinds};
use crate::store::rows::NewAudit;
use crate::store::seal::{Randomness, SystemRandom};
use crate::store::sqlite::{self, Options, open_registry};
use crate::store::{
    Installation, KeyRow, Page, PageStart, Registry, RegistryAudit, RegistryChange, ScopeRow, TenantRow,
    postgres,
};

/// Who stands in the audit.
const WHO: &str = "cli";
/// Characters of a tenant's name, and of a key's.
const NAME_CHARS_MAX: usize = 100;
/// Keys that are read at once.
const PAGE_ROWS: u32 = 100;

/// Where the installation is.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Where {
    /// The file of settings
    #[arg(long, value_name = "FILE", env = "SPINE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The folder of the embedded store
    #[arg(long, value_name = "DIR", env = "SPINE_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// The database of an installation of several nodes, `postgres://…`
    #[arg(long, value_name = "URL", env = "SPINE_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
}

/// What was named.
#[derive(Debug, PartialEq)]
enum Chosen<'a> {
    Folder(&'a Path),
    Database(&'a str),
}

impl Where {
    /// The settings, those of flags and environment over those of the file.
    pub(crate) fn settings(&self) -> Result<Config, CliError> {
        let mut config = Config::load(self.config.as_deref())?;
        match self.chosen(|name| std::env::var_os(name))? {
            Some(Chosen::Folder(data)) => {
                config.data = data.to_owned();
                config.database_url = None;
            }
            Some(Chosen::Database(url)) => config.database_url = Some(url.to_owned()),
            None => {}
        }
        Ok(config)
    }

    /// Folder or database: a flag wins over the environment, and of two in one place neither does.
    fn chosen(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Chosen<'_>>, CliError> {
        let (data, url) = match (&self.data, &self.database_url) {
            (None, None) => return Ok(None),
            (Some(data), None) => return Ok(Some(Chosen::Folder(data))),
            (None, Some(url)) => return Ok(Some(Chosen::Database(url))),
            (Some(data), Some(url)) => (data, url),
        };
        let stands_in = |name: &str, value: &OsStr| variable(name).is_some_and(|held| held == value);
        match (stands_in("SPINE_DATA", data.as_os_str()), stands_in("SPINE_DATABASE_URL", url.as_ref())) {
            (false, true) => Ok(Some(Chosen::Folder(data))),
            (true, false) => Ok(Some(Chosen::Database(url))),
            (false, false) => Err(CliError::Refused(
                "--data and --database-url cannot both be given: an installation is in a folder or in a \
                 database"
                    .to_owned(),
            )),
            (true, true) => Err(CliError::Refused(
                "SPINE_DATA and SPINE_DATABASE_URL cannot both be set: an installation is in a folder or in a \
                 database"
                    .to_owned(),
            )),
        }
    }

    /// Refuses a data folder that is not there.
    pub(crate) fn require_folder(&self, config: &Config) -> Result<(), CliError> {
        let folder = &config.data;
        if folder.is_dir() {
            return Ok(());
        }
        Err(CliError::Refused(format!(
            "there is no data folder `{}`; name the one of the server with --data, or make it with \
             `spine tenant create`",
            folder.display()
        )))
    }

    /// The registry of an installation, also beside a running server.
    pub(crate) async fn operator(&self) -> Result<Operator, CliError> {
        self.there()?;
        self.operator_of_new().await
    }

    /// An installation, also beside running servers.
    pub(crate) async fn beside(&self) -> Result<Box<dyn Installation>, CliError> {
        self.there()?;
        let config = self.settings()?;
        Ok(match config.database() {
            Some(database) => Box::new(postgres::open_beside(database.options(master_key())).await?),
            None => Box::new(sqlite::open_beside(options(config.data)).await?),
        })
    }

    /// Tells where there is no such folder, and makes none.
    fn there(&self) -> Result<(), CliError> {
        let config = self.settings()?;
        if config.database_url.is_none() {
            self.require_folder(&config)?;
        }
        Ok(())
    }

    /// The same; the folder, or the schema of the database, is made if it is not there.
    pub(crate) async fn operator_of_new(&self) -> Result<Operator, CliError> {
        let config = self.settings()?;
        let registry = match config.database() {
            Some(database) => postgres::open_registry(database.options(master_key())).await?,
            None => open_registry(options(config.data)).await?,
        };
        Ok(Operator::of(registry))
    }
}

/// The operator's key, where the environment has it.
pub(crate) fn master_key() -> Option<String> {
    std::env::var("SPINE_MASTER_KEY").ok()
}

/// How the store of a folder is opened.
pub(crate) fn options(folder: PathBuf) -> Options {
    Options { folder, master_key: master_key(), now: now(), random: Arc::new(SystemRandom::new()) }
}

/// The operating system's clock.
pub(crate) fn now() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Instant::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Runs a command to its end on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// A key that was just made.
pub(crate) struct MadeKey {
    /// What is kept of it.
    pub(crate) row: KeyRow,
    /// The key itself, to be shown once.
    pub(crate) key: ApiKey,
}

/// One who changes the registry.
pub(crate) struct Operator {
    pub(crate) registry: Arc<dyn Registry>,
    random: SystemRandom,
}

impl Operator {
    pub(crate) fn of(registry: Arc<dyn Registry>) -> Operator {
        Operator { registry, random: SystemRandom::new() }
    }

    /// Makes a tenant with its two scopes.
    pub(crate) async fn make_tenant(
        &self,
        name: &str,
        timezone: &str,
        currency: Currency,
    ) -> Result<TenantRow, CliError> {
        check_name("tenant", name)?;
        let taken = || CliError::Refused(format!("there is a tenant called `{name}` already"));
        if self.registry.tenants().await?.iter().any(|tenant| tenant.name == name) {
            return Err(taken());
        }
        let tenant = TenantRow {
            id: self.mint()?,
            name: name.to_owned(),
            timezone: timezone.to_owned(),
            currency,
            created_at: now(),
        };
        match self.registry.make_tenant(tenant.clone()).await {
            Err(crate::store::StoreError::Conflict { .. }) => return Err(taken()),
            done => done?,
        };
        let audit = self.audit(None, "tenant.created", tenant.id.to_string())?;
        let change = RegistryChange { audit: vec![audit], ..RegistryChange::default() };
        self.registry.commit(change).await?;
        Ok(tenant)
    }

    /// Makes a key of a tenant.
    pub(crate) async fn make_key(
        &self,
        tenant: &str,
        environment: Environment,
        name: &str,
        permissions: &[Permission],
    ) -> Result<MadeKey, CliError> {
        check_name("key", name)?;
        let scope = self.scope(tenant, environment).await?;
        let mut random = [0; KEY_RANDOM_BYTES];
        self.random.fill(&mut random)?;
        let key = ApiKey::from_random(environment, &random);
        let row = KeyRow {
            id: self.mint()?,
            scope: scope.id,
            environment,
            name: name.to_owned(),
            hash: key.hash(),
            hint: key.hint(),
            permissions: permissions.iter().fold(0, |bits, p| bits | p.bit()),
            created_at: now(),
            last_used_at: None,
            expires_at: None,
            revoked_at: None,
        };
        let audit = self.audit(Some(scope.id), "key.created", row.id.to_string())?;
        let change =
            RegistryChange { keys: vec![row.clone()], audit: vec![audit], ..RegistryChange::default() };
        self.registry.commit(change).await?;
        Ok(MadeKey { row, key })
    }

    /// Revokes a key; false where it was revoked before.
    pub(crate) async fn revoke(&self, id: Id<kinds::Key>) -> Result<bool, CliError> {
        for scope in self.registry.scopes().await? {
            let Some(key) = self.registry.key(scope.id, id).await? else { continue };
            if key.revoked_at.is_some() {
                return Ok(false);
            }
            let audit = self.audit(Some(scope.id), "key.revoked", id.to_string())?;
            let change = RegistryChange {
                keys_revoked: vec![(id, scope.id, now())],
                audit: vec![audit],
                ..RegistryChange::default()
            };
            self.registry.commit(change).await?;
            return Ok(true);
        }
        Err(CliError::Refused(format!("there is no key `{id}`; `spine key list` shows all")))
    }

    /// All keys of a scope, newest first.
    pub(crate) async fn keys(&self, scope: ScopeId) -> Result<Vec<KeyRow>, CliError> {
        let (mut keys, mut start) = (Vec::new(), PageStart::Newest);
        loop {
            let page = self.registry.keys(scope, Page { start, limit: PAGE_ROWS }).await?;
            let last = page.rows.last().map(|row| row.n);
            keys.extend(page.rows.into_iter().map(|row| row.row));
            match last {
                Some(n) if page.has_more => start = PageStart::After(n),
                _ => return Ok(keys),
            }
        }
    }

    pub(crate) async fn scope(&self, tenant: &str, environment: Environment) -> Result<ScopeRow, CliError> {
        let scopes = self.registry.scopes().await?;
        let mut names: Vec<&str> = scopes.iter().map(|scope| scope.tenant_name.as_str()).collect();
        names.dedup();
        let unknown = || {
            let told = match names.as_slice() {
                [] => "there is none yet; make one with `spine tenant create`".to_owned(),
                names => {
                    let known = crate::language::words::listed(names.iter().copied(), "and");
                    format!("known: {known}")
                }
            };
            CliError::Refused(format!("there is no tenant called `{tenant}`; {told}"))
        };
        scopes
            .iter()
            .find(|scope| scope.tenant_name == tenant && scope.environment == environment)
            .cloned()
            .ok_or_else(unknown)
    }

    /// Writes into the audit what was done beside the registry.
    pub(crate) async fn note(
        &self,
        scope: Option<ScopeId>,
        what: &str,
        object_id: String,
    ) -> Result<(), CliError> {
        let audit = self.audit(scope, what, object_id)?;
        self.registry.commit(RegistryChange { audit: vec![audit], ..RegistryChange::default() }).await?;
        Ok(())
    }

    fn audit(
        &self,
        scope: Option<ScopeId>,
        what: &str,
        object_id: String,
    ) -> Result<RegistryAudit, CliError> {
        let entry = NewAudit::new(self.mint()?, now(), WHO, what, Some(object_id), None);
        Ok(RegistryAudit { scope, entry })
    }

    /// A fresh id: the milliseconds of real time, and 80 random bits.
    fn mint<K: IdKind>(&self) -> Result<Id<K>, CliError> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes[6..])?;
        let ms = u128::from(now().ms().unsigned_abs());
        Ok(Id::from_u128((ms << 80) | u128::from_be_bytes(bytes)))
    }
}

/// A name that a person can write down again.
fn check_name(of: &str, name: &str) -> Result<(), CliError> {
    let is_right = !name.is_empty()
        && name.trim() == name
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.chars().any(char::is_control);
    match is_right {
        true => Ok(()),
        false => Err(CliError::Refused(format!(
            "the name of a {of} has 1 to {NAME_CHARS_MAX} characters on one line, and no blank at its ends"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(data: Option<&str>, url: Option<&str>, environment: [Option<&str>; 2]) -> String {
        let place =
            Where { config: None, data: data.map(PathBuf::from), database_url: url.map(str::to_owned) };
        let variable = |name: &str| {
            let [folder, database] = environment;
            if name == "SPINE_DATA" { folder } else { database }.map(OsString::from)
        };
        match place.chosen(variable) {
            Ok(chosen) => format!("{chosen:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn of_folder_and_database_the_flag_counts_and_two_flags_are_refused() {
        let (folder, url) = (Some("d"), Some("postgres://x"));
        for (data, database, environment, expected) in [
            (None, None, [None, None], "None"),
            (folder, None, [None, None], "Some(Folder(\"d\"))"),
            (None, url, [None, url], "Some(Database(\"postgres://x\"))"),
            // A flag beside a variable, either way round.
            (folder, url, [None, url], "Some(Folder(\"d\"))"),
            (folder, url, [folder, None], "Some(Database(\"postgres://x\"))"),
        ] {
            assert_eq!(
                chosen(data, database, environment),
                expected,
                "{data:?} {database:?} {environment:?}"
            );
        }
        assert!(chosen(folder, url, [None, None]).starts_with("--data and --database-url"));
        assert!(chosen(folder, url, [folder, url]).starts_with("SPINE_DATA and SPINE_DATABASE_URL"));
    }
}
