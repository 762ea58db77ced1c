//! Prose without the `#` of a comment: a title above a policy, a signature below it, a note at the end of a
//! line. Where the text reads clean without it, it is no part of the policy.

use crate::language::source::comments;
use crate::language::words::{ENDS, HEADERS, near, quoted, synonym};
use crate::model::{Channel, Confirmation, Priority, Span, TimeOfDay, ZoneTable};

use super::super::habits::conditions::STATES;
use super::super::habits::everyday;
use super::super::habits::headers::{URGENCIES, is_header};
use super::super::habits::text::{Around, Word};
use super::super::{Diagnostic, Edit, TextRange};
use super::candidates::Candidate;
use super::vocabulary::{CHANNELS, JOINTS, is_language, is_sign};

/// What stands in the text for nothing.
pub(super) struct Remark {
    /// What is said of it.
    pub(super) said: Candidate,
    /// The text without it.
    pub(super) without: Vec<Edit>,
    /// Whether it has its lines for itself.
    pub(super) is_alone: bool,
}

/// Lines that one remark may have: a signature, not a letter.
const LINES_MAX: usize = 8;
/// How people begin what they still have to do, mostly in capital letters.
const MARKS: [&str; 8] = ["todo", "fixme", "xxx", "note", "nb", "ps", "hack", "tbd"];
/// Words of the language that every sentence has.
const SMALL: [&str; 25] = [
    "is", "in", "of", "to", "and", "or", "on", "not", "all", "any", "has", "from", "by", "with", "when",
    "where", "next", "over", "through", "fail", "the", "a", "an", "for", "at",
];
/// Words of times, by which somebody may have said when.
const TIMES: [&str; 22] = [
    "second",
    "seconds",
    "minute",
    "minutes",
    "min",
    "hour",
    "hours",
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "later",
    "daily",
    "tomorrow",
    "today",
    "morning",
    "evening",
    "night",
    "noon",
    "soon",
    "immediately",
];
/// Findings that prose brings about.
const OF_PROSE: [&str; 14] = [
    "unknown-channel",
    "unknown-word",
    "outside-policy",
    "stray-text",
    "after-otherwise",
    "missing-stage",
    "missing-then",
    "wrong-joiner",
    "bad-policy",
    "bad-duration",
    "bad-money",
    "bad-category",
    "bad-limit",
    "bad-comparison",
];

/// What may be a remark at a finding; `word`: also a few words of a line, which may just as well be a slip.
pub(super) fn of(source: &str, finding: &Diagnostic, word: bool) -> Vec<Remark> {
    let around = Around { source, at: finding.at.clone() };
    if !OF_PROSE.contains(&finding.rule) || !around.on_short_line() || is_meant(&around, finding.rule) {
        return Vec::new();
    }
    let place = Place { around: &around, rule: finding.rule, is_outside: is_outside(&around) };
    let mut all = vec![place.keys(), place.before_policy(), place.in_parentheses(), place.lines(word)];
    if word {
        all.extend([place.to_line_end(), place.within_line()]);
    }
    all.into_iter().flatten().collect()
}

/// Whether a line says something of a policy, though it stands where nothing can: a header above it, `[policy.name]`.
fn is_meant(around: &Around<'_>, rule: &str) -> bool {
    let line = around.part(around.blanks_from(around.line_start(around.at.start))..around.source.len());
    // What joins stages is a stage that was moved.
    rule == "outside-policy" && (is_header(line) || line.starts_with("then ")) || line.starts_with("[policy")
}

/// Whether a finding stands outside of the braces of every policy of a text that has some.
fn is_outside(around: &Around<'_>) -> bool {
    let line = around.line_start(around.at.start);
    let mut open = 0_usize;
    crate::language::source::Scan::outside(around.part(0..line), |depth, _| open = depth);
    let has_policies = around.source.lines().any(|line| line.contains("policy ") && line.contains('{'));
    has_policies && open == 0
}

struct Place<'p> {
    around: &'p Around<'p>,
    rule: &'static str,
    is_outside: bool,
}

impl Place<'_> {
    /// `jj  limit 3 sends`, `:wq`: keys that were meant for the editor, at the beginning of a line.
    fn keys(&self) -> Option<Remark> {
        let around = self.around;
        let start = around.line_start(around.at.start);
        let written = around.part(around.blanks_from(start)..around.line_end(start));
        let keys = written.split([' ', '\t']).next()?;
        let letters = keys.trim_start_matches(':').trim_end_matches('!');
        let few = letters.len() <= if keys.starts_with(':') { 3 } else { 2 };
        let is_key = few && !letters.is_empty() && letters.bytes().all(|b| b.is_ascii_lowercase());
        let first = around.blanks_from(start);
        let at = first..first + keys.len();
        let is_there = at.contains(&around.at.start) && !is_strong(letters) && !SMALL.contains(&letters);
        // `a sms`: the channel is meant, and the word before it fills.
        let behind = around.word_from(at.end).map_or("", |(_, word)| word);
        let alone = keys == written.trim_end();
        if !is_key || !is_there || !alone && !is_strong(behind) || behind.parse::<Channel>().is_ok() && !alone
        {
            return None;
        }
        let mut remark = self.remark(vec![at.clone()], false);
        remark.said.message = format!("{} does not belong here", quoted(keys));
        remark.said.help = "leave it out".to_owned();
        // With its line, where it has one for itself.
        let whole = start..(around.line_end(start) + 1).min(around.source.len());
        let at = if alone { whole } else { around.left_out(at) };
        remark.without = vec![Edit { at, text: String::new() }];
        remark.said.edits.clone_from(&remark.without);
        Some(remark)
    }

    /// `NEW policy visit_reminder {`.
    fn before_policy(&self) -> Option<Remark> {
        let around = self.around;
        let line = around.line_start(around.at.start);
        let rest = around.part(line..around.line_end(line));
        let policy = line + rest.find(" policy ")? + 1;
        let (name, _) = around.word_from(policy + "policy".len())?;
        around.word_from(name.end).filter(|(_, sign)| *sign == "{")?;
        let at = around.blanks_from(line)..around.blanks_before(policy);
        let words = self.words(&at);
        let fits = self.is_outside && !words.is_empty() && words.len() <= 3;
        let is_plain = words.iter().all(|(_, word)| word.contains(char::is_alphabetic) && !is_strong(word));
        let mut remark = self.remark(vec![at.clone()], false);
        remark.said.help = "leave it out".to_owned();
        remark.without = vec![Edit { at: at.start..policy, text: String::new() }];
        // What it says is lost with it, so it is one word at most: `NEW`, `public`.
        if words.len() == 1 {
            remark.said.edits.clone_from(&remark.without);
        }
        (fits && is_plain).then_some(remark)
    }

    /// `then sms (Anna) via twilio`, `limit 3 sends (new)`.
    fn in_parentheses(&self) -> Option<Remark> {
        let around = self.around;
        let open = match around.text().starts_with(['(', '[']) {
            true => around.at.start,
            false => around.before().filter(|(_, sign)| ["(", "["].contains(sign))?.0.start,
        };
        let close = around.closing(open)?;
        // A group, or a provider: `any of (sms, email)`, `sms(twilio)`.
        let behind_word = around.part(0..open).ends_with(|c: char| c.is_alphanumeric());
        let behind_of =
            around.word_before(open).is_some_and(|(_, word)| ["of", "any", "all"].contains(&word));
        let at = open..close.end;
        if around.part(at.clone()).contains('\n') || behind_word || behind_of {
            return None;
        }
        self.prose(&self.words(&at))?;
        let ends_line = self.ends_line(close.end);
        let mut remark = self.remark(vec![at.clone()], ends_line);
        if !remark.said.edits.is_empty() {
            let inner = around.part(open + 1..close.start).trim();
            remark.said.message = "a comment begins with `#`, and does not stand in parentheses".to_owned();
            remark.said.help = format!("write `# {inner}`");
            remark.said.edits = vec![Edit { at, text: format!("# {inner}") }];
        }
        Some(remark)
    }

    /// A line that holds nothing else, and those behind it that are more of the same.
    fn lines(&self, word: bool) -> Option<Remark> {
        let around = self.around;
        let start = around.line_start(around.at.start);
        let first = around.blanks_from(start);
        if first != around.at.start && !self.is_outside {
            return None;
        }
        let line = first..self.written_until(first);
        let words = self.words(&line);
        self.prose(&words)?;
        let is_slip = words.len() == 1 && !self.is_outside || is_sign(words.first()?.1);
        if is_slip && !word || around.part(line.clone()).contains('"') || self.goes_on(line.end) {
            return None;
        }
        let mut all = Vec::from([line]);
        while let Some((next, _)) = around.word_from(all.last()?.end).filter(|_| all.len() < LINES_MAX) {
            let line = next.start..self.written_until(next.start);
            let is_first = around.blanks_from(around.line_start(next.start)) == next.start;
            if !is_first || self.goes_on(line.end) || self.prose(&self.words(&line)).is_none() {
                break;
            }
            all.push(line);
        }
        let ends = all.iter().all(|line| self.ends_line(line.end));
        Some(Remark { is_alone: true, ..self.remark(all, ends) })
    }

    /// `then email after 1h NOTE ask Anna`.
    fn to_line_end(&self) -> Option<Remark> {
        let at = self.around.at.start..self.written_until(self.around.at.start);
        let words = self.words(&at);
        let is_marked = self.prose(&words)?;
        // `via twilio or or other`: what the word before waits for.
        let waits = self
            .around
            .before()
            .is_some_and(|(_, word)| JOINTS.contains(&word) || ENDS.contains(&word) || word == ",");
        if waits && !is_marked || self.around.part(at.clone()).contains('"') {
            return None;
        }
        let ends_line = self.ends_line(at.end);
        let mut remark = self.remark(vec![at], ends_line);
        // A word or two may say how something is done: `email daily`.
        if words.len() < 3 && !is_marked {
            remark.said.edits.clear();
        }
        Some(remark)
    }

    /// `every 5m <- check! on doubt resend`: up to the next word of the language.
    fn within_line(&self) -> Option<Remark> {
        let line = self.around.at.start..self.written_until(self.around.at.start);
        let words = self.words(&line);
        let ends = |(_, word): &Word<'_>| {
            ENDS.contains(word) || ["on", "}", ")", ","].contains(word) || word.parse::<Channel>().is_ok()
        };
        let until = words.iter().position(ends)?;
        let words = words.get(..until)?;
        let at = self.around.at.start..words.last()?.0.end;
        let is_marked = self.prose(words)?;
        let few = words.iter().filter(|(_, word)| !is_sign(word)).count() < 2;
        (!few || is_marked).then(|| self.remark(vec![at], false))
    }

    fn remark(&self, lines: Vec<TextRange>, ends_line: bool) -> Remark {
        let around = self.around;
        let at = lines.first().map_or(0, |line| line.start)..lines.last().map_or(0, |line| line.end);
        let policy = if self.is_outside { "a policy" } else { "the policy" };
        let message = format!("{} is no part of {policy}", quoted(around.part(at.clone())));
        let is_safe = ends_line && lines.iter().all(|line| !self.may_be_meant(line));
        let help = match (ends_line, lines.len()) {
            (true, 1) => "write `#` before it, if it is a remark, or leave it out",
            (true, _) => "write `#` before each of these lines, if they are a remark, or leave them out",
            _ => "leave it out, or write it behind a `#` on a line of its own",
        };
        let marked = lines.iter().map(|line| Edit { at: line.start..line.start, text: "# ".to_owned() });
        let edits = if is_safe { marked.collect() } else { Vec::new() };
        let without = lines.iter().map(|line| Edit { at: line.clone(), text: String::new() }).collect();
        let said = Candidate { at, message, help: help.to_owned(), edits };
        Remark { said, without, is_alone: false }
    }

    /// The words of a part of a line; a text in quotes is several.
    fn words(&self, at: &TextRange) -> Vec<Word<'_>> {
        let (mut words, mut from) = (Vec::new(), at.start);
        while let Some((word_at, word)) = self.around.word_from(from).filter(|(next, _)| next.end <= at.end) {
            from = word_at.end;
            words.push((word_at, word));
        }
        words
    }

    /// The end of what is written on a line, without its comment and the brace of a policy behind it.
    fn written_until(&self, from: usize) -> usize {
        let around = self.around;
        let line = around.line_end(from);
        let comment =
            comments(around.source).into_iter().find(|comment| (from..line).contains(&comment.start));
        let end = comment.map_or(line, |comment| comment.start);
        let written = around.part(from..end).trim_end();
        let opens = written.matches(['(', '{', '[']).count();
        let closes = written.matches([')', '}', ']']).count();
        let own = if closes > opens { written.trim_end_matches([')', '}', ']']).trim_end() } else { written };
        from + own.len()
    }

    /// Whether a line ends at a byte, so that a comment may.
    fn ends_line(&self, end: usize) -> bool {
        self.around.part(end..self.around.line_end(end)).trim().is_empty()
    }

    /// Whether what stands there opens something: `policy p {`.
    fn goes_on(&self, end: usize) -> bool {
        self.around.part(self.around.line_start(end)..end).trim_end().ends_with(['{', '(', '['])
    }

    /// Whether words say nothing in the language, and none where they do; whether they are marked as a remark.
    fn prose(&self, words: &[Word<'_>]) -> Option<bool> {
        let (_, first) = words.first()?;
        let (_, second) = words.get(1).unwrap_or(&words[0]);
        let is_sign_of_remark = ["(", "[", "<", "-", "–", "*", "/"].contains(first);
        // `?? Europe/Berlin`, `:= "gold"`
        if is_sign(first) && !is_sign_of_remark && !self.is_outside {
            return None;
        }
        let is_marked = is_sign_of_remark
            || [first, second].iter().any(|word| MARKS.contains(&word.to_lowercase().as_str()))
                && first.chars().all(|c| !c.is_lowercase() || second == first);
        let of_language = words.iter().filter(|(_, word)| self.is_of_language(word)).count();
        let others = words
            .iter()
            .filter(|(_, word)| {
                !self.is_of_language(word) && word.chars().filter(|c| c.is_alphabetic()).count() > 2
            })
            .filter(|(_, word)| !SMALL.contains(&word.to_lowercase().as_str()) && !is_time(word))
            .count();
        if others == 0 || others < if self.is_outside { of_language } else { 3 * of_language } {
            return None;
        }
        // What begins as a word of the language does is one that was misspelt.
        let begins = !self.is_outside && !is_marked && (is_strong(first) || is_slip(first));
        (!begins && !words.iter().any(|(_, word)| *word == "{")).then_some(is_marked)
    }

    /// Outside of the policies `use` and `after` are words like any others.
    fn is_of_language(&self, word: &str) -> bool {
        if self.is_outside { word.parse::<Channel>().is_ok() } else { is_strong(word) }
    }

    /// Whether a line may say something in the language after all.
    fn may_be_meant(&self, line: &TextRange) -> bool {
        let words = self.words(line);
        let says = |word: &str| match self.is_outside {
            true => word.parse::<Channel>().is_ok(),
            false => is_strong(word) || is_slip(word) || is_time(word) || synonym(word).is_some(),
        };
        // `max_sends: 2`
        let is_over = self.is_outside || self.rule == "after-otherwise";
        let is_setting = |(at, word): &Word<'_>| {
            let sign = self.around.part(at.end..line.end).trim_start();
            word.starts_with(|c: char| c.is_ascii_digit()) || sign.len() > 1 && sign.starts_with(['=', ':'])
        };
        words.iter().any(|(_, word)| says(word)) || !is_over && words.iter().any(is_setting)
    }
}

fn is_time(word: &str) -> bool {
    TIMES.contains(&word.to_lowercase().as_str())
}

/// Whether a word of a sentence is one of the language, and no sentence needs it.
fn is_strong(word: &str) -> bool {
    let small = SMALL.contains(&word.to_lowercase().as_str());
    !small
        && (is_language(word)
            || word.parse::<Span>().is_ok()
            || word.contains(':') && word.parse::<TimeOfDay>().is_ok()
            || word.contains('/') && ZoneTable.get(word).is_some()
            || ["EUR", "USD", "GBP", "CHF"].contains(&word)
            || super::super::habits::is_day(word)
            || word.contains("vars.")
            || word.contains("contact."))
}

/// Whether a word is nearly one that a stage has.
fn is_slip(word: &str) -> bool {
    let lower = word.to_lowercase();
    let known = CHANNELS.into_iter().chain(ENDS).chain(STATES).chain(["wait", "every", "times", "backoff"]);
    let small = SMALL.contains(&lower.as_str());
    let letters = lower.chars().count();
    let slips = if letters < 6 { 1 } else { 2 };
    let is_near = letters >= 4
        && near(&lower, known).is_some_and(|known| strsim::osa_distance(&lower, known) <= slips)
        // `otherwisefail`
        || ENDS.iter().any(|known| known.len() > 4 && lower.starts_with(known))
        || URGENCIES.contains(&lower.as_str())
        // `categorystaff`, `cate gory staff`
        || HEADERS.iter().any(|known| letters >= 4 && (lower.starts_with(known) || known.starts_with(&lower)));
    !small
        && (is_near
            || synonym(word).is_some()
            || everyday::meant(word).is_some()
            || lower.parse::<Channel>().is_ok()
            || lower.parse::<Confirmation>().is_ok()
            || lower.parse::<Priority>().is_ok())
}
