//! Where conferences come from, and callers who do not wait for theirs.

use std::collections::VecDeque;

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder, UriBuf};
use clearline_core::{Config, ConnectionId, Input, Instant, Output, Secret};
use clearline_focus::{Agent as _, Factory, Wanted};

use crate::room::{CONFERENCE, user};

/// A factory and the platform before it.
struct Counter {
    factory: Factory,
    now: Instant,
    sent: VecDeque<Message>,
    connection: ConnectionId,
}

impl Counter {
    fn new() -> Self {
        let address = UriBuf::parse(user("conference")).unwrap();
        let mut config = Config::new(address, "ws://in-process/sip", "urn:uuid:factory");
        config.password = Secret::new("secret");
        let mut counter = Self {
            factory: Factory::new(config, [7; 32]),
            now: Instant::from_secs(1_000),
            sent: VecDeque::new(),
            connection: ConnectionId(0),
        };
        counter.factory.start(counter.now);
        counter.drain();
        assert!(counter.factory.is_ready());
        counter
    }

    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.factory.poll_output() {
                Output::Connect { connection, .. } => {
                    self.connection = connection;
                    self.input(Input::Connected { connection });
                }
                Output::Transmit { message, .. } => {
                    let message = Message::parse(message).unwrap();
                    if message.is_request() && message.method() == Method::Register {
                        let contact = message.header(HeaderName::Contact).unwrap();
                        let answer = ResponseBuilder::for_request(&message, 200)
                            .to_tag("platform")
                            .header(HeaderName::Contact, contact)
                            .header(HeaderName::Expires, 600)
                            .build();
                        self.deliver(&answer);
                    } else {
                        self.sent.push_back(message);
                    }
                }
                Output::Disconnect { .. } | Output::Media { .. } | Output::Event(_) => {}
                Output::Idle(deadline) => return deadline.map(|deadline| deadline.at),
            }
        }
    }

    fn input(&mut self, input: Input) {
        self.factory.handle_input(self.now, input);
    }

    fn deliver(&mut self, message: &Message) {
        let (connection, message) = (self.connection, message.as_bytes().to_vec());
        self.input(Input::Received { connection, message });
        self.drain();
    }

    /// Alice's request of this method in her `number`th call.
    fn alice(&mut self, method: &str, number: u32) -> Message {
        let (target, alice) = (user("conference"), user("alice"));
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/WS platform;branch=z9hG4bKb{number}\r\nMax-Forwards: 69\r\n\
             From: <{alice}>;tag=a\r\nTo: <{target}>\r\nCall-ID: call-{number}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:phone@device.invalid;transport=ws>\r\nP-Asserted-Identity: <{alice}>\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let message = Message::parse(text).unwrap();
        self.deliver(&message);
        message
    }

    /// What has been answered since it was last asked.
    fn answers(&mut self) -> Vec<(u16, String)> {
        self.drain();
        let answer = |it: Message| Some((it.status()?, it.cseq().ok()?.method.as_str().to_owned()));
        self.sent.drain(..).filter_map(answer).collect()
    }

    /// The conference of the `number`th call is ready.
    fn redirects(&mut self, wanted: &Wanted) {
        let conference = UriBuf::parse(CONFERENCE).unwrap();
        self.factory.redirect(self.now, wanted.ticket, &conference);
    }
}

fn said(answers: &[(u16, &str)]) -> Vec<(u16, String)> {
    let owned = answers.iter();
    owned
        .map(|(status, method)| (*status, (*method).to_owned()))
        .collect()
}

#[test]
fn a_caller_is_sent_to_a_conference() {
    let mut counter = Counter::new();
    counter.alice("INVITE", 1);
    assert_eq!(counter.answers(), said(&[(100, "INVITE")]));
    let wanted = counter.factory.take_wanted().unwrap();
    assert_eq!(wanted.creator, user("alice"));
    counter.redirects(&wanted);
    counter.drain();
    let redirect = counter.sent.front().unwrap().clone();
    let contact = redirect.header(HeaderName::Contact).unwrap();
    assert_eq!(contact, format!("<{CONFERENCE}>;isfocus"));
    assert_eq!(counter.answers(), said(&[(302, "INVITE")]));
    // The INVITE again, and its ACK: nothing begins, nothing is left.
    counter.alice("INVITE", 1);
    assert_eq!(counter.answers(), said(&[(302, "INVITE")]));
    counter.alice("ACK", 1);
    assert_eq!(counter.factory.take_wanted(), None);
    assert_eq!(counter.answers(), said(&[]));
}

#[test]
fn who_gives_up_is_told_so_and_the_conference_is_not_wanted() {
    let mut counter = Counter::new();
    counter.alice("INVITE", 1);
    counter.answers();
    let wanted = counter.factory.take_wanted().unwrap();
    counter.alice("CANCEL", 1);
    // RFC 3261 section 9.2.
    assert_eq!(counter.answers(), said(&[(200, "CANCEL"), (487, "INVITE")]));
    assert_eq!(counter.factory.take_withdrawn(), Some(wanted.ticket));
    assert_eq!(counter.factory.take_withdrawn(), None);
    // It is ready all the same: nobody is sent there.
    counter.redirects(&wanted);
    counter.alice("CANCEL", 1);
    assert_eq!(counter.answers(), said(&[(200, "CANCEL")]));
}

#[test]
fn what_nobody_has_begun_is_not_withdrawn() {
    let mut counter = Counter::new();
    counter.alice("INVITE", 1);
    counter.alice("CANCEL", 1);
    assert_eq!(counter.factory.take_wanted(), None);
    assert_eq!(counter.factory.take_withdrawn(), None);
}

#[test]
fn who_gives_up_while_being_sent_on_goes_nowhere() {
    let mut counter = Counter::new();
    counter.alice("INVITE", 1);
    let wanted = counter.factory.take_wanted().unwrap();
    counter.redirects(&wanted);
    counter.answers();
    // It was sent before the 302 had come.
    counter.alice("CANCEL", 1);
    assert_eq!(counter.answers(), said(&[(200, "CANCEL")]));
    assert_eq!(counter.factory.take_withdrawn(), Some(wanted.ticket));
}

#[test]
fn a_cancel_that_comes_too_late_or_from_nowhere_changes_nothing() {
    let mut counter = Counter::new();
    counter.alice("INVITE", 1);
    let wanted = counter.factory.take_wanted().unwrap();
    counter.redirects(&wanted);
    counter.alice("ACK", 1);
    counter.answers();
    counter.alice("CANCEL", 1);
    counter.alice("CANCEL", 2);
    assert_eq!(counter.answers(), said(&[(481, "CANCEL"), (481, "CANCEL")]));
    assert_eq!(counter.factory.take_withdrawn(), None);
}

#[test]
fn with_the_connection_the_callers_are_gone() {
    let mut counter = Counter::new();
    counter.alice("INVITE", 1);
    counter.answers();
    let wanted = counter.factory.take_wanted().unwrap();
    let connection = counter.connection;
    let reason = "test".to_owned();
    counter.input(Input::Disconnected { connection, reason });
    assert_eq!(counter.factory.take_withdrawn(), Some(wanted.ticket));
    counter.drain();
    counter.redirects(&wanted);
    assert_eq!(counter.answers(), said(&[]));
}

#[test]
fn an_answer_without_ack_is_forgotten() {
    let mut counter = Counter::new();
    counter.alice("INVITE", 1);
    let wanted = counter.factory.take_wanted().unwrap();
    counter.redirects(&wanted);
    counter.answers();
    let until = counter.now + std::time::Duration::from_secs(33);
    while let Some(at) = counter.drain().filter(|at| *at <= until) {
        counter.now = counter.now.max(at);
        counter.input(Input::Wake);
    }
    counter.now = until;
    counter.alice("CANCEL", 1);
    assert_eq!(counter.answers(), said(&[(481, "CANCEL")]));
}
