//! Calls over real sockets, and the guard before them.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use spine::model::{Channel, Confirmation, Id, Instant, Outcome, Span, kinds};
use spine::providers::outbound::{CallError, Names, Outbound, Settings, UrlError};
use spine::providers::signature::{self, Secret};
use spine::providers::{Adapter, Answer, Call, Callback, CallbackError, DoubtAbility, Opened, Report, kind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::receiver::Receiver;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn real_now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Instant::from_ms(i64::try_from(since.as_millis()).unwrap())
}

fn outbound(allow_private_addresses: bool) -> Outbound {
    Outbound::new(Settings { allow_private_addresses, ..Settings::default() }).unwrap()
}

fn gateway(url: &str, credentials: &Value) -> Arc<dyn Adapter> {
    match kind("http").unwrap().open(&json!({"url": url}), credentials) {
        Ok(Opened::Remote(adapter)) => adapter,
        other => panic!("{other:?}"),
    }
}

fn call() -> Call {
    Call {
        attempt_id: Id::from_u128(1),
        message_id: Id::from_u128(2),
        channel: Channel::Sms,
        to: "+4915112345678".into(),
        subject: None,
        body: "At 5:00 PM".into(),
        html: None,
        category: "transactional".into(),
        metadata: Map::from_iter([("order".to_owned(), json!("7"))]),
        valid_until: Some("2026-01-05T12:00:00Z".parse().unwrap()),
        callback_url: "https://example.org/callbacks/prv_1".into(),
        now: real_now(),
    }
}

/// Starts the call and answers it.
async fn answered(status: u16, headers: &[(&str, &str)], body: &'static str) -> Answer {
    let mut receiver = Receiver::start().await;
    let (gateway, outbound, call) = (gateway(&receiver.url("/"), &json!({})), outbound(true), call());
    let (answer, ()) = tokio::join!(gateway.call(&outbound, &call), async {
        receiver.next().await.answer(status, headers, body);
    });
    answer
}

#[tokio::test]
async fn a_call_follows_the_contract_and_is_signed() {
    let mut receiver = Receiver::start().await;
    let gateway = gateway(&receiver.url("/send"), &json!({"secret": SECRET, "token": "t0ken"}));
    let (outbound, call) = (outbound(true), call());
    let (answer, received) = tokio::join!(gateway.call(&outbound, &call), async {
        let received = receiver.next().await;
        let seen = (received.path.clone(), received.headers.clone(), received.body.clone(), received.json());
        received.answer(202, &[], r#"{"id": "gw-1"}"#);
        seen
    });
    assert_eq!(answer, Answer { provider_message_id: Some("gw-1".into()), ..Answer::of(Outcome::Accepted) });
    let (path, headers, body, read) = received;
    assert_eq!(path, "/send");
    assert_eq!(
        read,
        json!({
            "attempt_id": call.attempt_id.to_string(), "message_id": call.message_id.to_string(), "channel": "sms",
            "to": "+4915112345678", "subject": null, "body": "At 5:00 PM", "category": "transactional",
            "metadata": {"order": "7"}, "valid_until": "2026-01-05T12:00:00.000Z",
            "callback_url": "https://example.org/callbacks/prv_1",
        })
    );
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["idempotency-key"], call.attempt_id.to_string().as_str());
    assert_eq!(headers["authorization"], "Bearer t0ken");
    assert_eq!(headers["webhook-id"], call.attempt_id.to_string().as_str());
    standardwebhooks::Webhook::new(SECRET).unwrap().verify(&body, &headers).unwrap();
    assert_eq!(gateway.in_doubt(), DoubtAbility::Key);
    let shown = format!("{call:?}");
    assert!(!shown.contains("+49") && !shown.contains("5:00"), "{shown}");
}

#[tokio::test]
async fn an_answer_is_read_as_the_table_says() {
    let wait = [("retry-after", "7")];
    for (status, headers, body, outcome, id, retry_after, detail) in [
        (200, &[][..], r#"{"id": "a"}"#, Outcome::Accepted, Some("a"), None, None),
        (200, &[], r#"{"id": 17}"#, Outcome::Accepted, Some("17"), None, None),
        (204, &[], "", Outcome::Accepted, None, None, None),
        (200, &[], "<html>all is well</html>", Outcome::Accepted, None, None, None),
        (200, &[], r#"["not", "an", "object"]"#, Outcome::Accepted, None, None, None),
        (
            200,
            &[],
            r#"{"id": "a", "outcome": "recipient_fault", "detail": "blocked"}"#,
            Outcome::RecipientFault,
            None,
            None,
            Some("blocked"),
        ),
        (500, &[], r#"{"outcome": "content_fault"}"#, Outcome::ContentFault, None, None, Some("HTTP 500")),
        (
            400,
            &[],
            r#"{"outcome": "rate_limited", "retry_after_s": 10}"#,
            Outcome::RateLimited,
            None,
            Some(10_000),
            Some("HTTP 400"),
        ),
        (
            400,
            &[],
            r#"{"outcome": "transient", "retry_after_s": 1.5}"#,
            Outcome::Transient,
            None,
            Some(1_500),
            Some("HTTP 400"),
        ),
        (400, &[], r#"{"outcome": "no such word"}"#, Outcome::ContentFault, None, None, Some("HTTP 400")),
        (429, &wait, "", Outcome::RateLimited, None, Some(7_000), Some("HTTP 429")),
        (429, &wait, r#"{"retry_after_s": 3}"#, Outcome::RateLimited, None, Some(3_000), Some("HTTP 429")),
        (503, &wait, "", Outcome::Transient, None, Some(7_000), Some("HTTP 503")),
        (404, &wait, "", Outcome::RecipientFault, None, None, Some("HTTP 404")),
        (401, &[], "", Outcome::AccountFault, None, None, Some("HTTP 401")),
        (
            302,
            &[("location", "http://127.0.0.1:1/")],
            "",
            Outcome::AccountFault,
            None,
            None,
            Some("redirect"),
        ),
    ] {
        let answer = answered(status, headers, body).await;
        assert_eq!(answer.outcome, outcome, "{status} {body}");
        assert_eq!(answer.provider_message_id.as_deref(), id, "{status} {body}");
        assert_eq!(answer.retry_after, retry_after.map(Span::from_ms), "{status} {body}");
        match detail {
            Some(part) => assert!(answer.detail.as_deref().is_some_and(|d| d.contains(part)), "{answer:?}"),
            None => assert_eq!(answer.detail, None, "{status} {body}"),
        }
    }
    assert!(answered(410, &[], "").await.address_gone);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read_and_the_status_stands() {
    let mut receiver = Receiver::start().await;
    let (gateway, outbound, call) = (gateway(&receiver.url("/"), &json!({})), outbound(true), call());
    let (answer, ()) = tokio::join!(gateway.call(&outbound, &call), async {
        receiver.next().await.answer(200, &[], "x".repeat(8 << 20));
    });
    assert_eq!(answer, Answer::of(Outcome::Accepted));
}

#[tokio::test]
async fn what_was_never_sent_is_transient_and_what_was_sent_without_an_answer_is_in_doubt() {
    let call = call();
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let answer = gateway(&nobody, &json!({})).call(&outbound(true), &call).await;
    assert_eq!(answer.outcome, Outcome::Transient, "{answer:?}");

    // No TLS there, so the request itself was never sent.
    let receiver = Receiver::start().await;
    let https = receiver.url("/").replace("http:", "https:");
    let answer = gateway(&https, &json!({})).call(&outbound(true), &call).await;
    assert_eq!(answer.outcome, Outcome::Transient, "{answer:?}");

    for reply in ["", "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = gateway(&format!("http://{}/", listener.local_addr().unwrap()), &json!({}));
        let (outbound, mut seen) = (outbound(true), [0_u8; 4096]);
        let (answer, ()) = tokio::join!(gateway.call(&outbound, &call), async {
            let (mut socket, _) = listener.accept().await.unwrap();
            assert!(socket.read(&mut seen).await.unwrap() > 0);
            socket.write_all(reply.as_bytes()).await.unwrap();
        });
        assert_eq!(answer.outcome, Outcome::InDoubt, "{reply:?} gave {answer:?}");
        assert!(!answer.detail.unwrap().contains("127.0.0.1"));
    }

    let mut receiver = Receiver::start().await;
    let hasty = Settings {
        allow_private_addresses: true,
        call_time_max: Duration::from_millis(50),
        ..Settings::default()
    };
    let (outbound, gateway) = (Outbound::new(hasty).unwrap(), gateway(&receiver.url("/"), &json!({})));
    let (answer, _held) = tokio::join!(gateway.call(&outbound, &call), receiver.next());
    assert_eq!(answer.outcome, Outcome::InDoubt);
}

#[tokio::test]
async fn an_answer_that_breaks_off_after_its_status_is_what_the_status_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = gateway(&format!("http://{}/", listener.local_addr().unwrap()), &json!({}));
    let (outbound, call, mut seen) = (outbound(true), call(), [0_u8; 4096]);
    let (answer, ()) = tokio::join!(gateway.call(&outbound, &call), async {
        let (mut socket, _) = listener.accept().await.unwrap();
        assert!(socket.read(&mut seen).await.unwrap() > 0);
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\"").await.unwrap();
    });
    assert_eq!(answer, Answer::of(Outcome::Accepted));
}

#[tokio::test]
async fn an_address_inside_the_network_is_an_account_fault_at_the_call() {
    let mut receiver = Receiver::start().await;
    let answer = gateway(&receiver.url("/"), &json!({})).call(&outbound(false), &call()).await;
    assert_eq!(answer.outcome, Outcome::AccountFault);
    assert!(answer.detail.unwrap().contains("loopback"));
    assert!(receiver.waiting().is_none());
}

/// Names that the test sets, and how often each was asked for.
#[derive(Default)]
struct Fixed(Mutex<HashMap<String, Vec<IpAddr>>>);

impl Fixed {
    fn set(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.0.lock().unwrap().insert(name.to_owned(), addresses);
    }
}

impl Names for Fixed {
    fn look_up(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let found = self.0.lock().unwrap().get(&host).cloned();
        Box::pin(async move { found.ok_or_else(|| io::Error::other("no such name")) })
    }
}

fn guarded(names: &Arc<Fixed>, allow_private_addresses: bool) -> Outbound {
    let settings = Settings { allow_private_addresses, ..Settings::default() };
    Outbound::with_names(settings, Arc::clone(names) as Arc<dyn Names>).unwrap()
}

#[tokio::test]
async fn a_url_is_refused_when_it_is_set_and_leads_inside() {
    let names = Arc::new(Fixed::default());
    names.set("inside.test", &["10.0.0.1"]);
    names.set("mixed.test", &["1.1.1.1", "::1"]);
    names.set("outside.test", &["1.1.1.1", "2606:4700:4700::1111"]);
    let (strict, lax) = (guarded(&names, false), guarded(&names, true));
    for url in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00:ec2::254]/",
        "http://inside.test/",
        "https://mixed.test:8443/",
        "http://100.64.0.1/",
    ] {
        assert!(matches!(strict.check(url).await, Err(UrlError::Refused(_))), "{url} was taken");
        assert!(lax.check(url).await.is_ok(), "{url} was refused");
    }
    for url in ["https://outside.test/hook", "http://1.1.1.1/", "https://does-not-resolve.test/"] {
        assert!(strict.check(url).await.is_ok(), "{url} was refused");
    }
    for url in
        ["", "outside.test", "/hook", "ftp://outside.test/", "mailto:a@b.c", "http://", "file:///etc/passwd"]
    {
        assert_eq!(lax.check(url).await, Err(UrlError::Form), "{url}");
    }
    assert_eq!(lax.check("https://user:pass@outside.test/").await, Err(UrlError::UserInfo));
}

#[tokio::test]
async fn a_name_that_leads_inside_later_is_refused_at_the_connection() {
    let names = Arc::new(Fixed::default());
    let mut receiver = Receiver::start().await;
    names.set("rebinding.test", &["1.1.1.1"]);
    let outbound = guarded(&names, false);
    let url = format!("http://rebinding.test:{}/", receiver.address.port());
    let url = outbound.check(&url).await.unwrap();
    names.set("rebinding.test", &["127.0.0.1"]);
    let refused = outbound.post(&url, Default::default(), Vec::new()).await.unwrap_err();
    assert!(matches!(refused, CallError::Refused(_)), "{refused:?}");
    assert!(receiver.waiting().is_none());

    let gone = url::Url::parse("http://does-not-resolve.test/").unwrap();
    let failed = outbound.post(&gone, Default::default(), Vec::new()).await.unwrap_err();
    assert!(matches!(failed, CallError::NotConnected(_)), "{failed:?}");

    let lax = guarded(&names, true);
    let (reply, ()) = tokio::join!(lax.post(&url, Default::default(), Vec::new()), async {
        receiver.next().await.ok();
    });
    assert_eq!(reply.unwrap().status, 200);
}

fn callbacks(body: &str, credentials: &Value) -> Result<Vec<Callback>, CallbackError> {
    let now = real_now();
    let mut headers = reqwest::header::HeaderMap::new();
    let secret = Secret::parse(SECRET).unwrap();
    signature::sign(&mut headers, &[secret], "cb_1", now, body.as_bytes());
    gateway("https://example.org/", credentials).callbacks(&headers, body.as_bytes(), now)
}

#[test]
fn a_signed_callback_is_read_one_or_a_list() {
    let with_secret = json!({"secret": SECRET});
    let attempt: Id<kinds::Attempt> = Id::from_u128(5);
    let body = json!([
        {"type": "receipt", "id": "gw-1", "status": "delivered", "at": "2026-01-05T12:00:00Z"},
        {"type": "receipt", "attempt_id": attempt.to_string(), "status": "failed", "detail": "no credit"},
        {"type": "reply", "id": "gw-2", "from": "+491", "text": "YES"},
    ]);
    let read = callbacks(&body.to_string(), &with_secret).unwrap();
    assert!(
        read == vec![
            Callback::Receipt {
                provider_message_id: Some("gw-1".into()),
                attempt_id: None,
                report: Report::Confirmed(Confirmation::Delivered),
                detail: None,
                at: Some("2026-01-05T12:00:00Z".parse().unwrap()),
            },
            Callback::Receipt {
                provider_message_id: None,
                attempt_id: Some(attempt),
                report: Report::Failed { fault: None, address_gone: false },
                detail: Some("no credit".into()),
                at: None,
            },
            Callback::Reply {
                provider_message_id: Some("gw-2".into()),
                attempt_id: None,
                from: "+491".into(),
                text: "YES".into(),
            },
        ]
    );
    assert!(!format!("{read:?}").contains("YES"));
    let one = callbacks(r#"{"type": "receipt", "id": "gw-1", "status": "read"}"#, &with_secret).unwrap();
    assert_eq!(one.len(), 1);
    let unsigned = callbacks(&body.to_string(), &json!({"token": "t"}));
    assert_eq!(unsigned, Err(CallbackError::Unverified));
    let other = callbacks(&body.to_string(), &json!({"secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}));
    assert_eq!(other, Err(CallbackError::Unverified));
}

#[test]
fn what_is_signed_and_not_understood_is_told_with_every_pointer() {
    let pointers = |body: &str| match callbacks(body, &json!({"secret": SECRET})) {
        Err(CallbackError::NotUnderstood(faults)) => {
            faults.into_iter().map(|fault| fault.pointer).collect::<Vec<_>>()
        }
        other => panic!("{body} gave {other:?}"),
    };
    for (body, expected) in [
        ("not json", &[""][..]),
        ("17", &[""]),
        (r#"{"type": "receipt", "status": "delivered"}"#, &["/id"]),
        (r#"{"type": "receipt", "id": "a", "status": "lost"}"#, &["/status"]),
        (r#"{"type": "receipt", "id": "a"}"#, &["/status"]),
        (r#"{"type": "reply", "id": "a", "text": "x"}"#, &["/from"]),
        (r#"{"type": "nothing", "id": "a"}"#, &["/type"]),
        (r#"{"id": "a"}"#, &["/type"]),
        (
            r#"[{"type": "receipt", "id": "a", "status": "read"}, {"type": "receipt", "id": 1, "status": "read"}, {"type": "reply"}]"#,
            &["/1/id", "/2/from", "/2/text"],
        ),
        (r#"{"type": "receipt", "attempt_id": "att_1", "status": "read"}"#, &["/attempt_id"]),
        (r#"{"type": "receipt", "id": "a", "status": "read", "extra": 1}"#, &["/extra"]),
    ] {
        assert_eq!(pointers(body), expected, "{body}");
    }
}

#[test]
fn settings_and_credentials_are_checked_with_all_faults_at_once() {
    let http = kind("http").unwrap();
    let pointers = |settings: Value, credentials: Value| {
        http.check(&settings, &credentials).into_iter().map(|fault| fault.pointer).collect::<Vec<_>>()
    };
    assert_eq!(
        pointers(json!({"url": "https://a.example/"}), json!({"secret": SECRET, "token": "t"})),
        [""; 0]
    );
    assert_eq!(pointers(json!({"url": "https://a.example/"}), Value::Null), [""; 0]);
    assert_eq!(
        pointers(json!({"uri": "x"}), json!({"secret": "whsec_short", "key": 1})),
        ["/settings/uri", "/settings/url", "/credentials/key"]
    );
    assert_eq!(
        pointers(json!({"url": "ftp://a"}), json!({"secret": "short"})),
        ["/settings/url", "/credentials/secret"]
    );
    assert_eq!(
        pointers(json!({"url": 1}), json!({"token": "two words"})),
        ["/settings/url", "/credentials/token"]
    );
    assert_eq!(http.urls(&json!({"url": "https://a.example/"}))[0].0, "/settings/url");
}
