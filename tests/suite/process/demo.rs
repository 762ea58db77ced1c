//! `spine demo`, as it is shown in a pipe.

use super::{run, stderr, stdout};

/// What differs from run to run, made the same.
fn redacted(text: &str) -> String {
    let word = |word: &str| match word {
        w if w.starts_with("http://127.0.0.1:") => {
            let rest =
                w.trim_start_matches("http://127.0.0.1:").trim_start_matches(|c: char| c.is_ascii_digit());
            format!("http://127.0.0.1:0{rest}")
        }
        w if w.starts_with("msg_") => "msg_…".to_owned(),
        w if w.starts_with("sk_test_") => "sk_test_…".to_owned(),
        w if w.starts_with("+0.") => "+0.0s".to_owned(),
        w if w.len() == 8 && w.bytes().all(|b| b.is_ascii_hexdigit()) => "(hash)".to_owned(),
        w => w.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = text.lines().map(line).collect();
    // Webhooks of one moment come in any order.
    for at in 1..lines.len() {
        if lines[at - 1].starts_with("  event")
            && lines[at].starts_with("  event")
            && lines[at] < lines[at - 1]
        {
            lines.swap(at - 1, at);
        }
    }
    lines.join("\n")
}

#[test]
fn everything_goes_as_it_is_told() {
    let ended = run(&["demo"]);
    assert_eq!(ended.status.code(), Some(0), "{}{}", stdout(&ended), stderr(&ended));
    assert_eq!(stderr(&ended), "");
    assert!(!stdout(&ended).contains('\u{1b}'), "no colours in a pipe");
    insta::assert_snapshot!(redacted(&stdout(&ended)));
}
