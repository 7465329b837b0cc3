//! The far end of a call may be the focus of a conference (RFC 4579), and may become it in mid-call.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Method};
use clearline_core::{Direction, EndCause};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};

/// The far end, whose Contact has `features` from now on, changes the call with a re-INVITE.
fn changes(ladder: &mut Ladder, far: &mut FarEnd, features: &'static str) {
    far.features = features;
    let reinvite = far.invite(Direction::SendRecv);
    ladder.receive(&reinvite);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    // Whoever is a focus is asked who takes part (`roster.rs`).
    ladder.forget();
}

#[test]
fn whoever_answers_as_a_focus_is_one() {
    // RFC 3840 section 9: the name alone means that it is true.
    for (features, focus) in [
        ("", false),
        (";isfocus", true),
        (";+sip.instance=\"<urn:x>\";IsFocus", true),
        (";isfocus=\"TRUE\"", true),
        (";isfocus=\"FALSE\"", false),
        (";isfocus=\"\"", false),
        (";isfocused", false),
    ] {
        let mut ladder = Ladder::registered();
        ladder.dial(CALL, "bob");
        let invite = ladder.expect(Method::Invite);
        let mut far = FarEnd::called(&invite, "bob-tag");
        far.features = features;
        ladder.receive(&far.accepts(&invite, Direction::SendRecv));
        ladder.expect(Method::Ack);
        assert_eq!(ladder.info(CALL).focus, focus, "{features}");
    }
}

#[test]
fn a_call_becomes_a_conference_and_an_ordinary_call_again() {
    let (mut ladder, mut bob) = Ladder::in_outgoing_call();
    for (features, focus) in [(";isfocus", true), (";isfocus", true), ("", false)] {
        changes(&mut ladder, &mut bob, features);
        assert_eq!(ladder.info(CALL).focus, focus, "{features}");
    }
}

#[test]
fn a_conference_says_why_it_ends_for_this_side() {
    // RFC 3326.
    for (features, reason, cause) in [
        (
            ";isfocus",
            "SIP;cause=480;text=\"Everybody else has left\"",
            EndCause::AloneInConference,
        ),
        (";isfocus", "SIP;cause=403", EndCause::RemovedFromConference),
        (";isfocus", "Q.850;cause=16", EndCause::RemoteHangUp),
        ("", "SIP;cause=480", EndCause::RemoteHangUp),
        ("", "SIP;cause=403", EndCause::RemoteHangUp),
    ] {
        let (mut ladder, mut bob) = Ladder::in_outgoing_call();
        changes(&mut ladder, &mut bob, features);
        let bye = bob.request(Method::Bye).header(HeaderName::Reason, reason);
        ladder.receive(&bye.build());
        ladder.expect_response(200, Method::Bye);
        assert_eq!(ladder.cause(CALL), cause, "{features} {reason}");
    }
}

#[test]
fn a_call_that_is_over_goes_on_saying_what_it_was() {
    let (mut ladder, call, mut focus) = Ladder::in_incoming_call();
    changes(&mut ladder, &mut focus, ";isfocus");
    ladder.far_hangs_up(&mut focus);
    assert!(ladder.info(call).focus);
}
