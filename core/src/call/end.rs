//! Hanging up, and the one place where a call ends.

use super::{
    Call, CallEnd, CallState, CommandError, EndCause, Endpoint, MediaAction, Mix, OperationError,
    OperationId, RejectReason, Stage, survival::Losses,
};

impl Call {
    /// Ends the call in the way its stage needs: CANCEL, a failure response or BYE.
    pub(crate) fn hang_up(&mut self, endpoint: &mut Endpoint) -> Result<OperationId, CommandError> {
        self.hang_up_for(endpoint, EndCause::LocalHangUp)
    }

    /// The same; the far end of an answered call is told why.
    pub(crate) fn hang_up_for(
        &mut self,
        endpoint: &mut Endpoint,
        cause: EndCause,
    ) -> Result<OperationId, CommandError> {
        if !self.is_live() {
            return Err(CommandError::WrongState);
        }
        let operation = endpoint.new_operation();
        self.hang_up_operation = Some(operation);
        match &self.stage {
            Stage::Offering(_) => self.end_without_answer(endpoint, EndCause::Cancelled),
            Stage::Inviting(_) => self.cancel(endpoint, EndCause::Cancelled),
            Stage::Alerting(_) => {
                self.respond_final(endpoint, RejectReason::Declined.status());
                self.end_without_answer(endpoint, EndCause::Declined);
            }
            Stage::Established(_) => self.hang_up_because(endpoint, cause),
            Stage::Leaving(_) | Stage::Over => {}
        }
        Ok(operation)
    }

    /// Ends a call that has been without platform and without audio for too long.
    pub(crate) fn give_up(&mut self, endpoint: &mut Endpoint) {
        if let Stage::Established(established) = &self.stage {
            let reason = super::reason::said(EndCause::NetworkFailed);
            endpoint.owe_farewell(established.dialog.clone(), reason);
        }
        self.end_without_answer(endpoint, EndCause::NetworkFailed);
    }

    pub(super) fn end_without_answer(&mut self, endpoint: &mut Endpoint, cause: EndCause) {
        self.end_with(endpoint, cause, None, "");
    }

    /// The call is over: media closed, every command ended, the reason recorded.
    pub(super) fn end_with(
        &mut self,
        endpoint: &mut Endpoint,
        cause: EndCause,
        sip_status: Option<u16>,
        text: &str,
    ) {
        if self.is_over() {
            return;
        }
        self.respond_to_what_is_open(endpoint);
        self.end_commands(endpoint);
        if let Some(operation) = self.hang_up_operation.take() {
            endpoint.finish(operation, Ok(()));
        }
        self.close_media(endpoint);
        if let Some(dialog) = self.dialog() {
            endpoint.note_ended(dialog.id());
        }
        self.stage = Stage::Over;
        self.losses = Losses::default();
        self.info.state = CallState::Ended;
        self.info.end = Some(CallEnd {
            at: endpoint.now,
            cause,
            sip_status,
            text: text.to_owned(),
            retry_after: None,
            q850_cause: None,
        });
    }

    /// Every command but that to hang up has missed its chance.
    pub(super) fn end_commands(&mut self, endpoint: &mut Endpoint) {
        // RFC 3891 section 3: the dialog it names is over.
        self.abort_succession(endpoint, 603);
        self.abort_recovery(endpoint);
        self.abort_transfer(endpoint);
        self.abort_errand(endpoint);
        self.abandon(endpoint, &OperationError::CallEnded);
        self.fail_dtmf(endpoint, &OperationError::CallEnded);
        if let Some(operation) = self.take_answer_operation() {
            endpoint.finish(operation, Err(OperationError::CallEnded));
        }
    }

    pub(super) fn close_media(&mut self, endpoint: &mut Endpoint) {
        if std::mem::take(&mut self.session_open) {
            self.mix = Mix::default();
            self.request_media(endpoint, MediaAction::Close);
        }
    }

    /// No INVITE of the far end is left without its final response (RFC 3261 section 15.1.2).
    fn respond_to_what_is_open(&mut self, endpoint: &mut Endpoint) {
        if let Stage::Alerting(alerting) = &self.stage
            && endpoint.transactions.awaits_response(alerting.transaction)
        {
            self.respond_final(endpoint, 480);
        }
        self.end_negotiation(endpoint);
    }
}

impl RejectReason {
    /// The SIP status that says it.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Declined => 603,
            Self::Busy => 486,
        }
    }
}
