//! `# spine: allow timing -- why`: a change that the new text accepts.

use super::level::Level;
use super::{Change, PolicyDiff};

/// What a comment accepts: one change of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The line, from 1.
    pub line: usize,
    /// Where it begins in the source, in bytes.
    pub at: usize,
    /// What it accepts.
    pub level: Level,
    /// Why.
    pub why: String,
}

/// A comment that accepts nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, and what to do.
    pub message: String,
}

/// The comments of a source that accept changes. Those that name a rule of the linter are its own.
#[must_use]
pub fn allows(source: &str) -> (Vec<Allow>, Vec<AllowFault>) {
    let (mut allows, mut faults) = (Vec::new(), Vec::new());
    let mut start = 0;
    for (number, line) in source.split_inclusive('\n').enumerate() {
        let at = start;
        start += line.len();
        let Some(comment) = comment(line) else { continue };
        let rest = comment.trim_start_matches('#').trim();
        let Some(rest) = rest.strip_prefix("spine:").map(str::trim_start) else { continue };
        let Some(rest) = rest.strip_prefix("allow").filter(|rest| rest.starts_with(' ')) else { continue };
        let (what, why) = match rest.split_once("--").or_else(|| rest.split_once('—')) {
            Some((what, why)) => (what.trim(), why.trim()),
            None => (rest.trim(), ""),
        };
        let line = number + 1;
        let wrong = |message: String| AllowFault { line, message };
        for level in what.split(',').filter_map(|word| word.trim().parse::<Level>().ok()) {
            if level == Level::None {
                let message = "allows `none`, which is no change; take it out".to_owned();
                faults.push(wrong(message));
            } else if why.is_empty() {
                let message =
                    format!("gives no reason, so it allows nothing; write `# spine: allow {level} -- why`");
                faults.push(wrong(message));
            } else {
                allows.push(Allow { line, at, level, why: why.to_owned() });
            }
        }
    }
    (allows, faults)
}

/// The comment of a line: what follows a `#` that stands in no text.
fn comment(line: &str) -> Option<&str> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            '#' if !quoted => return line.get(at..),
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

impl PolicyDiff {
    /// Accepts changes: each comment the first that has its level and is not accepted yet. Those that
    /// found nothing to accept come back.
    pub fn accept<'a>(&mut self, allows: impl IntoIterator<Item = &'a Allow>) -> Vec<AllowFault> {
        let mut unused = Vec::new();
        for allow in allows {
            let fits = |change: &&mut Change| change.level == allow.level && change.accepted.is_none();
            match self.changes.iter_mut().find(fits) {
                Some(change) => change.accepted = Some(allow.why.clone()),
                None => unused.push(AllowFault {
                    line: allow.line,
                    message: format!(
                        "allows a change of `{}` that is not there; take the comment out",
                        allow.level
                    ),
                }),
            }
        }
        unused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read_where_they_name_a_level() {
        let source = "# spine: allow timing -- the gateway is slow\n\
                      sms # spine: allow routing --\n\
                      # spine: allow silent-end -- a rule of the linter\n\
                      # spine: allow more-sends\n\
                      otherwise fail \"# spine: allow wording -- no comment\" #spine: allow wording -- is one\n\
                      # spine: allow none -- x\n\
                      # spine: allow timing, routing — both\n";
        let (allows, faults) = allows(source);
        let read: Vec<_> = allows.iter().map(|a| (a.line, a.level, a.why.as_str())).collect();
        let expected = [
            (1, Level::Timing, "the gateway is slow"),
            (5, Level::Wording, "is one"),
            (7, Level::Timing, "both"),
            (7, Level::Routing, "both"),
        ];
        assert_eq!(read, expected);
        assert_eq!(faults.iter().map(|f| f.line).collect::<Vec<_>>(), [2, 4, 6]);
        assert!(faults[0].message.contains("`# spine: allow routing -- why`"), "{faults:?}");
    }
}
