//! The rules. A rule is a file here, declared by [`declare_rule`], and one line in [`ALL`].

mod lowered_goal;
mod unknown_provider;
mod unsure_zone;
mod walk;

use super::Rule;
use super::allow::rules as allow;

/// All rules, in the order of their names.
pub const ALL: &[&dyn Rule] = &[
    &allow::AllowWithoutReason,
    &lowered_goal::LoweredGoal,
    &allow::MalformedAllow,
    &allow::UnknownAllow,
    &unknown_provider::UnknownProvider,
    &unsure_zone::UnsureZone,
    &allow::UnusedAllow,
];

/// The rule of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Rule> {
    ALL.iter().copied().find(|rule| rule.name() == name)
}

/// Declares a rule: its doc comment is its page, `check` is what it does.
macro_rules! declare_rule {
    (
        $(#[doc = $line:literal])+
        $type:ident, $name:literal, $severity:ident, $check:path;
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
            fn check(&self, context: &$crate::lint::Context<'_>, out: &mut Vec<$crate::language::Diagnostic>) {
                $check(context, &mut |at, message: String, help: String| {
                    out.push($crate::language::Diagnostic {
                        rule: $name,
                        severity: $crate::language::Severity::$severity,
                        at,
                        message,
                        help: Some(help),
                        fix: Vec::new(),
                    });
                });
            }
        }
    };
    (@providers) => { &[] };
    (@providers $providers:expr) => { $providers };
}
use declare_rule;

/// Takes a finding: where, what, and what to do.
type Found<'a> = &'a mut dyn FnMut(crate::language::policy::TextRange, String, String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::{KnownProvider, Library, Used};
    use crate::lint::{SourceFile, check_one};
    use crate::model::Channel;

    struct Scope(&'static [&'static str]);
    impl Library for Scope {
        fn policy(&self, _: &str) -> Option<Used> {
            None
        }
        fn providers(&self) -> Option<Vec<KnownProvider>> {
            let known = |name: &&str| KnownProvider {
                name: (*name).to_owned(),
                channels: vec![(Channel::Sms, Channel::Sms.default_confirmations().to_vec())],
            };
            (!self.0.is_empty()).then(|| self.0.iter().map(known).collect())
        }
    }

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
        for rule in ALL {
            for example in rule.examples() {
                let file =
                    SourceFile { path: "example".into(), text: example.source.into(), bare_name: None };
                let (compiled, found) = check_one(&file, &Scope(example.providers));
                assert!(compiled.is_clean(), "{}: {:?}", example.source, compiled.diagnostics);
                let fires = found.findings.iter().any(|f| f.rule == rule.name());
                assert_eq!(fires, example.fires, "{}: {}", rule.name(), example.source);
                for finding in &found.findings {
                    assert!(finding.help.is_some() && !finding.message.contains('\n'), "{finding:?}");
                }
            }
        }
    }
}
