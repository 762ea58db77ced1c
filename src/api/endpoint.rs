//! What an endpoint is: one value, from which come its route, its checks and its place in the
//! OpenAPI document.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::{Answer, Call, OpenCall};
use super::conventions::problem::{Code, Fault, Problem};
use super::conventions::validate::into_type;
use crate::model::{Environment, Instant};

/// What a key may be used for. None implies another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Every GET but `/keys`.
    Read,
    /// Messages, contacts, consent, the test clock, test replies.
    Send,
    /// All other mutations, and `/keys`.
    Manage,
}

impl Permission {
    /// All of them, in the order of their bits.
    pub const ALL: [Permission; 3] = [Permission::Read, Permission::Send, Permission::Manage];

    /// Its bit in a key's row.
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// How it is spelt.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Send => "send",
            Permission::Manage => "manage",
        }
    }

    /// The permissions of a row's bits.
    pub fn of_bits(bits: u8) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |p| bits & p.bit() != 0)
    }
}

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Keys with this permission.
    Permission(Permission),
    /// Every key.
    AnyKey,
    /// Everyone; what is sent proves itself, or nothing needs to.
    Open,
}

/// How large a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodySize {
    /// 256 KiB by default.
    Single,
    /// 4 MiB by default.
    Batch,
}

/// How an endpoint stands to the idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// Takes none.
    None,
    /// Needs one; its record is looked up before anything is done.
    Needed,
    /// Needs one; its record is looked up only where nothing was committed. For the hot path, where
    /// the commit itself tells that the key was known.
    NeededAndToldByTheCommit,
}

/// What a request is checked against besides its schema.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    /// Of the key.
    pub environment: Environment,
    /// On the scope's clock.
    pub now: Instant,
}

/// A request's body or query, as its type: the schema checks each field, this what lies across them.
pub trait Request: DeserializeOwned + JsonSchema + Send + 'static {
    /// Adds the faults that no single field shows. `value` may have any shape.
    fn across(value: &Value, surroundings: &Surroundings, faults: &mut Vec<Fault>) {
        let _ = (value, surroundings, faults);
    }
}

/// No fields.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl Request for Nothing {}

/// A handler's future.
pub type Handled = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;

type KeyedHandler = Arc<dyn Fn(Call, Value, Value) -> Handled + Send + Sync>;
type OpenHandler = Arc<dyn Fn(OpenCall) -> Handled + Send + Sync>;

/// What does the work of an endpoint.
#[derive(Clone)]
pub(super) enum Handler {
    /// For a caller with a key, in the key's scope.
    Keyed(KeyedHandler),
    /// For anyone.
    Open(OpenHandler),
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;
type Across = fn(&Value, &Surroundings, &mut Vec<Fault>);
type Reads = fn(Value) -> Result<(), Vec<Fault>>;

/// A media type that an answer may have besides JSON.
pub type Media = &'static str;

/// The body or the query of a request.
#[derive(Clone)]
pub struct Takes {
    /// Its schema.
    pub schema: SchemaOf,
    /// The name of the schema under `components/schemas`.
    pub name: String,
    /// The pointer of the schema in the document.
    pub pointer: String,
    /// What lies across its fields.
    pub across: Across,
    /// Reads a checked value as its type: the little that a schema lets through and the type does not.
    pub reads: Reads,
    /// Whether an empty body stands for `{}`.
    pub may_be_empty: bool,
}

/// An answer that is no problem.
#[derive(Clone, Copy)]
pub struct Gives {
    /// Its status.
    pub status: u16,
    /// What it is.
    pub about: &'static str,
    /// Its schema, where it has a JSON body.
    pub schema: Option<SchemaOf>,
}

/// An endpoint.
#[derive(Clone)]
pub struct Endpoint {
    /// Its method.
    pub method: Method,
    /// Its path below the base path, or from the root where it begins with `//`.
    pub path: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// The group that it belongs to.
    pub tag: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether it is for test keys alone.
    pub test_only: bool,
    /// How it stands to the idempotency key.
    pub idempotency: Idempotency,
    /// Whether the record of its idempotency key lies in the registry.
    pub in_registry: bool,
    /// Its body, where it takes one.
    pub takes: Option<Takes>,
    /// Whether faults of shape are the handler's to tell (a batch tells them by item).
    pub tells_faults: bool,
    /// How large its body may be.
    pub size: BodySize,
    /// Its query parameters.
    pub query: Takes,
    /// Its good answers.
    pub gives: Vec<Gives>,
    /// The problems that it has beyond those of the conventions.
    pub problems: Vec<Code>,
    pub(super) handler: Handler,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

fn takes<T: Request>() -> Takes {
    Takes {
        schema: |generator| generator.subschema_for::<T>(),
        pointer: format!("#/components/schemas/{}", T::schema_name()),
        name: T::schema_name().into_owned(),
        across: T::across,
        reads: |value| into_type::<T>(value).map(drop),
        may_be_empty: false,
    }
}

impl Endpoint {
    fn new(method: Method, path: &'static str, access: Access, query: Takes, handler: Handler) -> Endpoint {
        Endpoint {
            method,
            path,
            summary: "",
            tag: "",
            access,
            test_only: false,
            idempotency: Idempotency::None,
            in_registry: false,
            takes: None,
            tells_faults: false,
            size: BodySize::Single,
            query,
            gives: Vec::new(),
            problems: Vec::new(),
            handler,
        }
    }

    /// A GET with its query.
    pub fn get<Q, F, Fut>(path: &'static str, access: Access, handler: F) -> Endpoint
    where
        Q: Request,
        F: Fn(Call, Q) -> Fut + Send + Sync + Copy + 'static,
        Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        Endpoint::new(
            Method::GET,
            path,
            access,
            takes::<Q>(),
            Handler::Keyed(Arc::new(move |call, _, query| {
                Box::pin(async move {
                    match into_type::<Q>(query) {
                        Ok(query) => handler(call, query).await,
                        Err(faults) => Err(Problem::parameters(as_parameters(faults))),
                    }
                })
            })),
        )
    }

    /// An endpoint that is open to all.
    pub fn open<F, Fut>(method: Method, path: &'static str, handler: F) -> Endpoint
    where
        F: Fn(OpenCall) -> Fut + Send + Sync + Copy + 'static,
        Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        let handler = Handler::Open(Arc::new(move |call| Box::pin(handler(call))));
        Endpoint::new(method, path, Access::Open, takes::<Nothing>(), handler)
    }

    /// A mutation with its body; it needs an idempotency key.
    pub fn change<B, F, Fut>(
        method: Method,
        path: &'static str,
        permission: Permission,
        handler: F,
    ) -> Endpoint
    where
        B: Request,
        F: Fn(Call, B) -> Fut + Send + Sync + Copy + 'static,
        Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        let handler = Handler::Keyed(Arc::new(move |call, body, _| {
            Box::pin(async move {
                match into_type::<B>(body) {
                    Ok(body) => handler(call, body).await,
                    Err(faults) => Err(Problem::invalid(faults)),
                }
            })
        }));
        let access = Access::Permission(permission);
        let mut endpoint = Endpoint::new(method, path, access, takes::<Nothing>(), handler);
        endpoint.idempotency = Idempotency::Needed;
        endpoint.takes = Some(takes::<B>());
        endpoint
    }

    /// A POST that changes something.
    pub fn post<B, F, Fut>(path: &'static str, permission: Permission, handler: F) -> Endpoint
    where
        B: Request,
        F: Fn(Call, B) -> Fut + Send + Sync + Copy + 'static,
        Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        Endpoint::change(Method::POST, path, permission, handler)
    }

    /// A DELETE; it takes no body.
    pub fn delete<F, Fut>(path: &'static str, permission: Permission, handler: F) -> Endpoint
    where
        F: Fn(Call, Nothing) -> Fut + Send + Sync + Copy + 'static,
        Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        Endpoint::change(Method::DELETE, path, permission, handler).may_be_empty()
    }

    /// A POST that asks and changes nothing: it takes no idempotency key.
    #[must_use]
    pub fn asking(mut self) -> Endpoint {
        self.idempotency = Idempotency::None;
        self.access = Access::AnyKey;
        self
    }

    /// What it does, in one line, and the group that it belongs to.
    #[must_use]
    pub fn about(mut self, tag: &'static str, summary: &'static str) -> Endpoint {
        (self.tag, self.summary) = (tag, summary);
        self
    }

    /// An empty body stands for `{}`.
    #[must_use]
    pub fn may_be_empty(mut self) -> Endpoint {
        if let Some(takes) = &mut self.takes {
            takes.may_be_empty = true;
        }
        self
    }

    /// A good answer with a body.
    #[must_use]
    pub fn gives<T: JsonSchema>(mut self, status: u16, about: &'static str) -> Endpoint {
        self.gives.push(Gives { status, about, schema: Some(|generator| generator.subschema_for::<T>()) });
        self
    }

    /// A good answer without a JSON body.
    #[must_use]
    pub fn gives_no_json(mut self, status: u16, about: &'static str) -> Endpoint {
        self.gives.push(Gives { status, about, schema: None });
        self
    }

    /// Problems beyond those of the conventions.
    #[must_use]
    pub fn refuses(mut self, codes: &[Code]) -> Endpoint {
        self.problems.extend_from_slice(codes);
        self
    }

    /// On the hot path: the record of the idempotency key is looked up only where the commit did
    /// not tell of it.
    #[must_use]
    pub fn told_by_the_commit(mut self) -> Endpoint {
        self.idempotency = Idempotency::NeededAndToldByTheCommit;
        self
    }

    /// The record of its idempotency key lies in the registry.
    #[must_use]
    pub fn in_registry(mut self) -> Endpoint {
        self.in_registry = true;
        self
    }

    /// A batch: a larger body, whose faults of shape the handler tells by item.
    #[must_use]
    pub fn batch(mut self) -> Endpoint {
        (self.size, self.tells_faults) = (BodySize::Batch, true);
        self
    }

    /// For test keys alone.
    #[must_use]
    pub fn test_only(mut self) -> Endpoint {
        self.test_only = true;
        self
    }

    /// Its path from the root.
    #[must_use]
    pub fn full_path(&self) -> String {
        match self.path.strip_prefix("//") {
            Some(rest) => format!("/{rest}"),
            None => format!("{}{}", super::BASE_PATH, self.path),
        }
    }
}

fn as_parameters(faults: Vec<Fault>) -> Vec<Fault> {
    faults
        .into_iter()
        .map(|f| Fault::parameter(f.pointer.unwrap_or_default().trim_start_matches('/'), f.message))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_bits_of_their_own() {
        assert_eq!(Permission::ALL.map(Permission::bit), [1, 2, 4]);
        let words: Vec<_> = Permission::of_bits(5).map(Permission::word).collect();
        assert_eq!(words, ["read", "manage"]);
    }
}
