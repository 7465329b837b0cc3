//! The stateful forking proxy (RFC 3261 section 16).
//!
//! A request comes in through [`Platform::proxy_request`], which checks it (section 16.3), takes our routes off (16.4),
//! asks who sent it, finds its targets (16.5) and opens a [`ResponseContext`]; `branch` forwards it (16.6) and takes
//! the responses (16.7 to 16.10).

mod branch;
mod cancel;
mod forward;
mod loop_detection;
mod record_route;
mod response_context;
mod target;

use std::collections::{BTreeMap, VecDeque};

use clearline_core::ConnectionId;
use clearline_core::Instant;
use clearline_core::sip::{HeaderName, Message, Scheme, UriBuf, quote};
use clearline_core::transaction::TransactionId;

use crate::io::Limit;
use crate::platform::{Alarm, Platform};
use crate::refusal::Refusal;
use crate::registrar::refuse_unsupported;
use crate::user::UserId;
pub(crate) use response_context::Place;
use response_context::{BranchState, ResponseContext, Stage};
use target::Targets;

/// Identifies a response context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ContextId(u64);

/// Identifies a branch of a response context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BranchId {
    context: ContextId,
    index: usize,
}

/// All requests being forwarded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxy {
    last_id: u64,
    contexts: BTreeMap<ContextId, ResponseContext>,
    by_server: BTreeMap<TransactionId, ContextId>,
    by_client: BTreeMap<TransactionId, BranchId>,
}

impl Proxy {
    fn insert(&mut self, context: ResponseContext) -> ContextId {
        self.last_id += 1;
        let id = ContextId(self.last_id);
        self.by_server.insert(context.server, id);
        self.contexts.insert(id, context);
        id
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.contexts.len()
    }

    /// The forwarded request of a branch.
    pub(crate) fn context(&self, id: BranchId) -> Option<&ResponseContext> {
        self.contexts.get(&id.context)
    }

    /// The device of a branch.
    pub(crate) fn target(&self, id: BranchId) -> Option<&target::Target> {
        let branch = self.context(id)?.branches.get(id.index)?;
        Some(&branch.target)
    }

    /// Whether a branch has been answered with 2xx before.
    pub(crate) fn is_accepted(&self, id: BranchId) -> bool {
        let branch = self
            .context(id)
            .and_then(|context| context.branches.get(id.index));
        branch.is_some_and(|branch| branch.state == BranchState::Accepted)
    }

    fn branch_mut(&mut self, id: BranchId) -> Option<&mut response_context::Branch> {
        self.contexts.get_mut(&id.context)?.branches.get_mut(id.index)
    }
}

impl Platform {
    /// How many requests are being forwarded, or have been answered so recently that more may follow. None for long
    /// after the last call has ended.
    pub fn requests_under_way(&self) -> usize {
        self.proxy.contexts.len()
    }

    /// Forwards a request, or says why not.
    pub(crate) fn proxy_request(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        transaction: TransactionId,
        request: &Message,
    ) -> Result<(), Refusal> {
        let loop_check = loop_detection::loop_check(&self.config.key, request);
        self.check_request(request, &loop_check)?;
        let breadth = loop_detection::breadth(request)?;
        let routed = self.process_route(connection, request)?;
        let is_in_dialog = routed.flow.is_some() && routed.request.to().is_ok_and(|to| to.tag().is_some());
        let caller = match is_in_dialog {
            true => None,
            false => Some(self.authenticate_caller(now, connection, request)?),
        };
        let is_known = self.knows_dialog_of(request);
        // Before it is known whether the far end can be reached.
        if is_in_dialog {
            self.observe_request(now, request);
        }
        let targets = self.targets(&routed)?;
        self.check_load(now, connection)?;
        let asserted_identity = caller
            .as_ref()
            .and_then(|user| self.asserted_identity(user, request));
        let place = match caller {
            Some(user) => Place::Outside(user),
            None => Place::Inside { is_known },
        };
        let context = ResponseContext {
            server: transaction,
            upstream: connection,
            upstream_flow: self
                .flow_of_sender(connection, request)
                .ok_or_else(|| Refusal::new(500))?,
            request: routed.request,
            place,
            asserted_identity,
            loop_check,
            stage: Stage::Searching,
            is_cancelled: false,
            waiting: targets.groups,
            unreachable: targets.unreachable,
            breadth,
            branches: Vec::new(),
        };
        self.open(now, context);
        Ok(())
    }

    /// Request validation (section 16.3); the syntax was checked before.
    fn check_request(&self, request: &Message, loop_check: &str) -> Result<(), Refusal> {
        let uri = request.request_uri().ok_or_else(|| Refusal::new(400))?;
        if !matches!(uri.scheme(), Scheme::Sip | Scheme::Tel) {
            return Err(Refusal::new(416));
        }
        if request.max_forwards() == Ok(Some(0)) {
            return Err(Refusal::new(483));
        }
        loop_detection::refuse_loop(request, &self.config.domain, loop_check)?;
        refuse_unsupported(request, HeaderName::ProxyRequire, &[])
    }

    fn check_load(&mut self, now: Instant, connection: ConnectionId) -> Result<(), Refusal> {
        let limit = self.config.limits.transactions_per_connection;
        if self
            .connections
            .get(&connection)
            .is_some_and(|connection| connection.forwarding < limit)
        {
            return Ok(());
        }
        self.exceeded(now, connection, Limit::Transactions);
        Err(Refusal::new(503).with(HeaderName::RetryAfter, "5"))
    }

    /// What the platform vouches for (RFC 3325 section 9.1); nothing if the caller wants privacy.
    fn asserted_identity(&self, user: &UserId, request: &Message) -> Option<String> {
        if request.privacy().any(|value| value.eq_ignore_ascii_case("id")) {
            return None;
        }
        let user = self.users.find(user)?;
        let aor = UriBuf::sip(user.id.as_str(), &self.config.domain).ok()?;
        Some(match user.display_name.as_str() {
            "" => format!("<{aor}>"),
            name => format!("{} <{aor}>", quote(name)),
        })
    }

    fn open(&mut self, now: Instant, context: ResponseContext) {
        let (is_invite, connection) = (context.is_invite(), context.upstream);
        if is_invite {
            // Section 16.2: a proxy that cannot answer within 200 ms says so; it does not know, so it always does.
            let trying = self.response(&context.request, 100).build();
            self.respond(now, context.server, trying);
        }
        if let Some(state) = self.connections.get_mut(&connection) {
            state.forwarding += 1;
        }
        let id = self.proxy.insert(context);
        self.advance(now, id);
    }

    /// Brings a context on: tries the next devices, or answers when there are none.
    fn advance(&mut self, now: Instant, id: ContextId) {
        while let Some(context) = self.proxy.contexts.get_mut(&id) {
            if context.stage == Stage::Answered || context.is_any_pending() {
                return;
            }
            let group = match context.stage {
                Stage::Searching => context.waiting.pop_front(),
                Stage::Ending | Stage::Answered => None,
            };
            match group {
                Some(group) => self.fork(now, id, group),
                None => return self.answer_with_best(now, id),
            }
        }
    }

    fn answer_with_best(&mut self, now: Instant, id: ContextId) {
        let Some(context) = self.proxy.contexts.get(&id) else {
            return;
        };
        let (server, is_invite, unreachable) = (context.server, context.is_invite(), context.unreachable);
        let request = context.request.clone();
        let (best, is_cancelled) = (context.best_response(), context.is_cancelled);
        let best = match best {
            Some(best) if best.status() == Some(430) && unreachable != 430 => None,
            best => best,
        };
        let status = if is_cancelled { 487 } else { unreachable };
        let best = best.unwrap_or_else(|| self.response(&request, status).build());
        if !is_invite && best.status() == Some(408) {
            // RFC 4320 section 4.1: too late to be of use to the sender, whose own timer fires at the same moment.
            self.transactions.abandon(server);
        } else {
            self.respond_upstream(now, id, best);
        }
        self.answered(id);
        self.forget(id);
    }

    /// Sends a response towards the caller, on whatever connection the caller is now.
    fn respond_upstream(&mut self, now: Instant, id: ContextId, response: Message) {
        let Some(context) = self.proxy.contexts.get(&id) else {
            return;
        };
        let (server, upstream) = (context.server, context.upstream);
        let mut sent = Vec::new();
        self.transactions.respond(now, server, response, &mut sent);
        self.outbox
            .extend(sent.into_iter().map(|(_, message)| (upstream, message)));
    }

    /// Notes that the final response has gone out.
    fn answered(&mut self, id: ContextId) {
        let Some(context) = self.proxy.contexts.get_mut(&id) else {
            return;
        };
        if context.stage == Stage::Answered {
            return;
        }
        context.stage = Stage::Answered;
        context.waiting = VecDeque::new();
        if let Some(state) = self.connections.get_mut(&context.upstream) {
            state.forwarding = state.forwarding.saturating_sub(1);
        }
        self.alarms.clear(Alarm::CallerGone(id));
    }

    /// Drops a context and what is left of its branches.
    pub(crate) fn forget(&mut self, id: ContextId) {
        let Some(context) = self.proxy.contexts.remove(&id) else {
            return;
        };
        self.proxy.by_server.remove(&context.server);
        for (index, branch) in context.branches.iter().enumerate() {
            let branch_id = BranchId { context: id, index };
            self.clear_alarms(branch_id);
            self.observe_failure(self.last_input_at, branch_id, 408);
            self.proxy.by_client.remove(&branch.transaction);
            self.transactions.abandon(branch.transaction);
        }
    }

    /// Sends an ACK for a 2xx along the dialog's route (section 16.6, without a transaction). One without our route
    /// belongs to no call through here, or acknowledges a refusal that was sent without a transaction.
    pub(crate) fn forward_ack(&mut self, now: Instant, connection: ConnectionId, request: &Message) {
        if request.max_forwards() == Ok(Some(0)) {
            return;
        }
        let Ok(routed) = self.process_route(connection, request) else {
            return;
        };
        let Some(_) = routed.flow else {
            return self.drop_message(now, connection, "ACK outside a dialog");
        };
        let device = self.targets(&routed).ok().and_then(only_device);
        let Some(target) = device.filter(|target| self.is_open(target.connection)) else {
            return;
        };
        let loop_check = loop_detection::loop_check(&self.config.key, request);
        let branch = loop_detection::branch(&self.rng.token(8), &loop_check);
        let message = self.forwarded_ack(&routed.request, &target, &branch);
        self.outbox.push((target.connection, message));
    }
}

fn only_device(targets: Targets) -> Option<target::Target> {
    targets.groups.into_iter().flatten().flatten().next()
}
