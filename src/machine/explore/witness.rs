//! What shows that something can happen: facts and scripts that the simulator plays.

use std::collections::BTreeMap;

use crate::language::STDIN;
use crate::language::facts_text::GivenFacts;
use crate::language::script::{Script, Scripts};
use crate::machine::catalog::Catalog;
use crate::machine::plan::Machine;
use crate::machine::simulate::{Scenario, Timeline, simulate};
use crate::model::Instant;

/// Facts, an instant and scripts under which something happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Witness {
    /// What is known of the message and the person.
    pub facts: GivenFacts,
    /// When the request is accepted.
    pub at: Instant,
    /// What providers say, by provider.
    pub scripts: BTreeMap<String, String>,
}

impl Witness {
    /// The instant of acceptance where nothing else is said: Monday 2026-01-05 12:00 UTC.
    pub const ORDINARY_AT: Instant = Instant::from_ms(1_767_614_400_000);

    /// The command that shows it. `policy` names the policy where its file holds several; `catalog`
    /// is the file that was given, if one was.
    #[must_use]
    pub fn command(&self, path: &str, policy: Option<&str>, catalog: Option<&str>) -> String {
        let path = if path == STDIN { "-" } else { path };
        let mut words = vec!["spine policy simulate".to_owned(), shell(path)];
        if let Some(policy) = policy {
            words.push(format!("--policy {}", shell(policy)));
        }
        if let Some(catalog) = catalog {
            words.push(format!("--catalog {}", shell(catalog)));
        }
        words.extend(self.options());
        words.join(" ")
    }

    /// What it adds to a command: facts, scripts and an instant, each where it is not the ordinary one.
    pub fn options(&self) -> impl Iterator<Item = String> {
        let facts = self.facts.to_string();
        let facts = (!facts.is_empty()).then(|| format!("--facts {}", shell(&facts)));
        let script = (!self.scripts.is_empty()).then(|| format!("--script {}", shell(&self.script())));
        let at = (self.at != Self::ORDINARY_AT).then(|| format!("--at {}", self.at));
        [facts, script, at].into_iter().flatten()
    }

    /// The scripts as the command line takes them.
    #[must_use]
    pub fn script(&self) -> String {
        let keyed = self.scripts.iter().map(|(key, script)| format!("{key}: {script}"));
        keyed.collect::<Vec<_>>().join("; ")
    }

    /// The scripts, read. What cannot be read is left out; a walk writes nothing that cannot.
    #[must_use]
    pub fn read(&self) -> Scripts {
        let mut scripts = Scripts::default();
        for (key, text) in &self.scripts {
            if let Ok(script) = Script::parse(text) {
                scripts.insert(key.clone(), script);
            }
        }
        scripts
    }

    /// What happens under it.
    #[must_use]
    pub fn timeline(&self, machine: &Machine, catalog: &Catalog) -> Timeline {
        let scenario = Scenario::given(machine, &self.facts, catalog.clone(), self.at);
        simulate(&scenario, &self.read())
    }

    /// How much of it there is to read: facts, answers, and what comes later.
    #[must_use]
    pub fn length(&self) -> usize {
        let facts = self.facts.to_string();
        let facts = if facts.is_empty() { 0 } else { facts.matches(", ").count() + 1 };
        let said = |script: &String| script.matches(" then ").count() + script.matches(", ").count() + 1;
        facts + self.scripts.values().map(said).sum::<usize>() + usize::from(self.at != Self::ORDINARY_AT)
    }
}

/// A word as a shell takes it.
#[must_use]
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=' | ':' | '@');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_one_that_a_shell_takes() {
        let witness = Witness {
            facts: GivenFacts::parse("quota.sms=used, vars.note=\"it's, so\"").unwrap(),
            at: Witness::ORDINARY_AT,
            scripts: BTreeMap::from([("sms".to_owned(), "accepted, replied \"yes\" after 1s".to_owned())]),
        };
        assert_eq!(
            witness.command("a b.policy", Some("x"), None),
            r#"spine policy simulate 'a b.policy' --policy x --facts 'vars.note="it'\''s, so", quota.sms=used' --script 'sms: accepted, replied "yes" after 1s'"#
        );
        assert!(witness.command(STDIN, None, None).starts_with("spine policy simulate - --facts"));
        let at = "2026-01-05T12:00:00Z".parse().unwrap();
        assert_eq!(Witness::ORDINARY_AT, at);
    }
}
