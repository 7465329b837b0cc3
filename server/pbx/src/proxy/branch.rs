//! The branches of a forwarded request: sending (RFC 3261 section 16.6), responses (16.7), timer C (16.8) and lost
//! connections (16.9).

use std::collections::VecDeque;

use clearline_core::Instant;
use clearline_core::sip::Message;
use clearline_core::transaction::{Flow, TRANSACTION_TIMEOUT, TransactionId};

use crate::platform::{Alarm, Platform};
use crate::proxy::response_context::{Branch, BranchState, CancelCause, Stage};
use crate::proxy::target::Device;
use crate::proxy::{BranchId, ContextId};

impl Platform {
    /// Tries a group of devices at the same time, as far as the breadth goes; the rest comes after them.
    pub(crate) fn fork(&mut self, now: Instant, id: ContextId, mut group: Vec<Device>) {
        let Some(context) = self.proxy.contexts.get_mut(&id) else {
            return;
        };
        let parallel = group
            .len()
            .min(usize::try_from(context.breadth).unwrap_or(usize::MAX))
            .max(1);
        if group.len() > parallel {
            context.waiting.push_front(group.split_off(parallel));
        }
        let share = context.breadth / u32::try_from(parallel).unwrap_or(u32::MAX);
        for device in group {
            self.try_device(now, id, device, share.max(1));
        }
    }

    /// Sends the request to a device over the first of its flows that is open.
    fn try_device(&mut self, now: Instant, id: ContextId, mut device: Device, breadth: u32) {
        let Some(target) =
            std::iter::from_fn(|| device.pop_front()).find(|target| self.is_open(target.connection))
        else {
            return;
        };
        let random = self.rng.token(8);
        let Some(context) = self.proxy.contexts.get(&id) else {
            return;
        };
        let (is_invite, index) = (context.is_invite(), context.branches.len());
        let message = self.forwarded_request(context, &target, breadth, &random);
        let flow = Flow::reliable(target.connection);
        // A request that was received and validated has all that its transaction needs, so this does not fail.
        let Ok(transaction) = self.transactions.send(now, flow, message, &mut self.outbox) else {
            return;
        };
        let branch = BranchId { context: id, index };
        self.proxy.by_client.insert(transaction, branch);
        if is_invite {
            self.alarms.set(Alarm::TimerC(branch), now + self.config.timer_c);
        }
        if let Some(context) = self.proxy.contexts.get_mut(&id) {
            let state = BranchState::Calling;
            context.branches.push(Branch {
                transaction,
                target,
                alternatives: device,
                state,
            });
        }
    }

    /// Takes a response of a device (section 16.7).
    pub(crate) fn response_received(&mut self, now: Instant, transaction: TransactionId, response: &Message) {
        // Responses to our own CANCEL have no branch.
        let Some(&branch) = self.proxy.by_client.get(&transaction) else {
            return;
        };
        let status = response.status().unwrap_or(500);
        if status < 200 {
            self.provisional_received(now, branch);
        }
        if status == 100 {
            return;
        }
        let Some(target) = self.proxy.branch_mut(branch).map(|branch| branch.target.clone()) else {
            return;
        };
        self.observe_response(now, branch, response);
        let forwarded = self.forwarded_response(response, &target);
        match status {
            101..=199 => {
                // Section 16.7 step 2.
                self.alarms.set(Alarm::TimerC(branch), now + self.config.timer_c);
                self.respond_upstream(now, branch.context, forwarded);
            }
            200..=299 => self.accepted(now, branch, forwarded),
            _ => self.failed(now, branch, forwarded),
        }
    }

    fn provisional_received(&mut self, now: Instant, id: BranchId) {
        let Some(branch) = self.proxy.branch_mut(id) else {
            return;
        };
        match branch.state.clone() {
            BranchState::Calling => branch.state = BranchState::Proceeding,
            BranchState::Doomed(cause) => self.send_cancel(now, id, cause),
            BranchState::Proceeding
            | BranchState::Cancelled(_)
            | BranchState::Accepted
            | BranchState::Ended(_) => {}
        }
    }

    /// A device has taken the call: every 2xx goes back at once (section 16.7 step 5), the others are cancelled.
    fn accepted(&mut self, now: Instant, id: BranchId, response: Message) {
        self.clear_alarms(id);
        let Some(branch) = self.proxy.branch_mut(id) else {
            return;
        };
        branch.state = BranchState::Accepted;
        self.respond_upstream(now, id.context, response);
        let Some(context) = self.proxy.contexts.get(&id.context) else {
            return;
        };
        let (is_first, is_invite) = (context.stage != Stage::Answered, context.is_invite());
        if !is_first {
            return;
        }
        self.answered(id.context);
        if !is_invite {
            return self.forget(id.context);
        }
        self.cancel_pending(now, id.context, &CancelCause::CompletedElsewhere);
        // Until then further 2xx may come: retransmissions, or a device that answered before its CANCEL arrived.
        // The transactions of both sides end before.
        self.alarms
            .set(Alarm::Forget(id.context), now + TRANSACTION_TIMEOUT * 2);
    }

    /// A branch has ended with a final response other than 2xx.
    fn failed(&mut self, now: Instant, id: BranchId, response: Message) {
        self.clear_alarms(id);
        let Some(branch) = self.proxy.branch_mut(id) else {
            return;
        };
        if !branch.is_pending() {
            return;
        }
        let gave_no_answer = branch.state == BranchState::Cancelled(CancelCause::NoAnswer);
        let status = response.status().unwrap_or(500);
        self.observe_failure(now, id, status);
        let elsewhere = self.elsewhere(id, &response);
        let is_cancelled = self.proxy.context(id).is_some_and(|context| context.is_cancelled);
        // Section 16.7 step 4: a redirection that is followed is no answer.
        let instead = match () {
            () if elsewhere.is_some() => Some(408),
            // Section 16.8: to the caller, who has cancelled nothing, this is a time-out.
            () if gave_no_answer && status == 487 => Some(408),
            // Section 9.2: nor is one that would have been, to a caller who does not want to go anywhere any more.
            () if is_cancelled && self.is_sent_on(id, &response) => Some(487),
            () => None,
        };
        let replacement = instead.and_then(|status| self.local_response(id.context, status));
        if let (Some(groups), Some(context)) = (elsewhere, self.proxy.contexts.get_mut(&id.context)) {
            context.waiting = groups;
        }
        let Some(branch) = self.proxy.branch_mut(id) else {
            return;
        };
        branch.state = BranchState::Ended(replacement.unwrap_or(response));
        let alternatives = std::mem::take(&mut branch.alternatives);
        let transaction = branch.transaction;
        self.proxy.by_client.remove(&transaction);
        match status {
            600..=699 => self.declined_for_all(now, id.context, status),
            430 => self.try_other_flow(now, id.context, alternatives),
            _ => {}
        }
        self.advance(now, id.context);
    }

    /// Where a service sends the caller, once (section 16.7 step 4).
    fn elsewhere(&self, id: BranchId, response: &Message) -> Option<VecDeque<Vec<Device>>> {
        let is_searching = self.proxy.context(id)?.stage == Stage::Searching;
        if !is_searching || !self.is_sent_on(id, response) {
            return None;
        }
        self.targets_after(response).map(|targets| targets.groups)
    }

    /// Whether a service sends the caller on, who has not been sent anywhere yet.
    fn is_sent_on(&self, id: BranchId, response: &Message) -> bool {
        let Some(context) = self.proxy.context(id) else {
            return false;
        };
        let uri = context.request.request_uri();
        let is_from_service = uri.is_some_and(|uri| self.is_for_service(&uri));
        context.branches.len() == 1 && is_from_service && matches!(response.status(), Some(300..=399))
    }

    /// Section 16.7 step 5: a 6xx ends the search.
    fn declined_for_all(&mut self, now: Instant, id: ContextId, status: u16) {
        let Some(context) = self.proxy.contexts.get_mut(&id) else {
            return;
        };
        if context.stage == Stage::Searching {
            context.stage = Stage::Ending;
            self.cancel_pending(now, id, &CancelCause::DeclinedElsewhere(status));
        }
    }

    /// RFC 5626 section 5.3: when a flow has failed, the next one to the same device is tried.
    fn try_other_flow(&mut self, now: Instant, id: ContextId, alternatives: Device) {
        let Some(context) = self.proxy.contexts.get(&id) else {
            return;
        };
        if context.stage == Stage::Searching && !alternatives.is_empty() {
            self.try_device(now, id, alternatives, 1);
        }
    }

    /// Timer B or F: nothing has come back (section 16.7, as for a 408).
    pub(crate) fn branch_timed_out(&mut self, now: Instant, transaction: TransactionId) {
        self.branch_failed_locally(now, transaction, 408);
    }

    /// The connection of a branch was lost (section 16.9). Whether that is worse for the caller than a device that is
    /// not there is decided with the other answers.
    pub(crate) fn branch_flow_failed(&mut self, now: Instant, transaction: TransactionId) {
        self.branch_failed_locally(now, transaction, 430);
    }

    fn branch_failed_locally(&mut self, now: Instant, transaction: TransactionId, status: u16) {
        if let Some(&branch) = self.proxy.by_client.get(&transaction)
            && let Some(response) = self.local_response(branch.context, status)
        {
            self.failed(now, branch, response);
        }
    }

    /// Section 16.8.
    pub(crate) fn timer_c_fired(&mut self, now: Instant, id: BranchId) {
        self.cancel_branch(now, id, CancelCause::NoAnswer);
    }

    /// RFC 3261 section 9.1: a branch that does not end 64*T1 after its CANCEL is taken for ended.
    pub(crate) fn cancel_was_ineffective(&mut self, now: Instant, id: BranchId) {
        let Some(transaction) = self.proxy.branch_mut(id).map(|branch| branch.transaction) else {
            return;
        };
        self.transactions.abandon(transaction);
        self.branch_failed_locally(now, transaction, 487);
    }

    pub(crate) fn clear_alarms(&mut self, id: BranchId) {
        self.alarms.clear(Alarm::TimerC(id));
        self.alarms.clear(Alarm::CancelIneffective(id));
    }

    /// A final response in place of one that a device has not given.
    fn local_response(&mut self, id: ContextId, status: u16) -> Option<Message> {
        let request = self.proxy.contexts.get(&id)?.request.clone();
        Some(self.response(&request, status).build())
    }
}
