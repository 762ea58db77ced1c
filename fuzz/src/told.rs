//! What must hold of every finding about a text.

use spine::language::{Diagnostic, line_column};

/// Its ranges are ranges of the text, its message is one line, and it says what to do.
pub(crate) fn well(source: &str, finding: &Diagnostic) {
    let text = source.get(finding.at.clone());
    assert!(text.is_some(), "{finding:?} is about no range of the text");
    for edit in &finding.fix {
        assert!(source.get(edit.at.clone()).is_some(), "{finding:?} mends no range of the text");
    }
    words(finding);
    let (start, end) = (line_column(source, finding.at.start), line_column(source, finding.at.end));
    assert!(start <= end, "{finding:?} ends before it begins");
}

/// The same without the text.
pub(crate) fn words(finding: &Diagnostic) {
    let message = &finding.message;
    assert!(!message.is_empty() && !message.contains('\n'), "{finding:?}");
    assert!(message.chars().count() < 250, "{finding:?} is long");
    assert!(finding.help.as_ref().is_some_and(|help| !help.is_empty()), "{finding:?} gives no help");
}
