//! The formatter: cases, and what holds of every policy however it is written.

use proptest::prelude::*;
use spine::language::{NoLibrary, Policy, compile, format};

use super::generator::{Taste, policy};
use super::properties::config;
use crate::cases::check_folder;

#[test]
fn each_text_is_written_as_its_case_says() {
    check_folder("format", |_, source| {
        let formatted = format(source).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
        assert_eq!(format(&formatted).as_ref(), Ok(&formatted), "it is not in the style that it was given");
        formatted
    });
}

#[test]
fn the_policies_of_the_repository_are_in_the_style() {
    for (path, source) in policies() {
        assert_eq!(format(&source).unwrap(), source, "{path}");
    }
}

#[test]
fn lines_end_as_they_did_and_odd_blanks_go() {
    let source = "\u{FEFF}# why\r\npolicy p {\r\n\tsms\u{A0}then  email }";
    let formatted = "# why\r\npolicy p {\r\n  sms\r\n    then email\r\n}\r\n";
    assert_eq!(format(source).unwrap(), formatted);
    assert_eq!(format(formatted).unwrap(), formatted);
    assert_eq!(format(&source.replacen("\r\n", "\n", 1)).unwrap(), formatted.replace('\r', ""));
}

#[test]
fn a_text_with_a_fault_is_not_formatted() {
    for (source, rule) in [
        ("watsapp then sms", "unknown-channel"),
        ("sms, email", "wrong-joiner"),
        ("sms then", "missing-stage"),
        ("any of (sms", "unclosed-bracket"),
        ("sms if vars.a is \"x\" and vars.a < 1", "types-differ"),
        ("policy p { sms", "unclosed-bracket"),
        ("# nothing", "no-policy"),
    ] {
        assert_eq!(format(source).unwrap_err().rule, rule, "{source}");
    }
}

pub(super) fn policies() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "policy")).collect();
    files.sort();
    files.iter().map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap())).collect()
}

/// What each blank of a text becomes: as the numbers say, more blanks, lines and comments.
fn strewn(source: &str, fillers: &[&str], choices: &[usize]) -> String {
    let (mut out, mut choices) = (String::new(), choices.iter().cycle());
    let (mut in_text, mut in_comment) = (false, false);
    for c in source.chars() {
        in_text ^= c == '"' && !in_comment;
        in_comment = (in_comment || c == '#' && !in_text) && c != '\n';
        let mut filler = || fillers[choices.next().unwrap() % fillers.len()];
        match c {
            ' ' | '\n' if !in_text && !in_comment => {
                out.push(c);
                out.push_str(filler());
            }
            '(' | ',' if !in_text && !in_comment => {
                out.push(c);
                out.push_str(filler());
            }
            ')' if !in_text && !in_comment => {
                out.push_str(filler());
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

const BLANKS: [&str; 6] = ["", "", " ", "  ", "\t", "\n "];
const ODD: [&str; 12] = [
    "",
    "",
    "",
    " ",
    "\n",
    "\n\n\n",
    "\t\r\n",
    " # { odd ( \"\n",
    "\n  # own, of a line: é 日本\n",
    "#\n",
    "\n\n# a paragraph   \n\n\n",
    " # one\n # two\r\n",
];

/// A policy without its places and its blanks: conditions keep the blanks that they were written with.
fn meaning(policies: &[Policy]) -> String {
    let text = std::format!("{policies:?}");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("at: ") {
        out.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    }
    out.push_str(rest);
    out.retain(|c| c != ' ');
    out
}

fn comments(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in source.lines() {
        let mut in_text = false;
        let start = line.char_indices().find(|(_, c)| {
            in_text ^= *c == '"';
            *c == '#' && !in_text
        });
        found.extend(start.map(|(at, _)| line[at..].trim_end()));
    }
    found
}

fn holds(source: &str) -> Result<(), TestCaseError> {
    let before = compile(source, None, &NoLibrary);
    prop_assert!(before.is_clean(), "{source}: {:?}", before.diagnostics);
    let formatted = match format(source) {
        Ok(formatted) => formatted,
        Err(fault) => return Err(TestCaseError::fail(std::format!("{source}: {fault:?}"))),
    };
    let after = compile(&formatted, None, &NoLibrary);
    prop_assert!(after.is_clean(), "{formatted}: {:?}", after.diagnostics);
    prop_assert_eq!(meaning(&before.policies), meaning(&after.policies));
    prop_assert_eq!(comments(source), comments(&formatted));
    prop_assert_eq!(format(&formatted).unwrap(), formatted.clone(), "{}", source);
    let lines = || formatted.lines().map(str::trim_end);
    prop_assert!(lines().eq(formatted.lines()), "blanks at the end of a line: {formatted}");
    prop_assert!(!formatted.contains("\n\n\n") && !formatted.contains("\r\n\r\n\r\n"), "{formatted}");
    prop_assert!(formatted.ends_with('\n') && !formatted.ends_with("\n\n"), "{formatted:?}");
    Ok(())
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn formatting_changes_nothing_but_blanks_and_is_at_rest_after_once(
        policy in policy(Taste { all_of: true, windows: true, replies: false, guards: true }),
        choices in prop::collection::vec(0..1_000_usize, 40..80),
    ) {
        holds(&strewn(&policy, &ODD, &choices))?;
        // Without comments and paragraphs all that one writes between the words is the same.
        let strewn = strewn(&policy, &BLANKS, &choices);
        let plain: Vec<&str> = strewn.lines().filter(|line| !line.trim().is_empty()).collect();
        prop_assert_eq!(format(&plain.join("\n")), format(&policy.replace('\n', " ")));
    }
}

#[test]
fn the_policies_of_the_repository_hold_with_odd_blanks_and_comments_too() {
    let cases = std::iter::repeat_with({
        let mut state = 3_usize;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (0..53).map(|n| (state >> (n % 40)) % 997).collect::<Vec<_>>()
        }
    });
    for ((_, source), choices) in policies().iter().cycle().zip(cases).take(400) {
        holds(&strewn(source, &ODD, &choices)).unwrap();
    }
}
