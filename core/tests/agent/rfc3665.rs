//! The call flows of RFC 3665, from the telephone's side of each. What its proxies and registrar do is a ladder of the
//! platform; requests for a user's current contacts (2.3) are made by nobody here.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{CallId, CallState, Direction, EndCause, Event, MediaAction, RegistrationState, Server};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, granted, secs};
use crate::media::sdp;
use crate::outgoing::challenge;

/// The proxy next to the caller and the one next to the callee, in the order in which a callee's answer lists them.
const PROXIES: &str = "<sip:ss2.biloxi.example.com;lr>, <sip:ss1.atlanta.example.com;lr>";

fn number(message: &Message) -> u32 {
    message.cseq().unwrap().number
}

fn routes(message: &Message) -> Vec<&str> {
    message.header_list(HeaderName::Route).collect()
}

fn bindings(ladder: &Ladder) -> u32 {
    let RegistrationState::Registered { bindings, .. } = ladder.registration() else {
        panic!("{:?}", ladder.registration());
    };
    *bindings
}

/// A call from here to bob: the INVITE.
fn calling() -> (Ladder, Message) {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    (ladder, invite)
}

/// A call from here to bob that rings.
fn ringing() -> (Ladder, Message, FarEnd) {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.response(&invite, 100).build());
    assert_eq!(ladder.state(CALL), CallState::Calling);
    ladder.pass(0.2);
    ladder.receive(&far.response(&invite, 180).build());
    assert_eq!(ladder.state(CALL), CallState::Ringing);
    (ladder, invite, far)
}

/// A refusal that a caller acknowledges, and that ends the call for this reason.
fn is_refused(status: u16, cause: EndCause) {
    let (mut ladder, invite, far) = ringing();
    ladder.receive(&far.response(&invite, status).build());
    let ack = ladder.expect(Method::Ack);
    assert_eq!(number(&ack), number(&invite));
    assert_eq!(
        ack.top_via().unwrap().branch(),
        invite.top_via().unwrap().branch()
    );
    assert_eq!(ladder.cause(CALL), cause);
    assert_eq!(ladder.media.open_sessions(), []);
    ladder.pass(60.0);
    ladder.expect_silence();
}

// --- 2 Registration ----------------------------------------------------------------------------------------------

/// 2.1: a challenge, credentials, a binding.
#[test]
fn s2_1_successful_new_registration() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    assert_eq!(first.header(HeaderName::Authorization), None);
    ladder.receive(&challenge(&first, 401, "example.com"));
    let second = ladder.expect(Method::Register);
    assert!(second.header(HeaderName::Authorization).is_some());
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(number(&second), number(&first) + 1);
    ladder.receive(&granted(&second).build());
    assert_eq!(bindings(&ladder), 1);
}

/// 2.2: another device of the user has registered: the list has two contacts, and this one finds its own.
#[test]
fn s2_2_update_of_contact_list() {
    let mut ladder = Ladder::registered();
    let refresh = ladder.wait_for(Method::Register);
    let both = granted(&refresh).header(
        HeaderName::Contact,
        "<mailto:alice@example.com>;q=0.1;expires=3600",
    );
    ladder.receive(&both.build());
    assert_eq!(bindings(&ladder), 2);
}

/// 2.4: the telephone takes its own contact out, and not those of others.
#[test]
fn s2_4_cancellation_of_registration() {
    let mut ladder = Ladder::registered();
    ladder.stop();
    let removal = ladder.expect(Method::Register);
    let contact = removal.contacts().next().unwrap().unwrap();
    assert_eq!(contact.address().unwrap().params.value("expires"), Some("0"));
    ladder.receive(&granted(&removal).build());
    assert!(ladder.take_events().contains(&Event::Stopped));
    assert_eq!(*ladder.registration(), RegistrationState::Unregistered);
}

/// 2.5: wrong credentials are shown once, and the user is told.
#[test]
fn s2_5_unsuccessful_registration() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(&first, 401, "example.com"));
    let second = ladder.expect(Method::Register);
    ladder.receive(&challenge(&second, 401, "example.com"));
    assert!(matches!(
        ladder.registration(),
        RegistrationState::Failed {
            sip_status: Some(401),
            credentials_rejected: true,
            retry_at: None,
            ..
        }
    ));
    ladder.pass(3_600.0);
    ladder.expect_silence();
}

// --- 3 Session establishment -------------------------------------------------------------------------------------

/// 3.1: from one telephone to the other; here the callee's side, who hangs up.
#[test]
fn s3_1_successful_session_the_callee() {
    let mut ladder = Ladder::registered();
    let (call, mut far, invite) = ladder.ring("bob");
    ladder.pass(2.0);
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    assert_eq!(number(&ok), number(&invite));
    ladder.receive(&far.ack(&ok).build());
    assert_eq!(ladder.info(call).answered_at, Some(ladder.now));
    ladder.pass(10.0);
    ladder.hang_up(call);
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(call), EndCause::LocalHangUp);
}

/// 3.1 and 3.2: the caller's side, through two proxies that stay in the route.
#[test]
fn s3_2_session_through_two_proxies() {
    let (mut ladder, invite) = calling();
    ladder.receive(&challenge(&invite, 407, "atlanta.example.com"));
    ladder.expect(Method::Ack);
    let invite = ladder.expect(Method::Invite);
    let mut far = FarEnd::called(&invite, "bob");
    let via_proxies = |response: Message| response.edit().set(HeaderName::RecordRoute, PROXIES).build();
    ladder.receive(&far.response(&invite, 100).build());
    ladder.receive(&via_proxies(far.response(&invite, 180).build()));
    assert_eq!(ladder.state(CALL), CallState::Ringing);
    ladder.receive(&via_proxies(far.accepts(&invite, Direction::SendRecv)));
    let ack = ladder.expect(Method::Ack);
    let towards_bob = [
        "<sip:ss1.atlanta.example.com;lr>",
        "<sip:ss2.biloxi.example.com;lr>",
    ];
    assert_eq!(routes(&ack), towards_bob);
    assert_eq!(
        ack.request_uri_text(),
        Some("sip:device@bob.invalid;transport=ws")
    );
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
}

/// 3.3: each proxy wants credentials of its own; the ACK repeats those of the INVITE, BYE shows them unasked.
#[test]
fn s3_3_session_with_multiple_proxy_authentication() {
    let (mut ladder, first) = calling();
    ladder.receive(&challenge(&first, 407, "atlanta.example.com"));
    ladder.expect(Method::Ack);
    let second = ladder.expect(Method::Invite);
    assert_eq!(second.credentials().count(), 1);
    ladder.receive(&challenge(&second, 407, "biloxi.example.com"));
    ladder.expect(Method::Ack);
    let third = ladder.expect(Method::Invite);
    assert_eq!([first.call_id(), second.call_id()], [third.call_id(); 2]);
    assert_eq!(
        [number(&second), number(&third)],
        [number(&first) + 1, number(&first) + 2]
    );
    let credentials = |message: &Message| {
        message
            .header_all(HeaderName::ProxyAuthorization)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(credentials(&third).len(), 2);
    let far = FarEnd::called(&third, "bob");
    ladder.receive(&far.accepts(&third, Direction::SendRecv));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(credentials(&ack), credentials(&third));
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.credentials().count(), 2);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
}

/// 3.4: the first proxy cannot be reached, so the telephone is at the second when the user dials.
#[test]
fn s3_4_session_with_proxy_failure() {
    let mut config = config();
    config.servers = Server::in_order(["wss://ss1.example.com/sip", "wss://ss2.example.com/sip"]);
    let mut ladder = Ladder::new(config);
    ladder.start();
    assert_eq!(ladder.wanted_url(), Some("wss://ss1.example.com/sip"));
    ladder.refuse_connection();
    ladder.reconnect();
    ladder.register();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    ladder.receive(&challenge(&invite, 407, "example.com"));
    ladder.expect(Method::Ack);
    let invite = ladder.expect(Method::Invite);
    let mut far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
}

/// 3.5: a gateway on the way, or a back-to-back user agent, puts itself into Contact and description; what it says is
/// what counts.
#[test]
fn s3_5_session_through_an_alg() {
    let (mut ladder, invite, far) = ringing();
    let rewritten = sdp(Direction::SendRecv).replace("192.0.2.9", "203.0.113.1");
    let ok = far
        .response(&invite, 200)
        .body("application/sdp", rewritten.as_bytes())
        .build();
    let ok = ok
        .edit()
        .set(
            HeaderName::Contact,
            "<sip:bob@alg1.atlanta.example.com;maddr=203.0.113.1>",
        )
        .build();
    ladder.media.take_log();
    ladder.receive(&ok);
    let ack = ladder.expect(Method::Ack);
    assert_eq!(
        ack.request_uri_text(),
        Some("sip:bob@alg1.atlanta.example.com;maddr=203.0.113.1")
    );
    let applied = ladder.media.take_log();
    assert!(
        matches!(&applied[..], [MediaAction::ApplyAnswer { answer, provisional: false }] if *answer == rewritten),
        "{applied:?}"
    );
}

/// 3.6: redirected callers come without an offer, get one in the 200, and answer it in the ACK.
#[test]
fn s3_6_session_with_sdp_in_ack() {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    ladder.receive(&far.request(Method::Invite).build());
    ladder.expect_response(180, Method::Invite);
    let call = ladder.newest_call();
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    assert!(!ok.body().is_empty());
    assert_eq!(ladder.state(call), CallState::Answering);
    let ack = far
        .ack(&ok)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes());
    ladder.receive(&ack.build());
    assert_eq!(ladder.state(call), CallState::Active);
    assert!(ladder.media.is_stable(ladder.session()));
    ladder.far_hangs_up(&mut far);
}

/// 3.7: the far end moves to another address in the call: its audio and its signalling go there from now on.
#[test]
fn s3_7_session_with_reinvite_and_address_change() {
    let (mut ladder, call, mut far) = Ladder::in_incoming_call();
    let moved = sdp(Direction::SendRecv).replace("192.0.2.9", "192.0.2.103");
    let reinvite = far
        .request(Method::Invite)
        .body("application/sdp", moved.as_bytes())
        .build();
    let reinvite = reinvite
        .edit()
        .set(HeaderName::Contact, "<sip:bob@client.chicago.example.com>")
        .build();
    ladder.receive(&reinvite);
    let log = ladder.media.take_log();
    assert!(
        matches!(&log[..], [MediaAction::CreateAnswer { offer, .. }] if *offer == moved),
        "{log:?}"
    );
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    ladder.hang_up(call);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.request_uri_text(), Some("sip:bob@client.chicago.example.com"));
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(call), EndCause::LocalHangUp);
}

/// 3.8: nobody answers, and the caller gives up: by hand, or after the configured time.
#[test]
fn s3_8_unsuccessful_no_answer_the_caller() {
    for by_hand in [true, false] {
        let (mut ladder, invite, far) = ringing();
        if by_hand {
            ladder.pass(9.0);
            ladder.hang_up(CALL);
        } else {
            ladder.pass(120.0);
        }
        let cancel = ladder.expect(Method::Cancel);
        assert_eq!(cancel.request_uri_text(), invite.request_uri_text());
        assert_eq!(number(&cancel), number(&invite));
        assert_eq!(ladder.state(CALL), CallState::Ending);
        ladder.receive(&far.response(&cancel, 200).build());
        ladder.receive(&far.response(&invite, 487).build());
        let ack = ladder.expect(Method::Ack);
        assert_eq!(number(&ack), number(&invite));
        let cause = if by_hand {
            EndCause::Cancelled
        } else {
            EndCause::NoAnswer
        };
        assert_eq!(ladder.cause(CALL), cause);
        ladder.pass(60.0);
        ladder.expect_silence();
    }
}

/// 3.8 at the telephone that rang in vain.
#[test]
fn s3_8_unsuccessful_no_answer_the_callee() {
    let mut ladder = Ladder::registered();
    let (call, _, invite) = ladder.ring("bob");
    ladder.pass(9.0);
    ladder.receive(&FarEnd::cancel(&invite).build());
    ladder.expect_response(200, Method::Cancel);
    let terminated = ladder.expect_response(487, Method::Invite);
    ladder.receive(&FarEnd::ack_refusal(&invite, &terminated));
    assert_eq!(ladder.cause(call), EndCause::Missed);
    ladder.pass(60.0);
    ladder.expect_silence();
}

/// 3.9: the far end is busy.
#[test]
fn s3_9_unsuccessful_busy_the_caller() {
    is_refused(486, EndCause::Busy);
}

/// 3.9 at the telephone that is busy: its user says so, or it has as many calls as it can have.
#[test]
fn s3_9_unsuccessful_busy_the_callee() {
    let mut config = config();
    config.max_calls = 1;
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    ladder.make_call(CallId(1), "carol");
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    let invite = far.invite(Direction::SendRecv);
    ladder.receive(&invite);
    let busy = ladder.expect_response(486, Method::Invite);
    ladder.receive(&FarEnd::ack_refusal(&invite, &busy));
    assert_eq!(ladder.agent.calls().count(), 1);
}

/// 3.10: the far telephone does not respond at all; its proxy says so after 64*T1, and nobody else would say more.
#[test]
fn s3_10_unsuccessful_no_response() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "proxy");
    ladder.receive(&far.response(&invite, 100).build());
    ladder.pass(32.0);
    assert_eq!(ladder.state(CALL), CallState::Calling);
    ladder.receive(&far.response(&invite, 480).build());
    ladder.expect(Method::Ack);
    assert_eq!(ladder.cause(CALL), EndCause::Unavailable);
}

/// 3.10 where the caller's own proxy does not respond either: timer B.
#[test]
fn s3_10_unsuccessful_no_response_from_the_proxy() {
    let (mut ladder, _) = calling();
    let dialled_at = ladder.now;
    while ladder.state(CALL) != CallState::Ended {
        ladder.pass_to_next_deadline();
    }
    assert_eq!(ladder.now - dialled_at, secs(32.0));
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
}

/// 3.11: the far end is not there just now.
#[test]
fn s3_11_unsuccessful_temporarily_unavailable() {
    is_refused(480, EndCause::Unavailable);
}
