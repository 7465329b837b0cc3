//! What is made good when the agent is back after a break: INVITEs are taken back, answers that come again acknowledged.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{Direction, EndCause, Instant, UserAgent};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, secs};

fn back(ladder: &mut Ladder) {
    ladder.reconnect();
    ladder.register();
}

fn restarted(ladder: &Ladder) -> Ladder {
    let snapshot = ladder.snapshot();
    let now = Instant::from_secs(50_000);
    let agent = UserAgent::restore(config(), snapshot, [9; 32], now, secs(3.0));
    let mut restored = Ladder::of(agent, now);
    restored.drain();
    restored.start();
    restored.connect();
    restored.register();
    restored
}

fn branch(message: &Message) -> String {
    message.top_via().unwrap().branch().unwrap_or_default().to_owned()
}

fn number(message: &Message) -> u32 {
    message.cseq().unwrap().number
}

/// Else the far end rings on, for a caller who is not there.
#[test]
fn an_invite_that_is_lost_with_its_connection_is_cancelled() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.response(&invite, 180).build());
    ladder.lose_connection();
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    back(&mut ladder);
    let cancel = ladder.expect(Method::Cancel);
    assert_eq!(branch(&cancel), branch(&invite));
    assert_eq!(number(&cancel), number(&invite));
    ladder.respond(&cancel, 200);
    ladder.expect_silence();
}

#[test]
fn an_invite_that_is_out_at_a_restart_is_cancelled() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let mut restored = restarted(&ladder);
    let cancel = restored.expect(Method::Cancel);
    assert_eq!(branch(&cancel), branch(&invite));
    restored.expect_silence();
}

/// Its first answer, or our ACK, was lost with the connection.
#[test]
fn an_answer_whose_reinvite_is_lost_is_acknowledged() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.lose_connection();
    back(&mut ladder);
    ladder.forget();
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(number(&ack), number(&reinvite));
}

#[test]
fn an_answer_to_an_earlier_invite_is_acknowledged_again() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&invite, "bob-tag");
    let ok = far.accepts(&invite, Direction::SendRecv);
    ladder.receive(&ok);
    ladder.expect(Method::Ack);
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);

    ladder.receive(&ok);
    assert_eq!(number(&ladder.expect(Method::Ack)), number(&invite));
}

#[test]
fn an_answer_to_a_call_nobody_remembers_is_released() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&invite, "bob-tag");
    let mut restored = restarted(&ladder);
    restored.expect(Method::Cancel);
    restored.receive(&far.accepts(&invite, Direction::SendRecv));
    assert_eq!(number(&restored.expect(Method::Ack)), number(&invite));
    let bye = restored.expect(Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("bob-tag"));
    restored.expect_silence();
}

/// An UPDATE would tell the far end where this side is, and leave it without audio.
#[test]
fn a_restarted_agent_offers_even_to_those_who_know_update() {
    let (ladder, far) = Ladder::in_call_with_update();
    let mut restored = restarted(&ladder);
    let reinvite = restored
        .take_sent()
        .into_iter()
        .map(|(_, message)| message)
        .find(|message| message.method() == Method::Invite);
    let reinvite = reinvite.expect("an offer");
    restored.receive(&far.accepts(&reinvite, Direction::SendRecv));
    restored.expect(Method::Ack);
}

#[test]
fn a_far_end_that_asks_for_patience_is_asked_again() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    let later = far
        .response(&reinvite, 500)
        .header(HeaderName::RetryAfter, 2)
        .build();
    ladder.receive(&later);
    ladder.expect(Method::Ack);
    ladder.pass(1.9);
    ladder.expect_silence();
    ladder.pass(1.2);
    let again = ladder.expect(Method::Invite);
    assert_eq!(ladder.outcome(hold), None);
    ladder.receive(&far.accepts(&again, Direction::RecvOnly));
    assert!(ladder.succeeded(hold));
}

#[test]
fn patience_has_an_end() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    for _ in 0..9 {
        let reinvite = ladder.wait_for(Method::Invite);
        let later = far
            .response(&reinvite, 500)
            .header(HeaderName::RetryAfter, 0)
            .build();
        ladder.receive(&later);
        ladder.expect(Method::Ack);
    }
    assert!(ladder.failure(hold).is_some());
}

/// There is nothing yet to send them on.
#[test]
fn tones_wait_for_the_media_of_a_restarted_call() {
    let (ladder, far) = Ladder::in_outgoing_call();
    let snapshot = ladder.snapshot();
    let now = Instant::from_secs(50_000);
    let agent = UserAgent::restore(config(), snapshot, [9; 32], now, secs(3.0));
    let mut restored = Ladder::of(agent, now);
    restored.drain();
    let sent = restored.send_dtmf(CALL, "1");
    assert_eq!(restored.outcome(sent), None);
    restored.start();
    restored.connect();
    restored.register();
    let reinvite = restored.expect(Method::Invite);
    restored.receive(&far.accepts(&reinvite, Direction::SendRecv));
    restored.pass(1.0);
    assert!(restored.succeeded(sent));
}

/// Its ACK is still to come: it cannot be brought back, and the caller would be left alone in it.
#[test]
fn a_call_that_has_just_been_answered_is_ended_after_a_restart() {
    let mut ladder = Ladder::registered();
    let (call, _, _) = ladder.ring("bob");
    ladder.answer(call);
    ladder.expect_response(200, Method::Invite);
    let mut restored = restarted(&ladder);
    let bye = restored.expect(Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("bob-tag"));
}
