//! What a text may ask for at most. Each limit has an error of its own.

/// Bytes of one source.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;
/// Brackets of any kind, one inside the other; looked at before anything is read.
pub const BRACKETS_DEPTH_MAX: usize = 50;
/// `any of` and `all of`, one inside the other, as written.
pub const GROUPS_DEPTH_MAX: usize = 16;
/// Groups and `use`, one inside the other, every `use` opened.
pub const OPENED_DEPTH_MAX: usize = 32;
/// Parentheses of a condition, one inside the other.
pub const CONDITION_DEPTH_MAX: usize = 32;
/// Words and values in the conditions of one policy, every `use` opened.
pub const CONDITION_PARTS_MAX: usize = 1_000;
/// Stages of one policy (channels, groups, waits and uses), every `use` opened.
pub const STAGES_MAX: usize = 64;
/// Policies of one source.
pub const POLICIES_MAX: usize = 100;
/// Policies that use one another in a chain.
pub const USE_DEPTH_MAX: usize = 16;
/// Providers of one `via`.
pub const ROUTE_PROVIDERS_MAX: usize = 16;
/// Entries of `vars`.
pub const VARS_MAX: usize = 100;
/// N of `retry N times`.
pub const RETRY_TIMES_MAX: u32 = 100;
/// N of `repeat N times`.
pub const REPEAT_TIMES_MAX: u32 = 100;
/// N of `limit N sends`.
pub const LIMIT_SENDS_MAX: u32 = 1_000;
/// Bytes of a text in quotes.
pub const STRING_BYTES_MAX: usize = 500;
/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 64;
/// Findings told of one source.
pub const FINDINGS_MAX: usize = 100;
/// `xN` of an outcome script.
pub const SCRIPT_REPEATS_MAX: u32 = 1_000;
/// Bytes of one outcome script, or of one text of facts.
pub const SCRIPT_BYTES_MAX: usize = 16 * 1024;
