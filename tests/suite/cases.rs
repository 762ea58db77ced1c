//! Folders of cases: Markdown files in which a heading names a case, and fenced blocks hold its
//! input and what is expected. Run with `UPDATE_CASES=1` to write what came, and read the change.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Runs `run(kind, input)` on each pair of blocks of each file in `folder`: the block
/// ` ```KIND ` holds the input, the block ` ```expect ` behind it what `run` must give.
pub(crate) fn check_folder(folder: &str, run: impl Fn(&str, &str) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "md"));
    files.sort();
    assert!(!files.is_empty(), "no cases in {}", folder.display());
    let mut wrong = String::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let now = rewritten(&text, &run);
        if now == text {
            continue;
        }
        if std::env::var_os("UPDATE_CASES").is_some() {
            std::fs::write(&file, now).unwrap();
            continue;
        }
        writeln!(wrong, "{}:", file.display()).unwrap();
        for (number, (was, is)) in
            text.lines().zip(now.lines()).enumerate().filter(|(_, (a, b))| a != b).take(6)
        {
            writeln!(wrong, "  line {}:\n    expected {was}\n    came     {is}", number + 1).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The file with what came in place of what was expected.
fn rewritten(text: &str, run: &impl Fn(&str, &str) -> String) -> String {
    let (mut out, mut lines, mut input) = (String::new(), text.lines(), None);
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(kind) = line.strip_prefix("```").filter(|k| !k.is_empty()) else { continue };
        let block: String = lines.by_ref().take_while(|l| *l != "```").map(|l| format!("{l}\n")).collect();
        if kind == "expect" {
            let (kind, input): (String, String) =
                input.take().expect("an `expect` block without input before it");
            let came = run(&kind, &input);
            out.push_str(&came);
            if !came.is_empty() && !came.ends_with('\n') {
                out.push('\n');
            }
        } else {
            out.push_str(&block);
            input = Some((kind.to_owned(), block));
        }
        out.push_str("```\n");
    }
    out
}
