//! Where conferences come from (RFC 4579 section 5.4): whoever calls the factory is sent to one of their own.
//!
//! ```text
//! INVITE --100--> waiting --the conference is ready: 302, there is none: 4xx--> done
//!                    +--CANCEL: 487, and the conference is not wanted any more--> done
//! ```

use std::collections::{BTreeMap, VecDeque};

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder, UriBuf};
use clearline_core::transaction::{Received, TransactionId};
use clearline_core::{Config, Deadline, Event, Input, Instant, Output, RegistrationState, Timer, UserAgent};

use crate::address::{is_conference, sender};
use crate::agent::Agent;
use crate::desk::Desk;

/// Callers who wait for a conference at once.
const MAX_WAITING: usize = 64;

/// Somebody wants a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Names the caller in the answer.
    pub ticket: u64,
    /// Who it is: an address of record.
    pub creator: String,
}

/// A caller whose conference is not ready.
#[derive(Debug)]
struct Waiting {
    transaction: TransactionId,
    invite: Message,
    /// Of the answer, and of that to a CANCEL (RFC 3261 section 9.2).
    tag: String,
}

impl Waiting {
    fn answer(&self, status: u16) -> ResponseBuilder {
        ResponseBuilder::for_request(&self.invite, status).to_tag(&self.tag)
    }
}

/// The factory. It is driven as a [`UserAgent`] is, on a connection to the platform within this process; what it wants
/// besides comes from [`Self::take_wanted`].
#[derive(Debug)]
pub struct Factory {
    agent: UserAgent,
    desk: Desk,
    domain: String,
    waiting: BTreeMap<u64, Waiting>,
    /// Callers who have been sent on lately: a CANCEL may have crossed that.
    sent_on: VecDeque<(TransactionId, u64)>,
    wanted: VecDeque<Wanted>,
    withdrawn: VecDeque<u64>,
    last_ticket: u64,
    outputs: VecDeque<Output>,
    /// When the agent wants to be woken.
    deadline: Option<Deadline>,
    is_ready: bool,
    is_over: bool,
}

impl Factory {
    /// A factory that registers with `config`. `seed` determines all its identifiers.
    pub fn new(mut config: Config, seed: [u8; 32]) -> Self {
        let domain = config
            .address_of_record
            .as_uri()
            .host()
            .unwrap_or_default()
            .to_owned();
        config.max_calls = 0;
        let mut desk = Desk::new(seed);
        let mut agent_seed = seed;
        for byte in &mut agent_seed {
            *byte ^= desk.rng.next_u64().to_le_bytes()[0];
        }
        Self {
            agent: UserAgent::new(config, agent_seed),
            desk,
            domain,
            waiting: BTreeMap::new(),
            sent_on: VecDeque::new(),
            wanted: VecDeque::new(),
            withdrawn: VecDeque::new(),
            last_ticket: 0,
            outputs: VecDeque::new(),
            deadline: None,
            is_ready: false,
            is_over: false,
        }
    }

    /// The next caller who wants a conference. Each is [sent there](Self::redirect) or [refused](Self::refuse).
    pub fn take_wanted(&mut self) -> Option<Wanted> {
        self.wanted.pop_front()
    }

    /// The ticket of the next caller who has given up: the conference that was begun for them is not wanted.
    pub fn take_withdrawn(&mut self) -> Option<u64> {
        self.withdrawn.pop_front()
    }

    /// The caller's conference is ready.
    pub fn redirect(&mut self, now: Instant, ticket: u64, conference: &UriBuf) {
        if let Some(caller) = self.waiting.remove(&ticket) {
            let contact = format!("<{}>;isfocus", conference.as_str());
            let redirect = caller.answer(302).header(HeaderName::Contact, contact);
            self.desk.respond_in(now, caller.transaction, redirect.build());
            self.sent_on.truncate(MAX_WAITING - 1);
            self.sent_on.push_front((caller.transaction, ticket));
            self.drain();
        }
    }

    /// The caller gets none.
    pub fn refuse(&mut self, now: Instant, ticket: u64, status: u16) {
        if let Some(caller) = self.waiting.remove(&ticket) {
            let refusal = caller.answer(status).build();
            self.desk.respond_in(now, caller.transaction, refusal);
            self.drain();
        }
    }

    /// Whether a message is not for the agent, which has no calls.
    fn is_taken(&mut self, now: Instant, bytes: &[u8]) -> bool {
        let Ok(request) = Message::parse(bytes) else {
            return false;
        };
        let begins_call =
            request.method() == Method::Invite && request.to().is_ok_and(|to| to.tag().is_none());
        let is_meant = begins_call || matches!(request.method(), Method::Ack | Method::Cancel);
        if !request.is_request() || !is_meant || request.validate().is_err() {
            return false;
        }
        match self.desk.receive(now, request) {
            Some(Received::Request { transaction, request }) => self.called(now, transaction, request),
            Some(Received::Cancel {
                transaction,
                request,
                invite,
            }) => self.cancelled(now, transaction, &request, invite),
            // Of what the agent has refused.
            Some(Received::Ack { .. }) => return false,
            Some(
                Received::Response { .. }
                | Received::StrayResponse { .. }
                | Received::Absorbed
                | Received::Unusable(_),
            )
            | None => {}
        }
        true
    }

    fn called(&mut self, now: Instant, transaction: TransactionId, invite: Message) {
        let caller = sender(&invite, &self.domain).filter(|caller| !is_conference(caller));
        let tag = self.desk.rng.token(6);
        let waiting = Waiting {
            transaction,
            invite,
            tag,
        };
        let status = match caller {
            Some(_) if self.waiting.len() >= MAX_WAITING => 480,
            Some(_) => 100,
            // Conferences do not make conferences.
            None => 403,
        };
        let answer = waiting.answer(status).build();
        self.desk.respond_in(now, transaction, answer);
        if let Some(creator) = caller.filter(|_| status == 100) {
            self.last_ticket += 1;
            let ticket = self.last_ticket;
            self.waiting.insert(ticket, waiting);
            self.wanted.push_back(Wanted { ticket, creator });
        }
    }

    /// RFC 3261 section 9.2.
    fn cancelled(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        cancel: &Message,
        invite: Option<TransactionId>,
    ) {
        let mut waiting = self.waiting.iter();
        let caller = waiting.find(|(_, caller)| Some(caller.transaction) == invite);
        let caller = caller.map(|(ticket, caller)| (*ticket, caller.tag.clone()));
        let ok = match &caller {
            Some((_, tag)) => ResponseBuilder::for_request(cancel, 200).to_tag(tag),
            // It has been answered, or never was.
            None => self.desk.answer(cancel, if invite.is_some() { 200 } else { 481 }),
        };
        self.desk.respond_in(now, transaction, ok.build());
        if let Some((ticket, _)) = caller {
            self.refuse(now, ticket, 487);
            self.withdraw(ticket);
        }
        // Who is sent on after having given up goes nowhere.
        let mut sent_on = self.sent_on.iter();
        if let Some(at) = sent_on.position(|(transaction, _)| Some(*transaction) == invite)
            && let Some((_, ticket)) = self.sent_on.remove(at)
        {
            self.withdraw(ticket);
        }
    }

    /// The connection on which callers would have been answered is gone.
    fn lose_callers(&mut self) {
        for (ticket, caller) in std::mem::take(&mut self.waiting) {
            self.desk.abandon(caller.transaction);
            self.withdraw(ticket);
        }
    }

    fn withdraw(&mut self, ticket: u64) {
        match self.wanted.iter().position(|wanted| wanted.ticket == ticket) {
            // Nobody has begun anything.
            Some(at) => drop(self.wanted.remove(at)),
            None => self.withdrawn.push_back(ticket),
        }
    }

    fn drain(&mut self) {
        self.outputs.extend(self.desk.take_outputs());
        loop {
            match self.agent.poll_output() {
                Output::Idle(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Event(Event::Registration(state)) => {
                    self.is_ready = matches!(state, RegistrationState::Registered { .. });
                }
                Output::Event(Event::Stopped) => self.is_over = true,
                Output::Event(_) => {}
                output @ (Output::Connect { .. }
                | Output::Transmit { .. }
                | Output::Disconnect { .. }
                | Output::Media { .. }) => self.outputs.push_back(output),
            }
        }
    }
}

impl Agent for Factory {
    fn start(&mut self, now: Instant) {
        self.agent.start(now);
        self.drain();
    }

    fn stop(&mut self, now: Instant) {
        self.agent.stop(now);
        self.drain();
    }

    fn is_ready(&self) -> bool {
        self.is_ready
    }

    fn is_over(&self) -> bool {
        self.is_over
    }

    fn handle_input(&mut self, now: Instant, input: Input) {
        match &input {
            Input::Connected { connection } => self.desk.connected(*connection),
            Input::Disconnected { connection, .. } => {
                self.desk.disconnected(*connection);
                self.lose_callers();
            }
            Input::Received { message, .. } if self.is_taken(now, message) => return self.drain(),
            // Nothing is sent here that is answered.
            Input::Wake => drop(self.desk.wake(now)),
            Input::Received { .. }
            | Input::MediaDone { .. }
            | Input::Media { .. }
            | Input::Environment(_) => {}
        }
        self.agent.handle_input(now, input);
        self.drain();
    }

    fn poll_output(&mut self) -> Output {
        let own = self.desk.deadline().map(|at| Deadline {
            at,
            timer: Timer::Transaction,
        });
        let deadlines = [self.deadline, own].into_iter().flatten();
        let idle = Output::Idle(deadlines.min_by_key(|deadline| deadline.at));
        self.outputs.pop_front().unwrap_or(idle)
    }
}
