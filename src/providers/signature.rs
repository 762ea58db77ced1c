//! Standard Webhooks: the signature over `id.timestamp.body`, made and verified.
//!
//! Events to tenants, calls to the `http` kind and its callbacks are all signed so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;

use crate::model::{Instant, Span};

/// The prefix of a secret.
pub const SECRET_PREFIX: &str = "whsec_";
/// The least bytes of a secret that we take.
pub const SECRET_BYTES_MIN: usize = 16;
/// The most bytes of a secret that we take.
pub const SECRET_BYTES_MAX: usize = 128;
/// The bytes of a secret that we make.
pub const SECRET_BYTES: usize = 32;
/// How far a timestamp may be from now, either way. The published libraries use the same.
pub const TOLERANCE: Span = Span::from_s(300);

/// Header: the id of what is sent, the same at every try.
pub const ID: &str = "webhook-id";
/// Header: when it was signed, seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// Header: one or more signatures, separated by spaces, each `v1,` and base64.
pub const SIGNATURE: &str = "webhook-signature";

/// A key that signs and verifies. Its `Debug` shows nothing of it.
#[derive(Debug, Clone)]
pub struct Secret(SecretSlice<u8>);

/// A text that is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `whsec_` and then base64 of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes")]
pub struct SecretError;

impl Secret {
    /// Reads `whsec_…`.
    ///
    /// # Errors
    /// Where the prefix is missing, the rest is no base64, or the key is too short or too long.
    pub fn parse(text: &str) -> Result<Secret, SecretError> {
        let key = text.strip_prefix(SECRET_PREFIX).and_then(|rest| STANDARD.decode(rest).ok());
        match key {
            Some(key) if (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&key.len()) => Ok(Secret::of(key)),
            _ => Err(SecretError),
        }
    }

    /// From the bytes of the key.
    #[must_use]
    pub fn of(key: Vec<u8>) -> Secret {
        Secret(key.into())
    }

    /// As a tenant keeps it: `whsec_…`.
    #[must_use]
    pub fn text(&self) -> SecretString {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(self.0.expose_secret())).into()
    }

    fn mac(&self, id: &str, timestamp_s: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
        // HMAC takes a key of any length, so this never is `None`.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).ok()?;
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body);
        Some(mac)
    }

    /// One signature, `v1,…`.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let tag = self.mac(id, timestamp_s, body).map(|mac| mac.finalize().into_bytes());
        format!("v1,{}", STANDARD.encode(tag.unwrap_or_default()))
    }

    /// Whether `signature`, `v1,…`, is of this key. In constant time for a given length.
    fn made(&self, signature: &str, id: &str, timestamp_s: i64, body: &[u8]) -> bool {
        signature
            .strip_prefix("v1,")
            .and_then(|text| STANDARD.decode(text).ok())
            .zip(self.mac(id, timestamp_s, body))
            .is_some_and(|(tag, mac)| mac.verify_slice(&tag).is_ok())
    }
}

/// Puts the three headers of `body` into `headers`, a signature for each of `secrets`.
pub fn sign(headers: &mut HeaderMap, secrets: &[Secret], id: &str, now: Instant, body: &[u8]) {
    let timestamp_s = now.ms().div_euclid(1000);
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(id, timestamp_s, body)).collect();
    for (name, value) in
        [(ID, id.to_owned()), (TIMESTAMP, timestamp_s.to_string()), (SIGNATURE, signatures.join(" "))]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// Whether one of the signatures in `headers` is of `secret`, and the timestamp within
/// [`TOLERANCE`] of `now`.
#[must_use]
pub fn verifies(headers: &HeaderMap, secret: &Secret, now: Instant, body: &[u8]) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(timestamp), Some(signatures)) = (text(ID), text(TIMESTAMP), text(SIGNATURE)) else {
        return false;
    };
    let Ok(timestamp_s) = timestamp.parse::<i64>() else { return false };
    let off_s = now.ms().div_euclid(1000).abs_diff(timestamp_s);
    off_s <= TOLERANCE.ms().unsigned_abs() / 1000
        && signatures.split(' ').any(|each| secret.made(each, id, timestamp_s, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"{\"test\": 2432232314}";

    fn now() -> Instant {
        // The published library reads the clock of the machine, so this one must too.
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Instant::from_ms(i64::try_from(since.as_millis()).unwrap())
    }

    fn secret(byte: u8) -> Secret {
        Secret::of(vec![byte; SECRET_BYTES])
    }

    fn signed(secrets: &[Secret], at: Instant) -> HeaderMap {
        let mut headers = HeaderMap::new();
        sign(&mut headers, secrets, "evt_1", at, BODY);
        headers
    }

    #[test]
    fn the_published_library_verifies_what_we_sign_under_either_of_two_secrets() {
        let headers = signed(&[secret(1), secret(2)], now());
        for byte in [1, 2] {
            let theirs = standardwebhooks::Webhook::new(secret(byte).text().expose_secret()).unwrap();
            theirs.verify(BODY, &headers).unwrap();
            assert!(theirs.verify(b"{}", &headers).is_err());
        }
        let other = standardwebhooks::Webhook::new(secret(3).text().expose_secret()).unwrap();
        assert!(other.verify(BODY, &headers).is_err());
    }

    #[test]
    fn we_verify_what_the_published_library_signs() {
        let theirs = standardwebhooks::Webhook::new(secret(7).text().expose_secret()).unwrap();
        let at = now();
        let signature = theirs.sign("evt_1", at.ms() / 1000, BODY).unwrap();
        let mut headers = signed(&[], at);
        headers.insert(SIGNATURE, HeaderValue::from_str(&format!("v1a,no v1,AAAA {signature}")).unwrap());
        assert!(verifies(&headers, &secret(7), at, BODY));
        assert!(!verifies(&headers, &secret(8), at, BODY));
        assert!(!verifies(&headers, &secret(7), at, b"{}"));
    }

    #[test]
    fn a_timestamp_is_taken_within_five_minutes_either_way() {
        let at = Instant::from_ms(1_800_000_000_000);
        let headers = signed(&[secret(1)], at);
        for (off_s, holds) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
            let now = Instant::from_ms(at.ms() + off_s * 1000);
            assert_eq!(verifies(&headers, &secret(1), now, BODY), holds, "{off_s} s");
        }
    }

    #[test]
    fn what_is_missing_or_broken_verifies_nothing() {
        let at = Instant::from_ms(1_800_000_000_000);
        for name in [ID, TIMESTAMP, SIGNATURE] {
            let mut headers = signed(&[secret(1)], at);
            headers.remove(name);
            assert!(!verifies(&headers, &secret(1), at, BODY), "without {name}");
            headers.insert(name, HeaderValue::from_static("-9223372036854775808"));
            assert!(!verifies(&headers, &secret(1), at, BODY), "broken {name}");
        }
    }

    #[test]
    fn a_secret_is_read_as_it_is_written_and_shown_nowhere() {
        let text = secret(9).text();
        let read = Secret::parse(text.expose_secret()).unwrap();
        assert_eq!(read.text().expose_secret(), text.expose_secret());
        assert!(!format!("{read:?}").contains("CQkJ"));
        for bad in ["", "whsec_", "whsec_AAAA", "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=", "whsec_!!!!"]
        {
            assert_eq!(Secret::parse(bad).unwrap_err(), SecretError, "{bad}");
        }
    }
}
