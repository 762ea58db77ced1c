//! Changes of a text, and the way back from the changed text to the first one.

use super::super::{Diagnostic, Edit, TextRange};

/// One change.
#[derive(Clone)]
struct Patch {
    /// The bytes of the first text that are replaced.
    at: TextRange,
    text: String,
    /// Whether it only stands for something: nobody is told to write it.
    guessed: bool,
}

/// Changes of one text that do not overlap, in its order.
#[derive(Clone, Default)]
pub(super) struct Patches {
    all: Vec<Patch>,
}

impl Patches {
    /// These and the changes of a finding; none where they are of the same bytes.
    pub(super) fn with(&self, edits: &[Edit]) -> Option<Patches> {
        let mut patches = self.clone();
        for edit in edits {
            if !patches.is_free(&edit.at) {
                return None;
            }
            patches.add(edit.clone(), false);
        }
        Some(patches)
    }

    /// These and something that only stands in the place of a finding.
    pub(super) fn and_guessed(&self, edit: Edit) -> Patches {
        let mut patches = self.clone();
        // What takes the place of a whole header takes that of its changes.
        patches.all.retain(|patch| !(edit.at.start < patch.at.start && patch.at.end < edit.at.end));
        patches.add(edit, true);
        patches
    }

    fn is_free(&self, at: &TextRange) -> bool {
        self.all.iter().all(|patch| !overlap(&patch.at, at))
    }

    fn add(&mut self, edit: Edit, guessed: bool) {
        if self.is_free(&edit.at) {
            let key = |at: &TextRange| (at.start, at.end);
            let place = self.all.partition_point(|patch| key(&patch.at) <= key(&edit.at));
            self.all.insert(place, Patch { at: edit.at, text: edit.text, guessed });
        }
    }

    /// Whether what a finding is about was changed.
    pub(super) fn mends(&self, finding: &Diagnostic) -> bool {
        let inside = |patch: &Patch| patch.at.start <= finding.at.end && finding.at.start <= patch.at.end;
        self.all.iter().any(inside)
    }

    pub(super) fn applied(&self, source: &str) -> String {
        let (mut out, mut at) = (String::with_capacity(source.len()), 0);
        for patch in &self.all {
            out.push_str(source.get(at..patch.at.start).unwrap_or_default());
            out.push_str(&patch.text);
            at = patch.at.end;
        }
        out.push_str(source.get(at..).unwrap_or_default());
        out
    }

    /// A finding about the changed text as one about the first text; none where it is about a change.
    pub(super) fn back(&self, finding: Diagnostic) -> Option<Diagnostic> {
        let at = self.range(&finding.at, finding.rule)?;
        let fix: Option<Vec<Edit>> = finding
            .fix
            .iter()
            .map(|edit| Some(Edit { at: self.plain(&edit.at)?, text: edit.text.clone() }))
            .collect();
        Some(Diagnostic { at, fix: fix.unwrap_or_default(), ..finding })
    }

    /// The bytes of the first text that stand where a finding is.
    fn range(&self, at: &TextRange, rule: &str) -> Option<TextRange> {
        // What a mended word lacks was lacking before: `afer` has no duration either.
        let lacks = ["missing-zone", "missing-duration", "missing-time", "missing-condition"].contains(&rule);
        // What a mended word repeats may be what was meant by it, or not: one fault.
        let repeats = ["repeated-modifier", "repeated-part", "repeated-header"].contains(&rule);
        let joins = ["missing-then", "wrong-joiner"].contains(&rule);
        let (mut start, mut end, mut moved) = (None, None, 0_isize);
        for patch in &self.all {
            let from = patch.at.start.checked_add_signed(moved)?;
            let to = from + patch.text.len();
            // What was left out stood where a stage is missing then.
            let is_left_out = patch.text.is_empty() && !patch.at.is_empty();
            if rule == "missing-stage" && is_left_out && (from..=from + 1).contains(&at.start) {
                return None;
            }
            let touches = at.start < to && from < at.end;
            if touches {
                let holds_all = from <= at.start && at.end <= to;
                if repeats
                    || patch.guessed && !joins
                    || holds_all && !(lacks && !patch.guessed && at.end == to)
                {
                    return None;
                }
                if from <= at.start {
                    start = Some(patch.at.start);
                }
                if at.end <= to {
                    end = Some(patch.at.end);
                }
            }
            let so_far = moved;
            moved += isize::try_from(patch.text.len()).ok()? - isize::try_from(patch.at.len()).ok()?;
            if start.is_none() && at.start < from {
                start = at.start.checked_add_signed(-so_far);
            }
            if end.is_none() && at.end <= from {
                end = at.end.checked_add_signed(-so_far);
            }
        }
        let start = start.or_else(|| at.start.checked_add_signed(-moved))?;
        let end = end.or_else(|| at.end.checked_add_signed(-moved))?;
        (start <= end).then_some(start..end)
    }

    /// The same for a change, which must stand where nothing else was changed.
    fn plain(&self, at: &TextRange) -> Option<TextRange> {
        let mut moved = 0_isize;
        for patch in &self.all {
            let from = patch.at.start.checked_add_signed(moved)?;
            let to = from + patch.text.len();
            if at.end <= from && (at.start < from || at.is_empty()) {
                break;
            }
            if at.start < to {
                return None;
            }
            moved += isize::try_from(patch.text.len()).ok()? - isize::try_from(patch.at.len()).ok()?;
        }
        Some(at.start.checked_add_signed(-moved)?..at.end.checked_add_signed(-moved)?)
    }
}

/// Whether two changes are of the same bytes, or both write at one place.
fn overlap(one: &TextRange, other: &TextRange) -> bool {
    one.start < other.end && other.start < one.end
        || one.is_empty() && other.is_empty() && one.start == other.start
        || one.is_empty() && other.start < one.start && one.start < other.end
        || other.is_empty() && one.start < other.start && other.start < one.end
}
