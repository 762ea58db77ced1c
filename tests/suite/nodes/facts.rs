//! What one node changes is in force at the others for the next message.

use serde_json::{Value, json};

use super::Live;
use super::cluster::Cluster;
use crate::stores::{Kind, on_each_store};

fn contact(cluster: &Cluster, node: usize) -> String {
    let body = json!({"addresses": {"sms": "+4915112345678"}});
    let made = cluster.ask(node, "POST /contacts", &body);
    assert_eq!(made.status, 201, "{made:?}");
    made.body["id"].as_str().unwrap().to_owned()
}

/// Sends to a contact at a node; the answer.
fn sent(cluster: &Cluster, node: usize, body: &Value) -> super::Answer {
    cluster.ask(node, "POST /messages", body)
}

fn a_template_or_policy_that_one_node_publishes_is_used_by_the_next_send_at_another(on: Kind) {
    let cluster = Cluster::of(on, 2);
    let template = |body: &str| json!({"name": "t", "bodies": [{"channel": "sms", "body": body}]});
    let policy = |text: &str| json!({"source": format!("policy p {{ {text} }}")});
    assert_eq!(cluster.ask(0, "POST /templates", &template("one")).status, 201);
    assert_eq!(cluster.ask(0, "POST /policies", &policy("sms")).status, 201);
    let body = json!({"to": {"sms": "+4915112345678"}, "template": "t", "policy": "p"});
    for version in 1..4 {
        let message = sent(&cluster, 1, &body);
        assert_eq!(message.status, 202, "{message:?}");
        let used = (message.body["template"].as_str(), message.body["policy"].as_str());
        let (t, p) = (format!("t@{version}"), format!("p@{version}"));
        assert_eq!(used, (Some(t.as_str()), Some(p.as_str())));
        assert_eq!(cluster.ask(0, "POST /templates", &template(&format!("{version}"))).status, 201);
        let published = cluster.ask(0, "POST /policies", &policy(&format!("sms then wait {version}m")));
        assert_eq!(published.status, 201, "{published:?}");
    }
}

fn who_opted_out_at_one_node_is_not_written_to_by_another(on: Kind) {
    let cluster = Cluster::of(on, 2);
    let id = contact(&cluster, 0);
    let body = json!({"contact_id": id, "content": {"sms": {"body": "hi"}}, "strategy": "sms"});
    assert_eq!(sent(&cluster, 1, &body).body["status"], "queued");
    let consent = cluster.ask(0, &format!("PUT /contacts/{id}/consent/sms"), &json!({"state": "opted_out"}));
    assert_eq!(consent.status, 200, "{consent:?}");
    let refused = sent(&cluster, 1, &body);
    assert_eq!(refused.body["status"], "failed", "{refused:?}");
    assert_eq!(refused.body["reasons"][0]["reason"], "opted_out");
}

fn an_erasure_cancels_what_is_on_its_way_at_every_node(on: Kind) {
    let mut live = Live::of(on, 2);
    let made =
        live.cluster.ask(0, "POST /contacts as live", &json!({"addresses": {"sms": "+4915112345678"}}));
    let contact = made.body["id"].as_str().unwrap().to_owned();
    let send = |node: usize, strategy: &str| {
        let body = json!({"contact_id": contact, "content": {"sms": {"body": "hi"}}, "strategy": strategy});
        let answer = live.cluster.ask(node, "POST /messages as live", &body);
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body["id"].as_str().unwrap().to_owned()
    };
    let ids = [send(0, "sms"), send(0, "wait 1h then sms"), send(1, "wait 1h then sms")];
    let call = live.call();
    let erased = live.cluster.asking(1, &format!("DELETE /contacts/{contact} as live"), &Value::Null);
    let erased = live.cluster.answered(erased);
    assert_eq!(erased.status, 204, "{erased:?}");
    for id in &ids {
        assert_eq!(live.status(0, id), "canceled");
    }
    super::accepted(call, "g1");
    // The other node has let go of the person too.
    let body = json!({"contact_id": contact, "content": {"sms": {"body": "hi"}}, "strategy": "sms"});
    assert_eq!(live.cluster.ask(0, "POST /messages as live", &body).status, 422);
}

on_each_store!(
    a_template_or_policy_that_one_node_publishes_is_used_by_the_next_send_at_another,
    who_opted_out_at_one_node_is_not_written_to_by_another,
    an_erasure_cancels_what_is_on_its_way_at_every_node,
);
