//! How words stand in rows, and how long rows are kept: the same in every database.

use sha2::{Digest as _, Sha256};

use crate::model::Channel;

use super::rows::{DeliveryState, KeptAnswer, UsageWindow, VersionKind};

/// How long a receipt waits for its send.
pub(in crate::store) const EARLY_RECEIPT_MS: i64 = 10 * 60 * 1_000;

/// A bit for each channel.
pub(in crate::store) fn channel_bits(channels: &[Channel]) -> i64 {
    channels.iter().fold(0, |bits, channel| bits | (1 << channel.index()))
}

/// How a kept answer stands in its row.
pub(in crate::store) fn kept_form(answer: &KeptAnswer) -> (i64, Option<Vec<u8>>) {
    match answer {
        KeptAnswer::Empty => (0, None),
        KeptAnswer::Plain(bytes) => (1, Some(bytes.clone())),
        KeptAnswer::Sealed(bytes) => (2, Some(bytes.clone())),
        KeptAnswer::FirstBody(id) => (3, Some(id.to_bytes().to_vec())),
        KeptAnswer::FirstBodies(bytes) => (4, Some(bytes.clone())),
    }
}

/// How a window stands in its row.
pub(in crate::store) const fn window_number(window: UsageWindow) -> u8 {
    match window {
        UsageWindow::Day => 0,
        UsageWindow::Month => 1,
    }
}

/// How a delivery's state stands in its row.
pub(in crate::store) const fn delivery_state_number(state: DeliveryState) -> i64 {
    match state {
        DeliveryState::Pending => 0,
        DeliveryState::Delivered => 1,
        DeliveryState::Dead => 2,
    }
}

/// How a kind stands in its row.
pub(in crate::store) const fn version_kind_number(kind: VersionKind) -> i64 {
    match kind {
        VersionKind::Template => 0,
        VersionKind::Policy => 1,
    }
}

/// SHA-256 of the lower-case hex of the hash before, a newline, and the entry.
pub(in crate::store) fn chained(prev_hash: [u8; 32], canonical: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for byte in prev_hash {
        hasher.update([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    hasher.update(b"\n");
    hasher.update(canonical);
    hasher.finalize().into()
}

const HEX: &[u8; 16] = b"0123456789abcdef";
