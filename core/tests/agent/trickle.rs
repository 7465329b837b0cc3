//! Candidates that come after the description (RFC 8838, RFC 8840).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{CallState, Direction, MediaAction, MediaEvent};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};

const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const ONE: &str = "a=ice-ufrag:a\r\na=ice-pwd:b\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";

/// A call with a far end that does, or does not, take candidates by INFO.
fn in_call(takes_trickle: bool) -> (Ladder, FarEnd) {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    assert!(invite.lists_token(HeaderName::Supported, "trickle-ice"));
    let far = FarEnd::called(&invite, "bob-tag");
    let ok = far.accepts(&invite, Direction::SendRecv);
    let ok = if takes_trickle {
        ok.edit().append(HeaderName::RecvInfo, "trickle-ice").build()
    } else {
        ok
    };
    ladder.receive(&ok);
    ladder.expect(Method::Ack);
    ladder.forget();
    (ladder, far)
}

fn found(ladder: &mut Ladder, fragment: &str, matters: bool) {
    ladder.media_event(MediaEvent::Candidates {
        fragment: fragment.to_owned(),
        matters,
    });
}

fn body(message: &Message) -> &str {
    std::str::from_utf8(message.body()).unwrap()
}

#[test]
fn late_candidates_go_by_info_one_after_another() {
    let (mut ladder, far) = in_call(true);
    found(&mut ladder, ONE, false);
    let info = ladder.expect(Method::Info);
    assert_eq!(info.header(HeaderName::InfoPackage), Some("trickle-ice"));
    assert_eq!(info.header(HeaderName::ContentDisposition), Some("Info-Package"));
    assert_eq!(info.header(HeaderName::ContentType), Some(FRAGMENT));
    assert_eq!(body(&info), ONE);
    // While it is out the next ones gather; the last holds them all.
    found(&mut ladder, "two", false);
    found(&mut ladder, "three", false);
    ladder.expect_silence();
    ladder.receive(&far.response(&info, 200).build());
    let info = ladder.expect(Method::Info);
    assert_eq!(body(&info), "three");
    ladder.receive(&far.response(&info, 200).build());
    ladder.expect_silence();
}

#[test]
fn candidates_wait_for_the_dialog() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    found(&mut ladder, ONE, true);
    ladder.expect_silence();
    let far = FarEnd::called(&invite, "bob-tag");
    let ok = far.accepts(&invite, Direction::SendRecv);
    ladder.receive(&ok.edit().append(HeaderName::RecvInfo, "trickle-ice").build());
    ladder.expect(Method::Ack);
    assert_eq!(body(&ladder.expect(Method::Info)), ONE);
}

#[test]
fn a_far_end_that_does_not_take_them_gets_one_offer_if_they_matter() {
    let (mut ladder, far) = in_call(false);
    found(&mut ladder, ONE, false);
    ladder.expect_silence();
    found(&mut ladder, ONE, true);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    found(&mut ladder, ONE, true);
    ladder.expect_silence();
}

#[test]
fn a_far_end_that_lists_them_and_refuses_gets_the_offer_too() {
    let (mut ladder, _) = in_call(true);
    found(&mut ladder, ONE, true);
    let info = ladder.expect(Method::Info);
    ladder.respond(&info, 469);
    ladder.expect(Method::Invite);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn the_far_ends_candidates_are_passed_on() {
    let (mut ladder, mut far) = in_call(false);
    let info = far
        .request(Method::Info)
        .header(HeaderName::InfoPackage, "trickle-ice")
        .header(HeaderName::ContentDisposition, "Info-Package")
        .body(FRAGMENT, ONE.as_bytes());
    ladder.receive(&info.build());
    ladder.expect_response(200, Method::Info);
    let fragment = ONE.to_owned();
    assert_eq!(ladder.media.take_log(), [MediaAction::AddCandidates { fragment }]);
}

#[test]
fn candidates_that_are_none_are_refused_and_their_number_is_bounded() {
    let (mut ladder, mut far) = in_call(false);
    let send = |ladder: &mut Ladder, far: &mut FarEnd, kind: &str, body: &[u8]| {
        let info = far
            .request(Method::Info)
            .header(HeaderName::InfoPackage, "trickle-ice");
        ladder.receive(&info.body(kind, body).build());
    };
    send(&mut ladder, &mut far, "text/plain", b"x");
    ladder.expect_response(415, Method::Info);
    send(&mut ladder, &mut far, FRAGMENT, &[0xff]);
    ladder.expect_response(400, Method::Info);
    send(&mut ladder, &mut far, FRAGMENT, &[b'a'; 20_000]);
    ladder.expect_response(413, Method::Info);
    for _ in 0..500 {
        send(&mut ladder, &mut far, FRAGMENT, b"a");
        ladder.expect_response(200, Method::Info);
    }
    assert!(ladder.media.take_log().len() <= 100);
    // Too large ones of this side are not told either.
    found(&mut ladder, &"x".repeat(20_000), true);
    ladder.expect_silence();
}

#[test]
fn candidates_of_another_time_are_not_told() {
    // The call is over, or its media is another.
    let (mut ladder, mut far) = in_call(true);
    let session = ladder.session();
    ladder.command(CALL, |call| call.move_media()).unwrap();
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.input(clearline_core::Input::Media {
        session,
        event: MediaEvent::Candidates {
            fragment: ONE.to_owned(),
            matters: true,
        },
    });
    ladder.expect_silence();
    ladder.far_hangs_up(&mut far);
}
