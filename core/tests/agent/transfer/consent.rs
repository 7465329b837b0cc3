//! Whether this side lets itself be sent on: by policy, or by the user.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Method};
use clearline_core::{CallState, CommandError, Direction, EndCause, Event, TransferPolicy};

use super::referred::{is_told, refer, with_policy};
use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};

/// The user is asked about a call to mallory.
fn asked() -> (Ladder, FarEnd) {
    let (mut ladder, mut bob) = with_policy(TransferPolicy::Ask);
    ladder.receive(&refer(&mut bob, "\"Mal\" <sip:mallory@elsewhere.example>"));
    ladder.expect_response(202, Method::Refer);
    is_told(&mut ladder, &bob, "SIP/2.0 100 Trying", "pending");
    let request = ladder.info(CALL).transfer_request.clone().unwrap();
    assert_eq!(request.target.uri, "sip:mallory@elsewhere.example");
    assert_eq!(request.target.display_name, "Mal");
    assert_eq!(request.referred_by.user, "bob");
    let events = ladder.take_events();
    let is_asked = |event: &Event| matches!(event, Event::TransferRequested { call: CALL, .. });
    assert_eq!(events.iter().filter(|event| is_asked(event)).count(), 1);
    ladder.expect_silence();
    (ladder, bob)
}

#[test]
fn the_user_agrees() {
    let (mut ladder, bob) = asked();
    let operation = ladder.command(CALL, |call| call.accept_transfer()).unwrap();
    let invite = ladder.expect(Method::Invite);
    assert_eq!(invite.request_uri_text(), Some("sip:mallory@elsewhere.example"));
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.info(CALL).transfer_request, None);
    ladder.respond(&invite, 180);
    is_told(&mut ladder, &bob, "SIP/2.0 180 Ringing", "active");
}

#[test]
fn the_user_does_not_want_to() {
    let (mut ladder, bob) = asked();
    let operation = ladder.command(CALL, |call| call.decline_transfer()).unwrap();
    is_told(&mut ladder, &bob, "SIP/2.0 603 Decline", "terminated");
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.info(CALL).transfer_request, None);
    assert_eq!(ladder.state(CALL), CallState::Active);
    let again = ladder.command(CALL, |call| call.accept_transfer());
    assert_eq!(again, Err(CommandError::WrongState));
}

#[test]
fn nobody_decides() {
    let (mut ladder, bob) = asked();
    ladder.pass(59.9);
    ladder.expect_silence();
    ladder.pass(0.2);
    is_told(
        &mut ladder,
        &bob,
        "SIP/2.0 480 Temporarily Unavailable",
        "terminated",
    );
    assert_eq!(ladder.info(CALL).transfer_request, None);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn the_question_ends_with_the_call() {
    let (mut ladder, mut bob) = asked();
    ladder.far_hangs_up(&mut bob);
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
    assert_eq!(ladder.info(CALL).transfer_request, None);
    assert_eq!(ladder.agent.calls().count(), 0);
}

#[test]
fn policies() {
    let own = "<sip:carol@example.com>";
    let foreign = "<sip:carol@elsewhere.example>";
    let telephone = "<tel:+49900123>";
    for (policy, target, is_followed) in [
        (TransferPolicy::Always, foreign, true),
        (TransferPolicy::Always, telephone, true),
        (TransferPolicy::SameDomain, own, true),
        (TransferPolicy::SameDomain, foreign, false),
        (TransferPolicy::SameDomain, telephone, false),
        (TransferPolicy::SameDomain, "<sip:*72900@example.com>", false),
        (TransferPolicy::Ask, own, false),
    ] {
        let (mut ladder, mut bob) = with_policy(policy);
        ladder.receive(&refer(&mut bob, target));
        ladder.expect_response(202, Method::Refer);
        let is_asked = ladder.info(CALL).transfer_request.is_some();
        assert_eq!(is_asked, !is_followed, "{policy:?} {target}");
        assert_eq!(ladder.agent.calls().count(), 1 + usize::from(is_followed));
    }
    // Bob turns out to be from elsewhere.
    let (mut ladder, mut bob) = with_policy(TransferPolicy::SameDomain);
    let update = bob.invite(Direction::SendRecv);
    let asserted = "<sip:+4990012@carrier.example>";
    ladder.receive(
        &update
            .edit()
            .append(HeaderName::PAssertedIdentity, asserted)
            .build(),
    );
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&bob.ack(&ok).build());
    ladder.receive(&refer(&mut bob, own));
    ladder.expect_response(202, Method::Refer);
    assert!(ladder.info(CALL).transfer_request.is_some());

    let (mut ladder, mut bob) = with_policy(TransferPolicy::Never);
    ladder.receive(&refer(&mut bob, own));
    ladder.expect_response(603, Method::Refer);
    ladder.expect_silence();
}
