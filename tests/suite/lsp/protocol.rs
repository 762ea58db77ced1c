//! The session itself: beginning, cancelling, ending, and what is not known.

use lsp_server::{Message, Notification, Request, RequestId};
use serde_json::{Value, json};
use spine::lsp::Ended;

use super::client::{Client, Files, uri};

const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const INVALID_REQUEST: i32 = -32600;
const NOT_INITIALIZED: i32 = -32002;
const CANCELLED: i32 = -32800;

/// The rules of the errors among findings.
fn errors(found: &[Value]) -> Vec<&str> {
    found.iter().filter(|found| found["severity"] == 1).map(|found| found["code"].as_str().unwrap()).collect()
}

fn started() -> Client {
    Client::started(Files::default(), &["utf-16"])
}

#[test]
fn nothing_is_answered_before_initialize_and_initialize_once() {
    let mut client = Client::connected(Files::default());
    assert_eq!(client.request("textDocument/hover", json!({})), Err(NOT_INITIALIZED));
    assert_eq!(client.request("shutdown", Value::Null), Err(NOT_INITIALIZED));
    client.notify("textDocument/didOpen", json!({"nonsense": true}));
    let answer = client.request("initialize", json!({"processId": null, "capabilities": {}})).unwrap();
    assert_eq!(answer["serverInfo"]["name"], "spine");
    assert_eq!(answer["capabilities"]["positionEncoding"], "utf-16");
    assert_eq!(client.request("initialize", json!({"capabilities": {}})), Err(INVALID_REQUEST));
    client.end();
}

#[test]
fn what_is_not_known_is_refused_and_what_has_not_its_form_too() {
    let mut client = started();
    assert_eq!(client.request("textDocument/prepareTypeHierarchy", json!({})), Err(METHOD_NOT_FOUND));
    assert_eq!(client.request("$/nobody/knows", json!({})), Err(METHOD_NOT_FOUND));
    assert_eq!(client.request("textDocument/hover", json!({"textDocument": 7})), Err(INVALID_PARAMS));
    assert_eq!(client.request("textDocument/hover", Value::Null), Err(INVALID_PARAMS));
    let nowhere =
        json!({"textDocument": {"uri": uri("none.policy")}, "position": {"line": 0, "character": 0}});
    assert_eq!(client.request("textDocument/hover", nowhere), Err(INVALID_PARAMS));
    client.notify("textDocument/didChange", json!({"textDocument": {}}));
    client.notify("nobody/knows", json!({}));
    client.end();
}

#[test]
fn after_shutdown_only_exit_counts() {
    let mut client = started();
    assert_eq!(client.request("shutdown", Value::Null), Ok(Value::Null));
    assert_eq!(client.request("workspace/symbol", json!({"query": ""})), Err(INVALID_REQUEST));
    client.notify("exit", Value::Null);
    assert_eq!(client.ended(), Ended::Orderly);
}

#[test]
fn an_exit_that_nobody_announced_and_a_client_that_is_gone_are_no_orderly_end() {
    let mut client = started();
    client.notify("exit", Value::Null);
    assert_eq!(client.ended(), Ended::Abrupt);

    let mut client = Client::connected(Files::default());
    client.notify("exit", Value::Null);
    assert_eq!(client.ended(), Ended::Abrupt);

    let mut client = started();
    let (other, _) = lsp_server::Connection::memory();
    client.connection = other;
    assert_eq!(client.ended(), Ended::Abrupt);
}

#[test]
fn a_request_that_is_taken_back_while_it_waits_is_answered_so() {
    // Everything is sent before the server begins, so that all of it waits.
    let (ours, theirs) = lsp_server::Connection::memory();
    let request = |id: i32, method: &str, params: Value| {
        ours.sender
            .send(Message::Request(Request { id: id.into(), method: method.to_owned(), params }))
            .unwrap();
    };
    let told = |method: &str, params: Value| {
        let told = Notification { method: method.to_owned(), params };
        ours.sender.send(Message::Notification(told)).unwrap();
    };
    request(1, "initialize", json!({"processId": null, "capabilities": {}}));
    request(2, "workspace/symbol", json!({"query": ""}));
    request(3, "workspace/symbol", json!({"query": ""}));
    told("$/cancelRequest", json!({"id": 2}));
    told("$/cancelRequest", json!({"id": 77}));
    request(4, "shutdown", Value::Null);
    told("exit", Value::Null);
    let ended = spine::lsp::serve(&theirs, &Files::default());
    drop(theirs);
    assert_eq!(ended, Ended::Orderly);
    let mut answers = Vec::new();
    for message in &ours.receiver {
        let Message::Response(answer) = message else { continue };
        answers.push((answer.id, answer.response_result.map_err(|error| error.code).is_ok_and(|_| true)));
    }
    let id = RequestId::from;
    assert_eq!(answers, [(id(1), true), (id(2), false), (id(3), true), (id(4), true)]);
}

#[test]
fn the_code_of_what_is_taken_back_is_that_of_the_protocol() {
    let mut client = started();
    // The cancelling is sent first: it waits when the request is looked at, or comes too late.
    let id = client.ask("workspace/symbol", json!({"query": ""}));
    client.notify("$/cancelRequest", json!({"id": 2}));
    let answer = client.answer(&id);
    assert!(answer == Ok(json!([])) || answer == Err(CANCELLED), "{answer:?}");
    client.end();
}

#[test]
fn positions_count_as_agreed() {
    // The word behind the wide characters, in each way to count them.
    let text = "# 😀ä\nsms if vars.a is \"😀😀\" then watsapp\n";
    let places = [("utf-8", 33, 40), ("utf-16", 29, 36), ("utf-32", 27, 34)];
    for (encoding, start, end) in places {
        let mut client = Client::started(Files::default(), &["utf-7", encoding, "utf-16"]);
        client.open("a.policy", 1, text);
        let found = client.findings("a.policy", 1);
        let range = json!({"start": {"line": 1, "character": start}, "end": {"line": 1, "character": end}});
        assert_eq!(found[0]["range"], range, "{encoding}");
        let change = json!({"range": range, "text": "email"});
        let document = json!({"uri": uri("a.policy"), "version": 2});
        client
            .notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": [change]}));
        assert_eq!(errors(&client.findings("a.policy", 2)), Vec::<&str>::new(), "{encoding}");
        client.end();
    }
}

#[test]
fn findings_follow_each_change_and_go_with_the_document() {
    let mut client = started();
    client.open("a.policy", 1, "sms then");
    assert_eq!(errors(&client.findings("a.policy", 1)), ["missing-stage"]);
    let change = |version: i32, changes: Value| json!({"textDocument": {"uri": uri("a.policy"), "version": version}, "contentChanges": changes});
    client.notify("textDocument/didChange", change(2, json!([{"text": "sms then emial"}])));
    assert_eq!(errors(&client.findings("a.policy", 2)), ["unknown-channel"]);
    let at = |from: u32, to: u32| json!({"start": {"line": 0, "character": from}, "end": {"line": 0, "character": to}});
    let steps = json!([{"range": at(9, 14), "text": "e"}, {"range": at(10, 10), "text": "mail"}]);
    client.notify("textDocument/didChange", change(3, steps));
    assert_eq!(errors(&client.findings("a.policy", 3)), Vec::<&str>::new());
    client.told.clear();
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri("a.policy")}}));
    client.request("workspace/symbol", json!({"query": ""})).unwrap();
    let last = client.told.last().expect("the findings are taken back");
    assert_eq!(last.params, json!({"uri": uri("a.policy"), "diagnostics": []}));
    client.end();
}

#[test]
fn a_change_in_one_document_changes_what_is_found_in_another() {
    let mut client = started();
    client.open("a.policy", 1, "policy a { sms }");
    client.open("b.policy", 1, "policy b { use a }");
    assert_eq!(errors(&client.findings("b.policy", 1)), Vec::<&str>::new());
    client.told.clear();
    let document = json!({"uri": uri("a.policy"), "version": 2});
    let changes = json!([{"text": "policy renamed { sms }"}]);
    client.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": changes}));
    assert_eq!(errors(&client.findings("b.policy", 1)), ["unknown-policy"]);
    client.end();
}

#[test]
fn a_page_of_a_rule_is_given_out_by_the_address_that_its_finding_has() {
    let mut client = started();
    client.open("a.policy", 1, "sms between 08:00 and 21:00 in contact.timezone");
    let found = client.findings("a.policy", 1);
    let found = found.iter().find(|found| found["code"] == "unsure-zone").unwrap();
    let href = found["codeDescription"]["href"].clone();
    let page = client.request("workspace/textDocumentContent", json!({"uri": href})).unwrap();
    let text = page["text"].as_str().unwrap();
    assert!(text.starts_with("# unsure-zone\n\n*note*\n\n`contact.timezone` is used"), "{text}");
    // What the compiler finds has a page too.
    client.open("b.policy", 1, "smss");
    let found = client.findings("b.policy", 1);
    let href = found[0]["codeDescription"]["href"].clone();
    let page = client.request("workspace/textDocumentContent", json!({"uri": href})).unwrap();
    assert!(page["text"].as_str().unwrap().starts_with("# unknown-channel\n\n*error*"), "{page}");
    assert!(client.request("workspace/textDocumentContent", json!({"uri": "spine-rule:/nope.md"})).is_err());
    client.end();
}

#[test]
fn a_rule_of_the_house_has_a_page_too() {
    use spine::lint::house::{Given, HouseRule, KINDS};
    let kind = KINDS.iter().find(|kind| kind.name == "ends_in").unwrap();
    let demand = (kind.read)(&Given::List(vec!["sms".to_owned()])).unwrap();
    let house = vec![HouseRule {
        name: "ends_in_sms",
        message: None,
        severity: spine::language::Severity::Warning,
        categories: Vec::new(),
        paths: Vec::new(),
        demands: vec![demand],
    }];
    let mut client = Client::started(Files { house, ..Files::default() }, &["utf-16"]);
    client.open("a.policy", 1, "sms then email");
    let found = client.findings("a.policy", 1);
    let found = found.iter().find(|found| found["code"] == "ends_in_sms").unwrap();
    let href = found["codeDescription"]["href"].clone();
    let page = client.request("workspace/textDocumentContent", json!({"uri": href})).unwrap();
    assert!(page["text"].as_str().unwrap().contains("A rule of the house"), "{page}");
    client.end();
}

#[test]
fn the_run_that_shows_a_finding_stands_beside_it() {
    let mut client = started();
    client.open("a.policy", 1, "policy p {\n  expires after 10m\n  sms then email after 1h\n}");
    let found = client.findings("a.policy", 1);
    let shown =
        found.iter().flat_map(|found| found["relatedInformation"].as_array().cloned().unwrap_or_default());
    let shown: Vec<Value> = shown.collect();
    let run = shown.iter().find(|one| one["message"].as_str().unwrap().contains("spine policy simulate"));
    assert!(run.is_some(), "{found:?}");
    client.end();
}

#[test]
fn colours_come_as_what_differs_from_the_last_ones() {
    let mut client = started();
    client.open("a.policy", 1, "sms then email");
    let params = json!({"textDocument": {"uri": uri("a.policy")}});
    let first = client.request("textDocument/semanticTokens/full", params.clone()).unwrap();
    let document = json!({"uri": uri("a.policy"), "version": 2});
    let changes = json!([{"text": "sms then then email"}]);
    client.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": changes}));
    let mut delta = params.clone();
    delta["previousResultId"] = first["resultId"].clone();
    let answer = client.request("textDocument/semanticTokens/full/delta", delta.clone()).unwrap();
    let mut data: Vec<Value> = first["data"].as_array().unwrap().clone();
    for edit in answer["edits"].as_array().unwrap() {
        let start = usize::try_from(edit["start"].as_u64().unwrap()).unwrap();
        let end = start + usize::try_from(edit["deleteCount"].as_u64().unwrap()).unwrap();
        data.splice(start..end, edit["data"].as_array().unwrap().clone());
    }
    let whole = client.request("textDocument/semanticTokens/full", params).unwrap();
    assert_eq!(&data, whole["data"].as_array().unwrap());
    assert_eq!(data.len(), 20);
    delta["previousResultId"] = json!("long gone");
    let answer = client.request("textDocument/semanticTokens/full/delta", delta).unwrap();
    assert_eq!(answer["data"], whole["data"]);
    client.end();
}
