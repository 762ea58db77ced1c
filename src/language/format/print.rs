//! Rows of words as lines.

use std::ops::Range;

use super::super::source::Scan;
use super::layout::{Action, Group, Header, Layout, Policy, Row, Step, Strategy, Word};
use super::{LINE_CHARS_MAX, SHORT_CHARS_MAX};

/// By how much a block, and a `then`, stands further in.
const STEP: usize = 2;
/// By how much the rest of a line that was broken stands further in.
const REST: usize = 4;

/// What stands before a word.
#[derive(Clone, Copy)]
enum Gap {
    /// Nothing.
    None,
    /// One blank.
    Blank,
    /// Blanks up to this column.
    Column(usize),
    /// The line goes on below.
    Rest,
    /// A new line.
    Line(Line),
}

#[derive(Clone, Copy)]
struct Line {
    indent: usize,
    /// Of the comments before the word.
    comments: usize,
    paragraph: Paragraph,
}

/// Where blank lines stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paragraph {
    /// At the beginning of a block: below its first comment, if the source has one there.
    First,
    /// Where the source has one.
    Keep,
    /// One at least.
    Force,
    /// At the end of a block: above its comments.
    Last,
}

pub(super) struct Printer<'a, 's> {
    source: &'s str,
    scan: &'a Scan,
    /// Comments that are written.
    written: usize,
    /// The end of the last word or comment in the source.
    from: usize,
    out: String,
    /// Characters of the last line of `out`.
    column: usize,
    /// Of the present line, and of what is below it where it was broken.
    indent: usize,
    rest: usize,
}

impl<'a, 's> Printer<'a, 's> {
    pub(super) fn new(source: &'s str, scan: &'a Scan) -> Self {
        Printer { source, scan, written: 0, from: 0, out: String::new(), column: 0, indent: 0, rest: REST }
    }

    pub(super) fn print(mut self, layout: &Layout<'s>) -> String {
        match layout {
            Layout::Bare(strategy) => {
                let range = strategy.range();
                let short = flat_strategy(strategy) <= SHORT_CHARS_MAX && !self.has_comments(&range);
                self.strategy(strategy, self.line(0, Paragraph::First), !short);
            }
            Layout::Policies(policies) => {
                for (place, policy) in policies.iter().enumerate() {
                    let paragraph = if place == 0 { Paragraph::First } else { Paragraph::Force };
                    self.policy(policy, paragraph);
                }
            }
        }
        self.comments(self.source.len(), self.line(0, Paragraph::Last));
        self.out.push('\n');
        self.out
    }

    fn line(&self, indent: usize, paragraph: Paragraph) -> Gap {
        Gap::Line(Line { indent, comments: indent, paragraph })
    }

    fn policy(&mut self, policy: &Policy<'s>, paragraph: Paragraph) {
        let mut gap = self.line(0, paragraph);
        for word in &policy.head {
            self.word(word, gap);
            gap = Gap::Blank;
        }
        let longest = policy.headers.iter().filter_map(|h| h.words.first()).map(|w| w.text.len()).max();
        for (place, header) in policy.headers.iter().enumerate() {
            let paragraph = if place == 0 { Paragraph::First } else { Paragraph::Keep };
            self.header(header, self.line(STEP, paragraph), STEP + longest.unwrap_or_default() + 2);
        }
        let paragraph = if longest.is_some() { Paragraph::Force } else { Paragraph::First };
        self.strategy(&policy.strategy, self.line(STEP, paragraph), true);
        self.word(&policy.close, Gap::Line(Line { indent: 0, comments: STEP, paragraph: Paragraph::Last }));
    }

    /// A header's word, and what it says in a column of its own.
    fn header(&mut self, header: &Header<'s>, gap: Gap, column: usize) {
        let Some((name, says)) = header.words.split_first() else { return };
        self.word(name, gap);
        self.rest = column;
        let inner = says.first().map_or(0, Word::end)..says.last().map_or(0, |word| word.start);
        let is_long = column + flat(says) > LINE_CHARS_MAX;
        if header.is_vars && (is_long || self.has_comments(&inner)) {
            self.entries(says, column);
        } else {
            self.row(says, Gap::Column(column));
        }
        self.rest = self.indent + REST;
    }

    /// `{ … }`, an entry on each line.
    fn entries(&mut self, words: &[Word<'s>], column: usize) {
        let [open, entries @ .., close] = words else { return };
        self.word(open, Gap::Column(column));
        let inside = self.indent + STEP;
        let mut gap = self.line(inside, Paragraph::First);
        for (place, word) in entries.iter().enumerate() {
            self.word(word, gap);
            gap = match word.text {
                "," => self.line(inside, Paragraph::Keep),
                _ => gap_between(word, entries.get(place + 1)),
            };
        }
        let indent = inside - STEP;
        self.word(close, Gap::Line(Line { indent, comments: inside, paragraph: Paragraph::Last }));
    }

    /// A strategy from `gap` on; on one line, or each stage on its own.
    fn strategy(&mut self, strategy: &Strategy<'s>, gap: Gap, broken: bool) {
        let mut next = gap;
        let mut inside = None;
        for step in &strategy.steps {
            let closes_alone = self.step(step, next);
            // Below the `)` of a group that began the strategy it goes on at the same place.
            let indent = *inside.get_or_insert(if closes_alone { self.indent } else { self.indent + STEP });
            next = if broken { self.line(indent, Paragraph::Keep) } else { Gap::Blank };
        }
    }

    /// A stage. Whether it is a group whose `)` begins a line.
    fn step(&mut self, step: &Step<'s>, gap: Gap) -> bool {
        let mut gap = gap;
        if let Some(then) = &step.then {
            self.word(then, gap);
            gap = Gap::Blank;
        }
        let is_broken = match &step.action {
            Action::Words(words) => {
                self.row(words, gap);
                false
            }
            Action::Group(group) => self.group(group, gap),
        };
        for modifier in &step.modifiers {
            let fits = |column: usize, words: &[Word<'s>]| column + 1 + flat(words) <= LINE_CHARS_MAX;
            // What is longer than a line begins on this one, if its first part fits.
            let begins = fits(self.column, modifier)
                || (!fits(self.rest, modifier) && fits(self.column, first_part(modifier)));
            self.row(modifier, if begins { Gap::Blank } else { Gap::Rest });
        }
        is_broken
    }

    fn group(&mut self, group: &Group<'s>, gap: Gap) -> bool {
        let mut gap = gap;
        for word in &group.head {
            self.word(word, gap);
            gap = Gap::Blank;
        }
        let inner = group.head.last().map_or(0, Word::end)..group.close.start;
        let fits = self.column + flat_members(group) < SHORT_CHARS_MAX;
        if fits && !self.has_comments(&inner) {
            for (place, (member, comma)) in group.members.iter().enumerate() {
                self.strategy(member, if place == 0 { Gap::None } else { Gap::Blank }, false);
                self.mark(comma.as_ref());
            }
            self.word(&group.close, Gap::None);
            return false;
        }
        let outside = self.indent;
        let inside = outside + STEP;
        for (place, (member, comma)) in group.members.iter().enumerate() {
            let paragraph = if place == 0 { Paragraph::First } else { Paragraph::Keep };
            let is_long = inside + flat_strategy(member) >= LINE_CHARS_MAX;
            let broken = is_long || self.has_comments(&member.range());
            self.strategy(member, self.line(inside, paragraph), broken);
            self.mark(comma.as_ref());
        }
        let close = Line { indent: outside, comments: inside, paragraph: Paragraph::Last };
        self.word(&group.close, Gap::Line(close));
        true
    }

    fn mark(&mut self, mark: Option<&Word<'s>>) {
        if let Some(mark) = mark {
            self.word(mark, Gap::None);
        }
    }

    /// A row of words, broken where it can be and must.
    fn row(&mut self, words: &[Word<'s>], gap: Gap) {
        let mut gap = gap;
        let breaks = breaks(words);
        for (place, word) in words.iter().enumerate() {
            if let Some(level) = breaks[place] {
                // As far as the next break that counts as much, so that what belongs together stays so.
                let ends = breaks[place + 1..].iter().position(|other| other.is_some_and(|o| o <= level));
                let part = &words[place..ends.map_or(words.len(), |n| place + 1 + n)];
                if self.column + 1 + flat(part) > LINE_CHARS_MAX {
                    gap = Gap::Rest;
                }
            }
            self.word(word, gap);
            gap = gap_between(word, words.get(place + 1));
        }
    }

    /// A word, and before it the comments that stand before it in the source.
    fn word(&mut self, word: &Word<'s>, gap: Gap) {
        let gap = self.comments(word.start, gap);
        match gap {
            Gap::None => {}
            Gap::Blank => self.push(" "),
            Gap::Column(column) => self.push(&" ".repeat(column.saturating_sub(self.column).max(1))),
            Gap::Rest => self.new_line(self.rest, false),
            Gap::Line(line) => {
                let blank = match line.paragraph {
                    Paragraph::First | Paragraph::Last => false,
                    Paragraph::Keep => self.has_blank_line(self.from, word.start),
                    Paragraph::Force => true,
                };
                self.new_line(line.indent, blank);
                self.indent = line.indent;
                self.rest = line.indent + REST;
            }
        }
        self.push(word.text);
        self.from = word.end();
    }

    /// Writes the comments before `until`; gives what is left of the gap.
    fn comments(&mut self, until: usize, gap: Gap) -> Gap {
        let first = self.written;
        let count = self.scan.comments[first..].iter().take_while(|c| c.start < until).count();
        let comments = &self.scan.comments[first..first + count];
        self.written += count;
        let mut left = gap;
        if let Gap::Line(Line { paragraph: paragraph @ Paragraph::Force, .. }) = &mut left {
            // A blank line anywhere before the word is enough, and stays where it is.
            let starts = comments.iter().map(|c| c.start).chain([until]);
            let ends = [self.from].into_iter().chain(comments.iter().map(|c| c.end));
            if ends.zip(starts).any(|(from, to)| self.has_blank_line(from, to)) {
                *paragraph = Paragraph::Keep;
            }
        }
        for comment in comments {
            let text = self.source.get(comment.clone()).unwrap_or_default().trim_end();
            if self.out.is_empty() || self.source[self.from..comment.start].contains('\n') {
                let (indent, blank) = match &mut left {
                    Gap::Line(line) => {
                        let blank = match line.paragraph {
                            Paragraph::First => false,
                            Paragraph::Force => true,
                            Paragraph::Keep | Paragraph::Last => {
                                self.has_blank_line(self.from, comment.start)
                            }
                        };
                        if line.paragraph != Paragraph::Last {
                            line.paragraph = Paragraph::Keep;
                        }
                        (line.comments, blank)
                    }
                    _ => (self.rest, false),
                };
                self.new_line(indent, blank);
            } else {
                self.push("  ");
            }
            self.push(text);
            self.from = comment.end;
            if !matches!(left, Gap::Line(_)) {
                left = Gap::Rest;
            }
        }
        left
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    /// The text itself begins with no blank line.
    fn new_line(&mut self, indent: usize, blank: bool) {
        if !self.out.is_empty() {
            self.out.push_str(if blank { "\n\n" } else { "\n" });
        }
        self.column = 0;
        self.push(&" ".repeat(indent));
    }

    fn has_blank_line(&self, from: usize, to: usize) -> bool {
        self.source.get(from..to).is_some_and(|between| between.matches('\n').count() > 1)
    }

    fn has_comments(&self, range: &Range<usize>) -> bool {
        let first = self.scan.comments.partition_point(|c| c.start < range.start);
        self.scan.comments.get(first).is_some_and(|c| c.start < range.end)
    }
}

/// What stands between two words of a row.
fn gap_between(word: &Word<'_>, next: Option<&Word<'_>>) -> Gap {
    let next = next.map_or("", |next| next.text);
    let is_joined = matches!(word.text, "(" | "[")
        || matches!(next, ")" | "]" | "," | ":" | "%")
        || (word.text == "{" && next == "}");
    if is_joined { Gap::None } else { Gap::Blank }
}

/// Before which words of a row a line may end, and how readily: the lower the sooner. `or` holds less
/// together than `and`, and both less than brackets.
fn breaks(words: &[Word<'_>]) -> Vec<Option<usize>> {
    // The first word names what the row is about: the `and` of `between` joins its times.
    let joins_times = words.first().is_some_and(|word| word.text == "between");
    let (mut depth, mut after_comma) = (0_usize, false);
    let mut level = |word: &Word<'_>| {
        let inside = 3 * depth;
        let level = match word.text {
            "unless" => Some(0),
            "or" => Some(inside + 1),
            "and" if !joins_times => Some(inside + 2),
            _ if after_comma => Some(inside + 1),
            _ => None,
        };
        match word.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        after_comma = word.text == ",";
        level
    };
    words.iter().enumerate().map(|(place, word)| level(word).filter(|_| place > 0)).collect()
}

/// A row as far as its first line must reach.
fn first_part<'w, 's>(words: &'w [Word<'s>]) -> &'w [Word<'s>] {
    let breaks = breaks(words);
    let level = breaks.iter().flatten().min();
    let end = breaks.iter().position(|b| b.is_some() && b.as_ref() == level);
    &words[..end.unwrap_or(words.len())]
}

/// The characters of a row on one line.
fn flat(words: &[Word<'_>]) -> usize {
    let gap = |place: usize| match gap_between(&words[place], words.get(place + 1)) {
        Gap::None => 0,
        _ => usize::from(place + 1 < words.len()),
    };
    words.iter().enumerate().map(|(place, word)| word.text.chars().count() + gap(place)).sum()
}

fn flat_strategy(strategy: &Strategy<'_>) -> usize {
    let steps: usize = strategy.steps.iter().map(flat_step).sum();
    steps + strategy.steps.len().saturating_sub(1)
}

fn flat_step(step: &Step<'_>) -> usize {
    let then = step.then.map_or(0, |then| then.text.len() + 1);
    let action = match &step.action {
        Action::Words(words) => flat(words),
        Action::Group(group) => flat_head(&group.head) + flat_members(group) + 1,
    };
    let modifiers: usize = step.modifiers.iter().map(|modifier| flat(modifier) + 1).sum();
    then + action + modifiers
}

fn flat_head(head: &Row<'_>) -> usize {
    head.iter().map(|word| word.text.len()).sum::<usize>() + head.len().saturating_sub(1)
}

/// What stands between `(` and `)`.
fn flat_members(group: &Group<'_>) -> usize {
    let members: usize = group.members.iter().map(|(member, _)| flat_strategy(member)).sum();
    members + 2 * group.members.len().saturating_sub(1)
}
