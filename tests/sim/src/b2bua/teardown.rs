//! Everything by which a call ends.

use clearline_core::ConnectionId;
use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::transaction::{T2, TRANSACTION_TIMEOUT, TransactionId};

use super::leg::{LegId, Stage};
use super::setup::CallNumber;
use super::{Alarm, B2bua, Purpose};

impl B2bua {
    pub(super) fn bye_received(&mut self, leg: LegId, transaction: TransactionId, request: &Message) {
        self.reject(transaction, request, 200);
        if !self.leaves_transfer(leg) {
            self.end_without(leg);
        }
    }

    /// A CANCEL, of a call or of a re-INVITE.
    pub(super) fn cancelled(
        &mut self,
        transaction: TransactionId,
        request: &Message,
        invite: Option<TransactionId>,
    ) {
        let Some(invite) = invite else {
            return self.reject(transaction, request, 481);
        };
        self.reject(transaction, request, 200);
        let called = self
            .legs
            .iter()
            .find(|(_, leg)| leg.stage == Stage::Called(invite))
            .map(|(id, _)| *id);
        match called {
            Some(caller) => {
                self.cancel_forks_of(caller, None);
                self.refuse_caller(caller, 487);
            }
            None => self.cancel_relay_of(invite),
        }
    }

    fn cancel_relay_of(&mut self, reinvite: TransactionId) {
        let is_relay = |purpose: &Purpose| matches!(purpose, Purpose::Relay { transaction, .. } if *transaction == reinvite);
        let relays: Vec<_> = self
            .purposes
            .iter()
            .filter(|(_, (purpose, _))| is_relay(purpose))
            .map(|(id, _)| *id)
            .collect();
        for relay in relays {
            if self.transactions.is_proceeding(relay) {
                self.send_cancel(relay, None);
            }
        }
    }

    /// An ACK for one of our 2xx.
    pub(super) fn acknowledged(&mut self, ack: &Message) {
        let Some(id) = self.leg_of(ack) else { return };
        let number = ack.cseq().map_or(0, |cseq| cseq.number);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let is_awaited = leg
            .unacknowledged
            .take_if(|sent| sent.response.cseq().is_ok_and(|cseq| cseq.number == number));
        if is_awaited.is_none() {
            return;
        }
        if leg.leaves_when_acknowledged {
            return self.hang_up(id);
        }
        self.after_ack(id);
    }

    pub(super) fn repeat_2xx(&mut self, id: LegId) {
        let now = self.now;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(sent) = &mut leg.unacknowledged else {
            return;
        };
        if sent.give_up_at <= now {
            // RFC 3261 section 13.3.1.4: BYE to that telephone too, which may only have been slow.
            leg.unacknowledged = None;
            return self.end_all(id);
        }
        sent.interval = (sent.interval * 2).min(T2);
        let (interval, response) = (sent.interval, sent.response.clone());
        // To where the telephone is now.
        self.outbox.push((leg.connection, response));
        self.plan(interval, Alarm::Repeat2xx(id));
    }

    /// The caller's connection is gone before the answer: nobody could be told.
    pub(super) fn caller_lost(&mut self, connection: ConnectionId) {
        let lost: Vec<_> = self
            .legs
            .iter()
            .filter(|(_, leg)| matches!(leg.stage, Stage::Called(_)) && leg.connection == connection)
            .map(|(id, _)| *id)
            .collect();
        for caller in lost {
            self.cancel_forks_of(caller, None);
            self.refuse_caller(caller, 480);
        }
    }

    pub(super) fn give_up_ringing(&mut self, call: CallNumber) {
        let Some(call) = self.calls.get(&call).filter(|call| call.callee.is_none()) else {
            return;
        };
        let caller = call.caller;
        self.give_up_caller(caller, 408);
    }

    /// The caller is refused before anybody has answered.
    pub(super) fn give_up_caller(&mut self, caller: LegId, status: u16) {
        self.cancel_forks_of(caller, None);
        self.refuse_caller(caller, status);
    }

    /// The caller's INVITE ends with a failure.
    pub(super) fn refuse_caller(&mut self, caller: LegId, status: u16) {
        let number = self.owners.get(&caller).copied();
        let call = number.and_then(|number| self.calls.get(&number));
        let Some(request) = call.map(|call| call.request.clone()) else {
            return;
        };
        self.answer_caller(caller, &request, status, None);
        self.forget_leg(caller);
    }

    fn cancel_forks_of(&mut self, caller: LegId, reason: Option<&str>) {
        let number = self.owners.get(&caller).copied();
        let call = number.and_then(|number| self.calls.get(&number));
        let forks = call.map(|call| call.forks.clone()).unwrap_or_default();
        forks.into_iter().for_each(|fork| self.cancel_fork(fork, reason));
    }

    /// A telephone that rings stops doing so. Its leg stays until the INVITE has its final response.
    pub(super) fn cancel_fork(&mut self, id: LegId, reason: Option<&str>) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Stage::Calling {
            invite,
            is_cancelled: false,
        } = leg.stage
        else {
            return;
        };
        leg.stage = Stage::Calling {
            invite,
            is_cancelled: true,
        };
        if self.transactions.is_proceeding(invite) {
            self.send_cancel(invite, reason);
        }
        self.plan(TRANSACTION_TIMEOUT, Alarm::CancelIneffective(id));
    }

    /// RFC 3261 section 9.1: without a final response by now the INVITE counts as cancelled.
    pub(super) fn cancel_was_ineffective(&mut self, id: LegId) {
        let Some(Stage::Calling { invite, .. }) = self.legs.get(&id).map(|leg| leg.stage) else {
            return;
        };
        self.transactions.abandon(invite);
        self.purposes.remove(&invite);
        self.callee_refused(id, 487);
    }

    pub(super) fn send_cancel(&mut self, invite: TransactionId, reason: Option<&str>) {
        let Some(mut cancel) = self.transactions.cancel_request(invite) else {
            return;
        };
        if let Some(reason) = reason {
            cancel = cancel.edit().append(HeaderName::Reason, reason).build();
        }
        let Some(flow) = self.transactions.flow(invite) else {
            return;
        };
        let sent = self
            .transactions
            .send(self.now, flow, cancel.clone(), &mut self.outbox);
        if let Ok(transaction) = sent {
            self.purposes.insert(transaction, (Purpose::Ignored, cancel));
        }
    }

    /// The call ends, and `gone` needs no telling.
    pub(super) fn end_without(&mut self, gone: LegId) {
        let number = self.owners.get(&gone).copied();
        let Some(call) = number.and_then(|number| self.calls.get(&number)) else {
            return;
        };
        let mut others = call.forks.clone();
        others.push(call.caller);
        others.retain(|leg| *leg != gone);
        self.answer_what_is_served(gone, 487);
        self.forget_leg(gone);
        others.into_iter().for_each(|leg| self.hang_up(leg));
    }

    /// The call of this leg ends, and everybody in it is told.
    fn end_all(&mut self, leg: LegId) {
        let number = self.owners.get(&leg).copied();
        let Some(call) = number.and_then(|number| self.calls.get(&number)) else {
            return;
        };
        let mut legs = call.forks.clone();
        legs.push(call.caller);
        legs.into_iter().for_each(|leg| self.hang_up(leg));
    }

    /// Ends a leg in the way it needs: BYE, now or after the ACK, or CANCEL.
    pub(super) fn hang_up(&mut self, id: LegId) {
        self.answer_what_is_served(id, 487);
        self.end_relays_to(id);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match leg.stage {
            Stage::Calling { .. } => self.cancel_fork(id, None),
            Stage::Called(_) => self.refuse_caller(id, 480),
            Stage::Confirmed if leg.unacknowledged.is_some() => leg.leaves_when_acknowledged = true,
            Stage::Confirmed => {
                let (connection, bye) = (leg.connection, leg.request(Method::Bye));
                self.send(connection, bye, Purpose::Ignored);
                self.forget_leg(id);
            }
        }
    }

    /// Who has asked this leg for something that it will not be there to grant is to ask again.
    fn end_relays_to(&mut self, id: LegId) {
        let mut waiting = Vec::new();
        self.purposes.retain(|_, (purpose, _)| match purpose {
            Purpose::Relay { from, to, .. } if *to == id => {
                waiting.push(*from);
                false
            }
            Purpose::Relay { .. }
            | Purpose::Call(_)
            | Purpose::Fetch(_)
            | Purpose::Refresh(_)
            | Purpose::Check(_)
            | Purpose::AskForOffer(_)
            | Purpose::PutOffer { .. }
            | Purpose::Notify(_)
            | Purpose::Dismiss(_)
            | Purpose::KeepAlive(_)
            | Purpose::Ignored => true,
        });
        for from in waiting {
            self.answer_what_is_served(from, 491);
        }
    }

    /// No re-INVITE is left without its final response.
    fn answer_what_is_served(&mut self, id: LegId, status: u16) {
        let Some(transaction) = self.legs.get_mut(&id).and_then(|leg| leg.serving.take()) else {
            return;
        };
        if let Some(request) = self.transactions.request(transaction).cloned() {
            self.reject(transaction, &request, status);
        }
    }

    /// A leg is no more; nor is its call with the last of them.
    pub(super) fn forget_leg(&mut self, id: LegId) {
        self.legs.remove(&id);
        let Some(number) = self.owners.remove(&id) else {
            return;
        };
        if self.owners.values().all(|owner| *owner != number) {
            self.calls.remove(&number);
        }
    }
}
