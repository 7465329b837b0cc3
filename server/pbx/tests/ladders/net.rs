//! A platform, telephones that do what they are told, and a clock that jumps.

use std::collections::{BTreeMap, VecDeque};

use clearline_core::sip::digest::{Algorithm, ClientChallengeState, Ha1};
use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder, ResponseBuilder, Uri};
use clearline_core::{ConnectionId, Duration, Instant, Secret};
use clearline_pbx::{
    ChallengePolicy, Config, CredentialId, DisconnectReason, Event, Input, Key, Output, Platform, Transport,
    User, UserId,
};

pub(crate) const DOMAIN: &str = "clearline.localhost";

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The platform and everything it has sent.
pub(crate) struct Net {
    pub(crate) platform: Platform,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
    pub(crate) closed: BTreeMap<u64, DisconnectReason>,
    /// Credentials in the order they were added: MD5 and SHA-256 of alice, bob, carol.
    pub(crate) credentials: Vec<CredentialId>,
    inboxes: BTreeMap<u64, VecDeque<Vec<u8>>>,
    last_connection: u64,
    last_branch: u64,
}

impl Net {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// Users alice (101), bob (102), carol (103), all with the password "demo".
    pub(crate) fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(DOMAIN, Key::new([1; 32]));
        config.domain_aliases = vec!["127.0.0.1:8080".into(), "localhost".into()];
        adjust(&mut config);
        let mut net = Self {
            platform: Platform::new(config, [2; 32]),
            now: Instant::from_secs(1_000),
            events: Vec::new(),
            closed: BTreeMap::new(),
            credentials: Vec::new(),
            inboxes: BTreeMap::new(),
            last_connection: 0,
            last_branch: 0,
        };
        net.add_users();
        net
    }

    fn add_users(&mut self) {
        self.credentials.clear();
        for (id, number, name) in [
            ("alice", "101", "Alice"),
            ("bob", "102", "Bob"),
            ("carol", "103", "Carol"),
        ] {
            let user = User::new(id).with_number(number).with_display_name(name);
            self.platform.set_user(user).unwrap();
            for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
                let ha1 = Ha1::new(algorithm, id, DOMAIN, &Secret::new("demo"));
                self.credentials
                    .push(self.platform.add_credential(&UserId::new(id), id, ha1));
            }
        }
    }

    /// The process ends and starts again: all connections are gone, the key is the same, the seed another.
    pub(crate) fn restart_platform(&mut self) {
        self.platform = Platform::new(self.platform.config().clone(), [3; 32]);
        self.add_users();
        self.inboxes.clear();
    }

    pub(crate) fn connect(&mut self) -> u64 {
        self.connect_from(None)
    }

    pub(crate) fn connect_from(&mut self, peer: Option<&str>) -> u64 {
        self.last_connection += 1;
        let connection = ConnectionId(self.last_connection);
        let peer = peer.map(|peer| peer.parse().unwrap());
        self.input(Input::Connected {
            connection,
            transport: Transport::Ws,
            peer,
        });
        self.last_connection
    }

    pub(crate) fn disconnect(&mut self, connection: u64) {
        self.input(Input::Disconnected {
            connection: ConnectionId(connection),
        });
    }

    pub(crate) fn send(&mut self, connection: u64, message: &Message) {
        self.send_bytes(connection, message.as_bytes());
    }

    pub(crate) fn send_bytes(&mut self, connection: u64, bytes: impl AsRef<[u8]>) {
        let message = bytes.as_ref().to_vec();
        self.input(Input::Received {
            connection: ConnectionId(connection),
            message,
        });
    }

    /// The oldest frame that was sent on a connection and not looked at yet.
    #[track_caller]
    pub(crate) fn frame(&mut self, connection: u64) -> Vec<u8> {
        let frame = self.inboxes.get_mut(&connection).and_then(VecDeque::pop_front);
        frame.unwrap_or_else(|| panic!("nothing was sent on connection {connection}"))
    }

    /// The same, as a message that must be in order.
    #[track_caller]
    pub(crate) fn recv(&mut self, connection: u64) -> Message {
        let message = Message::parse(self.frame(connection)).unwrap();
        assert_eq!(message.validate(), Ok(()));
        message
    }

    /// The next message must be a response with this status to a request of this method.
    #[track_caller]
    pub(crate) fn recv_response(&mut self, connection: u64, status: u16, method: &str) -> Message {
        let response = self.recv(connection);
        let text = String::from_utf8_lossy(response.as_bytes()).into_owned();
        assert_eq!(
            (response.status(), response.method().as_str()),
            (Some(status), method),
            "{text}"
        );
        response
    }

    /// The next message must be a request of this method.
    #[track_caller]
    pub(crate) fn recv_request(&mut self, connection: u64, method: &str) -> Message {
        let request = self.recv(connection);
        let text = String::from_utf8_lossy(request.as_bytes()).into_owned();
        assert!(
            request.is_request() && request.method().as_str() == method,
            "{text}"
        );
        request
    }

    /// How many frames were sent on a connection and not looked at yet.
    pub(crate) fn waiting(&self, connection: u64) -> usize {
        self.inboxes.get(&connection).map_or(0, VecDeque::len)
    }

    #[track_caller]
    pub(crate) fn nothing(&self, connection: u64) {
        let Some(frame) = self.inboxes.get(&connection).and_then(VecDeque::front) else {
            return;
        };
        panic!(
            "unexpected on connection {connection}: {}",
            String::from_utf8_lossy(frame)
        );
    }

    /// Lets time pass, waking the platform at each of its deadlines.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.input(Input::Wake);
        }
        self.now = end;
        self.input(Input::Wake);
    }

    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        let Output::Idle(deadline) = self.platform.poll_output() else {
            panic!("outputs are drained")
        };
        deadline.map(|deadline| deadline.at)
    }

    fn input(&mut self, input: Input) {
        self.platform.handle_input(self.now, input);
        self.drain();
    }

    /// Takes all outputs. Commands such as the removal of a user may leave some.
    pub(crate) fn drain(&mut self) {
        loop {
            match self.platform.poll_output() {
                Output::Transmit { connection, message } => {
                    self.inboxes.entry(connection.0).or_default().push_back(message);
                }
                Output::Disconnect { connection, reason } => {
                    self.closed.insert(connection.0, reason);
                }
                Output::Event(event) => self.events.push(event),
                Output::Idle(_) => break,
            }
        }
    }

    fn branch(&mut self) -> String {
        self.last_branch += 1;
        format!("z9hG4bKtest{}", self.last_branch)
    }
}

/// A telephone of one user.
pub(crate) struct Phone {
    pub(crate) connection: u64,
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    pub(crate) instance: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    challenges: ClientChallengeState,
}

impl Phone {
    /// Connected, not registered.
    pub(crate) fn new(net: &mut Net, user: &'static str, device: u8) -> Self {
        Self {
            connection: net.connect(),
            user,
            password: "demo",
            instance: format!("urn:uuid:00000000-0000-1000-8000-0000000000{device:02x}"),
            call_id: format!("register-{user}-{device}"),
            cseq: 0,
            challenges: ClientChallengeState::default(),
        }
    }

    /// Connected and registered.
    #[track_caller]
    pub(crate) fn registered(net: &mut Net, user: &'static str, device: u8) -> Self {
        let mut phone = Self::new(net, user, device);
        let response = phone.register(net, "");
        assert_eq!(response.status(), Some(200));
        phone
    }

    pub(crate) fn aor(&self) -> String {
        format!("sip:{}@{DOMAIN}", self.user)
    }

    pub(crate) fn contact(&self) -> String {
        format!(
            "sip:{}@{}.invalid;transport=ws",
            self.user,
            &self.instance[self.instance.len() - 2..]
        )
    }

    pub(crate) fn gruu(&self) -> String {
        format!("{};gr={}", self.aor(), self.instance)
    }

    pub(crate) fn contact_header(&self, params: &str) -> String {
        format!(
            "Contact: <{}>;+sip.instance=\"<{}>\";reg-id=1{params}\r\n",
            self.contact(),
            self.instance
        )
    }

    /// REGISTER with the answer to a challenge; returns the final response.
    #[track_caller]
    pub(crate) fn register(&mut self, net: &mut Net, contact_params: &str) -> Message {
        let headers = format!(
            "Supported: outbound, gruu, path\r\n{}",
            self.contact_header(contact_params)
        );
        self.register_with(net, &headers)
    }

    #[track_caller]
    pub(crate) fn register_with(&mut self, net: &mut Net, headers: &str) -> Message {
        let request = self.registration(net, headers);
        self.ask(net, request)
    }

    pub(crate) fn registration(&mut self, net: &mut Net, headers: &str) -> Message {
        let aor = self.aor();
        let (call_id, cseq) = (self.call_id.clone(), self.cseq + 1);
        request(
            net,
            "REGISTER",
            &format!("sip:{DOMAIN}"),
            &format!("<{aor}>;tag=reg"),
            &format!("<{aor}>"),
        )
        .call(&call_id, cseq)
        .headers(headers)
        .build()
    }

    /// Sends a request as often as it is challenged with something new; returns the final response.
    #[track_caller]
    pub(crate) fn ask(&mut self, net: &mut Net, request: Message) -> Message {
        let mut request = request;
        let mut attempts = 0;
        loop {
            self.cseq = request.cseq().unwrap().number;
            net.send(self.connection, &request);
            let response = net.recv(self.connection);
            attempts += 1;
            let is_new = attempts == 1
                || response
                    .challenges()
                    .flatten()
                    .any(|c| c.param("stale").is_some());
            if !matches!(response.status(), Some(401 | 407)) || !is_new || attempts > 3 {
                return response;
            }
            request = self.answer_challenge(net, &request, &response);
        }
    }

    pub(crate) fn answer_challenge(
        &mut self,
        net: &mut Net,
        request: &Message,
        response: &Message,
    ) -> Message {
        assert!(self.challenges.take_challenges(response));
        self.authorized(net, request)
    }

    /// The request again, with a new branch and CSeq and the credentials for what was challenged before.
    pub(crate) fn authorized(&mut self, net: &mut Net, request: &Message) -> Message {
        let method = request.method();
        let via = request.header(HeaderName::Via).unwrap();
        let via = format!("{};branch={}", via.split(";branch").next().unwrap(), net.branch());
        let cseq = request.cseq().unwrap().number + 1;
        let edit = request
            .edit()
            .set(HeaderName::Via, via)
            .set(HeaderName::CSeq, format!("{cseq} {method}"))
            .remove(HeaderName::Authorization)
            .remove(HeaderName::ProxyAuthorization);
        let password = Secret::new(self.password);
        let headers = self.challenges.authorize(request, self.user, &password, "c1");
        headers
            .into_iter()
            .fold(edit, |edit, (name, value)| edit.append(name, value))
            .build()
    }

    /// An INVITE to `target`, not sent yet.
    pub(crate) fn invite(&self, net: &mut Net, target: &str, call_id: &str) -> Message {
        self.request_to(net, "INVITE", target, call_id)
            .headers(&format!(
                "Contact: <{};ob>\r\nSupported: outbound\r\n",
                self.gruu()
            ))
            .body("v=0\r\n")
            .build()
    }

    pub(crate) fn request_to(&self, net: &mut Net, method: &str, target: &str, call_id: &str) -> Draft {
        let from = format!("<{}>;tag=from-{call_id}", self.aor());
        request(net, method, target, &from, &format!("<{target}>")).call(call_id, 1)
    }

    /// Sends an INVITE and takes the 100.
    #[track_caller]
    pub(crate) fn call(&self, net: &mut Net, target: &str, call_id: &str) -> Message {
        let invite = self.invite(net, target, call_id);
        net.send(self.connection, &invite);
        net.recv_response(self.connection, 100, "INVITE");
        invite
    }

    /// Answers a request.
    pub(crate) fn reply(&self, net: &mut Net, request: &Message, status: u16) -> Message {
        let device = &self.instance[self.instance.len() - 2..];
        let mut response = ResponseBuilder::for_request(request, status);
        if status > 100 {
            response = response.to_tag(&format!("to-{device}"));
        }
        if status < 300 {
            response = response.record_routes_from(request);
            response = response.header(HeaderName::Contact, format_args!("<{};ob>", self.gruu()));
        }
        let response = response.build();
        net.send(self.connection, &response);
        response
    }

    /// Takes an INVITE and lets it ring.
    #[track_caller]
    pub(crate) fn ring(&self, net: &mut Net) -> Message {
        let invite = net.recv_request(self.connection, "INVITE");
        self.reply(net, &invite, 180);
        invite
    }

    /// Takes the CANCEL of an INVITE, answers both, takes the ACK; returns the CANCEL.
    #[track_caller]
    pub(crate) fn be_cancelled(&self, net: &mut Net, invite: &Message) -> Message {
        let cancel = net.recv_request(self.connection, "CANCEL");
        assert_eq!(
            cancel.top_via().unwrap().branch(),
            invite.top_via().unwrap().branch()
        );
        self.reply(net, &cancel, 200);
        self.reply(net, invite, 487);
        net.recv_request(self.connection, "ACK");
        cancel
    }
}

/// A request being written as text.
pub(crate) struct Draft {
    start: String,
    via: String,
    from: String,
    to: String,
    call: (String, u32),
    headers: String,
    max_forwards: u32,
    body: &'static str,
}

pub(crate) fn request(net: &mut Net, method: &str, uri: &str, from: &str, to: &str) -> Draft {
    Draft {
        start: format!("{method} {uri} SIP/2.0"),
        via: format!("SIP/2.0/WS test.invalid;branch={}", net.branch()),
        from: from.to_owned(),
        to: to.to_owned(),
        call: ("call".to_owned(), 1),
        headers: String::new(),
        max_forwards: 70,
        body: "",
    }
}

impl Draft {
    pub(crate) fn call(mut self, call_id: &str, cseq: u32) -> Self {
        self.call = (call_id.to_owned(), cseq);
        self
    }

    /// Whole header lines.
    pub(crate) fn headers(mut self, lines: &str) -> Self {
        self.headers.push_str(lines);
        self
    }

    pub(crate) fn max_forwards(mut self, count: u32) -> Self {
        self.max_forwards = count;
        self
    }

    pub(crate) fn body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn build(self) -> Message {
        let method = self.start.split(' ').next().unwrap();
        let Self {
            via,
            from,
            to,
            call: (call_id, cseq),
            headers,
            max_forwards,
            body,
            ..
        } = &self;
        let text = format!(
            "{}\r\nVia: {via}\r\nMax-Forwards: {max_forwards}\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.start,
            body.len()
        );
        Message::parse(text.into_bytes()).unwrap()
    }
}

/// The ACK of a caller to a final response other than 2xx.
pub(crate) fn ack_of(invite: &Message, response: &Message) -> Message {
    hop_by_hop(invite, Method::Ack)
        .headers_from(response, HeaderName::To)
        .build()
}

/// The CANCEL of a caller.
pub(crate) fn cancel_of(invite: &Message) -> Message {
    hop_by_hop(invite, Method::Cancel)
        .headers_from(invite, HeaderName::To)
        .build()
}

fn hop_by_hop(invite: &Message, method: Method<'_>) -> RequestBuilder {
    let cseq = invite.cseq().unwrap().number;
    RequestBuilder::new(method, invite.request_uri().unwrap())
        .headers_from(invite, HeaderName::Via)
        .headers_from(invite, HeaderName::Route)
        .headers_from(invite, HeaderName::From)
        .headers_from(invite, HeaderName::CallId)
        .header(HeaderName::CSeq, format_args!("{cseq} {method}"))
}

/// One side of a dialog.
pub(crate) struct Dialog {
    pub(crate) route: Vec<String>,
    pub(crate) target: String,
    local: String,
    remote: String,
    call_id: String,
    cseq: u32,
}

impl Dialog {
    /// The caller's, from the 2xx it got.
    pub(crate) fn of_caller(response: &Message) -> Self {
        let mut dialog = Self::new(response, HeaderName::From, HeaderName::To);
        dialog.route.reverse();
        dialog
    }

    /// The callee's, from the INVITE it got and the 2xx it sent.
    pub(crate) fn of_callee(invite: &Message, response: &Message) -> Self {
        let mut dialog = Self::new(response, HeaderName::To, HeaderName::From);
        dialog.target = contact_of(invite);
        dialog
    }

    fn new(response: &Message, local: HeaderName<'_>, remote: HeaderName<'_>) -> Self {
        Self {
            route: response
                .header_list(HeaderName::RecordRoute)
                .map(str::to_owned)
                .collect(),
            target: contact_of(response),
            local: response.header(local).unwrap().to_owned(),
            remote: response.header(remote).unwrap().to_owned(),
            call_id: response.call_id().unwrap().to_owned(),
            cseq: 1,
        }
    }

    /// The next request within the dialog. An ACK does not count.
    pub(crate) fn request(&mut self, net: &mut Net, method: &str) -> Message {
        if method != "ACK" {
            self.cseq += 1;
        }
        let route = self
            .route
            .iter()
            .map(|route| format!("Route: {route}\r\n"))
            .collect::<String>();
        request(net, method, &self.target, &self.local, &self.remote)
            .call(&self.call_id, self.cseq)
            .headers(&route)
            .build()
    }
}

fn contact_of(message: &Message) -> String {
    let contact = message.contacts().next().unwrap().unwrap();
    contact.address().unwrap().uri.as_str().to_owned()
}

/// Whether a URI is the contact with which a phone registered.
pub(crate) fn is_contact_of(uri: Option<Uri<'_>>, phone: &Phone) -> bool {
    uri.is_some_and(|uri| uri.as_str() == phone.contact())
}

/// Each request outside a dialog is challenged.
pub(crate) fn strict(config: &mut Config) {
    config.challenge = ChallengePolicy::EachRequest;
}
