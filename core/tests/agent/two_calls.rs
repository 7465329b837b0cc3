//! A second call while one is up.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::Method;
use clearline_core::{CallState, CommandError, Direction, EndCause, OperationError, RejectReason};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};
use crate::media::direction_of;

#[test]
fn a_second_call_waits() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let (second, _, _) = ladder.ring("carol");
    assert!(ladder.info(second).waiting);
    assert!(!ladder.info(CALL).waiting);
    ladder
        .command(second, |call| call.reject(RejectReason::Busy))
        .unwrap();
    ladder.expect_response(486, Method::Invite);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn hold_and_answer() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let (second, mut carol, _) = ladder.ring("carol");
    let operation = ladder.agent.hold_and_answer(ladder.now, second).unwrap();
    ladder.drain();
    let reinvite = ladder.expect(Method::Invite);
    let offer = std::str::from_utf8(reinvite.body()).unwrap();
    assert_eq!(direction_of(offer), Direction::SendOnly);
    ladder.expect_silence();
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    assert!(ladder.info(CALL).local_hold);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&carol.ack(&ok).build());
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.state(second), CallState::Active);
    assert_eq!(ladder.media.open_sessions().len(), 2);
    ladder.far_hangs_up(&mut carol);
    assert_eq!(ladder.cause(second), EndCause::RemoteHangUp);
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert!(ladder.info(CALL).local_hold, "nobody resumes it but the user");
}

#[test]
fn a_call_that_cannot_be_held_keeps_the_other_ringing() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let (second, _, _) = ladder.ring("carol");
    let operation = ladder.agent.hold_and_answer(ladder.now, second).unwrap();
    ladder.drain();
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(
        ladder.agent.hold_and_answer(ladder.now, second),
        Err(CommandError::WrongState),
        "it is under way"
    );
    ladder.receive(&far.response(&reinvite, 488).build());
    ladder.expect(Method::Ack);
    assert!(matches!(
        ladder.failure(operation),
        Some(OperationError::Refused { status: 488, .. })
    ));
    assert!(!ladder.info(CALL).local_hold);
    assert_eq!(ladder.state(second), CallState::Incoming);
    ladder.expect_silence();
}

#[test]
fn a_call_that_is_answered_meanwhile_is_what_was_wanted() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let (second, mut carol, _) = ladder.ring("carol");
    let operation = ladder.agent.hold_and_answer(ladder.now, second).unwrap();
    ladder.drain();
    let reinvite = ladder.expect(Method::Invite);
    // The headset's key, for example.
    ladder.command(second, |call| call.answer()).unwrap();
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&carol.ack(&ok).build());
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.state(second), CallState::Active);
    assert!(ladder.info(CALL).local_hold, "nobody hears two");
}

#[test]
fn a_caller_who_gives_up_meanwhile_leaves_everything_as_it_was() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let (second, _, invite) = ladder.ring("carol");
    let operation = ladder.agent.hold_and_answer(ladder.now, second).unwrap();
    ladder.drain();
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&FarEnd::cancel(&invite).build());
    ladder.expect_response(200, Method::Cancel);
    ladder.expect_response(487, Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.failure(operation), Some(OperationError::CallEnded));
    assert!(!ladder.info(CALL).local_hold);
}

#[test]
fn a_hold_the_user_commands_meanwhile_is_not_taken_back_with_it() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let (second, _, invite) = ladder.ring("carol");
    let operation = ladder.agent.hold_and_answer(ladder.now, second).unwrap();
    ladder.drain();
    let reinvite = ladder.expect(Method::Invite);
    let hold = ladder.hold(CALL);
    ladder.receive(&FarEnd::cancel(&invite).build());
    ladder.expect_response(200, Method::Cancel);
    ladder.expect_response(487, Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.failure(operation), Some(OperationError::CallEnded));
    assert!(ladder.succeeded(hold));
    assert!(ladder.info(CALL).local_hold, "nobody resumes it but the user");
    ladder.expect_silence();
}

#[test]
fn a_call_that_ends_while_it_is_held_is_not_in_the_way() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let (second, mut carol, _) = ladder.ring("carol");
    let operation = ladder.agent.hold_and_answer(ladder.now, second).unwrap();
    ladder.drain();
    ladder.expect(Method::Invite);
    ladder.far_hangs_up(&mut far);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&carol.ack(&ok).build());
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.state(second), CallState::Active);
}

#[test]
fn end_and_answer() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let (second, mut carol, _) = ladder.ring("carol");
    let operation = ladder.agent.end_and_answer(ladder.now, second).unwrap();
    ladder.drain();
    let bye = ladder.expect(Method::Bye);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&carol.ack(&ok).build());
    ladder.receive(&far.response(&bye, 200).build());
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    assert_eq!(ladder.state(second), CallState::Active);
}

#[test]
fn a_third_call_that_rings_goes_on_ringing() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let (second, _, _) = ladder.ring("carol");
    let (third, _, _) = ladder.ring("dave");
    ladder.agent.end_and_answer(ladder.now, second).unwrap();
    ladder.drain();
    assert_eq!(ladder.state(CALL), CallState::Ending);
    assert_eq!(ladder.state(second), CallState::Answering);
    assert_eq!(ladder.state(third), CallState::Incoming);
}

#[test]
fn only_a_call_that_rings_can_be_answered() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let wrong = Err(CommandError::WrongState);
    assert_eq!(ladder.agent.hold_and_answer(ladder.now, CALL), wrong);
    assert_eq!(ladder.agent.end_and_answer(ladder.now, CALL), wrong);
    ladder.drain();
    ladder.expect_silence();
    assert_eq!(ladder.state(CALL), CallState::Active, "nothing was touched");
    let none = clearline_core::CallId(9);
    assert_eq!(
        ladder.agent.hold_and_answer(ladder.now, none),
        Err(CommandError::NoSuchCall)
    );
}

#[test]
fn calls_do_not_hear_each_others_requests() {
    let (mut ladder, mut bob) = Ladder::in_outgoing_call();
    let (second, mut carol) = ladder.take_call("carol");
    ladder.forget();
    ladder.receive(&carol.invite(Direction::SendOnly));
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&carol.ack(&ok).build());
    assert!(ladder.info(second).remote_hold);
    assert!(!ladder.info(CALL).remote_hold);
    ladder.far_hangs_up(&mut bob);
    assert_eq!(ladder.state(CALL), CallState::Ended);
    assert_eq!(ladder.state(second), CallState::Active);
}
