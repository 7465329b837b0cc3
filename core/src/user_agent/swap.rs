//! Alternating between calls: one is taken off hold when the others are on hold, and not before.

use super::UserAgent;
use super::sequence::Goal;
use crate::call::Call;
use crate::error::CommandError;
use crate::event::CallState;
use crate::id::{CallId, OperationId};
use crate::time::Instant;

impl UserAgent {
    /// Takes `id` off hold once every other answered call is on hold. If one of them does not let itself be put on hold,
    /// or `id` cannot be taken off it, everything is as before.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] unless `id` is answered and on hold, or while another change of whom the user speaks
    /// with is under way; [`CommandError::NotConnected`].
    pub fn swap_to(&mut self, now: Instant, id: CallId) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        let call = self.calls.get(&id).ok_or(CommandError::NoSuchCall)?;
        let can_be_retrieved = call.info.state == CallState::Active && call.is_held();
        if !can_be_retrieved || self.is_in_sequence(id) || self.is_changing_speaker() {
            return Err(CommandError::WrongState);
        }
        if !self.endpoint.is_connected() {
            return Err(CommandError::NotConnected);
        }
        let others = self.speaking_besides(id);
        self.begin_sequence(Goal::Resume(id), &others)
    }

    /// Answered calls that are not on hold.
    pub(super) fn speaking_besides(&self, id: CallId) -> Vec<CallId> {
        let others = self.calls.values().filter(|call| call.id() != id);
        let speaking = others.filter(|call| call.info.state == CallState::Active && !call.is_held());
        speaking.map(Call::id).collect()
    }
}
