//! Findings beside others: of the words behind what was not understood, and of the last word of a text.

use super::super::{Diagnostic, TextRange};
use super::Trial;
use crate::language::words::ENDS;

impl Trial<'_> {
    /// `sms thn`: a slip in the last word, behind which its rest is missing too.
    pub(super) fn cut_off(&self, finding: &Diagnostic) -> Option<Diagnostic> {
        let (_, meant) = finding.message.split_once("; did you mean `")?;
        let meant = meant.strip_suffix("`?")?;
        let rest = self.source.get(finding.at.end..)?.trim_start();
        let is_last = rest.is_empty() || rest.starts_with([')', '}', ',']);
        let is_joint = ENDS.contains(&meant) && !finding.fix.is_empty();
        let help = format!("write `{meant}`, and what belongs behind it");
        (is_last && is_joint).then(|| Diagnostic { help: Some(help), fix: Vec::new(), ..finding.clone() })
    }

    /// Whether a finding is of the words directly behind those for which nothing could be written, or of the
    /// bracket that closes one of them.
    pub(super) fn adjoins(&self, finding: &Diagnostic) -> bool {
        let text = |at: TextRange| self.source.get(at).unwrap_or_default();
        let is_beside = |known: &Diagnostic| {
            let closes = [("(", ")"), ("[", "]"), ("{", "}")]
                .contains(&(text(known.at.clone()), text(finding.at.clone())));
            // `TODAY()`: the bracket is of the word that was not understood.
            let ends_call = text(finding.at.clone()) == ")"
                && text(known.at.end..self.source.len()).starts_with('(')
                && !text(known.at.end..finding.at.start).contains('\n');
            let is_behind = known.at.end <= finding.at.start;
            closes || ends_call || is_behind && text(known.at.end..finding.at.start).trim().is_empty()
        };
        self.follows(finding) && self.told.iter().any(|known| known.fix.is_empty() && is_beside(known))
    }
}
