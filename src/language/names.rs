//! The names in a source by one linear look, without reading it.

use std::collections::BTreeSet;

use super::compile::Parsed;
use super::limits::{NAME_CHARS_MAX, SOURCE_BYTES_MAX};
use super::source::{Scan, is_blank};

/// The word before a policy's name.
const POLICY: &str = "policy";

/// The names in a source: what [`super::parse`] gives for a source without faults, at a fraction of
/// the time. A folder of many policies is looked through by this, and each is read once only.
#[must_use]
pub fn names(source: &str) -> Parsed {
    let mut parsed = Parsed::default();
    if source.len() > SOURCE_BYTES_MAX {
        return parsed;
    }
    let (mut anything, mut named) = (false, false);
    Scan::outside(source, |depth, at| {
        let rest = &source[at..];
        if depth > 0 || !rest.starts_with(|c: char| !is_blank(c)) {
            return;
        }
        anything = true;
        let before = source[..at].chars().next_back();
        if !rest.starts_with(POLICY) || before.is_some_and(is_word) {
            return;
        }
        let Some(name) = name_before_brace(&rest[POLICY.len()..]) else { return };
        named = true;
        if super::compile::is_name(name) && !parsed.names.iter().any(|known| known == name) {
            parsed.names.push(name.to_owned());
        }
    });
    parsed.bare = anything && !named;
    parsed
}

/// The names that a source writes behind `use`, without their versions: found by one linear look.
#[must_use]
pub fn uses(source: &str) -> BTreeSet<String> {
    const USE: &str = "use";
    let mut used = BTreeSet::new();
    if source.len() > SOURCE_BYTES_MAX || !source.contains(USE) {
        return used;
    }
    Scan::outside(source, |_, at| {
        let Some(rest) = source[at..].strip_prefix(USE) else { return };
        let before = source[..at].chars().next_back();
        let start = skip(rest);
        if start == 0 || before.is_some_and(|c| is_word(c) || c == '.') {
            return;
        }
        let name: String = rest[start..].chars().take_while(|c| is_word(*c)).collect();
        if super::compile::is_name(&name) {
            used.insert(name);
        }
    });
    used
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The name that stands between the word and its `{`; empty where none does.
fn name_before_brace(text: &str) -> Option<&str> {
    let start = skip(text);
    if start == 0 && !text.starts_with('{') {
        return None;
    }
    let rest = &text[start..];
    let end = rest.find(|c: char| !is_word(c))?;
    let (name, behind) = rest.split_at(end);
    (name.len() <= NAME_CHARS_MAX && behind[skip(behind)..].starts_with('{')).then_some(name)
}

/// The bytes of blanks and comments at the beginning.
fn skip(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = text[at..].trim_start_matches(is_blank);
        at = text.len() - rest.len();
        if !rest.starts_with('#') {
            return at;
        }
        at += rest.find('\n').unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::parse;

    #[test]
    fn used_names_are_those_behind_use() {
        for (text, expected) in [
            ("use a then use b@3 after 5m", &["a", "b"][..]),
            ("policy p { sms then any of (use first, use # here\n second) }", &["first", "second"]),
            ("sms # use a\nthen email otherwise fail \"use b\"", &[]),
            ("sms if vars.use is reuse then because use", &[]),
            ("policy use { sms }", &[]),
        ] {
            assert_eq!(uses(text).iter().map(String::as_str).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn they_are_those_that_are_read() {
        for text in [
            "",
            "# policy a { sms }",
            "sms",
            "\u{feff}policy a { sms }",
            "policy a { sms } policy b { email }",
            "policy a{sms}policy b\n# in between { }\n{ email otherwise fail \"policy c { }\" }",
            "policy a { vars { policy: string } sms if vars.policy is \"x\" }",
            "any of (sms, email) then use policy_b",
            "policy a { sms if vars.x in [\"}\", '{'] } # policy d {\npolicy e { sms }",
            "policy then { sms }",
            "policy A { sms }",
            "sms if vars.a is \"policy x {\"",
        ] {
            assert_eq!(names(text), parse(text), "{text}");
        }
        for text in [
            include_str!("../../policies/appointment_reminder.policy"),
            include_str!("../../policies/incident_page.policy"),
            include_str!("../../policies/one_time_password.policy"),
        ] {
            assert_eq!(names(text), parse(text), "{text}");
            assert!(names(text).bare || !names(text).names.is_empty(), "{text}");
        }
    }
}
