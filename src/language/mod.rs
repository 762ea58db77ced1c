//! From a tenant's text to a checked policy.
//!
//! **Knows** the grammar, the tree with its spans, types, diagnostics and outcome scripts.
//! **Does not know** what runs a policy, any clock, any I/O.

mod compile;
pub mod condition;
mod diagnostic;
pub mod facts_text;
mod format;
mod grammar;
pub mod limits;
mod names;
pub mod policy;
pub mod script;
mod source;
pub(crate) mod words;
pub mod yaml;

pub use compile::{
    BARE_NAME, Compiled, KnownProvider, KnownTemplate, Library, NoLibrary, Parsed, Used, Validity, compile,
    compile_version, parse,
};
pub use diagnostic::{Counterexample, Diagnostic, Edit, Severity};
pub use format::{format, format_or_faults};
pub use names::{names, uses};
pub use policy::Policy;
pub use source::{STDIN, comments, line_column, with_comment_above};

pub(crate) use compile::{bad_name, keeps_comments};
pub(crate) use source::is_blank;
