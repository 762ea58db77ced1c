//! The one HTTP client by which calls leave this process: to providers and to webhook endpoints.
//!
//! It follows no redirect, uses no proxy, and connects to no address inside the network unless the
//! operator allows it. It tells a call that was never made from one whose answer did not come.

mod guard;
mod tls;

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use url::{Host, Url};

pub(crate) use tls::configuration as tls_configuration;

/// How calls leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether loopback, private, link-local and metadata addresses may be called.
    pub allow_private_addresses: bool,
    /// From the name's resolution to the end of the TLS handshake.
    pub connect_time_max: Duration,
    /// The whole call.
    pub call_time_max: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            allow_private_addresses: false,
            connect_time_max: Duration::from_secs(3),
            call_time_max: Duration::from_secs(15),
        }
    }
}

/// The most bytes of an answer's body that are read; what is beyond is not looked at.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// An idle connection is closed before the receiver does it (Node's servers: after 5 s), so that a
/// call seldom meets one that is just being closed, which would look like a call without an answer.
const IDLE: Duration = Duration::from_secs(4);

/// Asks for the addresses of a name. A test gives its own.
pub trait Names: Send + Sync + 'static {
    /// The addresses of `host`.
    fn look_up(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            Ok(tokio::net::lookup_host((host.as_str(), 0)).await?.map(|found| found.ip()).collect())
        })
    }
}

/// Why a URL may not be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL of `http` or `https` with a host.
    #[error("must be an absolute `http` or `https` URL")]
    Form,
    /// A name and password before the host.
    #[error("must not hold a user name or password; use `credentials`")]
    UserInfo,
    /// It leads inside the network.
    #[error("{0}")]
    Refused(#[from] Refused),
}

/// An address that may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "leads to an address that may not be called ({what}); the operator's `outbound.allow_private_addresses` decides"
)]
pub struct Refused {
    /// The kind of address.
    pub what: &'static str,
}

/// Why a call has no answer. Its texts name neither the URL nor what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The address may not be called. Nothing was sent.
    #[error("the URL {0}")]
    Refused(Refused),
    /// No connection was made. Nothing was sent.
    #[error("no connection: {0}")]
    NotConnected(String),
    /// The request was sent, or may have been, and no answer came.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

/// What came back. Its `Debug` shows no body.
#[derive(Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, up to [`ANSWER_BYTES_MAX`], or what of it came before the connection broke.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be made")]
pub struct OutboundError(#[from] reqwest::Error);

/// How a request leaves and its answer comes. HTTP stands behind it; a simulation gives its own.
pub trait Transport: Send + Sync + 'static {
    /// `POST`s `body` once. An answer with any status is a [`Reply`].
    fn post(
        &self,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> BoxFuture<'static, Result<Reply, CallError>>;
}

/// The client. Cheap to clone: clones share their connections.
#[derive(Clone)]
pub struct Outbound {
    transport: Arc<dyn Transport>,
    names: Arc<dyn Names>,
    settings: Settings,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Outbound {
    /// A client that asks the operating system for names.
    ///
    /// # Errors
    /// Where the TLS configuration is refused.
    pub fn new(settings: Settings) -> Result<Outbound, OutboundError> {
        Outbound::with_names(settings, Arc::new(SystemNames))
    }

    /// A client that asks `names`.
    ///
    /// # Errors
    /// Where the TLS configuration is refused.
    pub fn with_names(settings: Settings, names: Arc<dyn Names>) -> Result<Outbound, OutboundError> {
        let guard = Guard { names: Arc::clone(&names), allow_private: settings.allow_private_addresses };
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::configuration())
            .dns_resolver(Arc::new(guard))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(settings.connect_time_max)
            .timeout(settings.call_time_max)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("spine/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Outbound { transport: Arc::new(Http(client)), names, settings })
    }

    /// A client whose calls leave by `transport`, and that asks the operating system for names.
    #[must_use]
    pub fn through(transport: Arc<dyn Transport>, settings: Settings) -> Outbound {
        Outbound { transport, names: Arc::new(SystemNames), settings }
    }

    /// Whether addresses inside the network may be called.
    #[must_use]
    pub fn allows_private_addresses(&self) -> bool {
        self.settings.allow_private_addresses
    }

    /// Reads a URL that is about to be set, and looks where it leads now. A name that does not
    /// resolve is taken: each call tells the error. Each connection looks again.
    ///
    /// # Errors
    /// Where it is no URL for calls, or leads inside the network and may not.
    pub async fn check(&self, text: &str) -> Result<Url, UrlError> {
        let url = parse(text)?;
        self.literal(&url)?;
        if let Some(Host::Domain(name)) = url.host() {
            // Bounded like a connection, since a caller waits for it.
            let found =
                tokio::time::timeout(self.settings.connect_time_max, self.names.look_up(name.to_owned()))
                    .await;
            if let Ok(Ok(addresses)) = found {
                allowed(&addresses, self.settings.allow_private_addresses)?;
            }
        }
        Ok(url)
    }

    /// Refuses an address that stands in the URL itself, of which no resolver is asked.
    fn literal(&self, url: &Url) -> Result<(), Refused> {
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        allowed(&[address], self.settings.allow_private_addresses)
    }

    /// `POST`s `body` once. An answer with any status is a [`Reply`], also when its body breaks off.
    ///
    /// # Errors
    /// Where there is no answer, told by whether the request may have been taken.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<Reply, CallError> {
        self.literal(url).map_err(CallError::Refused)?;
        self.transport.post(url.clone(), headers, body).await
    }
}

/// HTTP over sockets.
struct Http(reqwest::Client);

impl Transport for Http {
    fn post(
        &self,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> BoxFuture<'static, Result<Reply, CallError>> {
        let request = self.0.post(url).headers(headers).body(body);
        Box::pin(async move {
            let mut response = request.send().await.map_err(|error| call_error(&error))?;
            let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
            let mut body = Vec::new();
            while let Ok(Some(chunk)) = response.chunk().await {
                let room = ANSWER_BYTES_MAX - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() >= room {
                    break;
                }
            }
            Ok(Reply { status, headers, body })
        })
    }
}

/// Reads a URL that may be called, wherever it leads.
///
/// # Errors
/// Where it has not the form of one.
pub fn parse(text: &str) -> Result<Url, UrlError> {
    let url = Url::parse(text).map_err(|_| UrlError::Form)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(UrlError::Form);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::UserInfo);
    }
    Ok(url)
}

/// One address inside the network refuses all of a name: a name that mixes them is up to no good.
fn allowed(addresses: &[IpAddr], allow_private: bool) -> Result<(), Refused> {
    match addresses.iter().find_map(|address| guard::inside(*address)) {
        Some(what) if !allow_private => Err(Refused { what }),
        _ => Ok(()),
    }
}

/// The resolver that reqwest asks at each connection to a name.
struct Guard {
    names: Arc<dyn Names>,
    allow_private: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, allow_private) = (self.names.look_up(name.as_str().to_owned()), self.allow_private);
        Box::pin(async move {
            let addresses = found.await?;
            allowed(&addresses, allow_private)?;
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

fn call_error(error: &reqwest::Error) -> CallError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(each) = cause {
        if let Some(refused) = each.downcast_ref::<Refused>() {
            return CallError::Refused(*refused);
        }
        cause = each.source();
    }
    // A time-out while connecting is both; nothing was sent then.
    if error.is_connect() || error.is_builder() {
        CallError::NotConnected(innermost(error))
    } else if error.is_timeout() {
        CallError::NoAnswer("it took too long".to_owned())
    } else {
        CallError::NoAnswer(innermost(error))
    }
}

/// The text of the innermost cause: reqwest's own text holds the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(Error::source) {
        cause = Some(inner);
    }
    cause.map_or_else(|| "the request could not be made".to_owned(), ToString::to_string)
}
