//! A call whose callee offers: INVITE without a description, the answer in the ACK (RFC 3261 section 13.2.1).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{
    CallOptions, CallState, Direction, EndCause, MediaAction, MediaErrorKind, MediaSessionId,
};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};
use crate::media::{direction_of, sdp};

fn calling() -> (Ladder, Message, FarEnd) {
    let mut ladder = Ladder::registered();
    let mut options = CallOptions::default();
    options.late_offer = true;
    ladder.agent.call(ladder.now, CALL, "bob", options).unwrap();
    ladder.drain();
    let invite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&invite, "bob");
    (ladder, invite, far)
}

/// A call that was answered with an offer whose answer is still being made.
fn answering() -> (Ladder, Message, FarEnd) {
    let (mut ladder, invite, far) = calling();
    ladder.media.held_back = true;
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    ladder.expect_silence();
    (ladder, invite, far)
}

fn direction_in(message: &Message) -> Direction {
    direction_of(std::str::from_utf8(message.body()).unwrap())
}

#[test]
fn the_microphone_stays_closed_until_somebody_answers() {
    let (mut ladder, invite, far) = calling();
    assert!(invite.body().is_empty());
    assert_eq!(invite.header(HeaderName::ContentType), None);
    assert!(!invite.lists_token(HeaderName::Supported, "100rel"));
    assert!(invite.lists_token(HeaderName::Supported, "timer"));
    assert_eq!(ladder.state(CALL), CallState::Calling);
    ladder.receive(&far.response(&invite, 180).build());
    // What comes early can be no answer, and no offer either.
    let early = far
        .response(&invite, 183)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes());
    ladder.receive(&early.build());
    assert!(!ladder.info(CALL).early_media);
    assert_eq!(ladder.media.log, []);
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    let log = ladder.media.take_log();
    assert!(
        matches!(
            log[..],
            [MediaAction::CreateAnswer {
                direction: Direction::SendRecv,
                ..
            }]
        ),
        "{log:?}"
    );
    let ack = ladder.expect(Method::Ack);
    assert_eq!(direction_in(&ack), Direction::SendRecv);
    assert_eq!(ack.cseq().unwrap().number, invite.cseq().unwrap().number);
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert!(ladder.media.is_heard(ladder.session()));
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    assert!(ladder.succeeded(hold));
}

#[test]
fn a_2xx_that_comes_again_gets_the_same_answer() {
    let (mut ladder, invite, far) = answering();
    let ok = far.accepts(&invite, Direction::SendRecv);
    ladder.receive(&ok);
    ladder.expect_silence();
    assert!(ladder.info(CALL).negotiating);
    ladder.media_goes_on();
    let ack = ladder.expect(Method::Ack);
    ladder.receive(&ok);
    assert_eq!(ladder.expect(Method::Ack), ack);
    ladder.expect_silence();
}

#[test]
fn a_callee_that_offers_a_hold_is_shown_to_hold() {
    let (mut ladder, invite, far) = calling();
    ladder.receive(&far.accepts(&invite, Direction::SendOnly));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(direction_in(&ack), Direction::RecvOnly);
    assert!(ladder.info(CALL).remote_hold);
}

#[test]
fn without_an_offer_there_is_no_call() {
    let (mut ladder, invite, far) = calling();
    ladder.receive(&far.response(&invite, 200).build());
    assert!(ladder.expect(Method::Ack).body().is_empty());
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::NotAcceptable);
}

#[test]
fn an_offer_that_cannot_be_answered_is_acknowledged_and_ended() {
    for (kind, cause) in [
        (MediaErrorKind::DescriptionRejected, EndCause::NotAcceptable),
        (MediaErrorKind::PermissionDenied, EndCause::MediaFailed),
    ] {
        let (mut ladder, _, far) = answering();
        ladder.media_fails(kind);
        assert!(ladder.expect(Method::Ack).body().is_empty());
        let bye = ladder.expect(Method::Bye);
        ladder.media_goes_on();
        ladder.receive(&far.response(&bye, 200).build());
        assert_eq!(ladder.cause(CALL), cause);
    }
}

#[test]
fn whoever_hangs_up_while_the_answer_is_made() {
    let (mut ladder, _, far) = answering();
    ladder.hang_up(CALL);
    ladder.expect(Method::Ack);
    let bye = ladder.expect(Method::Bye);
    ladder.media_goes_on();
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    assert_eq!(ladder.media.open_sessions(), Vec::<MediaSessionId>::new());

    let (mut ladder, _, mut far) = answering();
    ladder.receive(&far.request(Method::Bye).build());
    ladder.expect_response(200, Method::Bye);
    ladder.expect(Method::Ack);
    ladder.media_goes_on();
    ladder.expect_silence();
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
}

#[test]
fn what_the_callee_changes_meanwhile_has_to_wait() {
    let (mut ladder, _, mut far) = answering();
    ladder.receive(&far.invite(Direction::SendRecv));
    ladder.expect_response(500, Method::Invite);
    let update = far
        .request(Method::Update)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes());
    ladder.receive(&update.build());
    ladder.expect_response(500, Method::Update);
    ladder.media_goes_on();
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let (mut ladder, invite, far) = calling();
    ladder.respond(&invite, 100);
    ladder.hang_up(CALL);
    ladder.expect(Method::Cancel);
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect(Method::Bye);
    assert_eq!(ladder.media.log, []);
}
