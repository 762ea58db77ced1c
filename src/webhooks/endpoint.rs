//! An endpoint as it is stored: what its owner set, its health, and its secrets.

use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use url::Url;

use super::schedule::Health;
use crate::model::{Id, Instant, Span, kinds};
use crate::providers::outbound;
use crate::providers::signature::Secret;
use crate::store::rows::EndpointRow;
use crate::store::seal::Scope;
use crate::store::{Position, StoreError};

/// How long the secret before a rotation goes on signing, on the scope's clock.
const ROTATION_OVERLAP: Span = Span::from_s(86_400);

/// The number of the form in which endpoints are written.
const FORM: u8 = 1;

/// What an owner sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where events go; checked by [`outbound::Outbound::check`].
    pub url: String,
    /// Types, `message.*` or `*`.
    pub events: Vec<String>,
    /// The owner's own words.
    pub description: Option<String>,
}

/// Why an endpoint is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledBy {
    /// It answered 410.
    Gone,
    /// It failed for five days.
    Failing,
    /// Its owner asked for it.
    Request,
}

impl DisabledBy {
    /// The `reason` of the event.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            DisabledBy::Gone => "gone",
            DisabledBy::Failing => "failing",
            DisabledBy::Request => "request",
        }
    }
}

/// What a row holds in its `doc`.
#[derive(Serialize, Deserialize)]
struct Doc {
    form: u8,
    url: String,
    events: Vec<String>,
    description: Option<String>,
    failing_since: Option<Instant>,
    disabled_by: Option<DisabledBy>,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: Id<kinds::Endpoint>,
    /// The row's version.
    pub version: u32,
    /// When it was made, on the scope's clock.
    pub created_at: Instant,
    /// Events up to this position were taken up.
    pub position: Position,
    /// What its owner set.
    pub wanted: Wanted,
    /// Since when it fails.
    pub health: Health,
    /// Why it is disabled; none while it is enabled.
    pub disabled_by: Option<DisabledBy>,
    secrets: Vec<u8>,
}

/// A row that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EndpointError {
    /// The row was written by another program.
    #[error("the row of a webhook endpoint is not of a form that is known here")]
    Form,
    /// The store's failure.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Endpoint {
    /// A new one, which gets events later than its making.
    ///
    /// # Errors
    /// Where its secret cannot be sealed.
    pub fn make(
        scope: &Scope,
        id: Id<kinds::Endpoint>,
        wanted: Wanted,
        secret: &Secret,
        now: Instant,
    ) -> Result<Endpoint, StoreError> {
        Ok(Endpoint {
            id,
            version: 0,
            created_at: now,
            position: Position::MAX,
            wanted,
            health: Health::default(),
            disabled_by: None,
            secrets: Secrets::of(secret).seal(scope, id)?,
        })
    }

    /// From its row.
    ///
    /// # Errors
    /// [`EndpointError::Form`] for a row that another program wrote.
    pub fn read(row: &EndpointRow) -> Result<Endpoint, EndpointError> {
        let doc: Doc = serde_json::from_slice(&row.doc).map_err(|_| EndpointError::Form)?;
        if doc.form != FORM {
            return Err(EndpointError::Form);
        }
        Ok(Endpoint {
            id: row.id,
            version: row.version,
            created_at: row.created_at,
            position: row.position,
            wanted: Wanted { url: doc.url, events: doc.events, description: doc.description },
            health: Health { failing_since: doc.failing_since },
            // The row's own word decides; the reason only explains it.
            disabled_by: (!row.enabled).then(|| doc.disabled_by.unwrap_or(DisabledBy::Request)),
            secrets: row.secrets.clone(),
        })
    }

    /// Its row, as it is to be written.
    #[must_use]
    pub fn row(&self) -> EndpointRow {
        let doc = Doc {
            form: FORM,
            url: self.wanted.url.clone(),
            events: self.wanted.events.clone(),
            description: self.wanted.description.clone(),
            failing_since: self.health.failing_since,
            disabled_by: self.disabled_by,
        };
        EndpointRow {
            id: self.id,
            version: self.version,
            created_at: self.created_at,
            enabled: self.is_enabled(),
            position: self.position,
            doc: serde_json::to_vec(&doc).unwrap_or_default(),
            secrets: self.secrets.clone(),
        }
    }

    /// Whether it gets events.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.disabled_by.is_none()
    }

    /// Enabled again, with a clean health.
    pub(super) fn enable(&mut self) {
        self.disabled_by = None;
        self.health = Health::default();
    }

    /// Where events go.
    pub(super) fn url(&self) -> Option<Url> {
        outbound::parse(&self.wanted.url).ok()
    }

    /// Whether it asked for events of this type.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.wanted.events.iter().any(|pattern| matches_type(pattern, kind))
    }

    /// Its secrets, opened.
    ///
    /// # Errors
    /// Where they do not open.
    pub fn secrets(&self, scope: &Scope) -> Result<Secrets, EndpointError> {
        let plain = scope.open_secret(&place(self.id), &self.secrets)?;
        serde_json::from_slice(&plain).map_err(|_| EndpointError::Form)
    }

    /// A new secret. The one before signs beside it for [`ROTATION_OVERLAP`]; one still older no
    /// longer does.
    ///
    /// # Errors
    /// Where the secrets do not open, or cannot be sealed.
    pub fn rotate(&mut self, scope: &Scope, secret: &Secret, now: Instant) -> Result<(), EndpointError> {
        let mut secrets = Secrets::of(secret);
        secrets.before = Some((self.secrets(scope)?.current, now.plus(ROTATION_OVERLAP)));
        self.secrets = secrets.seal(scope, self.id)?;
        Ok(())
    }
}

fn matches_type(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => pattern == kind,
    }
}

/// The secrets that sign for an endpoint.
#[derive(Serialize, Deserialize)]
pub struct Secrets {
    current: String,
    before: Option<(String, Instant)>,
}

impl Secrets {
    fn of(secret: &Secret) -> Secrets {
        Secrets { current: secret.text().expose_secret().to_owned(), before: None }
    }

    fn seal(&self, scope: &Scope, id: Id<kinds::Endpoint>) -> Result<Vec<u8>, StoreError> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        scope.seal_secret(&place(id), &plain)
    }

    /// Those that sign at `now`, on the scope's clock, the current one first.
    #[must_use]
    pub fn at(&self, now: Instant) -> Vec<Secret> {
        let before = self.before.as_ref().filter(|(_, until)| now < *until).map(|(text, _)| text);
        [Some(&self.current), before]
            .into_iter()
            .flatten()
            .filter_map(|text| Secret::parse(text).ok())
            .collect()
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets([REDACTED])")
    }
}

/// Where the secrets stand, for sealing.
fn place(id: Id<kinds::Endpoint>) -> Vec<u8> {
    format!("{id} secrets").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::matches_type;

    #[test]
    fn a_pattern_is_a_type_a_group_or_all() {
        for (pattern, kind, matches) in [
            ("*", "message.sent", true),
            ("message.*", "message.sent", true),
            ("message.*", "messages.sent", false),
            ("message.sent", "message.sent", true),
            ("message.sent", "message.sent.twice", false),
            ("quota.*", "message.sent", false),
        ] {
            assert_eq!(matches_type(pattern, kind), matches, "{pattern} {kind}");
        }
    }
}
