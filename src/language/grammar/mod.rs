//! A source read by the grammar, `grammar/policy.pest`.
//!
//! What is read here is what the parser made from that file would read, rule by rule: a test holds the
//! two trees of each text alike. This reader looks at each word once where that parser takes a step, and
//! several checks, for each letter, so it is many times as fast.
//!
//! `words` reads what has no parts, `file` the policies and their headers, `stages` and `conditions` the
//! rest. A function is named after its rule. It says whether the rule holds at the place where the reader
//! is; where it does not, the reader is where it was.

mod conditions;
mod file;
mod stages;
#[cfg(test)]
mod tests;
mod tree;
mod words;

pub(crate) use tree::{Node, Tree};

use super::limits::BRACKETS_DEPTH_MAX;
use tree::Entry;

/// The rules that have nodes.
#[expect(non_camel_case_types, reason = "the names of the grammar")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    after,
    after_word,
    amount,
    and_word,
    atom,
    backoff,
    between,
    category,
    channel,
    choice,
    clock_time,
    colon,
    comma,
    comparison,
    cond,
    cond_stray,
    conj,
    count,
    currency,
    day,
    doubt_choice,
    else_word,
    every,
    expires,
    fail_word,
    file,
    for_word,
    from_word,
    goal,
    group,
    group_kind,
    in_zone,
    joiner,
    left_over,
    limit,
    limit_part,
    list,
    list_stray,
    money,
    neg,
    no,
    number,
    odd_string,
    of_word,
    on_days,
    on_doubt,
    only_if,
    op,
    operand,
    or_word,
    otherwise,
    paren,
    plain,
    policy,
    policy_name,
    provider,
    quiet,
    repeat,
    retry,
    sends_word,
    share,
    stage,
    stray,
    stray_inside,
    stray_member,
    string,
    symbol,
    text,
    times_word,
    to_word,
    unclosed,
    unit,
    unless,
    until,
    use_policy,
    valid,
    value,
    value_text,
    var_entry,
    vars,
    via,
    via_sep,
    wait,
    wait_until,
    why,
    window,
    zone,
}

/// Brackets that are read one inside the other: what keeps the stack small, for the reader calls itself for
/// what is inside. It is more than a source may have, and no source comes near it but one with
/// brackets that close nothing: the look that is taken before reading counts those as closing.
const NESTED_MAX: usize = 2 * BRACKETS_DEPTH_MAX;

/// Reads a source. Any text has a tree, unless its brackets are nested deeper than [`NESTED_MAX`].
pub(crate) fn read(source: &str) -> Option<Tree<'_>> {
    // About one node in six bytes; more grow as they come.
    let nodes = Vec::with_capacity(source.len() / 6 + 8);
    let mut reader = Reader { source, at: 0, word: (usize::MAX, 0), nodes, depth: 0, too_deep: false };
    reader.file();
    (!reader.too_deep).then(|| Tree::new(source, reader.nodes))
}

/// A place in a source, and what was read up to it.
struct Reader<'s> {
    source: &'s str,
    at: usize,
    /// The word that was looked at last: its first byte, and the one behind it. Most words are looked at
    /// by several rules before one takes them.
    word: (usize, usize),
    nodes: Vec<Entry>,
    /// Brackets around the place.
    depth: usize,
    /// Whether there were too many of them somewhere.
    too_deep: bool,
}

/// What may be there and need not: the rule goes on in both cases.
fn maybe(_is_there: bool) -> bool {
    true
}

impl Reader<'_> {
    /// Reads a node, with all inside it.
    fn node(&mut self, rule: Rule, read: impl FnOnce(&mut Self) -> bool) -> bool {
        let (start, place) = (self.at, self.nodes.len());
        self.nodes.push(Entry { rule, start, end: start, after: place });
        if !read(self) {
            self.back(start, place);
            return false;
        }
        let after = self.nodes.len();
        let node = &mut self.nodes[place];
        (node.end, node.after) = (self.at, after);
        true
    }

    /// A node up to `end`, with none inside it.
    fn leaf(&mut self, rule: Rule, end: usize) {
        let after = self.nodes.len() + 1;
        self.nodes.push(Entry { rule, start: self.at, end, after });
        self.at = end;
    }

    /// Reads several things one after the other, all of them or none.
    fn all(&mut self, read: impl FnOnce(&mut Self) -> bool) -> bool {
        let (at, place) = (self.at, self.nodes.len());
        let is_there = read(self);
        if !is_there {
            self.back(at, place);
        }
        is_there
    }

    /// Whether something stands here. Nothing is read.
    fn ahead(&mut self, read: impl FnOnce(&mut Self) -> bool) -> bool {
        let (at, place) = (self.at, self.nodes.len());
        let is_there = read(self);
        self.back(at, place);
        is_there
    }

    fn back(&mut self, at: usize, place: usize) {
        self.at = at;
        self.nodes.truncate(place);
    }

    /// A bracket, what stands behind it, and the bracket that closes it; where it is not closed, a node
    /// says so.
    fn brackets(&mut self, open: &str, close: &str, read: impl FnOnce(&mut Self)) -> bool {
        if !self.sign(open) {
            return false;
        }
        self.depth += 1;
        if self.depth > NESTED_MAX {
            self.too_deep = true;
        } else {
            read(self);
        }
        self.depth -= 1;
        if !self.sign(close) {
            self.leaf(Rule::unclosed, self.at);
        }
        true
    }
}
