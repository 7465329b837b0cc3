//! Media that move: the old session sounds on until the new one is agreed.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{
    CallState, Direction, Input, MediaErrorKind, MediaEvent, MediaSessionId, MediaTransport, OperationError,
    OperationId,
};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};
use crate::media::{direction_of, origin_of};

/// A call whose media are to move: the operation, both sessions, and the re-INVITE with the new one's offer.
struct Moving {
    ladder: Ladder,
    far: FarEnd,
    operation: OperationId,
    old: MediaSessionId,
    new: MediaSessionId,
    reinvite: Message,
}

fn body(message: &Message) -> &str {
    std::str::from_utf8(message.body()).unwrap()
}

fn moving() -> Moving {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    let old = ladder.session();
    let operation = ladder.command(CALL, |call| call.move_media()).unwrap();
    let reinvite = ladder.expect(Method::Invite);
    let open = ladder.media.open_sessions();
    assert_eq!(open.len(), 2, "make before break");
    let new = open.into_iter().find(|session| *session != old).unwrap();
    assert_eq!(origin_of(body(&reinvite)).0, new.0);
    assert_eq!(ladder.info(CALL).media, MediaTransport::Connected, "it sounds on");
    Moving {
        ladder,
        far,
        operation,
        old,
        new,
        reinvite,
    }
}

impl Moving {
    fn old_goes_on(&mut self) {
        assert_eq!(self.ladder.media.open_sessions(), [self.old]);
        assert!(self.ladder.media.is_stable(self.old));
        let info = self.ladder.info(CALL);
        assert_eq!(
            (info.state, info.media),
            (CallState::Active, MediaTransport::Connected)
        );
        assert!(!info.negotiating);
        // And it can still be negotiated for.
        let hold = self.ladder.hold(CALL);
        let reinvite = self.ladder.expect(Method::Invite);
        assert_eq!(origin_of(body(&reinvite)).0, self.old.0);
        self.ladder
            .receive(&self.far.accepts(&reinvite, Direction::RecvOnly));
        assert!(self.ladder.succeeded(hold));
    }
}

#[test]
fn the_old_session_is_closed_when_the_new_one_is_agreed() {
    let mut it = moving();
    let state = MediaTransport::Connecting;
    let event = MediaEvent::Transport { state };
    it.ladder.input(Input::Media {
        session: it.new,
        event,
    });
    assert_eq!(
        it.ladder.info(CALL).media,
        MediaTransport::Connected,
        "that of the old one"
    );
    it.ladder
        .receive(&it.far.accepts(&it.reinvite, Direction::SendRecv));
    it.ladder.expect(Method::Ack);
    assert!(it.ladder.succeeded(it.operation));
    assert_eq!(it.ladder.media.open_sessions(), [it.new]);
    assert_eq!(it.ladder.info(CALL).media, MediaTransport::Connecting);
    it.ladder.transport(MediaTransport::Connected);
    assert_eq!(it.ladder.info(CALL).media, MediaTransport::Connected);
    it.ladder.expect_silence();
}

#[test]
fn a_refused_move_leaves_the_old_media_running_and_says_so() {
    let mut it = moving();
    it.ladder.receive(&it.far.response(&it.reinvite, 488).build());
    it.ladder.expect(Method::Ack);
    let failure = it.ladder.failure(it.operation);
    assert!(matches!(
        failure,
        Some(OperationError::Refused { status: 488, .. })
    ));
    it.old_goes_on();
}

#[test]
fn a_move_whose_offer_cannot_be_made_leaves_the_old_media_running() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    let old = ladder.session();
    ladder.media.held_back = true;
    let operation = ladder.command(CALL, |call| call.move_media()).unwrap();
    ladder.media_fails(MediaErrorKind::NoDevice);
    ladder.media_goes_on();
    assert!(matches!(
        ladder.failure(operation),
        Some(OperationError::Media(_))
    ));
    ladder.expect_silence();
    let reinvite = Message::parse(b"OPTIONS sip:x SIP/2.0\r\n\r\n".to_vec()).unwrap();
    let new = old;
    let mut it = Moving {
        ladder,
        far,
        operation,
        old,
        new,
        reinvite,
    };
    it.old_goes_on();
}

#[test]
fn a_move_that_is_never_answered_leaves_the_old_media_running() {
    let mut it = moving();
    it.ladder.respond(&it.reinvite, 100);
    it.ladder.pass(64.1);
    it.ladder.expect(Method::Cancel);
    assert_eq!(it.ladder.failure(it.operation), Some(OperationError::TimedOut));
    // Whether it is there still.
    let asked = it.ladder.expect(Method::Invite);
    it.ladder.receive(&it.far.accepts(&asked, Direction::SendRecv));
    it.ladder.expect(Method::Ack);
    it.old_goes_on();
}

#[test]
fn a_move_that_meets_glare_is_tried_again_with_another_session() {
    let mut it = moving();
    it.ladder.receive(&it.far.response(&it.reinvite, 491).build());
    it.ladder.expect(Method::Ack);
    assert_eq!(it.ladder.media.open_sessions(), [it.old]);
    assert_eq!(it.ladder.outcome(it.operation), None);
    let again = it.ladder.wait_for(Method::Invite);
    let session = origin_of(body(&again)).0;
    assert!(session != it.old.0 && session != it.new.0);
    it.ladder.receive(&it.far.accepts(&again, Direction::SendRecv));
    assert!(it.ladder.succeeded(it.operation));
    assert_eq!(it.ladder.media.open_sessions(), [MediaSessionId(session)]);
}

#[test]
fn an_answer_the_new_session_cannot_use_brings_the_old_one_back() {
    let mut it = moving();
    it.ladder.media.held_back = true;
    it.ladder
        .receive(&it.far.accepts(&it.reinvite, Direction::SendRecv));
    it.ladder.expect(Method::Ack);
    it.ladder.media_fails(MediaErrorKind::DescriptionRejected);
    it.ladder.media_goes_on();
    assert!(matches!(
        it.ladder.failure(it.operation),
        Some(OperationError::Media(_))
    ));
    let back = it.ladder.expect(Method::Invite);
    assert_eq!(origin_of(body(&back)).0, it.old.0);
    it.ladder.receive(&it.far.accepts(&back, Direction::SendRecv));
    it.ladder.expect(Method::Ack);
    it.old_goes_on();
}

#[test]
fn a_move_that_is_lost_with_its_connection() {
    let mut it = moving();
    it.ladder.lose_connection();
    assert_eq!(
        it.ladder.failure(it.operation),
        Some(OperationError::Disconnected)
    );
    assert_eq!(it.ladder.media.open_sessions(), [it.old]);
    it.ladder.reconnect();
    it.ladder.register();
    // The far end may have accepted it: the old session is offered.
    let reinvite = it.ladder.expect(Method::Invite);
    assert_eq!(origin_of(body(&reinvite)).0, it.old.0);
    it.ladder.receive(&it.far.accepts(&reinvite, Direction::SendRecv));
    it.ladder.expect(Method::Ack);
    it.old_goes_on();
}

#[test]
fn hanging_up_closes_both() {
    let mut it = moving();
    it.ladder.hang_up(CALL);
    assert_eq!(it.ladder.media.open_sessions(), []);
    assert_eq!(it.ladder.failure(it.operation), Some(OperationError::CallEnded));
    it.ladder.expect(Method::Bye);
    // The answer crosses.
    it.ladder
        .receive(&it.far.accepts(&it.reinvite, Direction::SendRecv));
    it.ladder.expect(Method::Ack);
    it.ladder.expect_silence();
}

#[test]
fn the_far_end_hangs_up_while_media_move() {
    let mut it = moving();
    it.ladder.receive(&it.far.request(Method::Bye).build());
    assert_eq!(it.ladder.media.open_sessions(), []);
    assert_eq!(it.ladder.state(CALL), CallState::Ended);
}

#[test]
fn muting_reaches_both_sessions() {
    let mut it = moving();
    it.ladder.command(CALL, |call| call.set_muted(true)).unwrap();
    assert!(it.ladder.media.is_muted(it.old) && it.ladder.media.is_muted(it.new));
    it.ladder
        .receive(&it.far.accepts(&it.reinvite, Direction::SendRecv));
    assert!(it.ladder.info(CALL).muted && it.ladder.media.is_muted(it.new));
}

#[test]
fn a_hold_that_comes_while_media_move_follows() {
    let mut it = moving();
    let hold = it.ladder.hold(CALL);
    it.ladder
        .receive(&it.far.accepts(&it.reinvite, Direction::SendRecv));
    it.ladder.expect(Method::Ack);
    let reinvite = it.ladder.expect(Method::Invite);
    assert_eq!(origin_of(body(&reinvite)).0, it.new.0);
    assert_eq!(direction_of(body(&reinvite)), Direction::SendOnly);
    assert!(reinvite.header(HeaderName::Contact).is_some());
    it.ladder.receive(&it.far.accepts(&reinvite, Direction::RecvOnly));
    assert!(it.ladder.succeeded(hold));
}
