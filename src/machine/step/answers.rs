//! What providers answer, what receipts say, and what the caller confirms.

use crate::language::policy::{OnDoubt, Retry};
use crate::machine::effect::{Effect, Told, Was};
use crate::machine::facts::{Clearing, Moment};
use crate::machine::instance::{Activity, Sent};
use crate::machine::plan::StageId;
use crate::model::{Channel, Confirmation, Outcome, Reason, Span, Status};

use super::{Note, Run};

/// How long a rate limit that says nothing else pauses a provider.
const RATE_LIMIT: Span = Span::from_s(1);
/// How often an attempt in doubt is asked or called again.
const CLEARED_MAX: u8 = 3;
/// How often a stage in doubt sends anew.
const RESENT_MAX: u8 = 2;

impl Run<'_> {
    /// The stage whose attempt under way, or in doubt and being cleared up, has that number.
    fn under_way(&self, number: u32) -> Option<(StageId, u8, u8)> {
        self.machine.ids().find_map(|id| match self.stage(id).sending.as_deref()?.activity {
            Activity::Calling { attempt, place, cleared }
            | Activity::Clearing { attempt, place, cleared, .. }
                if attempt == number =>
            {
                Some((id, place, cleared))
            }
            _ => None,
        })
    }

    fn note(&self, id: StageId, place: u8, attempt: u32, reason: Option<Reason>) -> Note {
        let sending = self.stage(id).sending.as_deref();
        let provider = sending.and_then(|s| s.provider(place)).map(|provider| provider.name.clone());
        Note { provider, attempt: Some(attempt), reason, detail: None }
    }

    pub(super) fn answered(&mut self, attempt: u32, outcome: Outcome, retry_after: Option<Span>) {
        let Some((id, place, cleared)) = self.under_way(attempt) else { return };
        match outcome {
            Outcome::Accepted => self.accept(id, place, attempt),
            Outcome::InDoubt => self.in_doubt(id, place, attempt, cleared),
            _ => self.refused(id, place, attempt, outcome, retry_after),
        }
    }

    fn accept(&mut self, id: StageId, place: u8, attempt: u32) {
        let note = self.note(id, place, attempt, None);
        self.keep(id, place, attempt, Was::AttemptAccepted, note);
        self.tell(Told::Sent { stage: id, attempt });
    }

    /// Keeps a send that counts as accepted, and what follows from that.
    fn keep(&mut self, id: StageId, place: u8, attempt: u32, was: Was, note: Note) {
        self.keep_send(id, attempt, place, Sent::Accepted);
        self.change(id, was, note, |run| {
            run.set_activity(Activity::None);
            run.past_horizon = false;
        });
        if self.instance.ended.is_some() {
            return;
        }
        if self.instance.status == Status::Queued && !self.stage(id).lost {
            self.change_status(Was::MessageSent, Status::Sent, Note::default());
        }
        let goal = self.stage(id).sending.as_deref().map(|sending| sending.goal);
        if goal == Some(Confirmation::Accepted) {
            self.reach(id);
        }
    }

    fn refused(&mut self, id: StageId, place: u8, attempt: u32, outcome: Outcome, after: Option<Span>) {
        let Some(reason) = outcome.reason() else { return };
        let note = self.note(id, place, attempt, Some(reason));
        self.change(id, Was::AttemptRefused, note, |run| run.set_activity(Activity::None));
        let at = self.at;
        let run = self.stage(id);
        let (idle, overtaken) = (run.dropped || run.lost || run.reached || run.failed, run.overtaken);
        let Some(sending) = self.sending(id) else { return };
        sending.last = Some(reason);
        if idle || self.instance.ended.is_some() {
            return;
        }
        if overtaken {
            self.send_failed(id, reason);
            return;
        }
        let Some(sending) = self.sending(id) else { return };
        match outcome {
            Outcome::RecipientFault | Outcome::ContentFault => {
                self.fail(id, reason);
                return;
            }
            Outcome::RateLimited => {
                let until = Moment(at.plus(after.unwrap_or(RATE_LIMIT)));
                sending.limited.retain(|(limited, until)| *limited != place && until.0 > at);
                sending.limited.push((place, until));
            }
            _ => {
                sending.tried.push(place);
                if outcome == Outcome::Transient {
                    sending.transient = true;
                    sending.retry_after_ms = sending.retry_after_ms.max(after.map_or(0, Span::ms));
                }
            }
        }
        self.next_provider(id);
    }

    /// Nobody knows whether the provider took it: it is asked or called again where it can be, and
    /// else the policy says what is done.
    fn in_doubt(&mut self, id: StageId, place: u8, attempt: u32, cleared: u8) {
        let sending = self.stage(id).sending.as_deref();
        let clearing = sending.and_then(|s| s.provider(place)).map_or(Clearing::None, |p| p.clearing);
        if clearing != Clearing::None && cleared < CLEARED_MAX && self.instance.ended.is_none() {
            if cleared == 0 {
                self.clear_up(id, attempt, place, 0);
            } else {
                let at = Moment(self.at.plus(Retry::DEFAULT.pause(u32::from(cleared))));
                self.set_activity(id, Activity::Clearing { attempt, place, cleared, at });
            }
            return;
        }
        let doubt = self.machine.channel(id).map_or(OnDoubt::Wait, |channel| channel.on_doubt);
        let run = self.stage(id);
        let active = self.instance.ended.is_none() && !run.dropped && !run.lost;
        let note = self.note(id, place, attempt, Some(Reason::InDoubt));
        match doubt {
            OnDoubt::MoveOn if active => {
                self.give_up(id, place, attempt, note);
                self.send_failed(id, Reason::InDoubt);
            }
            OnDoubt::Resend if active && !run.overtaken && !run.reached && self.may_resend(id, place) => {
                self.give_up(id, place, attempt, note);
                if let Some(sending) = self.sending(id) {
                    sending.resent += 1;
                }
                self.call(id, place);
            }
            _ => {
                self.keep(id, place, attempt, Was::AttemptInDoubt, note);
                self.tell(Told::Sent { stage: id, attempt });
            }
        }
    }

    fn give_up(&mut self, id: StageId, place: u8, attempt: u32, note: Note) {
        self.keep_send(id, attempt, place, Sent::GivenUp);
        self.change(id, Was::AttemptInDoubt, note, |run| run.set_activity(Activity::None));
    }

    /// Whether the same provider may be called once more: within the quota, the policy's limit, and
    /// neither open, paused nor busy. The attempt in doubt counts for the limit already.
    fn may_resend(&self, id: StageId, place: u8) -> bool {
        let (Some(channel), Some(sending)) = (self.machine.channel(id), self.stage(id).sending.as_deref())
        else {
            return false;
        };
        let Some(provider) = sending.provider(place) else { return false };
        let (sends, cost) = self.counted();
        let headers = &self.machine.headers;
        if self.expiring()
            || sending.resent >= RESENT_MAX
            || headers.limit_sends.is_some_and(|limit| sends >= limit)
            || headers.limit_cost.is_some_and(|limit| cost.saturating_add(provider.price) > limit.micros)
            || self.facts.quota_used(channel.channel, self.begun_on(channel.channel))
        {
            return false;
        }
        let now = self.facts.readiness(&provider.name, self.begun_with(&provider.name));
        !now.open && !now.busy && now.paused_until.is_none_or(|until| until.0 <= self.at)
    }

    /// Asks the provider about an attempt, or calls it again under the same key.
    pub(super) fn clear_up(&mut self, id: StageId, attempt: u32, place: u8, cleared: u8) {
        let sending = self.stage(id).sending.as_deref();
        let Some(provider) = sending.and_then(|sending| sending.provider(place)) else { return };
        let (clearing, provider) = (provider.clearing, provider.name.clone());
        let note = self.note(id, place, attempt, Some(Reason::InDoubt));
        self.change(id, Was::CalledAgain, note, |run| {
            run.set_activity(Activity::Calling { attempt, place, cleared: cleared + 1 });
        });
        self.effects.push(match clearing {
            Clearing::LookUp => Effect::LookUp { attempt, provider },
            Clearing::Key | Clearing::None => Effect::CallAgain { attempt, provider },
        });
    }

    /// The stage and place among its sends of an attempt that was not refused. A receipt that comes
    /// before the answer says that the attempt was accepted.
    fn sent(&mut self, attempt: u32) -> Option<(StageId, usize)> {
        if let Some((id, place, _)) = self.under_way(attempt) {
            self.accept(id, place, attempt);
        }
        self.machine.ids().find_map(|id| {
            let sends = &self.stage(id).sending.as_deref()?.sends;
            sends.iter().position(|send| send.attempt == attempt).map(|index| (id, index))
        })
    }

    pub(super) fn confirmed(&mut self, attempt: u32, level: Confirmation) {
        let Some((id, index)) = self.sent(attempt) else { return };
        let Some(sending) = self.stage(id).sending.as_deref() else { return };
        let send = sending.sends[index];
        let before = send.level.unwrap_or(Confirmation::Accepted);
        if level <= before {
            return;
        }
        let other = self.delivered_before(id, attempt);
        let was = match level {
            // What was sent counts as accepted, whoever says so once more.
            Confirmation::Accepted => return,
            Confirmation::Delivered => Was::Delivered,
            Confirmation::Read => Was::Read,
            Confirmation::Replied => Was::Replied,
        };
        let note = self.note(id, send.place, attempt, None);
        self.change(id, was, note, |run| {
            if let Some(send) = run.sending.as_deref_mut().and_then(|sending| sending.sends.get_mut(index)) {
                send.level = Some(level);
            }
        });
        self.confirmed = Some((id, attempt));
        let stage = id;
        match level {
            Confirmation::Read => self.tell(Told::Read { stage, attempt }),
            Confirmation::Replied => self.tell(Told::Replied { stage, attempt }),
            Confirmation::Accepted | Confirmation::Delivered => {}
        }
        if before < Confirmation::Delivered
            && let Some((other_stage, other_attempt)) = other
        {
            self.tell(Told::DuplicateDelivery { stage, attempt, other_stage, other_attempt });
        }
        let run = self.stage(id);
        let goal = run.sending.as_deref().map(|sending| sending.goal);
        if self.instance.ended.is_none()
            && !run.lost
            && !run.reached
            && goal.is_some_and(|goal| level >= goal)
        {
            self.reach(id);
        }
    }

    /// Another send of the message that was confirmed as delivered before this one is: neither a
    /// repetition of the same stage nor another member of one `all of`.
    fn delivered_before(&self, id: StageId, attempt: u32) -> Option<(StageId, u32)> {
        use crate::language::policy::GroupKind::All;
        let all_of: Vec<_> = self.machine.groups_of(id).filter(|(_, kind)| *kind == All).collect();
        let repeats = |id| self.machine.channel(id).is_some_and(|channel| channel.repeat.is_some());
        self.machine.ids().find_map(|other| {
            let together = other != id && self.machine.groups_of(other).any(|group| all_of.contains(&group));
            if together || (other == id && repeats(id)) {
                return None;
            }
            let sends = &self.stage(other).sending.as_deref()?.sends;
            let delivered = sends
                .iter()
                .find(|send| send.level >= Some(Confirmation::Delivered) && send.attempt != attempt)?;
            Some((other, delivered.attempt))
        })
    }

    pub(super) fn failed_later(&mut self, attempt: u32, fault: Option<Outcome>) {
        let Some((id, index)) = self.sent(attempt) else { return };
        let Some(sending) = self.stage(id).sending.as_deref() else { return };
        let send = sending.sends[index];
        let delivered = sending.level() >= Some(Confirmation::Delivered);
        if send.reported {
            return;
        }
        let reason = fault.and_then(Outcome::reason).unwrap_or(Reason::Failed);
        let note = self.note(id, send.place, attempt, Some(reason));
        self.change(id, Was::ReceiptFailed, note, |run| {
            if let Some(send) = run.sending.as_deref_mut().and_then(|sending| sending.sends.get_mut(index)) {
                send.reported = true;
                // What was confirmed as delivered still waits for more.
                if !delivered {
                    send.state = Sent::Failed;
                }
            }
        });
        let run = self.stage(id);
        let recorded = delivered || run.reached || run.failed || run.dropped || run.lost;
        if recorded || self.instance.ended.is_some() || send.state == Sent::GivenUp {
            return;
        }
        let busy = run.sending.as_deref().is_some_and(|sending| sending.activity != Activity::None);
        if busy {
            if let Some(sending) = self.sending(id) {
                sending.last = Some(reason);
            }
        } else {
            self.send_failed(id, reason);
        }
    }

    pub(super) fn confirmed_by_caller(&mut self, level: Confirmation, channel: Option<Channel>) {
        let Some(channel) = channel else {
            self.instance.caller = true;
            let status = self.instance.status;
            let moved = crate::machine::effect::Moved::Message { from: Some(status), to: status };
            self.write(Was::ConfirmedByCaller, moved, Note::default());
            return;
        };
        let Some((id, attempt)) = self.instance.last_send(self.machine, channel) else { return };
        self.record(id, Was::ConfirmedByCaller, Note { attempt: Some(attempt), ..Note::default() });
        self.confirmed(attempt, level);
    }
}
