//! Reads settings one by one out of a tree, and notes what is wrong with each instead of stopping.

use serde_yaml::{Mapping, Value};

use super::value::Setting;
use crate::language::words::{listed, near, quoted};

/// One thing that is wrong, and at which setting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Raw {
    /// The names on the way to it.
    pub(super) path: Vec<String>,
    /// Whether the name itself is wrong, rather than its value.
    pub(super) is_name: bool,
    /// What is wrong, and what to write.
    pub(super) message: String,
}

/// One level of settings: what the file says, and under it the defaults.
pub(super) struct Reader<'a> {
    given: Option<&'a Mapping>,
    defaults: Option<&'a Mapping>,
    path: Vec<String>,
    known: Vec<&'static str>,
    faults: &'a mut Vec<Raw>,
}

impl<'a> Reader<'a> {
    /// Reads the whole tree by `read`.
    pub(super) fn whole<T>(
        given: &'a Value,
        defaults: &'a Value,
        faults: &'a mut Vec<Raw>,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> T {
        let mut reader = Reader::level(Some(given), Some(defaults), Vec::new(), faults);
        let value = read(&mut reader);
        reader.refuse_unknown();
        value
    }

    fn level<'b>(
        given: Option<&'b Value>,
        defaults: Option<&'b Value>,
        path: Vec<String>,
        faults: &'b mut Vec<Raw>,
    ) -> Reader<'b> {
        let mapping = given.and_then(Value::as_mapping);
        if mapping.is_none() && given.is_some_and(|value| !value.is_null()) {
            let message = match path.last() {
                None => "the file must hold settings, `name: value` on each line".to_owned(),
                Some(name) => format!("`{name}` holds settings of its own; write them below it, indented"),
            };
            faults.push(Raw { path: path.clone(), is_name: false, message });
        }
        let defaults = defaults.and_then(Value::as_mapping);
        Reader { given: mapping, defaults, path, known: Vec::new(), faults }
    }

    /// Settings that stand below a name.
    pub(super) fn section<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        self.known.push(name);
        let path = self.below(name);
        let given = self.given.and_then(|m| m.get(name));
        let defaults = self.defaults.and_then(|m| m.get(name));
        let mut reader = Reader::level(given, defaults, path, self.faults);
        let value = read(&mut reader);
        reader.refuse_unknown();
        value
    }

    /// One setting. Where it is wrong, that is noted and the default given.
    pub(super) fn get<T: Setting>(&mut self, name: &'static str) -> T {
        self.known.push(name);
        let path = self.below(name);
        if let Some(value) = self.given.and_then(|m| m.get(name)) {
            match T::read(value) {
                Ok(value) => return value,
                Err(message) => self.faults.push(Raw { path: path.clone(), is_name: false, message }),
            }
        }
        // The default file has every setting, which a test holds.
        match self.defaults.and_then(|m| m.get(name)).map(T::read) {
            Some(Ok(value)) => value,
            _ => {
                let message = format!("`{name}` has no default; this is a fault of the program");
                self.faults.push(Raw { path, is_name: false, message });
                T::default()
            }
        }
    }

    /// A setting that others read.
    pub(super) fn leave(&mut self, name: &'static str) {
        self.known.push(name);
    }

    fn below(&self, name: &str) -> Vec<String> {
        let mut path = self.path.clone();
        path.push(name.to_owned());
        path
    }

    fn refuse_unknown(self) {
        for name in self.given.into_iter().flat_map(Mapping::keys) {
            let name = match name {
                Value::String(name) => name.clone(),
                other => serde_yaml::to_string(other).unwrap_or_default().trim().to_owned(),
            };
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let told = match near(&name, self.known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", listed(self.known.iter().copied(), "and")),
            };
            let message = format!("unknown setting {}; {told}", quoted(&name));
            let mut path = self.path.clone();
            path.push(name);
            self.faults.push(Raw { path, is_name: true, message });
        }
    }
}
