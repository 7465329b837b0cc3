//! Bodies, packages and headers that a user agent has to answer for, whatever it does with them (RFC 3261 sections 8.2.3,
//! 20.12, 21.4, RFC 5621, RFC 6086).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{CallState, Direction, Event};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};
use crate::media::sdp;

fn bob() -> FarEnd {
    FarEnd::calling("bob", "sip:alice@alice.invalid")
}

/// One part of a multipart body.
fn part(headers: &str, body: &str) -> String {
    format!("--b\r\n{headers}\r\n\r\n{body}\r\n")
}

/// An INVITE with a multipart body of this kind.
fn multipart(kind: &str, parts: &[String]) -> Message {
    let body = format!("{}--b--\r\n", parts.concat());
    let content_type = format!("multipart/{kind};boundary=b");
    let mut far = bob();
    far.request(Method::Invite)
        .body(&content_type, body.as_bytes())
        .build()
}

fn offer() -> String {
    part("Content-Type: application/sdp", &sdp(Direction::SendRecv))
}

#[test]
fn a_description_is_found_among_other_parts() {
    let isup = part(
        "Content-Type: application/isup\r\nContent-Disposition: signal;handling=optional",
        "\u{1}\u{2}",
    );
    for (kind, parts) in [
        ("mixed", vec![isup.clone(), offer()]),
        ("mixed", vec![offer(), isup]),
        (
            "alternative",
            vec![part("Content-Type: application/new-sdp", "n=1"), offer()],
        ),
    ] {
        let mut ladder = Ladder::registered();
        ladder.receive(&multipart(kind, &parts));
        ladder.expect_response(180, Method::Invite);
        let call = ladder.newest_call();
        ladder.answer(call);
        let ok = ladder.expect_response(200, Method::Invite);
        let answer = std::str::from_utf8(ok.body()).unwrap();
        assert!(answer.contains("a=sendrecv"), "{kind}");
        assert_eq!(ladder.state(call), CallState::Answering);
    }
}

#[test]
fn parts_that_have_to_be_understood_and_are_not_refuse_the_call() {
    let required = part("Content-Type: application/isup", "x");
    let packed = part(
        "Content-Type: application/sdp\r\nContent-Encoding: gzip",
        &sdp(Direction::SendRecv),
    );
    let nested = part("Content-Type: multipart/mixed;boundary=c", "--c\r\n\r\n--c--");
    for (kind, parts) in [
        ("mixed", vec![offer(), required.clone()]),
        ("mixed", vec![packed]),
        ("mixed", vec![offer(), nested]),
        ("alternative", vec![required]),
        ("mixed", vec![part("", "x"); 40]),
    ] {
        let mut ladder = Ladder::registered();
        ladder.receive(&multipart(kind, &parts));
        let refusal = ladder.expect_response(415, Method::Invite);
        assert!(refusal.lists_token(HeaderName::Accept, "application/sdp"));
    }
}

#[test]
fn packed_bodies_are_refused_with_what_is_taken_instead() {
    let mut ladder = Ladder::registered();
    let invite = bob().invite(Direction::SendRecv);
    ladder.receive(&invite.edit().append(HeaderName::ContentEncoding, "gzip").build());
    let refusal = ladder.expect_response(415, Method::Invite);
    assert_eq!(refusal.header(HeaderName::AcceptEncoding), Some("identity"));

    let mut ladder = Ladder::registered();
    ladder.receive(
        &invite
            .edit()
            .append(HeaderName::ContentEncoding, "identity")
            .build(),
    );
    ladder.expect_response(180, Method::Invite);
}

#[test]
fn an_endless_request_uri_is_refused() {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", &format!("sip:alice@alice.invalid;x={}", "a".repeat(3_000)));
    ladder.receive(&far.invite(Direction::SendRecv));
    ladder.expect_response(414, Method::Invite);
}

#[test]
fn wishes_about_the_callee_are_tolerated() {
    let mut ladder = Ladder::registered();
    let invite = bob().invite(Direction::SendRecv);
    let invite = invite
        .edit()
        .append(
            HeaderName::AcceptContact,
            "*;audio;methods=\"INVITE\";require;explicit",
        )
        .append(HeaderName::RejectContact, "*;automata")
        .append(HeaderName::RequestDisposition, "no-fork")
        .append(HeaderName::MaxBreadth, 1)
        .build();
    ladder.receive(&invite);
    ladder.expect_response(180, Method::Invite);
}

#[test]
fn info_packages_nobody_asked_for_are_refused() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let info = far
        .request(Method::Info)
        .header(HeaderName::InfoPackage, "weather;x=1")
        .body("text/plain", b"rain");
    ladder.receive(&info.build());
    let refusal = ladder.expect_response(469, Method::Info);
    assert_eq!(refusal.header(HeaderName::RecvInfo), Some("trickle-ice"));
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn info_without_a_package_is_as_it_was() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let info = far
        .request(Method::Info)
        .body("application/dtmf-relay", b"Signal=7\r\nDuration=100\r\n");
    ladder.receive(&info.build());
    ladder.expect_response(200, Method::Info);
    let heard = ladder.take_events();
    assert!(heard.contains(&Event::DtmfReceived {
        call: CALL,
        tone: '7'
    }));
    ladder.receive(&far.request(Method::Info).build());
    ladder.expect_response(200, Method::Info);
}

#[test]
fn what_is_taken_by_info_is_said_in_every_dialog() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    assert_eq!(invite.header(HeaderName::RecvInfo), Some("trickle-ice"));
    let mut ladder = Ladder::registered();
    let (call, _, _) = ladder.ring("bob");
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    assert_eq!(ok.header(HeaderName::RecvInfo), Some("trickle-ice"));
}
