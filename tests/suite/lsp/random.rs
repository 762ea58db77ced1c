//! No text and no place makes the server fall over: random edits, and every request anywhere.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::client::{Client, Files, catalog, uri};

const REQUESTS: [&str; 16] = [
    "completion",
    "hover",
    "definition",
    "references",
    "documentHighlight",
    "prepareRename",
    "rename",
    "documentSymbol",
    "codeAction",
    "formatting",
    "rangeFormatting",
    "foldingRange",
    "inlayHint",
    "semanticTokens/full",
    "semanticTokens/full/delta",
    "semanticTokens/range",
];

/// Pieces from which texts are put together.
fn piece() -> impl Strategy<Value = String> {
    let words = vec![
        "policy p {",
        "}",
        "sms",
        "whatsapp",
        "then",
        "after 30s",
        "unless",
        "if",
        "quota",
        "vars.a",
        "contact.",
        "contact has",
        "any of (",
        "all of",
        "(",
        ")",
        ",",
        "via 70% a, 30% b",
        "until",
        "retry 2 times",
        "every",
        "wait until 09:00",
        "in",
        "contact.timezone",
        "else",
        "vars {",
        "a: string",
        "optional",
        "use p",
        "quiet",
        "21:00 to 08:00",
        "on doubt",
        "move on",
        "otherwise fail",
        "\"",
        "\"text\"",
        "'",
        "“x”",
        "# c\n",
        "# spine: allow unsure-zone -- because\n",
        "\n",
        "\r\n",
        "\r",
        "\t",
        "😀",
        "ä",
        "\u{301}",
        "\u{FEFF}",
        "\u{A0}",
        "[",
        "]",
        "==",
        "->",
        "%",
        "$",
        "€5",
        "-5",
        "limit 3 sends, 0.25 EUR",
        "category x",
        "expires",
        "1h30m",
        "30 seconds",
        "\\",
        "\0",
        ".",
        ":",
    ];
    prop_oneof![8 => select(words).prop_map(|word| format!("{word} ")), 1 => any::<String>()]
}

fn edit() -> impl Strategy<Value = (u32, u32, u32, u32, String)> {
    let place = prop_oneof![6 => 0..6_u32, 1 => any::<u32>()];
    let column = prop_oneof![6 => 0..60_u32, 1 => any::<u32>()];
    let text = prop::collection::vec(piece(), 0..4).prop_map(|pieces| pieces.concat());
    (place.clone(), column.clone(), place, column, text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_request_is_answered_on_any_text_at_any_place(
        start in prop::collection::vec(piece(), 0..40),
        edits in prop::collection::vec(edit(), 1..8),
        encoding in select(vec!["utf-8", "utf-16", "utf-32"]),
    ) {
        let texts = [("p.policy".to_owned(), "policy p { vars { a: number } sms }".to_owned())].into();
        let mut client = Client::started(Files { texts, catalog: catalog(), ..Files::default() }, &[encoding]);
        client.open("a.policy", 0, &start.concat());
        for (version, (line, character, to_line, to_character, text)) in (1..).zip(edits) {
            let place = json!({"line": line, "character": character});
            let range = json!({"start": place, "end": {"line": to_line, "character": to_character}});
            let document = json!({"uri": uri("a.policy"), "version": version});
            let change = json!({"range": range, "text": text});
            client.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": [change]}));
            for request in REQUESTS {
                let params = json!({
                    "textDocument": {"uri": uri("a.policy")}, "position": place, "range": range, "newName": "new_name",
                    "context": {"diagnostics": [], "includeDeclaration": true}, "previousResultId": "1",
                    "options": {"tabSize": 2, "insertSpaces": true},
                });
                let answer = client.request(&format!("textDocument/{request}"), params);
                // A renaming may be impossible there; nothing else may be.
                let refused = request == "rename" && answer == Err(-32803);
                prop_assert!(answer.is_ok() || refused, "{request}: {answer:?}");
            }
            let found: Vec<Value> = client.findings("a.policy", version);
            for one in found {
                prop_assert!(one["range"]["start"]["line"].is_u64());
            }
        }
        client.end();
    }
}
