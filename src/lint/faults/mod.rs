//! Pages for what the compiler itself finds: what does not compile, why, and what to write instead.
//!
//! They stand beside the rules so that `spine policy rule NAME` knows every name that a finding can
//! have. A test reads the compiler's sources: each name has a page here.

mod conditions;
mod limits;
mod shape;
mod values;
mod words;

use super::Rule;

/// All of them, in the order of their names.
pub const ALL: &[&dyn Rule] = &[
    &shape::AfterOtherwise,
    &values::BadCategory,
    &conditions::BadComparison,
    &conditions::BadCondition,
    &values::BadDoubt,
    &values::BadDuration,
    &values::BadExpires,
    &shape::BadGroup,
    &values::BadLimit,
    &conditions::BadList,
    &values::BadMoney,
    &shape::BadName,
    &values::BadNumber,
    &shape::BadOtherwise,
    &shape::BadPolicy,
    &values::BadRepeat,
    &values::BadRetry,
    &values::BadRoute,
    &values::BadShares,
    &shape::BadText,
    &values::BadTime,
    &values::BadValid,
    &values::BadVar,
    &values::BadWait,
    &values::BadWindow,
    &limits::ConditionsTooLong,
    &values::DurationTooLong,
    &values::EmptyWindow,
    &shape::FaultyUse,
    &shape::HeaderWithoutPolicy,
    &shape::MisplacedHeader,
    &shape::MisplacedModifier,
    &shape::MisplacedOtherwise,
    &conditions::MisplacedWord,
    &conditions::MissingCondition,
    &values::MissingDuration,
    &shape::MissingStage,
    &shape::MissingThen,
    &values::MissingTime,
    &conditions::MissingValue,
    &values::MissingZone,
    &limits::NestedTooDeeply,
    &conditions::NoOrder,
    &shape::NoPolicy,
    &shape::NoStage,
    &values::OtherCurrency,
    &shape::OutsidePolicy,
    &shape::PolicyTwice,
    &values::ProviderTwice,
    &shape::RecursiveUse,
    &shape::RepeatedHeader,
    &shape::RepeatedModifier,
    &shape::RepeatedPart,
    &limits::SourceTooLarge,
    &shape::StrayText,
    &limits::TextTooLong,
    &limits::TooManyFindings,
    &limits::TooManyPolicies,
    &limits::TooManyProviders,
    &limits::TooManyStages,
    &limits::TooManyVars,
    &conditions::TypesDiffer,
    &shape::UnclosedBracket,
    &shape::UnclosedText,
    &words::UnknownChannel,
    &words::UnknownCondition,
    &words::UnknownContactField,
    &words::UnknownDay,
    &words::UnknownGoal,
    &words::UnknownHeader,
    &words::UnknownName,
    &words::UnknownPolicy,
    &words::UnknownPriority,
    &words::UnknownType,
    &words::UnknownVar,
    &words::UnknownWord,
    &words::UnknownZone,
    &limits::Unreadable,
    &limits::UseTooDeep,
    &shape::VarsDiffer,
    &shape::WrongJoiner,
    &values::ZeroDuration,
];

/// Declares the page of a finding: its doc comment is the page, the compiler is what finds it.
macro_rules! fault {
    (
        $(#[doc = $line:literal])+
        $type:ident, $name:literal;
        $($fires:literal => $source:literal,)+
    ) => {
        $(#[doc = $line])+
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $type;

        impl $crate::lint::Rule for $type {
            fn name(&self) -> &'static str { $name }
            fn severity(&self) -> $crate::language::Severity { $crate::language::Severity::Error }
            fn page(&self) -> &'static str { concat!($($line, "\n"),+) }
            fn examples(&self) -> &'static [$crate::lint::Example] {
                &[$($crate::lint::Example { source: $source, fires: $fires, providers: &[] },)+]
            }
            fn check(&self, _: &$crate::lint::Context<'_>, _: &mut Vec<$crate::language::Diagnostic>) {}
        }
    };
}
use fault;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::language::{NoLibrary, compile};

    #[test]
    fn each_example_does_what_its_page_says() {
        let mut wrong = Vec::new();
        for fault in ALL {
            assert!(fault.page().lines().count() >= 3, "{} has no page", fault.name());
            for example in fault.examples() {
                let compiled = compile(example.source, None, &NoLibrary);
                let right = match example.fires {
                    true => {
                        compiled.diagnostics.iter().all(|d| d.rule == fault.name()) && !compiled.is_clean()
                    }
                    false => compiled.is_clean(),
                };
                if !right {
                    wrong.push(format!("{}: {}: {:?}", fault.name(), example.source, compiled.diagnostics));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// The names in quotes of the shape `word-word`, or one of the few of one word.
    fn names_in(text: &str, out: &mut BTreeSet<String>) {
        for (at, _) in text.match_indices('"') {
            let part = &text[at + 1..];
            let length = part.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(part.len());
            let (part, behind) = part.split_at(length);
            let words = part.split('-').count();
            let is_name = words > 1 && part.split('-').all(|word| word.len() > 1);
            if behind.starts_with('"') && (is_name || part == "unreadable") {
                out.insert(part.to_owned());
            }
        }
    }

    #[test]
    fn each_name_that_the_compiler_gives_has_a_page_and_no_page_is_left_over() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/language/compile");
        let mut given = BTreeSet::new();
        let paths = |folder: &Path| {
            let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            all.filter(|path| path.is_file()).collect::<Vec<_>>()
        };
        for path in paths(&folder) {
            let text = std::fs::read_to_string(path).unwrap();
            names_in(text.split("mod tests").next().unwrap(), &mut given);
        }
        // Where words of people are listed too, only what a finding is named by counts.
        for path in paths(&folder.join("habits")) {
            let text = std::fs::read_to_string(path).unwrap();
            let named = text.split(".named(\"").skip(1).filter_map(|rest| rest.split('"').next());
            given.extend(named.map(str::to_owned));
        }
        // Words of people for days, channels and times, which have a hyphen too.
        let known: BTreeSet<String> = ALL.iter().map(|fault| fault.name().to_owned()).collect();
        for word in ["mon-fri", "sat-sun", "e-mail"] {
            given.remove(word);
        }
        assert_eq!(given, known);
        let names: Vec<_> = ALL.iter().map(|fault| fault.name()).collect();
        assert!(names.is_sorted(), "{names:?}");
        for rule in crate::lint::rules::ALL {
            assert!(!known.contains(rule.name()), "{} is a fault too", rule.name());
        }
    }
}
