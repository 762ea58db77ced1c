//! Decides a sentence over all outcomes and all facts.

use crate::language::condition::{Comparison, Literal, Op, Operand};
use crate::machine::catalog::Catalog;
use crate::machine::explore::{Care, FactSpace, Go, Seen, Visitor, Walk, compared_age};
use crate::machine::{Entry, Machine, Timeline, Witness};
use crate::model::{Confirmation, Span};

use super::condition::Reads;
use super::sentence::{Sentence, What};
use crate::workbench::suite::{EventPattern, InvariantWord};

/// What became of a sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// Whether it holds.
    pub verdict: Verdict,
    /// How many states were looked at.
    pub states: usize,
}

/// Whether a sentence holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Whatever providers say and whatever the facts are.
    Holds,
    /// Not under these.
    Broken {
        /// A shortest script, with its facts.
        witness: Box<Witness>,
        /// What happens under it.
        timeline: Box<Timeline>,
        /// When it is broken, and how.
        message: String,
    },
    /// Nobody knows: nothing breaks it among what was looked at, and that was not all.
    Undecided(
        /// Why not.
        Vec<String>,
    ),
}

/// Decides a sentence, looking at so many states at most.
#[must_use]
pub fn prove(sentence: &Sentence, machine: &Machine, catalog: &Catalog, states_max: usize) -> Proof {
    // Such a sentence guards a policy against getting a channel.
    let is_absent = |what: &What| match what {
        What::Event(EventPattern { channel: Some(channel), .. }) => {
            machine.channel_stages().all(|(_, stage)| stage.channel != *channel)
        }
        What::Event(_) | What::End(_) => false,
    };
    if sentence.word == InvariantWord::Never && sentence.what.iter().all(is_absent) {
        return Proof { verdict: Verdict::Holds, states: 0 };
    }
    let mut comparisons = Vec::new();
    sentence.when.iter().for_each(|when| when.comparisons(&mut comparisons));
    // `within 15m` asks for the age as a comparison does.
    comparisons.extend(sentence.within.map(|within| Comparison {
        left: Operand::Elapsed,
        op: Op::AtMost,
        right: Operand::Literal(Literal::Duration(within)),
        text: format!("elapsed <= {within}"),
    }));
    let space = FactSpace::with(machine, catalog, &comparisons);
    let mut monitor = Monitor { sentence, machine, space: &space, broken: None };
    let care = care(sentence, &space);
    let walked = Walk::over(machine, catalog, &space).caring(care).states_max(states_max).run(&mut monitor);
    let verdict = match monitor.broken {
        Some((witness, message)) => {
            let timeline = Box::new(witness.timeline(machine, catalog));
            Verdict::Broken { witness: Box::new(witness), timeline, message }
        }
        None if walked.complete && space.gaps().is_empty() => Verdict::Holds,
        None => {
            let mut why = space.gaps().to_vec();
            if !walked.complete {
                why.push(format!("more than {states_max} states would have to be looked at"));
            }
            Verdict::Undecided(why)
        }
    };
    Proof { verdict, states: walked.states }
}

/// What a sentence tells apart.
fn care(sentence: &Sentence, space: &FactSpace) -> Care {
    let mut reads = Reads::default();
    let mut care = Care::default();
    if let Some(when) = &sentence.when {
        when.reads(&mut reads);
        // What is decided at the beginning is the same on every way that is walked.
        when.parted().1.into_iter().for_each(|part| part.facts(space, &mut care.facts));
    }
    care.time = reads.time || sentence.within.is_some();
    let mut comparisons = Vec::new();
    sentence.when.iter().for_each(|when| when.comparisons(&mut comparisons));
    care.ages = comparisons.iter().filter_map(compared_age).collect();
    care.clock = reads.clock;
    care.amounts = reads.amounts;
    care.confirmations = reads.confirmations;
    for what in &sentence.what {
        match what {
            What::End(status) => care.status |= status.is_some(),
            What::Event(pattern) => {
                care.reasons |= pattern.reason.is_some();
                care.doubt |= matches!(pattern.what, "in_doubt" | "accepted");
                care.providers |= pattern.provider.is_some();
                if let Ok(level) = pattern.what.parse::<Confirmation>() {
                    care.confirmations.insert(level);
                }
            }
        }
    }
    care
}

/// A mark of a way on which what the `when` says of facts holds.
const COUNTS: u64 = 1;

struct Monitor<'a> {
    sentence: &'a Sentence,
    machine: &'a Machine,
    space: &'a FactSpace,
    broken: Option<(Witness, String)>,
}

impl Monitor<'_> {
    /// What of the sentence happens in a step.
    fn happens(&self, seen: &Seen<'_>) -> Option<String> {
        let ended_before = seen.before.ended().is_some();
        let at_ms = seen.after.ms();
        if !ended_before {
            for transition in seen.transitions {
                let Some(entry) = Entry::of(transition, at_ms) else { continue };
                if self.sentence.what.iter().any(|what| what.is_entry(&entry)) {
                    return Some(crate::workbench::suite::entry_line(&entry));
                }
            }
        }
        let ends = !ended_before && seen.instance.ended().is_some();
        let status = seen.instance.status();
        let is_end = |what: &What| matches!(what, What::End(of) if of.is_none_or(|of| of == status));
        (ends && self.sentence.what.iter().any(is_end)).then(|| format!("end {status}"))
    }

    /// What the `when` says of facts is asked at the beginning; where it does not hold, nothing is left to
    /// look at.
    fn facts_hold(&self, seen: &Seen<'_>, mark: u64) -> Result<bool, usize> {
        let parts = self.sentence.when.iter().flat_map(|when| when.parted().0);
        for part in parts.filter(|_| mark != COUNTS) {
            if !part.holds(seen, seen.instance, self.machine, self.space)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether anything of the sentence may still happen.
    fn may_happen(&self, seen: &Seen<'_>) -> bool {
        self.sentence.what.iter().any(|what| match what {
            What::Event(pattern) if pattern.what == "send" => seen.may_send(self.machine, pattern.channel),
            What::Event(_) | What::End(_) => true,
        })
    }

    fn never(&mut self, seen: &Seen<'_>, mark: u64) -> Go {
        match self.facts_hold(seen, mark) {
            Ok(true) => {}
            Ok(false) => return Go::Leave,
            Err(question) => return Go::Ask(question),
        }
        let Some(what) = self.happens(seen) else {
            return if self.may_happen(seen) { Go::On(COUNTS) } else { Go::Leave };
        };
        if let Some(when) = &self.sentence.when {
            // What the message had come to before; of an end, what it came to.
            let instance = if what.starts_with("end ") { seen.instance } else { seen.before };
            match when.holds(seen, instance, self.machine, self.space) {
                Ok(true) => {}
                Ok(false) => return Go::On(COUNTS),
                Err(question) => return Go::Ask(question),
            }
        }
        self.broken = Some((seen.witness(), format!("`{what}` happens at {}", seen.after)));
        Go::Stop
    }

    /// Whether an end is what is asked for, and the expiry brings one in time.
    fn ends_in_time(&self, seen: &Seen<'_>) -> bool {
        let expires = seen.instance.expires_at().map(|at| at.since(seen.instance.accepted_at()));
        self.sentence.what.contains(&What::End(None))
            && expires.is_some_and(|expires| self.sentence.within.is_none_or(|within| expires <= within))
    }

    fn always(&mut self, seen: &Seen<'_>, mark: u64) -> Go {
        match self.facts_hold(seen, mark) {
            Ok(true) => {}
            Ok(false) => return Go::Leave,
            Err(question) => return Go::Ask(question),
        }
        // Where it expires by then, it ends by then.
        if self.ends_in_time(seen) {
            return Go::Leave;
        }
        let is_late = self.sentence.within.is_some_and(|within| seen.after > within);
        if !is_late && self.happens(seen).is_some() {
            return Go::Leave;
        }
        if is_late {
            let within = self.sentence.within.unwrap_or(Span::ZERO);
            self.broken = Some((seen.witness(), format!("nothing of that has happened by {within}")));
            return Go::Stop;
        }
        if seen.is_last {
            let message = format!("it ends {} at {} without that", seen.instance.status(), seen.after);
            self.broken = Some((seen.witness(), message));
            return Go::Stop;
        }
        Go::On(COUNTS)
    }
}

impl Visitor for Monitor<'_> {
    fn see(&mut self, seen: &Seen<'_>, mark: u64) -> Go {
        match self.sentence.word {
            InvariantWord::Never => self.never(seen, mark),
            InvariantWord::Always => self.always(seen, mark),
        }
    }
}
