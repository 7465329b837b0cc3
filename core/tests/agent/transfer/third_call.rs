//! A call that was put on hold to be transferred comes back by itself, unless the user speaks with a third party by then:
//! nobody is to hear what is meant for another.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::Method;
use clearline_core::{CallId, CallOptions, CallState, Direction, OperationError, OperationId, TransferState};

use super::{is_held, is_retrieved, tells, with_bob};
use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};

const SECOND: CallId = CallId(0xca12);
const THIRD: CallId = CallId(0xda7e);

/// Bob has agreed to call carol.
fn transferring() -> (Ladder, FarEnd, OperationId) {
    let (mut ladder, bob) = with_bob();
    let transfer = ladder.command(CALL, |call| call.transfer("carol")).unwrap();
    is_held(&mut ladder, &bob);
    let refer = ladder.expect(Method::Refer);
    ladder.receive(&bob.response(&refer, 202).build());
    (ladder, bob, transfer)
}

fn is_busy(ladder: &mut Ladder, bob: &mut FarEnd) {
    tells(ladder, bob, "486 Busy Here", "terminated;reason=noresource");
}

/// Carol is asked about bob, and has answered.
fn consulting() -> (Ladder, FarEnd, FarEnd) {
    let (mut ladder, bob) = with_bob();
    let options = CallOptions::default();
    let consult = ladder.agent.consult(ladder.now, CALL, SECOND, "carol", options);
    ladder.accepted(consult.unwrap());
    ladder.drain();
    is_held(&mut ladder, &bob);
    let invite = ladder.expect(Method::Invite);
    let carol = FarEnd::called(&invite, "carol-tag");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    (ladder, bob, carol)
}

/// Dave calls meanwhile; carol is put on hold for him.
fn answer_dave(ladder: &mut Ladder, carol: &FarEnd) -> (CallId, FarEnd) {
    let (third, mut dave, _) = ladder.ring("dave");
    let answer = ladder.agent.hold_and_answer(ladder.now, third).unwrap();
    ladder.accepted(answer);
    ladder.drain();
    is_held(ladder, carol);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&dave.ack(&ok).build());
    assert!(ladder.succeeded(answer));
    (third, dave)
}

/// Bob is on hold, nothing is about to change that, and the last event says so.
fn stays_on_hold(ladder: &mut Ladder) {
    let bob = ladder.info(CALL);
    assert_eq!((bob.local_hold, bob.negotiating), (true, false));
    let told = ladder.reported().filter(|call| call.id == CALL).last();
    assert!(told.is_some_and(|call| call.local_hold && !call.negotiating));
    ladder.pass(5.0);
    ladder.expect_silence();
}

#[test]
fn a_transfer_that_fails_during_a_third_call_leaves_the_first_on_hold() {
    let (mut ladder, mut bob, transfer) = transferring();
    let (third, mut dave) = ladder.take_call("dave");
    is_busy(&mut ladder, &mut bob);
    let error = OperationError::TargetFailed {
        status: 486,
        reason: "Busy Here".into(),
    };
    assert_eq!(ladder.failure(transfer).as_ref(), Some(&error));
    assert_eq!(ladder.info(CALL).transfer, Some(TransferState::Failed { error }));
    stays_on_hold(&mut ladder);
    assert!(!ladder.info(third).local_hold);

    ladder.far_hangs_up(&mut dave);
    stays_on_hold(&mut ladder);
    ladder.resume(CALL);
    is_retrieved(&mut ladder, &bob, CALL);
}

#[test]
fn the_events_tell_a_call_that_comes_back_from_one_that_stays() {
    let (mut ladder, mut bob, _) = transferring();
    ladder.take_events();
    is_busy(&mut ladder, &mut bob);
    let failed = ladder
        .reported()
        .filter(|call| matches!(call.transfer, Some(TransferState::Failed { .. })));
    let told: Vec<_> = failed.map(|call| (call.local_hold, call.negotiating)).collect();
    assert_eq!(told, [(true, true)], "never as if it stayed on hold");
    is_retrieved(&mut ladder, &bob, CALL);
}

#[test]
fn a_third_call_that_only_rings_keeps_nobody_on_hold() {
    let (mut ladder, mut bob, _) = transferring();
    ladder.ring("dave");
    is_busy(&mut ladder, &mut bob);
    is_retrieved(&mut ladder, &bob, CALL);
}

#[test]
fn a_third_call_on_hold_keeps_nobody_on_hold() {
    let (mut ladder, mut bob, _) = transferring();
    let (third, dave) = ladder.take_call("dave");
    ladder.hold(third);
    is_held(&mut ladder, &dave);
    is_busy(&mut ladder, &mut bob);
    is_retrieved(&mut ladder, &bob, CALL);
}

#[test]
fn somebody_who_is_being_called_hears_nothing_of_a_transfer_that_fails() {
    let (mut ladder, mut bob, _) = transferring();
    ladder.dial(THIRD, "dave");
    let invite = ladder.expect(Method::Invite);
    is_busy(&mut ladder, &mut bob);
    stays_on_hold(&mut ladder);
    let dave = FarEnd::called(&invite, "dave-tag");
    ladder.receive(&dave.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(THIRD), CallState::Active);
    stays_on_hold(&mut ladder);
}

#[test]
fn who_was_to_be_asked_hangs_up_during_a_third_call() {
    let (mut ladder, bob, mut carol) = consulting();
    let (third, mut dave) = answer_dave(&mut ladder, &carol);
    ladder.far_hangs_up(&mut carol);
    assert_eq!(ladder.info(CALL).transfer, None);
    stays_on_hold(&mut ladder);
    assert!(!ladder.info(third).local_hold);

    ladder.far_hangs_up(&mut dave);
    stays_on_hold(&mut ladder);
    ladder.resume(CALL);
    is_retrieved(&mut ladder, &bob, CALL);
}

#[test]
fn who_is_put_on_hold_by_command_while_another_is_asked_stays_there() {
    let (mut ladder, bob, mut carol) = consulting();
    ladder.hold(CALL);
    ladder.far_hangs_up(&mut carol);
    assert_eq!(ladder.info(CALL).transfer, None);
    stays_on_hold(&mut ladder);
    ladder.resume(CALL);
    is_retrieved(&mut ladder, &bob, CALL);
}

#[test]
fn a_third_call_that_is_about_to_be_answered_counts() {
    let (mut ladder, mut bob, _) = transferring();
    let (third, mut dave, _) = ladder.ring("dave");
    let answer = ladder.agent.hold_and_answer(ladder.now, third).unwrap();
    ladder.accepted(answer);
    ladder.drain();
    let ok = ladder.expect_response(200, Method::Invite);
    is_busy(&mut ladder, &mut bob);
    stays_on_hold_until_acknowledged(&mut ladder);
    ladder.take_sent();
    ladder.receive(&dave.ack(&ok).build());
    assert!(ladder.succeeded(answer));
    stays_on_hold(&mut ladder);
}

/// The 200 is repeated meanwhile.
fn stays_on_hold_until_acknowledged(ladder: &mut Ladder) {
    ladder.pass(2.0);
    assert!(ladder.info(CALL).local_hold);
    let sent = ladder.take_sent();
    assert!(sent.iter().all(|(_, message)| message.is_response()));
}

#[test]
fn the_users_own_command_brings_the_first_back_whoever_else_is_spoken_with() {
    let (mut ladder, bob, carol) = consulting();
    answer_dave(&mut ladder, &carol);
    let cancel = ladder.command(CALL, |call| call.cancel_transfer()).unwrap();
    let bye = ladder.expect_for(&carol, Method::Bye);
    ladder.receive(&carol.response(&bye, 200).build());
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(cancel));
}
