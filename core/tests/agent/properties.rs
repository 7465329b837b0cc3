//! What holds whatever is done to an agent, in whatever order.

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{
    CallId, CallOptions, CallState, Config, Direction, Environment, Event, Input, MediaErrorKind, MediaEvent,
    MediaTransport, Secret, Server,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::conference_focus::{CONFERENCE, with_factory};
use crate::far_end::FarEnd;
use crate::ladder::{Ladder, config, secs};
use crate::media::{sdp, sdp_without_tones};

/// One thing that can happen to an agent.
#[derive(Clone, Debug)]
enum Step {
    Start,
    Stop,
    Connect,
    RefuseConnection,
    LoseConnection,
    Lose(Index),
    Cut(Index),
    Pass(u32),
    Sleep(u32),
    Environment(Environment),
    Password,
    Dial(u64),
    Ring(u8),
    Command(Index, Command),
    HoldBack(bool),
    MediaAnswers,
    MediaFails,
    Transport(MediaTransport),
    Microphone(bool),
    Respond {
        which: Index,
        status: u16,
        fork: u8,
        sdp: Option<Direction>,
    },
    Challenge(Index, u16),
    FarRequest {
        which: Index,
        method: Method<'static>,
        sdp: Option<Direction>,
    },
    Acknowledge(Index),
    Cancel(Index),
    Repeat(Index),
    Mangle(Index, Vec<(Index, u8)>),
    Garbage(Vec<u8>),
}

#[derive(Clone, Copy, Debug)]
enum Command {
    Answer,
    HoldAndAnswer,
    EndAndAnswer,
    Reject,
    HangUp,
    Hold,
    Resume,
    Mute(bool),
    Tones(&'static str),
    MoveMedia,
    SwapTo,
    Transfer(&'static str),
    TransferTo(Index),
    Consult(u64),
    CancelTransfer,
    AcceptTransfer,
    DeclineTransfer,
    Merge(Index),
    Split,
    LeaveConference,
    AddParticipant,
    RemoveParticipant,
}

fn step() -> impl Strategy<Value = Step> {
    let direction = || {
        proptest::option::of(select(vec![
            Direction::SendRecv,
            Direction::SendOnly,
            Direction::RecvOnly,
            Direction::Inactive,
        ]))
    };
    let status = select(vec![
        100, 180, 183, 199, 200, 200, 200, 202, 302, 400, 401, 403, 404, 407, 408, 423, 480, 481, 486, 487,
        488, 491, 500, 503, 603,
    ]);
    let method = select(vec![
        Method::Bye,
        Method::Invite,
        Method::Invite,
        Method::Info,
        Method::Options,
        Method::Update,
        Method::Update,
        Method::Prack,
        Method::Ack,
        Method::Cancel,
        Method::Refer,
        Method::Notify,
        Method::Notify,
        Method::Subscribe,
        Method::Other("JUMP"),
    ]);
    let command = select(vec![
        Command::Answer,
        Command::Answer,
        Command::HoldAndAnswer,
        Command::EndAndAnswer,
        Command::Reject,
        Command::HangUp,
        Command::Hold,
        Command::Resume,
        Command::Mute(true),
        Command::Mute(false),
        Command::Tones("12,3"),
        Command::Tones(";*#"),
        Command::MoveMedia,
        Command::SwapTo,
        Command::Transfer("carol"),
        Command::Transfer("bob"),
        Command::CancelTransfer,
        Command::AcceptTransfer,
        Command::DeclineTransfer,
        Command::Split,
        Command::LeaveConference,
        Command::AddParticipant,
        Command::RemoveParticipant,
    ]);
    let command = prop_oneof![
        9 => command,
        1 => any::<Index>().prop_map(Command::TransferTo),
        1 => any::<Index>().prop_map(Command::Merge),
        1 => (0_u64..4).prop_map(Command::Consult),
    ];
    let transport = select(vec![
        MediaTransport::Connecting,
        MediaTransport::Connected,
        MediaTransport::Disconnected,
        MediaTransport::Failed,
    ]);
    let environment = select(vec![
        Environment::Online,
        Environment::Offline,
        Environment::Resumed,
        Environment::NetworkChanged,
        Environment::Doubtful,
        Environment::Visible,
        Environment::Hidden,
    ]);
    prop_oneof![
        1 => Just(Step::Start),
        1 => Just(Step::Stop),
        2 => Just(Step::Connect),
        1 => Just(Step::RefuseConnection),
        1 => Just(Step::LoseConnection),
        1 => any::<Index>().prop_map(Step::Lose),
        1 => any::<Index>().prop_map(Step::Cut),
        6 => (0_u32..5_000).prop_map(Step::Pass),
        1 => (0_u32..100_000).prop_map(Step::Pass),
        1 => (0_u32..100_000).prop_map(Step::Sleep),
        1 => environment.prop_map(Step::Environment),
        1 => Just(Step::Password),
        4 => (0_u64..4).prop_map(Step::Dial),
        4 => (0_u8..4).prop_map(Step::Ring),
        12 => (any::<Index>(), command).prop_map(|(which, command)| Step::Command(which, command)),
        1 => any::<bool>().prop_map(Step::HoldBack),
        3 => Just(Step::MediaAnswers),
        1 => Just(Step::MediaFails),
        2 => transport.prop_map(Step::Transport),
        1 => any::<bool>().prop_map(Step::Microphone),
        16 => (any::<Index>(), status, 0_u8..4, direction())
            .prop_map(|(which, status, fork, sdp)| Step::Respond { which, status, fork, sdp }),
        2 => (any::<Index>(), select(vec![401, 407])).prop_map(|(which, status)| Step::Challenge(which, status)),
        8 => (any::<Index>(), method, direction())
            .prop_map(|(which, method, sdp)| Step::FarRequest { which, method, sdp }),
        6 => any::<Index>().prop_map(Step::Acknowledge),
        2 => any::<Index>().prop_map(Step::Cancel),
        2 => any::<Index>().prop_map(Step::Repeat),
        2 => (any::<Index>(), vec((any::<Index>(), any::<u8>()), 1..4))
            .prop_map(|(which, bytes)| Step::Mangle(which, bytes)),
        1 => vec(any::<u8>(), 0..200).prop_map(Step::Garbage),
    ]
}

/// An agent, what it has sent, what it was sent, and the far ends of its calls.
struct World {
    ladder: Ladder,
    sent: Vec<Message>,
    received: Vec<Message>,
    invites: Vec<Message>,
    far_ends: Vec<FarEnd>,
}

impl World {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: Config) -> Self {
        let mut ladder = Ladder::new(config);
        ladder.media.forgives = true;
        ladder.start();
        ladder.connect();
        ladder.register();
        Self {
            ladder,
            sent: Vec::new(),
            received: Vec::new(),
            invites: Vec::new(),
            far_ends: Vec::new(),
        }
    }

    fn receive(&mut self, message: Message) {
        if self.ladder.is_connected() {
            self.ladder.receive(&message);
            self.received.push(message);
        }
    }

    fn request_sent(&self, which: Index) -> Option<&Message> {
        let requests: Vec<_> = self.sent.iter().filter(|message| message.is_request()).collect();
        let recent = &requests[requests.len().saturating_sub(6)..];
        (!recent.is_empty()).then(|| recent[which.index(recent.len())])
    }

    fn call(&self, which: Index) -> Option<CallId> {
        let calls: Vec<_> = self.ladder.agent.calls().map(|call| call.id).collect();
        (!calls.is_empty()).then(|| calls[which.index(calls.len())])
    }

    fn take(&mut self, step: Step) {
        let ladder = &mut self.ladder;
        match step {
            Step::Start => ladder.start(),
            Step::Stop => ladder.stop(),
            Step::Connect if ladder.wanted_url().is_some() => ladder.connect(),
            Step::RefuseConnection if ladder.wanted_url().is_some() => ladder.refuse_connection(),
            Step::LoseConnection if ladder.is_connected() => ladder.lose_connection(),
            Step::Lose(which) => {
                if let Some(connection) = ladder.open_connection(which) {
                    ladder.lose(connection);
                }
            }
            Step::Cut(which) => {
                if let Some(connection) = ladder.open_connection(which) {
                    ladder.cut(connection);
                }
            }
            Step::Connect | Step::RefuseConnection | Step::LoseConnection => {}
            Step::Pass(millis) => ladder.pass(f64::from(millis) / 1_000.0),
            Step::Sleep(millis) => {
                ladder.now += std::time::Duration::from_millis(millis.into());
                ladder.input(Input::Wake);
            }
            Step::Environment(change) => ladder.input(Input::Environment(change)),
            Step::Password => {
                ladder.agent.set_password(ladder.now, Secret::new("new"));
                ladder.drain();
            }
            Step::Dial(id) => {
                // An id may be used again only when its call is forgotten; refusals are fine.
                if ladder.is_unused(CallId(id)) {
                    let mut options = CallOptions::default();
                    options.late_offer = id == 3;
                    let _ = ladder.agent.call(ladder.now, CallId(id), "bob,,1", options);
                    ladder.drain();
                }
            }
            Step::Ring(user) => {
                let mut far = FarEnd::calling(
                    &format!("user{user}-{}", self.received.len()),
                    "sip:alice@a.invalid",
                );
                let mut invite = far.invite(Direction::SendRecv);
                if user == 3 {
                    invite = invite.edit().append(HeaderName::Require, "100rel").build();
                }
                self.far_ends.push(far);
                self.invites.push(invite.clone());
                self.receive(invite);
            }
            Step::Command(which, command) => self.command(which, command),
            Step::HoldBack(held_back) => {
                ladder.media.held_back = held_back;
                ladder.drain();
            }
            Step::MediaAnswers if ladder.media.next_request().is_some() => ladder.media_answers(),
            Step::MediaFails if ladder.media.next_request().is_some() => {
                ladder.media_fails(MediaErrorKind::Failed);
            }
            Step::MediaAnswers | Step::MediaFails => {}
            Step::Transport(state) => self.media_event(&MediaEvent::Transport { state }),
            Step::Microphone(true) => self.media_event(&MediaEvent::MicrophoneRestored),
            Step::Microphone(false) => self.media_event(&MediaEvent::MicrophoneLost {
                kind: MediaErrorKind::NoDevice,
            }),
            Step::Respond {
                which,
                status,
                fork,
                sdp,
            } => self.respond(which, status, fork, sdp),
            Step::Challenge(which, status) => self.challenge(which, status),
            Step::FarRequest { which, method, sdp } => self.far_request(which, method, sdp),
            Step::Acknowledge(which) => self.acknowledge(which),
            Step::Cancel(which) => {
                if !self.invites.is_empty() {
                    let invite = &self.invites[which.index(self.invites.len())];
                    let cancel = FarEnd::cancel(invite).build();
                    self.receive(cancel);
                }
            }
            Step::Repeat(which) => {
                if !self.received.is_empty() {
                    let message = self.received[which.index(self.received.len())].clone();
                    self.receive(message);
                }
            }
            Step::Mangle(which, changes) => self.mangle(which, &changes),
            Step::Garbage(bytes) => {
                if self.ladder.is_connected() {
                    self.ladder.receive_bytes(&bytes);
                }
            }
        }
        let sent = self.ladder.take_sent();
        self.sent.extend(sent.into_iter().map(|(_, message)| message));
    }

    fn command(&mut self, which: Index, command: Command) {
        let Some(id) = self.call(which) else { return };
        let mut other = id;
        if let Command::TransferTo(index) | Command::Merge(index) = command {
            other = self.call(index).unwrap_or(id);
        }
        let ladder = &mut self.ladder;
        // Whether it suits the call's state is the agent's to say.
        let _ = match command {
            Command::HoldAndAnswer => ladder.agent.hold_and_answer(ladder.now, id),
            Command::EndAndAnswer => ladder.agent.end_and_answer(ladder.now, id),
            Command::Answer => ladder.command(id, |call| call.answer()),
            Command::Reject => ladder.command(id, |call| call.reject(Default::default())),
            Command::HangUp => ladder.command(id, |call| call.hang_up()),
            Command::Hold => ladder.command(id, |call| call.hold()),
            Command::Resume => ladder.command(id, |call| call.resume()),
            Command::Mute(muted) => ladder.command(id, |call| call.set_muted(muted)),
            Command::Tones(tones) => ladder.command(id, |call| call.send_dtmf(tones)),
            Command::MoveMedia => ladder.command(id, |call| call.move_media()),
            Command::SwapTo => ladder.agent.swap_to(ladder.now, id),
            Command::Transfer(target) => ladder.command(id, |call| call.transfer(target)),
            Command::TransferTo(_) => ladder.command(id, |call| call.transfer_to(other)),
            Command::Consult(second) if ladder.is_unused(CallId(second)) => {
                let options = CallOptions::default();
                ladder
                    .agent
                    .consult(ladder.now, id, CallId(second), "carol", options)
            }
            Command::Consult(_) => return,
            Command::CancelTransfer => ladder.command(id, |call| call.cancel_transfer()),
            Command::AcceptTransfer => ladder.command(id, |call| call.accept_transfer()),
            Command::DeclineTransfer => ladder.command(id, |call| call.decline_transfer()),
            Command::Merge(_) => ladder.agent.merge(ladder.now, id, other),
            Command::Split => ladder.agent.split(ladder.now, id),
            Command::LeaveConference => ladder.agent.leave_conference(ladder.now),
            Command::AddParticipant => ladder.agent.add_participant(ladder.now, id, "carol"),
            Command::RemoveParticipant => {
                ladder
                    .agent
                    .remove_participant(ladder.now, id, "sip:bob@example.com")
            }
        }
        .map(|operation| ladder.accepted(operation));
        ladder.drain();
    }

    fn media_event(&mut self, event: &MediaEvent) {
        for session in self.ladder.media.open_sessions() {
            self.ladder.input(Input::Media {
                session,
                event: event.clone(),
            });
        }
    }

    fn respond(&mut self, which: Index, status: u16, fork: u8, direction: Option<Direction>) {
        let Some(request) = self.request_sent(which).cloned() else {
            return;
        };
        let response = if request.method() == Method::Invite {
            let mut far = match request.to().unwrap().tag() {
                Some(tag) => FarEnd::called(&request, tag),
                None => FarEnd::called(&request, &format!("fork{fork}")),
            };
            if fork == 3 {
                (far.features, far.uri) = (";isfocus", Some(CONFERENCE));
            } else if fork != 0 {
                far.allow = "INVITE, ACK, BYE, CANCEL, UPDATE";
            }
            let response = match status {
                183 if fork == 2 => far.reliable(&request, status, 7),
                _ => far.response(&request, status),
            };
            self.far_ends.push(far);
            match direction {
                Some(direction) if status < 300 => {
                    response.body("application/sdp", sdp_without_tones(direction).as_bytes())
                }
                _ => response,
            }
        } else {
            ResponseBuilder::for_request(&request, status)
                .to_tag("far")
                .headers_from(&request, HeaderName::Contact)
        };
        self.receive(response.build());
    }

    fn challenge(&mut self, which: Index, status: u16) {
        let Some(request) = self.request_sent(which).cloned() else {
            return;
        };
        let name = if status == 401 {
            HeaderName::WwwAuthenticate
        } else {
            HeaderName::ProxyAuthenticate
        };
        let response = ResponseBuilder::for_request(&request, status)
            .to_tag("far")
            .header(name, "Digest realm=\"r\", nonce=\"n\"");
        self.receive(response.build());
    }

    fn far_request(&mut self, which: Index, method: Method<'static>, direction: Option<Direction>) {
        if self.far_ends.is_empty() {
            return;
        }
        let index = which.index(self.far_ends.len());
        self.learn(index);
        let request = self.far_ends[index].request(method);
        let request = match direction {
            _ if method == Method::Refer => {
                let targets = ["<sip:carol@example.com>", "<sip:dave@elsewhere.example>"];
                request.header(HeaderName::ReferTo, targets[which.index(targets.len())])
            }
            _ if method == Method::Notify => {
                let lines = ["100 Trying", "180 Ringing", "200 OK", "486 Busy Here"];
                let line = format!("SIP/2.0 {}\r\n", lines[which.index(lines.len())]);
                request
                    .header(HeaderName::Event, "refer")
                    .header(HeaderName::SubscriptionState, "active;expires=60")
                    .body("message/sipfrag", line.as_bytes())
            }
            _ if method == Method::Subscribe => request.header(HeaderName::Event, "refer"),
            Some(direction) => request.body("application/sdp", sdp(direction).as_bytes()),
            None => request,
        };
        let request = request.build();
        if method == Method::Invite {
            self.invites.push(request.clone());
        }
        self.receive(request);
    }

    /// Acknowledges a 2xx or a refusal of the agent.
    fn acknowledge(&mut self, which: Index) {
        let is_answer =
            |message: &&Message| message.method() == Method::Invite && message.status() >= Some(200);
        let answers: Vec<_> = self.sent.iter().filter(is_answer).cloned().collect();
        let recent = &answers[answers.len().saturating_sub(3)..];
        if recent.is_empty() {
            return;
        }
        let answer = &recent[which.index(recent.len())];
        let Some(invite) = self
            .invites
            .iter()
            .find(|invite| answer.header(HeaderName::Via) == invite.header(HeaderName::Via))
        else {
            return;
        };
        let ack = FarEnd::ack_refusal(invite, answer);
        let ack = if answer.status() < Some(300) {
            ack.edit()
                .set(
                    HeaderName::Via,
                    format_args!("SIP/2.0/WS edge;branch=z9hG4bKack{}", self.received.len()),
                )
                .body("application/sdp", sdp(Direction::SendRecv).as_bytes())
                .build()
        } else {
            ack
        };
        self.receive(ack);
    }

    /// Tells a far end the agent's tag, if the agent has answered it.
    fn learn(&mut self, index: usize) {
        let far = &mut self.far_ends[index];
        let answer = self
            .sent
            .iter()
            .rfind(|message| message.status() > Some(100) && far.is_in(message));
        if let Some(answer) = answer.filter(|answer| answer.contacts().next().is_some()) {
            far.learn(answer);
        }
    }

    fn mangle(&mut self, which: Index, changes: &[(Index, u8)]) {
        if self.received.is_empty() || !self.ladder.is_connected() {
            return;
        }
        let mut bytes = self.received[which.index(self.received.len())]
            .as_bytes()
            .to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        self.ladder.receive_bytes(&bytes);
    }

    /// Ends the calls and waits until nothing of them is left, though nobody answers any more.
    fn come_to_rest(&mut self) {
        self.ladder.media_goes_on();
        let calls: Vec<_> = self.ladder.agent.calls().map(|call| call.id).collect();
        for id in calls {
            // One that is on its way out already refuses.
            let _ = self.ladder.command(id, |call| call.hang_up());
        }
        let began = self.ladder.now;
        while !self.ladder.agent.is_at_rest() {
            assert!(
                self.ladder.now - began < secs(600.0),
                "something is kept for ever: {:?}",
                self.ladder.agent
            );
            self.ladder.pass_to_next_deadline();
        }
    }

    /// Stops everything and looks at what is left.
    fn finish(mut self) {
        self.come_to_rest();
        self.ladder.stop();
        self.ladder.pass(3.0);
        assert!(self.ladder.unfinished().is_empty(), "operations that never ended");
        let infos: Vec<_> = self.ladder.reported().collect();
        assert!(
            infos.iter().all(|info| info.state == CallState::Ended),
            "{infos:?}"
        );
        assert_eq!(self.ladder.agent.calls().count(), 0);
        assert_eq!(self.ladder.media.open_sessions(), []);
        let stopped = |event: &Event| *event == Event::Stopped;
        assert!(self.ladder.take_events().iter().any(stopped));
        self.ladder.pass(200.0);
        assert_eq!(self.ladder.idle, None, "something is waited for for ever");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_everything_ends(steps in vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.finish();
    }

    #[test]
    fn whatever_happens_where_conferences_are_made_everything_ends(steps in vec(step(), 1..120)) {
        let mut world = World::with(with_factory());
        for step in steps {
            world.take(step);
        }
        world.finish();
    }

    #[test]
    fn whatever_happens_to_two_flows_everything_ends(steps in vec(step(), 1..120)) {
        let mut config = config();
        config.servers = Server::in_order(["wss://one/sip", "wss://two/sip", "ws://three/sip"]);
        config.outbound_flows = 2;
        let mut world = World::with(config);
        for step in steps {
            world.take(step);
        }
        world.finish();
    }

    #[test]
    fn a_snapshot_can_be_taken_at_any_time(steps in vec(step(), 1..60)) {
        let mut world = World::with(with_factory());
        for step in steps {
            world.take(step);
        }
        let ladder = world.ladder;
        let stored = serde_json::to_string(&ladder.agent.snapshot(ladder.now)).unwrap();
        let snapshot = serde_json::from_str(&stored).unwrap();
        let agent = clearline_core::UserAgent::restore(
            with_factory(), snapshot, [3; 32], ladder.now, std::time::Duration::from_secs(1),
        );
        let mut restored = Ladder::of(agent, ladder.now);
        restored.start();
        restored.pass(70.0);
        restored.stop();
        restored.pass(200.0);
        prop_assert_eq!(restored.idle, None);
        prop_assert_eq!(restored.media.open_sessions(), []);
    }
}
