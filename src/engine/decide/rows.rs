//! What a decision makes of a message's rows.

use super::Decision;
use crate::engine::running::{Info, Running, due, unsettled};
use crate::machine::Instance;
use crate::store::rows::{EndedState, LiveState};
use crate::store::{MessageStep, StoreError};

impl Decision {
    /// Whether nothing of the message's rows changes.
    pub(in crate::engine) fn is_quiet(&self, before: &Running) -> bool {
        self.journal.is_none()
            && self.events.is_empty()
            && self.outcomes.is_empty()
            && !self.settles
            && self.state.instance == before.state.instance
    }

    /// What becomes of the message's rows. `begun`: it stands already, at this position and version.
    pub(in crate::engine) fn message_step(
        &self,
        info: &Info,
        begun: Option<(crate::store::Position, u32)>,
        was_ended: bool,
        row: Option<Box<crate::store::rows::MessageRow>>,
    ) -> Result<Option<MessageStep>, StoreError> {
        let instance = &self.state.instance;
        let state = self.state.write()?;
        let status = instance.status();
        let due_at = due(info, &self.state, &self.attempts, &self.said);
        let unsettled = unsettled(info, &self.state, &self.attempts, &self.said);
        // What waits for a place is looked at again at once after a crash.
        let due_at = if instance.queued().next().is_some() { Some(instance.last_at()) } else { due_at };
        let ended = instance.ended().map(|ended| ended.at.0);
        Ok(match (begun, ended, row) {
            (None, None, Some(row)) => Some(MessageStep::Begin(row, LiveState { status, due_at, state })),
            (None, Some(at), Some(row)) => {
                Some(MessageStep::BeginEnded(row, EndedState { status, at, state }, unsettled))
            }
            (Some((n, expected)), None, _) => {
                Some(MessageStep::Go { n, expected, live: LiveState { status, due_at, state } })
            }
            (Some((n, expected)), Some(at), _) if was_ended => {
                let ended = EndedState { status, at, state };
                Some(MessageStep::Amend { n, expected, ended, unsettled })
            }
            (Some((n, expected)), Some(at), _) => {
                let ended = EndedState { status, at, state };
                Some(MessageStep::End { n, expected, ended, unsettled })
            }
            (None, _, None) => None,
        })
    }

    pub(in crate::engine) fn instance(&self) -> &Instance {
        &self.state.instance
    }
}
