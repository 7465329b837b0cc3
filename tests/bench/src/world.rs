//! Agents with media that pretends, and what lies between them, without a clock and without sockets.

use clearline_core::sip::UriBuf;
use clearline_core::{
    CallId, CallOptions, CallState, Config, ConnectionId, Duration, Event, Input, Instant, MediaAction,
    MediaOutcome, Output, Secret, UserAgent,
};

/// The domain of all users.
pub const DOMAIN: &str = "example.com";
/// The password of all users.
pub const PASSWORD: &str = "demo";

const DESCRIPTION: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 110\r\nc=IN IP4 192.0.2.1\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:0123456789abcdef01234567\r\na=fingerprint:sha-256 AB:CD\r\na=setup:actpass\r\na=mid:0\r\n\
    a=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\na=sendrecv\r\n";

/// What one connection pours out, by name: what is no SIP, and requests that nobody has signed in for.
pub fn floods() -> [(&'static str, Vec<u8>); 3] {
    let request = |method: &str| {
        format!(
            "{method} sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/WS flood.invalid;branch=z9hG4bKflood\r\nMax-Forwards: 70\r\n\
             From: <sip:u1@{DOMAIN}>;tag=f\r\nTo: <sip:u1@{DOMAIN}>\r\nCall-ID: flood\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:x@flood.invalid>\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    };
    [
        ("garbage", vec![b'x'; 400]),
        ("REGISTER", request("REGISTER")),
        ("INVITE", request("INVITE")),
    ]
}

/// One agent, and what it has not sent yet.
pub struct Phone {
    /// The agent.
    pub agent: UserAgent,
    /// The connection it has, as it calls it.
    pub connection: ConnectionId,
    /// Frames on their way.
    pub outgoing: Vec<Vec<u8>>,
    deadline: Option<Instant>,
}

impl Phone {
    /// An agent with an open connection.
    pub fn new(user: &str, seed: u8, register: bool, now: Instant) -> Self {
        let address = UriBuf::sip(user, DOMAIN).expect("a user");
        let instance = format!("urn:uuid:00000000-0000-1000-8000-0000000000{seed:02x}");
        let mut config = Config::new(address, "wss://example.com/sip", instance);
        config.password = Secret::new(PASSWORD);
        config.register = register;
        let mut seeds = [seed; 32];
        seeds
            .iter_mut()
            .zip(user.bytes())
            .for_each(|(seed, byte)| *seed ^= byte);
        let mut phone = Self {
            agent: UserAgent::new(config, seeds),
            connection: ConnectionId(0),
            outgoing: Vec::new(),
            deadline: None,
        };
        phone.agent.start(now);
        phone.drain(now);
        let connection = phone.connection;
        phone.input(now, Input::Connected { connection });
        phone
    }

    /// Calls somebody.
    pub fn call(&mut self, now: Instant, id: CallId, target: &str) {
        let called = self.agent.call(now, id, target, CallOptions::default());
        called.expect("the call is accepted");
        self.drain(now);
    }

    /// Answers whatever rings.
    pub fn answer(&mut self, now: Instant) {
        let ringing = self
            .agent
            .calls()
            .find(|call| call.state == CallState::Incoming)
            .map(|call| call.id);
        let ringing = ringing.expect("a call comes in");
        self.agent
            .call_handle(now, ringing)
            .and_then(|mut call| call.answer())
            .expect("it can be answered");
        self.drain(now);
    }

    /// Ends a call.
    pub fn hang_up(&mut self, now: Instant, id: CallId) {
        self.agent
            .call_handle(now, id)
            .and_then(|mut call| call.hang_up())
            .expect("the call is up");
        self.drain(now);
    }

    /// Brings in a frame.
    pub fn receive(&mut self, now: Instant, message: Vec<u8>) {
        let connection = self.connection;
        self.input(now, Input::Received { connection, message });
    }

    /// Whether a call is answered.
    pub fn is_talking(&self) -> bool {
        self.agent.calls().any(|call| call.state == CallState::Active)
    }

    /// Where all its calls stand.
    pub fn states(&self) -> Vec<CallState> {
        self.agent.calls().map(|call| call.state).collect()
    }

    /// Lets time pass, with a wake at each deadline.
    pub fn pass(&mut self, now: &mut Instant, span: Duration) {
        let end = *now + span;
        while let Some(deadline) = self.deadline.filter(|deadline| *deadline <= end) {
            *now = (*now).max(deadline);
            self.input(*now, Input::Wake);
        }
        *now = end;
    }

    fn input(&mut self, now: Instant, input: Input) {
        self.agent.handle_input(now, input);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.agent.poll_output() {
                Output::Connect { connection, .. } => self.connection = connection,
                Output::Transmit { message, .. } => self.outgoing.push(message),
                Output::Media { request, action, .. } => {
                    let result = Ok(outcome(&action));
                    self.agent.handle_input(now, Input::MediaDone { request, result });
                }
                Output::Disconnect { .. } => {}
                Output::Event(Event::Dropped { why, .. }) => panic!("an agent drops a message: {why}"),
                Output::Event(_) => {}
                Output::Idle(deadline) => {
                    self.deadline = deadline.map(|deadline| deadline.at);
                    return;
                }
            }
        }
    }
}

fn outcome(action: &MediaAction) -> MediaOutcome {
    match action {
        MediaAction::CreateOffer { .. } | MediaAction::CreateAnswer { .. } => MediaOutcome::Description {
            sdp: DESCRIPTION.to_owned(),
        },
        _ => MediaOutcome::Done,
    }
}

/// Carries frames between two agents until there are none.
pub fn exchange(one: &mut Phone, other: &mut Phone, now: Instant) {
    while !one.outgoing.is_empty() || !other.outgoing.is_empty() {
        for message in std::mem::take(&mut one.outgoing) {
            other.receive(now, message);
        }
        for message in std::mem::take(&mut other.outgoing) {
            one.receive(now, message);
        }
    }
}
