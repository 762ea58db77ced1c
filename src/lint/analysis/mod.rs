//! What the rules share about one policy: its stages with what surrounds them, when each can start,
//! what can be confirmed, which conditions can hold, and the week as its windows see it. Computed
//! once a policy, and only as far as a rule asks.

mod groups;
mod place;
mod played;
mod purpose;
mod run;
mod sent;
mod silence;
mod text;
mod timing;
mod trial;
mod truth;
mod week;

use std::cell::OnceCell;

use crate::language::condition::{Condition, Expr};
use crate::language::policy::{Action, ChannelStage, TextRange};
use crate::language::words::quoted;
use crate::language::{KnownProvider, Library, Policy};
use crate::lint::Context;
use crate::machine::catalog::{Catalog, CatalogProvider};
use crate::machine::{Bounds, Entry, Machine, Timeline, bounds, compile};
use crate::model::{Confirmation, Reason};

pub use place::Place;
pub(super) use played::Played;
pub(super) use purpose::{
    CATEGORIES, closing, instant_of, is_for_codes, is_marketing, lasting, names, next_at, quiet_begins,
};
#[cfg(test)]
pub(super) use run::shown;
pub(super) use run::{Shows, run_where, shortest, sought};
use silence::Silence;
pub(super) use text::{
    before_blanks, guard_text, header_of, last_of, modifier_of, tail_of, word_in, words, written,
};
pub(super) use trial::{Trial, all_below, leading_to, skipped};
pub(super) use truth::{Scope, Table, changes_over_time};
pub(super) use week::{DAY_MINUTES, Week, moment};

/// One policy, looked at.
pub struct Analysis<'a> {
    policy: &'a Policy,
    catalog: &'a Catalog,
    places: Vec<Place<'a>>,
    machine: OnceCell<Machine>,
    bounds: OnceCell<Bounds>,
    silence: OnceCell<Silence>,
    silent_run: OnceCell<Option<Timeline>>,
}

impl<'a> Analysis<'a> {
    /// Walks through the policy.
    #[must_use]
    pub fn of(policy: &'a Policy, catalog: &'a Catalog) -> Analysis<'a> {
        let places = timing::walk(policy, catalog);
        Analysis {
            policy,
            catalog,
            places,
            machine: OnceCell::new(),
            bounds: OnceCell::new(),
            silence: OnceCell::new(),
            silent_run: OnceCell::new(),
        }
    }

    /// The stages in the order of the text: the place of each is the number of its `StageId`.
    #[must_use]
    pub fn places(&self) -> &[Place<'a>] {
        &self.places
    }

    /// What is known of providers.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        self.catalog
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        self.machine.get_or_init(|| compile(self.policy))
    }

    /// Its bounds.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        *self.bounds.get_or_init(|| bounds(self.machine(), self.catalog))
    }

    /// Whether the limit is used up in the silent run in which most is sent; else it is in none.
    pub(super) fn is_cut_in_silence(&self) -> bool {
        if !self.may_be_cut() {
            return false;
        }
        let is_cut =
            |entry: &Entry| entry.what == "fail" && entry.reason.as_deref() == Some(Reason::Limit.word());
        self.silent_run().is_some_and(|run| run.timeline.iter().any(is_cut))
    }

    /// Whether its limits are below what its stages come to, each of them sent as often as it says.
    fn may_be_cut(&self) -> bool {
        let sends =
            |channel: &ChannelStage| channel.repeat.map_or(0, |repeat| repeat.times).saturating_add(1);
        let all = self.places.iter().filter_map(Place::channel).map(sends).fold(0, u32::saturating_add);
        let headers = &self.policy.headers;
        let by_cost = headers.limit_cost.is_some() && self.has_prices();
        by_cost || headers.limit_sends.is_some_and(|limit| all > limit)
    }

    /// Whether a provider of a stage has a price.
    pub(super) fn has_prices(&self) -> bool {
        self.places.iter().any(|place| place.route.iter().any(|provider| provider.price > 0))
    }

    /// The silent run of an ordinary day in which all guards hold that can.
    fn silent_run(&self) -> Option<&Timeline> {
        let run = || trial::where_all_say(self, "accepted", None);
        self.silent_run.get_or_init(run).as_ref()
    }

    /// Its silent runs.
    pub(super) fn silence(&self) -> &Silence {
        self.silence.get_or_init(|| Silence::of(self.machine(), self.catalog))
    }

    /// The silent runs that it had without its limits.
    pub(super) fn silence_without_limits(&self) -> Silence {
        let mut policy = self.policy.clone();
        (policy.headers.limit_sends, policy.headers.limit_cost) = (None, None);
        Silence::of(&compile(&policy), self.catalog)
    }

    /// Whether the message expires before any of the stages that wait for silence can start on it: then it is the
    /// expiry that is not what was meant, and what else it cuts short follows from that.
    pub(super) fn expires_before_all(&self) -> bool {
        let Some(expires) = self.policy.headers.expires else { return false };
        let mut silent = self
            .places
            .iter()
            .filter(|place| place.stage.after.is_some())
            .filter_map(|place| place.silent)
            .peekable();
        silent.peek().is_some() && silent.all(|silent| silent >= expires.ms())
    }

    /// A stage and all groups and `use`s around it, from the innermost.
    pub fn around(&self, id: usize) -> impl Iterator<Item = &Place<'a>> {
        std::iter::successors(self.places.get(id), |place| self.places.get(place.parent?))
    }

    /// The policy in which a stage was written, where that is another one than this.
    #[must_use]
    pub fn written_in(&self, id: usize) -> Option<&'a str> {
        self.around(id).skip(1).find_map(|place| match &place.stage.action {
            Action::Use { policy, .. } => Some(policy.as_str()),
            _ => None,
        })
    }

    /// Where two stages part: the place of each, or of what is around it, in the innermost strategy or
    /// group that holds both. `None` where one is around the other.
    fn parting(&self, one: usize, other: usize) -> Option<(&Place<'a>, &Place<'a>)> {
        let theirs: Vec<&Place<'a>> = self.around(other).collect();
        self.around(one).find_map(|mine| {
            let meets = theirs.iter().find(|their| their.parent == mine.parent)?;
            (meets.id != mine.id).then_some((mine, *meets))
        })
    }

    /// Whether `one` may have been sent when `other` has its turn.
    fn may_come_before(&self, one: usize, other: usize) -> bool {
        match self.parting(one, other) {
            None => false,
            Some((mine, their)) if mine.member == their.member => mine.index < their.index,
            Some(_) => true,
        }
    }

    /// How far another stage can have been confirmed, beyond acceptance, while this one can still start.
    #[must_use]
    pub fn confirmed_before(&self, id: usize) -> Option<Confirmation> {
        let sent = self.places.iter().filter(|one| one.goal.is_some() && self.may_come_before(one.id, id));
        sent.filter_map(|one| self.confirmed_without_end(one, id)).max()
    }

    /// How far `one` can be confirmed without an end of all in which `other` could start.
    fn confirmed_without_end(&self, one: &Place<'a>, other: usize) -> Option<Confirmation> {
        let (mine, _) = self.parting(one.id, other)?;
        // Inside an `all of` that is reached by all of its members, one of them ends nothing.
        let within = self.around(one.id).skip(1).take_while(|place| Some(place.id) != mine.parent);
        let shared = mine.parent.and_then(|parent| self.places.get(parent));
        let parallel = self.parting(one.id, other).is_some_and(|(mine, their)| mine.member != their.member);
        let all = within.chain(shared.filter(|_| parallel)).any(Place::is_all_of);
        let levels = one.route.iter().flat_map(|provider| provider.confirms.iter().copied());
        levels.filter(|level| all || one.goal.is_some_and(|goal| *level < goal)).max()
    }

    /// What holds for the guard of a stage; `strict` names what is looked at beyond pure logic.
    pub(super) fn scope(&self, id: Option<usize>, strict: Strict) -> Scope<'_> {
        let vars = self.policy.headers.vars.as_ref();
        let mut scope = Scope::relaxed(vars);
        match strict {
            Strict::Logic => {}
            Strict::Quiet => scope.quiet = (self.policy.headers.quiet.is_some(), true),
            Strict::Confirmed => scope.level_max = id.and_then(|id| self.confirmed_before(id)),
            Strict::Counters => {
                if let Some(place) = id.and_then(|id| self.places.get(id)) {
                    let last = self.policy.headers.expires.map(|expires| expires.ms() - 1);
                    scope.elapsed = (place.earliest, last);
                    let any_before = self
                        .places
                        .iter()
                        .any(|one| one.goal.is_some() && self.may_come_before(one.id, place.id));
                    scope.sends_max = Some(if any_before { self.bounds().sends_max } else { 0 });
                    scope.cost_max = (!any_before).then_some(0);
                }
            }
        }
        scope
    }

    /// Whether a condition can hold, and whether it can fail, for a stage; `None` where that is too
    /// much to look at.
    pub(super) fn weigh(&self, condition: &Expr, id: Option<usize>, strict: Strict) -> Option<Weighed> {
        let scope = self.scope(id, strict);
        Some(Table::of(&[condition], &scope)?.weigh(condition))
    }

    /// Whether a condition of a stage leaves it out in every case, by its own logic.
    pub(super) fn always_skips(&self, id: usize, condition: &Expr, wanted: bool) -> bool {
        let weighed = self.weigh(condition, Some(id), Strict::Logic);
        weighed.is_some_and(|weighed| if wanted { !weighed.can_hold } else { !weighed.can_fail })
    }

    /// The conditions of a stage: `if` first, each with whether the stage wants it to hold.
    pub(super) fn guards<'p>(
        place: &'p Place<'a>,
    ) -> impl Iterator<Item = (&'a Condition, bool)> + use<'a, 'p> {
        let stage = place.stage;
        let wanted = stage.only_if.as_ref().map(|condition| (condition, true));
        wanted.into_iter().chain(stage.unless.as_ref().map(|condition| (condition, false)))
    }
}

/// What is told of a guard.
pub(super) struct Told {
    pub(super) at: TextRange,
    pub(super) message: String,
    pub(super) help: String,
    /// Its stage.
    pub(super) id: usize,
    /// Whether it keeps nothing back, else it always skips the stage.
    pub(super) keeps_nothing_back: bool,
}

/// Tells of guards that `verdict` says are the same in every case in which their stage has its turn: of
/// the policy's own, and of those of the policies that it uses, where they skip a stage for good. What is
/// used itself is looked at where it is used. `said` makes message and help of whether the condition holds, and
/// whether its guard keeps nothing back, else always skips the stage.
pub(super) fn tell_guards(
    context: &Context<'_>,
    verdict: &dyn Fn(&Place<'_>, &Condition) -> Option<bool>,
    said: &dyn Fn(&Place<'_>, bool, bool) -> (String, String),
    found: &mut dyn FnMut(Told),
) {
    for place in context.analysis.places() {
        for (condition, wanted) in Analysis::guards(place) {
            let Some(verdict) = verdict(place, condition) else { continue };
            let keeps_nothing_back = verdict == wanted;
            let (message, help) = said(place, verdict, keeps_nothing_back);
            let told = |at, message| Told { at, message, help, id: place.id, keeps_nothing_back };
            match context.analysis.written_in(place.id) {
                // Another policy that uses it may need what keeps nothing back here.
                Some(_) if keeps_nothing_back => {}
                Some(policy) => {
                    let text = quoted(&condition.text);
                    found(told(place.at.clone(), format!("of {text} in `{policy}`: {message}")));
                }
                None if context.is_used() => {}
                None => found(told(condition.at.clone(), message)),
            }
        }
    }
}

/// Whether a condition is the same in every case that `strict` leaves over, though by pure logic it is
/// not: then what it is.
pub(super) fn out_of(
    context: &Context<'_>,
    place: &Place<'_>,
    condition: &Condition,
    strict: Strict,
) -> Option<bool> {
    let analysis = context.analysis;
    let free = analysis.weigh(&condition.expr, Some(place.id), Strict::Logic)?;
    if !free.can_hold || !free.can_fail {
        return None;
    }
    let bound = analysis.weigh(&condition.expr, Some(place.id), strict)?;
    (bound.can_hold != bound.can_fail).then_some(bound.can_hold)
}

/// What is looked at beyond pure logic when a condition is weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strict {
    /// Nothing.
    Logic,
    /// Whether there are quiet hours.
    Quiet,
    /// What can have been confirmed.
    Confirmed,
    /// `elapsed`, `sends` and `cost` where the stage can start.
    Counters,
}

/// What can come of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weighed {
    /// There is a case in which it holds.
    pub(super) can_hold: bool,
    /// There is a case in which it does not.
    pub(super) can_fail: bool,
}

/// What a library knows of providers, as the machine takes it.
#[must_use]
pub fn catalog_of(library: &dyn Library) -> Catalog {
    let known = |provider: KnownProvider| CatalogProvider {
        channels: provider.channels.iter().map(|(channel, _)| *channel).collect(),
        confirms: provider.channels.into_iter().collect(),
        name: provider.name,
        prices: provider.prices,
        horizon: provider.horizons,
        validity: provider.validity,
    };
    let providers = library.providers().map(|all| all.into_iter().map(known).collect());
    Catalog { providers, ..Catalog::default() }
}
