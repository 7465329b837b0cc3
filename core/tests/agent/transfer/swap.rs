//! Alternating between two calls: the one is retrieved when the other is on hold, and not before.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::Method;
use clearline_core::{
    CallId, CallOptions, CallState, CommandError, Direction, OperationError, OperationId, UserAgent,
};

use super::{is_held, is_retrieved, with_bob};
use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, secs};

/// Bob is on hold, carol is spoken to.
fn two_calls() -> (Ladder, FarEnd, CallId, FarEnd) {
    let (mut ladder, bob) = with_bob();
    ladder.hold(CALL);
    is_held(&mut ladder, &bob);
    let (second, carol) = ladder.take_call("carol");
    ladder.forget();
    (ladder, bob, second, carol)
}

fn swap_to(ladder: &mut Ladder, call: CallId) -> OperationId {
    let operation = ladder.agent.swap_to(ladder.now, call).unwrap();
    ladder.accepted(operation);
    ladder.drain();
    operation
}

#[test]
fn one_is_held_before_the_other_is_retrieved() {
    let (mut ladder, bob, second, carol) = two_calls();
    let operation = swap_to(&mut ladder, CALL);
    let hold = ladder.expect(Method::Invite);
    assert_eq!(hold.call_id(), Ok("call-of-carol"));
    ladder.expect_silence();
    ladder.receive(&carol.accepts(&hold, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.outcome(operation), None);
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(operation));
    assert!(ladder.info(second).local_hold);
    // And back.
    let operation = swap_to(&mut ladder, second);
    is_held(&mut ladder, &bob);
    is_retrieved(&mut ladder, &carol, second);
    assert!(ladder.succeeded(operation));
}

#[test]
fn a_refused_hold_changes_nothing() {
    let (mut ladder, _, second, carol) = two_calls();
    let operation = swap_to(&mut ladder, CALL);
    let hold = ladder.expect(Method::Invite);
    ladder.receive(&carol.response(&hold, 488).build());
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert!(matches!(
        ladder.failure(operation),
        Some(OperationError::Refused { status: 488, .. })
    ));
    assert!(ladder.info(CALL).local_hold);
    assert!(!ladder.info(second).local_hold);
}

#[test]
fn a_call_that_cannot_be_retrieved_brings_the_other_back() {
    let (mut ladder, bob, second, carol) = two_calls();
    let operation = swap_to(&mut ladder, CALL);
    is_held(&mut ladder, &carol);
    let resume = ladder.expect(Method::Invite);
    ladder.receive(&bob.response(&resume, 488).build());
    ladder.expect(Method::Ack);
    is_retrieved(&mut ladder, &carol, second);
    assert!(matches!(
        ladder.failure(operation),
        Some(OperationError::Refused { status: 488, .. })
    ));
    assert!(ladder.info(CALL).local_hold);
}

#[test]
fn a_call_that_ends_meanwhile_is_not_in_the_way() {
    let (mut ladder, bob, _, mut carol) = two_calls();
    let operation = swap_to(&mut ladder, CALL);
    ladder.expect(Method::Invite);
    ladder.far_hangs_up(&mut carol);
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(operation));
}

#[test]
fn a_call_that_was_to_be_retrieved_and_ends_brings_the_other_back() {
    let (mut ladder, mut bob, second, carol) = two_calls();
    let operation = swap_to(&mut ladder, CALL);
    let hold = ladder.expect(Method::Invite);
    ladder.far_hangs_up(&mut bob);
    ladder.receive(&carol.accepts(&hold, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    is_retrieved(&mut ladder, &carol, second);
    assert_eq!(ladder.failure(operation), Some(OperationError::CallEnded));
}

#[test]
fn a_hold_without_answer_ends_that_call_and_retrieves_the_other() {
    let (mut ladder, bob, second, _) = two_calls();
    let operation = swap_to(&mut ladder, CALL);
    ladder.expect(Method::Invite);
    ladder.pass(32.1);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.call_id(), Ok("call-of-carol"), "RFC 3261 section 14.1");
    assert_eq!(ladder.state(second), CallState::Ending);
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(operation));
}

#[test]
fn the_users_own_command_overtakes_it() {
    let (mut ladder, _, second, carol) = two_calls();
    let operation = swap_to(&mut ladder, CALL);
    let hold = ladder.expect(Method::Invite);
    ladder.resume(second);
    assert_eq!(ladder.failure(operation), Some(OperationError::Superseded));
    ladder.receive(&carol.accepts(&hold, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    is_retrieved(&mut ladder, &carol, second);
    ladder.expect_silence();
    assert!(ladder.info(CALL).local_hold);
}

#[test]
fn three_calls_leave_one_that_speaks() {
    let (mut ladder, bob, second, carol) = two_calls();
    let (third, dave) = ladder.take_call("dave");
    ladder.forget();
    let operation = swap_to(&mut ladder, CALL);
    for _ in 0..2 {
        let hold = ladder.expect(Method::Invite);
        let far = if hold.call_id() == Ok("call-of-carol") {
            &carol
        } else {
            &dave
        };
        ladder.receive(&far.accepts(&hold, Direction::RecvOnly));
    }
    ladder.expect(Method::Ack);
    ladder.expect(Method::Ack);
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(operation));
    assert!(ladder.info(second).local_hold && ladder.info(third).local_hold);
}

#[test]
fn nobody_else_is_answered_asked_or_retrieved_meanwhile() {
    let (mut ladder, bob, second, carol) = two_calls();
    let (third, _, _) = ladder.ring("dave");
    let operation = swap_to(&mut ladder, CALL);
    let hold = ladder.expect(Method::Invite);
    let wrong = Err(CommandError::WrongState);
    assert_eq!(ladder.agent.hold_and_answer(ladder.now, third), wrong);
    let options = CallOptions::default();
    let asked = ladder
        .agent
        .consult(ladder.now, second, CallId(9), "erin", options);
    assert_eq!(asked, wrong);
    ladder.receive(&carol.accepts(&hold, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(operation));
    // Then the other one can be answered, when nobody else is listening.
    let operation = ladder.agent.hold_and_answer(ladder.now, third).unwrap();
    ladder.drain();
    is_held(&mut ladder, &bob);
    ladder.expect_response(200, Method::Invite);
    assert!(ladder.info(CALL).local_hold && ladder.info(second).local_hold);
    assert_eq!(ladder.outcome(operation), None, "no ACK yet");
}

#[test]
fn only_a_held_call_can_be_swapped_to() {
    let (mut ladder, _, second, _) = two_calls();
    let wrong = Err(CommandError::WrongState);
    assert_eq!(ladder.agent.swap_to(ladder.now, second), wrong);
    swap_to(&mut ladder, CALL);
    assert_eq!(ladder.agent.swap_to(ladder.now, CALL), wrong, "under way");
    let none = Err(CommandError::NoSuchCall);
    assert_eq!(ladder.agent.swap_to(ladder.now, CallId(9)), none);
}

#[test]
fn a_restart_takes_back_what_was_under_way() {
    let (mut ladder, bob, second, carol) = two_calls();
    swap_to(&mut ladder, CALL);
    is_held(&mut ladder, &carol);
    let snapshot = ladder.snapshot();
    let agent = UserAgent::restore(config(), snapshot, [9; 32], ladder.now, secs(0.0));
    let mut ladder = Ladder::of(agent, ladder.now);
    ladder.start();
    ladder.connect();
    ladder.register();
    for _ in 0..2 {
        let reinvite = ladder.expect(Method::Invite);
        let is_carol = reinvite.call_id() == Ok("call-of-carol");
        let (far, direction) = if is_carol {
            (&carol, Direction::SendRecv)
        } else {
            (&bob, Direction::RecvOnly)
        };
        ladder.receive(&far.accepts(&reinvite, direction));
    }
    assert!(ladder.info(CALL).local_hold);
    assert!(!ladder.info(second).local_hold);
}

#[test]
fn a_stop_ends_what_is_under_way() {
    let (mut ladder, _, _, _) = two_calls();
    let operation = swap_to(&mut ladder, CALL);
    ladder.stop();
    ladder.pass(3.0);
    assert!(ladder.failure(operation).is_some());
}
