//! What the findings advise: it mends, and it is said in words that everybody knows.

use std::path::Path;

use spine::language::{NoLibrary, Severity, compile, format};
use spine::lint::{SourceFile, check, faults, rules};

/// The policies of a file of cases, each with its heading.
fn cases(file: &str) -> Vec<(String, String)> {
    slips(file).into_iter().map(|(heading, text, _)| (heading, text)).collect()
}

/// The slips of a file, each with the text that was meant, where one alone can have been.
fn slips(file: &str) -> Vec<(String, String, Option<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/language").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let (mut out, mut heading, mut lines) = (Vec::new(), String::new(), text.lines());
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("## ") {
            heading = name.to_owned();
        }
        let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let block = block.join("\n");
        match (kind, out.last_mut()) {
            ("policy", _) => out.push((heading.clone(), block, None)),
            ("meant", Some((_, _, meant))) => *meant = Some(block),
            _ => {}
        }
    }
    out
}

/// A text in the one style, without its comments: what it says.
fn said(text: &str) -> Option<String> {
    let bare: Vec<&str> = text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
    format(&bare.join("\n")).ok()
}

/// The text with every change that its findings offer.
fn mended(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..6 {
        let mut edits: Vec<_> =
            compile(&text, None, &NoLibrary).diagnostics.into_iter().flat_map(|d| d.fix).collect();
        if edits.is_empty() {
            break;
        }
        edits.sort_by_key(|edit| std::cmp::Reverse((edit.at.start, edit.at.end)));
        let mut before = text.len() + 1;
        for edit in edits {
            // What overlaps waits for the next round.
            if edit.at.end <= before {
                before = edit.at.start;
                text.replace_range(edit.at, &edit.text);
            }
        }
    }
    text
}

#[test]
fn a_typing_error_has_one_finding_and_the_change_that_it_offers_mends_it() {
    let all: Vec<_> =
        ["typing.md", "typing_tired.md", "typing_slips.md"].into_iter().flat_map(cases).collect();
    assert!(all.len() >= 850, "{}", all.len());
    let (mut healed, mut wrong) = (0, Vec::new());
    for (heading, text) in &all {
        let found = compile(text, None, &NoLibrary).diagnostics;
        let after = compile(&mended(text), None, &NoLibrary).diagnostics;
        let offers = found.iter().all(|d| !d.fix.is_empty());
        if found.is_empty() || (offers && !after.is_empty()) {
            wrong.push(format!("{heading}: {text:?} → {:?}: {after:?}", mended(text)));
        }
        healed += usize::from(offers && after.is_empty());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(healed >= 650, "{healed}");
}

#[test]
fn a_slip_has_one_finding_and_its_change_gives_what_was_meant() {
    let files = [
        "typing_slips_short.md",
        "typing_slips_whole.md",
        "typing_slips_third.md",
        "typing_slips_everyday.md",
        "typing_slips_fourth.md",
        "typing_slips_fifth.md",
        "typing_slips_sixth.md",
        "typing_slips_seventh.md",
    ];
    let all: Vec<_> = files.into_iter().flat_map(slips).collect();
    assert!(all.len() >= 680, "{}", all.len());
    let (mut given, mut wrong) = (0, Vec::new());
    for (heading, text, meant) in &all {
        let found = compile(text, None, &NoLibrary).diagnostics;
        let after = mended(text);
        let [finding] = found.as_slice() else {
            wrong.push(format!("{heading}: {text:?}: {found:?}"));
            continue;
        };
        let gives = meant.as_ref().map(|meant| said(&after).is_some() && said(&after) == said(meant));
        // A change leaves no fault behind, and says what was meant.
        let mends = finding.fix.is_empty() || compile(&after, None, &NoLibrary).is_clean();
        if gives == Some(false) || !mends {
            wrong.push(format!("{heading}: {text:?} → {after:?}"));
        }
        given += usize::from(gives == Some(true));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(given >= 415, "{given}");
}

/// Words of the trade, which say nothing to somebody who writes policies.
const JARGON: [&str; 14] = [
    "token",
    "parse",
    " ast ",
    "expected one of",
    "syntax",
    "identifier",
    "lexer",
    "grammar",
    "operand",
    "enum",
    "null",
    "regex",
    "invalid input",
    "unexpected",
];

/// The most words in backticks that follow one another in a list.
fn longest_list(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for (n, part) in text.split('`').enumerate() {
        if n % 2 == 1 {
            run += 1;
            longest = longest.max(run);
        } else if ![", ", " and ", " or ", ", and ", ", or "].contains(&part) {
            run = 0;
        }
    }
    longest
}

/// Every finding's change at once, those of one place in their order.
fn mended_at_once(text: &str) -> String {
    let found = compile(text, None, &NoLibrary).diagnostics;
    let mut edits: Vec<_> = found.into_iter().flat_map(|d| d.fix).collect();
    edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
    let (mut out, mut at) = (String::new(), 0);
    for edit in edits {
        assert!(edit.at.start >= at, "two changes of one place in {text:?}");
        out.push_str(&text[at..edit.at.start]);
        out.push_str(&edit.text);
        at = edit.at.end;
    }
    out + &text[at..]
}

#[test]
fn all_faults_of_a_text_are_told_at_once_and_all_changes_together_mend_it() {
    let all = cases("typing_several.md");
    assert!(all.len() >= 45, "{}", all.len());
    let (mut healed, mut wrong) = (0, Vec::new());
    for (heading, text) in &all {
        let found = compile(text, None, &NoLibrary).diagnostics;
        assert!(found.len() >= 2, "{heading}: {found:?}");
        let after = compile(&mended_at_once(text), None, &NoLibrary).diagnostics;
        let without: Vec<_> = found.iter().filter(|d| d.fix.is_empty()).collect();
        // What no change mends is the only thing that is left, and nothing comes new.
        if after.len() > without.len() || without.is_empty() && !after.is_empty() {
            wrong.push(format!("{heading}: {text:?} → {:?}: {after:?}", mended_at_once(text)));
        }
        healed += usize::from(without.is_empty());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(healed >= 40, "{healed}");
}

#[test]
fn no_recorded_answer_lists_more_than_five_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let (mut folders, mut lines) = (vec![folder], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // The words of the API are those of programs.
            if path.is_dir() && !path.ends_with("api") {
                folders.push(path);
                continue;
            }
            if !path.extension().is_some_and(|ending| ending == "md" || ending == "toml") {
                continue;
            }
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                assert!(longest_list(line) <= 5, "{}: {line}", path.display());
                lines += 1;
            }
        }
    }
    assert!(lines > 5_000, "{lines}");
}

#[test]
fn messages_have_no_jargon_and_no_long_lists() {
    let mut texts: Vec<String> = Vec::new();
    for file in [
        "headers.md",
        "joints.md",
        "modifiers.md",
        "types.md",
        "typing.md",
        "typing_kept.md",
        "typing_several.md",
        "typing_slips.md",
        "typing_slips_everyday.md",
        "typing_slips_short.md",
        "typing_slips_third.md",
        "typing_slips_whole.md",
        "typing_tired.md",
        "uses.md",
        "windows.md",
        "words.md",
    ] {
        texts.extend(cases(file).into_iter().map(|(_, text)| text));
    }
    let pages = rules::ALL.iter().chain(faults::ALL);
    texts.extend(pages.flat_map(|rule| rule.examples()).map(|example| example.source.to_owned()));
    let mut seen = 0;
    for text in texts {
        let file = SourceFile { path: "p".into(), text: text.clone(), bare_name: None };
        for finding in &check(&[file], &NoLibrary)[0].findings {
            let help = finding.help.clone().unwrap_or_default();
            assert!(!help.is_empty(), "{finding:?}");
            for said in [&finding.message, &help] {
                let lower = said.to_lowercase();
                // A word of the text is one that who wrote it knows.
                let is_jargon = |word: &&str| lower.contains(*word) && !text.contains(word.trim());
                assert!(!JARGON.iter().any(is_jargon), "{said}");
                assert!(longest_list(said) <= 5, "{said}");
                assert!(!said.contains('\n'), "{said}");
            }
            if finding.severity != Severity::Error {
                assert!(rules::find(finding.rule).is_some(), "{}", finding.rule);
            }
            seen += 1;
        }
    }
    assert!(seen > 300, "{seen}");
}
