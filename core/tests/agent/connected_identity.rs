//! Connected identity (RFC 4916): who is at the far end may change inside a call.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::Direction;
use clearline_core::MediaErrorKind;
use clearline_core::sip::{HeaderName, Message, Method};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};
use crate::media::sdp;

const CAROL: &str = "\"Carol\" <sip:carol@example.com>;tag=bob-tag";

fn from(message: &Message, value: &str) -> Message {
    message.edit().set(HeaderName::From, value).build()
}

/// A request of the far end that may change the session.
fn change(far: &mut FarEnd, method: Method<'_>) -> Message {
    let request = far.request(method);
    request
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes())
        .build()
}

fn finish(ladder: &mut Ladder, far: &mut FarEnd, method: Method<'_>) -> Message {
    let ok = ladder.expect_response(200, method);
    if method == Method::Invite {
        ladder.receive(&far.ack(&ok).build());
    }
    ok
}

#[test]
fn it_is_offered_and_this_side_stays_who_it_is() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    assert!(reinvite.lists_token(HeaderName::Supported, "from-change"));
    assert_eq!(reinvite.from().unwrap().uri.as_str(), "sip:alice@example.com");
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
}

#[test]
fn another_person_at_the_far_end_is_shown_and_addressed() {
    for method in [Method::Invite, Method::Update] {
        let (mut ladder, mut far) = Ladder::in_outgoing_call();
        ladder.receive(&from(&change(&mut far, method), CAROL));
        finish(&mut ladder, &mut far, method);
        let remote = &ladder.info(CALL).remote;
        assert_eq!(
            (remote.display_name.as_str(), remote.user.as_str()),
            ("Carol", "carol")
        );
        ladder.hang_up(CALL);
        let bye = ladder.expect(Method::Bye);
        let to = bye.to().unwrap();
        assert_eq!(
            (to.uri.as_str(), to.tag()),
            ("sip:carol@example.com", Some("bob-tag"))
        );
        assert_eq!(bye.from().unwrap().uri.as_str(), "sip:alice@example.com");
    }
}

#[test]
fn what_the_platform_asserts_counts_where_from_stays() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let asserted = change(&mut far, Method::Update)
        .edit()
        .append(HeaderName::PAssertedIdentity, "\"Dave\" <sip:dave@example.com>")
        .build();
    ladder.receive(&asserted);
    finish(&mut ladder, &mut far, Method::Update);
    assert_eq!(ladder.info(CALL).remote.user, "dave");
    // The next request says nothing new, so that the assertion stands.
    ladder.receive(&change(&mut far, Method::Update));
    finish(&mut ladder, &mut far, Method::Update);
    assert_eq!(ladder.info(CALL).remote.user, "dave");
}

#[test]
fn one_who_withholds_who_it_is_is_not_shown() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=bob-tag";
    ladder.receive(&from(&change(&mut far, Method::Update), anonymous));
    finish(&mut ladder, &mut far, Method::Update);
    assert!(ladder.info(CALL).anonymous);
    assert_eq!(ladder.info(CALL).remote.user, "");
}

#[test]
fn a_refused_request_changes_nobody() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    ladder.receive(&from(&change(&mut far, Method::Invite), CAROL));
    ladder.media_fails(MediaErrorKind::DescriptionRejected);
    ladder.expect_response(488, Method::Invite);
    assert_eq!(ladder.info(CALL).remote.user, "bob");
}
