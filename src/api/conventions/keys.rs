//! API keys: `sk_test_…` or `sk_live_…`, told apart from a typing error without a look-up.
//!
//! After the prefix stand 48 characters of Crockford's base 32 in lower case: 200 random bits, and
//! 40 bits of the SHA-256 of prefix and random bits. Only the SHA-256 of the whole key is kept.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::model::Environment;

/// Random bytes that a key is made of.
pub const KEY_RANDOM_BYTES: usize = 25;
const CHECKSUM_BYTES: usize = 5;
const BODY_CHARS: usize = (KEY_RANDOM_BYTES + CHECKSUM_BYTES) * 8 / 5;
const HINT_CHARS: usize = 4;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A key in clear. Shown to its owner once and kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Zeroizing<String>);

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey([REDACTED])")
    }
}

/// What is kept of a key: its SHA-256.
pub type KeyHash = [u8; 32];

/// The text is no key: it has another shape, or its checksum is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no key: a character is missing or wrong")]
pub struct KeyMalformed;

const fn prefix(environment: Environment) -> &'static str {
    match environment {
        Environment::Test => "sk_test_",
        Environment::Live => "sk_live_",
    }
}

fn checksum(prefix: &str, random: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new().chain_update(prefix).chain_update(random).finalize();
    let mut out = [0; CHECKSUM_BYTES];
    out.copy_from_slice(&digest[..CHECKSUM_BYTES]);
    out
}

impl ApiKey {
    /// The key of these random bytes.
    #[must_use]
    pub fn from_random(environment: Environment, random: &[u8; KEY_RANDOM_BYTES]) -> ApiKey {
        let prefix = prefix(environment);
        let mut text = String::with_capacity(prefix.len() + BODY_CHARS);
        text.push_str(prefix);
        let (mut held, mut bits) = (0_u32, 0);
        for byte in random.iter().chain(&checksum(prefix, random)) {
            held = (held << 8) | u32::from(*byte);
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                text.push(char::from(ALPHABET[usize::try_from((held >> bits) & 31).unwrap_or_default()]));
            }
            held &= (1 << bits) - 1;
        }
        ApiKey(Zeroizing::new(text))
    }

    /// Reads a key as a caller gave it.
    ///
    /// # Errors
    /// [`KeyMalformed`] where shape or checksum are wrong; whether the key exists is not asked.
    pub fn parse(text: &str) -> Result<ApiKey, KeyMalformed> {
        let (prefix, body) = [Environment::Test, Environment::Live]
            .into_iter()
            .find_map(|e| text.strip_prefix(prefix(e)).map(|body| (prefix(e), body)))
            .ok_or(KeyMalformed)?;
        if body.len() != BODY_CHARS {
            return Err(KeyMalformed);
        }
        let mut bytes = Zeroizing::new([0_u8; KEY_RANDOM_BYTES + CHECKSUM_BYTES]);
        let (mut held, mut bits, mut at) = (0_u32, 0, 0);
        for c in body.bytes() {
            let digit = ALPHABET.iter().position(|a| *a == c).ok_or(KeyMalformed)?;
            held = (held << 5) | u32::try_from(digit).unwrap_or_default();
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes[at] = u8::try_from((held >> bits) & 255).unwrap_or_default();
                at += 1;
                held &= (1 << bits) - 1;
            }
        }
        let (random, sum) = bytes.split_at(KEY_RANDOM_BYTES);
        if bool::from(checksum(prefix, random).ct_eq(sum)) {
            Ok(ApiKey(Zeroizing::new(text.to_owned())))
        } else {
            Err(KeyMalformed)
        }
    }

    /// The environment that its prefix names.
    #[must_use]
    pub fn environment(&self) -> Environment {
        if self.0.starts_with(prefix(Environment::Live)) { Environment::Live } else { Environment::Test }
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Its last four characters, by which its owner knows it again. They come from the checksum
    /// and so tell nothing of the random bits that could not be computed from them.
    #[must_use]
    pub fn hint(&self) -> String {
        self.0[self.0.len() - HINT_CHARS..].to_owned()
    }

    /// The key in clear, for the one answer that shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written_and_shows_nothing_in_debug() {
        for environment in [Environment::Test, Environment::Live] {
            let key = ApiKey::from_random(environment, &[0xa7; KEY_RANDOM_BYTES]);
            let text = key.reveal().to_owned();
            assert_eq!(text.len(), 56);
            assert!(text.starts_with(&format!("sk_{}_", environment.word())));
            assert_eq!(ApiKey::parse(&text), Ok(key.clone()));
            assert_eq!(key.environment(), environment);
            assert_eq!(key.hint(), text[52..]);
            assert!(!format!("{key:?}").contains(&text[8..]));
        }
    }

    #[test]
    fn any_one_changed_character_is_a_malformed_key() {
        let text = ApiKey::from_random(Environment::Test, &[7; KEY_RANDOM_BYTES]).reveal().to_owned();
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'x' { "y" } else { "x" };
            let mut changed = text.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(ApiKey::parse(&changed), Err(KeyMalformed), "{changed}");
        }
        for bad in
            ["", "sk_test_", &text[..55], &format!("{text}0"), &text.replace("test", "live"), "sk_test_ü"]
        {
            assert_eq!(ApiKey::parse(bad), Err(KeyMalformed), "{bad}");
        }
    }
}
