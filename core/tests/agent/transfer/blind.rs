//! The far end is sent to somebody else without asking there first (RFC 5589 section 6).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{
    CallState, CommandError, Direction, EndCause, OperationError, OperationId, TransferState,
    TransferSupport, UserAgent,
};

use super::{is_held, is_retrieved, notify, tells, with_bob};
use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config};

/// Bob is held and asked to call carol.
fn referred() -> (Ladder, FarEnd, OperationId, Message) {
    let (mut ladder, bob) = with_bob();
    let operation = ladder.command(CALL, |call| call.transfer("carol")).unwrap();
    is_held(&mut ladder, &bob);
    let refer = ladder.expect(Method::Refer);
    (ladder, bob, operation, refer)
}

/// The same, and he has agreed.
fn accepted() -> (Ladder, FarEnd, OperationId) {
    let (mut ladder, bob, operation, refer) = referred();
    ladder.receive(&bob.response(&refer, 202).build());
    (ladder, bob, operation)
}

/// The call with bob is as before, and the user learns why.
fn came_back(ladder: &mut Ladder, bob: &FarEnd, operation: OperationId, why: &OperationError) {
    assert_eq!(ladder.failure(operation).as_ref(), Some(why));
    let failed = TransferState::Failed { error: why.clone() };
    assert_eq!(ladder.info(CALL).transfer, Some(failed));
    is_retrieved(ladder, bob, CALL);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.expect_silence();
}

#[test]
fn the_call_is_left_when_the_target_has_answered() {
    let (mut ladder, mut bob, operation, refer) = referred();
    assert_eq!(refer.header(HeaderName::ReferTo), Some("<sip:carol@example.com>"));
    assert_eq!(
        refer.header(HeaderName::ReferredBy),
        Some("<sip:alice@example.com>")
    );
    assert_eq!(ladder.info(CALL).transfer, Some(TransferState::Referring));
    ladder.receive(&bob.response(&refer, 202).build());
    tells(&mut ladder, &mut bob, "100 Trying", "active;expires=60");
    tells(&mut ladder, &mut bob, "180 Ringing", "active;expires=60");
    let ringing = TransferState::Proceeding { sip_status: 180 };
    assert_eq!(ladder.info(CALL).transfer, Some(ringing));
    assert_eq!(ladder.state(CALL), CallState::Active, "it stays until then");
    tells(&mut ladder, &mut bob, "200 OK", "terminated;reason=noresource");
    let bye = ladder.expect(Method::Bye);
    assert!(ladder.succeeded(operation));
    ladder.receive(&bob.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::Transferred);
    ladder.expect_silence();
}

#[test]
fn a_busy_target_brings_the_caller_back() {
    let (mut ladder, mut bob, operation) = accepted();
    tells(
        &mut ladder,
        &mut bob,
        "486 Busy Here",
        "terminated;reason=noresource",
    );
    let why = OperationError::TargetFailed {
        status: 486,
        reason: "Busy Here".into(),
    };
    came_back(&mut ladder, &bob, operation, &why);
    // What is said about it afterwards is about nothing any more.
    let late = notify(&mut bob, "200 OK", "terminated");
    ladder.receive(&late);
    ladder.expect_response(481, Method::Notify);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn the_reason_stays_until_the_next_command() {
    let (mut ladder, mut bob, operation) = accepted();
    tells(&mut ladder, &mut bob, "486 Busy Here", "terminated");
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.failure(operation).is_some());
    ladder.hold(CALL);
    assert_eq!(ladder.info(CALL).transfer, None);
}

#[test]
fn who_was_on_hold_before_stays_there() {
    let (mut ladder, mut bob) = with_bob();
    ladder.hold(CALL);
    is_held(&mut ladder, &bob);
    ladder.command(CALL, |call| call.transfer("carol")).unwrap();
    let refer = ladder.expect(Method::Refer);
    ladder.receive(&bob.response(&refer, 202).build());
    tells(&mut ladder, &mut bob, "404 Not Found", "terminated");
    ladder.expect_silence();
    assert!(ladder.info(CALL).local_hold);
}

#[test]
fn a_hold_that_the_user_commands_meanwhile_stays() {
    let (mut ladder, mut bob, _) = accepted();
    ladder.hold(CALL);
    tells(&mut ladder, &mut bob, "404 Not Found", "terminated");
    ladder.expect_silence();
    assert!(ladder.info(CALL).local_hold);
}

#[test]
fn a_refused_hold_ends_it_before_anybody_is_asked() {
    let (mut ladder, bob) = with_bob();
    let operation = ladder.command(CALL, |call| call.transfer("carol")).unwrap();
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
    assert!(!ladder.info(CALL).local_hold);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn whoever_does_not_know_refer_is_not_asked_again() {
    for status in [405, 501] {
        let (mut ladder, bob, operation, refer) = referred();
        ladder.receive(&bob.response(&refer, status).build());
        came_back(&mut ladder, &bob, operation, &OperationError::NotOffered);
        assert!(!ladder.info(CALL).transferable);
        let again = ladder.command(CALL, |call| call.transfer("carol"));
        assert_eq!(again, Err(CommandError::NotOffered));
    }
}

#[test]
fn a_refused_refer_brings_the_caller_back() {
    for (status, reason) in [
        (403, "Forbidden"),
        (408, "Request Timeout"),
        (481, "Call/Transaction Does Not Exist"),
        (491, "Request Pending"),
        (603, "Decline"),
    ] {
        let (mut ladder, bob, operation, refer) = referred();
        ladder.receive(&bob.response(&refer, status).build());
        let reason = reason.to_owned();
        came_back(
            &mut ladder,
            &bob,
            operation,
            &OperationError::Refused { status, reason },
        );
        assert!(ladder.info(CALL).transferable);
    }
}

#[test]
fn a_refer_without_any_answer_brings_the_caller_back() {
    let (mut ladder, bob, operation, _) = referred();
    ladder.pass(32.1);
    came_back(&mut ladder, &bob, operation, &OperationError::TimedOut);
}

#[test]
fn a_far_end_that_never_says_what_became_of_it_is_taken_back() {
    let (mut ladder, bob, operation) = accepted();
    ladder.pass(31.9);
    ladder.expect_silence();
    ladder.pass(0.2);
    came_back(&mut ladder, &bob, operation, &OperationError::OutcomeUnknown);
}

#[test]
fn a_far_end_that_only_ever_says_trying_is_taken_back() {
    let (mut ladder, mut bob, operation) = accepted();
    for _ in 0..6 {
        tells(&mut ladder, &mut bob, "100 Trying", "active;expires=4294967295");
        ladder.pass(39.0);
        ladder.expect_silence();
    }
    ladder.pass(7.0);
    came_back(&mut ladder, &bob, operation, &OperationError::OutcomeUnknown);
}

#[test]
fn a_subscription_that_ends_without_an_outcome_brings_the_caller_back() {
    for (state, why) in [
        ("terminated;reason=noresource", OperationError::OutcomeUnknown),
        (
            "terminated;reason=rejected",
            OperationError::TargetFailed {
                status: 603,
                reason: "Decline".into(),
            },
        ),
    ] {
        let (mut ladder, mut bob, operation) = accepted();
        tells(&mut ladder, &mut bob, "100 Trying", state);
        came_back(&mut ladder, &bob, operation, &why);
    }
}

#[test]
fn a_far_end_that_has_agreed_and_hangs_up_has_gone() {
    let (mut ladder, mut bob, operation) = accepted();
    ladder.far_hangs_up(&mut bob);
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.cause(CALL), EndCause::Transferred);
}

#[test]
fn a_far_end_that_hangs_up_before_it_has_agreed_has_hung_up() {
    let (mut ladder, mut bob, operation, _) = referred();
    ladder.far_hangs_up(&mut bob);
    assert_eq!(ladder.failure(operation), Some(OperationError::CallEnded));
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
}

#[test]
fn the_first_news_may_come_before_the_answer() {
    let (mut ladder, mut bob, operation, refer) = referred();
    tells(&mut ladder, &mut bob, "180 Ringing", "active;expires=60");
    ladder.receive(&bob.response(&refer, 202).build());
    tells(&mut ladder, &mut bob, "200 OK", "terminated");
    assert!(ladder.succeeded(operation));
}

#[test]
fn who_hangs_up_meanwhile_has_hung_up() {
    let (mut ladder, bob, operation) = accepted();
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&bob.response(&bye, 200).build());
    assert_eq!(ladder.failure(operation), Some(OperationError::CallEnded));
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
}

#[test]
fn it_can_be_cancelled_until_the_far_end_is_asked() {
    let (mut ladder, bob) = with_bob();
    let operation = ladder.command(CALL, |call| call.transfer("carol")).unwrap();
    let reinvite = ladder.expect(Method::Invite);
    let cancelled = ladder.command(CALL, |call| call.cancel_transfer()).unwrap();
    assert_eq!(ladder.failure(operation), Some(OperationError::Superseded));
    ladder.receive(&bob.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.succeeded(cancelled));
    ladder.expect_silence();

    let (mut ladder, _, operation, _) = referred();
    let cancelled = ladder.command(CALL, |call| call.cancel_transfer());
    assert_eq!(cancelled, Err(CommandError::WrongState));
    assert_eq!(ladder.outcome(operation), None);
}

#[test]
fn a_refer_that_was_lost_with_its_connection_may_have_been_heard() {
    let (mut ladder, mut bob, operation, _) = referred();
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let refresh = ladder.expect(Method::Invite);
    ladder.receive(&bob.accepts(&refresh, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    tells(&mut ladder, &mut bob, "200 OK", "terminated");
    assert!(ladder.succeeded(operation));
    ladder.expect(Method::Bye);
}

#[test]
fn news_go_on_after_a_reconnect() {
    let (mut ladder, mut bob, operation) = accepted();
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let refresh = ladder.expect(Method::Invite);
    ladder.receive(&bob.accepts(&refresh, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    tells(&mut ladder, &mut bob, "486 Busy Here", "terminated");
    is_retrieved(&mut ladder, &bob, CALL);
    assert!(ladder.failure(operation).is_some());
}

#[test]
fn a_restart_does_not_forget_that_the_far_end_is_to_come_back() {
    let (mut ladder, mut bob, _) = accepted();
    tells(&mut ladder, &mut bob, "180 Ringing", "active;expires=60");
    let snapshot = ladder.snapshot();
    let asleep = crate::ladder::secs(1.0);
    let agent = UserAgent::restore(config(), snapshot, [9; 32], ladder.now + asleep, asleep);
    let mut ladder = Ladder::of(agent, ladder.now + asleep);
    ladder.start();
    ladder.connect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&bob.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    let ringing = TransferState::Proceeding { sip_status: 180 };
    assert_eq!(ladder.info(CALL).transfer, Some(ringing));
    tells(&mut ladder, &mut bob, "486 Busy Here", "terminated");
    is_retrieved(&mut ladder, &bob, CALL);
}

#[test]
fn a_challenged_refer_is_sent_again_and_known_by_its_new_number() {
    let (mut ladder, mut bob, operation, refer) = referred();
    let challenge = ResponseBuilder::for_request(&refer, 407)
        .to_tag("edge")
        .header(
            HeaderName::ProxyAuthenticate,
            "Digest realm=\"example.com\", nonce=\"n1\", qop=\"auth\", algorithm=MD5",
        )
        .build();
    ladder.receive(&challenge);
    let again = ladder.expect(Method::Refer);
    assert!(again.header(HeaderName::ProxyAuthorization).is_some());
    ladder.receive(&bob.response(&again, 202).build());
    let number = again.cseq().unwrap().number;
    for (id, status) in [(number - 1, 481), (number, 200)] {
        let edit = notify(&mut bob, "200 OK", "terminated");
        let edit = edit.edit().set(HeaderName::Event, format_args!("refer;id={id}"));
        ladder.receive(&edit.build());
        ladder.expect_response(status, Method::Notify);
    }
    assert!(ladder.succeeded(operation));
}

#[test]
fn who_withholds_his_name_is_not_named() {
    let mut ladder = Ladder::registered();
    let mut options = clearline_core::CallOptions::default();
    options.anonymous = true;
    ladder.dial_with(CALL, "bob", options).unwrap();
    let invite = ladder.expect(Method::Invite);
    let bob = FarEnd::called(&invite, "bob-tag");
    ladder.receive(&bob.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.command(CALL, |call| call.transfer("carol")).unwrap();
    is_held(&mut ladder, &bob);
    let refer = ladder.expect(Method::Refer);
    assert!(!crate::ladder::text(&refer).contains("sip:alice"));
}

#[test]
fn only_sense_is_understood() {
    let (mut ladder, mut bob, operation) = accepted();
    let good = |bob: &mut FarEnd| notify(bob, "200 OK", "terminated");
    let big = format!("SIP/2.0 200 OK\r\n{}", "x".repeat(60_000));
    for (message, status) in [
        (
            good(&mut bob).edit().set(HeaderName::Event, "presence").build(),
            489,
        ),
        (good(&mut bob).edit().remove(HeaderName::Event).build(), 489),
        (
            good(&mut bob)
                .edit()
                .set(HeaderName::Event, "refer;id=soon")
                .build(),
            481,
        ),
        (
            good(&mut bob)
                .edit()
                .remove(HeaderName::SubscriptionState)
                .build(),
            400,
        ),
        (
            good(&mut bob)
                .edit()
                .set(HeaderName::ContentType, "text/plain")
                .build(),
            415,
        ),
        (
            good(&mut bob)
                .edit()
                .set(HeaderName::ContentEncoding, "gzip")
                .build(),
            415,
        ),
        (notify(&mut bob, "2000 OK", "terminated"), 400),
        (notify(&mut bob, "", "active"), 400),
    ] {
        ladder.receive(&message);
        ladder.expect_response(status, Method::Notify);
        assert_eq!(ladder.outcome(operation), None);
        assert_eq!(ladder.state(CALL), CallState::Active);
    }
    let large = bob
        .request(Method::Notify)
        .header(HeaderName::Event, "refer")
        .header(HeaderName::SubscriptionState, "terminated")
        .body("message/sipfrag", big.as_bytes())
        .build();
    ladder.receive(&large);
    ladder.expect_response(200, Method::Notify);
    assert!(ladder.succeeded(operation));
}

#[test]
fn commands_that_make_no_sense_are_refused() {
    let (mut ladder, _) = with_bob();
    let transfer = |ladder: &mut Ladder, target| ladder.command(CALL, |call| call.transfer(target));
    assert_eq!(
        transfer(&mut ladder, "not a number"),
        Err(CommandError::InvalidTarget)
    );
    assert_eq!(
        transfer(&mut ladder, "bob"),
        Err(CommandError::InvalidTarget),
        "to himself"
    );
    transfer(&mut ladder, "carol").unwrap();
    assert_eq!(
        transfer(&mut ladder, "dave"),
        Err(CommandError::WrongState),
        "at once"
    );
    let cancelled = ladder.command(clearline_core::CallId(1), |call| call.transfer("carol"));
    assert_eq!(cancelled, Err(CommandError::NoSuchCall));

    let (mut ladder, _, _) = accepted();
    assert_eq!(transfer(&mut ladder, "dave"), Err(CommandError::WrongState));

    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    assert_eq!(
        transfer(&mut ladder, "carol"),
        Err(CommandError::WrongState),
        "unanswered"
    );
}

#[test]
fn what_is_not_offered_is_not_tried() {
    // The platform does not transfer.
    let mut config = config();
    config.transfer_support = TransferSupport::None;
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    ladder.make_call(CALL, "bob");
    assert!(!ladder.info(CALL).transferable);
    let refused = ladder.command(CALL, |call| call.transfer("carol"));
    assert_eq!(refused, Err(CommandError::NotOffered));

    // The far end says what it can do, and this is not among it.
    let (mut ladder, _) = Ladder::in_call_with_update();
    assert!(!ladder.info(CALL).transferable);
    let refused = ladder.command(CALL, |call| call.transfer("carol"));
    assert_eq!(refused, Err(CommandError::NotOffered));
    ladder.expect_silence();
}
