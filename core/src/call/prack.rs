//! Reliable provisional responses and PRACK (RFC 3262), from either side.
//!
//! This side rings reliably where the caller requires it. Its 180 has no description: the answer waits for the user, so
//! a 2xx never has to wait for a PRACK (section 3).

use super::incoming::response;
use super::repetition::{Due, Repetition};
use super::{Call, Dialog, EndCause, Endpoint, HeaderName, Message, Stage, session_description};
use crate::endpoint::Purpose;
use crate::id::CallId;
use crate::sip::{Method, RAck};
use crate::time::Instant;
use crate::transaction::{TRANSACTION_TIMEOUT, TransactionId};

/// Reliable responses of one dialog that are acknowledged; a hostile platform could send any number.
const MAX_ACKNOWLEDGED: u32 = 100;

/// The order of the reliable responses that come to one INVITE in one dialog.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReliableOrder {
    last: Option<u32>,
    count: u32,
}

impl ReliableOrder {
    /// Section 4: the first one may have any number; after it, only the next is taken. One that comes again or leaves a
    /// gap is not acknowledged.
    fn takes(&mut self, rseq: u32) -> bool {
        let is_next = self.last.is_none_or(|last| last.checked_add(1) == Some(rseq));
        let taken = is_next && self.count < MAX_ACKNOWLEDGED;
        if taken {
            self.last = Some(rseq);
            self.count += 1;
        }
        taken
    }
}

/// How a provisional response came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provisional {
    Unreliable,
    /// It has been acknowledged now: what it holds is certain.
    Reliable,
    /// It is not to be looked at.
    Repeated,
}

/// Acknowledges a provisional response to `invite` in `dialog`, if it came reliably and in order.
pub(super) fn acknowledge(
    endpoint: &mut Endpoint,
    call: CallId,
    dialog: &mut Dialog,
    order: &mut ReliableOrder,
    invite: &Message,
    response: &Message,
) -> Provisional {
    let Some(rseq) = response.reliable_rseq() else {
        return Provisional::Unreliable;
    };
    if !order.takes(rseq) {
        return Provisional::Repeated;
    }
    let rack = RAck {
        rseq,
        cseq: super::established::number(invite),
        method: Method::Invite,
    };
    let prack = dialog.request(Method::Prack).header(HeaderName::RAck, rack);
    // Nothing is done about a PRACK that fails: the far end repeats its response, or gives the INVITE up.
    let _ = endpoint.send(Purpose::Prack(call), prack);
    Provisional::Reliable
}

/// Our 180 that the caller has to acknowledge.
#[derive(Clone, Debug)]
pub(super) struct Unacknowledged {
    rseq: u32,
    cseq: u32,
    /// Until the PRACK comes, or a final response makes the repetition needless.
    repetition: Option<Repetition>,
}

impl Unacknowledged {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.repetition.as_ref().map(Repetition::deadline)
    }
}

impl Call {
    /// Tells the caller that it rings here, reliably if the caller requires that.
    pub(super) fn ring(&mut self, endpoint: &mut Endpoint) {
        let Stage::Alerting(alerting) = &self.stage else {
            return;
        };
        let (transaction, invite) = (alerting.transaction, alerting.invite.clone());
        let ringing = response(endpoint, &invite, 180, alerting.dialog.local_tag());
        if !invite.lists_token(HeaderName::Require, "100rel") {
            return endpoint.respond(transaction, ringing.build());
        }
        if session_description(&invite).is_none() {
            // Section 5: a reliable response would have to offer, and the microphone is not opened before the user
            // answers. Only 100 may be sent otherwise.
            let trying = endpoint.response(&invite, 100).build();
            return endpoint.respond(transaction, trying);
        }
        // Section 3: from 1 to 2^31 - 1.
        let rseq = 1 + (endpoint.rng.next_u64() % 0x7fff_ffff) as u32;
        let ringing = ringing
            .header(HeaderName::Require, "100rel")
            .header(HeaderName::RSeq, rseq)
            .build();
        endpoint.respond(transaction, ringing.clone());
        self.unacknowledged = Some(Unacknowledged {
            rseq,
            cseq: super::established::number(&invite),
            repetition: Some(Repetition::new(endpoint.now, transaction, ringing)),
        });
    }

    /// Section 3: after a final response the 180 is not repeated any more, but a PRACK for it may still come.
    pub(super) fn stop_ringing(&mut self) {
        if let Some(unacknowledged) = &mut self.unacknowledged {
            unacknowledged.repetition = None;
        }
    }

    pub(super) fn repeat_ringing(&mut self, endpoint: &mut Endpoint) {
        let unacknowledged = self.unacknowledged.as_mut();
        let Some(repetition) = unacknowledged.and_then(|it| it.repetition.as_mut()) else {
            return;
        };
        match repetition.wake(endpoint.now, TRANSACTION_TIMEOUT) {
            Due::Nothing => {}
            Due::Repeat => {
                let (transaction, ringing) = (repetition.transaction, repetition.response.clone());
                endpoint.respond(transaction, ringing);
            }
            Due::GiveUp => {
                // Section 3: no PRACK within 64*T1, the INVITE is refused with a 5xx.
                self.respond_final(endpoint, 504);
                self.end_with(endpoint, EndCause::Missed, Some(504), "");
            }
        }
    }

    pub(super) fn prack_received(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        prack: &Message,
    ) {
        let is_awaited = |awaited: &mut Unacknowledged| {
            prack.rack().is_ok_and(|rack| {
                (rack.rseq, rack.cseq, rack.method) == (awaited.rseq, awaited.cseq, Method::Invite)
            })
        };
        if self.unacknowledged.take_if(is_awaited).is_none() {
            // Section 3: nothing it could acknowledge.
            return endpoint.reject(transaction, prack, 481);
        }
        // Section 5: a PRACK may offer once the INVITE's offer has been answered; here it has not.
        let offers = session_description(prack).is_some();
        let status = if offers { 488 } else { 200 };
        let response = endpoint.response(prack, status).build();
        endpoint.respond(transaction, response);
    }
}
