//! Proofs, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::workbench::suite::{Invariant, Row};

use super::{Proof, Verdict};

/// A sentence of a test file, with what became of it.
#[derive(Debug)]
pub struct Proved {
    /// The test file.
    pub path: String,
    /// The policy.
    pub policy: String,
    /// The path of the policy's source.
    pub policy_path: String,
    /// Whether that file holds several.
    pub is_one_of_several: bool,
    /// The sentence.
    pub invariant: Invariant,
    /// What became of it.
    pub proof: Proof,
}

impl Proved {
    fn sentence(&self) -> String {
        format!("{}: {}", self.invariant.word.word(), self.invariant.text.trim())
    }

    fn command(&self, witness: &crate::machine::Witness, catalog: Option<&str>) -> String {
        let policy = self.is_one_of_several.then_some(self.policy.as_str());
        witness.command(&self.policy_path, policy, catalog)
    }
}

/// How many hold, are broken, and are not decided.
fn counts(all: &[Proved]) -> (usize, usize, usize) {
    all.iter().fold((0, 0, 0), |(holds, broken, undecided), one| match one.proof.verdict {
        Verdict::Holds => (holds + 1, broken, undecided),
        Verdict::Broken { .. } => (holds, broken + 1, undecided),
        Verdict::Undecided(_) => (holds, broken, undecided + 1),
    })
}

/// For people.
#[must_use]
pub fn human(all: &[Proved], catalog: Option<&str>) -> String {
    let mut out = String::new();
    let mut path = "";
    for one in all {
        if one.path != path {
            path = &one.path;
            _ = writeln!(out, "{}: {}", one.path, one.policy);
        }
        match &one.proof.verdict {
            Verdict::Holds => {
                _ = writeln!(out, "  holds      {}  ({} states)", one.sentence(), one.proof.states);
            }
            Verdict::Undecided(why) => {
                _ = writeln!(out, "  UNDECIDED  {}", one.sentence());
                let at = one.invariant.at;
                _ = writeln!(out, "             {}:{}:{}: {}", one.path, at.line, at.column, why.join("; "));
                _ = writeln!(
                    out,
                    "             nothing among the {} states looked at breaks it",
                    one.proof.states
                );
            }
            Verdict::Broken { witness, timeline, message } => {
                _ = writeln!(out, "  BROKEN     {}", one.sentence());
                let at = one.invariant.at;
                _ = writeln!(out, "             {}:{}:{}: {message}\n", one.path, at.line, at.column);
                let rows: Vec<(String, String)> =
                    Row::of(timeline).into_iter().map(|row| (row.at().to_string(), row.text())).collect();
                let width = rows.iter().map(|(at, _)| at.len()).max().unwrap_or(0);
                for (at, text) in rows {
                    _ = writeln!(out, "             {at:>width$}  {text}");
                }
                _ = writeln!(out, "\n             {}\n", one.command(witness, catalog));
            }
        }
    }
    let (holds, broken, undecided) = counts(all);
    let word = if all.len() == 1 { "sentence" } else { "sentences" };
    let hold = if holds == 1 { "holds" } else { "hold" };
    _ = writeln!(out, "\n{} {word}: {holds} {hold}, {broken} broken, {undecided} not decided", all.len());
    out
}

/// For programs. Fields are added, never changed.
#[must_use]
pub fn json(all: &[Proved], catalog: Option<&str>) -> Value {
    let each = all.iter().map(|one| {
        let mut value = json!({
            "path": one.path,
            "line": one.invariant.at.line,
            "column": one.invariant.at.column,
            "policy": one.policy,
            "policy_path": one.policy_path,
            "sentence": one.sentence(),
            "verdict": match one.proof.verdict {
                Verdict::Holds => "holds",
                Verdict::Broken { .. } => "broken",
                Verdict::Undecided(_) => "undecided",
            },
            "states": one.proof.states,
        });
        match &one.proof.verdict {
            Verdict::Holds => {}
            Verdict::Undecided(why) => value["why"] = json!(why),
            Verdict::Broken { witness, timeline, message } => {
                value["message"] = json!(message);
                value["counterexample"] = json!({
                    "facts": witness.facts.to_string(),
                    "script": witness.scripts,
                    "at": witness.at,
                    "timeline": timeline.timeline,
                    "end": timeline.end,
                    "sends": timeline.sends,
                    "cost": timeline.cost,
                    "command": one.command(witness, catalog),
                });
            }
        }
        value
    });
    let (holds, broken, undecided) = counts(all);
    json!({
        "invariants": each.collect::<Vec<_>>(),
        "summary": {"invariants": all.len(), "holds": holds, "broken": broken, "undecided": undecided},
    })
}
