//! What a tenant sets up: contacts, templates, policies, providers, quotas, endpoints.

use crate::model::{Channel, Id, Instant, kinds};
use crate::store::Position;

use super::AddressHash;

/// A person. Changed in place, under a version.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactRow {
    /// Its id.
    pub id: Id<kinds::Contact>,
    /// The caller's own id, unique within the scope.
    pub external_id: Option<String>,
    /// How often it was written; given by the store, from 1.
    pub version: u32,
    /// When it was made, on the scope's clock.
    pub created_at: Instant,
    /// When it was last changed, on the scope's clock.
    pub updated_at: Instant,
    /// What stands in clear.
    pub doc: Vec<u8>,
    /// What is sealed under the contact's key.
    pub sealed: Vec<u8>,
}

/// Whether an address wants a channel. Belongs to channel and address, and outlives the contact.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsentRow {
    /// The channel.
    pub channel: Channel,
    /// The keyed hash of the address.
    pub address: AddressHash,
    /// `true` for opted out.
    pub opted_out: bool,
    /// Since when, on the scope's clock.
    pub at: Instant,
}

/// What is published in versions under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionKind {
    /// Templates.
    Template,
    /// Policies.
    Policy,
}

/// One version of a template or a policy. Written once and kept for ever, also when its name is
/// deleted: messages on their way go on with theirs.
#[derive(Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// The name.
    pub name: String,
    /// The version, from 1, counted on after a deletion.
    pub version: u32,
    /// The id: of the template or of the policy, by its kind.
    pub id: u128,
    /// When it was published, on the scope's clock.
    pub created_at: Instant,
    /// What was published, in the caller's form.
    pub doc: Vec<u8>,
}

/// A name under which versions are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionName {
    /// The position of the name: that of its first version.
    pub n: Position,
    /// The name.
    pub name: String,
    /// The newest version, also of a deleted name.
    pub newest: u32,
    /// The newest version at its deletion; versions up to this one are gone for callers.
    pub deleted: u32,
}

/// A provider that a tenant made.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderRow {
    /// Its id.
    pub id: Id<kinds::Provider>,
    /// Its name, unique within the scope.
    pub name: String,
    /// How often it was written; given by the store, from 1.
    pub version: u32,
    /// When it was made, on the scope's clock.
    pub created_at: Instant,
    /// Its settings in the caller's form.
    pub doc: Vec<u8>,
    /// Its credentials, sealed under the scope's key.
    pub credentials: Option<Vec<u8>>,
}

/// What is known of a provider's health. Kept by name, since the sandbox has providers that
/// nobody made.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderStateRow {
    /// The provider's name.
    pub provider: String,
    /// Breaker and pauses, in the caller's form.
    pub doc: Vec<u8>,
    /// How often it was written: what was read, 0 for none. Always 0 where there is one node alone.
    pub version: u32,
}

/// The limits of one quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaRow {
    /// `messages`, or a channel's name.
    pub name: String,
    /// How many a day.
    pub day: Option<u64>,
    /// How many a month.
    pub month: Option<u64>,
}

/// The windows of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UsageWindow {
    /// A day in UTC.
    Day,
    /// A month in UTC.
    Month,
}

/// How much of a quota was used in one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// `messages`, or a channel's name.
    pub name: String,
    /// Which window.
    pub window: UsageWindow,
    /// When the window began.
    pub start: Instant,
    /// How much was used.
    pub used: u64,
    /// The highest threshold in percent that was told, 0 for none.
    pub told_percent: u8,
    /// Places that calls under way take: those of the name, the same in each of its rows. On a shared
    /// store alone.
    pub held: u64,
}

/// An address that receives events.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointRow {
    /// Its id.
    pub id: Id<kinds::Endpoint>,
    /// How often it was written; given by the store, from 1. A moved position is no write.
    pub version: u32,
    /// When it was made, on the scope's clock.
    pub created_at: Instant,
    /// Whether it gets events.
    pub enabled: bool,
    /// Events up to this position were taken up for it.
    pub position: Position,
    /// Its settings and health, in the caller's form.
    pub doc: Vec<u8>,
    /// Its secrets, sealed under the scope's key.
    pub secrets: Vec<u8>,
}
