//! XChaCha20-Poly1305 with the nonce in front.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::random::Randomness;
use crate::store::StoreError;

/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;

/// How many bytes sealing adds: the nonce and the tag.
pub const SEALED_EXTRA_BYTES: usize = NONCE_BYTES + 16;

/// 32 bytes that are wiped when dropped.
pub(super) type Secret = Zeroizing<[u8; 32]>;

/// Seals `plain`.
pub(super) fn seal(
    key: &Secret,
    aad: &[u8],
    plain: &[u8],
    random: &dyn Randomness,
) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0_u8; NONCE_BYTES];
    random.fill(&mut nonce)?;
    let sealed = cipher(key)
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad })
        .map_err(|_| StoreError::Sealed)?;
    let mut out = Vec::with_capacity(NONCE_BYTES + sealed.len());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// Opens what [`seal`] gave, if key and place are the same.
pub(super) fn open(key: &Secret, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(StoreError::Sealed)?;
    cipher(key).decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad }).map_err(|_| StoreError::Sealed)
}

/// A fresh key.
pub(super) fn fresh(random: &dyn Randomness) -> Result<Secret, StoreError> {
    let mut key = Zeroizing::new([0_u8; 32]);
    random.fill(key.as_mut_slice())?;
    Ok(key)
}

/// HMAC-SHA256 over parts, each led by its length so that no two lists of parts are alike.
pub(super) fn keyed_hash(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = match <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_slice()) {
        Ok(mac) => mac,
        // HMAC takes a key of any length.
        Err(_) => return [0; 32],
    };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn cipher(key: &Secret) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(**key))
}
