//! Changes of files: shown as a unified diff, and written so that a file is there as a whole or as it
//! was.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::CliError;

/// Lines around a change.
const CONTEXT_LINES: usize = 3;
/// Lines that differ, up to which the shortest change is looked for; beyond it all between the first
/// and the last that differ is one change.
const DIFFERENT_LINES_MAX: usize = 1_000;

/// What turns `old` into `new`, as `diff -u` and `git apply` write and read it; empty where nothing does.
pub(crate) fn unified(path: &str, old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let edits = edits(&old, &new);
    let mut out = String::new();
    if edits.is_empty() {
        return out;
    }
    // From the root or from where one stands: `a/` is put before either, as `git diff` does.
    let path = path.trim_start_matches('/');
    _ = write!(out, "--- a/{path}\n+++ b/{path}\n");
    for hunk in hunks(&edits) {
        hunk.write(&old, &new, &mut out);
    }
    out
}

/// The old lines from `old` up to `old_end` become the new ones from `new` up to `new_end`.
#[derive(Debug, Clone, Copy)]
struct Edit {
    old: usize,
    old_end: usize,
    new: usize,
    new_end: usize,
}

/// Edits whose contexts touch.
struct Hunk<'a>(&'a [Edit]);

fn hunks(edits: &[Edit]) -> impl Iterator<Item = Hunk<'_>> {
    edits.chunk_by(|a, b| b.old - a.old_end <= 2 * CONTEXT_LINES).map(Hunk)
}

impl Hunk<'_> {
    fn write(&self, old: &[&str], new: &[&str], out: &mut String) {
        let ([first, ..], [.., last]) = (self.0, self.0) else { return };
        let before = first.old.min(CONTEXT_LINES);
        let after = (old.len() - last.old_end).min(CONTEXT_LINES);
        let (from, to) = (first.old - before, last.old_end + after);
        let (new_from, new_to) = (first.new - before, last.new_end + after);
        _ = writeln!(out, "@@ -{} +{} @@", span(from, to), span(new_from, new_to));
        let mut at = from;
        for edit in self.0 {
            lines(out, ' ', &old[at..edit.old]);
            lines(out, '-', &old[edit.old..edit.old_end]);
            lines(out, '+', &new[edit.new..edit.new_end]);
            at = edit.old_end;
        }
        lines(out, ' ', &old[at..to]);
    }
}

/// `FIRST,COUNT`, from 1; an empty span names the line before it.
fn span(from: usize, to: usize) -> String {
    match to - from {
        0 => format!("{from},0"),
        1 => format!("{}", from + 1),
        count => format!("{},{count}", from + 1),
    }
}

fn lines(out: &mut String, mark: char, lines: &[&str]) {
    for line in lines {
        out.push(mark);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// The edits in order, by Myers' algorithm.
fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let same_before = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - same_before;
    let same_after = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[same_before..old.len() - same_after], &new[same_before..new.len() - same_after]);
    if a.is_empty() && b.is_empty() {
        return Vec::new();
    }
    let whole = || vec![Edit { old: 0, old_end: a.len(), new: 0, new_end: b.len() }];
    let mut edits = shortest(a, b).unwrap_or_else(whole);
    for edit in &mut edits {
        edit.old += same_before;
        edit.old_end += same_before;
        edit.new += same_before;
        edit.new_end += same_before;
    }
    edits
}

/// `None` where more than [`DIFFERENT_LINES_MAX`] lines differ.
fn shortest(a: &[&str], b: &[&str]) -> Option<Vec<Edit>> {
    // `reached[k + zero]` is how far the diagonal `k` (lines of `a` less those of `b`) has come in `a`.
    let most = (a.len() + b.len()).min(DIFFERENT_LINES_MAX);
    let zero = most + 1;
    let mut reached = vec![0_usize; 2 * most + 3];
    let mut trace: Vec<Vec<usize>> = Vec::new();
    for d in 0..=most {
        trace.push(reached[zero - d - 1..=zero + d + 1].to_vec());
        for k in (zero - d..=zero + d).step_by(2) {
            let down = k == zero - d || (k != zero + d && reached[k - 1] < reached[k + 1]);
            let mut x = if down { reached[k + 1] } else { reached[k - 1] + 1 };
            let mut y = x + zero - k;
            while x < a.len() && y < b.len() && a[x] == b[y] {
                (x, y) = (x + 1, y + 1);
            }
            reached[k] = x;
            if x >= a.len() && y >= b.len() {
                return Some(backwards(&trace, a.len(), b.len()));
            }
        }
    }
    None
}

fn backwards(trace: &[Vec<usize>], a_len: usize, b_len: usize) -> Vec<Edit> {
    let (mut x, mut y) = (a_len, b_len);
    let mut edits: Vec<Edit> = Vec::new();
    for (d, reached) in trace.iter().enumerate().skip(1).rev() {
        // This row begins at the diagonal `-d - 1`.
        let k = x + d + 1 - y;
        let down = k == 1 || (k != 2 * d + 1 && reached[k - 1] < reached[k + 1]);
        let before = if down { k + 1 } else { k - 1 };
        let from_x = reached[before];
        let from_y = from_x + d + 1 - before;
        let (to_x, to_y) = if down { (from_x, from_y + 1) } else { (from_x + 1, from_y) };
        match edits.last_mut() {
            Some(last) if last.old == to_x && last.new == to_y => (last.old, last.new) = (from_x, from_y),
            _ => edits.push(Edit { old: from_x, old_end: to_x, new: from_y, new_end: to_y }),
        }
        (x, y) = (from_x, from_y);
    }
    edits.reverse();
    edits
}

/// Writes a file beside itself and puts it in its place: whoever reads it sees the old text or the
/// new one, also where this process dies. A link stays one, and the permissions stay as they were.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), CliError> {
    let refused = |source| CliError::WriteFile { path: path.to_owned(), source };
    // A new file has no place yet that could be looked up.
    let target = if path.exists() { std::fs::canonicalize(path).map_err(refused)? } else { path.to_owned() };
    let new = beside(&target);
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&new)?;
        file.write_all(text.as_bytes())?;
        if let Ok(old) = std::fs::metadata(&target) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()?;
        std::fs::rename(&new, &target)
    })();
    written.map_err(|error| {
        // What could not take its place is of no use; that it cannot be removed either is no news.
        let _ = std::fs::remove_file(&new);
        refused(error)
    })
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_the_lines_around_it() {
        let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
        let new = old.replace("10\n", "ten\nand more\n").replace("\n2\n", "\n");
        let shown = "--- a/p\n+++ b/p\n@@ -1,5 +1,4 @@\n 1\n-2\n 3\n 4\n 5\n\
                     @@ -7,7 +6,8 @@\n 7\n 8\n 9\n-10\n+ten\n+and more\n 11\n 12\n 13\n";
        assert_eq!(unified("p", &old, &new), shown);
        assert_eq!(unified("p", &old, &old), "");
        assert_eq!(unified("p", "", "a\n"), "--- a/p\n+++ b/p\n@@ -0,0 +1 @@\n+a\n");
        let cut = "--- a/p\n+++ b/p\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n";
        assert_eq!(unified("p", "a", "a\n"), cut);
    }

    /// What a diff makes of a text.
    fn applied(old: &str, diff: &str) -> String {
        let old: Vec<&str> = old.split_inclusive('\n').collect();
        let (mut out, mut at) = (String::new(), 0);
        for line in diff.split_inclusive('\n').skip(2) {
            if let Some(from) = line.strip_prefix("@@ -") {
                let (first, count) = from.split(' ').next().unwrap().split_once(',').unwrap_or((from, "1"));
                let first: usize = first.split(' ').next().unwrap().parse().unwrap();
                let begin = if count == "0" { first } else { first - 1 };
                out.extend(old[at..begin].iter().copied());
                at = begin;
            } else if let Some(kept) = line.strip_prefix(' ') {
                assert_eq!(old[at], kept);
                out.push_str(kept);
                at += 1;
            } else if let Some(gone) = line.strip_prefix('-') {
                assert_eq!(old[at], gone);
                at += 1;
            } else if let Some(come) = line.strip_prefix('+') {
                out.push_str(come);
            }
        }
        out.extend(old[at..].iter().copied());
        out
    }

    #[test]
    fn every_diff_makes_the_new_text_of_the_old_one() {
        // Texts of few different lines, so that much of them is alike.
        let mut state = 7_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..500 {
            let mut text = || (0..next(12)).map(|_| format!("{}\n", next(4))).collect::<String>();
            let (old, new) = (text(), text());
            assert_eq!(applied(&old, &unified("p", &old, &new)), new, "{old:?} {new:?}");
        }
        let (old, new) = ("a\n".repeat(3_000), "b\n".repeat(3_000));
        assert_eq!(applied(&old, &unified("p", &old, &new)), new);
    }

    #[test]
    fn a_file_is_replaced_and_nothing_stays_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.policy");
        write_whole(&path, "one").unwrap();
        write_whole(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
        assert!(write_whole(&home.path().join("none/a.policy"), "x").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_permissions_are_kept() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let (path, link) = (home.path().join("a.policy"), home.path().join("link.policy"));
        std::fs::write(&path, "one").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_whole(&link, "two").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
