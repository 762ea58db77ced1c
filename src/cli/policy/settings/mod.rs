//! The `lint:` and `require:` of a `spine.yaml`: levels by rule and path, and rules of the house.

mod house;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};

use crate::cli::CliError;
use crate::cli::config::{Fault, YamlFile};
use crate::language::words::{listed, near, quoted};
use crate::lint::settings::{Glob, Level, Override, Root};
use crate::lint::{Settings, rules};
use crate::machine::catalog::Catalog;

use super::catalog;

/// The file that is looked for in the working folder and above.
pub(crate) const FILE: &str = "spine.yaml";
/// Names that are listed where another one is wrong.
const LISTED_MAX: usize = 5;
/// The settings of `lint`.
const OF_LINT: [&str; 2] = ["rules", "overrides"];
/// The settings of an entry of `overrides`.
const OF_OVERRIDE: [&str; 2] = ["paths", "rules"];

/// The nearest file of settings.
pub(crate) fn nearest() -> Option<PathBuf> {
    let working = std::env::current_dir().ok()?;
    working.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file())
}

/// Reads the settings of the file that is named, or of the `spine.yaml` of the working folder or the
/// next one above it that has any. Rules of the house are decided by `given`, else by the file's own
/// catalog.
pub(crate) fn load(named: Option<&Path>, given: Option<&Catalog>) -> Result<Settings, CliError> {
    let working = std::env::current_dir().map_err(|source| CliError::Read { path: ".".into(), source })?;
    let path = match named {
        Some(path) => Some(path.to_owned()),
        None => nearest(),
    };
    let mut root = Root { working: text_of_path(&working), folder: text_of_path(&working) };
    let Some(path) = path else {
        return Ok(Settings { house_is_known: true, root, ..Settings::default() });
    };
    let file = YamlFile::read(&path)?;
    let whole = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
    if let Some(folder) = whole.parent() {
        root.folder = text_of_path(folder);
    }
    let mut settings = of(&file, given)?;
    settings.root = root;
    Ok(settings)
}

/// The settings of a file that was read.
fn of(file: &YamlFile, given: Option<&Catalog>) -> Result<Settings, CliError> {
    let has_rules = file.value.get("require").is_some();
    let catalog = match given {
        Some(catalog) => catalog.clone(),
        None if has_rules && file.value.get("catalog").is_some() => catalog::of(file)?,
        None => Catalog::default(),
    };
    let mut reader = Reader { file, faults: Vec::new() };
    let mut settings = Settings { house_is_known: true, catalog, ..Settings::default() };
    if let Some(require) = file.value.get("require") {
        settings.house = reader.house(require, &settings.catalog);
    }
    if let Some(lint) = file.value.get("lint") {
        reader.lint(lint, &mut settings);
    }
    match reader.faults.is_empty() {
        true => Ok(settings),
        false => Err(file.refused(reader.faults)),
    }
}

fn text_of_path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

struct Reader<'a> {
    file: &'a YamlFile,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn wrong(&mut self, path: &[&str], message: impl Into<String>) {
        let fault = self.file.fault(path, false, message.into());
        self.faults.push(fault);
    }

    fn wrong_name(&mut self, path: &[&str], message: impl Into<String>) {
        let fault = self.file.fault(path, true, message.into());
        self.faults.push(fault);
    }

    /// A mapping; of `known` names alone, where there are any.
    fn mapping(&mut self, value: &'a Value, path: &[&str], known: &[&str]) -> Option<&'a Mapping> {
        let Some(mapping) = value.as_mapping() else {
            self.wrong(path, "must hold settings, `name: value`");
            return None;
        };
        for name in mapping.keys().map(text_of).filter(|name| !known.contains(&name.as_str())) {
            if known.is_empty() {
                break;
            }
            let told = match near(&name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if path == ["lint"] && name == "require" => {
                    "it stands at the beginning of a line, beside `lint`".to_owned()
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
        Some(mapping)
    }

    fn lint(&mut self, value: &'a Value, settings: &mut Settings) {
        if value.is_null() {
            return;
        }
        let Some(lint) = self.mapping(value, &["lint"], &OF_LINT) else { return };
        let house: Vec<&str> = settings.house.iter().map(|rule| rule.name).collect();
        if let Some(value) = lint.get("rules") {
            settings.rules = self.levels(value, &["lint", "rules"], &house);
        }
        let Some(value) = lint.get("overrides") else { return };
        let Some(list) = value.as_sequence() else {
            self.wrong(&["lint", "overrides"], "must be a list; each entry has `paths` and `rules`");
            return;
        };
        for (number, value) in list.iter().enumerate() {
            let number = number.to_string();
            let path = ["lint", "overrides", number.as_str()];
            let Some(entry) = self.mapping(value, &path, &OF_OVERRIDE) else { continue };
            let below = |name: &'static str| [&path[..], &[name]].concat();
            let paths = match entry.get("paths") {
                Some(value) => self.globs(value, &below("paths")),
                None => {
                    self.wrong(&path, "must have `paths`, a list such as `[\"marketing/**\"]`");
                    Vec::new()
                }
            };
            let rules = match entry.get("rules") {
                Some(value) => self.levels(value, &below("rules"), &house),
                None => {
                    self.wrong(&path, "must have `rules`, such as `{ lowered-goal: error }`");
                    BTreeMap::new()
                }
            };
            settings.overrides.push(Override { paths, rules });
        }
    }

    fn levels(&mut self, value: &'a Value, path: &[&str], house: &[&'static str]) -> BTreeMap<String, Level> {
        let mut levels = BTreeMap::new();
        let Some(mapping) = self.mapping(value, path, &[]) else { return levels };
        for (name, value) in mapping {
            let name = text_of(name);
            let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
            let is_rule = rules::ALL.iter().any(|rule| rule.name() == name);
            if !is_rule && rules::find(&name).is_some() {
                let message = format!("{} keeps a policy from compiling and has no level", quoted(&name));
                self.wrong_name(&path, message);
            } else if !is_rule && !house.contains(&name.as_str()) {
                let all = rules::ALL.iter().map(|rule| rule.name()).chain(house.iter().copied());
                let told = match near(&name, all) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "`spine policy rule` lists all; what keeps a policy from compiling has no level"
                        .to_owned(),
                };
                self.wrong_name(&path, format!("no rule is named {}; {told}", quoted(&name)));
            }
            match self.level(value, &path) {
                Some(level) => _ = levels.insert(name, level),
                None => continue,
            }
        }
        levels
    }

    fn level(&mut self, value: &Value, path: &[&str]) -> Option<Level> {
        let level = value.as_str().and_then(Level::of_word);
        if level.is_none() {
            self.wrong(path, format!("must be {}", listed(Level::WORDS, "or")));
        }
        level
    }

    fn globs(&mut self, value: &Value, path: &[&str]) -> Vec<Glob> {
        let Some(words) = texts_of(value) else {
            self.wrong(path, "must be a list of paths, such as `[\"marketing/**\"]`");
            return Vec::new();
        };
        let mut globs = Vec::new();
        for word in words {
            match Glob::new(word) {
                Ok(glob) => globs.push(glob),
                Err(error) => self.wrong(path, format!("{}: {error}", quoted(word))),
            }
        }
        globs
    }
}

/// One text or a list of some.
fn texts_of(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text.as_str()]),
        Value::Sequence(list) if !list.is_empty() => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// A scalar as it was written, more or less.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_yaml::to_string(other).unwrap_or_default().trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, CliError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spine.yaml");
        std::fs::write(&path, text).unwrap();
        of(&YamlFile::read(&path).unwrap(), None)
    }

    #[test]
    fn levels_hold_everywhere_or_by_path_and_the_last_counts() {
        let settings = read(
            "lint:\n  rules: { unsure-zone: off, lowered-goal: error, short: note }\n  overrides:\n    \
             - paths: [\"old/**\"]\n      rules: { lowered-goal: note }\n    \
             - paths: old/x/\n      rules: { lowered-goal: off }\n\
             require:\n  short: { sends_max: 2 }\n",
        )
        .unwrap();
        for (path, rule, expected) in [
            ("a.policy", "unsure-zone", Some("off")),
            ("a.policy", "lowered-goal", Some("error")),
            ("old/a.policy", "lowered-goal", Some("note")),
            ("./old/x/a.policy", "lowered-goal", Some("off")),
            ("old/a.policy", "short", Some("note")),
            ("old/a.policy", "unknown-provider", None),
        ] {
            assert_eq!(settings.levels_of(path).of(rule), expected.and_then(Level::of_word), "{path} {rule}");
        }
    }

    #[test]
    fn all_faults_come_at_once_each_with_its_place_and_what_to_write() {
        let text = "\
lint:
  rules: { lowered-gaol: off, unsure-zone: loud, xyzzy: off }
  overides: []
  require: {}
  overrides:
    - { paths: [\"../x\", \"{a\"], rules: { unsure-zone: off } }
    - { rules: { unsure-zone: no } }
    - paths: []
require:
  Cheap: { cost_max: 0.30 EUR }
  cheap: { cost_max: 0.30 }
  dear: { cost_max: 0.30 USD }
  lowered-goal: { sends_max: 3 }
  few: { sends_max: 0, sends_mx: 2, level: loud, category: 3 }
  empty: { message: \"\" }
  channels: { ends_in: [sms, vioce], has: [quite], paths: [\"\"], duration_max: soon }
catalog:
  providers: { a: { channels: [sms], price: { sms: 0.07 EUR } } }
";
        let Err(CliError::Config { faults, .. }) = read(text) else { panic!("it was read") };
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
