//! A focus, the platform before it and telephones that do what they are told.

use std::collections::VecDeque;
use std::time::Duration;

use clearline_core::conference_info::{Conference, ConferenceInfo, Taken};
use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder, UriBuf};
use clearline_core::{
    CallId, ConnectionId, Input, Instant, MediaAction, MediaEvent, MediaOutcome, MediaSessionId,
    MediaTransport, Output, Secret,
};
use clearline_focus::{Agent as _, Controllers, Focus, Limits, Settings};

pub(crate) const DOMAIN: &str = "clearline.localhost";
pub(crate) const CONFERENCE: &str = "sip:conf-k3J9@clearline.localhost";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
    c=IN IP4 192.0.2.1\r\na=rtpmap:111 opus/48000/2\r\na=";

pub(crate) fn user(name: &str) -> String {
    format!("sip:{name}@{DOMAIN}")
}

fn description(direction: &str) -> String {
    format!("{SDP}{direction}\r\n")
}

pub(crate) struct Room {
    pub(crate) focus: Focus,
    pub(crate) now: Instant,
    /// What the focus has sent and nobody has looked at.
    sent: VecDeque<Message>,
    /// What it has asked of the media of each call.
    pub(crate) media: Vec<(CallId, MediaAction)>,
    /// Sessions get a connection as soon as they are agreed.
    pub(crate) connects_media: bool,
    connection: Option<ConnectionId>,
    number: u32,
    /// What it has been sent.
    pub(crate) delivered: Vec<Vec<u8>>,
}

/// A telephone in a call with the focus.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) name: String,
    call_id: String,
    /// From and To of its own requests.
    local: String,
    remote: String,
    pub(crate) cseq: u32,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn for_all() -> Self {
        Self::with(|settings| settings.controllers = Controllers::Participants)
    }

    pub(crate) fn of(parties: usize) -> Self {
        Self::with(|settings| settings.limits.parties = parties)
    }

    /// Alice's conference, to which callers can be sent.
    pub(crate) fn with(adjust: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            conference: UriBuf::parse(CONFERENCE).unwrap(),
            name: "Conference".into(),
            creator: user("alice"),
            password: Secret::new("secret"),
            instance_id: "urn:uuid:focus".into(),
            services: vec!["echo".into()],
            controllers: Controllers::Creator,
            limits: Limits::default(),
        };
        adjust(&mut settings);
        let mut room = Self {
            focus: Focus::new(settings, [7; 32]),
            now: Instant::from_secs(1_000),
            sent: VecDeque::new(),
            media: Vec::new(),
            connects_media: true,
            connection: None,
            number: 0,
            delivered: Vec::new(),
        };
        room.focus.start(room.now);
        room.drain();
        assert!(room.focus.is_ready());
        room
    }

    /// Does what the focus wants done.
    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.focus.poll_output() {
                Output::Connect { connection, .. } => {
                    self.connection = Some(connection);
                    self.focus.handle_input(self.now, Input::Connected { connection });
                }
                Output::Transmit { message, .. } => {
                    let message = Message::parse(message).unwrap();
                    self.transmitted(message);
                }
                Output::Disconnect { .. } => self.connection = None,
                Output::Media {
                    request,
                    call,
                    session,
                    action,
                } => {
                    let outcome = match &action {
                        MediaAction::CreateOffer { .. } => MediaOutcome::Description {
                            sdp: description("sendrecv"),
                        },
                        MediaAction::CreateAnswer { offer, .. } => MediaOutcome::Description {
                            sdp: description(answer_to(offer)),
                        },
                        MediaAction::ApplyAnswer { .. }
                        | MediaAction::AddCandidates { .. }
                        | MediaAction::Rollback
                        | MediaAction::SetMuted { .. }
                        | MediaAction::SetConference { .. }
                        | MediaAction::SendDtmf { .. }
                        | MediaAction::Close => MediaOutcome::Done,
                    };
                    let is_agreed = matches!(
                        action,
                        MediaAction::CreateAnswer { .. } | MediaAction::ApplyAnswer { .. }
                    );
                    self.media.push((call, action));
                    let result = Ok(outcome);
                    self.focus
                        .handle_input(self.now, Input::MediaDone { request, result });
                    if is_agreed && self.connects_media {
                        self.transport(session, MediaTransport::Connected);
                    }
                }
                Output::Event(_) => {}
                Output::Idle(deadline) => return deadline.map(|deadline| deadline.at),
            }
        }
    }

    /// The platform answers what is for itself.
    fn transmitted(&mut self, message: Message) {
        let is = |method| message.is_request() && message.method() == method;
        let answer = ResponseBuilder::for_request(&message, 200).to_tag("platform");
        if is(Method::Register) {
            let contact = message.header(HeaderName::Contact).unwrap();
            let answer = answer
                .header(HeaderName::Contact, contact)
                .header(HeaderName::Expires, 600);
            self.deliver(answer.build().as_bytes());
        } else if is(Method::Options) {
            self.deliver(answer.build().as_bytes());
        } else {
            self.sent.push_back(message);
        }
    }

    pub(crate) fn transport(&mut self, session: MediaSessionId, state: MediaTransport) {
        let event = MediaEvent::Transport { state };
        self.focus.handle_input(self.now, Input::Media { session, event });
    }

    /// So much time passes.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.drain().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.focus.handle_input(self.now, Input::Wake);
        }
        self.now = end;
    }

    pub(crate) fn secs(&mut self, secs: u64) {
        self.pass(Duration::from_secs(secs));
    }

    pub(crate) fn deliver(&mut self, message: &[u8]) {
        let Some(connection) = self.connection else { return };
        let message = message.to_vec();
        self.delivered.push(message.clone());
        self.focus
            .handle_input(self.now, Input::Received { connection, message });
        self.drain();
    }

    /// The next message from the focus that `is_meant`; those before it stay.
    #[track_caller]
    fn take(&mut self, what: &str, is_meant: impl Fn(&Message) -> bool) -> Message {
        self.drain();
        let at = self.sent.iter().position(is_meant);
        let at = at.unwrap_or_else(|| panic!("no {what} in {:#?}", self.summary()));
        self.sent.remove(at).unwrap()
    }

    #[track_caller]
    pub(crate) fn request(&mut self, method: &str) -> Message {
        self.take(method, |it| it.is_request() && it.method().as_str() == method)
    }

    #[track_caller]
    pub(crate) fn response(&mut self, call_id: &str, method: &str, status: u16) -> Message {
        self.take(&format!("{status} to {method} of {call_id}"), |it| {
            it.status() == Some(status)
                && it.call_id() == Ok(call_id)
                && it.cseq().is_ok_and(|cseq| cseq.method.as_str() == method)
        })
    }

    /// Everything that has been sent and not been looked at.
    pub(crate) fn take_all(&mut self) -> Vec<Message> {
        self.drain();
        self.sent.drain(..).collect()
    }

    /// Somebody dials in, if they are let in.
    pub(crate) fn tries_to_join(&mut self, name: &str) -> Option<Guest> {
        let call_id = self.invite(&format!("<{}>", user(name)));
        let is_answer = |it: &Message| it.call_id() == Ok(&call_id) && it.status() == Some(200);
        if !self.sent.iter().any(is_answer) {
            return None;
        }
        let answer = self.response(&call_id, "INVITE", 200);
        let mut guest = Guest::of(name, &answer);
        guest.sends(self, "ACK", "", "");
        Some(guest)
    }

    /// What has been sent and not been looked at.
    pub(crate) fn summary(&mut self) -> Vec<String> {
        self.drain();
        let line = |it: &Message| {
            let text = String::from_utf8_lossy(it.as_bytes()).into_owned();
            let cseq = it.header(HeaderName::CSeq).unwrap_or_default().to_owned();
            format!("{} ({cseq})", text.lines().next().unwrap_or_default())
        };
        self.sent.iter().map(line).collect()
    }

    /// Nothing has been sent that was not looked at.
    #[track_caller]
    pub(crate) fn nothing(&mut self) {
        assert_eq!(self.summary(), Vec::<String>::new());
    }

    pub(crate) fn answer(
        &mut self,
        request: &Message,
        status: u16,
        headers: &[(HeaderName<'static>, String)],
    ) {
        let response = ResponseBuilder::for_request(request, status);
        let response = match request.to().is_ok_and(|to| to.tag().is_none()) && status > 100 {
            true => response.to_tag("guest"),
            false => response,
        };
        let response = headers
            .iter()
            .fold(response, |response, (name, value)| response.header(*name, value));
        self.deliver(response.build().as_bytes());
    }

    /// The connection to the platform is lost; there is another at once.
    pub(crate) fn loses_connection(&mut self) {
        if let Some(connection) = self.connection.take() {
            let reason = "test".to_owned();
            self.focus
                .handle_input(self.now, Input::Disconnected { connection, reason });
        }
        self.drain();
    }

    fn next_number(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    /// A request outside of any dialog, as the platform passes it on. `from` may hold a name. Returns its Call-ID.
    pub(crate) fn ask(&mut self, from: &str, method: &str, headers: &str, body: &str) -> String {
        let asserted = match from {
            "" => String::new(),
            from => format!("P-Asserted-Identity: {from}\r\n"),
        };
        self.ask_as(&asserted, from, method, headers, body)
    }

    fn ask_as(&mut self, asserted: &str, from: &str, method: &str, headers: &str, body: &str) -> String {
        let number = self.next_number();
        let call_id = format!("call-{number}");
        let from = if from.is_empty() {
            "<sip:mallory@elsewhere.example>"
        } else {
            from
        };
        let text = format!(
            "{method} {CONFERENCE} SIP/2.0\r\nVia: SIP/2.0/WS platform;branch=z9hG4bKb{number}\r\nMax-Forwards: 69\r\n\
             From: {from};tag=guest\r\nTo: <{CONFERENCE}>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:phone{number}@device.invalid;transport=ws>\r\n{asserted}{headers}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.deliver(text.as_bytes());
        call_id
    }

    /// Somebody takes the place of a guest; the Call-ID.
    pub(crate) fn invite_replacing(&mut self, from: &str, guest: &Guest) -> String {
        let headers = format!("{OFFER}Require: replaces\r\n{}", guest.as_replaces());
        self.ask(from, "INVITE", &headers, &description("sendrecv"))
    }

    /// An INVITE by somebody; its Call-ID.
    pub(crate) fn invite(&mut self, from: &str) -> String {
        self.ask(from, "INVITE", OFFER, &description("sendrecv"))
    }

    /// Somebody dials in and is answered.
    #[track_caller]
    pub(crate) fn joins(&mut self, name: &str) -> Guest {
        self.joins_as(name, &format!("<{}>", user(name)))
    }

    #[track_caller]
    pub(crate) fn joins_as(&mut self, name: &str, from: &str) -> Guest {
        let mut guest = self.answered_as(name, from);
        guest.sends(self, "ACK", "", "");
        guest
    }

    /// The ACK is still on its way.
    #[track_caller]
    pub(crate) fn answered(&mut self, name: &str) -> Guest {
        self.answered_as(name, &format!("<{}>", user(name)))
    }

    #[track_caller]
    fn answered_as(&mut self, name: &str, from: &str) -> Guest {
        let call_id = self.invite(from);
        let answer = self.response(&call_id, "INVITE", 200);
        assert_eq!(
            answer.header(HeaderName::Contact),
            Some(format!("<{CONFERENCE}>;isfocus").as_str())
        );
        self.sent.retain(|it| it.call_id() != Ok(&call_id));
        Guest::of(name, &answer)
    }

    /// The INVITE by which the focus calls somebody; it rings.
    #[track_caller]
    pub(crate) fn calls(&mut self, name: &str) -> Message {
        let invite = self.request("INVITE");
        assert_eq!(invite.request_uri().unwrap().user(), Some(name));
        let contact = format!("<{CONFERENCE}>;isfocus");
        assert_eq!(invite.header(HeaderName::Contact), Some(contact.as_str()));
        assert_eq!(invite.from().unwrap().uri.as_str(), CONFERENCE);
        invite
    }

    pub(crate) fn rings(&mut self, invite: &Message, name: &str) {
        self.answer(invite, 180, &vouched(name));
    }

    /// Whom the focus calls answers.
    #[track_caller]
    pub(crate) fn picks_up(&mut self, invite: &Message, name: &str) -> Guest {
        let response = self.accepts(invite, name);
        self.request("ACK");
        Guest::by(name, &response)
    }

    /// The same when it may have been cancelled meanwhile.
    pub(crate) fn picks_up_late(&mut self, invite: &Message, name: &str) -> Guest {
        let response = self.accepts(invite, name);
        Guest::by(name, &response)
    }

    fn accepts(&mut self, invite: &Message, name: &str) -> Message {
        let response = ResponseBuilder::for_request(invite, 200).to_tag("guest");
        let response = vouched(name)
            .into_iter()
            .fold(response, |response, (name, value)| response.header(name, value));
        let response = response
            .body("application/sdp", description("sendrecv").as_bytes())
            .build();
        self.deliver(response.as_bytes());
        response
    }

    /// Somebody asks who is there, who may not know.
    pub(crate) fn subscribes_perhaps(&mut self, name: &str) {
        let from = format!("<{}>", user(name));
        self.ask(&from, "SUBSCRIBE", "Event: conference\r\nExpires: 600\r\n", "");
    }

    /// Takes the NOTIFY of a Call-ID and answers it.
    #[track_caller]
    pub(crate) fn notified(&mut self, call_id: &str) -> Message {
        let notify = self.take(&format!("NOTIFY in {call_id}"), |it| {
            it.is_request() && it.method() == Method::Notify && it.call_id() == Ok(call_id)
        });
        self.answer(&notify, 200, &[]);
        notify
    }

    /// Somebody subscribes; the Call-ID.
    #[track_caller]
    pub(crate) fn subscribes(&mut self, name: &str) -> String {
        let from = format!("<{}>", user(name));
        let call_id = self.ask(&from, "SUBSCRIBE", "Event: conference\r\nExpires: 600\r\n", "");
        let answer = self.response(&call_id, "SUBSCRIBE", 200);
        assert_eq!(answer.expires(), Ok(Some(600)));
        call_id
    }

    /// Those who have been asked to mix, in the order of their calls: `true` for those that are heard.
    pub(crate) fn mixed(&self) -> Vec<bool> {
        let mut calls: Vec<CallId> = Vec::new();
        for (call, _) in &self.media {
            if !calls.contains(call) {
                calls.push(*call);
            }
        }
        let last = |call: &CallId| {
            let of_call = self.media.iter().rev().filter(|(it, _)| it == call);
            of_call
                .filter_map(|(_, action)| match action {
                    MediaAction::SetConference { conference } => Some(conference.is_some()),
                    MediaAction::Close => Some(false),
                    MediaAction::CreateOffer { .. }
                    | MediaAction::CreateAnswer { .. }
                    | MediaAction::ApplyAnswer { .. }
                    | MediaAction::AddCandidates { .. }
                    | MediaAction::Rollback
                    | MediaAction::SetMuted { .. }
                    | MediaAction::SendDtmf { .. } => None,
                })
                .next()
                .unwrap_or(false)
        };
        calls.iter().map(last).collect()
    }
}

pub(crate) const OFFER: &str = "Content-Type: application/sdp\r\n";

/// What the platform adds to the answer of one of its users.
fn vouched(name: &str) -> Vec<(HeaderName<'static>, String)> {
    vec![
        (
            HeaderName::Contact,
            format!("<sip:{name}@device.invalid;transport=ws>"),
        ),
        (HeaderName::PAssertedIdentity, format!("<{}>", user(name))),
    ]
}

fn answer_to(offer: &str) -> &'static str {
    [("sendonly", "recvonly"), ("inactive", "inactive")]
        .into_iter()
        .find(|(offered, _)| offer.contains(&format!("a={offered}")))
        .map_or("sendrecv", |(_, answer)| answer)
}

impl Guest {
    /// Who has called.
    fn of(name: &str, answer: &Message) -> Self {
        Self {
            name: name.to_owned(),
            call_id: answer.call_id().unwrap().to_owned(),
            local: answer.header(HeaderName::From).unwrap().to_owned(),
            remote: answer.header(HeaderName::To).unwrap().to_owned(),
            cseq: 0,
        }
    }

    /// Who was called.
    fn by(name: &str, answer: &Message) -> Self {
        Self {
            name: name.to_owned(),
            call_id: answer.call_id().unwrap().to_owned(),
            local: answer.header(HeaderName::To).unwrap().to_owned(),
            remote: answer.header(HeaderName::From).unwrap().to_owned(),
            cseq: 0,
        }
    }

    pub(crate) fn is_in(&self, message: &Message) -> bool {
        message.call_id() == Ok(&self.call_id)
    }

    /// A request in its dialog; its Call-ID.
    pub(crate) fn sends(&mut self, room: &mut Room, method: &str, headers: &str, body: &str) -> String {
        if method != "ACK" {
            self.cseq += 1;
        }
        let number = room.next_number();
        let (cseq, call_id) = (
            self.cseq.max(1) + u32::from(method != "ACK"),
            self.call_id.clone(),
        );
        let text = format!(
            "{method} {CONFERENCE} SIP/2.0\r\nVia: SIP/2.0/WS platform;branch=z9hG4bKb{number}\r\nMax-Forwards: 69\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:{}@device.invalid;transport=ws>\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.local,
            self.remote,
            self.name,
            body.len()
        );
        room.deliver(text.as_bytes());
        call_id
    }

    /// REFER in its call; what it is answered with.
    #[track_caller]
    pub(crate) fn refers(&mut self, room: &mut Room, refer_to: &str, status: u16) {
        let headers = format!("Refer-To: {refer_to}\r\n");
        let call_id = self.sends(room, "REFER", &headers, "");
        room.response(&call_id, "REFER", status);
    }

    /// What the next NOTIFY about a REFER of its says.
    #[track_caller]
    pub(crate) fn learns(&self, room: &mut Room) -> String {
        let notify = room.notified(&self.call_id);
        let body = String::from_utf8(notify.body().to_vec()).unwrap();
        body.lines().next().unwrap().to_owned()
    }

    pub(crate) fn hangs_up(&mut self, room: &mut Room) {
        let call_id = self.sends(room, "BYE", "", "");
        room.response(&call_id, "BYE", 200);
    }

    /// The same, who says to be somebody else.
    pub(crate) fn renamed(&self, name_addr: &str) -> Self {
        let tag = self.local.split(";tag=").nth(1).unwrap_or_default();
        Self {
            local: format!("{name_addr};tag={tag}"),
            ..self.clone()
        }
    }

    /// A Replaces header that names its call, from the focus's view (RFC 3891).
    pub(crate) fn as_replaces(&self) -> String {
        let tag = |name_addr: &str| name_addr.split(";tag=").nth(1).unwrap_or_default().to_owned();
        format!(
            "Replaces: {};to-tag={};from-tag={}\r\n",
            self.call_id,
            tag(&self.remote),
            tag(&self.local)
        )
    }

    /// The focus hangs up.
    #[track_caller]
    pub(crate) fn is_hung_up(&self, room: &mut Room) {
        let bye = room.take("BYE", |it| {
            it.is_request() && it.method() == Method::Bye && it.call_id() == Ok(&self.call_id)
        });
        room.answer(&bye, 200, &[]);
    }

    /// The same, and why.
    #[track_caller]
    pub(crate) fn is_hung_up_for(&self, room: &mut Room, reason: &str) {
        let bye = room.take("BYE", |it| {
            it.is_request() && it.method() == Method::Bye && it.call_id() == Ok(&self.call_id)
        });
        assert_eq!(bye.header(HeaderName::Reason), Some(reason));
        room.answer(&bye, 200, &[]);
    }

    /// Holds or resumes.
    #[track_caller]
    pub(crate) fn offers(&mut self, room: &mut Room, direction: &str) {
        let call_id = self.sends(room, "INVITE", OFFER, &description(direction));
        room.response(&call_id, "INVITE", 200);
        room.sent
            .retain(|it| it.call_id() != Ok(&call_id) || it.is_request());
        let cseq = self.cseq;
        self.cseq += 1;
        self.sends(room, "ACK", "", "");
        self.cseq = cseq;
    }
}

impl Guest {
    /// An offer that may cross the end of the call.
    pub(crate) fn tries_to_offer(&mut self, room: &mut Room, direction: &str) {
        let call_id = self.sends(room, "INVITE", OFFER, &description(direction));
        let is_answer = |it: &Message| it.call_id() == Ok(&call_id) && it.status() == Some(200);
        if room.sent.iter().any(is_answer) {
            let cseq = self.cseq;
            self.cseq += 1;
            self.sends(room, "ACK", "", "");
            self.cseq = cseq;
        }
    }
}

/// What a subscriber makes of a sequence of documents.
#[derive(Default)]
pub(crate) struct View(pub(crate) Conference);

impl View {
    #[track_caller]
    pub(crate) fn takes(&mut self, notify: &Message) -> ConferenceInfo {
        let info = ConferenceInfo::read(notify.body()).unwrap();
        assert_eq!(self.0.take(info.clone()), Taken::InOrder);
        info
    }

    /// Each user's name and where the first device stands.
    pub(crate) fn shows(&self) -> Vec<String> {
        let users = self.0.users.iter();
        users
            .map(|user| {
                let name = user.entity.split([':', '@']).nth(1).unwrap_or_default();
                format!("{name} {:?}", user.endpoints[0].status.unwrap())
            })
            .collect()
    }
}
