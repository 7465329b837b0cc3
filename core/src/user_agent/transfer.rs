//! Transferring calls, and what one call means for another.

use super::UserAgent;
use super::sequence::Goal;
use super::target::parse_target;
use crate::call::Call;
use crate::error::CommandError;
use crate::event::{CallState, EndCause};
use crate::id::{CallId, OperationId};
use crate::sip::Message;

impl UserAgent {
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

    pub(super) fn push(&mut self, id: CallId) -> Result<OperationId, CommandError> {
        let own = self.endpoint.config.address_of_record.clone();
        self.transfer(id, own.as_str())
    }

    /// Whether `invite` comes only because this device has sent its sender on: other devices of the account are meant.
    pub(super) fn is_own_push(&self, invite: &Message) -> bool {
        self.calls
            .values()
            .any(|call| call.has_sent(&self.endpoint, invite))
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

    /// What the end of one call means for another; `false` if nothing.
    pub(super) fn relate_calls(&mut self) -> bool {
        self.leave_replaced()
            | self.advance_gathering()
            | self.run_errands()
            | self.keep_answered_waiting()
            | self.end_consultations()
    }

    /// The far end of one call has taken the place of another, which is left; or it has not.
    fn leave_replaced(&mut self) -> bool {
        let done: Vec<_> = self.calls.values_mut().filter_map(Call::take_done_with).collect();
        self.have_moved(&done);
        for other in &done {
            self.with_call(*other, Call::leave_transferred);
        }
        let is_under_way = |id: CallId, of: CallId| {
            let call = self.calls.get(&id);
            call.is_some_and(|call| {
                call.is_transferring() || call.is_fetching(of) || call.ended_by(EndCause::Transferred)
            })
        };
        let kept: Vec<_> = self
            .calls
            .values()
            .filter(|call| call.offered_for().is_some_and(|it| !is_under_way(it, call.id())))
            .map(Call::id)
            .collect();
        for id in kept {
            self.with_call(id, |call, _| call.stays());
        }
        !done.is_empty()
    }
}
