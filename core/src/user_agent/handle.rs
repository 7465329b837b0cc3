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
        self.agent.command(self.id, Call::hang_up)
    }

    /// Puts the far end on hold. Done when negotiated.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] unless the call is answered; [`CommandError::NotConnected`].
    pub fn hold(&mut self) -> Result<OperationId, CommandError> {
        self.agent
            .command(self.id, |call, endpoint| call.set_hold(endpoint, true))
    }

    /// Takes the far end off hold. Done when negotiated.
    ///
    /// # Errors
    /// Those of [`Self::hold`].
    pub fn resume(&mut self) -> Result<OperationId, CommandError> {
        self.agent
            .command(self.id, |call, endpoint| call.set_hold(endpoint, false))
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

    /// Gives the call a new media session, for example because its window has closed. Done when negotiated.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] unless the call is answered.
    pub fn move_media(&mut self) -> Result<OperationId, CommandError> {
        self.agent.command(self.id, Call::move_media)
    }
}
