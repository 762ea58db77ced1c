//! Texts mended by the changes that findings bring along.

use crate::language::policy::TextRange;
use crate::language::{Diagnostic, Edit, Library, comments, keeps_comments};

use super::{FileFindings, Settings, SourceFile, check_by};

/// Rounds of mending and looking again: what overlaps is mended in the next one.
const ROUNDS_MAX: usize = 20;

/// A text that was mended as far as it can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Mended {
    /// What is left, about the mended text.
    pub found: FileFindings,
    /// Findings that were mended.
    pub mended: usize,
}

/// Mends a source. `sift` takes out what is known already, so that it is left as it is. A change that
/// would keep a policy from compiling that did compile is not made.
pub fn mend(
    file: &SourceFile,
    library: &dyn Library,
    settings: &Settings,
    sift: &dyn Fn(&mut FileFindings),
) -> Mended {
    let look = |text: String| {
        let file = SourceFile { text, ..file.clone() };
        let mut found = check_by(&file, library, settings).1;
        sift(&mut found);
        found
    };
    let mut found = look(file.text.clone());
    let mut mended = 0;
    let mut seen = vec![file.text.clone()];
    for _ in 0..ROUNDS_MAX {
        let chosen = chosen(&found.findings, &found.source);
        let mut next = look(applied(&found.source, &chosen));
        let mut count = chosen.len();
        if breaks(&found, &next) {
            (next, count) = one_by_one(&found, &chosen, &look);
        }
        if count == 0 || seen.contains(&next.source) {
            break;
        }
        mended += count;
        seen.push(next.source.clone());
        found = next;
    }
    Mended { found, mended }
}

fn breaks(before: &FileFindings, after: &FileFindings) -> bool {
    let errors = |file: &FileFindings| file.findings.iter().any(super::keeps_from_compiling);
    !errors(before) && errors(after)
}

/// The first of the changes that breaks nothing.
fn one_by_one(
    before: &FileFindings,
    chosen: &[&Diagnostic],
    look: &dyn Fn(String) -> FileFindings,
) -> (FileFindings, usize) {
    for finding in chosen {
        let next = look(applied(&before.source, &[finding]));
        if !breaks(before, &next) {
            return (next, 1);
        }
    }
    (before.clone(), 0)
}

/// The findings whose changes can be made together, in the order of the text.
fn chosen<'a>(findings: &'a [Diagnostic], source: &str) -> Vec<&'a Diagnostic> {
    let mut chosen: Vec<&Diagnostic> = Vec::new();
    let mut taken: Vec<&TextRange> = Vec::new();
    let fits = |edit: &Edit| source.get(edit.at.clone()).is_some();
    let is_safe = |f: &Diagnostic| {
        let is_of_comments = f.fix.iter().all(|edit| is_within_a_comment(source, edit));
        f.fix.iter().all(fits) && (is_of_comments || keeps_comments(source, &applied(source, &[f])))
    };
    for finding in findings.iter().filter(|f| !f.fix.is_empty() && is_safe(f)) {
        let inside = |edit: &Edit| taken.iter().any(|other| touch(other, &edit.at));
        if !finding.fix.iter().any(inside) {
            taken.extend(finding.fix.iter().map(|edit| &edit.at));
            chosen.push(finding);
        }
    }
    chosen
}

/// Whether a change is one of a comment itself, as of one that allows what is not found.
fn is_within_a_comment(source: &str, edit: &Edit) -> bool {
    let text = source.get(edit.at.clone()).unwrap_or_default();
    let start = edit.at.start + (text.len() - text.trim_start().len());
    let end = start + text.trim().len();
    comments(source).iter().any(|comment| comment.start <= start && end <= comment.end)
}

fn touch(one: &TextRange, other: &TextRange) -> bool {
    one.start <= other.end && other.start <= one.end
}

fn applied(source: &str, findings: &[&Diagnostic]) -> String {
    let mut edits: Vec<&Edit> = findings.iter().flat_map(|finding| &finding.fix).collect();
    edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    for edit in edits {
        // Two changes of one finding that overlap: the first counts.
        let Some(between) = source.get(at..edit.at.start) else { continue };
        out.push_str(between);
        match source.contains("\r\n") {
            true => out.push_str(&edit.text.replace("\r\n", "\n").replace('\n', "\r\n")),
            false => out.push_str(&edit.text),
        }
        at = edit.at.end;
    }
    out.push_str(source.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::NoLibrary;

    fn mended(text: &str) -> (String, usize, usize) {
        let file = SourceFile { path: "a.policy".into(), text: text.into(), bare_name: None };
        let mended = mend(&file, &NoLibrary, &Settings::default(), &|_| {});
        (mended.found.source, mended.mended, mended.found.findings.len())
    }

    #[test]
    fn what_can_be_mended_is_and_the_rest_is_left() {
        for (text, expected) in [
            ("sms", ("sms", 0, 0)),
            ("watsapp then sms after 30sec", ("whatsapp then sms after 30s", 2, 0)),
            (
                "\u{feff}watsapp\r\n  then sms after 30s\r\n",
                ("\u{feff}whatsapp\r\n  then sms after 30s\r\n", 1, 0),
            ),
            ("push then sms after 30sec # one\r\n", ("push then sms after 30s # one\r\n", 1, 0)),
            // The comment would be gone with the parentheses.
            (
                "sms unless not ( # one\n contact has sms)",
                ("sms unless not ( # one\n contact has sms)", 0, 1),
            ),
            ("nonexistent then watsapp", ("nonexistent then whatsapp", 1, 1)),
            ("# spine: allow unsure-zone -- none\nsms\n", ("sms\n", 1, 0)),
            ("sms # spine: allow unsure-zone -- none\n", ("sms\n", 1, 0)),
            (
                "slack # spine: allow unsure-zone, lowered-goal, unsure-zone -- x\nthen sms after 30s",
                ("slack # spine: allow lowered-goal -- x\nthen sms after 30s", 2, 0),
            ),
            (
                "# spine allow lowerd-goal the record\nslack then sms after 30s",
                ("# spine: allow lowered-goal -- the record\nslack then sms after 30s", 3, 0),
            ),
        ] {
            let (text_now, count, left) = mended(text);
            assert_eq!((text_now.as_str(), count, left), expected, "{text}");
            assert_eq!(mended(&text_now), (text_now.clone(), 0, left), "it is mended at once");
        }
    }

    #[test]
    fn changes_that_touch_wait_for_the_next_round_and_none_is_made_twice() {
        let edit = |at: TextRange, text: &str| Edit { at, text: text.into() };
        let finding = |fix| Diagnostic {
            rule: "r",
            severity: crate::language::Severity::Warning,
            at: 0..1,
            message: String::new(),
            help: None,
            fix,
            counterexample: None,
        };
        let all = [
            finding(vec![edit(0..2, "x"), edit(4..4, "y")]),
            finding(vec![edit(4..5, "z")]),
            finding(vec![edit(6..9, "w")]),
            finding(vec![edit(7..99, "out of the text")]),
        ];
        let chosen = chosen(&all, "abcdefghi");
        assert_eq!(chosen.len(), 2);
        assert_eq!(applied("abcdefghi", &chosen), "xcdyefw");
    }
}
