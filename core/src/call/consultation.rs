//! Somebody else is asked before the far end of this call is sent there: it is on hold, and comes back by itself when that
//! other call ends, unless the user is speaking with a third one by then.

use serde::{Deserialize, Serialize};

use super::{Call, CallState};
use crate::event::TransferState;
use crate::id::CallId;

/// Somebody else is being asked before the far end is sent there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Consultation {
    pub(super) with: CallId,
    /// The call is on hold for this only.
    retrieve: bool,
    /// Whoever is asked has answered.
    answered: bool,
}

impl Call {
    /// The user asks somebody in the call `with` before the far end is sent there.
    pub(crate) fn consults(&mut self, with: CallId, retrieve: bool) {
        self.consultation = Some(Consultation {
            with,
            retrieve,
            answered: false,
        });
        self.info.transfer = self.transfer_under_way();
    }

    /// The call in which somebody is being asked.
    pub(crate) fn consultation(&self) -> Option<CallId> {
        self.consultation.map(|it| it.with)
    }

    /// Whoever is asked has answered; `true` the first time, if the user is speaking with the far end of this call again.
    pub(crate) fn is_answered_in_vain(&mut self) -> bool {
        let is_speaking = self.info.state == CallState::Active && !self.wants_hold();
        let consultation = self.consultation.as_mut();
        consultation.is_some_and(|it| !std::mem::replace(&mut it.answered, true)) && is_speaking
    }

    /// The user commands that the far end is on hold: it does not come back by itself.
    pub(crate) fn is_held_by_command(&mut self) {
        if let Some(consultation) = &mut self.consultation {
            consultation.retrieve = false;
        }
    }

    /// Nobody is being asked any more: the far end comes back.
    pub(crate) fn end_consultation(&mut self) {
        let Some(consultation) = self.consultation.take() else {
            return;
        };
        if matches!(self.info.transfer, Some(TransferState::Consulting { .. })) {
            self.info.transfer = None;
        }
        if consultation.retrieve {
            self.returns();
        }
    }

    /// Nobody is to be asked any more, and the far end is sent on. Whether it was on hold for that only.
    pub(crate) fn forget_consultation(&mut self) -> bool {
        self.info.transfer = None;
        self.consultation.take().is_some_and(|it| it.retrieve)
    }
}
