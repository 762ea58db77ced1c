//! Cursors: a place in a list, opaque to the caller and bound to the list, the filters and the
//! scope that it was given for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::problem::{Code, Problem};

const MAC_BYTES: usize = 12;
/// The longest text that is looked at, in characters.
const CURSOR_CHARS_MAX: usize = 64;

/// What a cursor is bound to. Two lists that differ in any of these take none of each other's.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// The server's secret.
    pub secret: &'a [u8; 32],
    /// The scope.
    pub scope: i64,
    /// The path of the list, which names what it is of.
    pub list: &'a str,
    /// The filters, in a form that is the same for the same filters.
    pub filter: &'a str,
}

impl Binding<'_> {
    fn tag(&self, position: i64) -> [u8; MAC_BYTES] {
        let text = format!("cursor\n{}\n{}\n{}\n{position}", self.scope, self.list, self.filter);
        let mut tag = [0; MAC_BYTES];
        // An HMAC takes a key of any length: the other case cannot come.
        if let Ok(mac) = Hmac::<Sha256>::new_from_slice(self.secret) {
            tag.copy_from_slice(&mac.chain_update(text).finalize().into_bytes()[..MAC_BYTES]);
        }
        tag
    }

    /// The cursor of a position.
    #[must_use]
    pub fn write(&self, position: i64) -> String {
        let mut bytes = [0; 8 + MAC_BYTES];
        bytes[..8].copy_from_slice(&position.to_be_bytes());
        bytes[8..].copy_from_slice(&self.tag(position));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position of a cursor.
    ///
    /// # Errors
    /// `cursor_invalid` for what is none, and for one of another list, filter or scope.
    pub fn read(&self, cursor: &str) -> Result<i64, Problem> {
        let position = Some(cursor)
            .filter(|text| text.len() <= CURSOR_CHARS_MAX)
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
            .filter(|bytes| bytes.len() == 8 + MAC_BYTES)
            .and_then(|bytes| {
                let (position, tag) = bytes.split_at(8);
                let position = i64::from_be_bytes(position.try_into().ok()?);
                bool::from(self.tag(position).ct_eq(tag)).then_some(position)
            });
        position.ok_or_else(|| Code::CursorInvalid.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_list_filter_and_scope_alone() {
        let at = Binding { secret: &[1; 32], scope: 4, list: "/things", filter: "status=sent" };
        let cursor = at.write(i64::MAX - 7);
        assert_eq!(at.read(&cursor), Ok(i64::MAX - 7));
        for other in [
            Binding { secret: &[2; 32], ..at },
            Binding { scope: 5, ..at },
            Binding { list: "/others", ..at },
            Binding { filter: "", ..at },
        ] {
            assert_eq!(other.read(&cursor).unwrap_err().code, Code::CursorInvalid);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let at = Binding { secret: &[1; 32], scope: 4, list: "/things", filter: "" };
        let mut changed = at.write(9);
        changed.replace_range(2..3, if &changed[2..3] == "A" { "B" } else { "A" });
        for bad in ["", "x", "äöü", &changed, &format!("{}A", at.write(9)), &"A".repeat(100_000)] {
            assert_eq!(at.read(bad).unwrap_err().code, Code::CursorInvalid);
        }
    }
}
