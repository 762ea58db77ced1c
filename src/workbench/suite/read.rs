//! Reads a test file, and gathers everything that is wrong with it.

use std::collections::BTreeMap;
use std::fmt;

use serde_yaml::{Mapping, Value};

use crate::language::Diagnostic;
use crate::language::facts_text::GivenFacts;
use crate::language::script::{Script, Scripts};
use crate::language::words::{listed, near, quoted};
use crate::language::yaml::{Place, Step};
use crate::machine::Witness;

use super::{Case, Expected, Invariant, InvariantWord, Suite};

const OF_FILE: [&str; 5] = ["policy", "cases", "invariants", "never", "always"];
const OF_CASE: [&str; 5] = ["name", "facts", "script", "at", "expect"];
/// Cases of one file.
const CASES_MAX: usize = 1_000;

/// Something that is wrong in a test file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub at: Place,
    /// What is wrong, and what to write.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.at.line, self.at.column, self.message)
    }
}

/// Reads a test file.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn read(path: &str, text: &str) -> Result<Suite, Vec<Fault>> {
    let mut reader = Reader { text, faults: Vec::new() };
    let value: Value = match serde_yaml::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            let at = Place::of(&error).unwrap_or(Place { line: 1, column: 1 });
            let told = error.to_string();
            let told = told.split(" at line ").next().unwrap_or(&told);
            return Err(vec![Fault { at, message: format!("this cannot be read as YAML: {told}") }]);
        }
    };
    let suite = reader.file(path, &value);
    if reader.faults.is_empty()
        && let Some(suite) = suite
    {
        return Ok(suite);
    }
    reader.faults.sort_by_key(|fault| (fault.at, fault.message.clone()));
    Err(reader.faults)
}

/// What is wrong and what to write, in one line.
pub(super) fn told(fault: &Diagnostic) -> String {
    let Diagnostic { message, help, .. } = fault;
    let pause = if message.ends_with('?') { " " } else { "; " };
    help.as_ref().map_or_else(|| message.clone(), |help| format!("{message}{pause}{help}"))
}

/// A scalar as it was written, more or less.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// The place of a path, or of the longest part of it that there is.
    fn place(&self, path: &[Step], is_name: bool) -> Place {
        let found = Place::find(self.text, path, is_name);
        let shorter =
            || (0..path.len()).rev().find_map(|length| Place::find(self.text, &path[..length], false));
        found.or_else(shorter).unwrap_or(Place { line: 1, column: 1 })
    }

    pub(super) fn wrong(&mut self, path: &[Step], is_name: bool, message: String) {
        let at = self.place(path, is_name);
        self.faults.push(Fault { at, message });
    }

    /// A mapping, of whose names none is unknown.
    fn mapping<'v>(
        &mut self,
        value: &'v Value,
        path: &[Step],
        known: &[&str],
        what: &str,
    ) -> Option<&'v Mapping> {
        let Some(mapping) = value.as_mapping() else {
            self.wrong(path, false, format!("{what} holds settings, `name: value` on each line"));
            return None;
        };
        for name in mapping.keys() {
            let name = scalar(name).unwrap_or_default();
            if known.contains(&name.as_str()) {
                continue;
            }
            let meant = match name.as_str() {
                "scripts" | "outcomes" | "providers" => Some("script"),
                "expected" | "expects" | "then" | "timeline" => Some("expect"),
                "fact" | "given" | "vars" => Some("facts"),
                "tests" | "test" => Some("cases"),
                _ => near(&name, known.iter().copied()),
            };
            let told = match meant.filter(|meant| known.contains(meant)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("{what} has {}", listed(known.iter().copied(), "and")),
            };
            let path: Vec<Step> = path.iter().cloned().chain([Step::from(name.as_str())]).collect();
            self.wrong(&path, true, format!("unknown setting {}; {told}", quoted(&name)));
        }
        Some(mapping)
    }

    fn file(&mut self, path: &str, value: &Value) -> Option<Suite> {
        let mapping = self.mapping(value, &[], &OF_FILE, "a test file")?;
        let policy_at = self.place(&["policy".into()], false);
        let policy = match mapping.get("policy").map(scalar) {
            Some(Some(name)) if !name.trim().is_empty() => Some(name.trim().to_owned()),
            Some(_) => {
                self.wrong(&["policy".into()], false, "`policy` is the name of one policy".to_owned());
                None
            }
            None => {
                let message = "`policy` is missing; write for example `policy: appt_reminder`".to_owned();
                self.wrong(&[], false, message);
                None
            }
        };
        let mut cases = Vec::new();
        match mapping.get("cases") {
            None => {}
            Some(Value::Sequence(listed)) => {
                if listed.len() > CASES_MAX {
                    let message =
                        format!("there are more than {CASES_MAX} cases; put some into another file");
                    self.wrong(&["cases".into()], true, message);
                }
                cases.extend(listed.iter().take(CASES_MAX).enumerate().filter_map(|(n, v)| self.case(n, v)));
            }
            Some(Value::Null) => {}
            Some(_) => {
                let message = "`cases` is a list; begin each case with `- name:`".to_owned();
                self.wrong(&["cases".into()], false, message);
            }
        }
        self.same_names(&cases);
        let invariants = self.invariants(mapping);
        if mapping.get("cases").is_none() && invariants.is_empty() && self.faults.is_empty() {
            let message = "there is nothing to test; write `cases:`, `never:` or `always:`".to_owned();
            self.wrong(&[], false, message);
        }
        let (path, text) = (path.to_owned(), self.text.to_owned());
        Some(Suite { path, text, policy: policy?, policy_at, cases, invariants })
    }

    fn same_names(&mut self, cases: &[Case]) {
        for (place, case) in cases.iter().enumerate() {
            if cases[..place].iter().any(|earlier| earlier.name == case.name) {
                let message =
                    format!("two cases are called {}; give this one another name", quoted(&case.name));
                self.faults.push(Fault { at: case.at, message });
            }
        }
    }

    fn case(&mut self, number: usize, value: &Value) -> Option<Case> {
        let path = [Step::from("cases"), Step::from(number)];
        let at = self.place(&path, false);
        let below = |name: &str| -> Vec<Step> { path.iter().cloned().chain([Step::from(name)]).collect() };
        let mapping = self.mapping(value, &path, &OF_CASE, "a case")?;
        let name = match mapping.get("name").map(scalar) {
            Some(Some(name)) if !name.trim().is_empty() => Some(name.trim().to_owned()),
            Some(_) => {
                self.wrong(&below("name"), false, "`name` is a text that says what is tested".to_owned());
                None
            }
            None => {
                self.wrong(&path, false, "`name` is missing; say what is tested".to_owned());
                None
            }
        };
        let facts = mapping.get("facts").map(|facts| self.facts(facts, &below("facts")));
        let scripts = mapping.get("script").map(|script| self.script(script, &below("script")));
        let (scripts, script_texts) = scripts.unwrap_or_default();
        let accepted_at = match mapping.get("at") {
            None => Witness::ORDINARY_AT,
            Some(value) => match scalar(value).unwrap_or_default().parse() {
                Ok(at) => at,
                Err(message) => {
                    self.wrong(&below("at"), false, message);
                    Witness::ORDINARY_AT
                }
            },
        };
        let expect = match mapping.get("expect") {
            None | Some(Value::Null) => None,
            Some(Value::Sequence(lines)) => {
                let lines = lines.iter().enumerate();
                Some(lines.filter_map(|(line, value)| self.expected(value, &below("expect"), line)).collect())
            }
            Some(_) => {
                let message =
                    "`expect` is a list; write for example `- 0s: send sms` on each line".to_owned();
                self.wrong(&below("expect"), false, message);
                None
            }
        };
        let facts = facts.unwrap_or_default();
        Some(Case { name: name?, at, facts, scripts, script_texts, accepted_at, expect })
    }

    fn expected(&mut self, value: &Value, path: &[Step], line: usize) -> Option<(Expected, Place)> {
        let path: Vec<Step> = path.iter().cloned().chain([Step::from(line)]).collect();
        let at = self.place(&path, false);
        let pair = match value {
            Value::Mapping(mapping) if mapping.len() == 1 => {
                mapping.iter().next().and_then(|(key, value)| Some((scalar(key)?, scalar(value)?)))
            }
            Value::String(text) => {
                text.split_once(':').map(|(key, text)| (key.trim().to_owned(), text.trim().to_owned()))
            }
            _ => None,
        };
        let Some((key, text)) = pair else {
            let message = "a line says when and what; write for example `- 30s: send sms`".to_owned();
            self.faults.push(Fault { at, message });
            return None;
        };
        match Expected::read(&key, &text) {
            Ok(expected) => Some((expected, at)),
            Err(message) => {
                self.faults.push(Fault { at, message });
                None
            }
        }
    }

    fn facts(&mut self, value: &Value, path: &[Step]) -> GivenFacts {
        if let Value::String(text) = value {
            return GivenFacts::parse(text).unwrap_or_else(|faults| {
                faults.iter().for_each(|fault| self.wrong(path, false, told(fault)));
                GivenFacts::default()
            });
        }
        if value.is_null() {
            return GivenFacts::default();
        }
        let Some(serde_json::Value::Object(facts)) = serde_json::to_value(value).ok() else {
            let message = "`facts` holds facts, such as `quota.sms: used`, one a line".to_owned();
            self.wrong(path, false, message);
            return GivenFacts::default();
        };
        GivenFacts::from_map(&facts).unwrap_or_else(|faults| {
            for (name, fault) in faults {
                let names: Vec<Step> = if facts.contains_key(&name) {
                    vec![Step::from(name.as_str())]
                } else {
                    name.split('.').map(Step::from).collect()
                };
                let path: Vec<Step> = path.iter().cloned().chain(names).collect();
                self.wrong(&path, true, told(&fault));
            }
            GivenFacts::default()
        })
    }

    fn script(&mut self, value: &Value, path: &[Step]) -> (Scripts, BTreeMap<String, String>) {
        let (mut scripts, mut texts) = (Scripts::default(), BTreeMap::new());
        let mapping = match value {
            Value::Mapping(mapping) => mapping,
            Value::Null => return (scripts, texts),
            Value::String(text) => {
                match Scripts::parse(text) {
                    Ok(read) => {
                        for part in text.split(';').filter_map(|part| part.split_once(':')) {
                            texts.insert(part.0.trim().to_owned(), part.1.trim().to_owned());
                        }
                        return (read, texts);
                    }
                    Err(faults) => faults.iter().for_each(|fault| self.wrong(path, false, told(fault))),
                }
                return (scripts, texts);
            }
            _ => {
                let message = "`script` says what providers answer, such as `sms: accepted`, one a line";
                self.wrong(path, false, message.to_owned());
                return (scripts, texts);
            }
        };
        for (key, value) in mapping {
            let key = scalar(key).unwrap_or_default();
            let path: Vec<Step> = path.iter().cloned().chain([Step::from(key.as_str())]).collect();
            let Some(text) = scalar(value) else {
                let message = format!("{} has no script; write for example `{key}: accepted`", quoted(&key));
                self.wrong(&path, true, message);
                continue;
            };
            match Script::parse(&text) {
                Ok(script) => {
                    scripts.insert(key.clone(), script);
                    texts.insert(key, text);
                }
                Err(faults) => faults.iter().for_each(|fault| self.wrong(&path, false, told(fault))),
            }
        }
        (scripts, texts)
    }

    /// `never:` and `always:`, each a text or a list of texts; and `invariants:`, a list of both.
    fn invariants(&mut self, mapping: &Mapping) -> Vec<Invariant> {
        let mut found = Vec::new();
        for (name, word) in [("never", InvariantWord::Never), ("always", InvariantWord::Always)] {
            if let Some(value) = mapping.get(name) {
                self.sentences(value, &[Step::from(name)], word, &mut found);
            }
        }
        match mapping.get("invariants") {
            None | Some(Value::Null) => {}
            Some(Value::Sequence(listed)) => {
                for (number, value) in listed.iter().enumerate() {
                    let path = [Step::from("invariants"), Step::from(number)];
                    let pair = value.as_mapping().filter(|mapping| mapping.len() == 1);
                    let pair = pair.and_then(|mapping| mapping.iter().next());
                    let word = pair.and_then(|(key, _)| match key.as_str() {
                        Some("never") => Some(InvariantWord::Never),
                        Some("always") => Some(InvariantWord::Always),
                        _ => None,
                    });
                    let (Some((_, value)), Some(word)) = (pair, word) else {
                        let message = "an invariant begins with `never:` or `always:`".to_owned();
                        self.wrong(&path, false, message);
                        continue;
                    };
                    let path = [path.as_slice(), &[Step::from(word.word())]].concat();
                    self.sentences(value, &path, word, &mut found);
                }
            }
            Some(_) => {
                let message = "`invariants` is a list; begin each with `- never:` or `- always:`".to_owned();
                self.wrong(&["invariants".into()], false, message);
            }
        }
        found.sort_by_key(|invariant| invariant.at);
        found
    }

    fn sentences(&mut self, value: &Value, path: &[Step], word: InvariantWord, out: &mut Vec<Invariant>) {
        let all: Vec<(Vec<Step>, &Value)> = match value {
            Value::Sequence(listed) => {
                let step = |n: usize| path.iter().cloned().chain([Step::from(n)]).collect();
                listed.iter().enumerate().map(|(number, value)| (step(number), value)).collect()
            }
            value => vec![(path.to_vec(), value)],
        };
        for (path, value) in all {
            match scalar(value) {
                Some(text) => out.push(Invariant { word, text, at: self.place(&path, false) }),
                None => {
                    let message = format!("`{}` is a sentence, or a list of them", word.word());
                    self.wrong(&path, false, message);
                }
            }
        }
    }
}
