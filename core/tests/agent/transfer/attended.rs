//! Somebody is asked before the far end is sent there (RFC 5589 section 7).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, ReferTo};
use clearline_core::{
    CallId, CallOptions, CallState, CommandError, Direction, EndCause, OperationError, OperationId,
    TransferState, UserAgent,
};

use super::{is_held, is_retrieved, tells, with_bob};
use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, secs};

const SECOND: CallId = CallId(0xca12);

fn consult(ladder: &mut Ladder) -> OperationId {
    consult_at(ladder, "carol")
}

fn consult_at(ladder: &mut Ladder, target: &str) -> OperationId {
    let options = CallOptions::default();
    let operation = ladder.agent.consult(ladder.now, CALL, SECOND, target, options);
    let operation = operation.unwrap();
    ladder.accepted(operation);
    ladder.drain();
    operation
}

/// Bob is on hold, and carol's telephone is about to ring.
fn asking() -> (Ladder, FarEnd, Message) {
    let (mut ladder, bob) = with_bob();
    let operation = consult(&mut ladder);
    is_held(&mut ladder, &bob);
    let invite = ladder.expect(Method::Invite);
    assert!(ladder.succeeded(operation));
    (ladder, bob, invite)
}

/// Carol has answered.
fn consulting() -> (Ladder, FarEnd, FarEnd) {
    let (mut ladder, bob, invite) = asking();
    let carol = FarEnd::called(&invite, "carol-tag");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    let consulting = TransferState::Consulting { with: SECOND };
    assert_eq!(ladder.info(CALL).transfer, Some(consulting));
    (ladder, bob, carol)
}

fn complete(ladder: &mut Ladder) -> OperationId {
    ladder.command(CALL, |call| call.transfer_to(SECOND)).unwrap()
}

/// Bob has been asked to take alice's place, and has agreed.
fn completing() -> (Ladder, FarEnd, FarEnd, OperationId) {
    let (mut ladder, bob, carol) = consulting();
    let operation = complete(&mut ladder);
    let refer = ladder.expect(Method::Refer);
    ladder.receive(&bob.response(&refer, 202).build());
    (ladder, bob, carol, operation)
}

#[test]
fn the_far_end_takes_this_sides_place() {
    let (mut ladder, mut bob, carol) = consulting();
    let operation = complete(&mut ladder);
    let refer = ladder.expect(Method::Refer);
    assert_eq!(refer.to().unwrap().tag(), Some("bob-tag"));
    let refer_to = ReferTo::parse(refer.header(HeaderName::ReferTo).unwrap()).unwrap();
    assert_eq!(refer_to.target.as_str(), "sip:carol@example.com");
    let replaces = refer_to.replaces.unwrap();
    assert!(replaces.contains(";to-tag=carol-tag;from-tag="), "{replaces}");
    ladder.receive(&bob.response(&refer, 202).build());
    tells(&mut ladder, &mut bob, "100 Trying", "active;expires=60");
    ladder.expect_silence();
    tells(&mut ladder, &mut bob, "200 OK", "terminated;reason=noresource");
    assert!(ladder.succeeded(operation));
    for _ in 0..2 {
        let bye = ladder.expect(Method::Bye);
        let far = if bye.to().unwrap().tag() == Some("bob-tag") {
            &bob
        } else {
            &carol
        };
        ladder.receive(&far.response(&bye, 200).build());
    }
    assert_eq!(ladder.cause(CALL), EndCause::Transferred);
    assert_eq!(ladder.cause(SECOND), EndCause::Transferred);
    assert_eq!(ladder.agent.calls().count(), 0);
}

/// Nobody can be called at `anonymous.invalid`; where that telephone is can be.
#[test]
fn who_has_withheld_the_number_is_sent_on_by_where_it_is() {
    let (mut ladder, bob) = with_bob();
    ladder.hold(CALL);
    is_held(&mut ladder, &bob);
    let mut stranger = FarEnd::calling("anonymous", "sip:alice@alice.invalid");
    ladder.receive(&stranger.invite(Direction::SendRecv));
    stranger.learn(&ladder.expect_response(180, Method::Invite));
    let second = ladder.newest_call();
    ladder.answer(second);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&stranger.ack(&ok).build());
    ladder.command(CALL, |call| call.transfer_to(second)).unwrap();
    let refer = ladder.expect(Method::Refer);
    let refer_to = ReferTo::parse(refer.header(HeaderName::ReferTo).unwrap()).unwrap();
    let target = refer_to.target.as_str();
    assert!(target.ends_with(".invalid;transport=ws"), "{target}");
    assert!(!target.contains("example.com"), "{target}");
}

#[test]
fn digits_behind_the_number_are_sent_when_it_is_answered() {
    let (mut ladder, bob) = with_bob();
    let operation = consult_at(&mut ladder, "100,42#");
    is_held(&mut ladder, &bob);
    let invite = ladder.expect(Method::Invite);
    assert!(ladder.succeeded(operation));
    assert_eq!(invite.request_uri_text(), Some("sip:100@example.com"));
    let carol = FarEnd::called(&invite, "carol-tag");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.pass(10.0);
    assert_eq!(ladder.media.tones(), "42#");
}

#[test]
fn the_target_may_leave_before_the_outcome_is_told() {
    let (mut ladder, mut bob, mut carol, operation) = completing();
    ladder.far_hangs_up(&mut carol);
    assert_eq!(ladder.cause(SECOND), EndCause::Transferred);
    ladder.expect_silence();
    tells(&mut ladder, &mut bob, "200 OK", "terminated");
    ladder.expect(Method::Bye);
    assert!(ladder.succeeded(operation));
}

#[test]
fn both_may_leave_without_a_word() {
    let (mut ladder, mut bob, mut carol, operation) = completing();
    ladder.far_hangs_up(&mut carol);
    ladder.far_hangs_up(&mut bob);
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.cause(CALL), EndCause::Transferred);
    ladder.expect_silence();
}

#[test]
fn a_target_with_an_address_of_its_own_is_found_there() {
    let (mut ladder, _, carol) = consulting();
    let hold = ladder.hold(SECOND);
    let reinvite = ladder.expect(Method::Invite);
    let ok = carol.accepts(&reinvite, Direction::RecvOnly);
    let gruu = "<sip:carol@example.com;gr=urn:uuid:5>";
    ladder.receive(&ok.edit().set(HeaderName::Contact, gruu).build());
    ladder.expect(Method::Ack);
    assert!(ladder.succeeded(hold));
    complete(&mut ladder);
    let refer = ladder.expect(Method::Refer);
    let refer_to = ReferTo::parse(refer.header(HeaderName::ReferTo).unwrap()).unwrap();
    assert_eq!(refer_to.target.as_str(), "sip:carol@example.com;gr=urn:uuid:5");
}

#[test]
fn when_it_fails_both_calls_are_what_they_were() {
    let (mut ladder, mut bob, _, operation) = completing();
    tells(&mut ladder, &mut bob, "603 Decline", "terminated");
    assert!(matches!(
        ladder.failure(operation),
        Some(OperationError::TargetFailed { status: 603, .. })
    ));
    ladder.expect_silence();
    assert!(ladder.info(CALL).local_hold);
    assert_eq!(ladder.state(SECOND), CallState::Active);
    let consulting = TransferState::Consulting { with: SECOND };
    assert_eq!(ladder.info(CALL).transfer, Some(consulting));
    // It can be tried again.
    complete(&mut ladder);
    ladder.expect(Method::Refer);
}

#[test]
fn a_refused_refer_leaves_both_calls_what_they_were() {
    for status in [405, 403, 603] {
        let (mut ladder, bob, _) = consulting();
        let operation = complete(&mut ladder);
        let refer = ladder.expect(Method::Refer);
        ladder.receive(&bob.response(&refer, status).build());
        assert!(ladder.failure(operation).is_some());
        ladder.expect_silence();
        assert!(ladder.info(CALL).local_hold);
        assert_eq!(ladder.state(SECOND), CallState::Active);
    }
}

#[test]
fn a_target_that_is_gone_when_it_fails_brings_the_caller_back() {
    let (mut ladder, mut bob, mut carol, operation) = completing();
    ladder.far_hangs_up(&mut carol);
    tells(&mut ladder, &mut bob, "481 Gone", "terminated");
    assert!(ladder.failure(operation).is_some());
    is_retrieved(&mut ladder, &bob, CALL);
    assert_eq!(ladder.agent.calls().count(), 1);
}

#[test]
fn nobody_is_called_while_the_far_end_is_not_on_hold() {
    let (mut ladder, bob) = with_bob();
    let operation = consult(&mut ladder);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&bob.response(&reinvite, 488).build());
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert!(matches!(
        ladder.failure(operation),
        Some(OperationError::Refused { status: 488, .. })
    ));
    assert!(matches!(
        ladder.info(CALL).transfer,
        Some(TransferState::Failed { .. })
    ));
    assert_eq!(ladder.agent.calls().count(), 1);
}

#[test]
fn the_caller_comes_back_when_the_target_does_not_answer() {
    for status in [404, 486, 603] {
        let (mut ladder, bob, invite) = asking();
        ladder.respond(&invite, status);
        ladder.expect(Method::Ack);
        is_retrieved(&mut ladder, &bob, CALL);
        assert_eq!(ladder.info(CALL).transfer, None);
        assert_eq!(ladder.state(SECOND), CallState::Ended);
    }
}

#[test]
fn the_caller_comes_back_when_the_target_hangs_up() {
    let (mut ladder, bob, mut carol) = consulting();
    ladder.far_hangs_up(&mut carol);
    is_retrieved(&mut ladder, &bob, CALL);
    assert_eq!(ladder.cause(SECOND), EndCause::RemoteHangUp);
}

#[test]
fn the_caller_comes_back_when_the_user_hangs_up_on_the_target() {
    let (mut ladder, bob, carol) = consulting();
    ladder.hang_up(SECOND);
    let bye = ladder.expect(Method::Bye);
    is_retrieved(&mut ladder, &bob, CALL);
    ladder.receive(&carol.response(&bye, 200).build());
    ladder.expect_silence();
}

#[test]
fn cancelling_brings_the_caller_back() {
    let (mut ladder, bob, carol) = consulting();
    let cancelled = ladder.command(CALL, |call| call.cancel_transfer()).unwrap();
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("carol-tag"));
    assert_eq!(ladder.outcome(cancelled), None);
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(cancelled));
    ladder.receive(&carol.response(&bye, 200).build());
    assert_eq!(ladder.cause(SECOND), EndCause::LocalHangUp);
    assert_eq!(
        ladder.command(CALL, |call| call.cancel_transfer()),
        Err(CommandError::WrongState)
    );
}

#[test]
fn cancelling_while_it_rings_stops_the_ringing() {
    let (mut ladder, bob, invite) = asking();
    ladder.respond(&invite, 180);
    let cancelled = ladder.command(CALL, |call| call.cancel_transfer()).unwrap();
    ladder.expect(Method::Cancel);
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(cancelled));
    // The target answers in the same moment.
    let carol = FarEnd::called(&invite, "far");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect(Method::Bye);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn cancelling_before_the_far_end_is_held_calls_nobody() {
    let (mut ladder, bob) = with_bob();
    let operation = consult(&mut ladder);
    let reinvite = ladder.expect(Method::Invite);
    let cancelled = ladder.command(CALL, |call| call.cancel_transfer()).unwrap();
    assert_eq!(ladder.failure(operation), Some(OperationError::Superseded));
    ladder.receive(&bob.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(cancelled));
    assert_eq!(ladder.agent.calls().count(), 1);
}

#[test]
fn the_user_may_alternate_meanwhile() {
    let (mut ladder, bob, mut carol) = consulting();
    let swap = ladder.agent.swap_to(ladder.now, CALL).unwrap();
    ladder.drain();
    is_held(&mut ladder, &carol);
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(swap));
    // The far end is put on hold again before it is sent on.
    complete(&mut ladder);
    is_held(&mut ladder, &bob);
    ladder.expect(Method::Refer);

    let (mut ladder, bob, _) = consulting();
    ladder.agent.swap_to(ladder.now, CALL).unwrap();
    ladder.drain();
    is_held(&mut ladder, &carol);
    is_retrieved(&mut ladder, &bob, CALL);
    ladder.far_hangs_up(&mut carol);
    ladder.expect_silence();
    assert_eq!(ladder.info(CALL).transfer, None);
}

#[test]
fn whoever_answers_when_the_user_has_gone_back_waits() {
    let (mut ladder, bob, invite) = asking();
    ladder.respond(&invite, 180);
    let swap = ladder.agent.swap_to(ladder.now, CALL).unwrap();
    ladder.drain();
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(swap));
    let carol = FarEnd::called(&invite, "far");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    is_held(&mut ladder, &carol);
    assert!(ladder.info(SECOND).local_hold);
    assert!(!ladder.info(CALL).local_hold);
    // It is the user's to change.
    ladder.resume(SECOND);
    is_retrieved(&mut ladder, &carol, SECOND);
    ladder.expect_silence();
}

#[test]
fn who_only_rings_is_called_by_the_far_end_itself() {
    let (mut ladder, mut bob, invite) = asking();
    ladder.respond(&invite, 180);
    let operation = complete(&mut ladder);
    ladder.expect(Method::Cancel);
    ladder.expect_silence();
    ladder.respond(&invite, 487);
    ladder.expect(Method::Ack);
    let refer = ladder.expect(Method::Refer);
    assert_eq!(refer.header(HeaderName::ReferTo), Some("<sip:carol@example.com>"));
    ladder.receive(&bob.response(&refer, 202).build());
    tells(&mut ladder, &mut bob, "200 OK", "terminated");
    ladder.expect(Method::Bye);
    assert!(ladder.succeeded(operation));
}

#[test]
fn an_answer_that_crosses_the_change_of_mind_does_not_matter() {
    let (mut ladder, mut bob, invite) = asking();
    ladder.respond(&invite, 180);
    let operation = complete(&mut ladder);
    ladder.expect(Method::Cancel);
    let carol = FarEnd::called(&invite, "far");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    let bye = ladder.expect(Method::Bye);
    ladder.expect_silence();
    ladder.receive(&carol.response(&bye, 200).build());
    let refer = ladder.expect(Method::Refer);
    ladder.receive(&bob.response(&refer, 202).build());
    // There is no other call to go back to.
    tells(&mut ladder, &mut bob, "486 Busy Here", "terminated");
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.failure(operation).is_some());
    assert!(matches!(
        ladder.info(CALL).transfer,
        Some(TransferState::Failed { .. })
    ));
}

#[test]
fn a_caller_who_does_not_wait_leaves_the_other_call() {
    let (mut ladder, mut bob, _) = consulting();
    ladder.far_hangs_up(&mut bob);
    ladder.expect_silence();
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
    assert_eq!(ladder.state(SECOND), CallState::Active);
}

#[test]
fn any_two_calls_can_be_connected() {
    let (mut ladder, mut bob) = with_bob();
    let (second, _carol) = ladder.take_call("carol");
    let operation = ladder.command(CALL, |call| call.transfer_to(second)).unwrap();
    is_held(&mut ladder, &bob);
    let refer = ladder.expect(Method::Refer);
    ladder.receive(&bob.response(&refer, 202).build());
    tells(&mut ladder, &mut bob, "500 Oh", "terminated");
    assert!(ladder.failure(operation).is_some());
    ladder.expect_silence();
    assert!(ladder.info(CALL).local_hold, "the user speaks with carol");
    assert!(!ladder.info(second).local_hold);
    ladder.resume(CALL);
    is_retrieved(&mut ladder, &bob, CALL);
}

#[test]
fn if_the_one_does_not_know_how_the_other_is_sent() {
    let (mut ladder, mut bob) = Ladder::in_call_with_update();
    let (second, mut carol) = ladder.take_call("carol");
    ladder.forget();
    let operation = ladder.command(CALL, |call| call.transfer_to(second)).unwrap();
    is_held(&mut ladder, &carol);
    let refer = ladder.expect(Method::Refer);
    assert_eq!(refer.call_id(), Ok("call-of-carol"));
    let refer_to = ReferTo::parse(refer.header(HeaderName::ReferTo).unwrap()).unwrap();
    assert_eq!(refer_to.target.as_str(), "sip:bob@example.com");
    ladder.receive(&carol.response(&refer, 202).build());
    ladder.far_hangs_up(&mut bob);
    tells(&mut ladder, &mut carol, "200 OK", "terminated");
    assert!(ladder.succeeded(operation));
    ladder.expect(Method::Bye);
    assert_eq!(ladder.cause(CALL), EndCause::Transferred);
}

#[test]
fn a_restart_does_not_forget_who_waits() {
    // The other call is restored too.
    let (ladder, bob, mut carol) = consulting();
    let mut ladder = restarted(&ladder);
    for _ in 0..2 {
        let reinvite = ladder.expect(Method::Invite);
        let is_bob = reinvite.to().unwrap().tag() == Some("bob-tag");
        let (far, direction) = if is_bob {
            (&bob, Direction::RecvOnly)
        } else {
            (&carol, Direction::SendRecv)
        };
        ladder.receive(&far.accepts(&reinvite, direction));
    }
    ladder.expect(Method::Ack);
    ladder.expect(Method::Ack);
    assert_eq!(
        ladder.info(CALL).transfer,
        Some(TransferState::Consulting { with: SECOND })
    );
    ladder.far_hangs_up(&mut carol);
    is_retrieved(&mut ladder, &bob, CALL);

    // It had not been answered, and is gone.
    let (ladder, bob, _) = asking();
    let mut ladder = restarted(&ladder);
    let reinvite = ladder.wait_for(Method::Invite);
    ladder.expect(Method::Cancel);
    ladder.receive(&bob.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert!(!ladder.info(CALL).local_hold);
}

fn restarted(ladder: &Ladder) -> Ladder {
    let snapshot = ladder.snapshot();
    let agent = UserAgent::restore(config(), snapshot, [9; 32], ladder.now + secs(1.0), secs(1.0));
    let mut ladder = Ladder::of(agent, ladder.now + secs(1.0));
    ladder.start();
    ladder.connect();
    ladder.register();
    ladder
}

#[test]
fn commands_that_make_no_sense_are_refused() {
    let (mut ladder, _, _) = consulting();
    let wrong = Err(CommandError::WrongState);
    assert_eq!(ladder.command(CALL, |call| call.transfer_to(CALL)), wrong);
    assert_eq!(
        ladder.command(CALL, |call| call.transfer("dave")),
        wrong,
        "carol is being asked"
    );
    let none = Err(CommandError::NoSuchCall);
    assert_eq!(ladder.command(CALL, |call| call.transfer_to(CallId(7))), none);
    let again = ladder
        .agent
        .consult(ladder.now, CALL, CallId(5), "dave", CallOptions::default());
    assert_eq!(again, wrong);
    let taken = ladder
        .agent
        .consult(ladder.now, SECOND, CALL, "dave", CallOptions::default());
    assert_eq!(taken, Err(CommandError::DuplicateCall));
    let ringing = ladder.ring("eve").0;
    assert_eq!(ladder.command(CALL, |call| call.transfer_to(ringing)), wrong);
}
