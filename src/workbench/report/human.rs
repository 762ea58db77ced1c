//! Tests for people.

use std::fmt::Write as _;

use crate::lint::report::{Style, human_one};
use crate::workbench::suite::{Case, CaseRun, Pair};

use super::{CoveredPolicy, Share, Tested, TestedFile};

/// The widest that a column of a timeline gets.
const COLUMN_MAX: usize = 44;

/// All of it.
#[must_use]
pub fn human(tested: &Tested, style: Style) -> String {
    let mut out = String::new();
    for file in &tested.files {
        _ = writeln!(out, "{}: {}", file.path, file.policy);
        for (case, run) in &file.cases {
            shown(tested, file, case, run, style, &mut out);
        }
        out.push('\n');
    }
    if tested.covers {
        for policy in &tested.coverage {
            coverage(policy, style, &mut out);
        }
        whole(tested, &mut out);
    }
    let (passed, failed) = tested.counts();
    let files = tested.files.len();
    _ = writeln!(
        out,
        "{} in {}: {passed} passed, {failed} failed",
        counted(passed + failed, "case", "cases"),
        counted(files, "file", "files")
    );
    out
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn painted(text: &str, code: &str, style: Style) -> String {
    match style {
        Style::Plain => text.to_owned(),
        Style::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
    }
}

fn shown(tested: &Tested, file: &TestedFile, case: &Case, run: &CaseRun, style: Style, out: &mut String) {
    if run.troubles.is_empty() {
        _ = writeln!(out, "  {}    {}", painted("ok", "32", style), case.name);
        return;
    }
    _ = writeln!(out, "  {}  {}", painted("FAIL", "1;31", style), case.name);
    for trouble in &run.troubles {
        let place = format!("{}:{}:{}", file.path, trouble.at.line, trouble.at.column);
        let expected =
            if trouble.expected.is_empty() { String::new() } else { format!("`{}`: ", trouble.expected) };
        _ = writeln!(out, "        {place}: {expected}{}", trouble.message);
    }
    out.push('\n');
    beside(&run.pairs, style, out);
    _ = writeln!(out, "\n        {}", file.command(case, tested.catalog.as_deref()));
}

/// The two timelines beside each other.
pub(super) fn beside(pairs: &[Pair], style: Style, out: &mut String) {
    let times = |pair: &Pair| {
        [&pair.expected, &pair.happened].map(|side| side.as_ref().map_or(0, |(at, _)| at.chars().count()))
    };
    let width = pairs.iter().flat_map(times).max().unwrap_or(0);
    let line = |side: &Option<(String, String)>| match side {
        Some((at, text)) => format!("{at:>width$}  {text}"),
        None => String::new(),
    };
    let lines: Vec<(String, String, bool)> =
        pairs.iter().map(|pair| (line(&pair.expected), line(&pair.happened), pair.holds)).collect();
    let column = lines.iter().map(|(left, ..)| left.chars().count()).max().unwrap_or(0);
    let column = column.clamp("expected".len(), COLUMN_MAX);
    _ = writeln!(out, "        {:column$}    what happened", "expected");
    for (left, right, holds) in lines {
        let mark = if holds { "  " } else { "x " };
        let text = format!("      {mark}{left:column$}    {right}");
        let text = text.trim_end();
        _ = writeln!(out, "{}", if holds { text.to_owned() } else { painted(text, "31", style) });
    }
}

fn coverage(covered: &CoveredPolicy, style: Style, out: &mut String) {
    let coverage = &covered.coverage;
    let share = |share: Share| format!("{} of {}", share.covered, share.total);
    _ = writeln!(
        out,
        "{}: {}: {} % covered (states {}, edges {}, guard outcomes {})",
        covered.path,
        covered.policy.name,
        coverage.all().percent(),
        share(coverage.states),
        share(coverage.edges),
        share(coverage.guards),
    );
    if coverage.out_of_reach > 0 {
        let many = coverage.out_of_reach;
        let is = if many == 1 { "way is" } else { "ways are" };
        _ = writeln!(
            out,
            "  {many} more {is} out of reach of every script and all facts, and counts for nothing"
        );
    }
    if !coverage.gaps.is_empty() {
        _ = writeln!(out, "  not proven to be in reach or out of it: {}", coverage.gaps.join("; "));
    }
    let missing: Vec<_> = coverage.missing.iter().filter(|missing| !missing.follows).collect();
    if !missing.is_empty() {
        out.push('\n');
    }
    for missing in missing {
        out.push_str(&human_one(&covered.path, &covered.source, &missing.diagnostic, style));
        out.push_str("\n\n");
    }
}

fn whole(tested: &Tested, out: &mut String) {
    let all = tested.covered();
    let below = if tested.is_below() {
        format!(", less than the {} % that are asked for", tested.min.unwrap_or_default())
    } else {
        String::new()
    };
    _ = writeln!(out, "\n{} % of all is covered ({} of {}){below}", all.percent(), all.covered, all.total);
}
