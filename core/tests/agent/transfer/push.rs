//! The far end is sent to the user's other devices.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{CallState, Direction, OperationId};

use super::{is_held, is_retrieved, tells, with_bob};
use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};

/// Bob is held and asked to call alice.
fn pushed() -> (Ladder, FarEnd, OperationId) {
    let (mut ladder, mut bob) = with_bob();
    let operation = ladder.command(CALL, |call| call.push()).unwrap();
    is_held(&mut ladder, &bob);
    let refer = ladder.expect(Method::Refer);
    assert_eq!(refer.header(HeaderName::ReferTo), Some("<sip:alice@example.com>"));
    ladder.receive(&bob.response(&refer, 202).build());
    tells(&mut ladder, &mut bob, "100 Trying", "active;expires=60");
    (ladder, bob, operation)
}

/// The call that `user` makes to alice because `by` has asked for it.
fn invite(user: &str, by: &str) -> Message {
    let mut far = FarEnd::calling(user, "sip:alice@alice.invalid");
    let invite = far.invite(Direction::SendRecv);
    invite
        .edit()
        .append(HeaderName::ReferredBy, format!("<sip:{by}@example.com>"))
        .append(HeaderName::PAssertedIdentity, format!("<sip:{user}@example.com>"))
        .build()
}

/// The platform rings all devices of alice, this one too.
#[test]
fn the_device_that_pushes_does_not_ring() {
    let (mut ladder, mut bob, operation) = pushed();
    ladder.receive(&invite("bob", "alice"));
    ladder.expect_response(486, Method::Invite);
    assert_eq!(ladder.agent.calls().count(), 1);
    tells(&mut ladder, &mut bob, "200 OK", "terminated;reason=noresource");
    ladder.expect(Method::Bye);
    assert!(ladder.succeeded(operation));
}

#[test]
fn a_call_that_nobody_takes_stays_here() {
    let (mut ladder, mut bob, operation) = pushed();
    tells(&mut ladder, &mut bob, "480 Gone", "terminated;reason=noresource");
    assert!(ladder.failure(operation).is_some());
    is_retrieved(&mut ladder, &bob, CALL);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

/// Everybody else who calls rings: another caller, and bob himself if somebody else has sent him, or when it is over.
#[test]
fn others_ring_all_the_same() {
    for (user, by) in [("carol", "alice"), ("bob", "carol")] {
        let (mut ladder, ..) = pushed();
        ladder.receive(&invite(user, by));
        ladder.expect_response(180, Method::Invite);
    }
    let (mut ladder, mut bob, _) = pushed();
    tells(&mut ladder, &mut bob, "480 Gone", "terminated;reason=noresource");
    is_retrieved(&mut ladder, &bob, CALL);
    ladder.receive(&invite("bob", "alice"));
    ladder.expect_response(180, Method::Invite);
}
