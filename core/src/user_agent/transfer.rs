//! Transferring and alternating: what two calls have to do with each other.

use super::UserAgent;
use super::sequence::{Goal, Progress};
use super::target::parse_target;
use crate::call::{Call, CallOptions, Errand};
use crate::error::{CommandError, OperationError};
use crate::event::{CallState, EndCause};
use crate::id::{CallId, OperationId};
use crate::sip::UriBuf;
use crate::time::Instant;

impl UserAgent {
    /// Puts the call `of` on hold and calls `target` with the id `id`, to ask there before the far end of `of` is sent on
    /// with [`CallHandle::transfer_to`](crate::CallHandle::transfer_to). Done when the far end is on hold and the second
    /// call is on its way.
    ///
    /// Whenever the second call ends, the first one is taken off hold again.
    ///
    /// # Errors
    /// Those of [`Self::call`]; [`CommandError::WrongState`] unless `of` is answered.
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
        if !is_free || call.is_transferring() || self.is_in_sequence(of) {
            return Err(CommandError::WrongState);
        }
        let goal = Goal::Consult {
            of,
            id,
            target: target.uri,
            options,
        };
        self.begin_sequence(goal, &[of])
    }

    /// Takes `id` off hold once every other answered call is on hold. If one of them does not let itself be put on hold,
    /// or `id` cannot be taken off it, everything is as before.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] unless `id` is answered and on hold; [`CommandError::NotConnected`].
    pub fn swap_to(&mut self, now: Instant, id: CallId) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        let call = self.calls.get(&id).ok_or(CommandError::NoSuchCall)?;
        if call.info.state != CallState::Active || !call.is_held() || self.is_in_sequence(id) {
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

    pub(super) fn transfer(&mut self, id: CallId, target: &str) -> Result<OperationId, CommandError> {
        let call = self.calls.get(&id).ok_or(CommandError::NoSuchCall)?;
        call.may_transfer(&self.endpoint)?;
        let domain = self.endpoint.config.address_of_record.clone();
        let domain = domain.as_uri().host().unwrap_or_default();
        let target = parse_target(target, domain).ok_or(CommandError::InvalidTarget)?;
        if call.is_with(&target.uri) {
            return Err(CommandError::InvalidTarget);
        }
        if self.is_in_sequence(id) || call.consultation().is_some() {
            return Err(CommandError::WrongState);
        }
        let goal = Goal::Refer {
            call: id,
            target: target.uri,
        };
        self.begin_sequence(goal, &[id])
    }

    pub(super) fn transfer_to(&mut self, id: CallId, other: CallId) -> Result<OperationId, CommandError> {
        let call = self.calls.get(&id).ok_or(CommandError::NoSuchCall)?;
        let target = self.calls.get(&other).ok_or(CommandError::NoSuchCall)?;
        let can_be_joined = target.info.state == CallState::Active && !target.is_transferring()
            || target.unanswered_target().is_some() && target.is_live();
        let is_free = !self.is_in_sequence(id) && !self.is_in_sequence(other);
        if id == other || !can_be_joined || !is_free {
            return Err(CommandError::WrongState);
        }
        match call.may_transfer(&self.endpoint) {
            Ok(()) => self.begin_sequence(Goal::Join { call: id, other }, &[id]),
            // Then the other one is sent, if that one knows how: the two come together all the same.
            Err(CommandError::NotOffered) if target.may_transfer(&self.endpoint) == Ok(()) => {
                let goal = Goal::Join {
                    call: other,
                    other: id,
                };
                self.begin_sequence(goal, &[other])
            }
            Err(error) => Err(error),
        }
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
        call.end_consultation(&mut self.endpoint);
        let operation = call.await_hold(&mut self.endpoint);
        self.settle();
        Ok(operation)
    }

    /// The call in which somebody is asked is on its way.
    pub(super) fn place_consultation(
        &mut self,
        of: CallId,
        id: CallId,
        target: UriBuf,
        options: CallOptions,
        retrieve: bool,
    ) -> Result<Progress, OperationError> {
        if !self.endpoint.is_connected() {
            return Err(OperationError::Disconnected);
        }
        if self.calls.contains_key(&id) || !self.has_room() {
            return Err(OperationError::Superseded);
        }
        let first = self.calls.get_mut(&of).ok_or(OperationError::CallEnded)?;
        first.consults(id, retrieve);
        let call = Call::outgoing(&mut self.endpoint, id, target, options);
        self.calls.insert(id, call);
        Ok(Progress::Done)
    }

    /// What the end of one call means for another; `false` if nothing.
    pub(super) fn relate_calls(&mut self) -> bool {
        let mut has_moved = self.leave_replaced() | self.run_errands() | self.keep_answered_waiting();
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
            self.with_call(id, Call::end_consultation);
        }
        has_moved
    }

    /// Somebody who is asked answers when the user has gone back to the first call: that one waits.
    fn keep_answered_waiting(&mut self) -> bool {
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

    /// Calls are made that far ends have asked for, and these are told how they stand.
    fn run_errands(&mut self) -> bool {
        let mut has_moved = false;
        let wanted = self
            .calls
            .values()
            .filter_map(|call| Some((call.id(), call.open_errand()?)));
        for (id, errand) in wanted.collect::<Vec<_>>() {
            has_moved |= self.run_errand(id, errand);
        }
        let under_way = self
            .calls
            .values()
            .filter_map(|call| Some((call.id(), call.errand_call()?)));
        for (id, other) in under_way.collect::<Vec<_>>() {
            let info = self.calls.get(&other).map(|call| call.info.clone());
            if let Some(call) = self.calls.get_mut(&id) {
                has_moved |= call.errand_stands(&mut self.endpoint, info.as_ref());
            }
        }
        has_moved
    }

    /// `false` if it has to wait for a connection.
    fn run_errand(&mut self, first: CallId, errand: Errand) -> bool {
        if !self.endpoint.is_connected() {
            return false;
        }
        let domain = self.endpoint.config.address_of_record.clone();
        let domain = domain.as_uri().host().unwrap_or_default();
        // A telephone number is called as if it had been dialled.
        let target = parse_target(errand.target.as_str(), domain);
        let (Some(target), true, None) = (target, self.has_room(), self.stopping) else {
            self.with_call(first, |call, endpoint| call.conclude_errand(endpoint, 486));
            return true;
        };
        let Some(info) = self.calls.get(&first).map(|call| call.info.clone()) else {
            return false;
        };
        let id = self.new_call_id();
        let call = Call::referred(&mut self.endpoint, id, target.uri, &info, errand);
        self.calls.insert(id, call);
        if let Some(tones) = target.post_dial {
            self.post_dial.insert(id, tones);
        }
        self.with_call(first, |call, endpoint| call.errand_begun(endpoint, id));
        true
    }

    /// The far end of one call has taken the place of another, which is left; or it has not.
    fn leave_replaced(&mut self) -> bool {
        let done: Vec<_> = self.calls.values_mut().filter_map(Call::take_done_with).collect();
        for other in &done {
            self.with_call(*other, Call::leave_transferred);
        }
        let is_under_way = |id: CallId| {
            let call = self.calls.get(&id);
            call.is_some_and(|call| call.is_transferring() || call.ended_by(EndCause::Transferred))
        };
        let kept: Vec<_> = self
            .calls
            .values()
            .filter(|call| call.offered_for().is_some_and(|it| !is_under_way(it)))
            .map(Call::id)
            .collect();
        for id in kept {
            self.with_call(id, |call, _| call.set_offered_for(None));
        }
        !done.is_empty()
    }
}
