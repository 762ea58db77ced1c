//! The whole of it over a real socket, with the real engine: sessions under a test key, as cases.
//!
//! Cases are written as those of the REST surface are. A block `advance` moves the test clock, a
//! block `later` real time, and a block `look` shows messages in few words: `message msg#1` what
//! became of its stages, `transitions msg#1` its audit, whose chain is computed here anew, and
//! `events` what was told, of one message or of all. A block `send` is a send in which what is
//! not given is filled in: an address and a text for every channel; it too is shown in few words.

use std::cell::RefCell;
use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::names::Names;
use crate::world::World;

#[test]
fn the_real_engine_keeps_its_word_in_every_session() {
    let world: RefCell<Option<(World, Names)>> = RefCell::new(None);
    crate::cases::check_folder("engine", |kind, input| {
        let mut world = world.borrow_mut();
        if kind == "world" {
            *world = Some((World::real(), Names::default()));
            return String::new();
        }
        let (world, names) = world.as_mut().expect("a block `world` at the top of each file");
        let input = names.meant(input);
        match kind {
            "later" => {
                world.later(input.trim().parse().unwrap());
                // Runs what is due by now, and waits for it.
                let answer = world.ask("POST /test_clock/advance\n\n{\"by\": \"0s\"}");
                format!("{}\n", short(json(&answer.body)["now"].as_str().unwrap()))
            }
            "advance" => {
                let by = format!("POST /test_clock/advance\n\n{{\"by\": {:?}}}", input.trim());
                let answer = json(&world.ask(&by).body);
                format!("{}\n", answer["now"].as_str().map_or_else(|| answer.to_string(), short))
            }
            "send" => {
                let answer = world.ask(&filled(&input));
                world.settle();
                if answer.status == 202 {
                    let sent = json(&answer.body);
                    format!("{} {}", names.shown("", &sent["id"]).trim_matches('"'), message(&sent, names))
                } else {
                    answer.shown(names)
                }
            }
            "look" => input.lines().map(|line| look(world, names, line)).collect(),
            _ => {
                let answer = world.ask(&input);
                world.settle();
                answer.shown(names)
            }
        }
    });
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("an answer in JSON")
}

/// A time of the first day without its date. Where a message's own jitter is in it, which is another
/// in every run, its second alone.
fn short(time: &str) -> String {
    let time = time.trim_start_matches("2026-01-05T").trim_end_matches('Z');
    match time.split_once('.') {
        Some((seconds, "000")) => seconds.to_owned(),
        Some((seconds, _)) if seconds.ends_with(|last: char| last.is_ascii_digit()) => format!("{seconds}~"),
        _ => time.to_owned(),
    }
}

/// A send with an address and a text for every channel where none are given.
fn filled(input: &str) -> String {
    let (head, body) = input.split_once("{").map_or(("", "{}"), |(head, _)| (head, &input[head.len()..]));
    let mut body: Value = serde_json::from_str(body).expect("a send in JSON");
    let fields = body.as_object_mut().unwrap();
    if !fields.contains_key("contact_id") && !fields.contains_key("to") {
        let to = serde_json::json!({
            "sms": "+4915112345678", "whatsapp": "+4915112345678", "voice": "+4915112345678",
            "email": "a@example.org", "push": "token", "slack": "U012345", "telegram": "12345",
        });
        fields.insert("to".into(), to);
    }
    if !fields.contains_key("template") && !fields.contains_key("content") {
        let text = |channel: &str| (channel.to_owned(), serde_json::json!({"body": "hi"}));
        let mut content: serde_json::Map<String, Value> =
            ["sms", "whatsapp", "voice", "push", "slack", "telegram"].into_iter().map(text).collect();
        content.insert("email".into(), serde_json::json!({"subject": "hi", "body": "hi"}));
        fields.insert("content".into(), content.into());
    }
    format!("POST /messages\n{}\n\n{body}", head.trim())
}

fn look(world: &World, names: &mut Names, line: &str) -> String {
    let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (id, key) = rest.split_once(" as ").unwrap_or((rest, "test"));
    match what {
        "message" => message(&json(&world.ask(&format!("GET /messages/{id}\nas: {key}")).body), names),
        "transitions" => transitions(world, id, key, names),
        "events" => {
            let filter = if id.is_empty() { String::new() } else { format!("&message_id={id}") };
            let told = json(&world.ask(&format!("GET /events?limit=100{filter}\nas: {key}")).body);
            events(&told, names)
        }
        _ => panic!("nothing to look at: {line}"),
    }
}

/// A message in few words.
pub(crate) fn message(message: &Value, names: &mut Names) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), short);
    let mut out = text(&message["status"]);
    if let Some(by) = message["reached_by"].as_str() {
        write!(out, " by {by}").unwrap();
    }
    if let Some(at) = message["ended_at"].as_str() {
        write!(out, ", ended {}", short(at)).unwrap();
    }
    write!(out, ", sends {}", message["sends"]).unwrap();
    for (name, word) in [("cost", "cost"), ("reasons", "reasons")] {
        if !message[name].is_null() && message[name] != Value::Array(Vec::new()) {
            write!(out, ", {word} {}", message[name]).unwrap();
        }
    }
    out.push('\n');
    for stage in message["stages"].as_array().expect("a message with stages") {
        write!(out, "  {} {} {}", stage["stage"], text(&stage["channel"]), text(&stage["state"])).unwrap();
        for name in ["reason", "provider", "started_at"] {
            if let Some(value) = stage[name].as_str() {
                write!(out, " {}", short(value)).unwrap();
            }
        }
        for attempt in stage["attempts"].as_array().unwrap() {
            let id = names.shown("", &attempt["id"]);
            write!(out, "; {} {}", id.trim_matches('"'), text(&attempt["provider"])).unwrap();
            write!(out, " {} {}", text(&attempt["outcome"]), text(&attempt["started_at"])).unwrap();
            if attempt["ended_at"] != attempt["started_at"] {
                write!(out, "–{}", text(&attempt["ended_at"])).unwrap();
            }
            if let Some(id) = attempt["provider_message_id"].as_str().filter(|id| !id.starts_with("sandbox-"))
            {
                write!(out, " as {id}").unwrap();
            }
            if let Some(detail) = attempt["detail"].as_str() {
                write!(out, " ({detail})").unwrap();
            }
        }
        out.push('\n');
    }
    out
}

/// A message's audit, its chain held against RFC 8785 and SHA-256.
fn transitions(world: &World, id: &str, key: &str, names: &mut Names) -> String {
    let (mut out, mut cursor, mut before, mut seq) = (String::new(), String::new(), "0".repeat(64), 0);
    loop {
        let page =
            json(&world.ask(&format!("GET /messages/{id}/transitions?limit=5{cursor}\nas: {key}")).body);
        for transition in page["data"].as_array().expect("a page of transitions") {
            seq += 1;
            assert_eq!(transition["seq"], seq, "a gap");
            assert_eq!(transition["prev_hash"], *before, "the chain is broken");
            let mut hashed = transition.clone();
            let fields = hashed.as_object_mut().unwrap();
            fields.retain(|name, _| name != "prev_hash" && name != "hash");
            fields.insert("message_id".into(), id.into());
            let hash = Sha256::digest(format!("{before}\n{}", sorted(&hashed)));
            before = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(transition["hash"], *before, "the hash of {hashed}");
            let text = |name: &str| transition[name].as_str().map_or_else(|| "-".to_owned(), short);
            write!(out, "{seq} {} {} {}→{}", text("at"), text("event"), text("from"), text("to")).unwrap();
            if !transition["stage"].is_null() {
                write!(out, " {} {}", transition["stage"], text("channel")).unwrap();
            }
            for name in ["provider", "detail"] {
                if !transition[name].is_null() {
                    write!(out, " {name}={}", text(name)).unwrap();
                }
            }
            out.push_str(if transition["input"].is_null() { "\n" } else { " *\n" });
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&after={next}"),
            None => break,
        }
    }
    let _ = names;
    out
}

/// The form of RFC 8785, as far as transitions need it: sorted names, and numbers that are small.
fn sorted(value: &Value) -> String {
    let fields: std::collections::BTreeMap<&String, &Value> = value.as_object().unwrap().iter().collect();
    serde_json::to_string(&fields).unwrap()
}

/// Events, the oldest first.
fn events(told: &Value, names: &mut Names) -> String {
    let mut out = String::new();
    for event in told["data"].as_array().expect("a page of events").iter().rev() {
        let sequence =
            if event["sequence"].is_null() { "-".to_owned() } else { event["sequence"].to_string() };
        let at = short(event["timestamp"].as_str().unwrap());
        write!(out, "{sequence} {at} {}", event["type"].as_str().unwrap()).unwrap();
        for (name, value) in event["data"].as_object().unwrap() {
            let dull = value.is_null()
                || *value == Value::Array(Vec::new())
                || *value == Value::Object(serde_json::Map::new());
            if !dull {
                write!(out, " {name}={}", names.shown(name, value).replace('"', "")).unwrap();
            }
        }
        out.push('\n');
    }
    out
}
