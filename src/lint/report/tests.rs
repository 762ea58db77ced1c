//! Each format on the same findings.

use super::*;
use crate::language::NoLibrary;
use crate::lint::baseline::Baseline;
use crate::lint::{Allowed, AllowedBy, SourceFile, check};

/// Errors, warnings and notes, in paths and words that need escaping, and findings that were set aside.
fn files() -> Vec<FileFindings> {
    let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into(), bare_name: None };
    check(
        &[
            file("a b/ü,x:1.policy", "sms\n  then \"<&\u{1}%\" after 30s\n  then watsapp\n"),
            file("zone.policy", "sms between 08:00 and 21:00 in contact.timezone"),
            file("slack.policy", "slack # spine: allow lowered-goal -- \"for\" the <record>\n  then sms"),
            file("clean.policy", "sms"),
        ],
        &NoLibrary,
    )
}

fn written(name: &str, found: &Found<'_>) -> String {
    let format = FORMATS.iter().find(|format| format.name == name).unwrap();
    (format.write)(found)
}

#[test]
fn every_format_has_a_name_of_its_own_and_says_what_it_is_for() {
    let mut names: Vec<_> = FORMATS.iter().map(|format| format.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FORMATS.len());
    let page = include_str!("../../../docs/linting.md");
    for format in FORMATS {
        assert!(
            !format.help.is_empty() && page.contains(&format!("| `{}` |", format.name)),
            "{}",
            format.name
        );
    }
}

#[test]
fn checkstyle() {
    let (files, settings) = (files(), Settings::default());
    insta::assert_snapshot!(written("checkstyle", &Found::of(&files, &settings)));
}

#[test]
fn junit() {
    let (files, settings) = (files(), Settings::default());
    insta::assert_snapshot!(written(
        "junit",
        &Found { denies_warnings: true, ..Found::of(&files, &settings) }
    ));
}

#[test]
fn gitlab() {
    let (files, settings) = (files(), Settings::default());
    insta::assert_snapshot!(written("gitlab", &Found::of(&files, &settings)));
}

#[test]
fn github() {
    let (files, settings) = (files(), Settings::default());
    let found = Found::of(&files, &settings);
    insta::assert_snapshot!(format!("{}---\n{}", written("github", &found), github_summary(&found)));
}

#[test]
fn github_annotates_a_file_once_where_there_are_more_than_are_shown() {
    let mut all = files();
    for n in 0..4 {
        let text = "policy a { slack then sms } policy b { slack then sms } policy c { watsapp }".to_owned();
        let file = SourceFile { path: format!("more{n}.policy"), text, bare_name: None };
        all.extend(check(&[file], &NoLibrary));
    }
    let settings = Settings::default();
    let text = written("github", &Found::of(&all, &settings));
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(commands.len(), 6, "{text}");
    let errors = commands.iter().take_while(|line| line.starts_with("::error ")).count();
    assert_eq!(errors, 5, "the errors come first: {text}");
    assert!(commands[1].ends_with("%0A(2 more in this file; the log has all)"), "{text}");
    let lines = all.iter().map(|file| file.findings.len()).sum::<usize>();
    assert_eq!(text.lines().count(), lines, "none is left out");
}

#[test]
fn json_has_what_was_set_aside() {
    let (files, settings) = (files(), Settings::default());
    let report: serde_json::Value =
        serde_json::from_str(&written("json", &Found { mended: Some(2), ..Found::of(&files, &settings) }))
            .unwrap();
    assert_eq!(report["allowed"][0]["rule"], "lowered-goal");
    assert_eq!(report["allowed"][0]["allowed_by"], "comment");
    assert_eq!(report["allowed"][0]["reason"], "\"for\" the <record>");
    assert_eq!(report["mended"], 2);
    assert!(report["findings"][0]["fingerprint"].is_string());
}

/// What the published schema says about a log.
fn faults_by_the_schema(log: &serde_json::Value) -> Vec<String> {
    let schema = include_str!("../../../tests/schemas/sarif-2.1.0.json");
    // One of its patterns is none; this is how a later edition of the schema writes it.
    let (wrong, right) = ("^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$", "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
    assert_eq!(schema.matches(wrong).count(), 2);
    let schema: serde_json::Value = serde_json::from_str(&schema.replace(wrong, right)).unwrap();
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    validator.iter_errors(log).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn sarif_is_what_its_schema_says() {
    let (mut files, settings) = (files(), Settings::default());
    let finding = files[1].findings.remove(0);
    files[1].allowed.push(Allowed { finding, by: AllowedBy::Baseline });
    let text = written("sarif", &Found::of(&files, &settings));
    let mut log: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(faults_by_the_schema(&log), Vec::<String>::new());

    let results = log["runs"][0]["results"].as_array().unwrap();
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        // The page is the one that `spine policy rule` prints, of what keeps from compiling too.
        let page = crate::lint::rules::pages().find(|page| result["ruleId"] == page.name()).unwrap();
        assert_eq!(rules[index]["help"]["markdown"], page.page().trim());
    }
    let suppressed: Vec<&str> =
        results.iter().filter_map(|result| result["suppressions"][0]["kind"].as_str()).collect();
    assert_eq!(suppressed, ["external", "inSource"]);
    assert_eq!(
        results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "a%20b/%C3%BC%2Cx%3A1.policy"
    );
    assert!(results.iter().any(|result| result["fixes"].is_array()));

    // The schema is really asked.
    log["runs"][0]["results"][0]["level"] = "terrible".into();
    assert_eq!(faults_by_the_schema(&log).len(), 1);
}

#[test]
fn sarif_knows_a_finding_again_that_moved() {
    let prints = |text: &str| -> Vec<String> {
        let file = SourceFile { path: "a.policy".into(), text: text.into(), bare_name: None };
        let (files, settings) = (check(&[file], &NoLibrary), Settings::default());
        let log: serde_json::Value =
            serde_json::from_str(&written("sarif", &Found::of(&files, &settings))).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        let print = |result: &serde_json::Value| {
            result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap().to_owned()
        };
        results.iter().map(print).collect()
    };
    let before = prints("slack then sms");
    assert_eq!(before.len(), 1);
    assert_eq!(before, prints("# a new first line\n\nslack then email"));
    assert_eq!(before, prints("# spine: allow lowered-goal -- why\nslack then email"), "also once allowed");
}

#[test]
fn statistics_count_by_rule() {
    let mut files = files();
    let baseline = Baseline::of(&files[1..2], &|path| path.to_owned());
    baseline.apply(&mut files, &|path| path.to_owned(), &|_| true);
    let all = statistics(&files);
    let line = |s: &Statistic| format!("{} {} {} {} {}", s.rule, s.found, s.fixable, s.allowed, s.files);
    assert_eq!(
        all.iter().map(line).collect::<Vec<_>>().join("\n"),
        "stray-text 1 0 0 1\nunknown-channel 1 1 0 1\nlowered-goal 0 0 1 0\nunsure-zone 0 0 1 0"
    );
}
