//! Where a bracket that is never closed is to be closed: that is the place of the slip, and not the bracket
//! that opens, which may stand many lines above.

use super::super::habits::text::Around;
use super::super::{Diagnostic, Edit};

/// Tells a finding about a bracket that is never closed where `edit` closes it.
pub(super) fn tell_at_its_end(source: &str, finding: &mut Diagnostic, edit: &Edit) {
    if !is_of(finding, edit) {
        return;
    }
    let place = source.get(..edit.at.start).unwrap_or_default().trim_end().len();
    let around = Around { source, at: finding.at.clone() };
    let Some((last, _)) = around.word_before(place).filter(|(at, _)| at.start >= finding.at.end) else {
        return;
    };
    let end = place.max(last.end);
    if around.line_end(finding.at.start) >= end {
        finding.at.end = end;
        return;
    }
    let line = around.part(0..finding.at.start).matches('\n').count() + 1;
    let said = format!(" in line {line} is never closed");
    finding.message = finding.message.replacen(" is never closed", &said, 1);
    finding.at = last.start..end;
}

/// Whether a change closes what a finding is about, and does nothing else.
fn is_of(finding: &Diagnostic, edit: &Edit) -> bool {
    finding.rule == "unclosed-bracket"
        && finding.message.ends_with(" is never closed")
        && edit.at.start >= finding.at.end
        && [")", "]", "}"].iter().any(|close| edit.text.trim() == *close)
}
