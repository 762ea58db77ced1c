//! Single steps: what no outcome script can say. Late timers, the caller's words, and events about
//! nothing.

use spine::machine::{Effect, StageId, Was, What};
use spine::model::Channel::{Email, Sms, Voice, Whatsapp};
use spine::model::Confirmation::{Delivered, Read, Replied};
use spine::model::{Instant, Outcome, Reason, StageState, Status};

use super::driver::{Driver, noon, span};

#[test]
fn a_message_that_begins_later_is_held_and_its_clocks_start_then() {
    let mut run = Driver::with("sms after 1m if elapsed < 2m", |beginning| {
        beginning.start_at = noon().plus(span("1h"));
        beginning.expires_at = Some(noon().plus(span("3h")));
    });
    run.accept();
    assert_eq!(run.audit(), ["message_accepted", "stage_held"]);
    assert_eq!(run.due(), "1h");
    run.fire("1h");
    assert_eq!(run.audit(), ["message_begun"]);
    run.fire("1h1m");
    assert_eq!(run.audit(), ["guard_passed", "attempt_started"]);
}

#[test]
fn a_late_timer_carries_its_own_time_and_what_counts_from_a_start_counts_from_that() {
    let mut run = Driver::new("whatsapp then sms after 30s then voice after 10m");
    run.accept();
    run.look_away();
    run.answer("0s", 1, Outcome::Accepted);
    run.look_away();
    // The process was down for an hour.
    run.fire("1h");
    assert_eq!(run.doings(), ["call 2 sms"]);
    run.answer("1h", 2, Outcome::Accepted);
    run.look_away();
    assert_eq!(run.due(), "1h10m");
}

#[test]
fn after_an_outage_the_expiry_wins_over_every_start() {
    for policy in [
        "policy test { expires after 40m\n whatsapp then sms after 50m }",
        "policy test { expires after 40m\n whatsapp then sms after 30m }",
        "policy test { expires after 40m\n whatsapp retry 3 times every 30m }",
        "policy test { expires after 40m\n whatsapp repeat 3 times every 30m }",
    ] {
        let mut run = Driver::new(policy);
        run.accept();
        run.look_away();
        let outcome = if policy.contains("retry") { Outcome::Transient } else { Outcome::Accepted };
        run.answer("0s", 1, outcome);
        run.look_away();
        run.fire("1h");
        let doings = run.doings();
        assert_eq!(
            doings,
            [if outcome == Outcome::Accepted { "unconfirmed" } else { "expired" }],
            "{policy}"
        );
        assert!(run.status().1);
    }
}

#[test]
fn two_repetitions_that_are_late_together_are_one_send() {
    let mut run = Driver::new("sms repeat 3 times every 10m");
    run.accept();
    run.look_away();
    run.answer("0s", 1, Outcome::Accepted);
    run.look_away();
    run.fire("25m");
    assert_eq!(run.audit(), ["repetition_started", "attempt_started", "repetition_lost"]);
    run.answer("25m", 2, Outcome::Accepted);
    run.look_away();
    assert_eq!(run.due(), "30m");
}

#[test]
fn a_repetition_that_cannot_be_sent_is_on_record_and_the_send_before_still_waits() {
    let mut run = Driver::new("sms retry 0 times every 1s repeat 1 times every 10m");
    run.accept();
    run.answer_accepted();
    run.fire("10m");
    run.look_away();
    run.answer("10m", 2, Outcome::RateLimited);
    run.look_away();
    run.world.simulated.quota_used.insert(Sms);
    run.fire("11m");
    let failed = run.written(Was::SendFailed);
    assert_eq!(failed[0].reason, Some(Reason::Quota));
    run.confirm("12m", 1, Delivered);
    run.look_away();
    assert_eq!(run.status(), (Status::Delivered, true));
}

#[test]
fn time_never_goes_back_within_a_message() {
    let mut run = Driver::new("sms then email after 1m");
    run.accept();
    run.look_away();
    run.answer("30s", 1, Outcome::Accepted);
    run.look_away();
    run.confirm("10s", 1, Delivered);
    let delivered = run.written(Was::Delivered);
    assert_eq!(delivered[0].at, run.after("30s"));
}

#[test]
fn answers_and_receipts_for_what_is_unknown_or_over_change_nothing() {
    let mut run = Driver::new("sms");
    run.step(noon(), What::Due);
    run.step(noon(), What::Answered { attempt: 1, outcome: Outcome::Accepted, retry_after: None });
    run.step(noon(), What::Canceled);
    assert!(run.doings().is_empty(), "it has not been accepted yet");
    assert_eq!(run.due(), "-");
    run.accept();
    assert_eq!(run.doings(), ["created", "call 1 sms"]);

    let mut run = Driver::new("sms");
    run.accept();
    run.look_away();
    run.answer("0s", 7, Outcome::Accepted);
    run.at("0s", What::Confirmed { attempt: 0, level: Delivered });
    run.at("0s", What::FailedLater { attempt: 9, fault: None });
    run.at("0s", What::Ready { stage: StageId(0) });
    run.at("0s", What::Ready { stage: StageId(500) });
    run.at("0s", What::Accepted);
    run.at("0s", What::Due);
    run.answer("1s", 1, Outcome::Accepted);
    run.look_away();
    run.answer("2s", 1, Outcome::Transient);
    assert!(run.doings().is_empty());
    run.confirm("3s", 1, Delivered);
    assert_eq!(run.doings(), ["delivered 1"]);
    assert_eq!(run.status(), (Status::Delivered, true));
    run.at("4s", What::Canceled);
    run.at("4s", What::ConfirmedByCaller { level: Read, channel: None });
    run.answer("4s", 1, Outcome::InDoubt);
    assert_eq!(run.status(), (Status::Delivered, true));
}

#[test]
fn the_same_receipt_twice_changes_nothing() {
    let mut run = Driver::new("whatsapp until replied");
    run.accept();
    run.answer_accepted();
    run.confirm("1s", 1, Read);
    assert_eq!(run.doings(), ["read 1", "delivered 1"]);
    for level in [Read, Delivered] {
        run.confirm("2s", 1, level);
        assert!(run.audit().is_empty());
    }
    run.at("3s", What::FailedLater { attempt: 1, fault: None });
    assert_eq!(run.audit(), ["receipt_failed"]);
    run.at("3s", What::FailedLater { attempt: 1, fault: None });
    assert!(run.audit().is_empty());
}

#[test]
fn after_the_end_only_sent_becomes_delivered() {
    for (policy, status) in [
        ("policy test { expires after 1m\n sms }", Status::Delivered),
        ("policy test { expires after 1m\n sms otherwise fail \"no\" }", Status::Failed),
    ] {
        let mut run = Driver::new(policy);
        run.accept();
        run.answer_accepted();
        run.fire("1m");
        run.look_away();
        run.confirm("2m", 1, Delivered);
        run.look_away();
        assert_eq!(run.status(), (status, true));
        run.confirm("3m", 1, Replied);
        assert_eq!(run.doings(), ["replied 1"]);
        assert_eq!(run.status(), (status, true));
    }
}

#[test]
fn a_failure_has_the_reason_of_its_receipt() {
    for (fault, reason) in [(None, Reason::Failed), (Some(Outcome::RecipientFault), Reason::RecipientFault)] {
        let mut run = Driver::new("sms then email");
        run.accept();
        run.answer_accepted();
        run.at("5s", What::FailedLater { attempt: 1, fault });
        let failed = run.written(Was::Failed);
        assert_eq!(failed[0].reason, Some(reason));
        assert_eq!(run.instance.reasons(&run.machine)[0].reason, reason);
    }
}

#[test]
fn a_receipt_that_comes_before_the_answer_says_that_the_attempt_was_accepted() {
    let mut run = Driver::new("sms then email");
    run.accept();
    run.look_away();
    run.confirm("1s", 1, Delivered);
    assert_eq!(run.doings(), ["sent 1", "delivered 1"]);
    run.answer("2s", 1, Outcome::Accepted);
    assert!(run.doings().is_empty());
}

#[test]
fn a_transient_answer_may_ask_for_a_longer_delay_and_never_for_more_than_an_hour() {
    for (asked, due) in [("500ms", "1s"), ("20s", "20s"), ("5h", "1h")] {
        let mut run = Driver::new("sms");
        run.accept();
        run.look_away();
        let retry_after = Some(span(asked));
        run.at("0s", What::Answered { attempt: 1, outcome: Outcome::Transient, retry_after });
        run.look_away();
        assert_eq!(run.due(), due);
    }
}

#[test]
fn jitter_is_at_most_a_fifth_and_the_same_for_the_same_message() {
    let due = |seed: u64| {
        let mut run = Driver::with("sms retry 1 times every 10s", |beginning| beginning.seed = seed);
        run.accept();
        run.look_away();
        run.answer("0s", 1, Outcome::Transient);
        run.look_away();
        run.due()
    };
    let all: std::collections::BTreeSet<_> = (1..50).map(due).collect();
    assert!(all.len() > 10, "{all:?}");
    for seed in 1..50 {
        let pause = span(&due(seed));
        assert!(pause >= span("10s") && pause <= span("12s"), "{pause}");
        assert_eq!(due(seed), due(seed));
    }
    assert_eq!(due(0), "10s");
}

#[test]
fn no_template_is_the_last_of_what_is_looked_at_before_a_start() {
    let mut run = Driver::new("sms then email");
    run.world.no_body.insert(Sms);
    run.world.simulated.quota_used.insert(Sms);
    run.accept();
    let failed = run.written(Was::Failed);
    assert_eq!(failed[0].reason, Some(Reason::NoTemplate));
}

#[test]
fn the_provider_is_told_until_when_the_message_is_worth_delivering() {
    for (policy, until) in [
        ("sms", None),
        ("sms valid 10m", Some("10m")),
        ("policy test { expires after 2h\n sms valid 10m }", Some("10m")),
        ("policy test { expires after 2h\n sms }", Some("2h")),
    ] {
        let mut run = Driver::new(policy);
        run.accept();
        let mut calls = 0;
        for _ in 0..4 {
            if let Effect::Call { valid_until, .. } = run.next() {
                assert_eq!(valid_until, until.map(|until| run.after(until)), "{policy}");
                calls += 1;
                break;
            }
        }
        run.look_away();
        assert_eq!(calls, 1);
    }
}

#[test]
fn the_caller_confirms_a_channel_like_a_receipt_of_its_stage() {
    let mut run = Driver::new("whatsapp until read then sms after 30s");
    run.accept();
    run.look_away();
    run.at("0s", What::ConfirmedByCaller { level: Read, channel: Some(Sms) });
    assert!(run.doings().is_empty(), "nothing was sent there");
    run.answer("1s", 1, Outcome::Accepted);
    run.look_away();
    run.at("5s", What::ConfirmedByCaller { level: Read, channel: Some(Whatsapp) });
    assert_eq!(run.doings(), ["read 1", "delivered 1"]);
    assert_eq!(run.status(), (Status::Delivered, true));
    assert_eq!(run.instance.ended().unwrap().reached_by.unwrap().word(), "whatsapp");
}

#[test]
fn the_caller_confirms_the_message_as_a_whole_also_before_anything_was_sent() {
    for policy in
        ["wait 1h then sms", "sms between 18:00 and 19:00 in UTC", "sms then email otherwise fail \"no\""]
    {
        let mut run = Driver::new(policy);
        run.accept();
        run.look_away();
        run.at("5s", What::ConfirmedByCaller { level: Delivered, channel: None });
        assert_eq!(run.doings(), ["delivered"]);
        assert_eq!(run.status(), (Status::Delivered, true));
        assert_eq!(run.instance.ended().unwrap().reached_by.unwrap().word(), "caller");
    }
}

#[test]
fn a_cancel_ends_the_message_in_every_state_and_later_receipts_are_recorded() {
    let mut run = Driver::new("sms then email after 30s");
    run.accept();
    run.look_away();
    run.at("5s", What::Canceled);
    assert_eq!(run.doings(), ["canceled"]);
    assert_eq!(run.due(), "-");
    run.answer("6s", 1, Outcome::Accepted);
    assert_eq!(run.doings(), ["sent 1"]);
    run.confirm("7s", 1, Delivered);
    assert_eq!(run.audit(), ["receipt_delivered"]);
    assert_eq!(run.status(), (Status::Canceled, true));
}

#[test]
fn a_second_delivery_is_told_but_not_of_one_all_of_nor_of_repetitions() {
    let mut run = Driver::new("whatsapp until replied then sms until replied after 30s");
    run.accept();
    run.answer_accepted();
    run.fire("30s");
    run.look_away();
    run.answer("30s", 2, Outcome::Accepted);
    run.look_away();
    run.confirm("31s", 2, Delivered);
    assert_eq!(run.doings(), ["delivered 2"]);
    run.confirm("32s", 1, Delivered);
    assert_eq!(run.doings(), ["duplicate 1 of 2"]);
    run.confirm("33s", 1, Read);
    assert_eq!(run.doings(), ["read 1"]);

    let mut run = Driver::new("all of (whatsapp, sms)");
    run.accept();
    run.answer_accepted();
    run.answer("0s", 2, Outcome::Accepted);
    run.look_away();
    run.confirm("1s", 1, Delivered);
    assert!(run.doings().is_empty(), "a member counts once its group is reached");
    run.confirm("2s", 2, Delivered);
    assert_eq!(run.doings(), ["delivered 2"]);
}

#[test]
fn a_zone_that_was_assumed_and_a_name_without_a_value_stand_in_the_audit() {
    let mut run =
        Driver::new("sms if vars.a > 1 or priority is normal between 00:00 and 23:59 in contact.timezone");
    run.accept();
    let passed: Vec<_> = run.transitions().iter().filter_map(|t| t.detail.clone()).collect();
    assert_eq!(
        passed,
        [
            "if vars.a > 1 or priority is normal (no value: vars.a > 1)",
            "contact.timezone is missing or unknown; another zone counts"
        ]
    );
    run.look_away();
}

#[test]
fn the_text_of_a_guard_stands_beside_the_reason_of_a_skip() {
    let mut run = Driver::new("sms if priority is high unless quota then email unless opted_out or quota");
    run.world.simulated.opted_out.insert(Email);
    run.accept();
    run.look_away();
    let reasons = run.instance.reasons(&run.machine);
    let shown: Vec<_> = reasons.iter().map(|r| (r.reason, r.detail.as_deref().unwrap())).collect();
    assert_eq!(
        shown,
        [
            (Reason::Skipped, "if priority is high unless quota"),
            (Reason::Skipped, "unless opted_out or quota")
        ]
    );
}

#[test]
fn stages_are_seen_as_callers_see_them() {
    let mut run =
        Driver::new("whatsapp then sms after 30s then voice between 18:00 and 19:00 in UTC after 1m");
    run.accept();
    run.answer_accepted();
    run.fire("30s");
    run.look_away();
    let states = |run: &Driver| run.instance.views(&run.machine).map(|view| view.state).collect::<Vec<_>>();
    assert_eq!(states(&run), [StageState::Overtaken, StageState::Sending, StageState::Pending]);
    run.fire("2m");
    run.look_away();
    assert_eq!(states(&run), [StageState::Overtaken, StageState::Sending, StageState::Held]);
    let voice = run.instance.views(&run.machine).last().unwrap();
    assert_eq!((voice.channel, voice.number), (Voice, 3));
    assert_eq!(voice.held_until, Some("2026-01-05T18:00:00Z".parse::<Instant>().unwrap()));
}

#[test]
fn an_instance_of_three_stages_is_under_a_kibibyte() {
    let mut run = Driver::new("whatsapp then sms after 30s unless quota then voice after 10m");
    run.accept();
    run.answer_accepted();
    run.fire("30s");
    run.look_away();
    run.answer("30s", 2, Outcome::Accepted);
    run.look_away();
    run.fire("11m");
    run.look_away();
    run.answer("11m", 3, Outcome::Accepted);
    run.look_away();
    let bytes = run.instance.to_bytes().unwrap();
    assert!(bytes.len() < 1_024, "{} bytes: {}", bytes.len(), String::from_utf8_lossy(&bytes));
}

impl Driver {
    /// The first attempt is accepted at once.
    fn answer_accepted(&mut self) {
        self.look_away();
        self.answer("0s", 1, Outcome::Accepted);
        self.look_away();
    }
}
