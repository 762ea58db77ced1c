//! The rules. A rule is a file here, declared by [`declare_rule`], and one line in [`ALL`].

mod after_behind_wait;
mod attribute_named_as_word;
mod clock_change;
mod code_in_quiet_hours;
mod code_without_expiry;
mod contradictory_guards;
mod delayed_start;
mod doubled_comma;
mod dropped_in_quiet_hours;
mod expiry_before_window;
mod expiry_in_quiet_hours;
mod expiry_not_kept;
mod goal_never_confirmed;
mod group_of_one;
mod guard_against_group;
mod guard_always_holds;
mod guard_never_holds;
mod headers_left_behind;
mod huge_duration;
mod impossible_value;
mod is_not_joined_by_or;
mod limit_below_group;
mod limit_below_price;
mod limit_never_reached;
mod limit_used_up;
mod lowered_goal;
mod marketing_without_opt_out;
mod marketing_without_quiet;
mod missing_is_not;
mod missing_template;
mod mixed_and_or;
mod mixed_confirmations;
mod near_category;
mod nested_group;
mod never_before_expiry;
mod never_confirmed;
mod never_sent;
mod no_provider;
mod no_quiet_hours;
mod odd_zone;
mod only_after_failure;
mod out_of_reach;
mod placeholder_in_text;
mod price_missing;
mod quiet_by_day;
mod quiet_guard;
mod quiet_leaves_little;
mod redundant_condition;
mod repeat_cut_short;
mod repeat_past_expiry;
mod repeat_without_silence;
mod retries_cut_short;
mod retries_outlive_message;
mod same_again;
mod same_channel_at_once;
mod scope;
mod short_window;
mod silent_end;
mod single_share;
mod skipped_on_silence;
mod starts_after_expiry;
mod thousands_dot;
mod tiny_duration;
mod undeclared_vars;
mod unknown_currency;
mod unknown_provider;
mod unless_not;
mod unsure_zone;
mod unused_var;
mod valid_past_expiry;
mod values_in_one_text;
mod wait_at_end;
mod wait_in_all_of;
mod waits_in_a_row;
mod window_by_night;
mod window_never_open;
mod window_until_morning;
mod window_without_effect;
mod write_repeat;

use super::Rule;
use super::allow::rules as allow;
use crate::language::policy::TextRange;
use crate::language::{Counterexample, Edit};

pub use scope::ExampleScope;

/// All rules, in the order of their names.
pub const ALL: &[&dyn Rule] = &[
    &after_behind_wait::AfterBehindWait,
    &allow::AllowWithoutReason,
    &attribute_named_as_word::AttributeNamedAsWord,
    &clock_change::ClockChange,
    &code_in_quiet_hours::CodeInQuietHours,
    &code_without_expiry::CodeWithoutExpiry,
    &contradictory_guards::ContradictoryGuards,
    &delayed_start::DelayedStart,
    &doubled_comma::DoubledComma,
    &dropped_in_quiet_hours::DroppedInQuietHours,
    &expiry_before_window::ExpiryBeforeWindow,
    &expiry_in_quiet_hours::ExpiryInQuietHours,
    &expiry_not_kept::ExpiryNotKept,
    &goal_never_confirmed::GoalNeverConfirmed,
    &group_of_one::GroupOfOne,
    &guard_against_group::GuardAgainstGroup,
    &guard_always_holds::GuardAlwaysHolds,
    &guard_never_holds::GuardNeverHolds,
    &headers_left_behind::HeadersLeftBehind,
    &huge_duration::HugeDuration,
    &impossible_value::ImpossibleValue,
    &is_not_joined_by_or::IsNotJoinedByOr,
    &limit_below_group::LimitBelowGroup,
    &limit_below_price::LimitBelowPrice,
    &limit_never_reached::LimitNeverReached,
    &limit_used_up::LimitUsedUp,
    &lowered_goal::LoweredGoal,
    &allow::MalformedAllow,
    &marketing_without_opt_out::MarketingWithoutOptOut,
    &marketing_without_quiet::MarketingWithoutQuiet,
    &missing_is_not::MissingIsNot,
    &missing_template::MissingTemplate,
    &mixed_and_or::MixedAndOr,
    &mixed_confirmations::MixedConfirmations,
    &near_category::NearCategory,
    &nested_group::NestedGroup,
    &never_before_expiry::NeverBeforeExpiry,
    &never_confirmed::NeverConfirmed,
    &never_sent::NeverSent,
    &no_provider::NoProvider,
    &no_quiet_hours::NoQuietHours,
    &odd_zone::OddZone,
    &only_after_failure::OnlyAfterFailure,
    &out_of_reach::OutOfReach,
    &placeholder_in_text::PlaceholderInText,
    &price_missing::PriceMissing,
    &quiet_by_day::QuietByDay,
    &quiet_guard::QuietGuard,
    &quiet_leaves_little::QuietLeavesLittle,
    &redundant_condition::RedundantCondition,
    &repeat_cut_short::RepeatCutShort,
    &repeat_past_expiry::RepeatPastExpiry,
    &repeat_without_silence::RepeatWithoutSilence,
    &retries_cut_short::RetriesCutShort,
    &retries_outlive_message::RetriesOutliveMessage,
    &same_again::SameAgain,
    &same_channel_at_once::SameChannelAtOnce,
    &short_window::ShortWindow,
    &silent_end::SilentEnd,
    &single_share::SingleShare,
    &skipped_on_silence::SkippedOnSilence,
    &starts_after_expiry::StartsAfterExpiry,
    &thousands_dot::ThousandsDot,
    &tiny_duration::TinyDuration,
    &undeclared_vars::UndeclaredVars,
    &allow::UnknownAllow,
    &unknown_currency::UnknownCurrency,
    &unknown_provider::UnknownProvider,
    &unless_not::UnlessNot,
    &unsure_zone::UnsureZone,
    &allow::UnusedAllow,
    &unused_var::UnusedVar,
    &valid_past_expiry::ValidPastExpiry,
    &values_in_one_text::ValuesInOneText,
    &wait_at_end::WaitAtEnd,
    &wait_in_all_of::WaitInAllOf,
    &waits_in_a_row::WaitsInARow,
    &window_by_night::WindowByNight,
    &window_never_open::WindowNeverOpen,
    &window_until_morning::WindowUntilMorning,
    &window_without_effect::WindowWithoutEffect,
    &write_repeat::WriteRepeat,
];

/// The rule of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Rule> {
    ALL.iter().copied().find(|rule| rule.name() == name)
}

/// Everything that has a page: the rules, then what the compiler finds.
pub fn pages() -> impl Iterator<Item = &'static dyn Rule> {
    ALL.iter().chain(super::faults::ALL).copied()
}

/// Declares a rule: its doc comment is its page, `check` is what it does.
macro_rules! declare_rule {
    (
        $(#[doc = $line:literal])+
        $type:ident, $name:literal, $severity:ident, $check:path $(, $gives_way:ident)?;
        $($(for $providers:expr;)? $fires:literal => $source:literal,)+
    ) => {
        $(#[doc = $line])+
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $type;

        impl $crate::lint::Rule for $type {
            fn name(&self) -> &'static str { $name }
            fn severity(&self) -> $crate::language::Severity { $crate::language::Severity::$severity }
            fn page(&self) -> &'static str { concat!($($line, "\n"),+) }
            fn examples(&self) -> &'static [$crate::lint::Example] {
                &[$($crate::lint::Example {
                    source: $source,
                    fires: $fires,
                    providers: $crate::lint::rules::declare_rule!(@providers $($providers)?),
                },)+]
            }
            $(fn $gives_way(&self) -> bool { true })?
            fn check(&self, context: &$crate::lint::Context<'_>, out: &mut Vec<$crate::language::Diagnostic>) {
                $check(context, &mut |found: $crate::lint::rules::Finding| {
                    out.push($crate::language::Diagnostic {
                        rule: $name,
                        severity: $crate::language::Severity::$severity,
                        at: found.at,
                        message: found.message,
                        help: Some(found.help),
                        fix: found.fix,
                        counterexample: found.counterexample.map(Box::new),
                    });
                });
            }
        }
    };
    (@providers) => { &[] };
    (@providers $providers:expr) => { $providers };
}
use declare_rule;

/// What a rule has found.
struct Finding {
    at: TextRange,
    message: String,
    help: String,
    fix: Vec<Edit>,
    counterexample: Option<Counterexample>,
}

impl Finding {
    /// Where, what, and what to do.
    fn new(at: TextRange, message: impl Into<String>, help: impl Into<String>) -> Finding {
        let (message, help) = (message.into(), help.into());
        Finding { at, message, help, fix: Vec::new(), counterexample: None }
    }

    /// With a change that certainly mends it.
    fn fixed(mut self, at: TextRange, text: impl Into<String>) -> Finding {
        self.fix.push(Edit { at, text: text.into() });
        self
    }

    /// With a run that shows it.
    fn shown(mut self, run: Option<Counterexample>) -> Finding {
        self.counterexample = run;
        self
    }
}

/// Takes a finding.
type Found<'a> = &'a mut dyn FnMut(Finding);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::language::Compiled;
    use crate::language::facts_text::GivenFacts;
    use crate::language::script::Scripts;
    use crate::lint::{Example, FileFindings, SourceFile, check_one};
    use crate::machine::{Scenario, simulate};

    #[test]
    fn each_rule_has_a_name_of_its_own_a_page_and_examples_of_both_kinds() {
        let mut names: Vec<_> = ALL.iter().map(|r| r.name()).collect();
        assert!(names.is_sorted(), "{names:?}");
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for rule in ALL {
            assert!(rule.page().lines().count() >= 3, "{} has no page", rule.name());
            assert!(rule.examples().iter().any(|e| e.fires), "{} never fires", rule.name());
            assert!(rule.examples().iter().any(|e| !e.fires), "{} always fires", rule.name());
        }
    }

    #[test]
    fn each_example_does_what_its_page_says() {
        let mut wrong = Vec::new();
        for rule in ALL {
            for example in rule.examples() {
                let (compiled, found) = checked(example.source, example);
                assert!(compiled.is_clean(), "{}: {:?}", example.source, compiled.diagnostics);
                let fires = found.findings.iter().any(|f| f.rule == rule.name());
                if fires != example.fires {
                    wrong.push(format!("{} {fires}: {}", rule.name(), example.source));
                }
                for finding in &found.findings {
                    assert!(finding.help.is_some() && !finding.message.contains('\n'), "{finding:?}");
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn checked(text: &str, example: &Example) -> (Compiled, FileFindings) {
        let file = SourceFile { path: "example".into(), text: text.into(), bare_name: None };
        check_one(&file, &ExampleScope::of(example))
    }

    #[test]
    fn a_text_that_was_mended_has_the_finding_no_more_and_no_new_one() {
        let mut mended = 0;
        for (rule, example) in ALL.iter().flat_map(|rule| rule.examples().iter().map(move |e| (rule, e))) {
            let (_, before) = checked(example.source, example);
            for finding in before.findings.iter().filter(|f| f.rule == rule.name() && !f.fix.is_empty()) {
                let mut text = example.source.to_owned();
                for edit in finding.fix.iter().rev() {
                    text.replace_range(edit.at.clone(), &edit.text);
                }
                let (compiled, after) = checked(&text, example);
                assert!(compiled.is_clean(), "{}: {text}", rule.name());
                let new =
                    after.findings.iter().find(|f| before.findings.iter().all(|old| old.rule != f.rule));
                assert_eq!(new, None, "{text}");
                assert!(after.findings.len() < before.findings.len(), "{}: {text}", rule.name());
                mended += 1;
            }
        }
        assert!(mended >= 10, "{mended}");
    }

    /// The runs that the findings of all examples show, each with the name of its rule.
    fn shown(look: &mut dyn FnMut(&'static str, &Example, &Compiled, &Counterexample, &TextRange)) {
        for example in ALL.iter().flat_map(|rule| rule.examples()) {
            let (compiled, found) = checked(example.source, example);
            for finding in &found.findings {
                if let Some(run) = finding.counterexample.as_deref() {
                    look(finding.rule, example, &compiled, run, &finding.at);
                }
            }
        }
    }

    #[test]
    fn each_run_that_is_shown_is_what_the_simulator_prints() {
        let mut count = 0;
        shown(&mut |_, example, compiled, run, at| {
            let policy = compiled.policies.iter().find(|p| p.at.contains(&at.start)).unwrap();
            let machine = crate::machine::compile(policy);
            let facts = GivenFacts::parse(&run.facts).unwrap();
            let catalog = crate::lint::analysis::catalog_of(&ExampleScope::of(example));
            let scripts = Scripts::parse(&run.script).unwrap();
            let beyond = scripts.check(|key| catalog.confirmations(&machine, key));
            assert!(beyond.is_empty(), "{}: {beyond:?}", example.source);
            let scenario = Scenario::given(&machine, &facts, catalog, run.at.parse().unwrap());
            let timeline = simulate(&scenario, &scripts);
            assert_eq!(run.timeline, crate::lint::analysis::shown(&timeline), "{}", example.source);
            count += 1;
        });
        assert!(count >= 80, "{count}");
    }

    /// Rules that show no run: about words, shapes, numbers and what a catalog lacks, or of something that no one
    /// run shows, since it is so in all of them.
    const WITHOUT_A_RUN: &[&str] = &[
        "allow-without-reason",
        "attribute-named-as-word",
        "code-without-expiry",
        "doubled-comma",
        "group-of-one",
        "guard-always-holds",
        "huge-duration",
        "impossible-value",
        "is-not-joined-by-or",
        "malformed-allow",
        "missing-template",
        "mixed-and-or",
        "near-category",
        "nested-group",
        "odd-zone",
        "placeholder-in-text",
        "price-missing",
        "redundant-condition",
        "single-share",
        "thousands-dot",
        "tiny-duration",
        "undeclared-vars",
        "unknown-allow",
        "unknown-currency",
        "unknown-provider",
        "unless-not",
        "unsure-zone",
        "unused-allow",
        "unused-var",
        "values-in-one-text",
        "window-without-effect",
        "write-repeat",
    ];

    #[test]
    fn each_rule_about_what_happens_shows_a_run_of_it() {
        let mut with = BTreeSet::new();
        shown(&mut |rule, _, _, _, _| _ = with.insert(rule));
        let without: Vec<&str> = ALL.iter().map(|rule| rule.name()).filter(|n| !with.contains(n)).collect();
        assert_eq!(without, WITHOUT_A_RUN);
    }

    #[test]
    fn where_a_run_does_not_come_out_as_the_finding_says_none_is_shown() {
        for (rule, source, is_shown) in [
            ("quiet-by-day", "policy p { quiet 08:00 to 21:00 in UTC unless priority is high sms }", true),
            // It is lifted for messages of which nothing is said, so at noon they are sent.
            ("quiet-by-day", "policy p { quiet 08:00 to 21:00 in UTC unless priority is normal sms }", false),
            ("retries-cut-short", "sms retry 5 times every 20s then email after 30s", true),
            // The limit cuts them shorter still than the stage behind does.
            (
                "repeat-cut-short",
                "policy p { limit 2 sends voice until replied repeat 3 times every 5m then email after 10m }",
                false,
            ),
            ("repeat-cut-short", "voice until replied repeat 3 times every 5m then email after 10m", true),
        ] {
            let example = Example { source, fires: true, providers: &[] };
            let found = checked(source, &example).1;
            let finding = found.findings.iter().find(|finding| finding.rule == rule);
            let run = finding.map(|finding| finding.counterexample.is_some());
            assert_eq!(run, Some(is_shown), "{rule}: {source}");
        }
    }
}
