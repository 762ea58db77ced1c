//! What callers send and read of a provider.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::api::endpoint::Request;
use crate::api::resources::patch::Patch;
use crate::engine::records::ProviderRecord;
use crate::model::shapes::text::ObjectName;
use crate::model::shapes::{Breaker, BreakerState};
use crate::model::{Channel, Confirmation, Id, Instant, Money, Span, kinds};

/// A map by channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ByChannel<T>(pub(super) BTreeMap<Channel, T>);

impl<T> Default for ByChannel<T> {
    fn default() -> Self {
        ByChannel(BTreeMap::new())
    }
}

impl<T: JsonSchema> JsonSchema for ByChannel<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}ByChannel", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        let properties: Map<String, Value> =
            Channel::WORDS.iter().map(|word| ((*word).to_owned(), value.clone().to_value())).collect();
        json_schema!({"type": "object", "properties": properties, "additionalProperties": false})
    }
}

/// What a provider confirms beyond acceptance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Confirmations(
    #[schemars(length(max = 3), extend("uniqueItems" = true))] pub(super) Vec<Confirms>,
);

/// A confirmation beyond acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Confirms {
    /// It arrived.
    Delivered,
    /// It was seen.
    Read,
    /// It was answered.
    Replied,
}

impl From<Confirms> for Confirmation {
    fn from(confirms: Confirms) -> Confirmation {
        match confirms {
            Confirms::Delivered => Confirmation::Delivered,
            Confirms::Read => Confirmation::Read,
            Confirms::Replied => Confirmation::Replied,
        }
    }
}

/// Channels: at least one, each once.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct ProviderChannels(
    #[schemars(length(min = 1), extend("uniqueItems" = true))] pub(super) Vec<Channel>,
);

/// A weight in a route without `via`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Weight(#[schemars(range(min = 0, max = 10_000))] pub(super) u32);

/// Attempts a second.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct PerSecond(#[schemars(range(min = 1, max = 1_000_000))] pub(super) u32);

/// A kind of provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct KindName(#[schemars(length(min = 1, max = 64))] pub(super) String);

/// A provider.
#[derive(Serialize, JsonSchema)]
pub(super) struct Provider {
    /// Its id.
    id: Id<kinds::Provider>,
    /// What `via` names.
    name: String,
    /// Which adapter speaks to it.
    kind: String,
    /// What it carries.
    channels: Vec<Channel>,
    /// What an attempt costs, by channel.
    prices: BTreeMap<String, Money>,
    /// Its settings, in its kind's form.
    settings: Map<String, Value>,
    /// Its weight in a route without `via`.
    weight: u32,
    /// How many attempts a second.
    rate_per_second: Option<u32>,
    /// What it confirms, by channel, beyond acceptance.
    confirms: BTreeMap<String, Vec<Confirmation>>,
    /// How long a confirmation is waited for, by channel.
    #[serde(serialize_with = "in_hours")]
    #[schemars(with = "BTreeMap<String, Span>")]
    horizon: BTreeMap<String, Span>,
    /// Whether it is used.
    breaker: BreakerState,
    /// When it was made.
    created_at: Instant,
}

/// A provider to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateProvider {
    /// What `via` names; unique in the scope.
    pub(super) name: ObjectName,
    /// Which adapter speaks to it.
    pub(super) kind: KindName,
    /// What it carries; all that its kind can, where nothing is said.
    pub(super) channels: Option<ProviderChannels>,
    /// What an attempt costs, by channel, in the scope's currency.
    pub(super) prices: Option<ByChannel<Money>>,
    /// In its kind's form.
    pub(super) settings: Option<Map<String, Value>>,
    /// In its kind's form; never given back.
    pub(super) credentials: Option<Map<String, Value>>,
    /// Its weight in a route without `via`, 100 where nothing is said.
    pub(super) weight: Option<Weight>,
    /// How many attempts a second; no limit where nothing is said.
    pub(super) rate_per_second: Option<PerSecond>,
    /// What it confirms, by channel, where that is not what its kind does.
    pub(super) confirms: Option<ByChannel<Confirmations>>,
    /// How long a confirmation is waited for, by channel, where that is not 24 hours.
    pub(super) horizon: Option<ByChannel<Span>>,
}

impl Request for CreateProvider {}

/// What is changed of a provider.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "stands for its schema alone: a patch is applied as JSON")]
pub(super) struct PatchProvider {
    /// What it carries.
    channels: Option<ProviderChannels>,
    /// What an attempt costs; a null takes a price away.
    prices: Option<ByChannel<Option<Money>>>,
    /// In its kind's form.
    settings: Option<Map<String, Value>>,
    /// In its kind's form, whole: those before are replaced.
    credentials: Option<Map<String, Value>>,
    /// Its weight in a route without `via`.
    weight: Option<Weight>,
    /// How many attempts a second.
    rate_per_second: Option<PerSecond>,
    /// What it confirms, by channel.
    confirms: Option<ByChannel<Option<Confirmations>>>,
    /// How long a confirmation is waited for, by channel.
    horizon: Option<ByChannel<Option<Span>>>,
}

impl Request for Patch<PatchProvider> {}

pub(super) fn words<T>(map: BTreeMap<Channel, T>) -> BTreeMap<String, T> {
    map.into_iter().map(|(channel, value)| (channel.word().to_owned(), value)).collect()
}

fn in_hours<S: Serializer>(horizon: &BTreeMap<String, Span>, s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(horizon.iter().map(|(channel, span)| (channel, span.in_hours())))
}

pub(super) fn shown(record: &ProviderRecord, breaker: BreakerState) -> Provider {
    Provider {
        id: record.id,
        name: record.name.clone(),
        kind: record.kind.clone(),
        channels: record.channels.clone(),
        prices: words(record.prices.clone()),
        settings: record.settings.as_object().cloned().unwrap_or_default(),
        weight: record.weight,
        rate_per_second: record.rate_per_second,
        confirms: words(record.confirms.clone()),
        horizon: words(record.horizon.clone()),
        breaker,
        created_at: record.created_at,
    }
}

pub(super) fn state(breakers: &BTreeMap<String, Breaker>, name: &str) -> BreakerState {
    breakers.get(name).map_or(BreakerState::Closed, |breaker| breaker.state)
}

/// The fields of a provider that a patch applies to, as a `CreateProvider`.
pub(super) fn fields_of(record: &ProviderRecord) -> Value {
    json!({
        "name": record.name,
        "kind": record.kind,
        "channels": record.channels,
        "prices": words(record.prices.clone()),
        "settings": record.settings,
        "weight": record.weight,
        "rate_per_second": record.rate_per_second,
        "confirms": words(record.confirms.clone()),
        "horizon": words(record.horizon.clone()),
    })
}

pub(super) fn only_carried(mut wanted: CreateProvider) -> CreateProvider {
    if let Some(channels) = wanted.channels.as_ref().map(|c| c.0.clone()) {
        let carried = |channel: &Channel| channels.contains(channel);
        wanted.prices.iter_mut().for_each(|map| map.0.retain(|c, _| carried(c)));
        wanted.confirms.iter_mut().for_each(|map| map.0.retain(|c, _| carried(c)));
        wanted.horizon.iter_mut().for_each(|map| map.0.retain(|c, _| carried(c)));
    }
    wanted
}
