//! Several nodes on one store: what one node promises, all promise together, while they die, pause, stop
//! and come back.

mod clocks;
mod cluster;
mod ends;
mod facts;
mod node;
mod passed_on;
mod rates;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use spine::providers::signature::{self, Secret};

use crate::receiver::{Received, Receiver};
use crate::stores::{Kind, within_a_second};
use cluster::{Answer, Cluster};

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODw==";

/// Nodes with a live provider, and its gateway.
struct Live {
    cluster: Cluster,
    gateway: Receiver,
    provider: String,
}

impl Live {
    fn of(on: Kind, count: usize) -> Live {
        Live::with(on, count, &json!({}))
    }

    /// With a provider of which more is said.
    fn with(on: Kind, count: usize, more: &Value) -> Live {
        let cluster = Cluster::of(on, count);
        let gateway = cluster.runtime.block_on(Receiver::start());
        let mut body = json!({"name": "gw", "kind": "http", "settings": {"url": gateway.url("/send")},
            "credentials": {"secret": SECRET}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = cluster.ask(0, "POST /providers as live", &body);
        assert_eq!(made.status, 201, "{made:?}");
        let provider = made.body["id"].as_str().unwrap().to_owned();
        Live { cluster, gateway, provider }
    }

    /// The next call of the gateway.
    fn call(&mut self) -> Received {
        self.cluster.come("a call", self.gateway.next())
    }

    /// The next call, while time goes on a second at a time.
    fn call_within(&mut self, seconds: u32) -> Received {
        for _ in 0..seconds {
            self.cluster.later(1);
            if let Some(call) = within_a_second(&self.cluster.runtime, self.gateway.next()) {
                return call;
            }
        }
        panic!("no call within {seconds} s");
    }

    fn send(&self, node: usize, strategy: &str) -> String {
        self.cluster.send(node, "live", &json!({ "strategy": strategy }))
    }

    /// A message, as a node shows it.
    fn message(&self, node: usize, id: &str) -> Value {
        self.cluster.message(node, "live", id)
    }

    fn status(&self, node: usize, id: &str) -> String {
        self.cluster.status(node, "live", id)
    }

    fn until_status(&self, node: usize, id: &str, status: &str) {
        self.cluster.until_status(node, "live", id, status);
    }

    /// How many messages have ended of which something is still to come.
    fn unsettled(&self) -> usize {
        self.cluster.unsettled("live")
    }

    /// What the gateway tells a node by a callback.
    fn call_back(&self, node: usize, body: &Value) -> Answer {
        let text = body.to_string();
        let mut headers = HeaderMap::new();
        let now = self.cluster.now();
        signature::sign(&mut headers, &[Secret::parse(SECRET).unwrap()], "cb_1", now, text.as_bytes());
        self.cluster.come("an answer", self.cluster.called_back(node, &self.provider, headers, text))
    }
}

fn attempt_of(call: &Received) -> String {
    call.json()["attempt_id"].as_str().unwrap().to_owned()
}

fn accepted(call: Received, id: &str) {
    call.answer(200, &[], json!({ "id": id }).to_string());
}

/// The outcomes of a message's attempts, in order.
fn outcomes(message: &Value) -> Vec<String> {
    let stages = message["stages"].as_array().unwrap().iter();
    let attempts = stages.flat_map(|stage| stage["attempts"].as_array().unwrap());
    attempts.map(|attempt| attempt["outcome"].as_str().unwrap_or("none").to_owned()).collect()
}
