//! What a template's text says about its names, beyond what the template engine tells: which of
//! them may be missing, and which filters, tests and functions it calls.

/// A word, number, string or sign inside `{{ … }}` or `{% … %}`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Text,
    Sign(char),
    /// Between two expressions.
    End,
}

/// What a text calls by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Filter,
    Test,
    Function,
}

impl Kind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Kind::Filter => "filter",
            Kind::Test => "test",
            Kind::Function => "function",
        }
    }
}

/// One call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Called {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// From 1.
    pub(super) line: usize,
}

/// Whether the text cannot be rendered without a value for `name`, one of the names that it uses:
/// it is used somewhere without a `default`, and nowhere asked whether it is `defined`.
pub(super) fn needs(text: &str, name: &str) -> bool {
    let tokens = tokens(text);
    let tokens: Vec<&Token<'_>> = tokens.iter().map(|(token, _)| token).collect();
    let mut bare = false;
    for at in 0..tokens.len() {
        if *tokens[at] != Token::Word(name) || !is_name(&tokens, at) {
            continue;
        }
        match after_path(&tokens, at) {
            [Token::Sign('|'), Token::Word("default" | "d"), ..] => {}
            [Token::Word("is"), Token::Word("not"), Token::Word("defined" | "undefined"), ..]
            | [Token::Word("is"), Token::Word("defined" | "undefined"), ..] => return false,
            _ => bare = true,
        }
    }
    bare
}

/// Whether the word at `at` is a name and not an attribute, a filter, a test or an argument's name.
fn is_name(tokens: &[&Token<'_>], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| tokens[before]);
    let argument = matches!(tokens.get(at + 1), Some(Token::Sign('=')))
        && !matches!(tokens.get(at + 2), Some(Token::Sign('=')))
        && matches!(before, Some(Token::Sign('(' | ',')));
    !argument && !matches!(before, Some(Token::Sign('.' | '|') | Token::Word("is")))
}

/// What stands behind a name and the attributes and indices that follow it.
fn after_path<'t, 'a>(tokens: &'t [&'t Token<'a>], at: usize) -> &'t [&'t Token<'a>] {
    let mut rest = &tokens[at + 1..];
    loop {
        match rest {
            [Token::Sign('.'), Token::Word(_), more @ ..] => rest = more,
            [Token::Sign('['), more @ ..] => {
                let close = more.iter().position(|token| **token == Token::Sign(']'));
                rest = close.map_or(&[], |close| &more[close + 1..]);
            }
            _ => return rest,
        }
    }
}

/// The filters, tests and functions that the text calls.
pub(super) fn called(text: &str) -> Vec<Called> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    // Macros and what is assigned may be called like a function.
    let own: Vec<&str> = tokens
        .windows(2)
        .filter_map(|pair| match pair {
            [(Token::Word("macro" | "set" | "for" | "call"), _), (Token::Word(name), _)] => Some(*name),
            _ => None,
        })
        .collect();
    let token = |at: usize| tokens.get(at).map(|(token, _)| token);
    for (at, (each, offset)) in tokens.iter().enumerate() {
        let Token::Word(name) = each else { continue };
        let before = at.checked_sub(1).and_then(token);
        let kind = match before {
            Some(Token::Sign('|')) => Kind::Filter,
            Some(Token::Word("is")) if *name != "not" => Kind::Test,
            Some(Token::Word("not")) if at >= 2 && token(at - 2) == Some(&Token::Word("is")) => Kind::Test,
            Some(Token::Sign('.')) => continue,
            _ if token(at + 1) == Some(&Token::Sign('('))
                && !KEYWORDS.contains(name)
                && !own.contains(name) =>
            {
                Kind::Function
            }
            _ => continue,
        };
        let line = text[..*offset].matches('\n').count() + 1;
        found.push(Called { kind, name: (*name).to_owned(), line });
    }
    found
}

/// Words that may stand before a parenthesis and are no function.
static KEYWORDS: &[&str] = &[
    "if", "elif", "in", "not", "and", "or", "is", "else", "set", "for", "macro", "call", "with", "do",
    "filter", "loop", "caller", "super", "self",
];

/// The words of all expressions of a text, with their offsets, in order, [`Token::End`] between
/// two expressions. What a `raw` block holds is text.
fn tokens(text: &str) -> Vec<(Token<'_>, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|open| at + open) {
        let close = match text.as_bytes().get(open + 1) {
            Some(b'#') => {
                at = text[open..].find("#}").map_or(text.len(), |end| open + end + 2);
                continue;
            }
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            _ => {
                at = open + 1;
                continue;
            }
        };
        let first = found.len();
        at = expression(text, open + 2, close, &mut found);
        if found.get(first).is_some_and(|(token, _)| *token == Token::Word("raw")) {
            found.truncate(first);
            let end = text[at..].find("endraw").map_or(text.len(), |end| at + end);
            at = text[end..].find("%}").map_or(text.len(), |close| end + close + 2);
        }
        found.push((Token::End, at));
    }
    found
}

/// Reads one expression up to `close`; gives the offset behind it.
fn expression<'a>(text: &'a str, from: usize, close: &str, found: &mut Vec<(Token<'a>, usize)>) -> usize {
    let mut at = from;
    while let Some(c) = text[at..].chars().next() {
        if text[at..].starts_with(close) {
            return at + close.len();
        }
        let start = at;
        at += c.len_utf8();
        if c == '"' || c == '\'' {
            let mut escaped = false;
            let end = text[at..].char_indices().find(|(_, inner)| {
                let ends = *inner == c && !escaped;
                escaped = *inner == '\\' && !escaped;
                ends
            });
            at = end.map_or(text.len(), |(offset, quote)| at + offset + quote.len_utf8());
            found.push((Token::Text, start));
        } else if c.is_alphanumeric() || c == '_' {
            let rest = &text[start..];
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            at = start + length;
            found.push((Token::Word(&text[start..at]), start));
        } else if !c.is_whitespace()
            && !((c == '-' || c == '+') && (start == from || text[at..].starts_with(close)))
        {
            found.push((Token::Sign(c), start));
        }
    }
    text.len()
}
