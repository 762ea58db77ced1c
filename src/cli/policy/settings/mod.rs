//! The `lint:` and `require:` of a `spine.yaml`: levels by rule and path, and rules of the house.

mod house;
mod reader;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::cli::CliError;
use crate::cli::config::YamlFile;
use crate::language::words::{listed, near, quoted};
use crate::lint::settings::{Glob, Level, Override, Root};
use crate::lint::{Settings, rules};
use crate::machine::catalog::Catalog;

use reader::texts_of;
pub(crate) use reader::{Reader, text_of};

/// The file that is looked for in the working folder and above.
pub(crate) const FILE: &str = "spine.yaml";
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
    let mut reader = Reader::of(file);
    let catalog = match given {
        Some(catalog) => catalog.clone(),
        None if has_rules && file.value.get("catalog").is_some() => reader.catalog(),
        None => Catalog::default(),
    };
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

impl<'a> Reader<'a> {
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
  providers: { a: { channels: [sms], price: { sms: 0.07 EUR } }, B: { chanels: [sms] } }
rules: {}
lnt: {}
xyzzy: {}
";
        let Err(CliError::Config { faults, .. }) = read(text) else { panic!("it was read") };
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
