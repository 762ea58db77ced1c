//! The language: what compiles to what, and what is told about the rest.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use spine::language::facts_text::GivenFacts;
use spine::language::policy::Action;
use spine::language::script::{Script, Scripts};
use spine::language::{
    Library, NoLibrary, Severity, Used, compile, compile_version, limits, line_column, parse,
};
use spine::lint::report::{Report, Style, human};
use spine::lint::{SourceFile, check};
use spine::model::Currency;

use crate::cases::check_folder;

/// Findings as `LINE:COLUMN-END_LINE:END_COLUMN rule: message`, with the help below.
pub(crate) fn findings(source: &str) -> String {
    let compiled = compile(source, None, &NoLibrary);
    let mut out = String::new();
    for d in &compiled.diagnostics {
        let (line, column) = line_column(source, d.at.start);
        let (end_line, end_column) = line_column(source, d.at.end);
        writeln!(out, "{line}:{column}-{end_line}:{end_column} {}: {}", d.rule, d.message).unwrap();
        if let Some(help) = &d.help {
            writeln!(out, "  help: {help}").unwrap();
        }
    }
    if out.is_empty() {
        let names: Vec<_> = compiled.policies.iter().map(|p| p.name.as_str()).collect();
        writeln!(out, "clean: {}", names.join(", ")).unwrap();
    }
    out
}

#[test]
fn each_text_has_the_findings_that_its_case_says() {
    check_folder("language", |_, source| findings(source));
}

#[test]
fn the_policies_of_the_repository_are_clean() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut files: Vec<SourceFile> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "policy"))
        .map(|path| {
            let bare_name = Some(path.file_stem().unwrap().to_str().unwrap().to_owned());
            SourceFile {
                text: std::fs::read_to_string(&path).unwrap(),
                path: path.display().to_string(),
                bare_name,
            }
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() >= 10);
    for file in &files {
        assert!(file.text.contains('#'), "{} does not say why it is so", file.path);
    }
    let found = check(&files, &NoLibrary);
    let notes_alone = found.iter().flat_map(|f| &f.findings).all(|f| f.severity == Severity::Note);
    assert!(notes_alone, "{}", human(&found, Style::Plain));
}

/// Every finding can be shown: its span is one of the text, its words follow the rules of messages.
fn assert_well_told(source: &str) {
    let file = SourceFile { path: "p".into(), text: source.into(), bare_name: None };
    let found = check(&[file], &NoLibrary);
    for f in &found[0].findings {
        assert!(source.get(f.at.clone()).is_some(), "{:?} is no range of the text", f.at);
        assert!(!f.message.contains('\n') && !f.message.is_empty(), "{:?}", f.message);
        assert!(!f.message.starts_with(|c: char| c.is_uppercase()), "{:?}", f.message);
        assert!(f.message.chars().count() < 250, "{:?}", f.message);
        assert!(f.help.is_some(), "{} gives no help", f.rule);
        for edit in &f.fix {
            assert!(source.get(edit.at.clone()).is_some());
        }
    }
    let _ = Report::of(&found);
    let _ = human(&found, Style::Plain);
    let _ = parse(source);
}

/// The rules of the findings of a text, each once.
fn rules(source: &str) -> Vec<&'static str> {
    let mut rules: Vec<_> = compile(source, None, &NoLibrary).diagnostics.iter().map(|d| d.rule).collect();
    rules.dedup();
    rules
}

#[test]
fn each_limit_has_an_error_of_its_own() {
    let large = "#".repeat(limits::SOURCE_BYTES_MAX + 1);
    assert_eq!(rules(&large), ["source-too-large"]);
    let million = "(".repeat(100_000);
    assert_eq!(rules(&format!("sms if {million}")), ["nested-too-deeply"]);
    assert_eq!(rules(&million), ["nested-too-deeply"]);
    let nested = |n: usize| format!("{}sms{}", "any of (".repeat(n), ")".repeat(n));
    assert_eq!(rules(&nested(limits::GROUPS_DEPTH_MAX)), [""; 0]);
    assert_eq!(rules(&nested(limits::GROUPS_DEPTH_MAX + 1)), ["nested-too-deeply"]);
    let condition = |n: usize| format!("sms if {}quota{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(rules(&condition(limits::CONDITION_DEPTH_MAX)), [""; 0]);
    assert_eq!(rules(&condition(limits::CONDITION_DEPTH_MAX + 1)), ["nested-too-deeply"]);
    assert_eq!(rules(&vec!["sms"; limits::STAGES_MAX].join(" then ")), [""; 0]);
    assert_eq!(rules(&vec!["sms"; limits::STAGES_MAX + 1].join(" then ")), ["too-many-stages"]);
    let policies = |n: usize| (0..n).map(|i| format!("policy p{i} {{ sms }}\n")).collect::<String>();
    assert_eq!(rules(&policies(limits::POLICIES_MAX)), [""; 0]);
    assert_eq!(rules(&policies(limits::POLICIES_MAX + 1)), ["too-many-policies"]);
    let parts = |n: usize| format!("sms if {}", vec!["read"; n].join(" or "));
    assert_eq!(rules(&parts(limits::CONDITION_PARTS_MAX)), [""; 0]);
    assert_eq!(rules(&parts(limits::CONDITION_PARTS_MAX + 1)), ["conditions-too-long"]);
    let chain = |n: usize| {
        let uses: String = (1..n).map(|i| format!("policy p{i} {{ use p{} }}\n", i - 1)).collect();
        format!("policy p0 {{ sms }}\n{uses}")
    };
    assert_eq!(rules(&chain(limits::USE_DEPTH_MAX + 1)), [""; 0]);
    assert_eq!(rules(&chain(limits::USE_DEPTH_MAX + 2)), ["use-too-deep"]);
    let text = |n: usize| format!("sms otherwise fail \"{}\"", "x".repeat(n));
    assert_eq!(rules(&text(limits::STRING_BYTES_MAX)), [""; 0]);
    assert_eq!(rules(&text(limits::STRING_BYTES_MAX + 1)), ["text-too-long"]);
    let route =
        |n: usize| format!("sms via {}", (0..n).map(|i| format!("p{i}")).collect::<Vec<_>>().join(" or "));
    assert_eq!(rules(&route(limits::ROUTE_PROVIDERS_MAX)), [""; 0]);
    assert_eq!(rules(&route(limits::ROUTE_PROVIDERS_MAX + 1)), ["too-many-providers"]);
    let vars = |n: usize| {
        let list: Vec<_> = (0..n).map(|i| format!("v{i}: string")).collect();
        format!("policy p {{ vars {{ {} }} sms }}", list.join(", "))
    };
    assert_eq!(rules(&vars(limits::VARS_MAX)), [""; 0]);
    assert_eq!(rules(&vars(limits::VARS_MAX + 1)), ["too-many-vars"]);
    let name = format!("policy {} {{ sms }}", "a".repeat(limits::NAME_CHARS_MAX + 1));
    assert_eq!(rules(&name), ["bad-name"]);
    let many = compile(&"policy p { smss }\n".repeat(90), None, &NoLibrary).diagnostics;
    assert!(many.len() <= limits::FINDINGS_MAX);
    let last = compile(&"sms if vips then ".repeat(200), None, &NoLibrary).diagnostics;
    assert_eq!(last.last().map(|d| d.rule), Some("too-many-findings"));
}

#[test]
fn hard_texts_are_read_in_linear_time() {
    // What is quadratic takes minutes at these sizes, and hours at the full one.
    const BYTES: usize = 8 * 1024;
    let fill = |text: &str| text.repeat(BYTES / text.len());
    let before =
        |start: &str, text: &str| format!("{start}{}", text.repeat((BYTES - start.len()) / text.len()));
    let mut hard = vec![
        "(".repeat(1_000_000),
        format!("sms if {}quota{}", "(".repeat(1_000_000), ")".repeat(1_000_000)),
        before("sms if ", "not "),
        before("sms if ", "!"),
        before("sms if (", "quota or ("),
        before("sms if vars.a in [", "1, "),
        before("sms if vars.a in [", "[ "),
        before("sms via a", " or a"),
        before("policy p { vars { ", "a: string, "),
        before("policy p { ", "category a "),
        before("sms otherwise fail \"", "\\\""),
        before("any of (", "sms, "),
        before("policy ", "a "),
        format!("sms{} then email", " # comment\n".repeat(20_000)),
        "“".repeat(limits::SOURCE_BYTES_MAX / 3),
        "'".repeat(limits::SOURCE_BYTES_MAX),
        "a ".repeat(limits::SOURCE_BYTES_MAX / 8),
    ];
    for text in [
        " ",
        "\n",
        "#",
        "# x\n",
        "\"",
        "'",
        "“",
        "a",
        "a ",
        "a.",
        "-",
        "1",
        "1 ",
        "sms ",
        "sms then ",
        "sms, ",
        "then ",
        "after ",
        "after 5s ",
        "unless ",
        "unless quota ",
        "policy ",
        "policy p ",
        "policy p { ",
        "policy p { } ",
        "use a ",
        "any of ",
        "any of ( ",
        "any of ( ) ",
        "any ( sms ) ",
        "wait ",
        "wait until ",
        "limit ",
        "limit 3 sends, ",
        "quiet ",
        "vars ",
        "vars { ",
        "via ",
        "via 50% ",
        "retry ",
        "on ",
        "on doubt ",
        "otherwise ",
        "otherwise fail \"x\" ",
        "} ",
        "ä",
        "€",
        "\u{A0}",
        "😀",
        "sms if a ",
        "sms if ( ",
        "sms if not ",
        "between ",
        "between 1:00 and ",
        "on mon, ",
        "in ",
        "category a ",
    ] {
        hard.push(fill(text));
    }
    for text in hard {
        assert_well_told(&text);
    }
}

#[test]
fn many_uses_of_many_policies_stay_small() {
    let mut source = "policy p0 { sms then sms }\n".to_owned();
    for i in 1..limits::POLICIES_MAX {
        source.push_str(&format!(
            "policy p{i} {{ {} }}\n",
            vec![format!("use p{}", i - 1); 200].join(" then ")
        ));
    }
    assert!(rules(&source).contains(&"too-many-stages"));
}

/// Policies by `name@version`, the newest last.
#[derive(Default)]
struct Published(Vec<Used>, Option<Currency>);

impl Library for Published {
    fn policy(&self, reference: &str) -> Option<Used> {
        let named = |u: &&Used| {
            u.name_at_version == reference || u.name_at_version.split('@').next() == Some(reference)
        };
        self.0.iter().rev().find(named).cloned()
    }
    fn currency(&self) -> Option<Currency> {
        self.1
    }
}

impl Published {
    fn publish(&mut self, name_at_version: &str, source: &str) {
        let name = name_at_version.split('@').next().unwrap();
        let compiled = compile(source, Some(name), self);
        assert!(compiled.is_clean(), "{:?}", compiled.diagnostics);
        let policy = compiled.policies.into_iter().find(|p| p.name == name).unwrap();
        self.0.push(Used {
            name_at_version: name_at_version.into(),
            source: source.into(),
            policy_name: name.into(),
            uses: policy.uses,
        });
    }
}

/// The channels of a strategy, uses opened.
fn channels(strategy: &spine::language::policy::Strategy) -> Vec<String> {
    let of = |stage: &spine::language::policy::Stage| match &stage.action {
        Action::Channel(channel) => vec![channel.channel.to_string()],
        Action::Group { members, .. } => members.iter().flat_map(channels).collect(),
        Action::Use { strategy, .. } => channels(strategy),
        Action::Wait(_) => Vec::new(),
    };
    strategy.stages.iter().flat_map(of).collect()
}

#[test]
fn what_was_published_means_the_same_for_ever() {
    let mut library = Published::default();
    library.publish("base@1", "sms");
    library.publish("middle@1", "use base then email");
    library.publish("base@2", "voice");
    let now = compile("use middle then use base then use base@1", Some("top"), &library);
    assert_eq!(now.diagnostics, []);
    let top = &now.policies[0];
    assert_eq!(channels(&top.strategy), ["sms", "email", "voice", "sms"]);
    assert_eq!(top.uses, ["middle@1", "base@2", "base@1"]);
    let version = library.policy("middle@1").unwrap();
    assert_eq!(channels(&compile_version(&version, &library).policies[0].strategy), ["sms", "email"]);
    let newest = compile(&version.source, Some("middle"), &library);
    assert_eq!(channels(&newest.policies[0].strategy), ["voice", "email"]);
    assert_eq!(newest.policies[0].uses, ["base@2"]);
}

#[test]
fn a_library_whose_policies_use_one_another_in_a_circle_is_told() {
    let used = |name: &str, source: &str| Used {
        name_at_version: name.into(),
        source: source.into(),
        policy_name: name.into(),
        uses: Vec::new(),
    };
    let library = Published(vec![used("a", "use b"), used("b", "use a"), used("c", "smss")], None);
    let told = |source: &str| {
        let found = compile(source, Some("top"), &library).diagnostics;
        found.into_iter().map(|d| (d.rule, d.message)).collect::<Vec<_>>()
    };
    assert_eq!(told("use a"), [("recursive-use", "policy `a` uses itself: `a → b → a`".to_owned())]);
    assert_eq!(told("use c"), [("faulty-use", "policy `c` has faults of its own".to_owned())]);
    let long: Vec<Used> = (0..5_000).map(|i| used(&format!("p{i}"), &format!("use p{}", i + 1))).collect();
    let found = compile("use p0", None, &Published(long, None)).diagnostics;
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn the_currency_of_a_scope_is_the_only_one() {
    let library = Published(Vec::new(), Some(Currency::EUR));
    let found = compile("sms if cost < 1 USD then email if cost < 2 EUR", None, &library).diagnostics;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "`USD` is not the currency here, `EUR` is");
}

#[test]
fn a_fault_in_one_policy_leaves_the_others() {
    let compiled = compile("policy a { smss }\npolicy b { sms }", None, &NoLibrary);
    assert_eq!(compiled.policies.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(compiled.found, 2);
    assert!(compiled.diagnostics.iter().all(|d| d.severity == Severity::Error));
}

const WORDS: &[&str] = &[
    "sms",
    "whatsapp",
    "email",
    "then",
    "after",
    "30s",
    "unless",
    "if",
    "quota",
    "read",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    "any of",
    "all of",
    "use",
    "wait",
    "until",
    "09:00",
    "in",
    "UTC",
    "contact.timezone",
    "else",
    "policy",
    "p",
    "q",
    "via",
    "or",
    "and",
    "not",
    "70%",
    "30%",
    "a",
    "b",
    "retry",
    "2",
    "times",
    "every",
    "backoff",
    "1s",
    "to",
    "repeat",
    "between",
    "08:00",
    "on",
    "weekdays",
    "mon",
    "valid",
    "doubt",
    "move on",
    "resend",
    "otherwise",
    "fail",
    "\"why\"",
    "category",
    "expires",
    "quiet",
    "limit",
    "3 sends",
    "0.25 EUR",
    "vars",
    "time:",
    "string",
    "number",
    "optional",
    "vars.time",
    "is",
    "is not",
    "==",
    "<",
    "has",
    "priority",
    "high",
    "cost",
    "elapsed",
    "sends",
    "contact",
    "# c\n",
    "\"",
    "'",
    "-5",
    "ä",
    ";",
];

const VALID: &[&str] = &[
    "whatsapp then sms after 30s unless quota",
    "policy p { category transactional expires after 2h quiet 21:00 to 08:00 in contact.timezone unless priority is urgent \
     limit 3 sends, 0.25 EUR vars { time: string, amount: number optional } whatsapp via meta or twilio until read \
     then sms via 70% a, 30% b after 30s unless quota then voice after 10m if priority >= high retry 2 times every 1m \
     otherwise fail \"unreachable\" }",
    "any of (whatsapp then sms after 30s, all of (email, push)) then wait until 09:00 on mon, fri in UTC then voice",
    "sms if (vars.a > 5 and not vars.b) or contact.country in [\"AT\", \"DE\"] or cost < 0.20 EUR",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_too_strange(text in any::<String>()) {
        assert_well_told(&text);
        let _ = Script::parse(&text);
        let _ = Scripts::parse(&text);
        let _ = GivenFacts::parse(&text);
    }

    #[test]
    fn no_order_of_words_is_too_strange(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        assert_well_told(&words.join(" "));
        assert_well_told(&words.concat());
    }

    #[test]
    fn no_change_of_a_good_text_is_too_strange(
        which in 0..VALID.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, prop::sample::select(WORDS)), 1..4),
    ) {
        let mut text: Vec<char> = VALID[which].chars().collect();
        for (at, kind, word) in changes {
            let at = at.index(text.len() + 1);
            match kind {
                0 if at < text.len() => drop(text.remove(at)),
                1 => text.truncate(at),
                _ => drop(text.splice(at..at, word.chars())),
            }
        }
        assert_well_told(&text.into_iter().collect::<String>());
    }
}

#[test]
fn findings_of_facts_and_scripts_have_ranges_of_their_texts() {
    let texts =
        ["a; sms: ; sms: transient, read; x: accepted, replied \"", "vars.=1, quota.x=used, priority=, =,"];
    for text in texts {
        let faults = Scripts::parse(text).err().into_iter().chain(GivenFacts::parse(text).err()).flatten();
        let ranges: BTreeMap<usize, usize> = faults.map(|f| (f.at.start, f.at.end)).collect();
        assert!(!ranges.is_empty());
        assert!(ranges.into_iter().all(|(start, end)| text.get(start..end).is_some()));
    }
}
