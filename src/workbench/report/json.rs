//! Tests for programs. Fields are added, never changed.

use serde_json::{Value, json};

use crate::language::line_column;

use super::{CoveredPolicy, Share, Tested, TestedFile};

/// All of it, as one object.
#[must_use]
pub fn json(tested: &Tested) -> Value {
    let (passed, failed) = tested.counts();
    let mut summary = json!({
        "files": tested.files.len(),
        "cases": passed + failed,
        "passed": passed,
        "failed": failed,
    });
    if tested.covers {
        let all = tested.covered();
        summary["coverage"] = share(all);
        summary["min"] = json!(tested.min);
        summary["below_min"] = json!(tested.is_below());
    }
    let mut whole = json!({
        "files": tested.files.iter().map(|of| file(tested, of)).collect::<Vec<_>>(),
        "summary": summary,
    });
    if tested.covers {
        whole["coverage"] = tested.coverage.iter().map(coverage).collect();
    }
    whole
}

fn share(share: Share) -> Value {
    json!({"covered": share.covered, "total": share.total, "percent": share.percent()})
}

fn file(tested: &Tested, file: &TestedFile) -> Value {
    let cases = file.cases.iter().map(|(case, run)| {
        let failures = run.troubles.iter().map(|trouble| {
            json!({
                "line": trouble.at.line,
                "column": trouble.at.column,
                "expected": trouble.expected,
                "message": trouble.message,
            })
        });
        json!({
            "name": case.name,
            "line": case.at.line,
            "column": case.at.column,
            "passed": run.troubles.is_empty(),
            "failures": failures.collect::<Vec<_>>(),
            "timeline": run.timeline.timeline,
            "end": run.timeline.end,
            "sends": run.timeline.sends,
            "cost": run.timeline.cost,
            "command": file.command(case, tested.catalog.as_deref()),
        })
    });
    json!({
        "path": file.path,
        "policy": file.policy,
        "policy_path": file.policy_path,
        "cases": cases.collect::<Vec<_>>(),
    })
}

fn coverage(covered: &CoveredPolicy) -> Value {
    let of = &covered.coverage;
    let missing = of.missing.iter().map(|missing| {
        let (line, column) = line_column(&covered.source, missing.diagnostic.at.start);
        let (end_line, end_column) = line_column(&covered.source, missing.diagnostic.at.end);
        let kind = match missing.part {
            crate::machine::explore::Part::State(_) => "state",
            crate::machine::explore::Part::Edge(_) => "edge",
            crate::machine::explore::Part::Guard(..) | crate::machine::explore::Part::Quiet(_) => "guard",
        };
        json!({
            "kind": kind,
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": end_column,
            "message": missing.diagnostic.message,
        })
    });
    json!({
        "path": covered.path,
        "policy": covered.policy.name,
        "percent": of.all().percent(),
        "states": share(of.states),
        "edges": share(of.edges),
        "guards": share(of.guards),
        "missing": missing.collect::<Vec<_>>(),
        "out_of_reach": of.out_of_reach,
        "complete": of.gaps.is_empty(),
        "gaps": of.gaps,
    })
}
