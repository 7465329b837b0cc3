//! Whose a message is: requests and responses find the call, the registration or the rule that answers them.

use super::UserAgent;
use super::objection::{Objection, objection};
use crate::call::{AnswerMode, Call, named_dialog, too_small};
use crate::dialog::Dialog;
use crate::endpoint::{ALLOW, Answer, Purpose, RECV_INFO, SUPPORTED};
use crate::event::Event;
use crate::id::{CallId, ConnectionId};
use crate::sip::{HeaderName, Message, Method, ParseError, Replaces, reason_phrase};
use crate::transaction::{Flow, Outbox, Received, TransactionEvent, TransactionId};

impl UserAgent {
    pub(super) fn message(&mut self, flow: Flow, message: Message) {
        if let Err(defect) = message.validate() {
            return self.defective(flow, &message, defect.status, defect.reason);
        }
        let mut out = Outbox::new();
        let received = self
            .endpoint
            .transactions
            .receive(self.endpoint.now, flow, message, &mut out);
        self.endpoint.flush(out);
        match received {
            Received::Request { transaction, request } => self.request(transaction, request),
            Received::Cancel {
                transaction,
                request,
                invite,
            } => self.cancel(transaction, &request, invite),
            Received::Ack { request } => {
                self.with_owner(&request, |call, endpoint| call.acknowledged(endpoint, &request));
            }
            Received::Response {
                transaction,
                response,
            } => self.response(transaction, &response),
            Received::StrayResponse { response } => self.stray_response(flow, &response),
            Received::Unusable(_) => self.report_dropped(flow.connection, "no usable Via or CSeq"),
            Received::Absorbed => {}
        }
    }

    /// The ACK for a 2xx is the agent's, not its transaction's (RFC 3261 section 13.2.2.4): a far end that repeats its
    /// answer, because its first or our ACK was lost with a connection or a restart, is helped even now.
    fn stray_response(&mut self, flow: Flow, response: &Message) {
        let is_answer = matches!(response.status(), Some(200..=299))
            && response.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        let answered = |call: &&Call| is_answer && call.is_answered_by(response);
        let owner = self.calls.values().find(answered);
        if let Some(call) = owner {
            return call.acknowledge_stray(&mut self.endpoint, response);
        }
        let own = &self.endpoint.config.address_of_record;
        let is_ours = response
            .from()
            .is_ok_and(|from| from.uri.equivalent(&own.as_uri()));
        if is_answer && is_ours {
            Call::release_stray(&mut self.endpoint, response);
        }
        self.report_dropped(flow.connection, "a response nobody waits for");
    }

    /// A request that is wrong is told so, if it can be answered at all; a wrong response is dropped (RFC 4475).
    fn defective(&mut self, flow: Flow, message: &Message, status: u16, why: &'static str) {
        self.report_dropped(flow.connection, why);
        if message.can_be_answered() {
            self.answer_without_transaction(flow.connection, message, status, why);
        }
    }

    /// What cannot even be taken apart: a request whose head is readable is told so.
    pub(super) fn unreadable(&mut self, flow: Flow, bytes: &[u8], error: &ParseError) {
        self.report_dropped(flow.connection, "not a SIP message");
        if let Some(request) = Message::salvage(bytes) {
            let status = error.status();
            self.answer_without_transaction(flow.connection, &request, status, reason_phrase(status));
        }
    }

    fn answer_without_transaction(
        &mut self,
        connection: ConnectionId,
        request: &Message,
        status: u16,
        reason: &str,
    ) {
        let tag = self.endpoint.rng.token(4);
        let response = self
            .endpoint
            .response(request, status)
            .reason(reason)
            .to_tag(&tag)
            .build();
        self.endpoint.send_back(connection, &response);
    }

    pub(super) fn report_dropped(&mut self, connection: ConnectionId, why: &'static str) {
        if let Some(unreported) = self.dropped.take(self.endpoint.now) {
            self.endpoint.emit(Event::Dropped {
                connection,
                why,
                unreported,
            });
        }
    }

    // --- requests --------------------------------------------------------------------------------------------

    fn request(&mut self, transaction: TransactionId, request: Message) {
        if let Some(objection) = objection(&request) {
            return self.object(transaction, &request, objection);
        }
        let has_to_tag = request.to().is_ok_and(|to| to.tag().is_some());
        if request.method() == Method::Notify {
            return match self.owner_of(&request) {
                Some(id) => self.with_call(id, |call, endpoint| {
                    call.request(endpoint, transaction, &request);
                }),
                None => self.notify(transaction, &request),
            };
        }
        if has_to_tag {
            return match self.owner_of(&request) {
                Some(id) => {
                    self.with_call(id, |call, endpoint| call.request(endpoint, transaction, &request))
                }
                None => self.endpoint.reject(transaction, &request, 481),
            };
        }
        match request.method() {
            Method::Invite => self.invite(transaction, request),
            Method::Options => self.options(transaction, &request),
            Method::Refer => self.refer_outside_dialog(transaction, &request),
            Method::Bye | Method::Info | Method::Prack | Method::Update => {
                self.endpoint.reject(transaction, &request, 481)
            }
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Subscribe
            | Method::Notify
            | Method::Message
            | Method::Publish
            | Method::Other(_) => self.endpoint.reject(transaction, &request, 405),
        }
    }

    fn object(&mut self, transaction: TransactionId, request: &Message, objection: Objection) {
        let tag = self.endpoint.rng.token(4);
        let response = self.endpoint.response(request, objection.status()).to_tag(&tag);
        let response = match objection {
            Objection::Extensions(tags) => response.header(HeaderName::Unsupported, tags),
            Objection::Encoding => response.header(HeaderName::AcceptEncoding, "identity"),
            Objection::Method
            | Objection::Scheme
            | Objection::LongUri
            | Objection::Body
            | Objection::Accept => response,
        };
        self.endpoint.respond(transaction, response.build());
    }

    fn invite(&mut self, transaction: TransactionId, invite: Message) {
        if self.calls.values().any(|call| call.is_merged_with(&invite)) {
            return self.endpoint.reject(transaction, &invite, 482);
        }
        if self.stopping.is_some() {
            return self.endpoint.reject(transaction, &invite, 480);
        }
        if let Some(min_se) = too_small(&self.endpoint.config, &invite) {
            return self.endpoint.refuse_interval(transaction, &invite, min_se);
        }
        match Replaces::of(&invite) {
            Ok(None) => {}
            Ok(Some(replaces)) => return self.replacing_invite(transaction, &invite, &replaces),
            Err(_) => return self.endpoint.reject(transaction, &invite, 400),
        }
        if self.calls.len() >= self.endpoint.config.max_calls || self.is_own_push(&invite) {
            return self.endpoint.reject(transaction, &invite, 486);
        }
        let answer_mode = AnswerMode::of(&invite);
        if answer_mode == AnswerMode::AutomaticOnly && !self.endpoint.config.follow_answer_mode {
            // RFC 5373 section 4.3.
            return self.endpoint.reject(transaction, &invite, 403);
        }
        let id = self.new_call_id();
        let waiting = self.is_busy();
        match Call::incoming(&mut self.endpoint, id, transaction, invite.clone()) {
            Ok(mut call) => {
                call.info.waiting = waiting;
                let asked = answer_mode != AnswerMode::Manual && self.endpoint.config.follow_answer_mode;
                if self.endpoint.config.auto_answer || asked {
                    let _ = call.answer(&mut self.endpoint);
                }
                self.calls.insert(id, call);
            }
            Err(_) => self.endpoint.reject(transaction, &invite, 400),
        }
    }

    /// RFC 3891 section 3.
    fn replacing_invite(&mut self, transaction: TransactionId, invite: &Message, replaces: &Replaces<'_>) {
        let named = self.calls.values_mut().find(|call| call.is_named_by(replaces));
        let result = match named {
            Some(call) => call.replaced_by(&mut self.endpoint, transaction, invite, replaces),
            None if self.endpoint.has_ended(&named_dialog(replaces)) => Err(603),
            None => Err(481),
        };
        if let Err(status) = result {
            self.endpoint.reject(transaction, invite, status);
        }
    }

    /// Who is in no call with this side cannot have calls made here; who is may ask outside of its dialog, if it names that
    /// (RFC 4538).
    fn refer_outside_dialog(&mut self, transaction: TransactionId, refer: &Message) {
        let target_dialog = refer.header(HeaderName::TargetDialog);
        let named = |call: &&Call| target_dialog.is_some_and(|value| call.is_target_dialog(value));
        let Some(id) = self.calls.values().find(named).map(Call::id) else {
            return self.endpoint.reject(transaction, refer, 403);
        };
        let local_tag = self.endpoint.rng.token(6);
        match Dialog::from_request(refer, &local_tag) {
            Ok(dialog) => self.with_call(id, |call, endpoint| {
                call.refer_received(endpoint, transaction, refer, Some(dialog));
            }),
            Err(_) => self.endpoint.reject(transaction, refer, 400),
        }
    }

    fn options(&mut self, transaction: TransactionId, request: &Message) {
        let tag = self.endpoint.rng.token(4);
        let response = self
            .endpoint
            .response(request, 200)
            .to_tag(&tag)
            .header(HeaderName::Contact, self.endpoint.contact())
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Accept, "application/sdp")
            .header(HeaderName::Supported, SUPPORTED)
            .header(HeaderName::AcceptEncoding, "identity")
            .header(HeaderName::RecvInfo, RECV_INFO)
            .build();
        self.endpoint.respond(transaction, response);
    }

    fn cancel(&mut self, transaction: TransactionId, request: &Message, invite: Option<TransactionId>) {
        let Some(invite) = invite else {
            return self.endpoint.reject(transaction, request, 481);
        };
        let owner = self.calls.values().find(|call| call.owns_transaction(invite));
        // Section 9.2: the tag of the response to the INVITE itself.
        let tag = match owner.and_then(Call::local_tag) {
            Some(tag) => tag.to_owned(),
            None => self.endpoint.rng.token(4),
        };
        let owner = owner.map(Call::id);
        let ok = self.endpoint.response(request, 200).to_tag(&tag).build();
        self.endpoint.respond(transaction, ok);
        if let Some(id) = owner {
            self.with_call(id, |call, endpoint| {
                call.cancelled(endpoint, request);
                call.reinvite_cancelled(endpoint, invite);
                call.succession_cancelled(endpoint, invite);
            });
        }
    }

    // --- responses -------------------------------------------------------------------------------------------

    fn response(&mut self, transaction: TransactionId, response: &Message) {
        if matches!(response.status(), Some(401 | 407)) && self.answer_challenge(transaction, response) {
            return;
        }
        self.endpoint.learn_nonce(transaction, response);
        if response.status() == Some(503) && self.take_detour(transaction) {
            return;
        }
        self.delivered(transaction, response);
    }

    /// A response comes to the owner of its request.
    fn delivered(&mut self, transaction: TransactionId, response: &Message) {
        let Some(purpose) = self.endpoint.purpose_of(transaction, response) else {
            return;
        };
        let is_final = response.status().is_some_and(|status| status >= 200);
        match purpose {
            Purpose::Register(reg_id) => {
                let Some(line) = self.lines.get_mut(reg_id) else {
                    return;
                };
                let outcome = line
                    .registration
                    .response(&mut self.endpoint, transaction, response);
                self.registration_moved(reg_id, outcome);
            }
            Purpose::Invite(id) => {
                self.with_call_or_late(id, transaction, response);
            }
            Purpose::ReInvite(id) => {
                self.with_call(id, |call, endpoint| {
                    call.reinvite_response(endpoint, transaction, response)
                });
            }
            Purpose::Update(id) => {
                self.with_call(id, |call, endpoint| {
                    call.update_response(endpoint, transaction, response)
                });
            }
            Purpose::Recovery(id) => self.recovery_response(id, transaction, response),
            Purpose::Subscribe(id) => {
                self.subscriptions
                    .response(&mut self.endpoint, id, transaction, response);
            }
            Purpose::Refer(id) => {
                self.with_call(id, |call, endpoint| {
                    call.refer_response(endpoint, transaction, response)
                });
            }
            Purpose::Notify(id) => {
                let status = response.status();
                self.with_call(id, |call, _| call.notify_done(transaction, status, false));
            }
            Purpose::Farewell if is_final => self.endpoint.farewell_done(transaction),
            Purpose::Bye(id) if is_final => self.with_call(id, Call::bye_done),
            Purpose::Trickle(id) => {
                let status = response.status();
                self.with_call(id, |call, _| call.trickle_done(transaction, status));
            }
            Purpose::Dtmf(id) => {
                let status = response.status();
                self.with_call(id, |call, endpoint| call.info_done(endpoint, transaction, status));
            }
            Purpose::Orphan => self.endpoint.orphan_answered(transaction, response),
            Purpose::Prack(_)
            | Purpose::Farewell
            | Purpose::Bye(_)
            | Purpose::KeepAlive
            | Purpose::LateFork
            | Purpose::Cancel => {}
        }
    }

    /// A 2xx may come when the call is long gone: that fork is acknowledged and released all the same.
    fn with_call_or_late(&mut self, id: CallId, transaction: TransactionId, response: &Message) {
        if self.calls.contains_key(&id) {
            self.with_call(id, |call, endpoint| {
                call.invite_response(endpoint, transaction, response)
            });
        } else if matches!(response.status(), Some(200..=299)) {
            Call::release_late_fork(&mut self.endpoint, transaction, response);
        }
    }

    /// An INVITE that was to bring a call back may be answered when nobody wants it any more.
    fn recovery_response(&mut self, id: CallId, transaction: TransactionId, response: &Message) {
        let is_wanted = self
            .calls
            .get(&id)
            .is_some_and(|call| call.recovers_in(transaction));
        match response.status() {
            _ if is_wanted => self.with_call(id, |call, endpoint| {
                call.recovery_response(endpoint, transaction, response);
            }),
            Some(100..=199) => self.endpoint.cancel(transaction, None),
            Some(200..=299) => Call::release_late_fork(&mut self.endpoint, transaction, response),
            Some(_) | None => {}
        }
    }

    /// `true` if the challenged request is on its way again, with credentials.
    fn answer_challenge(&mut self, old: TransactionId, response: &Message) -> bool {
        let Some(purpose) = self.endpoint.purpose(old) else {
            return false;
        };
        let Some(cseq) = self.number_for_retry(purpose, old) else {
            return false;
        };
        match self.endpoint.answer_challenge(old, response, cseq) {
            Answer::Sent(new) => self.resent(purpose, old, new),
            Answer::Parked => {}
            Answer::Hopeless => return false,
        }
        true
    }

    /// What has waited for a token goes on with it.
    pub(super) fn send_parked(&mut self, parked: Vec<(TransactionId, Purpose)>) {
        for (old, purpose) in parked {
            let Some(cseq) = self.number_for_retry(purpose, old) else {
                // Nobody wants it any more.
                self.endpoint.abandon(old);
                continue;
            };
            if let Some(new) = self.endpoint.send_parked(old, cseq) {
                self.resent(purpose, old, new);
            }
        }
    }

    /// What has waited for a token in vain is refused.
    pub(super) fn refuse_overdue(&mut self) {
        while let Some((transaction, refusal)) = self.endpoint.take_overdue_refusal() {
            self.delivered(transaction, &refusal);
        }
    }

    /// The owner of a request learns that it has been sent again.
    fn resent(&mut self, purpose: Purpose, old: TransactionId, new: TransactionId) {
        match purpose {
            Purpose::Register(reg_id) => {
                if let Some(registration) = self.registration_of(reg_id) {
                    registration.resent(new);
                }
            }
            Purpose::Invite(id) => self.with_call(id, |call, _| call.invite_resent(new)),
            Purpose::ReInvite(id) => self.with_call(id, |call, _| call.reinvite_resent(new)),
            Purpose::Update(id) => self.with_call(id, |call, _| call.update_resent(new)),
            Purpose::Recovery(id) => self.with_call(id, |call, _| call.recovery_resent(new)),
            Purpose::Subscribe(id) => self.subscriptions.resent(id, new),
            Purpose::Refer(id) => self.with_call(id, |call, endpoint| call.refer_resent(endpoint, old, new)),
            Purpose::Trickle(id) => self.with_call(id, |call, _| call.trickle_resent(new)),
            Purpose::Dtmf(id) => self.with_call(id, |call, _| call.info_resent(new)),
            Purpose::Farewell => self.endpoint.farewell_resent(old, new),
            Purpose::Notify(id) => self.with_call(id, |call, _| call.notify_resent(new)),
            Purpose::Prack(_)
            | Purpose::Orphan
            | Purpose::Bye(_)
            | Purpose::KeepAlive
            | Purpose::LateFork
            | Purpose::Cancel => {}
        }
    }

    /// `true` if a request that could not be delivered is on its way again by another flow: what begins or ends a call, as
    /// the far end has to hear of it. What changes a call is told anew anyway when its way changes.
    fn take_detour(&mut self, transaction: TransactionId) -> bool {
        let Some((purpose, taken)) = self.endpoint.detour(transaction) else {
            return false;
        };
        if !matches!(purpose, Purpose::Invite(_) | Purpose::Bye(_) | Purpose::LateFork) {
            return false;
        }
        let Some(way) = self.lines.other_than(taken) else {
            return false;
        };
        let Some(cseq) = self.number_for_retry(purpose, transaction) else {
            return false;
        };
        let Some(sent) = self.endpoint.send_by(way, transaction, cseq) else {
            return false;
        };
        self.resent(purpose, transaction, sent);
        true
    }

    /// The number a challenged request gets when it is sent again, if its owner still wants it: the next one of its
    /// dialog, in which others may have been sent meanwhile.
    fn number_for_retry(&mut self, purpose: Purpose, transaction: TransactionId) -> Option<u32> {
        let request = self.endpoint.sent_request(transaction)?.clone();
        let sent = request.cseq().ok()?.number;
        match purpose {
            Purpose::Register(reg_id) => self.registration_of(reg_id)?.number_for_retry(transaction),
            Purpose::Invite(id) => {
                let call = self.calls.get(&id)?;
                call.still_invites(transaction).then_some(sent + 1)
            }
            Purpose::Recovery(id) => {
                let call = self.calls.get(&id)?;
                call.recovers_in(transaction).then_some(sent + 1)
            }
            Purpose::ReInvite(id)
            | Purpose::Prack(id)
            | Purpose::Update(id)
            | Purpose::Bye(id)
            | Purpose::Trickle(id)
            | Purpose::Refer(id)
            | Purpose::Dtmf(id) => self.calls.get_mut(&id)?.next_number(&request),
            Purpose::Notify(id) => self.calls.get_mut(&id)?.next_notify_number(),
            Purpose::Subscribe(id) => self.subscriptions.number_for_retry(id, transaction),
            Purpose::Farewell => self.endpoint.number_for_farewell(transaction),
            Purpose::KeepAlive | Purpose::LateFork => Some(sent + 1),
            // Nobody wants it any more.
            Purpose::Orphan => None,
            // It has to have the branch and number of its INVITE (RFC 3261 section 22.1).
            Purpose::Cancel => None,
        }
    }

    pub(super) fn transactions_ended(&mut self, events: Vec<TransactionEvent>) {
        for event in events {
            let flow_failed = matches!(event, TransactionEvent::TransportFailed(_));
            if let TransactionEvent::TransportFailed(transaction) = event
                && self.take_detour(transaction)
            {
                continue;
            }
            let Some((transaction, purpose)) = self.endpoint.take_purpose(event) else {
                continue;
            };
            match purpose {
                Purpose::Register(reg_id) => {
                    let Some(line) = self.lines.get_mut(reg_id) else {
                        continue;
                    };
                    let outcome = line.registration.no_response(&mut self.endpoint, transaction);
                    self.registration_moved(reg_id, outcome);
                }
                Purpose::Invite(id) => {
                    self.with_call(id, |call, endpoint| call.invite_unanswered(endpoint, transaction));
                }
                Purpose::ReInvite(id) => {
                    self.with_call(id, |call, endpoint| {
                        call.reinvite_unanswered(endpoint, transaction, flow_failed)
                    });
                }
                Purpose::Update(id) => {
                    self.with_call(id, |call, endpoint| {
                        call.update_unanswered(endpoint, transaction, flow_failed)
                    });
                }
                Purpose::Subscribe(id) => {
                    self.subscriptions
                        .no_response(&mut self.endpoint, id, transaction);
                }
                Purpose::Refer(id) => {
                    self.with_call(id, |call, endpoint| {
                        call.refer_unanswered(endpoint, transaction, flow_failed)
                    });
                }
                Purpose::Recovery(id) => {
                    self.with_call(id, |call, endpoint| {
                        call.recovery_unanswered(endpoint, transaction)
                    });
                }
                Purpose::Bye(id) => self.with_call(id, Call::bye_lost),
                Purpose::Trickle(id) => self.with_call(id, |call, _| call.trickle_done(transaction, None)),
                Purpose::Farewell if flow_failed => self.endpoint.farewell_lost(transaction),
                Purpose::Farewell => self.endpoint.farewell_done(transaction),
                Purpose::Dtmf(id) => {
                    self.with_call(id, |call, endpoint| call.info_done(endpoint, transaction, None));
                }
                Purpose::Notify(id) => {
                    self.with_call(id, |call, _| call.notify_done(transaction, None, flow_failed));
                }
                Purpose::Prack(_)
                | Purpose::Orphan
                | Purpose::KeepAlive
                | Purpose::LateFork
                | Purpose::Cancel => {}
            }
        }
    }
}
