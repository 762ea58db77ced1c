//! The tree of a clean text as rows of words.

use std::ops::Range;

use super::super::grammar::{self, Node, Rule};
use super::super::source::{Scan, is_blank};

/// A word of the source, or a mark like `,`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'s> {
    pub(super) text: &'s str,
    pub(super) start: usize,
}

impl Word<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Words that stand behind one another; never empty.
pub(super) type Row<'s> = Vec<Word<'s>>;

/// A source.
pub(super) enum Layout<'s> {
    Bare(Strategy<'s>),
    Policies(Vec<Policy<'s>>),
}

pub(super) struct Policy<'s> {
    /// `policy NAME {`.
    pub(super) head: Row<'s>,
    pub(super) headers: Vec<Header<'s>>,
    pub(super) strategy: Strategy<'s>,
    /// `}`.
    pub(super) close: Word<'s>,
}

pub(super) struct Header<'s> {
    pub(super) words: Row<'s>,
    pub(super) is_vars: bool,
}

pub(super) struct Strategy<'s> {
    pub(super) steps: Vec<Step<'s>>,
}

/// A stage with the `then` before it, or the `otherwise` of the end.
pub(super) struct Step<'s> {
    pub(super) then: Option<Word<'s>>,
    pub(super) action: Action<'s>,
    pub(super) modifiers: Vec<Row<'s>>,
}

pub(super) enum Action<'s> {
    Words(Row<'s>),
    Group(Group<'s>),
}

pub(super) struct Group<'s> {
    /// `any of (`.
    pub(super) head: Row<'s>,
    /// Each with the `,` behind it.
    pub(super) members: Vec<(Strategy<'s>, Option<Word<'s>>)>,
    /// `)`.
    pub(super) close: Word<'s>,
}

impl<'s> Strategy<'s> {
    pub(super) fn range(&self) -> Range<usize> {
        let start = self.steps.first().map_or(0, Step::start);
        start..self.steps.last().map_or(start, Step::end)
    }
}

impl Step<'_> {
    fn start(&self) -> usize {
        let action = match &self.action {
            Action::Words(words) => words.first(),
            Action::Group(group) => group.head.first(),
        };
        self.then.as_ref().or(action).map_or(0, |word| word.start)
    }

    fn end(&self) -> usize {
        let action = match &self.action {
            Action::Words(words) => words.last(),
            Action::Group(group) => Some(&group.close),
        };
        self.modifiers.last().and_then(|row| row.last()).or(action).map_or(0, Word::end)
    }
}

impl<'s> Layout<'s> {
    /// Reads a source in which nothing has a fault; `None` where it has one after all.
    pub(super) fn read(source: &'s str, scan: &Scan) -> Option<Layout<'s>> {
        let reader = Reader { source, scan };
        let tree = grammar::read(source)?;
        let pieces: Vec<Node<'_>> = tree.pieces().collect();
        if pieces.iter().all(|piece| piece.rule() == Rule::policy) {
            let policies: Option<Vec<_>> = pieces.into_iter().map(|node| reader.policy(node)).collect();
            return policies.filter(|all| !all.is_empty()).map(Layout::Policies);
        }
        reader.strategy(&pieces).map(Layout::Bare)
    }
}

struct Reader<'a, 's> {
    source: &'s str,
    scan: &'a Scan,
}

impl<'s> Reader<'_, 's> {
    fn range(&self, node: &Node<'_>) -> Range<usize> {
        self.scan.tight(self.source, node.start()..node.end())
    }

    fn policy(&self, node: Node<'_>) -> Option<Policy<'s>> {
        let range = self.range(&node);
        let mut words = self.words(range, false);
        let close = words.pop().filter(|word| word.text == "}")?;
        let head_len = words.iter().position(|word| word.text == "{")? + 1;
        words.truncate(head_len);
        let (mut headers, mut pieces) = (Vec::new(), Vec::new());
        for piece in node.children() {
            match piece.rule() {
                Rule::policy_name => {}
                Rule::category | Rule::expires | Rule::quiet | Rule::limit | Rule::vars => {
                    let is_vars = piece.rule() == Rule::vars;
                    headers.push(Header { words: self.words(self.range(&piece), is_vars), is_vars });
                }
                _ => pieces.push(piece),
            }
        }
        Some(Policy { head: words, headers, strategy: self.strategy(&pieces)?, close })
    }

    fn strategy(&self, pieces: &[Node<'_>]) -> Option<Strategy<'s>> {
        let (mut steps, mut then) = (Vec::new(), None);
        for piece in pieces {
            match piece.rule() {
                Rule::joiner => then = self.words(self.range(piece), false).first().copied(),
                Rule::stage => {
                    let mut parts = piece.children();
                    let action = self.action(&parts.next()?)?;
                    let modifiers = parts.map(|part| self.words(self.range(&part), false)).collect();
                    steps.push(Step { then: then.take(), action, modifiers });
                }
                Rule::otherwise => {
                    let action = Action::Words(self.words(self.range(piece), false));
                    steps.push(Step { then: None, action, modifiers: Vec::new() });
                }
                _ => return None,
            }
        }
        Some(Strategy { steps }).filter(|strategy| !strategy.steps.is_empty())
    }

    fn action(&self, node: &Node<'_>) -> Option<Action<'s>> {
        let range = self.range(node);
        if node.rule() != Rule::group {
            return Some(Action::Words(self.words(range, false)));
        }
        let mut head = self.words(range, false);
        let close = head.pop().filter(|word| word.text == ")")?;
        let opened = head.iter().position(|word| word.text == "(")? + 1;
        head.truncate(opened);
        let pieces: Vec<Node<'_>> =
            node.children().filter(|n| !matches!(n.rule(), Rule::group_kind | Rule::of_word)).collect();
        let mut members = Vec::new();
        for member in pieces.split_inclusive(|n| n.rule() == Rule::comma) {
            let (member, comma) = match member.split_last() {
                Some((last, rest)) if last.rule() == Rule::comma => {
                    (rest, Some(Word { text: ",", start: last.start() }))
                }
                _ => (member, None),
            };
            members.push((self.strategy(member)?, comma));
        }
        Some(Action::Group(Group { head, members, close }))
    }

    /// The words of a range. In `vars` a name ends before its `:`; elsewhere that is part of a time.
    fn words(&self, range: Range<usize>, colon_is_mark: bool) -> Row<'s> {
        let first = self.scan.comments.partition_point(|c| c.end <= range.start);
        let mut comments = self.scan.comments[first..].iter();
        let (mut words, mut at) = (Vec::new(), range.start);
        while let Some(rest) = self.source.get(at..range.end).filter(|rest| !rest.is_empty()) {
            let blanks = rest.len() - rest.trim_start_matches(is_blank).len();
            if blanks > 0 {
                at += blanks;
            } else if rest.starts_with('#') {
                at = comments.find(|c| c.start >= at).map_or(range.end, |c| c.end);
            } else {
                let text = &rest[..word_len(rest, colon_is_mark)];
                words.push(Word { text, start: at });
                at += text.len();
            }
        }
        words
    }
}

/// The bytes of the word or mark at the beginning of a text.
fn word_len(text: &str, colon_is_mark: bool) -> usize {
    let bytes = text.as_bytes();
    let is_mark = |b: u8| match b {
        b'(' | b')' | b'[' | b']' | b'{' | b'}' | b',' | b'%' => true,
        b':' => colon_is_mark,
        _ => false,
    };
    let is_operator = |b: u8| matches!(b, b'<' | b'>' | b'=' | b'!');
    match bytes.first() {
        Some(b'"') => string_len(bytes),
        Some(b) if is_mark(*b) => 1,
        Some(b) if is_operator(*b) => bytes.iter().take_while(|b| is_operator(**b)).count(),
        _ => text
            .char_indices()
            .find(|(_, c)| {
                is_blank(*c)
                    || matches!(c, '"' | '#')
                    || u8::try_from(*c).is_ok_and(|b| is_mark(b) || is_operator(b))
            })
            .map_or(text.len(), |(at, _)| at),
    }
}

fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(b) = bytes.get(at) {
        match b {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}
