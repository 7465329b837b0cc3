//! Where conferences come from (RFC 4579 section 5.4): whoever calls the factory is sent to one of their own.

use std::collections::{BTreeMap, VecDeque};

use clearline_core::sip::{HeaderName, Message, Method, UriBuf};
use clearline_core::{Config, Deadline, Event, Input, Instant, Output, RegistrationState, UserAgent};

use crate::address::{is_conference, sender};
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

/// The factory. It is driven as a [`UserAgent`] is, on a connection to the platform within this process; what it wants
/// besides comes from [`Self::take_wanted`].
#[derive(Debug)]
pub struct Factory {
    agent: UserAgent,
    desk: Desk,
    domain: String,
    waiting: BTreeMap<u64, Message>,
    wanted: VecDeque<Wanted>,
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
            wanted: VecDeque::new(),
            last_ticket: 0,
            outputs: VecDeque::new(),
            deadline: None,
            is_ready: false,
            is_over: false,
        }
    }

    /// Connects and registers.
    pub fn start(&mut self, now: Instant) {
        self.agent.start(now);
        self.drain();
    }

    /// Un-registers.
    pub fn stop(&mut self, now: Instant) {
        self.agent.stop(now);
        self.drain();
    }

    /// Whether it can be called.
    pub fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Whether nothing is left to be done.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes in what has happened. Never fails.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match &input {
            Input::Connected { connection } => self.desk.connected(*connection),
            Input::Disconnected { connection, .. } => {
                self.desk.disconnected(*connection);
                self.waiting.clear();
                self.wanted.clear();
            }
            Input::Received { message, .. } if self.is_taken(message) => return self.drain(),
            Input::Received { .. }
            | Input::Wake
            | Input::MediaDone { .. }
            | Input::Media { .. }
            | Input::Environment(_) => {}
        }
        self.agent.handle_input(now, input);
        self.drain();
    }

    /// The next thing to do. Call until it is [`Output::Idle`].
    pub fn poll_output(&mut self) -> Output {
        let idle = Output::Idle(self.deadline);
        self.outputs.pop_front().unwrap_or(idle)
    }

    /// The next caller who wants a conference. Each is [sent there](Self::redirect) or [refused](Self::refuse).
    pub fn take_wanted(&mut self) -> Option<Wanted> {
        self.wanted.pop_front()
    }

    /// The caller's conference is ready.
    pub fn redirect(&mut self, ticket: u64, conference: &UriBuf) {
        if let Some(invite) = self.waiting.remove(&ticket) {
            let redirect = self.desk.answer(&invite, 302);
            let redirect = redirect.header(
                HeaderName::Contact,
                format_args!("<{}>;isfocus", conference.as_str()),
            );
            self.desk.respond(redirect.build());
            self.drain();
        }
    }

    /// The caller gets none.
    pub fn refuse(&mut self, ticket: u64, status: u16) {
        if let Some(invite) = self.waiting.remove(&ticket) {
            self.desk.refuse(&invite, status);
            self.drain();
        }
    }

    /// Whether a message is not for the agent.
    fn is_taken(&mut self, bytes: &[u8]) -> bool {
        let Ok(invite) = Message::parse(bytes) else {
            return false;
        };
        let is_call = invite.method() == Method::Invite && invite.to().is_ok_and(|to| to.tag().is_none());
        if !invite.is_request() || !is_call || invite.validate().is_err() {
            return false;
        }
        let caller = sender(&invite, &self.domain).filter(|caller| !is_conference(caller));
        match caller {
            // Conferences do not make conferences.
            None => self.desk.refuse(&invite, 403),
            Some(_) if self.waiting.len() >= MAX_WAITING => self.desk.refuse(&invite, 480),
            Some(creator) => {
                self.last_ticket += 1;
                let ticket = self.last_ticket;
                self.waiting.insert(ticket, invite);
                self.wanted.push_back(Wanted { ticket, creator });
            }
        }
        true
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
