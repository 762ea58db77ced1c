//! What is answered at places of texts: `tests/cases/lsp/`.
//!
//! The name of a block is what is asked. `‸` is the place; a line `--- NAME` begins another file, and
//! `--- catalog` says that there is a catalog.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::client::{Client, Files, catalog, uri};
use crate::cases::check_folder;

const PLACE: char = '‸';

/// The files of a case, the name of the first, and the place in it.
fn files_of(input: &str) -> (Files, String, Value) {
    let mut files = Files::default();
    let (mut name, mut place) =
        ("main.policy".to_owned(), (name_of_none(), json!({"line": 0, "character": 0})));
    let first = name.clone();
    for line in input.split_inclusive('\n') {
        match line.strip_prefix("--- ").map(str::trim) {
            Some("catalog") => files.catalog = catalog(),
            Some(other) => name = other.to_owned(),
            None => {
                let text: &mut String = files.texts.entry(name.clone()).or_default();
                if let Some(at) = line.find(PLACE) {
                    let character = line[..at].encode_utf16().count();
                    place =
                        (name.clone(), json!({"line": text.matches('\n').count(), "character": character}));
                }
                text.push_str(&line.replace(PLACE, ""));
            }
        }
    }
    let name = if place.0.is_empty() { first } else { place.0 };
    (files, name, place.1)
}

fn name_of_none() -> String {
    String::new()
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `1:4-1:7`, counted from one.
fn range(value: &Value) -> String {
    let place = |end: &str| {
        let at = |name: &str| value[end][name].as_u64().unwrap_or_default() + 1;
        format!("{}:{}", at("line"), at("character"))
    };
    format!("{}-{}", place("start"), place("end"))
}

fn file(uri: &Value) -> &str {
    text_of(uri).rsplit('/').next().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn edits(edit: &Value, out: &mut String) {
    for change in list(&edit["documentChanges"]) {
        if change["kind"] == "rename" {
            writeln!(out, "file {} becomes {}", file(&change["oldUri"]), file(&change["newUri"])).unwrap();
        }
        for edit in list(&change["edits"]) {
            let name = file(&change["textDocument"]["uri"]);
            writeln!(out, "{name} {}: {:?}", range(&edit["range"]), text_of(&edit["newText"])).unwrap();
        }
    }
}

fn symbol(symbol: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let detail = text_of(&symbol["detail"]);
    let detail = if detail.is_empty() { String::new() } else { format!(" · {detail}") };
    let (whole, name) = (range(&symbol["range"]), range(&symbol["selectionRange"]));
    writeln!(out, "{indent}{}{detail} ({whole}, {name})", text_of(&symbol["name"])).unwrap();
    list(&symbol["children"]).iter().for_each(|child| self::symbol(child, depth + 1, out));
}

/// The words of a text with their colours.
fn colours(text: &str, legend: &Value, data: &[Value]) -> String {
    let (mut line, mut character, mut out) = (0, 0, String::new());
    let lines: Vec<Vec<u16>> = text.split('\n').map(|line| line.encode_utf16().collect()).collect();
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    for token in data.chunks(5).map(|token| token.iter().map(number).collect::<Vec<_>>()) {
        character = if token[0] == 0 { character + token[1] } else { token[1] };
        line += token[0];
        let word = String::from_utf16(&lines[line][character..character + token[2]]).unwrap();
        let kind = text_of(&legend["tokenTypes"][token[3]]);
        let besides: String = list(&legend["tokenModifiers"])
            .iter()
            .enumerate()
            .filter(|(bit, _)| token[4] >> bit & 1 == 1)
            .map(|(_, name)| format!(".{}", text_of(name)))
            .collect();
        writeln!(out, "{word}: {kind}{besides}").unwrap();
    }
    out
}

fn run(kind: &str, input: &str) -> String {
    let (files, name, position) = files_of(input);
    let text = files.texts.get(&name).cloned().unwrap_or_default();
    let mut client = Client::started(files, &["utf-16"]);
    client.open(&name, 1, &text);
    let mut out = String::new();
    let document = json!({"uri": uri(&name)});
    let at = json!({"textDocument": document, "position": position, "context": {"includeDeclaration": true}});
    let whole = json!({"start": {"line": 0, "character": 0}, "end": {"line": 9999, "character": 0}});
    let (kind, argument) = kind.split_once(' ').unwrap_or((kind, ""));
    match kind {
        "complete" => {
            let most = if argument == "first" { 1 } else { usize::MAX };
            for item in list(&client.request("textDocument/completion", at).unwrap()).iter().take(most) {
                let (label, text) = (text_of(&item["label"]), text_of(&item["textEdit"]["newText"]));
                let detail = text_of(&item["detail"]);
                let text = if text == label { String::new() } else { format!(" => {text:?}") };
                let detail = if detail.is_empty() || argument != "details" {
                    String::new()
                } else {
                    format!(" · {detail}")
                };
                writeln!(out, "{label}{text}{detail}").unwrap();
            }
        }
        "hover" => {
            let hover = client.request("textDocument/hover", at).unwrap();
            if !hover.is_null() {
                writeln!(out, "at {}\n{}", range(&hover["range"]), text_of(&hover["contents"]["value"]))
                    .unwrap();
            }
        }
        "definition" | "references" => {
            for place in list(&client.request(&format!("textDocument/{kind}"), at).unwrap()) {
                writeln!(out, "{} {}", file(&place["uri"]), range(&place["range"])).unwrap();
            }
        }
        "highlights" => {
            for place in list(&client.request("textDocument/documentHighlight", at).unwrap()) {
                writeln!(out, "{} {}", range(&place["range"]), place["kind"]).unwrap();
            }
        }
        "rename" => {
            let mut params = at.clone();
            params["newName"] = json!(argument);
            let prepared = client.request("textDocument/prepareRename", at).unwrap();
            writeln!(out, "of {} {}", range(&prepared["range"]), text_of(&prepared["placeholder"])).unwrap();
            match client.request("textDocument/rename", params) {
                Ok(edit) => edits(&edit, &mut out),
                Err(code) => writeln!(out, "refused: {code}").unwrap(),
            }
        }
        "findings" => {
            let wanted = |found: &Value| argument.split(' ').any(|rule| found["code"] == rule);
            for found in client.findings(&name, 1).into_iter().filter(wanted) {
                let (severity, code) = (&found["severity"], text_of(&found["code"]));
                writeln!(out, "{} {severity} {code}: {}", range(&found["range"]), text_of(&found["message"]))
                    .unwrap();
                for other in list(&found["relatedInformation"]) {
                    let (place, message) = (&other["location"], text_of(&other["message"]));
                    writeln!(out, "  {} {}: {message}", file(&place["uri"]), range(&place["range"])).unwrap();
                }
                if let Some(page) = found["codeDescription"]["href"].as_str() {
                    writeln!(out, "  page {page}").unwrap();
                }
                if !found["tags"].is_null() {
                    writeln!(out, "  tags {}", found["tags"]).unwrap();
                }
            }
        }
        "actions" => {
            let mut params =
                json!({"textDocument": document, "range": whole, "context": {"diagnostics": []}});
            let (only, rule) = argument.split_once(' ').unwrap_or((argument, ""));
            params["context"]["only"] = json!([only]);
            let of_rule = |action: &&Value| rule.is_empty() || action["diagnostics"][0]["code"] == rule;
            for action in
                list(&client.request("textDocument/codeAction", params).unwrap()).iter().filter(of_rule)
            {
                writeln!(out, "{} ({})", text_of(&action["title"]), text_of(&action["kind"])).unwrap();
                edits(&action["edit"], &mut out);
            }
        }
        "symbols" => {
            let symbols = client.request("textDocument/documentSymbol", at).unwrap();
            list(&symbols).iter().for_each(|one| symbol(one, 0, &mut out));
        }
        "names" => {
            for found in list(&client.request("workspace/symbol", json!({"query": argument})).unwrap()) {
                let place = &found["location"];
                writeln!(
                    out,
                    "{} in {} {}",
                    text_of(&found["name"]),
                    file(&place["uri"]),
                    range(&place["range"])
                )
                .unwrap();
            }
        }
        "folds" => {
            for fold in list(&client.request("textDocument/foldingRange", at).unwrap()) {
                let line = |name: &str| fold[name].as_u64().unwrap() + 1;
                writeln!(out, "{}-{} {}", line("startLine"), line("endLine"), text_of(&fold["kind"]))
                    .unwrap();
            }
        }
        "hints" => {
            let params = json!({"textDocument": document, "range": whole});
            let hints = client.request("textDocument/inlayHint", params).unwrap();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            for hint in list(&hints).iter().rev() {
                let number = |name: &str| usize::try_from(hint["position"][name].as_u64().unwrap()).unwrap();
                lines[number("line")]
                    .insert_str(number("character"), &format!("«{}»", text_of(&hint["label"])));
            }
            lines.iter().for_each(|line| writeln!(out, "{line}").unwrap());
        }
        "colours" => {
            let legend = {
                let mut other = Client::connected(Files::default());
                let answer =
                    other.request("initialize", json!({"processId": null, "capabilities": {}})).unwrap();
                answer["capabilities"]["semanticTokensProvider"]["legend"].clone()
            };
            let tokens =
                client.request("textDocument/semanticTokens/full", json!({"textDocument": document}));
            out = colours(&text, &legend, list(&tokens.unwrap()["data"]));
        }
        "format" => {
            let options = json!({"tabSize": 2, "insertSpaces": true});
            let mut params = json!({"textDocument": document, "options": options});
            // `format 3`: of that line alone.
            let line = argument.parse::<u32>().ok();
            let method = match line {
                None => "textDocument/formatting",
                Some(line) => {
                    let place = |line: u32| json!({"line": line, "character": 0});
                    params["range"] = json!({"start": place(line - 1), "end": place(line)});
                    "textDocument/rangeFormatting"
                }
            };
            for edit in list(&client.request(method, params).unwrap()) {
                writeln!(out, "{}:\n{}", range(&edit["range"]), text_of(&edit["newText"])).unwrap();
            }
        }
        other => panic!("nothing is called `{other}`"),
    }
    client.end();
    out
}

#[test]
fn each_place_is_answered_as_its_case_says() {
    check_folder("lsp", run);
}
