//! What has no parts: blanks, words, texts, numbers, amounts.

// The sets of characters that the grammar names so.
use pest::unicode::{LETTER, MARK, NUMBER};

use super::{Reader, Rule, maybe};

/// Whether a character is part of words (`wc`).
fn is_word_char(c: char) -> bool {
    match c {
        '0'..='9' | 'A'..='Z' | 'a'..='z' | '_' => true,
        _ => !c.is_ascii() && (LETTER(c) || MARK(c) || NUMBER(c)),
    }
}

impl<'s> Reader<'s> {
    pub(super) fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    pub(super) fn next_is(&self, text: &str) -> bool {
        self.source.as_bytes()[self.at..].starts_with(text.as_bytes())
    }

    pub(super) fn next_is_digit(&self) -> bool {
        self.source.as_bytes().get(self.at).is_some_and(u8::is_ascii_digit)
    }

    /// Blanks and comments (`sp`). There may be none: it always holds.
    pub(super) fn blanks(&mut self) -> bool {
        let bytes = self.source.as_bytes();
        loop {
            match bytes.get(self.at..) {
                Some([b' ' | b'\n' | b'\t' | b'\r', ..]) => self.at += 1,
                Some([b'#', ..]) => self.at += self.rest().find('\n').unwrap_or(bytes.len() - self.at),
                Some([0xC2, 0xA0, ..]) => self.at += '\u{A0}'.len_utf8(),
                Some([0xE2, 0x80, 0xAF, ..]) => self.at += '\u{202F}'.len_utf8(),
                Some([0xEF, 0xBB, 0xBF, ..]) => self.at += '\u{FEFF}'.len_utf8(),
                _ => return true,
            }
        }
    }

    /// The byte behind the word characters from `from` on.
    fn word_end(&self, from: usize) -> usize {
        let bytes = self.source.as_bytes();
        let mut end = from;
        while let Some(byte) = bytes.get(end) {
            if byte.is_ascii_alphanumeric() || *byte == b'_' {
                end += 1;
            } else if byte.is_ascii() {
                break;
            } else {
                match self.source[end..].chars().next().filter(|c| is_word_char(*c)) {
                    Some(c) => end += c.len_utf8(),
                    None => break,
                }
            }
        }
        end
    }

    /// The word characters from here on; none where no word begins. A rule that wants `"then" ~ end`
    /// wants this to be `then`.
    pub(super) fn word(&mut self) -> &'s str {
        if self.word.0 != self.at {
            self.word = (self.at, self.word_end(self.at));
        }
        &self.source[self.at..self.word.1]
    }

    /// A word of the language, with the blanks behind it.
    pub(super) fn key(&mut self, word: &str) -> bool {
        self.key_of(&[word])
    }

    /// One of some words of the language.
    pub(super) fn key_of(&mut self, words: &[&str]) -> bool {
        let is_there = words.contains(&self.word());
        if is_there {
            self.at = self.word.1;
            self.blanks();
        }
        is_there
    }

    /// One of some words of the language, as a node.
    pub(super) fn key_node(&mut self, rule: Rule, words: &[&str]) -> bool {
        words.contains(&self.word()) && self.node(rule, |r| r.key_of(words))
    }

    /// A sign, with the blanks behind it.
    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let is_there = self.next_is(sign);
        if is_there {
            self.at += sign.len();
            self.blanks();
        }
        is_there
    }

    /// Goes on behind any character, and the blanks behind it.
    pub(super) fn any(&mut self) -> bool {
        let next = self.rest().chars().next();
        self.at += next.map_or(0, char::len_utf8);
        self.blanks();
        next.is_some()
    }

    /// Behind the `atom` that begins here.
    pub(super) fn atom_end(&mut self) -> Option<usize> {
        let bytes = self.source.as_bytes();
        let mut end = match bytes.get(self.at..) {
            Some([b'-', digit, ..]) if digit.is_ascii_digit() => self.word_end(self.at + 1),
            _ if self.word().is_empty() => return None,
            _ => self.word.1,
        };
        while let Some(b'.' | b':' | b'/' | b'@' | b'-' | b'+') = bytes.get(end) {
            let more = self.word_end(end + 1);
            if more == end + 1 {
                break;
            }
            end = more;
        }
        Some(end)
    }

    /// `atom`.
    pub(super) fn atom(&mut self) -> bool {
        let end = self.atom_end();
        if let Some(end) = end {
            self.leaf(Rule::atom, end);
        }
        end.is_some()
    }

    /// `!reserved ~ atom ~ sp`, as the only part of a node.
    pub(super) fn free_atom(&mut self, rule: Rule) -> bool {
        !self.reserved() && self.node(rule, Self::atom_and_blanks)
    }

    /// `atom ~ sp`.
    pub(super) fn atom_and_blanks(&mut self) -> bool {
        self.atom() && self.blanks()
    }

    /// `plain`.
    pub(super) fn plain(&mut self) -> bool {
        let is_there = !self.word().is_empty();
        if is_there {
            self.leaf(Rule::plain, self.word.1);
        }
        is_there
    }

    /// `string`.
    pub(super) fn string(&mut self) -> bool {
        if self.next_is("\"") {
            return self.node(Rule::string, |r| {
                r.at += 1;
                r.leaf(Rule::text, r.text_end());
                match r.next_is("\"") {
                    true => r.at += 1,
                    false => r.leaf(Rule::unclosed, r.at),
                }
                true
            });
        }
        let end = self.odd_string_end();
        end.is_some_and(|end| {
            self.node(Rule::string, |r| {
                r.leaf(Rule::odd_string, end);
                true
            })
        })
    }

    /// Behind the `text` that begins here.
    fn text_end(&self) -> usize {
        let bytes = self.source.as_bytes();
        let mut end = self.at;
        loop {
            match bytes.get(end..) {
                None | Some([] | [b'"' | b'\n', ..]) => return end,
                Some([b'\\'] | [b'\\', b'\n', ..]) => return end + 1,
                Some([b'\\', ..]) => end += 2,
                Some(_) => end += 1,
            }
        }
    }

    /// Behind the `odd_string` that begins here.
    fn odd_string_end(&self) -> Option<usize> {
        let rest = self.rest();
        let open = rest.chars().next()?;
        let (stops, closes): (&[char], &[char]) = match open {
            '\'' => (&['\'', '\n'], &['\'']),
            '“' => (&['”', '“', '\n'], &['”']),
            '„' => (&['”', '“', '\n'], &['“', '”']),
            '«' => (&['»', '\n'], &['»']),
            _ => return None,
        };
        let behind = &rest[open.len_utf8()..];
        let stop = behind.find(stops)?;
        let close = behind[stop..].chars().next().filter(|c| closes.contains(c))?;
        Some(self.at + open.len_utf8() + stop + close.len_utf8())
    }

    /// `number`.
    pub(super) fn number(&mut self) -> bool {
        let bytes = self.source.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut end = self.at + digits(self.at);
        if end == self.at {
            return false;
        }
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b':' | b'/' | b'@')) || self.word_end(end) > end {
            return false;
        }
        self.leaf(Rule::number, end);
        true
    }

    /// `unit`.
    pub(super) fn unit(&mut self) -> bool {
        const UNITS: &str = "milliseconds millisecond millis seconds second secs sec minutes minute mins min \
                             hours hour hrs hr days day weeks week ms s m h d";
        let word = self.word();
        UNITS.split(' ').any(|unit| unit == word) && self.node(Rule::unit, |r| r.key(word))
    }

    /// `amount`.
    pub(super) fn amount(&mut self) -> bool {
        !self.reserved()
            && !self.section()
            && self.node(Rule::amount, |r| r.atom_and_blanks() && maybe(r.unit()))
    }

    /// `currency`.
    fn currency(&mut self) -> bool {
        const WORDS: [&str; 6] = ["euros", "euro", "eur", "usd", "gbp", "chf"];
        let word = self.word();
        let is_code = word.len() == 3 && word != "AND" && word.bytes().all(|b| b.is_ascii_uppercase());
        if is_code || WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            self.leaf(Rule::currency, self.word.1);
            return true;
        }
        self.symbol_as(Rule::currency)
    }

    fn symbol_as(&mut self, rule: Rule) -> bool {
        let symbol = ["€", "$", "£"].into_iter().find(|symbol| self.next_is(symbol));
        if let Some(symbol) = symbol {
            self.leaf(rule, self.at + symbol.len());
        }
        symbol.is_some()
    }

    /// `money`.
    pub(super) fn money(&mut self) -> bool {
        self.node(Rule::money, |r| {
            let is_there = match r.next_is_digit() {
                true => r.number() && r.blanks() && r.currency(),
                false => r.symbol_as(Rule::symbol) && r.blanks() && r.number(),
            };
            is_there && r.blanks()
        })
    }

    /// `comma`.
    pub(super) fn comma(&mut self) -> bool {
        self.next_is(",") && self.node(Rule::comma, |r| r.sign(","))
    }

    /// `reserved`: whether what stands here is never an argument.
    pub(super) fn reserved(&mut self) -> bool {
        match self.word() {
            "then" | "otherwise" | "after" | "unless" | "until" | "if" | "via" | "retry" | "repeat"
            | "between" | "valid" => true,
            "on" => self.ahead(|r| r.key("on") && r.word() == "doubt"),
            "policy" => self.policy_start(),
            _ => false,
        }
    }

    /// `section`: whether a header begins here.
    pub(super) fn section(&mut self) -> bool {
        matches!(self.word(), "category" | "expires" | "quiet" | "limit")
    }
}
