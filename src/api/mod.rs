//! The REST surface.
//!
//! **Knows** HTTP, JSON, keys and permissions, idempotency, cursors, problems, and the shape of
//! each request and answer. **Does not know** SQL, providers, and what a policy means.
//!
//! An endpoint is one value ([`endpoint::Endpoint`]) in a file of `resources/`; from the list of
//! all come the routes, the OpenAPI document and the validators. [`pipeline`] is the one order in
//! which a request is checked.

pub mod call;
pub mod checks;
pub mod conventions;
pub mod endpoint;
pub mod kept;
pub mod openapi;
pub mod pages;
mod pipeline;
mod resources;
pub mod sizes;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use serde_json::Value;

use conventions::idempotency::InFlight;
use conventions::limit::{Limiter, Rate, Steady};
use conventions::routes::Routes;
use conventions::validate::Validators;
use endpoint::Endpoint;
use sizes::Sizes;

use crate::engine::front::Front;
use crate::model::{Clock, Id, Ids, Instant, ScopeId, kinds};
use crate::store::rows::IdempotencyKey;
use crate::store::seal::Randomness;
use crate::store::{Peers, Registry, Store, StoreError};
use crate::webhooks::Webhooks;

/// Below it stands everything that needs a key.
pub const BASE_PATH: &str = "/notifications/v1";

/// What an operator may set.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The largest body.
    pub body_bytes_max: usize,
    /// The largest body of a batch.
    pub batch_bytes_max: usize,
    /// How much a key may ask.
    pub rate: Rate,
    /// How large may be what callers send.
    pub sizes: Sizes,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            body_bytes_max: 256 * 1024,
            batch_bytes_max: 4 * 1024 * 1024,
            rate: Rate::DEFAULT,
            sizes: Sizes::default(),
        }
    }
}

/// What the surface stands on. Time and randomness come in here.
pub struct Parts {
    /// The rows.
    pub store: Arc<dyn Store>,
    /// The engine.
    pub front: Arc<dyn Front>,
    /// Events on their way out.
    pub webhooks: Arc<Webhooks>,
    /// Both times of a scope.
    pub clock: Arc<dyn Clock>,
    /// For rate limits: the time since some fixed moment; never goes back.
    pub steady: Steady,
    /// The process's source of ids.
    pub ids: Arc<dyn Ids>,
    /// For new keys.
    pub random: Arc<dyn Randomness>,
    /// What an operator may set.
    pub settings: Settings,
    /// The other nodes, among which what a key may ask is divided.
    pub peers: Arc<Peers>,
}

/// What every request needs.
pub struct App {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) front: Arc<dyn Front>,
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) random: Arc<dyn Randomness>,
    settings: Settings,
    endpoints: Vec<Arc<Endpoint>>,
    routes: Routes,
    validators: Validators,
    document: Bytes,
    limiter: Limiter,
    peers: Arc<Peers>,
    in_flight: InFlight<(ScopeId, IdempotencyKey)>,
    used: Mutex<HashMap<Id<kinds::Key>, Instant>>,
}

/// The surface: a router to be served, and what is to be done for it from time to time.
#[derive(Clone)]
pub struct Api(Arc<App>);

impl Api {
    /// Makes routes, document and validators.
    ///
    /// # Errors
    /// A fault of the program: two types of one name in the document.
    pub fn new(parts: Parts) -> Result<Api, String> {
        let endpoints = resources::all();
        let mut routes = Routes::default();
        for (index, endpoint) in endpoints.iter().enumerate() {
            routes.add(endpoint.method.clone(), &endpoint.full_path(), index);
        }
        let mut document = openapi::document(&endpoints)?;
        parts.settings.sizes.write(&mut document);
        let text = document_text(&document);
        let checked = openapi::of_requests(&document, &endpoints);
        Ok(Api(Arc::new(App {
            registry: parts.store.registry(),
            front: parts.front,
            webhooks: parts.webhooks,
            clock: parts.clock,
            ids: parts.ids,
            random: parts.random,
            settings: parts.settings,
            endpoints: endpoints.into_iter().map(Arc::new).collect(),
            routes,
            validators: Validators::of(checked, openapi::FORMATS)?,
            document: text.into(),
            limiter: Limiter::new(parts.settings.rate, parts.steady),
            peers: parts.peers,
            in_flight: InFlight::default(),
            used: Mutex::default(),
        })))
    }

    /// The router, to be given to `axum::serve`.
    pub fn router(&self) -> Router {
        let app = Arc::clone(&self.0);
        Router::new().fallback(move |request: Request<Body>| pipeline::answer(Arc::clone(&app), request))
    }

    /// Forgets full buckets and writes when keys were last used. To be called each minute.
    ///
    /// # Errors
    /// Those of the registry; what could not be written is tried again the next time.
    pub async fn tidy(&self) -> Result<(), StoreError> {
        self.0.limiter.forget_full();
        let used = std::mem::take(&mut *self.0.used.lock().unwrap_or_else(PoisonError::into_inner));
        if used.is_empty() {
            return Ok(());
        }
        self.0.registry.keys_used(used.into_iter().collect()).await
    }
}

impl App {
    /// How many nodes answer, this one included.
    pub(super) fn nodes(&self) -> NonZeroU32 {
        NonZeroU32::new(self.peers.place().of).unwrap_or(NonZeroU32::MIN)
    }

    fn note_use(&self, key: Id<kinds::Key>, at: Instant) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(key, at);
    }
}

/// The OpenAPI document, as it is committed.
///
/// # Errors
/// Two types of one name.
pub fn openapi_text() -> Result<String, String> {
    openapi_text_of(&Settings::default())
}

/// The OpenAPI document, as a server with these settings answers it.
///
/// # Errors
/// Two types of one name.
pub fn openapi_text_of(settings: &Settings) -> Result<String, String> {
    let mut document = openapi::document(&resources::all())?;
    settings.sizes.write(&mut document);
    Ok(document_text(&document))
}

fn document_text(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}
