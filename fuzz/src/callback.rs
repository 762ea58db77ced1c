//! Callbacks of providers: what reaches `/callbacks/{provider}` before anybody is known.
//!
//! An input is lines `name: value`, an empty line, and the body, as a request has them. A first line
//! `signed` has the request signed as the provider would, so that the body is read.

use std::sync::{Arc, LazyLock};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use spine::model::Instant;
use spine::providers::signature::{self, Secret};
use spine::providers::{Adapter, Callback, CallbackError, KINDS, Opened};

use super::pointer::leads_into;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An account of each kind that calls back.
static ADAPTERS: LazyLock<Vec<(&str, Arc<dyn Adapter>)>> = LazyLock::new(|| {
    let opened = KINDS.iter().map(|kind| {
        let (settings, credentials) = match kind.name() {
            "sandbox" => (json!({}), Value::Null),
            "http" => (json!({"url": "https://gateway.example/"}), json!({"secret": SECRET})),
            other => panic!("`{other}` has no account here: give it one, and its callbacks are tried, too"),
        };
        (kind.name(), kind.open(&settings, &credentials).expect("the account of a kind"))
    });
    let remote = opened.filter_map(|(name, opened)| match opened {
        Opened::Remote(adapter) => Some((name, adapter)),
        Opened::Scripted => None,
    });
    remote.collect()
});

/// Hands a request to every adapter: it is taken whole, or refused with its faults.
pub fn look_at(bytes: &[u8]) {
    let (signed, bytes) = match bytes.strip_prefix(b"signed\n") {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let (headers, body) = parts(bytes);
    let now = Instant::from_ms(1_767_614_400_000);
    for (name, adapter) in ADAPTERS.iter() {
        let mut headers = headers.clone();
        if signed {
            sign(name, &mut headers, now, body);
        }
        match adapter.callbacks(&headers, body, now) {
            Ok(told) => {
                assert!(signed, "nobody signed this");
                told.iter().for_each(|each| understood(each, body));
            }
            Err(CallbackError::Unverified) => assert!(!signed, "what was signed is verified"),
            Err(CallbackError::NotUnderstood(faults)) => {
                assert!(signed, "read before it was verified");
                assert!(!faults.is_empty(), "refused without a word");
                let value: Option<Value> = serde_json::from_slice(body).ok();
                for fault in &faults {
                    assert!(!fault.message.is_empty());
                    match &value {
                        Some(value) => leads_into(value, &fault.pointer),
                        None => assert_eq!(fault.pointer, ""),
                    }
                }
            }
        }
    }
}

/// Signs as the provider of a kind does.
fn sign(kind: &str, headers: &mut HeaderMap, now: Instant, body: &[u8]) {
    match kind {
        "http" => {
            let secret = Secret::parse(SECRET).expect("a secret");
            signature::sign(headers, std::slice::from_ref(&secret), "evt_1", now, body);
        }
        other => panic!("how `{other}` signs is not known here"),
    }
}

/// What an engine can do something with.
fn understood(callback: &Callback, body: &[u8]) {
    match callback {
        Callback::Receipt { provider_message_id, attempt_id, detail, .. } => {
            assert!(provider_message_id.is_some() || attempt_id.is_some(), "a receipt of nothing");
            assert!(
                detail.as_ref().is_none_or(|detail| detail.len() <= body.len() * 3 && !detail.contains('\0'))
            );
        }
        Callback::Reply { from, .. } => assert!(!from.is_empty(), "a reply of nobody"),
    }
    // What is logged shows no text and no address.
    let _ = format!("{callback:?}");
}

fn parts(bytes: &[u8]) -> (HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = line.iter().position(|b| *b == b':') else { break };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    (headers, rest)
}
