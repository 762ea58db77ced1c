//! What belongs to the whole installation: tenants, scopes and keys.

use crate::model::{Currency, Environment, Id, Instant, ScopeId, kinds};

use super::rows::{AuditRow, IdempotencyKey, Kept, NewAudit};
use super::scope::Answer;
use super::{Listed, Page};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRow {
    /// Its id.
    pub id: Id<kinds::Tenant>,
    /// Its name, unique within the installation.
    pub name: String,
    /// An IANA time zone, for contacts without one.
    pub timezone: String,
    /// The currency of its prices and limits.
    pub currency: Currency,
    /// When it was made, in real time.
    pub created_at: Instant,
}

/// One tenant in one environment.
#[derive(Clone, PartialEq, Eq)]
pub struct ScopeRow {
    /// Its number.
    pub id: ScopeId,
    /// Whose it is.
    pub tenant: Id<kinds::Tenant>,
    /// The tenant's name.
    pub tenant_name: String,
    /// The tenant's time zone.
    pub timezone: String,
    /// The tenant's currency.
    pub currency: Currency,
    /// Which environment.
    pub environment: Environment,
    /// The scope's key, sealed by the operator's.
    pub sealed_key: Vec<u8>,
    /// When its file wants to be opened next, on the scope's clock; none while nothing is due.
    pub wake_at: Option<Instant>,
}

/// A scope that is made with its tenant.
#[derive(Clone)]
pub struct NewScope {
    /// Which environment.
    pub environment: Environment,
}

/// An API key. The key itself is never kept.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its id.
    pub id: Id<kinds::Key>,
    /// The scope that it opens.
    pub scope: ScopeId,
    /// The environment of that scope; given by the store when read.
    pub environment: Environment,
    /// What its maker calls it.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// The last four characters of the key.
    pub hint: String,
    /// Its permissions, a bit each, in the caller's order.
    pub permissions: u8,
    /// When it was made, in real time.
    pub created_at: Instant,
    /// When it was last used, in real time; may lag.
    pub last_used_at: Option<Instant>,
    /// When it runs out, in real time.
    pub expires_at: Option<Instant>,
    /// When it was revoked, in real time.
    pub revoked_at: Option<Instant>,
}

/// What is written to the registry at once.
#[derive(Default)]
pub struct RegistryChange {
    /// The record of an idempotency key of a scope (`/keys` alone has its records here).
    pub keep: Option<(ScopeId, Kept)>,
    /// Keys that are made.
    pub keys: Vec<KeyRow>,
    /// Keys that are revoked: id, scope, when.
    pub keys_revoked: Vec<(Id<kinds::Key>, ScopeId, Instant)>,
    /// Keys that run out: id, scope, when.
    pub keys_expire: Vec<(Id<kinds::Key>, ScopeId, Instant)>,
    /// Providers of scopes, for callbacks.
    pub providers: Vec<(Id<kinds::Provider>, ScopeId)>,
    /// Providers that are gone.
    pub providers_gone: Vec<Id<kinds::Provider>>,
    /// Subjects erased: a restore applies them before it serves.
    pub erased: Vec<(ScopeId, super::rows::SubjectId, Instant)>,
    /// Entries for the registry's audit.
    pub audit: Vec<RegistryAudit>,
}

/// An entry of the registry's audit.
#[derive(Clone)]
pub struct RegistryAudit {
    /// Whose; none for the installation's own.
    pub scope: Option<ScopeId>,
    /// The entry.
    pub entry: NewAudit,
}

/// The answer to a change of the registry.
#[derive(Clone)]
pub enum RegistryCommitted {
    /// Written and durable.
    Applied,
    /// Its idempotency key was known, and this is the record that stands.
    Replayed(Box<Kept>),
}

/// The installation's rows. Other processes (`spine key …`) may write them at any time.
pub trait Registry: Send + Sync {
    /// Makes a tenant with its two scopes and their sealed keys. A name that is taken is a
    /// [`super::StoreError::Conflict`].
    fn make_tenant(&self, tenant: TenantRow) -> Answer<'_, Vec<ScopeRow>>;
    /// All tenants, in the order of their making.
    fn tenants(&self) -> Answer<'_, Vec<TenantRow>>;
    /// All scopes.
    fn scopes(&self) -> Answer<'_, Vec<ScopeRow>>;
    /// One scope.
    fn scope(&self, id: ScopeId) -> Answer<'_, Option<ScopeRow>>;
    /// Writes.
    fn commit(&self, change: RegistryChange) -> Answer<'_, RegistryCommitted>;
    /// The key with this SHA-256, also one that is revoked or has run out. Answered from memory
    /// unless the registry was written since, so that a key made or revoked by another process is
    /// honoured at the next request.
    fn key_by_hash(&self, hash: [u8; 32]) -> Answer<'_, Option<KeyRow>>;
    /// A key of a scope.
    fn key(&self, scope: ScopeId, id: Id<kinds::Key>) -> Answer<'_, Option<KeyRow>>;
    /// The keys of a tenant's scope, newest first.
    fn keys(&self, scope: ScopeId, page: Page) -> Answer<'_, Listed<KeyRow>>;
    /// Notes when keys were last used; may be called rarely and in bulk.
    fn keys_used(&self, used: Vec<(Id<kinds::Key>, Instant)>) -> Answer<'_, ()>;
    /// The scope of a provider.
    fn provider_scope(&self, id: Id<kinds::Provider>) -> Answer<'_, Option<ScopeId>>;
    /// The record of an idempotency key.
    fn idempotency(&self, scope: ScopeId, key: IdempotencyKey) -> Answer<'_, Option<Kept>>;
    /// The registry's audit of a scope, newest first.
    fn audit(&self, scope: ScopeId, page: Page) -> Answer<'_, Listed<AuditRow>>;
    /// Subjects of a scope that were erased.
    fn erased(&self, scope: ScopeId) -> Answer<'_, Vec<super::rows::SubjectId>>;
    /// Drops answers that were kept before this, in real time.
    fn drop_kept(&self, before: Instant) -> Answer<'_, ()>;
    /// Whether a commit has failed in a way after which no further change is taken.
    fn has_failed(&self) -> bool {
        false
    }
    /// Leaves word when a scope's file wants to be opened next.
    fn set_wake_at(&self, scope: ScopeId, at: Option<Instant>) -> Answer<'_, ()>;
}
