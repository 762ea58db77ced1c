//! What the demo tells, step by step. Everything goes over HTTP, as a customer would do it.

use reqwest::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::paint::Paint;
use super::receiver::Receiver;
use super::{DemoError, audit, expect};
use crate::model::Instant;

const POLICY: &str = "policy table_ready { whatsapp then sms after 30s unless quota }";
const IDEMPOTENCY_KEY: &str = "table-ready-ada";

/// Everything that takes part.
pub(super) struct Story {
    pub(super) client: Client,
    pub(super) receiver: Receiver,
    pub(super) paint: Paint,
}

impl Story {
    pub(super) async fn tell(&self) -> Result<(), DemoError> {
        let contact = self.prepare().await?;
        let sent = self.send(&contact).await?;
        let id = text(&sent["id"]).to_owned();
        self.advance(&sent).await?;
        self.look_back(&id).await?;
        self.close()
    }

    /// Chapters one and two: what a tenant sets up once. Gives the contact's id.
    async fn prepare(&self) -> Result<Value, DemoError> {
        let (client, paint) = (&self.client, self.paint);
        paint.line(&format!(
            "{}: everything once, over HTTP, on a temporary database",
            paint.strong("spine demo")
        ))?;
        paint.chapter("A tenant, and where its events go")?;
        self.row("server", client.base())?;
        self.row("tenant", &format!("demo, with the test key {}", client.shown_key()))?;
        let url = self.receiver.url();
        let endpoint = json!({"url": url, "events": ["message.*"], "description": "the demo's receiver"});
        let endpoint = client.post("/webhook_endpoints", &endpoint, 201).await?;
        self.receiver.verify_with(text(&endpoint["secret"]))?;
        self.row("webhook", &format!("{url}, which verifies every signature"))?;

        paint.chapter("What is said, and which way it goes")?;
        let published = client.post("/policies", &json!({"source": POLICY}), 201).await?;
        let bounds = &published["data"][0]["bounds"];
        self.row("policy", POLICY)?;
        self.row("", &paint.quiet(&format!("at most {} sends, whatever happens", bounds["sends_max"])))?;
        let body = |channel: &str, text: &str| json!({"channel": channel, "body": text});
        let template = json!({"name": "table_ready", "default_policy": "table_ready", "bodies": [
            body("whatsapp", "{{ contact.name }}, your table for {{ guests }} is ready."),
            body("sms", "Your table for {{ guests }} is ready."),
        ]});
        client.post("/templates", &template, 201).await?;
        self.row("template", "Your table for {{ guests }} is ready.")?;
        let contact =
            json!({"name": "Ada", "addresses": {"whatsapp": "+4366412345678", "sms": "+4366412345678"}});
        let contact = client.post("/contacts", &contact, 201).await?;
        self.row("contact", "Ada, on WhatsApp and by SMS")?;
        Ok(contact["id"].clone())
    }

    /// Chapter three: the send. WhatsApp takes it and then stays silent.
    async fn send(&self, contact: &Value) -> Result<Value, DemoError> {
        let (client, paint) = (&self.client, self.paint);
        paint.chapter("A message; the sandbox keeps WhatsApp silent")?;
        let request = json!({
            "contact_id": contact, "template": "table_ready", "vars": {"guests": 4},
            "sandbox": {"whatsapp": "accepted", "sms": "accepted, delivered after 2s"},
        });
        let first = client.change_under(IDEMPOTENCY_KEY, Method::POST, "/messages", &request).await?;
        let message = first.json(202)?;
        self.row("202", &format!("{} {}", text(&message["id"]), paint.waiting(text(&message["status"]))))?;
        self.events(&message, &["message.created", "message.sent whatsapp"]).await?;
        let again = client.change_under(IDEMPOTENCY_KEY, Method::POST, "/messages", &request).await?;
        expect(again.is_replay && again.bytes == first.bytes && again.status == 202, || {
            "the same request under the same idempotency key was not answered as before".to_owned()
        })?;
        self.row(
            "again",
            &paint.quiet("the same request, the same key: the same answer, and nothing sent twice"),
        )?;
        let path = format!("/messages/{}", text(&message["id"]));
        let now = client.get(&path).await?;
        expect(now["status"] == "sent" && now["stages"][0]["state"] == "waiting", || {
            format!("the message should wait for WhatsApp: {now}")
        })?;
        self.row("status", &format!("{}: whatsapp accepted it, nobody confirms", paint.waiting("sent")))?;
        Ok(message)
    }

    /// Chapter four: time passes, and the fallback goes out.
    async fn advance(&self, message: &Value) -> Result<(), DemoError> {
        let (client, paint) = (&self.client, self.paint);
        paint.chapter("The test clock moves on by 40 seconds")?;
        let clock = client.post("/test_clock/advance", &json!({"by": "40s"}), 200).await?;
        expect(clock["advanced_by_ms"] == 40_000, || format!("the clock shows something else: {clock}"))?;
        self.events(message, &["message.sent sms", "message.delivered sms"]).await?;
        let path = format!("/messages/{}", text(&message["id"]));
        let now = client.get(&path).await?;
        expect(now["status"] == "delivered" && now["reached_by"] == "sms" && now["sends"] == 2, || {
            format!("the SMS should have reached Ada: {now}")
        })?;
        let told = format!(
            "{} by {} after {} sends",
            paint.good("delivered"),
            text(&now["reached_by"]),
            now["sends"]
        );
        self.row("status", &told)
    }

    /// Chapter five: the audit.
    async fn look_back(&self, id: &str) -> Result<(), DemoError> {
        let paint = self.paint;
        paint.chapter("The audit: each change of state, chained by hashes")?;
        let page = self.client.get(&format!("/messages/{id}/transitions?limit=100")).await?;
        let transitions = page["data"].as_array().cloned().unwrap_or_default();
        expect(!transitions.is_empty(), || "the audit is empty".to_owned())?;
        let start = &transitions[0]["at"];
        for transition in &transitions {
            let moved = match &transition["from"] {
                Value::Null => text(&transition["to"]).to_owned(),
                from if *from == transition["to"] => String::new(),
                from => format!("{} → {}", text(from), text(&transition["to"])),
            };
            let line = format!(
                "{:>3} {:>7}  {:<20} {:<9} {:<20} {}",
                transition["seq"].to_string(),
                after(start, &transition["at"]),
                text(&transition["event"]),
                text(&transition["channel"]),
                moved,
                paint.quiet(short(text(&transition["hash"]))),
            );
            paint.line(&format!("  {}", line.trim_end()))?;
        }
        audit::verify(&json!(id), &transitions)?;
        paint.line(&format!(
            "  {}",
            paint.good(&format!("{} transitions, no gap, every hash as it should be", transitions.len()))
        ))
    }

    fn close(&self) -> Result<(), DemoError> {
        self.paint.chapter("Try next")?;
        for (command, what) in [
            ("spine serve", "a server of your own; it prints a test key"),
            ("spine policy check policies/", "policies to learn from, checked"),
            ("curl localhost:8080/openapi.json", "the whole REST surface"),
        ] {
            self.paint.line(&format!("  {}  {what}", self.paint.strong(&format!("{command:<32}"))))?;
        }
        Ok(())
    }

    /// Prints events as they come, until these have come; each once, and each verified.
    async fn events(&self, message: &Value, wanted: &[&str]) -> Result<(), DemoError> {
        let mut wanted: Vec<&str> = wanted.to_vec();
        while !wanted.is_empty() {
            let received = self.receiver.next(&wanted.join(", ")).await?;
            let event = received.event;
            let kind = text(&event["type"]);
            let named = match text(&event["data"]["channel"]) {
                "" => kind.to_owned(),
                channel => format!("{kind} {channel}"),
            };
            expect(received.is_verified, || format!("the signature of {named} does not hold"))?;
            expect(event["data"]["message_id"] == message["id"], || {
                format!("{named} is of another message")
            })?;
            let place = wanted.iter().position(|each| *each == named || *each == kind);
            let Some(place) = place else {
                return Err(DemoError::Unexpected(format!("the event {named}, which nobody waits for")));
            };
            wanted.remove(place);
            let at = after(&message["created_at"], &event["timestamp"]);
            let verified = self.paint.good("signature verified");
            self.row("event", &format!("{at:>7}  {named:<24} {verified}"))?;
        }
        Ok(())
    }

    fn row(&self, what: &str, told: &str) -> Result<(), DemoError> {
        self.paint.line(&format!("  {} {told}", self.paint.quiet(&format!("{what:<9}"))))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

/// How long after `start`, in seconds.
fn after(start: &Value, at: &Value) -> String {
    let read = |value: &Value| serde_json::from_value::<Instant>(value.clone()).ok();
    let ms = read(start).zip(read(at)).map_or(0, |(start, at)| at.since(start).ms());
    format!("+{}.{}s", ms / 1_000, ms % 1_000 / 100)
}
