//! Ringing that is acknowledged (RFC 3262), towards both sides.

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::transaction::{T1, T2, TRANSACTION_TIMEOUT, TransactionId};
use clearline_core::{Duration, Instant};

use super::leg::{LegId, Stage};
use super::{Alarm, B2bua, Purpose};

/// The number of the only reliable response of a leg.
const RSEQ: u32 = 4711;

/// A 180 that the caller has to acknowledge.
#[derive(Clone, Debug)]
pub(super) struct Ringing {
    response: Message,
    /// Until the PRACK is there.
    repeats_after: Option<Duration>,
    give_up_at: Instant,
}

impl B2bua {
    /// Ringing is reliable from now on where the telephones know how.
    pub(crate) fn ring_reliably(&mut self, is_wanted: bool) {
        self.rings_reliably = is_wanted;
    }

    // --- towards the caller ----------------------------------------------------------------------------------

    pub(super) fn ring_caller_reliably(&mut self, caller: LegId, request: &Message) {
        let Some(leg) = self.legs.get(&caller) else { return };
        let (Stage::Called(transaction), None) = (leg.stage, &leg.ringing) else {
            return;
        };
        let Some(response) = self.response_to_caller(caller, request, 180) else {
            return;
        };
        let response = response
            .header(HeaderName::Require, "100rel")
            .header(HeaderName::RSeq, RSEQ)
            .build();
        self.respond(transaction, response.clone());
        let give_up_at = self.now + TRANSACTION_TIMEOUT;
        if let Some(leg) = self.legs.get_mut(&caller) {
            leg.ringing = Some(Ringing {
                response,
                repeats_after: Some(T1),
                give_up_at,
            });
        }
        self.plan(T1, Alarm::RepeatRinging(caller));
    }

    /// RFC 3262 section 3: repeated until acknowledged; a caller that never does so is refused.
    pub(super) fn repeat_ringing(&mut self, caller: LegId) {
        let now = self.now;
        let Some(leg) = self.legs.get_mut(&caller) else {
            return;
        };
        let (Stage::Called(transaction), Some(ringing)) = (leg.stage, &mut leg.ringing) else {
            return;
        };
        let Some(interval) = &mut ringing.repeats_after else {
            return;
        };
        if ringing.give_up_at <= now {
            return self.give_up_caller(caller, 504);
        }
        *interval = (*interval * 2).min(T2);
        let (interval, response) = (*interval, ringing.response.clone());
        self.respond(transaction, response);
        self.plan(interval, Alarm::RepeatRinging(caller));
    }

    pub(super) fn prack_received(&mut self, id: LegId, transaction: TransactionId, request: &Message) {
        let ringing = self.legs.get_mut(&id).and_then(|leg| leg.ringing.as_mut());
        let is_meant = |ringing: &&mut Ringing| {
            let invite = ringing.response.cseq().map(|cseq| cseq.number);
            request
                .rack()
                .is_ok_and(|rack| rack.rseq == RSEQ && Ok(rack.cseq) == invite)
        };
        let Some(ringing) = ringing.filter(is_meant) else {
            self.objections
                .push("a PRACK for a response that was never sent".to_owned());
            return self.reject(transaction, request, 481);
        };
        // Section 4: a repetition is not acknowledged again.
        if ringing.repeats_after.take().is_none() {
            self.objections
                .push("a second PRACK for the same response".to_owned());
        }
        self.reject(transaction, request, 200);
    }

    // --- towards the callee ----------------------------------------------------------------------------------

    /// Acknowledges a reliable response of a telephone that is called.
    pub(super) fn acknowledge_ringing(&mut self, id: LegId, response: &Message) {
        let (Some(rseq), Ok(cseq)) = (response.reliable_rseq(), response.cseq()) else {
            return;
        };
        let cseq = cseq.number;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.last_rseq == Some(rseq) {
            return;
        }
        leg.last_rseq = Some(rseq);
        leg.note_target(response);
        let tag = response.to().ok().and_then(|to| to.tag().map(str::to_owned));
        leg.remote_tag = tag.unwrap_or_default();
        let prack = leg
            .request(Method::Prack)
            .header(HeaderName::RAck, format_args!("{rseq} {cseq} INVITE"));
        let connection = leg.connection;
        self.send(connection, prack, Purpose::Ignored);
    }
}
