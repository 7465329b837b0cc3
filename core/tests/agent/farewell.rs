//! Calls that end while there is no connection: over for the user at once, and for the far end as soon as it can be told.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::digest::{Algorithm, DigestChallenge};
use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{CallId, EndCause, Instant, MediaTransport, UserAgent};

use crate::far_end::{FarEnd, RECORD_ROUTE};
use crate::ladder::{CALL, Ladder, config, secs};

/// A call that was hung up while the connection was lost.
fn hung_up_unheard() -> (Ladder, FarEnd) {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.lose_connection();
    let operation = ladder.hang_up(CALL);
    assert!(ladder.succeeded(operation), "the user is done with it");
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    assert_eq!(ladder.media.open_sessions(), []);
    ladder.forget();
    (ladder, far)
}

/// The connection is back; what is sent after the registration.
fn back(ladder: &mut Ladder) {
    ladder.reconnect();
    ladder.register();
}

fn number(request: &Message) -> u32 {
    request.cseq().unwrap().number
}

#[test]
fn the_far_end_is_told_when_the_connection_is_back() {
    let (mut ladder, far) = hung_up_unheard();
    ladder.pass(3.0);
    assert!(!ladder.agent.is_at_rest());
    ladder.reconnect();
    let register = ladder.expect(Method::Register);
    ladder.expect_silence();
    ladder.receive(&crate::ladder::granted(&register).build());
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("bob-tag"));
    assert_eq!(bye.header(HeaderName::Route), Some(RECORD_ROUTE));
    ladder.receive(&far.response(&bye, 200).build());
    ladder.lose_connection();
    back(&mut ladder);
    ladder.expect_silence();
}

/// The user does not wait for it longer than for one.
#[test]
fn a_bye_without_answer_is_sent_once_more() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    ladder.hang_up(CALL);
    let first = ladder.expect(Method::Bye);
    ladder.pass(32.1);
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    let second = ladder.expect(Method::Bye);
    assert_eq!(number(&second), number(&first) + 1, "the first may have come");
    ladder.pass(60.0);
    ladder.expect_silence();
    ladder.lose_connection();
    back(&mut ladder);
    ladder.expect_silence();
}

#[test]
fn a_bye_that_is_lost_with_its_connection_is_sent_again() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hang_up(CALL);
    let first = ladder.expect(Method::Bye);
    ladder.lose_connection();
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    back(&mut ladder);
    let second = ladder.expect(Method::Bye);
    assert_eq!(number(&second), number(&first) + 1, "the first may have come");
    ladder.lose_connection();
    back(&mut ladder);
    let third = ladder.expect(Method::Bye);
    assert_eq!(number(&third), number(&second) + 1);
    // It has come before.
    ladder.receive(&far.response(&third, 481).build());
    ladder.pass(60.0);
    ladder.forget();
    ladder.lose_connection();
    back(&mut ladder);
    ladder.expect_silence();
}

#[test]
fn a_far_end_that_does_not_answer_is_told_once() {
    let (mut ladder, _) = hung_up_unheard();
    back(&mut ladder);
    ladder.expect(Method::Bye);
    ladder.pass(33.0);
    ladder.lose_connection();
    back(&mut ladder);
    ladder.expect_silence();
}

#[test]
fn after_five_minutes_nobody_is_told_any_more() {
    let (mut ladder, _) = hung_up_unheard();
    ladder.pass(301.0);
    back(&mut ladder);
    ladder.expect_silence();

    let (mut ladder, _) = hung_up_unheard();
    ladder.pass(250.0);
    back(&mut ladder);
    ladder.expect(Method::Bye);
}

#[test]
fn a_call_that_was_given_up_is_ended_at_the_far_end_too() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    ladder.lose_connection();
    ladder.transport(MediaTransport::Disconnected);
    ladder.pass(61.0);
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    back(&mut ladder);
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    ladder.expect_silence();
}

#[test]
fn an_agent_that_does_not_register_tells_it_at_once() {
    let mut ladder = Ladder::connected();
    ladder.make_call(CALL, "bob");
    ladder.lose_connection();
    ladder.hang_up(CALL);
    ladder.reconnect();
    ladder.expect(Method::Bye);
}

#[test]
fn a_challenged_farewell_is_sent_again() {
    let (mut ladder, far) = hung_up_unheard();
    back(&mut ladder);
    let bye = ladder.expect(Method::Bye);
    let challenge = DigestChallenge::new("example.com", "n1", Algorithm::Md5);
    let refusal = ResponseBuilder::for_request(&bye, 407).header(HeaderName::ProxyAuthenticate, challenge);
    ladder.receive(&refusal.build());
    let again = ladder.expect(Method::Bye);
    assert_eq!(number(&again), number(&bye) + 1);
    ladder.receive(&far.response(&again, 200).build());
    ladder.pass(60.0);
    ladder.lose_connection();
    ladder.forget();
    back(&mut ladder);
    ladder.expect_silence();
}

#[test]
fn a_challenged_farewell_that_is_lost_with_its_connection_is_sent_again() {
    let (mut ladder, far) = hung_up_unheard();
    back(&mut ladder);
    let bye = ladder.expect(Method::Bye);
    let challenge = DigestChallenge::new("example.com", "n1", Algorithm::Md5);
    let refusal = ResponseBuilder::for_request(&bye, 407).header(HeaderName::ProxyAuthenticate, challenge);
    ladder.receive(&refusal.build());
    let again = ladder.expect(Method::Bye);
    ladder.lose_connection();
    back(&mut ladder);
    let third = ladder.expect(Method::Bye);
    assert_eq!(number(&third), number(&again) + 1);
    ladder.receive(&far.response(&third, 200).build());
    ladder.expect_silence();
}

#[test]
fn a_stop_forgets_them() {
    let (mut ladder, _) = hung_up_unheard();
    ladder.stop();
    ladder.pass(3.0);
    assert!(ladder.agent.is_at_rest());
    ladder.start();
    ladder.connect();
    ladder.register();
    ladder.expect_silence();
}

#[test]
fn a_restart_does_not() {
    let (ladder, _) = hung_up_unheard();
    let stored = serde_json::to_string(&ladder.agent.snapshot(ladder.now)).unwrap();
    for (asleep, told) in [(30.0, true), (400.0, false)] {
        let snapshot = serde_json::from_str(&stored).unwrap();
        let now = Instant::from_secs(50_000);
        let agent = UserAgent::restore(config(), snapshot, [9; 32], now, secs(asleep));
        let mut restored = Ladder::of(agent, now);
        restored.start();
        restored.pass(1.0);
        restored.connect();
        restored.register();
        assert_eq!(!restored.take_sent().is_empty(), told, "{asleep}");
    }
}

#[test]
fn any_number_of_them_is_bounded() {
    let mut ladder = Ladder::registered();
    for round in 0..5 {
        let calls = || (0..4).map(|id| CallId(4 * round + id));
        for call in calls() {
            ladder.make_call(call, "bob");
            ladder.forget();
        }
        ladder.lose_connection();
        for call in calls() {
            ladder.hang_up(call);
        }
        // Back, but not registered: nothing is told yet.
        ladder.reconnect();
        ladder.forget();
    }
    ladder.lose_connection();
    back(&mut ladder);
    assert_eq!(ladder.take_sent().len(), 16);
}

/// A call that rings when the connection is lost.
fn lost_while_ringing(status: Option<u16>) -> (Ladder, Message) {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    if let Some(status) = status {
        ladder.respond(&invite, status);
    }
    ladder.lose_connection();
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    (ladder, invite)
}

#[test]
fn what_rings_for_nobody_is_cancelled_when_the_connection_is_back() {
    for status in [100, 180] {
        let (mut ladder, invite) = lost_while_ringing(Some(status));
        back(&mut ladder);
        let cancel = ladder.expect(Method::Cancel);
        let branch = |message: &Message| message.top_via().unwrap().branch().unwrap().to_owned();
        assert_eq!(branch(&cancel), branch(&invite), "the platform knows it by that");
        assert_eq!(number(&cancel), number(&invite));
        ladder.respond(&cancel, 200);
        ladder.respond(&invite, 487);
        ladder.lose_connection();
        back(&mut ladder);
        ladder.expect_silence();
    }
}

#[test]
fn an_invite_nobody_has_heard_of_is_not_cancelled() {
    let (mut ladder, _) = lost_while_ringing(None);
    back(&mut ladder);
    ladder.expect_silence();
}

#[test]
fn what_has_long_stopped_ringing_is_not_cancelled() {
    let (mut ladder, _) = lost_while_ringing(Some(180));
    ladder.pass(301.0);
    back(&mut ladder);
    ladder.expect_silence();
}
