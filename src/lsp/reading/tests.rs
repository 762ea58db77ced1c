//! The reading and the compiler's tree say the same of every text of the tests.

use std::ops::Range;
use std::path::Path;

use super::*;
use crate::language::policy::{Action as Compiled, Policy, Strategy};
use crate::language::{NoLibrary, compile};

/// Every policy text that stands in this repository: files, and blocks of pages and cases.
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut out, mut open) =
        (Vec::new(), ["policies", "tests/cases", "docs"].map(|f| root.join(f)).to_vec());
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with(".policy") {
                // One of them is no text, for those who must say so.
                out.extend(std::fs::read_to_string(path).ok().map(|text| (name, text)));
            } else if name.ends_with(".md") {
                let text = std::fs::read_to_string(path).unwrap();
                for block in text.split("```policy\n").skip(1) {
                    out.push((name.clone(), block.split("\n```").next().unwrap_or_default().to_owned()));
                }
            }
        }
    }
    assert!(out.len() > 100, "{} texts", out.len());
    out
}

fn compiled_stages(strategy: &Strategy, out: &mut Vec<Range<usize>>) {
    for stage in &strategy.stages {
        out.push(stage.at.clone());
        if let Compiled::Group { members, .. } = &stage.action {
            members.iter().for_each(|member| compiled_stages(member, out));
        }
    }
}

fn policies(source: &str) -> Vec<Policy> {
    let compiled = compile(source, None, &NoLibrary);
    if compiled.is_clean() { compiled.policies } else { Vec::new() }
}

#[test]
fn stages_stand_where_the_compiler_sees_them() {
    let mut seen = 0;
    for (name, source) in texts() {
        let reading = read(&source);
        for policy in policies(&source) {
            let node = reading.outline.policies.iter().find(|node| node.at == policy.at);
            let node = node.unwrap_or_else(|| panic!("{name}: no policy at {:?} of {source}", policy.at));
            let mut expected = Vec::new();
            compiled_stages(&policy.strategy, &mut expected);
            let found: Vec<Range<usize>> = node.every_stage().iter().map(|stage| stage.at.clone()).collect();
            assert_eq!(found, expected, "{name}: {source}");
            seen += expected.len();
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn no_word_of_a_text_that_compiles_is_unknown_and_nothing_is_expected_behind_it_for_sure() {
    for (name, source) in texts() {
        if policies(&source).is_empty() {
            continue;
        }
        let reading = read(&source);
        for mark in &reading.marks {
            assert_ne!(mark.role, Role::Unknown, "{name}: {:?} in {source}", &source[mark.at.clone()]);
        }
    }
}

#[test]
fn marks_are_in_order_and_cover_every_word() {
    for (name, source) in texts() {
        let reading = read(&source);
        let mut all: Vec<Range<usize>> = reading.marks.iter().map(|mark| mark.at.clone()).collect();
        all.extend(reading.comments.iter().cloned());
        all.sort_by_key(|at| at.start);
        let mut end = 0;
        for at in all {
            assert!(at.start >= end && at.end > at.start, "{name}: {at:?}");
            let between = source[end..at.start].trim_matches(['.', '\u{FEFF}', '\u{A0}']);
            assert_eq!(between.trim(), "", "{name}: {source}");
            end = at.end;
        }
    }
}

/// What can be written at the `|` of a text.
fn expected(text: &str) -> Vec<Expect> {
    read(text.strip_suffix('|').unwrap()).expected
}

#[test]
fn a_place_is_known_by_what_stands_before_it() {
    use Expect::*;
    let all = |used: &[super::Modifier]| Modifier { takes: Takes::All, used: used.to_vec() };
    assert_eq!(expected("|"), [PolicyStart, Action]);
    assert_eq!(expected("sms |"), [all(&[]), Then, Otherwise]);
    assert_eq!(expected("sms then |"), [Action]);
    assert_eq!(expected("sms after |"), [Amount(For::After)]);
    assert_eq!(
        expected("sms after 30s unless quota |")[..2],
        [Comparator { left: "quota".into() }, ConditionJoiner]
    );
    assert_eq!(expected("sms via |"), [Provider { channel: "sms".into(), used: vec![] }]);
    assert_eq!(expected("sms via a or |"), [Provider { channel: "sms".into(), used: vec!["a".into()] }]);
    assert_eq!(expected("push until |"), [Goal { channel: "push".into() }]);
    assert_eq!(expected("sms if priority is |"), [Value { left: "priority".into(), op: "is".into() },]);
    assert_eq!(expected("sms if contact has |"), [Value { left: "contact".into(), op: "has".into() }]);
    assert_eq!(expected("any |"), [Of]);
    assert_eq!(expected("any of |"), [OpenParen]);
    assert_eq!(expected("any of (|"), [Action]);
    assert_eq!(expected("any of (sms, |"), [Action]);
    assert_eq!(expected("wait |"), [WaitUntil, Amount(For::Wait)]);
    assert_eq!(expected("use |"), [PolicyReference]);
    assert_eq!(expected("sms between 08:00 |"), [WindowJoiner("and")]);
    assert_eq!(expected("sms between 08:00 and 21:00 |"), [OnDays, InZone]);
    assert_eq!(expected("sms between 08:00 and 21:00 in contact.timezone |")[0], ElseZone);
    assert_eq!(expected("sms retry 3 |"), [Times]);
    assert_eq!(expected("sms retry 3 times |"), [Pace(For::Retry)]);
    assert_eq!(expected("sms on |"), [Doubt]);
    assert_eq!(expected("sms on doubt |"), [DoubtChoice]);
    assert_eq!(expected("policy |"), [PolicyName]);
    assert_eq!(expected("policy p |"), [OpenBrace]);
    assert_eq!(expected("policy p { category x |")[0], Header { used: vec![super::Header::Category] });
    assert_eq!(expected("policy p { vars { a: |"), [VarType]);
    assert_eq!(expected("policy p { sms } |"), [PolicyStart]);
    assert_eq!(
        expected("policy p { quiet 21:00 to 08:00 in UTC unless |"),
        [Condition { negated: false, takes: Takes::Start }]
    );
    assert_eq!(expected("sms if not |"), [Condition { negated: true, takes: Takes::All }]);
    // Faults before the place do not hide it.
    assert_eq!(
        expected("watsapp afer 3 then sms via ) then email until |"),
        [Goal { channel: "email".into() }]
    );
}
