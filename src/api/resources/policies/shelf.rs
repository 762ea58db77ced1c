//! What the compiler, the linter and the simulator are told of a scope: its policies, its currency
//! and its providers.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::api::call::Call;
use crate::api::conventions::problem::Problem;
use crate::engine::records::{PolicyRecord, ProviderRecord};
use crate::language::{Compiled, KnownProvider, Library, Policy, Used};
use crate::lint::{FileFindings, SourceFile, check_one};
use crate::machine::catalog::{Catalog, CatalogProvider};
use crate::machine::known::named_providers;
use crate::model::{Channel, Confirmation, Currency, Environment};
use crate::store::rows::{VersionKind, VersionRow};
use crate::store::{Page, PageStart};

/// Rounds of fetching policies that are used. Each goes one level deeper at least.
const ROUNDS_MAX: usize = 64;
/// Providers of a scope that are looked at.
const PROVIDERS_PAGE: u32 = 100;

/// A scope, as far as it was asked about. The compiler asks without waiting; what is not here yet is
/// noted, fetched, and the compiler asked again.
pub(super) struct Shelf<'a> {
    call: &'a Call,
    providers: Vec<ProviderRecord>,
    policies: HashMap<String, Option<Used>>,
    wanted: Mutex<BTreeSet<String>>,
}

impl Library for Shelf<'_> {
    fn policy(&self, reference: &str) -> Option<Used> {
        match self.policies.get(reference) {
            Some(known) => known.clone(),
            None => {
                self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(reference.to_owned());
                None
            }
        }
    }

    fn currency(&self) -> Option<Currency> {
        Some(self.call.scope.row().currency)
    }

    /// Under a test key every name stands for a provider, made or not.
    fn providers(&self) -> Option<Vec<KnownProvider>> {
        (self.call.environment == Environment::Live).then(|| {
            let known = |provider: &ProviderRecord| KnownProvider {
                name: provider.name.clone(),
                channels: provider.channels.iter().map(|c| (*c, confirms(provider, *c))).collect(),
                prices: provider.prices.clone(),
                horizons: provider.horizon.clone(),
                ..KnownProvider::default()
            };
            self.providers.iter().map(known).collect()
        })
    }
}

fn confirms(provider: &ProviderRecord, channel: Channel) -> Vec<Confirmation> {
    provider.confirms.get(&channel).cloned().unwrap_or_default()
}

/// A version as `use` takes it.
fn used(row: VersionRow) -> Result<Used, Problem> {
    let record = PolicyRecord::read(&row.doc)?;
    Ok(Used {
        name_at_version: format!("{}@{}", row.name, row.version),
        source: record.source,
        policy_name: row.name,
        uses: record.uses,
    })
}

impl<'a> Shelf<'a> {
    /// The shelf of the caller's scope.
    pub(super) async fn of(call: &'a Call) -> Result<Shelf<'a>, Problem> {
        let (mut providers, mut start) = (Vec::new(), PageStart::Newest);
        loop {
            let page = call.scope.providers(Page { start, limit: PROVIDERS_PAGE }).await?;
            for row in &page.rows {
                providers.push(ProviderRecord::read(&row.row)?);
            }
            match page.rows.last() {
                Some(last) if page.has_more => start = PageStart::After(last.n),
                _ => break,
            }
        }
        // The order of a route without `via`.
        providers.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
        Ok(Shelf { call, providers, policies: HashMap::new(), wanted: Mutex::default() })
    }

    /// Compiles and lints a source by what the scope has.
    pub(super) async fn check(&mut self, file: &SourceFile) -> Result<(Compiled, FileFindings), Problem> {
        for _ in 0..ROUNDS_MAX {
            let checked = check_one(file, self);
            if !self.fetch().await? {
                return Ok(checked);
            }
        }
        Ok(check_one(file, self))
    }

    /// Compiles a version that stands.
    pub(super) async fn compile(&mut self, row: VersionRow) -> Result<Compiled, Problem> {
        let version = used(row)?;
        for _ in 0..ROUNDS_MAX {
            let compiled = crate::language::compile_version(&version, self);
            if !self.fetch().await? {
                return Ok(compiled);
            }
        }
        Ok(crate::language::compile_version(&version, self))
    }

    /// Fetches what was asked for and is not here; whether there was anything.
    async fn fetch(&mut self) -> Result<bool, Problem> {
        let wanted = std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        let any = !wanted.is_empty();
        for reference in wanted {
            let found = self.find(&reference).await?;
            self.policies.insert(reference, found);
        }
        Ok(any)
    }

    async fn find(&self, reference: &str) -> Result<Option<Used>, Problem> {
        let kind = VersionKind::Policy;
        let (name, version) = match reference.split_once('@') {
            Some((name, version)) => (name, version.parse::<u32>().ok()),
            None => (reference, None),
        };
        let Some(known) = self.call.scope.version_name(kind, name).await? else { return Ok(None) };
        // A version that is named was used by one that stands, and compiles also once its name is gone.
        let version = match version {
            Some(version) => version,
            None if known.newest > known.deleted => known.newest,
            None => return Ok(None),
        };
        self.call.scope.version(kind, name, Some(version)).await?.map(used).transpose()
    }

    /// What a script's key can confirm: a provider's name, then a channel's.
    pub(super) fn confirms(&self, key: &str) -> Option<Vec<Confirmation>> {
        if let Some(provider) = self.providers.iter().find(|provider| provider.name == key) {
            let mut all: Vec<Confirmation> = provider.confirms.values().flatten().copied().collect();
            all.sort_unstable();
            all.dedup();
            return Some(all);
        }
        key.parse::<Channel>().ok().map(|channel| channel.default_confirmations().to_vec())
    }

    /// The providers as the simulator and the bounds take them. Under a test key every channel has a
    /// sandbox of its name, and every name in a route stands for one.
    pub(super) fn catalog(&self, policy: &Policy) -> Catalog {
        let zone = Some(self.call.scope.row().timezone.clone());
        let test = self.call.environment == Environment::Test;
        if test && self.providers.is_empty() {
            return Catalog { zone, ..Catalog::default() };
        }
        let mut providers: Vec<CatalogProvider> = self.providers.iter().map(catalogued).collect();
        if test {
            let has = |providers: &[CatalogProvider], name: &str| providers.iter().any(|p| p.name == name);
            for name in named_providers(&policy.strategy) {
                if !has(&providers, &name) {
                    let channels = Channel::ALL.iter().copied().collect();
                    providers.push(CatalogProvider { name, channels, ..CatalogProvider::default() });
                }
            }
            for channel in Channel::ALL.iter().copied() {
                if !has(&providers, channel.word()) {
                    let channels = BTreeSet::from([channel]);
                    let name = channel.word().to_owned();
                    providers.push(CatalogProvider { name, channels, ..CatalogProvider::default() });
                }
            }
        }
        Catalog { zone, providers: Some(providers), ..Catalog::default() }
    }
}

fn catalogued(provider: &ProviderRecord) -> CatalogProvider {
    CatalogProvider {
        name: provider.name.clone(),
        channels: provider.channels.iter().copied().collect(),
        prices: provider.prices.clone(),
        confirms: provider.confirms.clone(),
        horizon: provider.horizon.clone(),
        ..CatalogProvider::default()
    }
}
