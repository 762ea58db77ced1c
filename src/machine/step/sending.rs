//! Inside a send: which provider is called, and what is done when none can be.

use crate::language::policy::{ChannelStage, Retry};
use crate::machine::effect::{Effect, Was};
use crate::machine::facts::{Moment, RouteProvider};
use crate::machine::instance::{Activity, Phase, Round, Send, Sending, Sent};
use crate::machine::plan::StageId;
use crate::model::{Channel, Confirmation, Instant, Reason, Span};

use super::guards::Gate;
use super::{Note, Run};

/// How long a stage waits in pauses, in all.
const PAUSED_MS_MAX: i64 = 3_600_000;
/// The most by which a `Retry-After` lengthens a backoff.
const RETRY_AFTER_MS_MAX: i64 = 3_600_000;

impl Sending {
    fn new(channel: &ChannelStage, route: Vec<RouteProvider>) -> Sending {
        let confirms = route.iter().any(|provider| provider.confirms.contains(&Confirmation::Delivered));
        let default = if confirms { Confirmation::Delivered } else { Confirmation::Accepted };
        Sending {
            goal: channel.until.unwrap_or(default),
            route,
            activity: Activity::None,
            retries: 0,
            tried: Vec::new(),
            limited: Vec::new(),
            transient: false,
            retry_after_ms: 0,
            last: None,
            paused_ms: 0,
            repeated: 0,
            resent: 0,
            sends: Vec::new(),
        }
    }

    /// Whether some send of it still waits for a confirmation.
    pub(in crate::machine) fn waits(&self) -> bool {
        self.sends.iter().any(|send| send.state == Sent::Accepted)
    }

    /// The highest confirmation of any send.
    pub(in crate::machine) fn level(&self) -> Option<Confirmation> {
        self.sends.iter().filter_map(|send| send.level).max()
    }

    /// The price of the provider at that place of the route.
    pub(super) fn price(&self, place: u8) -> i64 {
        self.route.get(usize::from(place)).map_or(0, |provider| provider.price)
    }

    pub(super) fn provider(&self, place: u8) -> Option<&RouteProvider> {
        self.route.get(usize::from(place))
    }

    fn new_round(&mut self) {
        self.tried.clear();
        self.transient = false;
        self.retry_after_ms = 0;
    }
}

/// What the providers of a route come to before an attempt.
enum Choice {
    Call(u8),
    Busy(u8),
    Pause(Instant),
    RoundOver,
    Fail(Reason),
}

impl Run<'_> {
    pub(super) fn sending(&mut self, id: StageId) -> Option<&mut Sending> {
        self.stage_mut(id).sending.as_deref_mut()
    }

    pub(super) fn set_activity(&mut self, id: StageId, activity: Activity) {
        if let Some(sending) = self.sending(id) {
            sending.activity = activity;
        }
    }

    /// The stage's first send.
    pub(super) fn first_send(&mut self, id: StageId, route: Vec<RouteProvider>) {
        let Some(channel) = self.machine.channel(id) else { return };
        self.stage_mut(id).sending = Some(Box::new(Sending::new(channel, route)));
        self.next_provider(id);
    }

    /// Calls the next provider of the round, or does what follows where none can be called.
    pub(super) fn next_provider(&mut self, id: StageId) {
        if self.expiring() && self.stage(id).started.is_some() {
            // The expiry of the same instant comes first.
            let due = Activity::Paused(Moment(self.at));
            self.change(id, Was::RetryScheduled, Note::default(), |run| run.set_activity(due));
            return;
        }
        match self.choose(id) {
            Choice::Call(place) => self.call(id, place),
            Choice::Busy(place) => {
                self.stage_mut(id).phase = Phase::Open;
                let provider = self.provider_name(id, place);
                let note = Note { provider: Some(provider.clone()), ..Note::default() };
                self.change(id, Was::Queued, note, |run| run.set_activity(Activity::Queued(place)));
                self.effects.push(Effect::Queue { stage: id, provider });
                self.started(id);
            }
            Choice::Pause(until) => self.pause(id, until),
            Choice::RoundOver => self.round_over(id),
            Choice::Fail(reason) => self.send_failed(id, reason),
        }
    }

    fn choose(&self, id: StageId) -> Choice {
        let (Some(channel), Some(sending)) = (self.machine.channel(id), self.stage(id).sending.as_deref())
        else {
            return Choice::RoundOver;
        };
        if self.facts.quota_used(channel.channel, self.begun_on(channel.channel)) {
            return Choice::Fail(Reason::Quota);
        }
        let (sends, cost) = self.counted();
        if self.machine.headers.limit_sends.is_some_and(|limit| sends >= limit) {
            return Choice::Fail(Reason::Limit);
        }
        let limit_cost = self.machine.headers.limit_cost.map(|limit| limit.micros);
        let (mut all_open, mut all_dear) = (true, true);
        let mut free_at: Option<Instant> = None;
        for place in 0..u8::try_from(sending.route.len()).unwrap_or(u8::MAX) {
            let Some(provider) = sending.provider(place) else { break };
            if sending.tried.contains(&place) {
                continue;
            }
            let now = self.facts.readiness(&provider.name, self.begun_with(&provider.name));
            let dear = limit_cost.is_some_and(|limit| cost.saturating_add(provider.price) > limit);
            (all_open, all_dear) = (all_open && now.open, all_dear && dear);
            if now.open || dear {
                continue;
            }
            let own = sending.limited.iter().find(|(at, _)| *at == place).map(|(_, until)| until.0);
            let paused = now.paused_until.map(|until| until.0).max(own).filter(|until| *until > self.at);
            match paused {
                Some(until) => free_at = Some(free_at.map_or(until, |first| first.min(until))),
                None if now.busy => return Choice::Busy(place),
                None => return Choice::Call(place),
            }
        }
        match free_at {
            Some(until) => Choice::Pause(until),
            None if !sending.tried.is_empty() => Choice::RoundOver,
            None if sending.route.is_empty() => Choice::Fail(Reason::NoProvider),
            None if all_open && !all_dear => Choice::Fail(Reason::BreakerOpen),
            None => Choice::Fail(Reason::Limit),
        }
    }

    /// The attempts that count for the policy's limit, those under way among them, and their prices.
    pub(super) fn counted(&self) -> (u32, i64) {
        let under_way = self.instance.stages.iter().filter_map(|run| {
            let sending = run.sending.as_deref()?;
            match sending.activity {
                Activity::Calling { place, .. } | Activity::Clearing { place, .. } => {
                    Some(sending.price(place))
                }
                _ => None,
            }
        });
        under_way.fold((self.instance.sends, self.instance.cost), |(sends, cost), price| {
            (sends.saturating_add(1), cost.saturating_add(price))
        })
    }

    /// Attempts on a channel that this step has begun: no fact counts them yet.
    pub(super) fn begun_on(&self, channel: Channel) -> u32 {
        u32::try_from(self.begun.iter().filter(|(begun, _)| *begun == channel).count()).unwrap_or(u32::MAX)
    }

    /// Calls of a provider that this step has begun.
    pub(super) fn begun_with(&self, provider: &str) -> u32 {
        u32::try_from(self.begun.iter().filter(|(_, begun)| begun == provider).count()).unwrap_or(u32::MAX)
    }

    fn provider_name(&self, id: StageId, place: u8) -> String {
        let provider = self.stage(id).sending.as_deref().and_then(|sending| sending.provider(place));
        provider.map(|provider| provider.name.clone()).unwrap_or_default()
    }

    pub(super) fn call(&mut self, id: StageId, place: u8) {
        self.instance.attempts += 1;
        let attempt = self.instance.attempts;
        let provider = self.provider_name(id, place);
        let valid = self.machine.channel(id).and_then(|channel| channel.valid);
        let valid_until = valid.map(|valid| self.at.plus(valid)).or(self.instance.expires_at());
        let note = Note { provider: Some(provider.clone()), attempt: Some(attempt), ..Note::default() };
        self.change(id, Was::Called, note, |run| {
            run.phase = Phase::Open;
            run.set_activity(Activity::Calling { attempt, place, cleared: 0 });
        });
        if let Some(channel) = self.machine.channel(id) {
            self.begun.push((channel.channel, provider.clone()));
        }
        self.effects.push(Effect::Call { stage: id, attempt, provider, valid_until });
        self.started(id);
    }

    /// Every provider that is left asked to be left alone.
    fn pause(&mut self, id: StageId, until: Instant) {
        let at = self.at;
        self.stage_mut(id).phase = Phase::Open;
        let Some(sending) = self.sending(id) else { return };
        let left = PAUSED_MS_MAX - sending.paused_ms;
        if left <= 0 {
            self.send_failed(id, Reason::RateLimited);
            return;
        }
        let until = until.min(at.plus(Span::from_ms(left)));
        sending.paused_ms += until.since(at).ms();
        sending.last = sending.last.or(Some(Reason::RateLimited));
        let note = Note::reason(Reason::RateLimited);
        self.change(id, Was::Paused, note, |run| run.set_activity(Activity::Paused(Moment(until))));
        self.started(id);
    }

    /// No provider of the round is left.
    fn round_over(&mut self, id: StageId) {
        let retry = self.machine.channel(id).map_or(Retry::DEFAULT, |channel| channel.retry);
        let (at, seed) = (self.at, self.instance.seed);
        let Some(sending) = self.sending(id) else { return };
        let reason = sending.last.unwrap_or(Reason::Transient);
        if !sending.transient || sending.retries >= retry.times {
            self.send_failed(id, reason);
            return;
        }
        sending.retries += 1;
        let pause = retry.pause(sending.retries).ms();
        let jitter = jitter(seed, id, sending.retries, pause);
        let pause = (pause + jitter).max(sending.retry_after_ms.min(RETRY_AFTER_MS_MAX));
        let due = Moment(at.plus(Span::from_ms(pause)));
        let note = Note::reason(reason);
        self.change(id, Was::RetryScheduled, note, |run| run.set_activity(Activity::Retry(due)));
    }

    /// A retry, the end of a pause or of a hold before a round, or the clearing of a doubt is due.
    pub(super) fn activity_due(&mut self, id: StageId) {
        let Some(sending) = self.stage(id).sending.as_deref() else { return };
        match sending.activity {
            Activity::Retry(_) => self.round(id, Round::Retry),
            Activity::Paused(_) => self.round(id, Round::Same),
            Activity::Held { round, .. } => self.round(id, round),
            Activity::Clearing { attempt, place, cleared, .. } => {
                self.clear_up(id, attempt, place, cleared);
            }
            Activity::None | Activity::Calling { .. } | Activity::Queued(_) => {}
        }
    }

    /// The provider that a stage waited for has a free place.
    pub(super) fn ready(&mut self, id: StageId) {
        let queued = |sending: &Sending| matches!(sending.activity, Activity::Queued(_));
        if self
            .instance
            .stages
            .get(usize::from(id.0))
            .and_then(|run| run.sending.as_deref())
            .is_some_and(queued)
        {
            self.round(id, Round::Same);
        }
    }

    /// Looks at the windows, then starts a round or goes on with one.
    fn round(&mut self, id: StageId, round: Round) {
        self.set_activity(id, Activity::None);
        match self.gate(id) {
            Gate::Until(until, by) => {
                let note = Note { detail: Some(by.to_owned()), ..Note::default() };
                let held = Activity::Held { until: Moment(until), round };
                self.change(id, Was::Held, note, |run| run.set_activity(held));
                return;
            }
            Gate::Never => {
                self.send_failed(id, Reason::NeverOpen);
                return;
            }
            Gate::Open => {}
        }
        match round {
            Round::Same => {}
            Round::Retry => {
                self.sending(id).into_iter().for_each(Sending::new_round);
                self.record(id, Was::Retried, Note::default());
            }
            Round::Repetition => {
                if let Some(sending) = self.sending(id) {
                    sending.new_round();
                    sending.retries = 0;
                    sending.resent = 0;
                }
                self.record(id, Was::Repeated, Note::default());
            }
        }
        self.next_provider(id);
    }

    /// A repetition is due.
    pub(super) fn repeat(&mut self, id: StageId) {
        let Some(sending) = self.sending(id) else { return };
        sending.repeated += 1;
        if sending.activity == Activity::None {
            self.round(id, Round::Repetition);
        } else {
            self.record(id, Was::RepetitionLost, Note::default());
        }
    }

    /// A send has failed, with no attempt under way: the stage with it, unless another send of it
    /// waits for a confirmation or a repetition is still to come.
    pub(super) fn send_failed(&mut self, id: StageId, reason: Reason) {
        let overtaken = self.stage(id).overtaken;
        let times = self.machine.channel(id).and_then(|channel| channel.repeat).map_or(0, |r| r.times);
        let Some(sending) = self.sending(id) else { return };
        sending.activity = Activity::None;
        sending.last = Some(reason);
        let never_sent = sending.sends.is_empty() && self.stage(id).started.is_none();
        let Some(sending) = self.stage(id).sending.as_deref() else { return };
        if sending.waits() || (!never_sent && !overtaken && sending.repeated < times) {
            self.record(id, Was::SendFailed, Note::reason(reason));
            return;
        }
        self.fail(id, reason);
    }

    /// An attempt was accepted, or is in doubt and treated so.
    pub(super) fn keep_send(&mut self, id: StageId, attempt: u32, place: u8, state: Sent) {
        let at = self.at;
        let Some(sending) = self.sending(id) else { return };
        let horizon = sending.provider(place).map_or(0, |provider| provider.horizon_ms);
        let horizon = Moment(at.plus(Span::from_ms(horizon)));
        let price = sending.price(place);
        sending.sends.push(Send { attempt, place, state, level: None, horizon, reported: false });
        self.instance.sends += 1;
        self.instance.cost = self.instance.cost.saturating_add(price);
    }
}

/// Up to a fifth of the pause, from what no two messages share, so that a replay is exact.
fn jitter(seed: u64, id: StageId, retry: u32, pause_ms: i64) -> i64 {
    if seed == 0 {
        return 0;
    }
    // The finalizer of SplitMix64: every bit of the input moves every bit of the output.
    let mut mixed = seed ^ (u64::from(id.0) << 32 | u64::from(retry)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let most = u64::try_from(pause_ms / 5).unwrap_or_default();
    i64::try_from((mixed ^ (mixed >> 31)) % (most + 1)).unwrap_or_default()
}
