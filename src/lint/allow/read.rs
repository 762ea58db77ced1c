//! Comments that tell the linter something, as they are written.

use crate::language::policy::TextRange;
use crate::language::words::{near, quoted};
use crate::language::{Edit, comments};

use super::{NAMES_MAX, SHAPE};

/// What a comment that begins with `# spine:` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// `allow`.
    Allow(Allow),
    /// It cannot be followed.
    Malformed {
        /// The comment.
        at: TextRange,
        /// What is wrong with it.
        message: String,
        /// What to write.
        help: String,
        /// A change that mends it, where one is certain.
        fix: Vec<Edit>,
    },
}

/// `# spine: allow RULE -- REASON`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The comment, from its `#`.
    pub at: TextRange,
    /// What is allowed.
    pub names: Vec<AllowName>,
    /// Why; none where nothing is said.
    pub reason: Option<String>,
}

/// A name in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowName {
    /// The name, as written.
    pub name: String,
    /// Its bytes.
    pub at: TextRange,
}

/// The comments of a source that tell the linter something.
#[must_use]
pub fn instructions(source: &str) -> Vec<Instruction> {
    // Most sources have none, and are looked through once for that.
    if !source.contains("spine") && !source.contains("Spine") {
        return Vec::new();
    }
    comments(source).into_iter().filter_map(|at| instruction(source, at)).collect()
}

fn instruction(source: &str, at: TextRange) -> Option<Instruction> {
    let text = source.get(at.clone())?.trim_end();
    let at = at.start..at.start + text.len();
    let body = text.trim_start_matches('#').trim_start();
    let rest = body.strip_prefix("spine").or_else(|| body.strip_prefix("Spine"))?;
    let after = rest.trim_start();
    let malformed = |message: String, help: String, fix: Vec<Edit>| {
        Some(Instruction::Malformed { at: at.clone(), message, help, fix })
    };
    let Some(words) = after.strip_prefix(':') else {
        // A sentence about spine, unless it gives the instruction word for word.
        let is_meant = rest.len() != after.len() && after.split_whitespace().next() == Some("allow");
        let colon = at.end - after.len();
        let fix = vec![Edit { at: colon - (rest.len() - after.len())..colon, text: ": ".to_owned() }];
        return is_meant.then_some(()).and_then(|()| {
            malformed(
                "`spine` lacks its colon here, so nothing is allowed".to_owned(),
                format!("write `{SHAPE}`"),
                fix,
            )
        });
    };
    let words = words.trim_start();
    let word_start = at.end - words.len();
    let word = words.split(|c: char| c.is_whitespace() || c == ':').next().unwrap_or_default();
    if word != "allow" {
        let (message, fix) = match near(word, ["allow"]) {
            Some(meant) => (
                format!("{} is no instruction; did you mean `{meant}`?", quoted(word)),
                vec![Edit { at: word_start..word_start + word.len(), text: meant.to_owned() }],
            ),
            None if word.is_empty() => ("`spine:` gives no instruction".to_owned(), Vec::new()),
            None => (format!("{} is no instruction", quoted(word)), Vec::new()),
        };
        return malformed(message, format!("write `{SHAPE}`"), fix);
    }
    let rest = words["allow".len()..].trim_start_matches(|c: char| c == ':' || c.is_whitespace());
    let (listed, reason) = parted(rest);
    let start = at.end - rest.len();
    let mut names = Vec::new();
    let mut from = 0;
    for piece in listed.split(',') {
        let name = piece.trim();
        let place = start + from + (piece.len() - piece.trim_start().len());
        from += piece.len() + 1;
        if let Some(blank) = name.find(char::is_whitespace) {
            let (first, more) = name.split_at(blank);
            let help = format!("write the reason behind `--`, and a comma between two rules: `{SHAPE}`");
            let before = place + first.len();
            // One rule and then words are a rule and its reason.
            let fix = match (reason, listed.contains(',')) {
                (None, false) => vec![Edit {
                    at: before..before + (more.len() - more.trim_start().len()),
                    text: " -- ".to_owned(),
                }],
                _ => Vec::new(),
            };
            return malformed(format!("{} is not one rule", quoted(name)), help, fix);
        }
        if !name.is_empty() {
            names.push(AllowName { name: name.to_owned(), at: place..place + name.len() });
        }
    }
    if names.is_empty() {
        return malformed("no rule is named here".to_owned(), format!("write `{SHAPE}`"), Vec::new());
    }
    if names.len() > NAMES_MAX {
        let message = format!("{} rules are named here", names.len());
        return malformed(message, format!("name at most {NAMES_MAX}"), Vec::new());
    }
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty()).map(str::to_owned);
    Some(Instruction::Allow(Allow { at, names, reason }))
}

/// The names, and what stands behind `--` or a dash.
fn parted(text: &str) -> (&str, Option<&str>) {
    let found = ["--", "—", "–"].iter().filter_map(|dash| Some((text.find(dash)?, dash.len()))).min();
    match found {
        Some((at, len)) => (&text[..at], Some(text[at + len..].trim_start_matches('-'))),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(source: &str) -> String {
        match instructions(source).as_slice() {
            [] => "nothing".to_owned(),
            [Instruction::Allow(allow)] => {
                let names: Vec<&str> = allow.names.iter().map(|name| name.name.as_str()).collect();
                for name in &allow.names {
                    assert_eq!(&source[name.at.clone()], name.name);
                }
                format!("{} because {:?}", names.join("+"), allow.reason.as_deref().unwrap_or_default())
            }
            [Instruction::Malformed { message, fix, .. }] => {
                let mut text = source.to_owned();
                for edit in fix {
                    text.replace_range(edit.at.clone(), &edit.text);
                }
                match fix.is_empty() {
                    true => message.clone(),
                    false => format!("{message} => {text}"),
                }
            }
            more => format!("{more:?}"),
        }
    }

    #[test]
    fn comments_are_read_as_they_are_written() {
        for (source, expected) in [
            ("sms # spine: allow unsure-zone -- we live in one", "unsure-zone because \"we live in one\""),
            ("#spine:allow a,b--why", "a+b because \"why\""),
            ("# spine: allow a , b — why - so", "a+b because \"why - so\""),
            ("# spine: allow a -- why\r\nsms", "a because \"why\""),
            ("# spine: allow a", "a because \"\""),
            ("# spine: allow a --  ", "a because \"\""),
            ("# spine: allow: a -- why", "a because \"why\""),
            ("# the spine: allow it", "nothing"),
            ("# spine is what sends", "nothing"),
            ("sms if vars.x is \"# spine: allow a\"", "nothing"),
            ("# spine: allow", "no rule is named here"),
            ("# spine: allow -- why", "no rule is named here"),
            ("# spine:", "`spine:` gives no instruction"),
            ("# spine: ignore a", "`ignore` is no instruction"),
            (
                "# spine: alow a -- b",
                "`alow` is no instruction; did you mean `allow`? => # spine: allow a -- b",
            ),
            (
                "# spine allow a -- b",
                "`spine` lacks its colon here, so nothing is allowed => # spine: allow a -- b",
            ),
            ("# spine: allow a we know", "`a we know` is not one rule => # spine: allow a -- we know"),
            ("# spine: allow a b -- why", "`a b` is not one rule"),
        ] {
            assert_eq!(told(source), expected, "{source}");
        }
    }
}
