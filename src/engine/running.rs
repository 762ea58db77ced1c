//! A message that is held in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::content::Template;
use super::doc::{Clear, Personal, State};
use super::policies::Plan;
use super::providers::Place;
use super::records::ContactRecord;
use crate::language::script::Scripts;
use crate::machine::known::{Known, Person};
use crate::machine::{Instance, StageId};
use crate::model::shapes::Addresses;
use crate::model::{Channel, Confirmation, Id, Instant, Outcome, Priority, kinds};
use crate::providers::sandbox::{self, Planned};
use crate::providers::{Answer, Report};
use crate::store::rows::Names;
use crate::store::seal::SubjectKey;
use crate::store::{NodeId, Position, Unsettled};

/// The place of a message in memory. One change of a message is under way at a time: whoever holds
/// the lock makes it.
pub(super) struct Slot {
    held: Arc<Mutex<Option<Running>>>,
    /// It was taken out of memory: whoever waited for it looks again.
    gone: AtomicBool,
}

impl Slot {
    pub(super) fn new(running: Option<Running>) -> Slot {
        Slot { held: Arc::new(Mutex::new(running)), gone: AtomicBool::new(false) }
    }

    /// Waits for the change under way.
    pub(super) async fn lock(&self) -> OwnedMutexGuard<Option<Running>> {
        Arc::clone(&self.held).lock_owned().await
    }

    /// The lock, where no change is under way.
    pub(super) fn try_lock(&self) -> Option<OwnedMutexGuard<Option<Running>>> {
        Arc::clone(&self.held).try_lock_owned().ok()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(super) fn set_gone(&self) {
        self.gone.store(true, Ordering::Release);
    }
}

/// What of a message never changes, or only with the person.
pub(super) struct Info {
    pub(super) id: Id<kinds::Message>,
    pub(super) created_at: Instant,
    pub(super) expires_at: Option<Instant>,
    pub(super) contact: Option<Id<kinds::Contact>>,
    pub(super) template: Option<Names>,
    pub(super) policy: Option<Names>,
    pub(super) priority: Priority,
    pub(super) clear: Clear,
    /// `None` once the person was erased.
    pub(super) personal: Option<Personal>,
    pub(super) key: Option<SubjectKey>,
    pub(super) plan: Plan,
    pub(super) known: Known,
    pub(super) addresses: Addresses,
    pub(super) opted_out: BTreeSet<Channel>,
    pub(super) compiled: Option<Arc<Template>>,
    /// Whom it is for, as templates are told of it.
    pub(super) person: Option<Arc<ContactRecord>>,
    /// In which language.
    pub(super) locale: Option<String>,
    pub(super) scripts: Scripts,
    /// How often contacts of the scope had changed when this was read.
    pub(super) seen: u64,
}

impl Info {
    /// Whether there is something to say on a channel.
    pub(super) fn has_body(&self, channel: Channel) -> bool {
        if let Some(template) = &self.compiled {
            return template.has_body(channel, self.locale.as_deref());
        }
        let content = self.personal.as_ref().and_then(|personal| personal.content.as_ref());
        content.is_some_and(|content| content.get(channel).is_some())
    }

    /// What a scripted provider does with its next attempt. `counts` holds how many attempts each
    /// key of the scripts has had.
    pub(super) fn plan_of(
        &self,
        attempt: Id<kinds::Attempt>,
        provider: &str,
        channel: Channel,
        confirms: &[Confirmation],
        counts: &mut HashMap<String, usize>,
    ) -> sandbox::Plan {
        let address = self.addresses.get(channel).unwrap_or_default();
        let chosen = sandbox::choose(&self.scripts, provider, channel, address, confirms);
        let n = match chosen.key {
            Some(key) => {
                let count = counts.entry(key.to_owned()).or_default();
                *count += 1;
                *count - 1
            }
            None => 0,
        };
        sandbox::plan(&chosen.script, n, attempt)
    }

    /// Whether a result in a test scope moves the breaker of its provider: one that a script keyed
    /// by the provider's own name gave.
    pub(super) fn moves_breaker(&self, provider: &str) -> bool {
        provider.parse::<Channel>().is_err() && self.scripts.iter().any(|(key, _)| key == provider)
    }
}

/// An attempt, as far as it is known.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) id: Id<kinds::Attempt>,
    pub(super) stage: StageId,
    pub(super) channel: Channel,
    pub(super) provider: String,
    pub(super) at: Instant,
    pub(super) valid_until: Option<Instant>,
    pub(super) outcome: Option<Outcome>,
    pub(super) ended_at: Option<Instant>,
    pub(super) provider_message_id: Option<String>,
    pub(super) detail: Option<String>,
    /// Its place in a quota stands in the rows of a shared store.
    pub(super) held: bool,
    /// The place that it takes while it is under way.
    pub(super) place: Option<Place>,
}

/// Something that a scripted provider will say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) at: Instant,
    /// When that became certain: what takes no time comes after the timers of its instant.
    pub(super) since: Instant,
    pub(super) attempt: u32,
    pub(super) what: SaidWhat,
}

/// What it says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SaidWhat {
    Answer(Box<Answer>),
    Later(Planned),
}

impl Said {
    /// Whether it says that its attempt failed.
    pub(super) fn fails(&self) -> bool {
        match &self.what {
            SaidWhat::Answer(answer) => answer.outcome.fails(),
            SaidWhat::Later(Planned::Reply { .. }) => false,
            SaidWhat::Later(Planned::Receipt { report, .. }) => matches!(report, Report::Failed { .. }),
        }
    }

    /// Whether it has yet to be said: its message knows nothing of it.
    pub(super) fn is_to_come(&self, instance: &Instance) -> bool {
        let level = instance.level_of(self.attempt);
        match &self.what {
            SaidWhat::Answer(_) => true,
            SaidWhat::Later(Planned::Reply { .. }) => level < Some(Confirmation::Replied),
            SaidWhat::Later(Planned::Receipt { report: Report::Confirmed(said), .. }) => level < Some(*said),
            SaidWhat::Later(Planned::Receipt { report: Report::Failed { .. }, .. }) => {
                !instance.was_reported_failed(self.attempt)
            }
        }
    }
}

/// A message that is held in memory.
pub(super) struct Running {
    pub(super) n: Position,
    pub(super) version: u32,
    /// The node that runs it.
    pub(super) owner: NodeId,
    pub(super) info: Arc<Info>,
    pub(super) state: State,
    pub(super) attempts: Vec<Attempt>,
    pub(super) said: Vec<Said>,
    /// How many attempts each key of the scripts has had.
    pub(super) counts: HashMap<String, usize>,
}

impl Running {
    /// When it wants to be looked at next.
    pub(super) fn due(&self) -> Option<Instant> {
        due(&self.info, &self.state, &self.attempts, &self.said)
    }

    /// When it is to be looked at again where it has ended; `None` once all of it has come.
    pub(super) fn unsettled(&self) -> Unsettled {
        unsettled(&self.info, &self.state, &self.attempts, &self.said)
    }

    /// Whether something outside this process is waited for, or will come by itself.
    pub(super) fn is_busy(&self) -> bool {
        !self.said.is_empty() || self.attempts.iter().any(|attempt| attempt.place.is_some())
    }
}

/// When a message wants to be looked at next: its own timers, and what was scripted for it.
pub(super) fn due(info: &Info, state: &State, attempts: &[Attempt], said: &[Said]) -> Option<Instant> {
    let own = crate::machine::next_due(&info.plan.machine, &state.instance);
    let left = left_in_doubt(state, attempts).next().map(|_| state.instance.last_at());
    own.into_iter().chain(left).chain(said.iter().map(|said| said.at)).min()
}

/// The attempts that were to be cleared up when their message ended: nobody asks about them any more.
pub(super) fn left_in_doubt<'a>(state: &'a State, attempts: &'a [Attempt]) -> impl Iterator<Item = u32> + 'a {
    let ended = state.instance.ended().is_some();
    let numbers = attempts.iter().filter(move |_| ended).map(|attempt| attempt.number);
    numbers.filter(|number| state.instance.is_in_doubt(*number))
}

/// When a message that has ended is to be looked at again: once a script says something, and at once, for
/// whoever goes on with it, where a call of it is open whose answer comes from outside.
pub(super) fn unsettled(info: &Info, state: &State, attempts: &[Attempt], said: &[Said]) -> Unsettled {
    let is_said =
        |number| said.iter().any(|said| said.attempt == number && matches!(said.what, SaidWhat::Answer(_)));
    let open = attempts.iter().any(|attempt| attempt.outcome.is_none() && !is_said(attempt.number));
    due(info, state, attempts, said).into_iter().chain(open.then(|| state.instance.last_at())).min()
}

/// What a scripted provider says of an attempt that was made at `at`; of one that was answered at
/// `answered`, only what comes later.
pub(super) fn scripted(
    plan: sandbox::Plan,
    attempt: u32,
    at: Instant,
    answered: Option<Instant>,
    out: &mut Vec<Said>,
) {
    let since = at;
    let answer_at = answered.unwrap_or_else(|| at.plus(plan.answer_after));
    if answered.is_none() {
        out.push(Said { at: answer_at, since, attempt, what: SaidWhat::Answer(Box::new(plan.answer)) });
    }
    for later in plan.later {
        let (Planned::Receipt { after, .. } | Planned::Reply { after, .. }) = later;
        out.push(Said { at: answer_at.plus(after), since, attempt, what: SaidWhat::Later(later) });
    }
}

/// A person as conditions see one.
pub(super) fn person(record: Option<&ContactRecord>) -> Person {
    use crate::language::facts_text::FactValue;
    use crate::model::ContactField;
    let Some(record) = record else { return Person::default() };
    let mut fields = BTreeMap::new();
    let mut put = |field, value: Option<&str>| {
        if let Some(value) = value {
            fields.insert(field, value.to_owned());
        }
    };
    put(ContactField::ExternalId, record.external_id.as_ref().map(|v| v.as_str()));
    put(ContactField::Name, record.name.as_ref().map(|v| v.as_str()));
    put(ContactField::Locale, record.locale.as_ref().map(|v| v.as_str()));
    put(ContactField::Timezone, record.timezone.as_ref().map(|v| v.as_str()));
    put(ContactField::Country, record.country.as_ref().map(|v| v.as_str()));
    let attributes = record.attributes.0.iter();
    let attributes =
        attributes.filter_map(|(name, value)| Some((name.clone(), FactValue::from_json(value)?)));
    Person { fields, attributes: attributes.collect() }
}
