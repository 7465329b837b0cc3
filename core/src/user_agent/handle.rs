//! Commands to one call.

use super::UserAgent;
use crate::call::{Call, RejectReason};
use crate::error::CommandError;
use crate::event::CallInfo;
use crate::id::{CallId, OperationId};

/// A borrowed call of a [`UserAgent`]. Each accepted command gives an [`OperationId`] that ends exactly once in
/// [`Event::OperationDone`](crate::Event::OperationDone).
#[derive(Debug)]
pub struct CallHandle<'a> {
    agent: &'a mut UserAgent,
    id: CallId,
}

impl<'a> CallHandle<'a> {
    pub(super) fn new(agent: &'a mut UserAgent, id: CallId) -> Self {
        Self { agent, id }
    }

    /// The call as it stands.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`] after the call has ended.
    pub fn info(&self) -> Result<CallInfo, CommandError> {
        self.agent
            .calls
            .get(&self.id)
            .map(|call| call.info.clone())
            .ok_or(CommandError::NoSuchCall)
    }

    /// Answers. Done when the caller has acknowledged.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] unless the call is coming in.
    pub fn answer(&mut self) -> Result<OperationId, CommandError> {
        self.agent.command(self.id, Call::answer)
    }

    /// Declines.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] unless the call is coming in.
    pub fn reject(&mut self, reason: RejectReason) -> Result<OperationId, CommandError> {
        self.agent
            .command(self.id, |call, endpoint| call.reject(endpoint, reason))
    }

    /// Ends the call, whatever its state. Done when the far end has agreed, or cannot any more.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] if it is ending already.
    pub fn hang_up(&mut self) -> Result<OperationId, CommandError> {
        self.agent.leave_gathering(self.id);
        self.agent.command(self.id, Call::hang_up)
    }

    /// Puts the far end on hold. Done when negotiated.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] unless the call is answered; [`CommandError::NotConnected`].
    pub fn hold(&mut self) -> Result<OperationId, CommandError> {
        self.agent.command_hold(self.id, true)
    }

    /// Takes the far end off hold. Done when negotiated.
    ///
    /// # Errors
    /// Those of [`Self::hold`].
    pub fn resume(&mut self) -> Result<OperationId, CommandError> {
        self.agent.command_hold(self.id, false)
    }

    /// Switches the microphone off or on. Never signalled.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] if the call is ending.
    pub fn set_muted(&mut self, muted: bool) -> Result<OperationId, CommandError> {
        self.agent
            .command(self.id, |call, endpoint| call.set_muted(endpoint, muted))
    }

    /// Sends tones `0-9 * # A-D`; `,` and `;` pause for two seconds. Done when the last has been handed over.
    ///
    /// # Errors
    /// [`CommandError::InvalidTone`]; [`CommandError::WrongState`] unless the call is answered.
    pub fn send_dtmf(&mut self, tones: &str) -> Result<OperationId, CommandError> {
        self.agent
            .command(self.id, |call, endpoint| call.send_dtmf(endpoint, tones))
    }

    /// Sends the far end to `target`, a number, a name or a URI. It is put on hold first. Done when `target` has answered,
    /// and the call with it; if nobody does, the call is what it was before, or stays on hold if the user speaks with somebody
    /// else by then.
    ///
    /// # Errors
    /// [`CommandError::InvalidTarget`], [`CommandError::WrongState`] unless the call is answered,
    /// [`CommandError::NotConnected`], [`CommandError::NotOffered`] where the far end or the platform cannot do it.
    pub fn transfer(&mut self, target: &str) -> Result<OperationId, CommandError> {
        self.agent.transfer(self.id, target)
    }

    /// Sends the far end to the other devices of this account: they ring, this one does not. Whichever answers has the
    /// call; if none does, it stays here. One of them alone ([`UserAgent::own_devices`]), or another number of the same
    /// person, is a target of [`Self::transfer`].
    ///
    /// # Errors
    /// Those of [`Self::transfer`].
    pub fn push(&mut self) -> Result<OperationId, CommandError> {
        self.agent.push(self.id)
    }

    /// Sends the far end to take this user's place in the call `other`. It is put on hold first. Done when it has, and
    /// both calls with it; if it has not, both are what they were before, but that this one stays on hold while the user
    /// speaks with somebody else.
    ///
    /// While `other` only rings it is taken back, and the far end is sent there as [`Self::transfer`] does. If this far end
    /// cannot be sent, but that of `other` can, it is sent here.
    ///
    /// # Errors
    /// Those of [`Self::transfer`].
    pub fn transfer_to(&mut self, other: CallId) -> Result<OperationId, CommandError> {
        self.agent.transfer_to(self.id, other)
    }

    /// Does not transfer after all: a call in which somebody is being asked ([`UserAgent::consult`]) is ended and the far
    /// end taken off hold, unless the user has put it there. Done when it is.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] if there is nothing to cancel, or if it is too late because the far end has been asked
    /// to go.
    pub fn cancel_transfer(&mut self) -> Result<OperationId, CommandError> {
        self.agent.cancel_transfer(self.id)
    }

    /// Calls whom the far end wants this side to call ([`CallInfo::transfer_request`]). Done when that call is on its way; it
    /// comes with an id of its own and names this one in [`CallInfo::succeeds`].
    ///
    /// # Errors
    /// [`CommandError::WrongState`] if the far end does not ask for it.
    pub fn accept_transfer(&mut self) -> Result<OperationId, CommandError> {
        self.agent.command(self.id, Call::accept_transfer)
    }

    /// Does not; the call goes on.
    ///
    /// # Errors
    /// Those of [`Self::accept_transfer`].
    pub fn decline_transfer(&mut self) -> Result<OperationId, CommandError> {
        self.agent.command(self.id, Call::decline_transfer)
    }

    /// Gives the call a new media session, for example because its window has closed. Done when negotiated.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] unless the call is answered.
    pub fn move_media(&mut self) -> Result<OperationId, CommandError> {
        self.agent.command(self.id, Call::move_media)
    }
}
