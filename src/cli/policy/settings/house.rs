//! `require:`: the rules of the house.

use serde_yaml::{Mapping, Value};

use super::{Reader, text_of, texts_of};
use crate::language::Severity;
use crate::language::limits::NAME_CHARS_MAX;
use crate::language::words::quoted;
use crate::lint::house::{Given, HouseRule, KINDS};
use crate::lint::rules;
use crate::lint::settings::{Level, held_name};
use crate::machine::catalog::Catalog;

/// What a rule has beside what it asks.
const OF_RULE: [&str; 4] = ["category", "paths", "level", "message"];

impl<'a> Reader<'a> {
    pub(super) fn house(&mut self, value: &'a Value, catalog: &Catalog) -> Vec<HouseRule> {
        if value.is_null() {
            return Vec::new();
        }
        let Some(mapping) = self.mapping(value, &["require"], &[]) else { return Vec::new() };
        let known: Vec<&str> = OF_RULE.iter().copied().chain(KINDS.iter().map(|kind| kind.name)).collect();
        let mut all = Vec::new();
        for (name, value) in mapping {
            let name = text_of(name);
            let path = ["require", name.as_str()];
            if !is_name(&name) {
                self.wrong_name(
                    &path,
                    "the name of a rule has small letters, digits and `-`, and begins with a letter",
                );
            } else if rules::find(&name).is_some() {
                self.wrong_name(
                    &path,
                    format!("{} is a rule of the linter already; choose another name", quoted(&name)),
                );
            }
            let Some(settings) = self.mapping(value, &path, &known) else { continue };
            let rule = self.house_rule(settings, &path, catalog);
            all.push(HouseRule { name: held_name(&name), ..rule });
        }
        all
    }

    fn house_rule(&mut self, settings: &Mapping, path: &[&str; 2], catalog: &Catalog) -> HouseRule {
        let mut rule = HouseRule {
            name: "",
            message: None,
            severity: Severity::Error,
            categories: Vec::new(),
            paths: Vec::new(),
            demands: Vec::new(),
        };
        for (name, value) in settings {
            let name = text_of(name);
            let path = [path[0], path[1], name.as_str()];
            match name.as_str() {
                "category" => match texts_of(value) {
                    Some(words) => rule.categories = words.into_iter().map(str::to_owned).collect(),
                    None => {
                        self.wrong(&path, "must be a category or a list of some, such as `transactional`")
                    }
                },
                "paths" => rule.paths = self.globs(value, &path),
                "level" => match value.as_str().and_then(Level::of_word) {
                    Some(Level::At(severity)) => rule.severity = severity,
                    _ => self.wrong(&path, "must be `note`, `warning` or `error`"),
                },
                "message" => match value.as_str().map(str::trim).filter(|text| !text.is_empty()) {
                    Some(text) => rule.message = Some(text.split_whitespace().collect::<Vec<_>>().join(" ")),
                    None => self.wrong(&path, "must be a text"),
                },
                kind => self.demand(kind, value, &path, catalog, &mut rule),
            }
        }
        let asks = settings.keys().any(|name| KINDS.iter().any(|kind| kind.name == text_of(name)));
        if !asks {
            self.wrong(path, "asks nothing; write for example `sends_max: 3` or `ends_in: [sms, voice]`");
        }
        rule
    }

    fn demand(&mut self, name: &str, value: &Value, path: &[&str], catalog: &Catalog, rule: &mut HouseRule) {
        // A name that is none was told already.
        let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else { return };
        match (kind.read)(&given(value)) {
            Ok(demand) => match demand.lacks(catalog) {
                Some(lacks) => self.wrong(path, lacks),
                None => rule.demands.push(demand),
            },
            Err(Some(message)) => self.wrong(path, message),
            Err(None) => self.wrong(path, format!("must be {}", kind.takes)),
        }
    }
}

fn given(value: &Value) -> Given {
    match value {
        Value::String(text) => Given::Text(text.clone()),
        Value::Number(number) => number.as_u64().map_or(Given::Other, Given::Number),
        Value::Sequence(list) => {
            let words: Option<Vec<String>> = list.iter().map(|v| v.as_str().map(str::to_owned)).collect();
            words.map_or(Given::Other, Given::List)
        }
        _ => Given::Other,
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && name.len() <= NAME_CHARS_MAX
}
