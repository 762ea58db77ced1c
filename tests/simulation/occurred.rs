//! Whether what a history is named after took place in it: a history that never comes to its situation
//! proves nothing, however well everything held.

use spine::model::Outcome;

use super::core::RunNo;
use super::gateway::{Called, Due, Tried};
use super::run::LEASE;

/// What a commit did to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Did {
    Begun,
    Went,
    Ended,
    /// Something came after its end.
    Amended,
    /// Nothing but that word was left for its owner.
    Signalled,
}

/// A commit, as far as it concerns one message.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) at_ms: i64,
    pub(crate) run: RunNo,
    /// The number that its sender gave it.
    pub(crate) message: Option<u32>,
    pub(crate) did: Did,
    pub(crate) outcomes: Vec<Outcome>,
}

/// One run of a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lived {
    pub(crate) run: RunNo,
    pub(crate) node: usize,
    pub(crate) from_ms: i64,
    pub(crate) told_to_stop_ms: Option<i64>,
    pub(crate) until_ms: Option<i64>,
}

/// What took place.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    pub(crate) commits: Vec<Commit>,
    pub(crate) calls: Vec<Called>,
    pub(crate) tries: Vec<Tried>,
    pub(crate) receipts: Vec<Due>,
    pub(crate) lives: Vec<Lived>,
    pub(crate) pauses: Vec<(RunNo, i64, i64)>,
    /// Commits that were made and whose answer was lost.
    pub(crate) answers_lost: usize,
    /// Commits that were under way when the store stopped.
    pub(crate) cut_short: usize,
}

impl Lived {
    fn is_there(&self, at_ms: i64) -> bool {
        self.from_ms <= at_ms && self.until_ms.is_none_or(|until| at_ms < until)
    }
}

impl Happened {
    fn of(&self, message: u32) -> impl Iterator<Item = &Commit> {
        self.commits.iter().filter(move |commit| commit.message == Some(message))
    }

    fn life(&self, run: RunNo) -> Option<&Lived> {
        self.lives.iter().find(|life| life.run == run)
    }

    fn owner(&self, message: u32) -> Option<RunNo> {
        self.of(message).find(|commit| commit.did == Did::Begun).map(|commit| commit.run)
    }

    /// When another run than the first wrote a change of a message itself, or its end.
    fn taken_over(&self, message: u32, did: impl Fn(Did) -> bool) -> Option<i64> {
        let owner = self.owner(message)?;
        self.of(message).find(|commit| commit.run != owner && did(commit.did)).map(|commit| commit.at_ms)
    }

    /// Whether a run stood still at an instant, and went on later.
    fn stood_still(&self, run: RunNo, at_ms: i64) -> bool {
        self.pauses.iter().any(|(of, from, to)| *of == run && (*from..*to).contains(&at_ms))
    }

    /// Whether several runs did this to one message.
    fn by_several(&self, did: impl Fn(Did) -> bool) -> bool {
        let of = |commit: &&Commit| did(commit.did) && commit.message.is_some();
        self.commits.iter().filter(of).any(|one| {
            self.commits.iter().filter(of).any(|other| one.message == other.message && one.run != other.run)
        })
    }

    fn calls_of(&self, message: u32) -> impl Iterator<Item = &Called> {
        self.calls.iter().filter(move |call| call.message == message)
    }

    /// How many text messages the gateway took: what the quota counts.
    fn texts_taken(&self) -> usize {
        self.calls.iter().filter(|call| call.taken && call.channel == "sms").count()
    }

    /// Whether a call of a message was under way when another node started, and nobody else made it.
    fn another_starts_while_calling(&self, message: u32, takes_ms: i64) -> bool {
        let Some(first) = self.calls_of(message).next() else { return false };
        let begun = first.elapsed_ms();
        let under_way = begun + 1..begun + takes_ms;
        self.lives.iter().any(|life| life.run != first.run && under_way.contains(&life.from_ms))
            && self.calls.iter().all(|call| call.attempt != first.attempt || call.run == first.run)
    }

    /// Whether each of these was called only once the node that had it was gone and another run there.
    fn called_after_a_death(&self, messages: &[u32]) -> bool {
        let Some(dead) = self.lives.iter().filter_map(|life| life.until_ms).min() else { return false };
        messages.iter().all(|message| {
            self.calls_of(*message).any(|call| {
                call.elapsed_ms() > dead
                    && self.life(call.run).is_some_and(|life| life.from_ms < call.elapsed_ms())
            })
        })
    }

    fn doubts(&self) -> usize {
        self.commits.iter().flat_map(|commit| &commit.outcomes).filter(|it| **it == Outcome::InDoubt).count()
    }
}

/// Whether what a history of this name is about took place.
pub(crate) fn occurred(name: &str, it: &Happened) -> bool {
    let one_owner = it.owner(1);
    match name {
        // Another had ended it, or had its answer, while the first stood still.
        "a rescuer overwrites what is completed" => {
            let at = it.taken_over(1, |did| matches!(did, Did::Went | Did::Ended));
            let stood = at.zip(one_owner).is_some_and(|(at, owner)| it.stood_still(owner, at));
            let mut answered = it.of(1).filter(|commit| Some(commit.run) != one_owner);
            stood && answered.any(|commit| commit.outcomes.contains(&Outcome::Accepted))
        }
        "a message is adopted while its owner still runs" => {
            let at = it.taken_over(1, |did| matches!(did, Did::Went | Did::Ended));
            at.zip(one_owner.and_then(|owner| it.life(owner))).is_some_and(|(at, life)| life.is_there(at))
        }
        // It is back before the lease of the one before it has ended, and goes on with it all the same.
        "a node comes back under the old name" => {
            let Some(before) = one_owner.and_then(|owner| it.life(owner)) else { return false };
            let Some(died) = before.until_ms else { return false };
            let back = it.lives.iter().find(|life| life.node == before.node && life.run != before.run);
            back.is_some_and(|back| back.from_ms - died < LEASE.ms())
                && it.calls_of(1).next().is_some_and(|call| call.elapsed_ms() < died)
                && it.taken_over(1, |did| matches!(did, Did::Went | Did::Ended)).is_some()
        }
        "recovery runs what is alive" | "recovery runs what is alive, whose call then fails" => {
            it.another_starts_while_calling(2, 8_000)
        }
        "two nodes change what has ended" => {
            let ended = it.of(1).find(|commit| commit.did == Did::Ended).map(|commit| commit.at_ms);
            ended.is_some_and(|at| {
                it.of(1).any(|commit| commit.at_ms > at && commit.did == Did::Signalled)
                    && it.of(1).any(|commit| commit.at_ms > at && commit.did == Did::Amended)
            })
        }
        "two nodes change a message at once" => it.by_several(|did| matches!(did, Did::Went | Did::Ended)),
        "two replies to one message come to two nodes at once" => it.by_several(|did| did == Did::Amended),
        "a use of a quota is forgotten with its call" => {
            let ended = it.of(1).find(|commit| commit.did == Did::Ended).map(|commit| commit.at_ms);
            let died = it.lives.iter().filter_map(|life| life.until_ms).min();
            ended.zip(died).is_some_and(|(ended, died)| ended < died) && it.calls_of(1).any(|call| call.taken)
        }
        "a clock that is behind goes on with a message" => it.by_several(|_| true),
        "two nodes take the last place of a quota" => {
            it.owner(1).zip(it.owner(2)).is_some_and(|(one, two)| one != two) && it.texts_taken() == 1
        }
        "recovery of a lone node" => it
            .calls_of(1)
            .any(|call| it.calls_of(1).any(|again| again.attempt == call.attempt && again.run != call.run)),
        "an empty id makes a ghost" => {
            let empty = it.receipts.iter().filter(|due| due.body["id"] == "" && due.taken);
            empty.count() == 2 && it.of(1).next().is_some()
        }
        "a retry whose time lies in the past is never picked up" => it.called_after_a_death(&[1, 2, 3]),
        "a retry whose time lies in the past is never picked up by another node" => {
            it.called_after_a_death(&[1, 2])
                && it.calls.iter().any(|call| it.life(call.run).is_some_and(|life| life.node == 1))
        }
        "a commit was made and its answer was lost" => it.answers_lost > 0,
        "the last place of a quota is taken twice"
        | "the last place of a quota is taken twice, among several nodes" => {
            it.texts_taken() == 1 && it.doubts() > 0
        }
        "a node ends its lease with an event on its way" => it.lives.iter().any(|life| {
            let stop = life.told_to_stop_ms.unwrap_or(i64::MAX);
            it.tries.iter().any(|tried| tried.run == life.run && tried.is_under_way(stop))
        }),
        "the store stops hard in mid-commit" => it.cut_short > 0,
        // One that does not say here what it is about never comes to it, and the tests fail.
        _ => false,
    }
}
