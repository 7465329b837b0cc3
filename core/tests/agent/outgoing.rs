//! The caller's side (RFC 3261 section 13.2).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::digest::{Algorithm, DigestChallenge};
use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{
    CallDirection, CallId, CallState, CommandError, Direction, EndCause, MediaAction, MediaErrorKind,
    MediaOutcome,
};

use crate::far_end::{FarEnd, RECORD_ROUTE};
use crate::ladder::{CALL, Ladder, config};
use crate::media::{direction_of, sdp};

fn number(request: &Message) -> u32 {
    request.cseq().unwrap().number
}

fn branch(message: &Message) -> String {
    message.top_via().unwrap().branch().unwrap().to_owned()
}

fn offer_in(request: &Message) -> Direction {
    direction_of(std::str::from_utf8(request.body()).unwrap())
}

/// A challenge of a proxy or of the far end.
pub(crate) fn challenge(request: &Message, status: u16, realm: &str) -> Message {
    let name = if status == 401 {
        HeaderName::WwwAuthenticate
    } else {
        HeaderName::ProxyAuthenticate
    };
    ResponseBuilder::for_request(request, status)
        .to_tag("proxy")
        .header(name, DigestChallenge::new(realm, "n1", Algorithm::Md5))
        .build()
}

/// A ladder that has called, with its INVITE.
fn calling() -> (Ladder, Message) {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    (ladder, invite)
}

fn ringing() -> (Ladder, Message, FarEnd) {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.response(&invite, 180).build());
    (ladder, invite, far)
}

/// A 183 that carries early media.
fn early_media(far: &FarEnd, invite: &Message) -> Message {
    far.response(invite, 183)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes())
        .build()
}

#[test]
fn a_call_from_dialling_to_hanging_up() {
    let mut ladder = Ladder::registered();
    ladder.media.held_back = true;
    ladder.dial(CALL, "101");
    assert_eq!(ladder.state(CALL), CallState::Preparing);
    assert_eq!(ladder.info(CALL).remote.user, "101");
    assert_eq!(ladder.info(CALL).direction, CallDirection::Outgoing);
    ladder.expect_silence();
    ladder.media_goes_on();

    let invite = ladder.expect(Method::Invite);
    assert_eq!(ladder.state(CALL), CallState::Calling);
    assert_eq!(invite.request_uri_text(), Some("sip:101@example.com"));
    assert_eq!(invite.to().unwrap().tag(), None);
    assert_eq!(offer_in(&invite), Direction::SendRecv);
    assert!(invite.lists_token(HeaderName::Allow, "BYE"));
    let mut far = FarEnd::called(&invite, "bob");

    ladder.respond(&invite, 100);
    assert_eq!(ladder.state(CALL), CallState::Calling);
    ladder.receive(&far.response(&invite, 180).build());
    assert_eq!(ladder.state(CALL), CallState::Ringing);
    ladder.pass(3.0);
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert_eq!(ladder.info(CALL).answered_at, Some(ladder.now));
    assert!(!ladder.info(CALL).remote_hold);

    let ack = ladder.expect(Method::Ack);
    assert_eq!(number(&ack), number(&invite));
    assert_ne!(branch(&ack), branch(&invite));
    assert_eq!(
        ack.request_uri_text(),
        Some("sip:device@bob.invalid;transport=ws")
    );
    assert_eq!(ack.header(HeaderName::Route), Some(RECORD_ROUTE));
    assert_eq!(ack.to().unwrap().tag(), Some("bob"));

    let operation = ladder.hang_up(CALL);
    assert_eq!(ladder.state(CALL), CallState::Ending);
    assert_eq!(
        ladder.media.open_sessions(),
        [],
        "the microphone is released at once"
    );
    let bye = ladder.expect(Method::Bye);
    assert_eq!(number(&bye), number(&invite) + 1);
    assert_eq!(bye.header(HeaderName::Route), Some(RECORD_ROUTE));
    assert_eq!(ladder.outcome(operation), None);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.agent.calls().count(), 0);
    assert_eq!(
        ladder.command(CALL, |call| call.hang_up()),
        Err(CommandError::NoSuchCall)
    );

    ladder.receive(&far.request(Method::Bye).build());
    ladder.expect_response(481, Method::Bye);
}

#[test]
fn the_far_end_hangs_up() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn an_unanswered_bye_ends_the_call_all_the_same() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let operation = ladder.hang_up(CALL);
    ladder.pass(32.0);
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    assert!(ladder.succeeded(operation));
}

#[test]
fn byes_that_cross_are_both_answered() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    ladder.receive(&far.response(&bye, 481).build());
    ladder.expect_silence();
}

#[test]
fn a_challenged_invite_is_sent_again_with_credentials() {
    let (mut ladder, invite) = calling();
    ladder.receive(&challenge(&invite, 407, "example.com"));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(branch(&ack), branch(&invite), "section 17.1.1.3");
    assert_eq!(number(&ack), number(&invite));
    assert_eq!(ack.to().unwrap().tag(), Some("proxy"));
    assert_eq!(ack.request_uri_text(), invite.request_uri_text());

    let again = ladder.expect(Method::Invite);
    assert!(again.header(HeaderName::ProxyAuthorization).is_some());
    assert_eq!(number(&again), number(&invite) + 1);
    assert_ne!(branch(&again), branch(&invite));
    assert_eq!(again.vias().count(), 1);
    assert_eq!(again.call_id(), invite.call_id());
    assert_eq!(again.from().unwrap().tag(), invite.from().unwrap().tag());
    assert_eq!(again.to().unwrap().tag(), None);
    assert_eq!(again.body(), invite.body());

    let far = FarEnd::called(&again, "bob");
    ladder.receive(&far.accepts(&again, Direction::SendRecv));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(number(&ack), number(&again));
    assert_eq!(
        ack.header(HeaderName::ProxyAuthorization),
        again.header(HeaderName::ProxyAuthorization),
        "section 22.1"
    );
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(number(&bye), number(&again) + 1);
    assert!(bye.header(HeaderName::ProxyAuthorization).is_some());
}

#[test]
fn two_realms_on_the_way_may_both_ask() {
    let (mut ladder, invite) = calling();
    ladder.receive(&challenge(&invite, 407, "office.example.com"));
    ladder.expect(Method::Ack);
    let second = ladder.expect(Method::Invite);
    ladder.receive(&challenge(&second, 407, "carrier.example.net"));
    ladder.expect(Method::Ack);
    let third = ladder.expect(Method::Invite);
    assert_eq!(third.credentials().count(), 2);
    ladder.receive(&challenge(&third, 401, "callee.example.org"));
    ladder.expect(Method::Ack);
    let fourth = ladder.expect(Method::Invite);
    assert_eq!(fourth.credentials().count(), 3);
    ladder.receive(&challenge(&fourth, 407, "carrier.example.net"));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert_eq!(ladder.cause(CALL), EndCause::Forbidden);
}

#[test]
fn wrong_credentials_end_the_call() {
    let (mut ladder, invite) = calling();
    ladder.receive(&challenge(&invite, 407, "example.com"));
    ladder.expect(Method::Ack);
    let again = ladder.expect(Method::Invite);
    ladder.receive(&challenge(&again, 407, "example.com"));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert_eq!(ladder.cause(CALL), EndCause::Forbidden);
    assert_eq!(ladder.end(CALL).sip_status, Some(407));
}

#[test]
fn a_call_that_was_given_up_is_not_tried_again_with_credentials() {
    let (mut ladder, invite) = calling();
    ladder.hang_up(CALL);
    ladder.receive(&challenge(&invite, 407, "example.com"));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
}

#[test]
fn the_asserted_identity_is_shown() {
    let (mut ladder, invite, far) = ringing();
    let named = far
        .response(&invite, 180)
        .header(
            HeaderName::PAssertedIdentity,
            "\"Bob B\u{f6}hm\" <sip:102@example.com>",
        )
        .build();
    ladder.receive(&named);
    assert_eq!(ladder.info(CALL).remote.display_name, "Bob B\u{f6}hm");
    assert_eq!(ladder.info(CALL).remote.user, "102");
}

#[test]
fn early_media_is_heard_before_the_answer() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.media.take_log();
    ladder.receive(&early_media(&far, &invite));
    assert_eq!(ladder.state(CALL), CallState::Ringing);
    assert!(ladder.info(CALL).early_media);
    ladder.receive(&early_media(&far, &invite));
    let log = ladder.media.take_log();
    assert!(
        matches!(
            log[..],
            [MediaAction::ApplyAnswer {
                provisional: true,
                ..
            }]
        ),
        "{log:?}"
    );
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    let log = ladder.media.take_log();
    assert!(
        matches!(
            log[..],
            [MediaAction::ApplyAnswer {
                provisional: false,
                ..
            }]
        ),
        "{log:?}"
    );
    assert!(!ladder.info(CALL).early_media);
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert!(ladder.media.is_stable(ladder.session()));
}

#[test]
fn an_early_answer_that_the_2xx_does_not_repeat_stands() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&early_media(&far, &invite));
    ladder.receive(&far.response(&invite, 200).build());
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert!(
        ladder.media.is_stable(ladder.session()),
        "no longer provisional: else it could never be put on hold"
    );
    let operation = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    assert!(ladder.succeeded(operation));
}

#[test]
fn a_2xx_without_any_answer_is_no_call() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.response(&invite, 200).build());
    ladder.expect(Method::Ack);
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::NotAcceptable);
}

#[test]
fn an_answer_of_another_fork_than_the_one_heard_gets_fresh_media() {
    let (mut ladder, invite) = calling();
    let heard = FarEnd::called(&invite, "announcement");
    let winner = FarEnd::called(&invite, "bob");
    ladder.receive(&early_media(&heard, &invite));
    ladder.receive(&early_media(&winner, &invite));
    let first = ladder.session();
    ladder.media.take_log();
    ladder.receive(&winner.accepts(&invite, Direction::SendRecv));

    let ack = ladder.expect(Method::Ack);
    assert_eq!(ack.to().unwrap().tag(), Some("bob"));
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(reinvite.to().unwrap().tag(), Some("bob"));
    let second = ladder.session();
    assert_ne!(first, second);
    let log = ladder.media.take_log();
    assert!(
        matches!(log[..], [MediaAction::Close, MediaAction::CreateOffer { .. }]),
        "{log:?}"
    );
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert!(ladder.info(CALL).negotiating);
    ladder.receive(&winner.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert!(ladder.media.is_stable(second));
    assert!(!ladder.info(CALL).negotiating);
    ladder.expect_silence();
}

/// Platforms with two legs announce from one server and connect to another, all in one dialog.
#[test]
fn an_answer_of_another_media_server_than_the_one_heard_gets_fresh_media() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    let early = format!("{}a=ice-ufrag:announcement\r\n", sdp(Direction::SendRecv));
    let early = far
        .response(&invite, 183)
        .body("application/sdp", early.as_bytes());
    ladder.receive(&early.build());
    let first = ladder.session();
    let answer = format!("{}a=ice-ufrag:telephone\r\n", sdp(Direction::SendRecv));
    let ok = far
        .response(&invite, 200)
        .body("application/sdp", answer.as_bytes());
    ladder.receive(&ok.build());

    ladder.expect(Method::Ack);
    let reinvite = ladder.expect(Method::Invite);
    assert_ne!(first, ladder.session());
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.expect_silence();
}

/// The 2xx of a media server that was not heard early: fresh media are being asked for.
fn answered_by_another_media_server() -> (Ladder, FarEnd) {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    let early = format!("{}a=ice-ufrag:announcement\r\n", sdp(Direction::SendRecv));
    let early = far
        .response(&invite, 183)
        .body("application/sdp", early.as_bytes());
    ladder.receive(&early.build());
    ladder.media.held_back = true;
    let answer = format!("{}a=ice-ufrag:telephone\r\n", sdp(Direction::SendRecv));
    let ok = far
        .response(&invite, 200)
        .body("application/sdp", answer.as_bytes());
    ladder.receive(&ok.build());
    ladder.expect(Method::Ack);
    // The first session is closed.
    ladder.media_answers();
    (ladder, far)
}

/// There is no other session to fall back on.
#[test]
fn fresh_media_that_fail_once_are_made_again() {
    let (mut ladder, far) = answered_by_another_media_server();
    ladder.media_fails(MediaErrorKind::Failed);
    ladder.media_goes_on();
    let reinvite = ladder.wait_for(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.media.open_sessions(), [ladder.session()]);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.pass(60.0);
    ladder.expect_silence();
}

#[test]
fn a_call_whose_fresh_media_cannot_be_made_is_ended() {
    let (mut ladder, far) = answered_by_another_media_server();
    ladder.media_fails(MediaErrorKind::NoDevice);
    ladder.media_goes_on();
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::MediaFailed);
    assert_eq!(
        ladder.info(CALL).microphone_problem,
        Some(MediaErrorKind::NoDevice)
    );
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn a_second_fork_that_answers_is_released() {
    let (mut ladder, invite) = calling();
    let winner = FarEnd::called(&invite, "bob");
    let late = FarEnd::called(&invite, "attic");
    ladder.receive(&winner.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.receive(&late.accepts(&invite, Direction::SendRecv));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(ack.to().unwrap().tag(), Some("attic"));
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("attic"));
    assert!(number(&bye) > number(&invite));
    assert_eq!(ladder.state(CALL), CallState::Active);
    // Its 2xx again: the ACK was lost. One BYE is enough.
    ladder.receive(&late.accepts(&invite, Direction::SendRecv));
    let again = ladder.expect(Method::Ack);
    assert_eq!(again.to().unwrap().tag(), Some("attic"));
    ladder.expect_silence();
}

#[test]
fn a_fork_that_answers_after_the_call_is_released() {
    let (mut ladder, invite) = calling();
    let mut winner = FarEnd::called(&invite, "bob");
    ladder.receive(&winner.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.far_hangs_up(&mut winner);
    assert_eq!(ladder.agent.calls().count(), 0);
    let late = FarEnd::called(&invite, "attic");
    for round in 0..2 {
        ladder.receive(&late.accepts(&invite, Direction::SendRecv));
        ladder.expect(Method::Ack);
        if round == 0 {
            ladder.expect(Method::Bye);
        }
        ladder.expect_silence();
    }
    // The winner's own 2xx, once more, is acknowledged and no more.
    ladder.receive(&winner.accepts(&invite, Direction::SendRecv));
    let sent = ladder.take_sent();
    assert!(
        sent.iter().all(|(_, message)| message.method() == Method::Ack),
        "{sent:?}"
    );
}

#[test]
fn an_id_is_free_again_when_nothing_can_come_for_the_call_that_had_it() {
    let (mut ladder, invite, mut far) = ringing();
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.state(CALL), CallState::Ended);
    // A fork may answer until 64*T1 after the first one (RFC 6026 section 7.2): not another call of the same id.
    assert_eq!(ladder.try_dial(CALL, "carol"), Err(CommandError::DuplicateCall));
    let late = FarEnd::called(&invite, "late");
    ladder.receive(&late.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&late.response(&bye, 200).build());
    ladder.pass(33.0);
    ladder.dial(CALL, "carol");
    ladder.expect(Method::Invite);
}

#[test]
fn any_number_of_forks_is_bounded() {
    let (mut ladder, invite) = calling();
    for fork in 0..100 {
        let far = FarEnd::called(&invite, &format!("fork{fork}"));
        ladder.receive(&far.response(&invite, 180).build());
        ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    }
    let byes = ladder.take_sent();
    let byes = byes
        .iter()
        .filter(|(_, message)| message.method() == Method::Bye)
        .count();
    assert!((1..=32).contains(&byes), "{byes}");
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_repeated_2xx_is_acknowledged_again() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    let ok = far.accepts(&invite, Direction::SendRecv);
    ladder.receive(&ok);
    let ack = ladder.expect(Method::Ack);
    ladder.media.take_log();
    ladder.receive(&ok);
    assert_eq!(ladder.expect(Method::Ack), ack);
    ladder.expect_silence();
    assert_eq!(ladder.media.take_log(), [], "the answer is applied once");

    ladder.hang_up(CALL);
    ladder.expect(Method::Bye);
    ladder.receive(&ok);
    let again = ladder.expect(Method::Ack);
    assert_eq!(again.to().unwrap().tag(), Some("bob"));
    ladder.expect_silence();
}

#[test]
fn cancel_waits_for_a_provisional_response() {
    let (mut ladder, invite) = calling();
    let operation = ladder.hang_up(CALL);
    assert_eq!(ladder.state(CALL), CallState::Ending);
    ladder.expect_silence();
    ladder.respond(&invite, 100);
    let cancel = ladder.expect(Method::Cancel);
    assert_eq!(branch(&cancel), branch(&invite));
    assert_eq!(number(&cancel), number(&invite));
    ladder.respond(&cancel, 200);
    assert_eq!(ladder.outcome(operation), None);
    ladder.respond(&invite, 487);
    ladder.expect(Method::Ack);
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn cancel_after_a_provisional_response_goes_out_at_once() {
    let (mut ladder, invite, far) = ringing();
    ladder.hang_up(CALL);
    let cancel = ladder.expect(Method::Cancel);
    // Further provisional responses bring no second CANCEL and no ringing back.
    ladder.receive(&far.response(&invite, 180).build());
    ladder.expect_silence();
    assert_eq!(ladder.state(CALL), CallState::Ending);
    assert_eq!(
        ladder.command(CALL, |call| call.hang_up()),
        Err(CommandError::WrongState)
    );
    ladder.respond(&cancel, 200);
    ladder.respond(&invite, 487);
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
}

#[test]
fn a_cancel_is_not_challenged_back() {
    let (mut ladder, invite, _) = ringing();
    ladder.hang_up(CALL);
    let cancel = ladder.expect(Method::Cancel);
    ladder.receive(&challenge(&cancel, 407, "example.com"));
    ladder.expect_silence();
    ladder.respond(&invite, 487);
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
}

#[test]
fn a_cancel_without_effect_ends_the_call_after_64_t1() {
    let (mut ladder, invite, _) = ringing();
    let operation = ladder.hang_up(CALL);
    ladder.expect(Method::Cancel);
    ladder.pass(31.9);
    assert_eq!(ladder.state(CALL), CallState::Ending);
    ladder.pass(0.2);
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
    assert!(ladder.succeeded(operation));
    ladder.respond(&invite, 487);
    ladder.expect_silence();
}

#[test]
fn an_invite_nobody_answers_at_all_fails() {
    let (mut ladder, _) = calling();
    ladder.pass(32.0);
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);

    let (mut ladder, _) = calling();
    ladder.hang_up(CALL);
    ladder.pass(32.0);
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
    ladder.expect_silence();
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let (mut ladder, invite, far) = ringing();
    let operation = ladder.hang_up(CALL);
    let cancel = ladder.expect(Method::Cancel);
    let ok = far.accepts(&invite, Direction::SendRecv);
    ladder.receive(&ok);
    ladder.expect(Method::Ack);
    let bye = ladder.expect(Method::Bye);
    ladder.respond(&cancel, 200);
    // The 2xx again, before the BYE is answered.
    ladder.receive(&ok);
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn refusals_have_causes_a_user_understands() {
    for (status, cause) in [
        (302, EndCause::Unavailable),
        (403, EndCause::Forbidden),
        (404, EndCause::NotFound),
        (408, EndCause::NoAnswer),
        (410, EndCause::NotFound),
        (415, EndCause::NotAcceptable),
        (480, EndCause::Unavailable),
        (484, EndCause::NotFound),
        (486, EndCause::Busy),
        (488, EndCause::NotAcceptable),
        (500, EndCause::ServerFailed),
        (503, EndCause::ServerFailed),
        (600, EndCause::Busy),
        (603, EndCause::Rejected),
        (604, EndCause::NotFound),
        (606, EndCause::NotAcceptable),
    ] {
        let (mut ladder, invite, far) = ringing();
        ladder.receive(&far.response(&invite, status).reason("Because").build());
        ladder.expect(Method::Ack);
        assert_eq!(ladder.cause(CALL), cause, "{status}");
        assert_eq!(ladder.end(CALL).sip_status, Some(status));
        assert_eq!(ladder.end(CALL).text, "Because");
        assert_eq!(ladder.media.open_sessions(), []);
        ladder.expect_silence();
    }
}

#[test]
fn retry_after_is_reported() {
    let (mut ladder, invite, far) = ringing();
    let busy = far
        .response(&invite, 486)
        .header(HeaderName::RetryAfter, "120 (in a meeting);duration=60");
    ladder.receive(&busy.build());
    assert_eq!(ladder.cause(CALL), EndCause::Busy);
    assert_eq!(ladder.end(CALL).retry_after, Some(120));
}

#[test]
fn nobody_answers() {
    let (mut ladder, invite, _) = ringing();
    ladder.pass(119.9);
    assert_eq!(ladder.state(CALL), CallState::Ringing);
    ladder.expect_silence();
    ladder.pass(0.2);
    let cancel = ladder.expect(Method::Cancel);
    assert_eq!(ladder.state(CALL), CallState::Ending);
    ladder.respond(&cancel, 200);
    ladder.respond(&invite, 487);
    assert_eq!(ladder.cause(CALL), EndCause::NoAnswer);
}

#[test]
fn no_microphone_no_call() {
    for (kind, problem) in [
        (MediaErrorKind::PermissionDenied, true),
        (MediaErrorKind::NoDevice, true),
        (MediaErrorKind::Failed, false),
    ] {
        let mut ladder = Ladder::registered();
        ladder.media.held_back = true;
        ladder.dial(CALL, "bob");
        ladder.media_fails(kind);
        ladder.expect_silence();
        assert_eq!(ladder.cause(CALL), EndCause::MediaFailed);
        let expected = problem.then_some(kind);
        assert_eq!(ladder.info(CALL).microphone_problem, expected);
    }
}

#[test]
fn a_backend_that_makes_no_description_makes_no_call() {
    let mut ladder = Ladder::registered();
    ladder.media.held_back = true;
    ladder.dial(CALL, "bob");
    ladder.media_answers_with(MediaOutcome::Done);
    assert_eq!(ladder.cause(CALL), EndCause::MediaFailed);
    ladder.expect_silence();
}

#[test]
fn an_answer_the_backend_cannot_use_ends_the_call() {
    let (mut ladder, invite, far) = ringing();
    ladder.media.held_back = true;
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.media_fails(MediaErrorKind::DescriptionRejected);
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::NotAcceptable);
}

#[test]
fn an_early_answer_the_backend_cannot_use_does_no_harm() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.media.held_back = true;
    ladder.receive(&early_media(&far, &invite));
    ladder.media_fails(MediaErrorKind::DescriptionRejected);
    assert_eq!(ladder.state(CALL), CallState::Ringing);
    ladder.media_goes_on();
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.expect(Method::Ack);
    ladder.expect_silence();
}

#[test]
fn a_connection_lost_while_ringing_ends_the_call() {
    let (mut ladder, _, _) = ringing();
    ladder.lose_connection();
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn hanging_up_while_the_offer_is_made_sends_nothing() {
    let mut ladder = Ladder::registered();
    ladder.media.held_back = true;
    ladder.dial(CALL, "bob");
    let operation = ladder.hang_up(CALL);
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
    assert!(ladder.succeeded(operation));
    ladder.media_goes_on();
    ladder.expect_silence();
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn commands_need_the_right_state() {
    let (mut ladder, _, _) = ringing();
    assert_eq!(ladder.try_dial(CALL, "bob"), Err(CommandError::DuplicateCall));
    assert_eq!(
        ladder.try_dial(CallId(2), "not a number!"),
        Err(CommandError::InvalidTarget)
    );
    let wrong = Err(CommandError::WrongState);
    assert_eq!(ladder.command(CALL, |call| call.answer()), wrong);
    assert_eq!(ladder.command(CALL, |call| call.hold()), wrong);
    assert_eq!(ladder.command(CALL, |call| call.resume()), wrong);
    assert_eq!(ladder.command(CALL, |call| call.move_media()), wrong);
    assert_eq!(ladder.command(CALL, |call| call.send_dtmf("1")), wrong);
    assert_eq!(
        ladder.command(CALL, |call| call.reject(Default::default())),
        wrong
    );
}

#[test]
fn too_many_calls_are_refused() {
    let mut config = config();
    config.max_calls = 2;
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    ladder.make_call(CallId(1), "bob");
    ladder.dial(CallId(2), "carol");
    assert_eq!(
        ladder.try_dial(CallId(3), "dave"),
        Err(CommandError::TooManyCalls)
    );
}

#[test]
fn a_call_may_be_muted_before_it_is_answered() {
    let (mut ladder, invite, far) = ringing();
    let operation = ladder.command(CALL, |call| call.set_muted(true)).unwrap();
    assert!(ladder.succeeded(operation));
    assert!(ladder.info(CALL).muted);
    assert!(ladder.media.is_muted(ladder.session()));
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    assert!(ladder.info(CALL).muted);
}

#[test]
fn requests_inside_an_early_dialog_are_answered() {
    let (mut ladder, _, mut far) = ringing();
    ladder.receive(&far.request(Method::Options).build());
    ladder.expect_response(200, Method::Options);
    // Both ends offering at once is glare (section 14.2).
    ladder.receive(&far.invite(Direction::SendRecv));
    ladder.expect_response(491, Method::Invite);
    assert_eq!(ladder.state(CALL), CallState::Ringing);
}

#[test]
fn a_strict_router_gets_the_request_uri_it_needs() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    let ok = far
        .accepts(&invite, Direction::SendRecv)
        .edit()
        .set(
            HeaderName::RecordRoute,
            "<sip:loose.example.com;lr>, <sip:strict.example.com>",
        )
        .build();
    ladder.receive(&ok);
    let ack = ladder.expect(Method::Ack);
    assert_eq!(ack.request_uri_text(), Some("sip:strict.example.com"));
    let routes: Vec<_> = ack.header_list(HeaderName::Route).collect();
    assert_eq!(
        routes,
        [
            "<sip:loose.example.com;lr>",
            "<sip:device@bob.invalid;transport=ws>"
        ]
    );
}
