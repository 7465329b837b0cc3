//! What is too large for the phone, over a real WebSocket: it is refused in words, and nothing else happens.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

#[path = "support/platform.rs"]
#[expect(dead_code, reason = "this platform is a script of its own")]
mod platform;
#[path = "support/within.rs"]
mod within;

use std::time::Duration;

use clearline_core::conference_info::{
    ConferenceInfo, Endpoint, EndpointStatus, MEDIA_TYPE, PACKAGE, Scope, User,
};
use clearline_core::dialog::Dialog;
use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder, UriBuf};
use clearline_core::{CallInfo, CallState, Config, Input, MediaAction, MediaOutcome};
use clearline_native::Phone;
use clearline_native::media::{MediaBackend, MediaJob};
use clearline_native::transport::{ChannelListener, ChannelTransport, Connection};
use platform::DOMAIN;
use tokio::sync::mpsc;
use within::within;

const CONFERENCE: &str = "sip:conf-1@clearline.localhost";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
    c=IN IP4 192.0.2.1\r\na=rtpmap:111 opus/48000/2\r\na=sendrecv\r\n";

/// Media that agree to everything.
struct Paper;

impl MediaBackend for Paper {
    fn execute(&mut self, job: MediaJob, reports: &mpsc::UnboundedSender<Input>) {
        let outcome = match job.action {
            MediaAction::CreateOffer { .. } | MediaAction::CreateAnswer { .. } => {
                MediaOutcome::Description { sdp: SDP.to_owned() }
            }
            MediaAction::ApplyAnswer { .. }
            | MediaAction::AddCandidates { .. }
            | MediaAction::Rollback
            | MediaAction::SetMuted { .. }
            | MediaAction::SetConference { .. }
            | MediaAction::SendDtmf { .. }
            | MediaAction::Close => MediaOutcome::Done,
        };
        let (request, result) = (job.request, Ok(outcome));
        let _ = reports.send(Input::MediaDone { request, result });
    }
}

/// Platform and conference in one.
struct Focus {
    listener: ChannelListener,
    line: Connection,
    /// That of the roster's subscription.
    subscription: Option<Dialog>,
}

impl Focus {
    async fn accepted(mut listener: ChannelListener) -> Self {
        let line = within(20, listener.accept()).await.unwrap();
        Self {
            listener,
            line,
            subscription: None,
        }
    }

    async fn send(&self, message: &Message) {
        self.line
            .outgoing
            .send(message.as_bytes().to_vec())
            .await
            .unwrap();
    }

    /// Answers the phone's requests until it has sent one of this method.
    async fn until(&mut self, last: Method<'_>) {
        loop {
            let request = self.received().await;
            if !request.is_request() || request.method() == Method::Ack {
                continue;
            }
            self.answer(&request).await;
            if request.method() == last {
                return;
            }
        }
    }

    async fn received(&mut self) -> Message {
        loop {
            let bytes = within(20, self.line.incoming.recv())
                .await
                .expect("the connection");
            // Line ends keep the connection alive.
            if let Ok(message) = Message::parse(bytes) {
                return message;
            }
        }
    }

    async fn answer(&mut self, request: &Message) {
        let answer = ResponseBuilder::for_request(request, 200);
        let answer = match request.method() {
            Method::Register => {
                let contact = request.header(HeaderName::Contact).unwrap();
                answer
                    .to_tag("platform")
                    .header(HeaderName::Contact, format_args!("{contact};expires=600"))
            }
            Method::Invite => answer
                .to_tag("focus")
                .header(HeaderName::Contact, format_args!("<{CONFERENCE}>;isfocus"))
                .body("application/sdp", SDP.as_bytes()),
            Method::Subscribe => {
                self.subscription = Some(Dialog::from_request(request, "roster").unwrap());
                answer
                    .to_tag("roster")
                    .header(HeaderName::Contact, format_args!("<{CONFERENCE}>;isfocus"))
                    .header(HeaderName::Expires, 600)
            }
            _ => answer,
        };
        self.send(&answer.build()).await;
    }

    /// Tells a document; the status it is answered with.
    async fn tells(&mut self, document: &str) -> u16 {
        let dialog = self.subscription.as_mut().unwrap();
        let notify = dialog
            .request(Method::Notify)
            .header(HeaderName::Contact, format_args!("<{CONFERENCE}>;isfocus"))
            .header(HeaderName::Event, PACKAGE)
            .header(HeaderName::SubscriptionState, "active;expires=600")
            .body(MEDIA_TYPE, document.as_bytes())
            .build();
        let number = notify.cseq().unwrap().number;
        let via = format!("SIP/2.0/WS platform.invalid;branch=z9hG4bKn{number}");
        let notify = notify.edit().prepend(HeaderName::Via, via).build();
        self.send(&notify).await;
        loop {
            let message = self.received().await;
            let is_answer = message
                .cseq()
                .is_ok_and(|cseq| cseq.method == Method::Notify && cseq.number == number);
            match message.status() {
                Some(status) if is_answer => return status,
                _ if message.is_request() => self.answer(&message).await,
                _ => {}
            }
        }
    }
}

/// All who are there.
fn document(version: u32, users: &[&str]) -> String {
    let user = |name: &&str| User {
        entity: format!("sip:{name}@{DOMAIN}"),
        endpoints: vec![Endpoint {
            entity: format!("sip:{name}@device.invalid"),
            status: Some(EndpointStatus::Connected),
            ..Endpoint::default()
        }],
        ..User::default()
    };
    let info = ConferenceInfo {
        entity: CONFERENCE.to_owned(),
        scope: Scope::Full,
        version: Some(version),
        description: None,
        state: None,
        users_scope: Some(Scope::Full),
        users: users.iter().map(user).collect(),
    };
    info.write()
}

fn names(info: &CallInfo) -> Vec<String> {
    let participants = info.participants.iter();
    participants.map(|it| it.identity.user.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roster_of_a_megabyte_is_refused_and_the_call_goes_on() {
    let (transport, listener) = ChannelTransport::new();
    let url = platform::listen(transport).await;
    let address = UriBuf::parse(format!("sip:alice@{DOMAIN}")).unwrap();
    let config = Config::new(address, url, "urn:uuid:00000000-0000-4000-8000-000000000001");
    let phone = Phone::builder(config).media(Paper).start().unwrap();
    let mut focus = Focus::accepted(listener).await;
    focus.until(Method::Register).await;
    within(20, phone.registered()).await.unwrap();

    let call = within(20, phone.call("conf-1")).await.unwrap();
    focus.until(Method::Subscribe).await;
    assert_eq!(focus.tells(&document(1, &["alice", "bob"])).await, 200);
    let told = within(20, call.when(|info| info.participants.len() == 2)).await;
    assert_eq!(names(&told.unwrap()), ["alice", "bob"]);

    let many: Vec<String> = (0..6_400).map(|number| format!("user-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let large = document(2, &many);
    assert!(large.len() > 1_000_000, "{}", large.len());
    assert_eq!(focus.tells(&large).await, 513);
    let info = call.info().unwrap();
    assert_eq!(
        (info.state, names(&info)),
        (CallState::Active, vec!["alice".to_owned(), "bob".to_owned()])
    );

    // The subscription goes on, and on the same connection.
    assert_eq!(focus.tells(&document(3, &["alice", "bob", "carol"])).await, 200);
    let told = within(20, call.when(|info| info.participants.len() == 3)).await;
    assert_eq!(told.unwrap().state, CallState::Active);
    let another = tokio::time::timeout(Duration::from_millis(1), focus.listener.accept()).await;
    assert!(another.is_err(), "the phone has connected again");
}
