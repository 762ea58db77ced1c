//! Changes of a place for which no habit is known: a slip of the fingers or of the memory in one word.
//!
//! They are tried in the order in which they are likely, and one is taken only where it alone leaves the
//! line without a fault.

use crate::language::words::{ENDS, near, quoted};
use crate::model::{Currency, Money, Span, TimeOfDay};

use super::super::habits::conditions::STATES;
use super::super::habits::everyday;
use super::super::habits::text::{Around, Word};
use super::super::{Diagnostic, Edit, TextRange};
use super::vocabulary::{
    CHANNELS, FILLING, JOINTS, MISSING, NO_SLIPS, OF_CONDITIONS, TURNING, WORDS, is_bracket, is_known,
    is_language, is_plain, is_sign,
};

/// A change, and what is said of it.
pub(super) struct Candidate {
    pub(super) at: TextRange,
    pub(super) message: String,
    pub(super) help: String,
    pub(super) edits: Vec<Edit>,
}

impl Candidate {
    /// The finding, told by this.
    pub(super) fn said_of(self, finding: Diagnostic) -> Diagnostic {
        Diagnostic { at: self.at, message: self.message, help: Some(self.help), fix: self.edits, ..finding }
    }
}

/// Signs of comparisons.
const COMPARING: [char; 4] = ['<', '>', '=', '!'];
/// Words of one line that are looked at.
const WORDS_MAX: usize = 8;

pub(super) fn may_be_a_slip(rule: &str) -> bool {
    !NO_SLIPS.contains(&rule)
}

/// What is said where no change mends a finding.
pub(super) fn help(rule: &str) -> &'static str {
    match rule {
        "unknown-channel" => "a stage begins with a channel, such as `sms`, `email` or `push`",
        "unknown-word" => {
            "behind a stage stands `then`, or what is said of it, such as `after 30s` or `unless quota`"
        }
        "unknown-condition" => "write a word such as `quota` or `read`, or a name such as `vars.amount`",
        "bad-var" | "unknown-header" => "write for example `vars { time: string, amount: number optional }`",
        "stray-text" => "write a stage, `then`, or what is said of a stage in its place",
        "bad-comparison" | "unknown-name" => {
            "write a comparison such as `vars.amount > 100` or `contact.country is \"AT\"`"
        }
        "bad-shares" | "bad-route" => "write `via a`, `via a or b`, or `via 70% a, 30% b`",
        "bad-retry" => "write `retry 3 times every 10s`, or `retry 5 times backoff 1s to 30s`",
        "bad-repeat" => "write for example `repeat 3 times every 5m`",
        "bad-limit" | "bad-money" => "write for example `limit 3 sends` or `limit 0.25 EUR`",
        "unclosed-text" => "write each text between two `\"` on one line",
        "bad-window" | "missing-time" | "missing-zone" | "bad-time" => {
            "write times and a zone, as in `between 08:00 and 17:00 in Europe/Berlin`"
        }
        _ => "compare it with the examples that `spine policy rule` shows for this finding",
    }
}

pub(super) fn of(source: &str, finding: &Diagnostic) -> Vec<Vec<Candidate>> {
    let around = Around { source, at: finding.at.clone() };
    let line = around.line_start(finding.at.start)..around.line_end(finding.at.start);
    let words = words(&around, &line);
    let first = words.iter().position(|(at, _)| at.end > finding.at.start).unwrap_or(words.len());
    let last = words.iter().position(|(at, _)| at.start >= finding.at.end).unwrap_or(words.len());
    // The slip may be in the word before, or in the one behind.
    let window = first.saturating_sub(1)..(last + 2).min(words.len()).min(first + WORDS_MAX);
    let line = Line { rule: finding.rule, around: &around, words: &words };
    let each = |make: &dyn Fn(usize) -> Vec<Candidate>| window.clone().flat_map(make).collect();
    vec![
        each(&|place| line.spelling(place)),
        each(&|place| line.other_signs(place)),
        each(&|place| {
            [line.left_out(place), line.replaced(place), line.missing(place), line.turned(place)]
                .into_iter()
                .flatten()
                .collect()
        }),
    ]
}

/// The words and signs of a line up to its comment, a text in quotes as one.
fn words<'s>(around: &Around<'s>, line: &TextRange) -> Vec<Word<'s>> {
    let (mut words, mut from) = (Vec::new(), line.start);
    while let Some((at, word)) = around.word_from(from).filter(|(at, _)| at.start < line.end) {
        if word == "#" {
            break;
        }
        let mut end = at.end;
        if word == "\"" {
            let rest = around.part(at.end..line.end);
            end = at.end + rest.find('"').map_or(0, |quote| quote + 1);
        }
        words.push((at.start..end, around.part(at.start..end)));
        from = end;
    }
    words
}

struct Line<'l> {
    rule: &'static str,
    around: &'l Around<'l>,
    words: &'l [Word<'l>],
}

impl Line<'_> {
    fn written(&self, at: TextRange, text: &str, message: String) -> Candidate {
        let edits = vec![self.around.kept_apart(Edit { at: at.clone(), text: text.to_owned() })];
        Candidate { at, message, help: format!("write `{text}`"), edits }
    }

    /// A word that is nearly one of the language, or two words with the blank in another place.
    fn spelling(&self, place: usize) -> Vec<Candidate> {
        let (at, word) = &self.words[place];
        let mut all = Vec::new();
        if word.strip_prefix('.').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit())) {
            let message = format!("{} is not written as numbers are", quoted(word));
            all.push(self.written(at.clone(), &format!("0{word}"), message));
        }
        if !is_plain(word) {
            return all;
        }
        // `message.priority`, `vars { vars.name: string }`
        if let Some((owner, name)) = word.split_once('.')
            && (is_language(name) || self.rule == "bad-var")
        {
            let message = format!("`{owner}.` is not needed before {}", quoted(name));
            all.push(self.written(at.clone(), name, message));
        }
        if let Some(meant) = everyday::meant(word) {
            let message = format!("unknown word {}; did you mean `{meant}`?", quoted(word));
            all.push(self.written(at.clone(), meant, message));
        }
        let others = WORDS.into_iter().chain(ENDS).chain(CHANNELS).filter(|known| known != word);
        if let Some(meant) = near(word, others) {
            let message = format!("unknown word {}; did you mean `{meant}`?", quoted(word));
            all.push(self.written(at.clone(), meant, message));
        }
        for (cut, _) in word.char_indices().skip(1) {
            let (first, second) = word.split_at(cut);
            if is_known(self.around, first) && is_known(self.around, second) {
                let message = format!("there is no blank between `{first}` and {}", quoted(second));
                all.push(self.written(at.clone(), &format!("{first} {second}"), message));
            }
        }
        let Some((next_at, next)) = self.words.get(place + 1).filter(|(_, next)| is_plain(next)) else {
            return all;
        };
        let whole = at.start..next_at.end;
        for joint in ["", "_", ".", "/"] {
            let joined = format!("{word}{joint}{next}");
            let are_numbers = [word, next].iter().all(|word| word.starts_with(|c: char| c.is_ascii_digit()));
            let are_words = !joint.is_empty() && is_language(word) && is_language(next);
            if !are_numbers && !are_words && is_known(self.around, &joined) {
                let message = format!("{} is one word", quoted(self.around.part(whole.clone())));
                all.push(self.written(whole.clone(), &joined, message));
            }
        }
        let shifted = |first: String, second: String| {
            (is_known(self.around, &first) && is_known(self.around, &second))
                .then(|| format!("{first} {second}"))
        };
        let (mut head, mut tail) = (word.chars(), next.chars());
        let moved = [
            tail.next().and_then(|c| shifted(format!("{word}{c}"), tail.as_str().to_owned())),
            head.next_back().and_then(|c| shifted(head.as_str().to_owned(), format!("{c}{next}"))),
        ];
        for meant in moved.into_iter().flatten() {
            let said = quoted(self.around.part(whole.clone()));
            all.push(self.written(
                whole.clone(),
                &meant,
                format!("the blank in {said} stands in the wrong place"),
            ));
        }
        all
    }

    /// The same words with other signs.
    fn other_signs(&self, place: usize) -> Vec<Candidate> {
        let (at, word) = &self.words[place];
        // `"read"`
        if let Some(inner) = word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            let is_name = is_plain(inner) && !inner.contains(' ');
            let fits = is_name || inner.split(' ').all(|part| is_known(self.around, part));
            let message = format!("{} stands without quotes", quoted(inner));
            return fits.then(|| self.written(at.clone(), inner, message)).into_iter().collect();
        }
        if !is_sign(word) {
            return Vec::new();
        }
        // `{{`, `--->`
        let mut run = at.clone();
        while let Some((next, _)) = self.words.iter().find(|(next, sign)| {
            next.start == run.end && is_sign(sign) && (sign == word || !is_bracket(sign) && !is_bracket(word))
        }) {
            run.end = next.end;
        }
        let mut all = self.brackets(&run, word);
        all.extend(self.parts(place));
        all.extend(self.compared(place, &run));
        let said = self.around.part(run.clone());
        if !said.contains(COMPARING) || !OF_CONDITIONS.contains(&self.rule) {
            // Without its brace a policy has none of what stands in it.
            let before = self.around.part(0..run.start);
            let opens_policy = *word == "{"
                && before.rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with("policy "));
            if !opens_policy {
                all.push(self.without(run.clone(), format!("{} does not belong here", quoted(said))));
            }
        }
        if said.len() > at.len() && said.bytes().all(|b| Some(&b) == word.as_bytes().first()) {
            all.push(self.written(run.clone(), word, format!("{} stands twice", quoted(word))));
        }
        if !is_bracket(word) {
            all.extend(self.joints(&run));
        }
        all
    }

    /// Other brackets than those that a run of the same ones opens, or none.
    fn brackets(&self, open: &TextRange, sign: &str) -> Vec<Candidate> {
        let said = self.around.part(open.clone());
        let pairs = [("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"), ("'", "'")];
        let line = self.around.line_end(open.end);
        let closing = pairs.iter().find(|(one, _)| *one == sign).and_then(|(_, other)| {
            let closing = other.repeat(said.len());
            let found = open.end + self.around.part(open.end..line).find(&closing)?;
            Some(found..found + closing.len())
        });
        let Some(closing) = closing else { return Vec::new() };
        let last = self.around.part(closing.clone());
        let inner = self.around.part(open.end..closing.start).trim();
        let other = |signs: [&str; 2], message: String, help: String| {
            let [first, second] = signs.map(str::to_owned);
            let edits = [(open.clone(), first), (closing.clone(), second)];
            let edits = edits.map(|(at, text)| self.around.kept_apart(Edit { at, text }));
            Candidate { at: open.start..closing.end, message, help, edits: edits.to_vec() }
        };
        let (message, help) = match inner {
            "" => (format!("`{said}{last}` is not needed here"), "leave it out".to_owned()),
            _ => (
                format!("{} stands without `{said}` and `{last}`", quoted(inner)),
                format!("write {}", quoted(inner)),
            ),
        };
        let mut all = vec![other(["", ""], message, help)];
        for (one, two) in [("[", "]"), ("(", ")"), ("{", "}")] {
            if one != said && inner.contains(',') {
                let message = format!("{} stands between `{one}` and `{two}`", quoted(inner));
                all.push(other([one, two], message, format!("write `{one}` and `{two}` around it")));
            }
        }
        // `(cheaper than voice)`
        if said == "(" && closing.end == self.around.blanks_before(line) && self.is_comment(open.end) {
            let message = "a comment begins with `#`, and does not stand in parentheses".to_owned();
            all.push(other(["# ", ""], message, format!("write `# {inner}`")));
        }
        all
    }

    /// `contact,timezone`, `Europe / Berlin`, `1h, 30m`: a sign within what is one word.
    fn parts(&self, place: usize) -> Vec<Candidate> {
        let (at, sign) = &self.words[place];
        let before = place.checked_sub(1).and_then(|n| self.words.get(n));
        let (Some((first, one)), Some((last, other))) = (before, self.words.get(place + 1)) else {
            return Vec::new();
        };
        let whole = first.start..last.end;
        let said = quoted(self.around.part(whole.clone()));
        let mut all = Vec::new();
        if first.end == at.start && at.end == last.start || [".", "/"].contains(sign) {
            for joint in [".", "/", "_", ":"] {
                let joined = format!("{one}{joint}{other}");
                if is_known(self.around, &joined) {
                    let message = format!("{said} is not how {} is written", quoted(&joined));
                    all.push(self.written(whole.clone(), &joined, message));
                }
            }
        }
        let both = format!("{one}{other}");
        if [one, other, &both.as_str()].iter().all(|word| word.parse::<Span>().is_ok()) {
            all.push(self.written(whole, &both, format!("{said} is one duration in two words")));
        }
        all
    }

    /// `quota = true`, and a sign of a comparison in two parts.
    fn compared(&self, place: usize, run: &TextRange) -> Vec<Candidate> {
        let said = self.around.part(run.clone());
        let before = place.checked_sub(1).and_then(|n| self.words.get(n));
        let behind = self.words.iter().find(|(at, _)| at.start >= run.end);
        let (Some((_, one)), Some((last, other)), true) = (before, behind, said.contains(COMPARING)) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        if STATES.contains(one) && ["true", "yes"].contains(other) {
            let message = format!("`{one}` is compared with nothing, it stands alone");
            all.push(self.without(run.start..last.end, message));
        }
        let joined = format!("{said}{other}");
        if ["<=", ">=", "!=", "=="].contains(&joined.as_str()) {
            let message = format!("there is a blank in `{joined}`");
            all.push(self.written(run.start..last.end, &joined, message));
        }
        all
    }

    /// What joins words, or begins a comment, in the place of other signs.
    fn joints(&self, run: &TextRange) -> Vec<Candidate> {
        let said = self.around.part(run.clone());
        let meant: &[&str] = match self.rule {
            // Which of two readings is meant was asked already.
            "wrong-joiner" => &[],
            "bad-var" => &[":", ","],
            _ if said.contains(['!', '<', '>']) && said.contains('=') => &[],
            _ if said.contains('=') => &["is", "in"],
            _ => &[",", "then", "or", "and", "to"],
        };
        let mut all: Vec<Candidate> = Vec::new();
        for meant in meant.iter().filter(|meant| **meant != said) {
            let message =
                format!("{} does not join what stands around it; did you mean `{meant}`?", quoted(said));
            let mut candidate = self.written(run.clone(), meant, message);
            if *meant == "," {
                let start = self.around.blanks_before(run.start);
                candidate.edits = vec![Edit { at: start..run.end, text: ",".to_owned() }];
            }
            all.push(candidate);
        }
        // `; ask first`
        if !said.contains([',', '=', ':']) && self.is_comment(run.end) {
            let message = format!("a comment begins with `#`, not with {}", quoted(said));
            all.push(self.written(run.clone(), "#", message));
        }
        all
    }

    /// Whether the words from a byte on are none of the language.
    fn is_comment(&self, from: usize) -> bool {
        let mut words = self.words.iter().filter(|(at, _)| at.start >= from).map(|(_, word)| *word);
        let is_other = |word: &str| {
            word.starts_with(char::is_alphabetic) && !word.contains('.') && !is_known(self.around, word)
        };
        words.next().is_some_and(is_other) && words.next().is_some_and(|word| !is_sign(word))
    }

    /// Two words that stand the wrong way round.
    fn turned(&self, place: usize) -> Vec<Candidate> {
        let (at, word) = &self.words[place];
        let Some((next_at, next)) = self.words.get(place + 1) else { return Vec::new() };
        let is_money = word.parse::<Currency>().is_ok() && Money::parse_amount(next).is_ok();
        if !is_plain(word) || !is_plain(next) || !(is_money || is_language(word) || is_language(next)) {
            return Vec::new();
        }
        let whole = at.start..next_at.end;
        let message = format!("{} stands the wrong way round", quoted(self.around.part(whole.clone())));
        vec![self.written(whole, &format!("{next} {word}"), message)]
    }

    fn without(&self, at: TextRange, message: String) -> Candidate {
        let edit = self.around.kept_apart(Edit { at: self.around.left_out(at.clone()), text: String::new() });
        Candidate { at, message, help: "leave it out".to_owned(), edits: vec![edit] }
    }

    /// A word that is not needed.
    fn left_out(&self, place: usize) -> Vec<Candidate> {
        let (at, word) = &self.words[place];
        let is_last = self.words.len() == place + 1;
        let before = place.checked_sub(1).and_then(|n| self.words.get(n)).map_or("", |(_, word)| *word);
        let is_route = self.words.iter().take(place).any(|(_, word)| *word == "via");
        let is_name = is_route && ["via", "or", ","].contains(&before) || before.contains('%');
        let fits = match *word {
            _ if is_name && *word != "via" => false,
            // `after 90m later`, but not `then sms later`.
            "later" | "pause" => before.parse::<Span>().is_ok(),
            "and" | "or" => !is_last && self.rule != "missing-condition",
            "in" | "on" | "to" | "with" | "is" | "between" => !is_last,
            "then" => self.rule == "bad-doubt",
            "via" => ["or", ","].contains(&before),
            "after" => before == "wait",
            "every" => self.words.get(place + 1).is_some_and(|(_, next)| *next == "backoff"),
            _ => true,
        };
        // `after after 5m`
        let is_double =
            before == *word && !CHANNELS.contains(word) && !word.contains(|c: char| c.is_ascii_digit());
        if is_double && is_plain(word) {
            return vec![self.without(at.clone(), format!("{} stands twice", quoted(word)))];
        }
        // `all any of`: which of the two fills, nobody knows.
        let is_kind = |word: &str| ["all", "any"].contains(&word);
        let is_one_of_two =
            is_kind(word) && self.words.get(place + 1).is_some_and(|(_, next)| is_kind(next) && next != word);
        if !fits || !FILLING.contains(word) || is_one_of_two {
            return Vec::new();
        }
        vec![self.without(at.clone(), format!("{} is not needed here", quoted(word)))]
    }

    /// A word that joins others, in another language or in other words.
    fn replaced(&self, place: usize) -> Vec<Candidate> {
        let (at, word) = &self.words[place];
        let is_open = self.rule == "wrong-joiner" || TURNING.contains(word);
        if !is_plain(word) || is_known(self.around, word) || word.contains('.') || is_open {
            return Vec::new();
        }
        let written = |meant: &str| {
            let message = format!("unknown word {}; did you mean `{meant}`?", quoted(word));
            self.written(at.clone(), meant, message)
        };
        let is_header = place == 0 && self.rule == "unknown-channel";
        let headers = ["quiet", "limit", "expires", "vars"].into_iter().filter(|_| is_header);
        // `is` is one of several comparisons with a number.
        let next = self.words.get(place + 1).map_or("", |(_, next)| *next);
        let fits = |meant: &&str| *meant != "is" || !next.starts_with(|c: char| c.is_ascii_digit());
        JOINTS.into_iter().filter(fits).chain(headers).map(written).collect()
    }

    /// A word that is missing before another one.
    fn missing(&self, place: usize) -> Vec<Candidate> {
        let (at, word) = &self.words[place];
        let Some((before, _)) = place.checked_sub(1).and_then(|n| self.words.get(n)) else {
            return Vec::new();
        };
        let inserted = |missing: &str| {
            let (place, text) = match missing {
                "," => (before.end, ",".to_owned()),
                _ => (at.start, format!("{missing} ")),
            };
            let text = if place == before.end && place == at.start { format!("{text} ") } else { text };
            Candidate {
                at: at.clone(),
                message: format!("there is no `{missing}` before {}", quoted(word)),
                help: format!("write `{missing}` before it"),
                edits: vec![Edit { at: place..place, text }],
            }
        };
        // `sms twilio or vonage`
        let is_channel = place.checked_sub(1).is_some_and(|n| CHANNELS.contains(&self.words[n].1));
        let behind = |n: usize| self.words.get(place + n).map_or("", |(_, word)| *word);
        let is_route = is_channel
            && is_plain(word)
            && !is_known(self.around, word)
            && ["or", ","].contains(&behind(1))
            && !is_language(behind(2));
        let before = place.checked_sub(1).map_or("", |n| self.words[n].1);
        let are_times = [before, word].iter().all(|word| word.parse::<TimeOfDay>().is_ok());
        let is_number = word.starts_with(|c: char| c.is_ascii_digit());
        // Which of several comparisons, or of two joints of conditions, nobody knows.
        let fits = |missing: &&str| match *missing {
            "is" => !is_number,
            "and" => are_times,
            _ => true,
        };
        MISSING.into_iter().filter(fits).chain(is_route.then_some("via")).map(inserted).collect()
    }
}
