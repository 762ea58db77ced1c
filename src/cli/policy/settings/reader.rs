//! Reads a `spine.yaml` for the tools, and notes what is wrong with each setting instead of stopping.

use serde_yaml::{Mapping, Value};

use crate::cli::config::{self, Fault, YamlFile};
use crate::language::words::{listed, near, quoted};

/// Names that are listed where another one is wrong.
const LISTED_MAX: usize = 5;
/// What the tools read of the file; the rest is the server's.
const OF_TOOLS: [&str; 3] = ["catalog", "lint", "require"];

pub(crate) struct Reader<'a> {
    pub(crate) file: &'a YamlFile,
    pub(crate) faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// A reader of a file, whose first names are looked at: one with a slip would be a setting that nobody reads.
    pub(crate) fn of(file: &'a YamlFile) -> Reader<'a> {
        let mut reader = Reader { file, faults: Vec::new() };
        if let Some(whole) = file.value.as_mapping() {
            let known: Vec<String> =
                OF_TOOLS.into_iter().map(str::to_owned).chain(config::sections()).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            reader.names(whole, &[], &known);
        }
        reader
    }

    pub(crate) fn wrong(&mut self, path: &[&str], message: impl Into<String>) {
        let fault = self.file.fault(path, false, message.into());
        self.faults.push(fault);
    }

    pub(crate) fn wrong_name(&mut self, path: &[&str], message: impl Into<String>) {
        let fault = self.file.fault(path, true, message.into());
        self.faults.push(fault);
    }

    /// A mapping; of `known` names alone, where there are any.
    pub(crate) fn mapping(&mut self, value: &'a Value, path: &[&str], known: &[&str]) -> Option<&'a Mapping> {
        let Some(mapping) = value.as_mapping() else {
            self.wrong(path, "must hold settings, `name: value`");
            return None;
        };
        if !known.is_empty() {
            self.names(mapping, path, known);
        }
        Some(mapping)
    }

    fn names(&mut self, mapping: &Mapping, path: &[&str], known: &[&str]) {
        for name in mapping.keys().map(text_of).filter(|name| !known.contains(&name.as_str())) {
            let told = match near(&name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if path == ["lint"] && name == "require" => {
                    "it stands at the beginning of a line, beside `lint`".to_owned()
                }
                None if path.is_empty() && ["rules", "overrides"].contains(&name.as_str()) => {
                    "it stands below `lint`".to_owned()
                }
                None if path.is_empty() && ["templates", "policies", "timezone"].contains(&name.as_str()) => {
                    "it stands below `catalog`".to_owned()
                }
                None if path.is_empty() => {
                    let tools = listed(OF_TOOLS, "and");
                    format!("the tools read {tools}, and `spine config` shows what a server reads")
                }
                None if known.len() > LISTED_MAX => {
                    let some = listed(known.iter().copied().rev().take(LISTED_MAX), "and");
                    format!("known here are {some} among others; `docs/linting.md` has all")
                }
                None => format!("known here: {}", listed(known.iter().copied(), "and")),
            };
            let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
            self.wrong_name(&path, format!("unknown setting {}; {told}", quoted(&name)));
        }
    }
}

/// One text or a list of some.
pub(super) fn texts_of(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text.as_str()]),
        Value::Sequence(list) if !list.is_empty() => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// A scalar as it was written, more or less.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_yaml::to_string(other).unwrap_or_default().trim().to_owned(),
    }
}
