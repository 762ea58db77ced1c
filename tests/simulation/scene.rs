//! What there is when a history begins: tenants, providers, people, policies, endpoints.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use spine::engine::records::{ContactRecord, PolicyRecord, ProviderRecord};
use spine::model::{Channel, Currency, Environment, Id, Instant, Money, ScopeId, Span, kinds};
use spine::providers::signature::Secret;
use spine::store::memory::MemoryStore;
use spine::store::rows::{QuotaRow, VersionKind, VersionRow};
use spine::store::seal::Scope;
use spine::store::{
    Change, ContactChange, EndpointChange, ProviderChange, Put, RegistryChange, Store, StoreError, TenantRow,
    VersionChange,
};
use spine::webhooks::{Endpoint, Wanted};

use super::core::T0;
use super::history::{History, POLICIES, What, Whose};

/// The secret that gateway and receivers share with us.
pub(crate) const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODw==";
/// How long a confirmation is waited for.
const HORIZON: Span = Span::from_s(40);

/// What is there.
pub(crate) struct Scene {
    /// The handles of who looks at the rows and takes no part.
    pub(crate) scopes: BTreeMap<Whose, Arc<Scope>>,
    pub(crate) contacts: Vec<Id<kinds::Contact>>,
    pub(crate) endpoints: Vec<Id<kinds::Endpoint>>,
}

/// The answer of a store that answers at once.
pub(crate) fn now<T>(asked: impl Future<Output = T>) -> T {
    asked.now_or_never().expect("a store that answers at once")
}

fn id<K>(number: u128) -> Id<K> {
    Id::from_u128((u128::from(T0.unsigned_abs() - 1) << 80) | number)
}

impl Scene {
    /// Sets up what a history needs.
    pub(crate) fn set_up(store: &MemoryStore, history: &History) -> Scene {
        let node = store.node("the operator", Span::from_s(1));
        let mut scopes = BTreeMap::new();
        let is_used = |whose: Whose| {
            history.steps.iter().any(|step| matches!(&step.what, What::Send(send) if send.whose == whose))
        };
        for (number, name) in [(1, "acme"), (2, "other")] {
            let tenant = TenantRow {
                id: id(number),
                name: name.to_owned(),
                timezone: "UTC".to_owned(),
                currency: Currency::EUR,
                created_at: Instant::from_ms(T0),
            };
            // The other one is always there: its rows are where something could leak to.
            for row in now(node.registry().make_tenant(tenant)).expect("a tenant") {
                let whose = match (name, row.environment) {
                    ("acme", Environment::Live) => Whose::Live,
                    ("acme", Environment::Test) => Whose::Test,
                    (_, Environment::Live) => Whose::Other,
                    (_, Environment::Test) => continue,
                };
                if whose != Whose::Live && !is_used(whose) {
                    continue;
                }
                scopes.insert(whose, now(node.scope(row.id)).expect("a scope"));
            }
        }
        let mut scene = Scene { scopes, contacts: vec![id(10), id(11)], endpoints: Vec::new() };
        for (number, scope) in (1_u128..).zip(scene.scopes.values()) {
            let (mut change, mut registry) = (Change::default(), RegistryChange::default());
            scene.providers(scope, number * 100, history, &mut change, &mut registry);
            scene.people(scope, &mut change).expect("contacts");
            policies(&mut change, number * 1_000);
            if let Some(day) = history.quota {
                change.quotas.push(QuotaRow { name: "sms".to_owned(), day: Some(day), month: None });
            }
            now(scope.commit(change)).map(drop).expect("a scene");
            now(node.registry().commit(registry)).map(drop).expect("a scene");
        }
        for endpoint in 0..history.endpoints {
            let scope = &scene.scopes[&Whose::Live];
            let made = endpoint_of(scope, id(20 + endpoint as u128), endpoint).expect("an endpoint");
            let put = EndpointChange::Put(Put { row: made.row(), expected: None });
            now(scope.commit(Change { endpoints: vec![put], ..Change::default() }))
                .map(drop)
                .expect("an endpoint");
            scene.endpoints.push(made.id);
        }
        now(node.nodes().leave()).expect("an operator who leaves");
        scene
    }

    /// The scope of somebody.
    pub(crate) fn id(&self, whose: Whose) -> Option<ScopeId> {
        self.scopes.get(&whose).map(|scope| scope.id())
    }

    fn providers(
        &self,
        scope: &Scope,
        base: u128,
        history: &History,
        change: &mut Change,
        registry: &mut RegistryChange,
    ) {
        for (n, name) in (1_u128..).zip(["a", "b"]) {
            let kind = if scope.row().environment == Environment::Live { "http" } else { "sandbox" };
            let mut record =
                ProviderRecord::new(id(base + n), name.to_owned(), kind.to_owned(), Instant::from_ms(T0));
            record.channels =
                vec![Channel::Sms, Channel::Email, Channel::Whatsapp, Channel::Push, Channel::Voice];
            for channel in &record.channels {
                record.horizon.insert(*channel, HORIZON);
            }
            record.prices.insert(Channel::Sms, Money { micros: 100_000, currency: Currency::EUR });
            if kind == "http" {
                record.settings = json!({"url": format!("http://127.0.0.1/gw/{name}")});
                record.set_credentials(scope, &json!({"secret": SECRET})).expect("a sealed secret");
            } else {
                record.settings = json!({});
            }
            record.rate_per_second = history.rate.filter(|_| name == "a");
            registry.providers.push((record.id, scope.id()));
            let row = record.row().expect("a provider's row");
            change.providers.push(ProviderChange::Put(Put { row, expected: None }));
        }
    }

    fn people(&self, scope: &Scope, change: &mut Change) -> Result<(), StoreError> {
        for (n, contact) in self.contacts.iter().enumerate() {
            let addresses = match n {
                0 => json!({"sms": "+4915100000001", "email": "a@example.org", "whatsapp": "+4915100000001"}),
                _ => json!({"sms": "+4915100000002", "push": "token-2", "voice": "+4915100000002"}),
            };
            let record = ContactRecord {
                id: *contact,
                version: 0,
                external_id: None,
                name: None,
                addresses: read(addresses),
                locale: None,
                timezone: (n == 0).then(|| read(json!("Europe/London"))),
                country: None,
                attributes: read(json!({})),
                metadata: read(json!({})),
                waiting: BTreeMap::new(),
                created_at: Instant::from_ms(T0),
                updated_at: Instant::from_ms(T0),
            };
            let key = now(scope.subject_key((*contact).into()))?;
            key.keep_in(change);
            change.contacts.push(ContactChange::Put(Put { row: record.row(scope, &key)?, expected: None }));
        }
        Ok(())
    }
}

/// A value of a shape.
pub(crate) fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a value of this shape")
}

fn endpoint_of(scope: &Scope, id: Id<kinds::Endpoint>, place: usize) -> Result<Endpoint, StoreError> {
    let wanted = Wanted {
        url: format!("http://127.0.0.1/hook/{place}"),
        events: vec!["*".to_owned()],
        description: None,
    };
    Endpoint::make(scope, id, wanted, &Secret::parse(SECRET).expect("a secret"), Instant::from_ms(T0))
}

/// What `use` needs of others stands before them.
fn policies(change: &mut Change, base: u128) {
    for (n, (name, source)) in (1_u128..).zip(POLICIES) {
        let row = policy_row(name, source, 1, base + n);
        change.versions.push(VersionChange::Publish(VersionKind::Policy, row));
    }
}

/// A version of a policy.
pub(crate) fn policy_row(name: &str, source: &str, version: u32, number: u128) -> VersionRow {
    let uses = if source.contains("use fallback") { vec!["fallback@1".to_owned()] } else { Vec::new() };
    let record = PolicyRecord { source: source.to_owned(), uses, findings: json!([]), bounds: json!({}) };
    VersionRow {
        name: name.to_owned(),
        version,
        id: id::<kinds::Policy>(number).as_u128(),
        created_at: Instant::from_ms(T0),
        doc: record.doc().expect("a policy's row"),
    }
}
