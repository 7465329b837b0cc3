//! Giving up: CANCEL from the caller (RFC 3261 section 16.10) and to the devices (section 9.1), callers who vanish.

use clearline_core::ConnectionId;
use clearline_core::Instant;
use clearline_core::sip::{HeaderName, Message};
use clearline_core::transaction::{Flow, TRANSACTION_TIMEOUT, TransactionId};

use crate::flow::FlowId;
use crate::platform::{Alarm, Platform};
use crate::proxy::response_context::{BranchState, CancelCause, Stage};
use crate::proxy::{BranchId, ContextId};
use crate::refusal::Refusal;

impl Platform {
    /// Answers a CANCEL and, if it comes from who sent the INVITE, cancels what is pending (section 16.10).
    pub(crate) fn cancel_received(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        transaction: TransactionId,
        request: &Message,
        invite: Option<TransactionId>,
    ) {
        // Others on the way know the branch too; they may not cancel.
        let is_sender = |invite: &TransactionId| {
            let context = self
                .proxy
                .by_server
                .get(invite)
                .and_then(|id| self.proxy.contexts.get(id));
            context.is_some_and(|context| context.upstream == connection)
                || self.transactions.flow(*invite) == Some(Flow::reliable(connection))
        };
        let Some(invite) = invite.filter(is_sender) else {
            // Section 16.10 would pass it on without state; but no branch of ours can be told from outside.
            return self.refuse(now, transaction, request, Refusal::new(481));
        };
        let response = self.response(request, 200).build();
        self.respond(now, transaction, response);
        if let Some(&context) = self.proxy.by_server.get(&invite) {
            let reasons = request
                .header_list(HeaderName::Reason)
                .map(str::to_owned)
                .collect();
            self.give_up(now, context, &CancelCause::Caller(reasons));
        }
    }

    /// Ends the search on the caller's behalf.
    fn give_up(&mut self, now: Instant, id: ContextId, cause: &CancelCause) {
        let Some(context) = self.proxy.contexts.get_mut(&id) else {
            return;
        };
        if context.stage == Stage::Answered {
            return;
        }
        context.stage = Stage::Ending;
        context.is_cancelled = true;
        self.cancel_pending(now, id, cause);
        self.advance(now, id);
    }

    /// Cancels every branch that has not ended.
    pub(crate) fn cancel_pending(&mut self, now: Instant, id: ContextId, cause: &CancelCause) {
        let branches = self
            .proxy
            .contexts
            .get(&id)
            .map_or(0, |context| context.branches.len());
        for index in 0..branches {
            self.cancel_branch(now, BranchId { context: id, index }, cause.clone());
        }
    }

    /// Cancels a branch of an INVITE, now or when a provisional response allows it. Other requests cannot be cancelled.
    pub(crate) fn cancel_branch(&mut self, now: Instant, id: BranchId, cause: CancelCause) {
        if !self
            .proxy
            .contexts
            .get(&id.context)
            .is_some_and(|context| context.is_invite())
        {
            return;
        }
        let Some(branch) = self.proxy.branch_mut(id) else {
            return;
        };
        match branch.state {
            BranchState::Calling => branch.state = BranchState::Doomed(cause),
            BranchState::Proceeding => self.send_cancel(now, id, cause),
            BranchState::Doomed(_)
            | BranchState::Cancelled(_)
            | BranchState::Accepted
            | BranchState::Ended(_) => {}
        }
    }

    pub(crate) fn send_cancel(&mut self, now: Instant, id: BranchId, cause: CancelCause) {
        let Some(branch) = self.proxy.branch_mut(id) else {
            return;
        };
        branch.state = BranchState::Cancelled(cause.clone());
        let (connection, transaction) = (branch.target.connection, branch.transaction);
        let cancel = self.transactions.cancel_request(transaction);
        self.alarms.clear(Alarm::TimerC(id));
        self.alarms
            .set(Alarm::CancelIneffective(id), now + TRANSACTION_TIMEOUT);
        let Some(cancel) = cancel else { return };
        let edit = cause.reasons().iter().fold(cancel.edit(), |edit, reason| {
            edit.append(HeaderName::Reason, reason)
        });
        // An INVITE that was sent has all that its CANCEL needs, so this does not fail.
        let _ = self
            .transactions
            .send(now, Flow::reliable(connection), edit.build(), &mut self.outbox);
    }

    /// The connection of callers is lost: their calls go on ringing for a while, in case they come back, or on the
    /// connection to which they have moved before.
    pub(crate) fn callers_lost(&mut self, now: Instant, connection: ConnectionId) {
        let at = now + self.config.caller_grace;
        for (id, context) in &mut self.proxy.contexts {
            if context.upstream != connection || context.stage == Stage::Answered {
                continue;
            }
            let moved_to = self
                .location
                .on_flow(context.upstream_flow)
                .and_then(|binding| binding.connection);
            match moved_to {
                Some(new) => context.upstream = new,
                None if context.is_invite() => self.alarms.set(Alarm::CallerGone(*id), at),
                None => {}
            }
        }
    }

    /// A device is reached over a new connection: responses to its requests go there.
    pub(crate) fn flow_moved(&mut self, flow: FlowId, connection: ConnectionId) {
        let open = |id| self.connections.contains_key(&id);
        for (id, context) in &mut self.proxy.contexts {
            if context.upstream_flow == flow && !open(context.upstream) {
                context.upstream = connection;
                self.alarms.clear(Alarm::CallerGone(*id));
            }
        }
    }

    pub(crate) fn caller_gone(&mut self, now: Instant, id: ContextId) {
        self.give_up(now, id, &CancelCause::CallerGone);
    }
}
