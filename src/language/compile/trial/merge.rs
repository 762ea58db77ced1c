//! The marks that an unfinished merge leaves in a file: which side is meant, nobody knows.

use crate::language::words::quoted;

use super::super::{Diagnostic, Edit, TextRange};
use crate::language::diagnostic::Severity;

/// One merge that was not finished.
pub(super) struct Conflict {
    pub(super) said: Diagnostic,
    /// The marks, and the side that is not read.
    pub(super) left_out: Vec<TextRange>,
}

/// Merges of one text that are looked at.
const CONFLICTS_MAX: usize = 8;
/// Signs of a mark.
const SIGNS: usize = 7;

/// A line that is a mark, and its sign.
type Mark = (TextRange, char);

/// The marks of a text, each with the end of its line.
fn marks(source: &str) -> Vec<Mark> {
    let mut start = 0;
    let lines = source.split_inclusive('\n').map(|line| {
        start += line.len();
        (start - line.len()..start, line)
    });
    lines
        .filter_map(|(at, line)| {
            let sign = line.chars().next().filter(|sign| ['<', '|', '=', '>'].contains(sign))?;
            let signs = line.chars().take_while(|c| c == &sign).count();
            let behind = line.get(SIGNS..)?;
            (signs == SIGNS && (behind.trim().is_empty() || behind.starts_with(' '))).then_some((at, sign))
        })
        .collect()
}

/// What a text has of unfinished merges, in its order.
pub(super) fn conflicts(source: &str) -> Vec<Conflict> {
    let (mut all, mut marks) = (Vec::new(), marks(source).into_iter().peekable());
    while let Some((first, sign)) = marks.next().filter(|_| all.len() < CONFLICTS_MAX) {
        let (mut last, mut parted, mut left_out) = (first.clone(), None, vec![first.clone()]);
        let begins = sign == '<';
        while let Some((at, sign)) = marks.next_if(|(_, sign)| begins && *sign != '<') {
            parted.get_or_insert(at.start);
            last = at.clone();
            left_out.push(at);
            if sign == '>' {
                break;
            }
        }
        if let Some(parted) = parted {
            // The first side is read, and nothing of the other.
            left_out = vec![first.clone(), parted..last.end];
        }
        all.push(Conflict { said: said(source, first, last), left_out });
    }
    all
}

fn said(source: &str, first: TextRange, last: TextRange) -> Diagnostic {
    let tight = |at: TextRange| at.start..at.start + source.get(at).unwrap_or_default().trim_end().len();
    let mark = quoted(source.get(first.clone()).unwrap_or_default());
    let (message, help) = match first == last {
        true => (format!("{mark} is left over from a merge"), "leave the line out"),
        false => {
            (format!("{mark} begins a merge that is not finished"), "keep one side, and leave the marks out")
        }
    };
    Diagnostic {
        rule: "stray-text",
        severity: Severity::Error,
        at: tight(first.start..last.end),
        message,
        help: Some(help.to_owned()),
        // One mark alone says nothing.
        fix: if first == last { vec![Edit { at: first, text: String::new() }] } else { Vec::new() },
        counterexample: None,
    }
}
