//! Asking somebody in a second call before the far end of the first one is sent there (RFC 5359 section 2.5, RFC 5589
//! section 7): the first one is on hold meanwhile, and comes back by itself.

use super::UserAgent;
use super::sequence::{Goal, Progress};
use super::target::Target;
use crate::call::{Call, CallOptions};
use crate::error::{CommandError, OperationError};
use crate::event::CallState;
use crate::id::{CallId, OperationId};
use crate::time::Instant;

impl UserAgent {
    /// Puts the call `of` on hold and calls `target` with the id `id`, to ask there before the far end of `of` is sent on
    /// with [`CallHandle::transfer_to`](crate::CallHandle::transfer_to). Done when the far end is on hold and the second
    /// call is on its way.
    ///
    /// Whenever the second call ends, the first one is taken off hold again. If the user speaks with a third one by then, or
    /// has commanded its hold meanwhile, it stays on hold.
    ///
    /// # Errors
    /// Those of [`Self::call`]; [`CommandError::WrongState`] unless `of` is answered, or while another change of whom the
    /// user speaks with is under way.
    pub fn consult(
        &mut self,
        now: Instant,
        of: CallId,
        id: CallId,
        target: &str,
        options: CallOptions,
    ) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        let target = self.check_new_call(id, target)?;
        let call = self.calls.get(&of).ok_or(CommandError::NoSuchCall)?;
        let is_free = call.info.state == CallState::Active && call.consultation().is_none();
        if !is_free || call.is_transferring() || self.is_in_sequence(of) || self.is_changing_speaker() {
            return Err(CommandError::WrongState);
        }
        let goal = Goal::Consult {
            of,
            id,
            target,
            options,
        };
        self.begin_sequence(goal, &[of])
    }

    pub(super) fn cancel_transfer(&mut self, id: CallId) -> Result<OperationId, CommandError> {
        let was_begun = self.break_off_transfer(id);
        let call = self.calls.get(&id).ok_or(CommandError::NoSuchCall)?;
        let consultation = call.consultation();
        if call.is_transferring() || !was_begun && consultation.is_none() {
            return Err(CommandError::WrongState);
        }
        if let Some(other) = consultation {
            // What comes of it is the other call's matter.
            self.with_call(other, |call, endpoint| {
                let _ = endpoint.as_step(|endpoint| call.hang_up(endpoint));
            });
        }
        let call = self.calls.get_mut(&id).ok_or(CommandError::NoSuchCall)?;
        call.end_consultation();
        // The user's own command: it comes back whoever else is spoken with.
        if call.take_return().is_some() {
            call.wish_hold(&mut self.endpoint, false);
        }
        let operation = call.await_hold(&mut self.endpoint);
        self.settle();
        Ok(operation)
    }

    /// The call in which somebody is asked is on its way.
    pub(super) fn place_consultation(
        &mut self,
        of: CallId,
        id: CallId,
        target: Target,
        options: CallOptions,
        retrieve: bool,
    ) -> Result<Progress, OperationError> {
        if !self.endpoint.is_connected() {
            return Err(OperationError::Disconnected);
        }
        if self.is_known(id) || !self.has_room() {
            // What has taken its place is to blame, and the user learns that nobody is being called.
            return Err(CommandError::TooManyCalls.into_failure());
        }
        let first = self.calls.get_mut(&of).ok_or(OperationError::CallEnded)?;
        first.consults(id, retrieve);
        self.place(id, target, options);
        Ok(Progress::Done)
    }

    /// Somebody who is asked answers when the user has gone back to the first call: that one waits.
    pub(super) fn keep_answered_waiting(&mut self) -> bool {
        let answered = |id: &CallId| {
            self.calls
                .get(id)
                .is_some_and(|it| it.info.state == CallState::Active)
        };
        let asked = self
            .calls
            .values()
            .filter_map(|call| Some((call.id(), call.consultation()?)));
        let asked: Vec<_> = asked.filter(|(_, other)| answered(other)).collect();
        let mut has_moved = false;
        for (id, other) in asked {
            let waits = self.calls.get_mut(&id).is_some_and(Call::is_answered_in_vain);
            if waits && !self.is_in_sequence(other) {
                has_moved = true;
                self.with_call(other, |call, endpoint| call.wish_hold(endpoint, true));
            }
        }
        has_moved
    }

    /// The far end comes back when nobody is asked any more.
    pub(super) fn end_consultations(&mut self) -> bool {
        let mut has_moved = false;
        let is_gone = |id: &CallId| !self.calls.get(id).is_some_and(Call::is_live);
        let alone = |call: &&Call| {
            let is_alone = call.consultation().as_ref().is_some_and(is_gone);
            is_alone && !call.is_transferring() && !call.is_over()
        };
        let returning: Vec<_> = self.calls.values().filter(alone).map(Call::id).collect();
        // While the far end is being sent there, the end of the other call says that it has arrived.
        let returning = returning.into_iter().filter(|id| !self.is_in_sequence(*id));
        for id in returning.collect::<Vec<_>>() {
            has_moved = true;
            self.with_call(id, |call, _| call.end_consultation());
        }
        has_moved
    }
}
