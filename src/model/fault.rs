//! One thing that is wrong in what a caller sent.

use serde::{Deserialize, Serialize};

/// One fault of a JSON value, in the words of the API's `errors` list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fault {
    /// JSON pointer (RFC 6901) to what is wrong; empty for the whole value.
    pub pointer: String,
    /// What is wrong and what to write instead. Never repeats a value.
    pub message: String,
}

impl Fault {
    /// A fault at `pointer`.
    #[must_use]
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Fault {
        Fault { pointer: pointer.into(), message: message.into() }
    }

    /// The same fault seen from a level higher: `under` is put before the pointer.
    #[must_use]
    pub fn under(mut self, under: &str) -> Fault {
        self.pointer.insert_str(0, under);
        self
    }

    /// `pointer` with one more segment, escaped as RFC 6901 asks.
    #[must_use]
    pub fn child(pointer: &str, segment: &str) -> String {
        format!("{pointer}/{}", segment.replace('~', "~0").replace('/', "~1"))
    }
}
