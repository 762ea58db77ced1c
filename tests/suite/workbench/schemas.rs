//! The schemas of what the commands print for programs: whatever is recorded of them fits.

use std::path::Path;

use serde_json::Value;

const COMMANDS: [&str; 5] = ["check", "simulate", "test", "prove", "diff"];

fn schema(command: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schemas/{command}.schema.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What the sessions of the command line have recorded of `spine policy COMMAND … --format json`; of faults
/// in policies every command tells what `check` tells.
fn recorded(command: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/cli");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_none_or(|ending| ending != "md") {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for block in text.split("```console\n").skip(1) {
            let block = block.split("\n```").next().unwrap();
            let (line, said) = block.split_once('\n').unwrap_or((block, ""));
            let tells_faults = said.contains("\n  \"findings\": [");
            let by = if tells_faults { Some("check") } else { line.split(' ').nth(3) };
            let is_it = by == Some(command)
                && line.starts_with("$ spine policy ")
                && line.contains("--format json")
                && !line.contains("--statistics");
            let said = said.strip_prefix("? 1\n").unwrap_or(said);
            if is_it && said.starts_with('{') {
                all.push((line.to_owned(), serde_json::from_str(said).unwrap()));
            }
        }
    }
    all
}

/// The same schema, in which nothing may stand that it does not name.
fn closed(schema: &mut Value, is_part: bool) {
    let Value::Object(map) = schema else {
        if let Value::Array(all) = schema {
            all.iter_mut().for_each(|one| closed(one, is_part));
        }
        return;
    };
    if map.contains_key("properties") && map.contains_key("required") && !is_part {
        map.insert("additionalProperties".into(), Value::Bool(false));
    }
    for (name, value) in map {
        // What is put together of several parts has the names of all of them.
        let is_part = matches!(name.as_str(), "allOf" | "span" | "finding") || is_part && name == "items";
        closed(value, is_part);
    }
}

#[test]
fn whatever_is_recorded_fits_its_schema_and_its_schema_says_all_of_it() {
    for command in COMMANDS {
        let mut schema = schema(command);
        closed(&mut schema, false);
        let validator = jsonschema::validator_for(&schema).unwrap();
        let recorded = recorded(command);
        assert!(!recorded.is_empty(), "{command}: nothing is recorded");
        for (line, value) in recorded {
            let faults: Vec<String> = validator.iter_errors(&value).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{line}: {faults:#?}");
        }
    }
}

/// A schema that takes anything would take these too.
#[test]
fn what_lacks_something_does_not_fit() {
    for command in COMMANDS {
        let validator = jsonschema::validator_for(&schema(command)).unwrap();
        let (line, value) = recorded(command).into_iter().next().unwrap();
        for name in value.as_object().unwrap().keys().filter(|name| *name != "bounds") {
            let mut less = value.clone();
            less.as_object_mut().unwrap().remove(name);
            let optional = ["allowed", "coverage", "mended"].contains(&name.as_str()) && command != "diff";
            assert_eq!(validator.is_valid(&less), optional, "{line}: without {name}");
        }
    }
}
