//! Transferring calls: with REFER (RFC 3515, RFC 5589), both as the one who sends the far end on and as the one who is sent.

mod attended;
mod blind;
mod consent;
mod push;
mod referred;
mod swap;
mod third_call;
mod undo;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{CallId, Direction};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};

/// A NOTIFY about the REFER of the agent: how the call stands that it asked for.
fn notify(far: &mut FarEnd, status: &str, state: &str) -> Message {
    let line = format!("SIP/2.0 {status}\r\n");
    far.request(Method::Notify)
        .header(HeaderName::Event, "refer")
        .header(HeaderName::SubscriptionState, state)
        .body("message/sipfrag;version=2.0", line.as_bytes())
        .build()
}

/// The far end of a call says how the call stands that it was asked to make; the agent takes note.
fn tells(ladder: &mut Ladder, far: &mut FarEnd, status: &str, state: &str) {
    let notify = notify(far, status, state);
    ladder.receive(&notify);
    ladder.expect_response(200, Method::Notify);
}

/// The far end lets itself be put on hold.
fn is_held(ladder: &mut Ladder, far: &FarEnd) {
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
}

/// The far end is taken off hold.
fn is_retrieved(ladder: &mut Ladder, far: &FarEnd, call: CallId) {
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert!(!ladder.info(call).local_hold);
}

/// A call with bob.
fn with_bob() -> (Ladder, FarEnd) {
    let (mut ladder, bob) = Ladder::in_outgoing_call();
    assert!(ladder.info(CALL).transferable);
    ladder.forget();
    (ladder, bob)
}
