//! Who is called: a gateway that honours idempotency keys and counts, and receivers of webhooks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use spine::model::{Id, Instant, kinds};
use spine::providers::outbound::{CallError, Reply, Transport};
use spine::store::memory::MemoryStore;
use tokio::sync::oneshot;
use url::Url;

use super::core::{Core, Entry, RunNo, T0, lock};
use super::history::{Call, Mood, Reaction, Receipt};
use super::weather::short;
use super::world::Turn;

/// How long a caller waits for an answer.
const PATIENCE_MS: i64 = 15_000;

/// A call as the gateway saw it.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) run: RunNo,
    pub(crate) at: Instant,
    pub(crate) attempt: Id<kinds::Attempt>,
    /// The number of the message, as its caller gave it.
    pub(crate) message: u32,
    /// Whether its intent was durable.
    pub(crate) was_durable: bool,
    /// Whether the gateway took it for the first time.
    pub(crate) taken: bool,
    pub(crate) channel: String,
}

/// A try of a webhook, as its receiver saw it.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    pub(crate) at: Instant,
    /// When the one who tried was answered, gave up, or was no more.
    pub(crate) until: Instant,
    pub(crate) run: RunNo,
    pub(crate) endpoint: usize,
    pub(crate) event: String,
    pub(crate) taken: bool,
}

impl Called {
    /// Milliseconds since the start of the world.
    pub(crate) fn elapsed_ms(&self) -> i64 {
        self.at.ms() - T0
    }
}

impl Tried {
    /// Whether its end was still waited for, so many milliseconds after the start of the world.
    pub(crate) fn is_under_way(&self, elapsed_ms: i64) -> bool {
        (self.at.ms() - T0..self.until.ms() - T0).contains(&elapsed_ms)
    }
}

#[derive(Default)]
struct Seen {
    scripts: BTreeMap<u32, Vec<Call>>,
    calls: Vec<Called>,
    /// The gateway's ids of what it took, by the attempt.
    took: BTreeMap<Id<kinds::Attempt>, String>,
    tries: Vec<Tried>,
    moods: BTreeMap<usize, Mood>,
    /// Receipts that are to be sent; each is in the queue by its place here.
    receipts: Vec<Due>,
    calm: bool,
}

/// A receipt on its way.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub(crate) provider: Id<kinds::Provider>,
    pub(crate) body: Value,
    pub(crate) node: usize,
    pub(crate) taken: bool,
}

/// Everybody who is called.
pub(crate) struct Gateway {
    core: Arc<Core>,
    store: MemoryStore,
    seen: Mutex<Seen>,
}

/// What comes back, and when.
type Answer = (i64, Result<Reply, CallError>);

impl Gateway {
    pub(crate) fn new(core: Arc<Core>, store: MemoryStore) -> Arc<Gateway> {
        Arc::new(Gateway { core, store, seen: Mutex::default() })
    }

    /// What to do with the calls of a message.
    pub(crate) fn script(&self, message: u32, script: Vec<Call>) {
        lock(&self.seen).scripts.insert(message, script);
    }

    pub(crate) fn mood(&self, endpoint: usize, mood: Mood) {
        lock(&self.seen).moods.insert(endpoint, mood);
    }

    /// From now on all are well and answer as they should.
    pub(crate) fn calm(&self) {
        let mut seen = lock(&self.seen);
        seen.calm = true;
        seen.moods.clear();
    }

    pub(crate) fn calls(&self) -> Vec<Called> {
        lock(&self.seen).calls.clone()
    }

    pub(crate) fn tries(&self) -> Vec<Tried> {
        lock(&self.seen).tries.clone()
    }

    pub(crate) fn receipt(&self, place: usize) -> Option<Due> {
        lock(&self.seen).receipts.get(place).cloned()
    }

    pub(crate) fn receipts(&self) -> Vec<Due> {
        lock(&self.seen).receipts.clone()
    }

    pub(crate) fn receipt_taken(&self, place: usize) {
        if let Some(due) = lock(&self.seen).receipts.get_mut(place) {
            due.taken = true;
        }
    }

    pub(crate) fn receipts_open(&self) -> usize {
        lock(&self.seen).receipts.iter().filter(|due| !due.taken).count()
    }

    fn called(&self, line: &Line, url: &Url, headers: &HeaderMap, body: &[u8]) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        match url.path() {
            path if path.starts_with("/gw/") => self.send(line.run, &body, headers),
            path => {
                let endpoint = path.trim_start_matches("/hook/").parse().unwrap_or_default();
                self.webhook(line, endpoint, &body)
            }
        }
    }

    /// Nobody waits for the answer to this try any more.
    fn hung_up(&self, place: usize) {
        let now = self.core.now();
        if let Some(tried) = lock(&self.seen).tries.get_mut(place) {
            tried.until = tried.until.min(now);
        }
    }

    fn send(&self, run: RunNo, body: &Value, headers: &HeaderMap) -> Answer {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let Ok(attempt) = text("attempt_id").parse::<Id<kinds::Attempt>>() else {
            return (0, Ok(reply(400, &json!({"outcome": "content_fault"}))));
        };
        let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
        let message = body.pointer("/metadata/n").and_then(Value::as_str).and_then(|n| n.parse().ok());
        let message: u32 = message.unwrap_or_default();
        let provider = text("callback_url").rsplit('/').next().and_then(|id| id.parse().ok());
        let was_durable = self.store.has_attempt(attempt);
        let mut seen = lock(&self.seen);
        let known = seen.took.get(&attempt).cloned();
        // The first call of each attempt takes the next part of the message's script.
        let before: std::collections::BTreeSet<_> =
            seen.calls.iter().filter(|call| call.message == message).map(|call| call.attempt).collect();
        let times = seen.calls.iter().filter(|call| call.attempt == attempt).count();
        let part = {
            let script = seen.scripts.get(&message).map(Vec::as_slice).unwrap_or_default();
            let place = before.iter().position(|id| *id == attempt).unwrap_or(before.len()) + times;
            script.get(place.min(script.len().saturating_sub(1))).cloned()
        };
        let part = part.unwrap_or(Call { reaction: Reaction::Accept, after_ms: 1, receipts: Vec::new() });
        let reaction = if seen.calm { Reaction::Accept } else { part.reaction };
        use Reaction::{Accept, TakeAndBabble, TakeAndBreak, TakeAndHang};
        let takes = matches!(reaction, Accept | TakeAndBreak | TakeAndHang | TakeAndBabble);
        let id = known.clone().unwrap_or_else(|| format!("gw-{}", seen.took.len() + 1));
        let first = takes && known.is_none();
        if first {
            seen.took.insert(attempt, id.clone());
        }
        seen.calls.push(Called {
            run,
            at: self.core.now(),
            attempt,
            message,
            was_durable,
            taken: first,
            channel: text("channel"),
        });
        self.core.mark(attempt.as_u128() as u64 ^ u64::from(first));
        self.core.tell(|| {
            let what = if known.is_some() { "which it took before" } else { "new to it" };
            let key = if key == attempt.to_string() { "" } else { " under another key" };
            format!(
                "  the gateway is called for {} of message {message}{key}, {what}: {reaction:?}",
                short(attempt)
            )
        });
        if first && let Some(provider) = provider {
            for receipt in &part.receipts {
                let due = Due {
                    provider,
                    body: told(receipt, attempt, &id, &text("to")),
                    node: receipt.node,
                    taken: false,
                };
                for time in 0..=i64::from(receipt.twice) {
                    seen.receipts.push(due.clone());
                    let place = seen.receipts.len() - 1;
                    let after = receipt.after_ms + time * 700;
                    self.core.after(after, Entry::Turn(Turn::Receipt(place)));
                }
            }
        }
        // What was taken before is taken again, under the same id.
        let reaction = if known.is_some() && !takes { Accept } else { reaction };
        answer(reaction, part.after_ms, &id)
    }

    fn webhook(&self, line: &Line, endpoint: usize, body: &Value) -> Answer {
        let mut seen = lock(&self.seen);
        let mood = seen.moods.get(&endpoint).copied().unwrap_or(Mood::Takes);
        let (after, answer) = match mood {
            Mood::Takes => (3, Ok(reply(200, &Value::Null))),
            Mood::Refuses => (3, Ok(reply(503, &Value::Null))),
            Mood::TakesAndBreaks => (40, Err(CallError::NoAnswer("the connection broke".to_owned()))),
            Mood::Hangs => (PATIENCE_MS, Err(CallError::NoAnswer("it took too long".to_owned()))),
        };
        let event = body.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let at = self.core.now();
        let taken = mood == Mood::Takes;
        self.core.tell(|| format!("  receiver {endpoint} is told of {} ({}): {mood:?}", body["type"], event));
        let until = if line.is_held() { Instant::from_ms(at.ms() + after) } else { at };
        seen.tries.push(Tried { at, until, run: line.run, endpoint, event, taken });
        line.holds(seen.tries.len() - 1);
        (after, answer)
    }
}

fn told(receipt: &Receipt, attempt: Id<kinds::Attempt>, id: &str, from: &str) -> Value {
    use super::history::{Later, Named};
    let mut body = match receipt.what {
        Later::Delivered => json!({"type": "receipt", "status": "delivered"}),
        Later::Read => json!({"type": "receipt", "status": "read"}),
        Later::Failed => json!({"type": "receipt", "status": "failed"}),
        Later::Replied => json!({"type": "reply", "from": from, "text": "YES"}),
    };
    match receipt.named {
        Named::Attempt => body["attempt_id"] = json!(attempt),
        Named::Gateway => body["id"] = json!(id),
        Named::Nobody => body["id"] = json!("gw-of-nobody"),
        Named::Empty => body["id"] = json!(""),
    }
    body
}

fn reply(status: u16, body: &Value) -> Reply {
    Reply { status, headers: HeaderMap::new(), body: body.to_string().into_bytes() }
}

fn answer(reaction: Reaction, after_ms: i64, id: &str) -> Answer {
    let broken = || Err(CallError::NoAnswer("the connection broke".to_owned()));
    let outcome = |status, word: &str| Ok(reply(status, &json!({"outcome": word})));
    let answer = match reaction {
        Reaction::Accept => Ok(reply(200, &json!({"id": id}))),
        Reaction::TakeAndBreak | Reaction::Break => broken(),
        Reaction::TakeAndHang => {
            return (PATIENCE_MS, Err(CallError::NoAnswer("it took too long".to_owned())));
        }
        Reaction::NotThere => Err(CallError::NotConnected("nobody listens".to_owned())),
        Reaction::Unavailable => Ok(reply(503, &Value::Null)),
        Reaction::TooMany(seconds) => Ok(reply(429, &json!({"retry_after_s": seconds}))),
        Reaction::Garbage => Ok(Reply { status: 500, headers: HeaderMap::new(), body: b"<html>".to_vec() }),
        Reaction::TakeAndBabble => {
            Ok(Reply { status: 200, headers: HeaderMap::new(), body: b"{\"id\": [\"\"]".to_vec() })
        }
        Reaction::Recipient => outcome(400, "recipient_fault"),
        Reaction::Content => outcome(400, "content_fault"),
        Reaction::Account => outcome(401, "account_fault"),
    };
    (after_ms, answer)
}

/// A connection: what a caller tries over it, and whether the caller is still there.
struct Line {
    run: RunNo,
    state: Mutex<LineState>,
}

#[derive(Default)]
struct LineState {
    /// The place of the try, once it has arrived.
    tried: Option<usize>,
    hung_up: bool,
}

impl Line {
    fn is_held(&self) -> bool {
        !lock(&self.state).hung_up
    }

    fn holds(&self, tried: usize) {
        lock(&self.state).tried = Some(tried);
    }
}

/// The caller's end of a connection: dropped when it is answered, gives up, or dies.
struct Caller {
    line: Arc<Line>,
    gateway: Arc<Gateway>,
}

impl Drop for Caller {
    fn drop(&mut self) {
        let tried = {
            let mut state = lock(&self.line.state);
            state.hung_up = true;
            state.tried
        };
        if let Some(place) = tried {
            self.gateway.hung_up(place);
        }
    }
}

/// How the calls of one run leave.
pub(crate) struct Wire {
    pub(crate) core: Arc<Core>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) run: RunNo,
}

impl Transport for Wire {
    fn post(
        &self,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> BoxFuture<'static, Result<Reply, CallError>> {
        let (core, gateway, run) = (Arc::clone(&self.core), Arc::clone(&self.gateway), self.run);
        Box::pin(async move {
            let (tell, told) = oneshot::channel();
            let line = Arc::new(Line { run, state: Mutex::default() });
            let _caller = Caller { line: Arc::clone(&line), gateway: Arc::clone(&gateway) };
            let there = core.random(|random| if random.percent(30) { random.between(1, 20) } else { 0 });
            let back = Arc::clone(&core);
            // What is on its way arrives, whatever becomes of its sender meanwhile.
            let arrive = Box::new(move || {
                let (after, answer) = gateway.called(&line, &url, &headers, &body);
                back.after(after, Entry::Wire(run, Box::new(move || drop(tell.send(answer)))));
            });
            core.after(there, Entry::Wire(run, arrive));
            let broken = |_| Err(CallError::NoAnswer("the connection broke".to_owned()));
            told.await.unwrap_or_else(broken)
        })
    }
}
