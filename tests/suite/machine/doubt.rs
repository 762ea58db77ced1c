//! Single steps with providers that can clear up a doubt, or that have no place free.

use spine::machine::facts::Clearing;
use spine::machine::{StageId, What};
use spine::model::Channel::{Email, Sms};
use spine::model::{Outcome, Reason};

use super::driver::Driver;

#[test]
fn doubt_is_cleared_up_with_the_same_attempt_three_times_in_all() {
    for (clearing, word) in [(Clearing::Key, "call again 1 sms"), (Clearing::LookUp, "look up 1 sms")] {
        let mut run = Driver::new("sms on doubt move on then email").clears("sms", clearing);
        run.accept();
        run.look_away();
        run.answer("0s", 1, Outcome::InDoubt);
        assert_eq!(run.doings(), [word], "at once");
        run.answer("0s", 1, Outcome::InDoubt);
        run.look_away();
        assert_eq!(run.due(), "1s");
        run.fire("1s");
        assert_eq!(run.doings(), [word]);
        run.answer("1s", 1, Outcome::InDoubt);
        run.look_away();
        assert_eq!(run.due(), "3s");
        run.fire("3s");
        assert_eq!(run.doings(), [word]);
        run.answer("3s", 1, Outcome::InDoubt);
        assert_eq!(run.doings(), ["call 2 email"]);
        assert_eq!(run.instance.sends(), 1, "one attempt is one send");
    }
}

#[test]
fn doubt_that_is_cleared_up_ends_as_the_answer_says() {
    let mut run = Driver::new("sms then email").clears("sms", Clearing::Key);
    run.accept();
    run.look_away();
    run.answer("0s", 1, Outcome::InDoubt);
    assert_eq!(run.doings(), ["call again 1 sms"]);
    run.answer("1s", 1, Outcome::Accepted);
    assert_eq!(run.doings(), ["sent 1"]);

    let mut run = Driver::new("sms then email").clears("sms", Clearing::LookUp);
    run.accept();
    run.look_away();
    run.answer("0s", 1, Outcome::InDoubt);
    assert_eq!(run.doings(), ["look up 1 sms"]);
    run.answer("1s", 1, Outcome::RecipientFault);
    assert_eq!(run.doings(), ["call 2 email"]);
}

#[test]
fn an_overtaken_stage_in_doubt_is_cleared_up_all_the_same() {
    let mut run = Driver::new("sms then email after 30s").clears("sms", Clearing::LookUp);
    run.accept();
    run.look_away();
    run.answer("29500ms", 1, Outcome::InDoubt);
    run.look_away();
    run.answer("29500ms", 1, Outcome::InDoubt);
    run.look_away();
    run.fire("30s");
    assert_eq!(run.doings(), ["call 2 email"]);
    run.fire("30500ms");
    assert_eq!(run.doings(), ["look up 1 sms"]);
    run.answer("31s", 1, Outcome::Accepted);
    assert_eq!(run.doings(), ["sent 1"]);
}

#[test]
fn a_busy_provider_is_waited_for_and_the_stage_has_started() {
    let mut run = Driver::new("sms via a or b then email after 30s").providers(&[
        ("a", Sms),
        ("b", Sms),
        ("email", Email),
    ]);
    run.world.busy.insert("a".to_owned());
    run.accept();
    assert_eq!(run.doings(), ["created", "queue a"]);
    assert_eq!(run.due(), "30s", "the clock of what follows runs");
    run.world.busy.clear();
    run.at("10s", What::Ready { stage: StageId(0) });
    assert_eq!(run.doings(), ["call 1 a"]);
}

#[test]
fn a_stage_overtaken_in_the_queue_has_failed() {
    let mut run = Driver::new("sms then email after 30s");
    run.world.busy.insert("sms".to_owned());
    run.accept();
    run.look_away();
    run.fire("30s");
    assert_eq!(run.doings(), ["call 1 email"]);
    assert_eq!(run.instance.reasons(&run.machine)[0].reason, Reason::RateLimited);
    run.at("31s", What::Ready { stage: StageId(0) });
    assert!(run.doings().is_empty());
}
