//! The examples for CI services: they are what those read, and their commands run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::tempdir;

use super::{spine_in, write};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CLEAN: &[(&str, &str)] = &[("policies/a.policy", "policy a { sms then email after 1m }")];
const FAULTY: &[(&str, &str)] = &[
    ("policies/a.policy", "policy a { slack then sms }"),
    ("policies/b.policy", "policy b { watsapp }"),
    ("policies/c.policy", "policy c { email } # spine: allow unsure-zone -- \"x\""),
];

fn yaml(path: &str) -> Value {
    let text = std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a line of a script as a service does, with `spine` on the path.
fn shell(folder: &Path, line: &str, variables: &BTreeMap<String, String>) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_spine")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(line).current_dir(folder).envs(variables);
    command.env("PATH", std::env::join_paths(paths).unwrap()).env("NO_COLOR", "1");
    for name in ["GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY", "CI_PROJECT_DIR"] {
        if !variables.contains_key(name) {
            command.env_remove(name);
        }
    }
    command.output().unwrap()
}

fn text_map(value: &Value, of: impl Fn(&Value) -> Option<String>) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), of(value)?))).collect()
}

/// The steps of the action, each with what its variables come to by the inputs' defaults.
fn steps() -> Vec<(String, BTreeMap<String, String>)> {
    let action = yaml("examples/ci/action.yml");
    assert_eq!(action["runs"]["using"], "composite");
    let defaults = text_map(&action["inputs"], |input| {
        assert!(input["description"].is_string());
        input["default"].as_str().map(str::to_owned)
    });
    let steps = action["runs"]["steps"].as_array().unwrap();
    let step = |step: &Value| {
        assert_eq!(step["shell"], "bash", "a composite action names its shell");
        let line = step["run"].as_str().unwrap();
        assert!(!line.contains("${{"), "inputs come as variables, so that none is taken for a command");
        let variables = text_map(&step["env"], |value| {
            let name = value.as_str()?.strip_prefix("${{ inputs.")?.strip_suffix(" }}")?;
            Some(defaults[name].clone())
        });
        assert_eq!(variables.len(), step["env"].as_object().unwrap().len());
        (line.to_owned(), variables)
    };
    steps.iter().map(step).collect()
}

#[test]
fn the_action_writes_sarif_annotations_and_a_summary() {
    for (files, succeeds) in [(CLEAN, true), (FAULTY, false)] {
        let home = tempdir().unwrap();
        write(home.path(), files);
        let summary = home.path().join("summary.md");
        let mut last = None;
        for (line, mut variables) in steps() {
            variables.insert("GITHUB_STEP_SUMMARY".into(), summary.display().to_string());
            variables.insert("GITHUB_WORKSPACE".into(), home.path().display().to_string());
            if let Some(output) = last.replace(shell(home.path(), &line, &variables)) {
                assert!(output.status.success(), "what writes SARIF is a success");
            }
        }
        let annotated = last.unwrap();
        assert_eq!(annotated.status.code(), Some(if succeeds { 0 } else { 1 }));
        let sarif = std::fs::read_to_string(home.path().join("spine.sarif")).unwrap();
        let sarif: Value = serde_json::from_str(&sarif).unwrap();
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.is_empty(), succeeds);
        let commands = String::from_utf8(annotated.stdout).unwrap();
        let summary = std::fs::read_to_string(summary).unwrap();
        if !succeeds {
            assert!(
                commands.starts_with("::error file=policies/b.policy,line=1,endLine=1,col=12,"),
                "{commands}"
            );
            assert!(commands.contains("\n::warning file=policies/a.policy,"), "{commands}");
        }
        let told = if succeeds { "**0 errors**" } else { "**1 error**, 2 warnings" };
        assert!(summary.contains(told), "{summary}");
    }
}

#[test]
fn the_workflow_uses_the_action_and_uploads_what_it_writes() {
    let workflow = yaml("examples/ci/github.yml");
    let steps = workflow["jobs"]["check"]["steps"].as_array().unwrap();
    let uses =
        |name: &str| steps.iter().find(|step| step["uses"].as_str().unwrap().starts_with(name)).unwrap();
    let inputs = text_map(&yaml("examples/ci/action.yml")["inputs"], |_| Some(String::new()));
    let given = &uses("./.github/actions/policies")["with"];
    assert!(given.as_object().unwrap().keys().all(|name| inputs.contains_key(name)));
    let upload = uses("github/codeql-action/upload-sarif");
    assert_eq!(upload["with"]["sarif_file"], given["sarif"]);
    assert_eq!(upload["if"], "always()");
    assert_eq!(workflow["permissions"]["security-events"], "write");
}

#[test]
fn the_gitlab_template_writes_both_reports_and_its_last_line_decides() {
    let template = yaml("examples/ci/gitlab.yml");
    let job = &template["policies"];
    let variables = text_map(&template["variables"], |value| value.as_str().map(str::to_owned));
    for (files, succeeds) in [(CLEAN, true), (FAULTY, false)] {
        let home = tempdir().unwrap();
        write(home.path(), files);
        let mut variables = variables.clone();
        variables.insert("CI_PROJECT_DIR".into(), home.path().display().to_string());
        let lines = job["script"].as_array().unwrap();
        for (place, line) in lines.iter().enumerate() {
            let output = shell(home.path(), line.as_str().unwrap(), &variables);
            let fails = place + 1 == lines.len() && !succeeds;
            assert_eq!(output.status.success(), !fails, "{line}: {output:?}");
        }
        let read = |name: &Value| std::fs::read_to_string(home.path().join(name.as_str().unwrap())).unwrap();
        let reports = &job["artifacts"]["reports"];
        let quality: Value = serde_json::from_str(&read(&reports["codequality"])).unwrap();
        let issues = quality.as_array().unwrap();
        assert_eq!(issues.is_empty(), succeeds);
        for issue in issues {
            assert!(
                ["info", "minor", "major", "critical", "blocker"]
                    .contains(&issue["severity"].as_str().unwrap())
            );
            assert!(issue["location"]["path"].as_str().unwrap().starts_with("policies/"));
            assert!(issue["location"]["lines"]["begin"].is_u64());
        }
        let mut prints: Vec<_> = issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap()).collect();
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), issues.len());
        let failures = if succeeds { "failures=\"0\"" } else { "failures=\"3\"" };
        assert!(read(&reports["junit"]).contains(failures));
        assert_eq!(job["artifacts"]["when"], "always");
    }
}

#[test]
fn the_hooks_are_what_pre_commit_reads_and_run_on_the_files_that_are_committed() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let mut ids = Vec::new();
    for hook in hooks.as_array().unwrap() {
        for name in ["id", "name", "entry", "language", "files"] {
            assert!(hook[name].is_string(), "{hook} lacks {name}");
        }
        assert!(["rust", "system"].contains(&hook["language"].as_str().unwrap()));
        ids.push(hook["id"].as_str().unwrap());
        let args = hook["args"].as_array().cloned().unwrap_or_default();
        for (name, text, code) in [("a b.policy", "sms\n", 0), ("b.policy", "nonsense\n", 1)] {
            let home = tempdir().unwrap();
            write(home.path(), &[(name, text)]);
            let mut words = hook["entry"].as_str().unwrap().split(' ');
            assert_eq!(words.next(), Some("spine"));
            let mut command = spine_in(home.path());
            command.args(words).args(args.iter().map(|arg| arg.as_str().unwrap())).arg(name);
            assert_eq!(command.output().unwrap().status.code(), Some(code), "{hook}");
        }
    }
    let config = yaml("examples/ci/pre-commit-config.yaml");
    for hook in config["repos"][0]["hooks"].as_array().unwrap() {
        assert!(ids.contains(&hook["id"].as_str().unwrap()));
    }
    let every: Vec<PathBuf> = std::fs::read_dir(Path::new(ROOT).join("examples/ci"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(every.len(), 4, "each example is tried here: {every:?}");
}
