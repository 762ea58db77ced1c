//! What a provider may be asked a second, all nodes together.

use serde_json::json;

use super::cluster::LEASE_S;
use super::{Live, accepted};
use crate::stores::{Kind, on_each_store, within_a_second};

/// How many calls a second the provider takes.
const RATE: usize = 3;
const NODES: usize = 3;
const MESSAGES: usize = 12;

fn a_rate_is_kept_by_all_nodes_together(on: Kind) {
    let mut live = Live::with(on, NODES, &json!({"rate_per_second": RATE}));
    // Who joins takes its part once all know of it.
    live.cluster.later(LEASE_S + 1);
    let ids: Vec<String> = (0..MESSAGES).map(|n| live.send(n % NODES, "sms")).collect();
    let (mut calls, mut seconds) = (0, 0);
    while calls < MESSAGES {
        while let Some(call) = within_a_second(&live.cluster.runtime, live.gateway.next()) {
            accepted(call, &format!("g{calls}"));
            calls += 1;
            // What is in the bucket, and what has come to it since.
            assert!(calls <= RATE * (seconds + 1), "{calls} calls within {seconds} s");
            if calls == MESSAGES.min(RATE * (seconds + 1)) {
                break;
            }
        }
        if calls == MESSAGES {
            break;
        }
        assert!(seconds < 30, "{calls} calls within {seconds} s");
        live.cluster.later(1);
        seconds += 1;
    }
    for id in &ids {
        live.until_status(0, id, "sent");
    }
}

on_each_store!(a_rate_is_kept_by_all_nodes_together);
