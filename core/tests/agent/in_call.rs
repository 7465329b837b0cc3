//! Inside a call: offers both ways (RFC 3261 section 14, RFC 3264), tones, media, lost connections.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::digest::{Algorithm, DigestChallenge};
use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{
    CallId, CallState, CommandError, Direction, EndCause, Event, MediaAction, MediaErrorKind, MediaEvent,
    MediaOutcome, MediaSessionId, MediaTransport, OperationError,
};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, granted, secs};
use crate::media::{direction_of, origin_of, sdp, sdp_without_tones};

fn body(message: &Message) -> &str {
    std::str::from_utf8(message.body()).unwrap()
}

fn offered(message: &Message) -> Direction {
    direction_of(body(message))
}

fn number(request: &Message) -> u32 {
    request.cseq().unwrap().number
}

/// A call this side holds.
fn held() -> (Ladder, FarEnd) {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.forget();
    assert!(ladder.info(CALL).local_hold);
    (ladder, far)
}

/// Takes the far end's ACK-worthy 200 for its re-INVITE.
fn acknowledge(ladder: &mut Ladder, far: &mut FarEnd) -> Message {
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    ok
}

// --- hold and resume -------------------------------------------------------------------------------------------

#[test]
fn hold_and_resume_are_true_when_negotiated() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let log = ladder.media.take_log();
    assert!(
        matches!(
            log[..],
            [MediaAction::CreateOffer {
                direction: Direction::SendOnly,
                ice_restart: false
            }]
        ),
        "{log:?}"
    );
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(offered(&reinvite), Direction::SendOnly);
    assert!(reinvite.to().unwrap().tag().is_some());
    assert!(reinvite.header(HeaderName::Contact).is_some());
    assert!(!ladder.info(CALL).local_hold, "not yet");
    assert!(ladder.info(CALL).negotiating);
    assert_eq!(ladder.outcome(hold), None);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(number(&ack), number(&reinvite));
    assert!(ladder.info(CALL).local_hold && !ladder.info(CALL).negotiating);
    assert!(!ladder.info(CALL).remote_hold);
    assert!(ladder.succeeded(hold));

    let resume = ladder.resume(CALL);
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(offered(&reinvite), Direction::SendRecv);
    assert!(ladder.info(CALL).local_hold, "still");
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert!(!ladder.info(CALL).local_hold);
    assert!(ladder.succeeded(resume));
    ladder.pass(60.0);
    ladder.expect_silence();
}

#[test]
fn an_inactive_answer_to_hold_is_no_remote_hold_until_resume_says_so() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::Inactive));
    ladder.expect(Method::Ack);
    assert!(ladder.info(CALL).local_hold && !ladder.info(CALL).remote_hold);
    ladder.resume(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendOnly));
    assert!(!ladder.info(CALL).local_hold && ladder.info(CALL).remote_hold);
}

#[test]
fn hold_twice_is_done_twice() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let first = ladder.hold(CALL);
    let second = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    assert!(ladder.succeeded(first) && ladder.succeeded(second));
    ladder.expect(Method::Ack);
    let third = ladder.hold(CALL);
    assert!(ladder.succeeded(third), "there is nothing to do");
    ladder.expect_silence();
}

#[test]
fn resume_overtakes_a_hold_that_is_under_way() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    let resume = ladder.resume(CALL);
    assert_eq!(ladder.failure(hold), Some(OperationError::Superseded));
    ladder.expect_silence();
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    assert!(ladder.info(CALL).local_hold, "what is negotiated is shown");
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(offered(&reinvite), Direction::SendRecv);
    assert_eq!(ladder.outcome(resume), None);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    assert!(ladder.succeeded(resume));
    assert!(!ladder.info(CALL).local_hold);
}

#[test]
fn a_refused_hold_is_rolled_back() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 488).build());
    ladder.expect(Method::Ack);
    assert!(matches!(
        ladder.failure(hold),
        Some(OperationError::Refused { status: 488, .. })
    ));
    let info = ladder.info(CALL);
    assert_eq!((info.local_hold, info.negotiating), (false, false));
    assert_eq!(info.state, CallState::Active);
    assert!(ladder.media.is_stable(ladder.session()));
    ladder.pass(60.0);
    ladder.expect_silence();
    let again = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    assert!(ladder.succeeded(again));
}

#[test]
fn a_wish_that_the_refusal_grants_succeeds() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    let resume = ladder.resume(CALL);
    ladder.receive(&far.response(&reinvite, 488).build());
    ladder.expect(Method::Ack);
    assert!(ladder.succeeded(resume), "the call is not on hold");
    ladder.expect_silence();
}

#[test]
fn a_reinvite_answered_without_description_is_rolled_back() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 200).build());
    ladder.expect(Method::Ack);
    assert!(ladder.failure(hold).is_some());
    assert!(!ladder.info(CALL).local_hold);
    assert!(ladder.media.is_stable(ladder.session()));
}

#[test]
fn an_answer_to_hold_the_backend_cannot_use_ends_the_call() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.media.held_back = true;
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.media_fails(MediaErrorKind::DescriptionRejected);
    assert!(matches!(ladder.failure(hold), Some(OperationError::Media(_))));
    ladder.expect(Method::Ack);
    let bye = ladder.expect(Method::Bye);
    ladder.media_goes_on();
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::NotAcceptable);
}

#[test]
fn a_reinvite_without_any_answer_ends_the_call() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    ladder.expect(Method::Invite);
    ladder.pass(32.0);
    assert_eq!(ladder.failure(hold), Some(OperationError::TimedOut));
    let bye = ladder.expect(Method::Bye);
    ladder.respond(&bye, 481);
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed, "section 14.1");
}

#[test]
fn a_reinvite_the_far_end_never_finishes_is_cancelled() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.respond(&reinvite, 100);
    ladder.pass(31.9);
    ladder.expect_silence();
    ladder.pass(0.2);
    let cancel = ladder.expect(Method::Cancel);
    assert_eq!(
        cancel.top_via().unwrap().branch(),
        reinvite.top_via().unwrap().branch()
    );
    ladder.receive(&far.response(&cancel, 200).build());
    ladder.receive(&far.response(&reinvite, 487).build());
    ladder.expect(Method::Ack);
    assert!(matches!(
        ladder.failure(hold),
        Some(OperationError::Refused { status: 487, .. })
    ));
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert!(ladder.media.is_stable(ladder.session()));
}

#[test]
fn a_reinvite_that_cannot_even_be_cancelled_is_given_up() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.respond(&reinvite, 100);
    ladder.pass(64.1);
    ladder.expect(Method::Cancel);
    assert_eq!(ladder.failure(hold), Some(OperationError::TimedOut));
    // Whether it is there still, with what it has agreed to.
    let asked = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    assert!(!ladder.info(CALL).local_hold);
    ladder.receive(&far.accepts(&asked, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert!(ladder.media.is_stable(ladder.session()));
    assert!(!ladder.info(CALL).negotiating);
    let resumed = ladder.resume(CALL);
    assert!(ladder.succeeded(resumed));
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_far_end_that_has_gone_while_a_reinvite_was_out_is_found_out() {
    let given_up = || {
        let (mut ladder, far) = Ladder::in_outgoing_call();
        ladder.hold(CALL);
        let reinvite = ladder.expect(Method::Invite);
        ladder.respond(&reinvite, 100);
        ladder.pass(64.1);
        ladder.expect(Method::Cancel);
        let asked = ladder.expect(Method::Invite);
        (ladder, far, asked)
    };
    // It does not know the call: its BYE was lost, and so was the answer.
    let (mut ladder, far, asked) = given_up();
    ladder.receive(&far.response(&asked, 481).build());
    ladder.expect(Method::Ack);
    let brought_back = ladder.expect(Method::Invite);
    assert!(brought_back.header(HeaderName::Replaces).is_some());
    ladder.respond(&brought_back, 481);
    ladder.expect(Method::Ack);
    let bye = ladder.expect(Method::Bye);
    ladder.respond(&bye, 481);
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);

    // It has taken both and answers neither (section 14.1): nobody holds on to such a call for ever.
    let (mut ladder, _, asked) = given_up();
    ladder.respond(&asked, 100);
    ladder.pass(64.1);
    ladder.expect(Method::Cancel);
    ladder.pass(240.0);
    assert_eq!(ladder.state(CALL), CallState::Ended);
}

#[test]
fn an_answer_that_crosses_the_cancel_of_a_reinvite_counts() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.respond(&reinvite, 100);
    ladder.pass(32.1);
    ladder.expect(Method::Cancel);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    assert!(ladder.succeeded(hold));
    assert!(ladder.info(CALL).local_hold);
}

#[test]
fn a_far_end_that_has_forgotten_the_call_ends_it() {
    for status in [408, 481] {
        let (mut ladder, far) = Ladder::in_outgoing_call();
        let hold = ladder.hold(CALL);
        let reinvite = ladder.expect(Method::Invite);
        ladder.receive(&far.response(&reinvite, status).build());
        ladder.expect(Method::Ack);
        assert!(ladder.failure(hold).is_some());
        let bye = ladder.expect(Method::Bye);
        ladder.receive(&far.response(&bye, 481).build());
        assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    }
}

#[test]
fn an_offer_that_cannot_be_made_fails_the_command_only() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    let hold = ladder.hold(CALL);
    ladder.media_fails(MediaErrorKind::Failed);
    assert!(matches!(ladder.failure(hold), Some(OperationError::Media(_))));
    let hold = ladder.hold(CALL);
    ladder.media_answers_with(MediaOutcome::Done);
    assert!(matches!(ladder.failure(hold), Some(OperationError::Media(_))));
    ladder.expect_silence();
    assert_eq!(ladder.media.next_request(), None, "no further try by itself");
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_challenged_reinvite_is_sent_again_with_a_number_of_its_own() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    no_tones_by_rtp(&mut ladder);
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.send_dtmf(CALL, "1");
    let info = ladder.expect(Method::Info);
    assert_eq!(number(&info), number(&reinvite) + 1);
    let refusal = ResponseBuilder::for_request(&reinvite, 407)
        .header(
            HeaderName::ProxyAuthenticate,
            DigestChallenge::new("example.com", "n1", Algorithm::Md5),
        )
        .build();
    ladder.receive(&refusal);
    ladder.expect(Method::Ack);
    let again = ladder.expect(Method::Invite);
    assert_eq!(number(&again), number(&info) + 1, "no number twice");
    ladder.receive(&far.accepts(&again, Direction::RecvOnly));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(number(&ack), number(&again));
    assert!(ladder.succeeded(hold));
    ladder.hang_up(CALL);
    assert_eq!(number(&ladder.expect(Method::Bye)), number(&again) + 1);
}

/// A re-INVITE of the far end makes this call one whose tones go by INFO.
fn no_tones_by_rtp(ladder: &mut Ladder) {
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&reinvite, "bob-tag");
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    ladder.resume(CALL);
    let reinvite = ladder.expect(Method::Invite);
    let ok = far
        .response(&reinvite, 200)
        .body(
            "application/sdp",
            sdp_without_tones(Direction::SendRecv).as_bytes(),
        )
        .build();
    ladder.receive(&ok);
    ladder.expect(Method::Ack);
    ladder.media.take_log();
}

// --- glare -----------------------------------------------------------------------------------------------------

#[test]
fn glare_is_waited_out_longer_by_the_owner_of_the_call_id() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 491).build());
    ladder.expect(Method::Ack);
    assert!(ladder.media.is_stable(ladder.session()), "rolled back");
    let met_at = ladder.now;
    ladder.pass(2.0);
    ladder.expect_silence();
    ladder.pass(2.1);
    let sent = ladder.take_sent();
    let [(at, again)] = &sent[..] else {
        panic!("{sent:?}")
    };
    let pause = *at - met_at;
    assert!(pause >= secs(2.1) && pause <= secs(4.0), "{pause:?}");
    assert_eq!(offered(again), Direction::SendOnly);
    assert_eq!(ladder.outcome(hold), None);
    ladder.receive(&far.accepts(again, Direction::RecvOnly));
    assert!(ladder.succeeded(hold));
}

#[test]
fn glare_is_waited_out_shorter_by_the_called() {
    let (mut ladder, call, far) = Ladder::in_incoming_call();
    let hold = ladder.hold(call);
    let reinvite = ladder.expect(Method::Invite);
    let met_at = ladder.now;
    ladder.receive(&far.response(&reinvite, 491).build());
    ladder.expect(Method::Ack);
    ladder.pass(2.0);
    let sent = ladder.take_sent();
    let [(at, again)] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert!(*at - met_at <= secs(2.0));
    ladder.receive(&far.accepts(again, Direction::RecvOnly));
    assert!(ladder.succeeded(hold));
}

/// The pauses this side makes after 491, in milliseconds.
fn pauses_after_glare(ladder: &mut Ladder, call: CallId, far: &FarEnd) -> Vec<u128> {
    ladder.hold(call);
    let mut reinvite = ladder.expect(Method::Invite);
    let mut pauses = Vec::new();
    for _ in 0..100 {
        let met_at = ladder.now;
        ladder.receive(&far.response(&reinvite, 491).build());
        ladder.expect(Method::Ack);
        reinvite = loop {
            match ladder.take_sent().pop() {
                // Registrations go on meanwhile.
                Some((at, message)) if message.method() == Method::Invite => {
                    pauses.push((at - met_at).as_millis());
                    break message;
                }
                Some((_, register)) => ladder.receive(&granted(&register).build()),
                None => ladder.pass_to_next_deadline(),
            }
        };
    }
    pauses
}

#[test]
fn the_pauses_after_glare_fill_their_ranges() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let owner = pauses_after_glare(&mut ladder, CALL, &far);
    assert!(
        owner.iter().all(|pause| (2_100..=4_000).contains(pause)),
        "{owner:?}"
    );
    assert!(owner.iter().any(|pause| *pause < 2_400) && owner.iter().any(|pause| *pause > 3_700));
    let (mut ladder, call, far) = Ladder::in_incoming_call();
    let other = pauses_after_glare(&mut ladder, call, &far);
    assert!(other.iter().all(|pause| (0..=2_000).contains(pause)), "{other:?}");
    assert!(other.iter().any(|pause| *pause < 300) && other.iter().any(|pause| *pause > 1_700));
    assert!(
        owner.iter().chain(&other).all(|pause| pause % 10 == 0),
        "units of 10 ms"
    );
}

#[test]
fn a_reinvite_that_meets_ours_is_refused() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let ours = ladder.expect(Method::Invite);
    let theirs = far.invite(Direction::SendOnly);
    ladder.receive(&theirs);
    let refusal = ladder.expect_response(491, Method::Invite);
    ladder.receive(&FarEnd::ack_refusal(&theirs, &refusal));
    ladder.receive(&far.response(&ours, 491).build());
    ladder.expect(Method::Ack);
    // The far end is first after the pause; ours follows.
    ladder.receive(&far.invite(Direction::SendOnly));
    let ok = acknowledge(&mut ladder, &mut far);
    // Its answer says what this side wanted to offer, so that nothing is left to be tried again.
    assert_eq!(offered(&ok), Direction::Inactive);
    assert!(ladder.succeeded(hold));
    assert!(ladder.info(CALL).local_hold && ladder.info(CALL).remote_hold);
    ladder.pass(10.0);
    ladder.expect_silence();
}

#[test]
fn resume_while_glare_is_waited_out_needs_no_reinvite_for_hold() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 491).build());
    let resume = ladder.resume(CALL);
    assert_eq!(ladder.failure(hold), Some(OperationError::Superseded));
    assert!(ladder.succeeded(resume));
    ladder.expect(Method::Ack);
    ladder.pass(10.0);
    ladder.expect_silence();
    assert!(!ladder.info(CALL).local_hold);
}

/// The platform's refresh crosses our resume, and repeats what our hold has made of the session.
#[test]
fn an_offer_that_repeats_our_hold_resumes_nothing() {
    let (mut ladder, mut far) = held();
    let resume = ladder.resume(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 491).build());
    ladder.expect(Method::Ack);

    ladder.receive(&far.invite(Direction::RecvOnly));
    let ok = acknowledge(&mut ladder, &mut far);
    assert_eq!(offered(&ok), Direction::SendOnly);
    assert!(ladder.info(CALL).local_hold, "so it is negotiated");
    assert_eq!(ladder.outcome(resume), None);

    ladder.pass(4.1);
    let again = ladder.expect(Method::Invite);
    assert_eq!(offered(&again), Direction::SendRecv);
    ladder.receive(&far.accepts(&again, Direction::SendRecv));
    assert!(ladder.succeeded(resume));
    assert!(!ladder.info(CALL).local_hold);
}

/// The wish came while glare was being rolled back, and asks for what is so.
#[test]
fn a_wish_for_what_is_negotiated_ends() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.media.held_back = true;
    ladder.receive(&far.response(&reinvite, 491).build());
    let resume = ladder.resume(CALL);
    assert_eq!(ladder.outcome(resume), None, "the offer is being taken back");
    ladder.media_goes_on();
    assert!(ladder.succeeded(resume));
}

#[test]
fn glare_does_not_forget_an_ice_restart() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Failed);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 491).build());
    ladder.media.take_log();
    ladder.pass(4.1);
    let log = ladder.media.take_log();
    assert!(
        matches!(
            log[..],
            [MediaAction::CreateOffer {
                ice_restart: true,
                ..
            }]
        ),
        "{log:?}"
    );
}

// --- offers of the far end -------------------------------------------------------------------------------------

#[test]
fn the_far_end_holds_and_resumes() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.receive(&far.invite(Direction::SendOnly));
    let ok = acknowledge(&mut ladder, &mut far);
    assert_eq!(offered(&ok), Direction::RecvOnly);
    assert!(ladder.info(CALL).remote_hold && !ladder.info(CALL).local_hold);
    ladder.receive(&far.invite(Direction::SendRecv));
    let ok = acknowledge(&mut ladder, &mut far);
    assert_eq!(offered(&ok), Direction::SendRecv);
    assert!(!ladder.info(CALL).remote_hold);
    ladder.expect_silence();
}

#[test]
fn a_held_far_end_cannot_make_this_side_heard() {
    let (mut ladder, mut far) = held();
    ladder.receive(&far.invite(Direction::SendRecv));
    let ok = acknowledge(&mut ladder, &mut far);
    assert_eq!(offered(&ok), Direction::SendOnly);
    assert!(ladder.info(CALL).local_hold);
    let asked = ladder.media.take_log();
    assert!(
        matches!(
            asked[..],
            [MediaAction::CreateAnswer {
                direction: Direction::SendOnly,
                ..
            }]
        ),
        "{asked:?}"
    );
    ladder.receive(&far.invite(Direction::SendOnly));
    acknowledge(&mut ladder, &mut far);
    assert!(ladder.info(CALL).local_hold && ladder.info(CALL).remote_hold);
}

#[test]
fn a_hold_that_waits_is_granted_by_the_answer_to_the_far_end() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 491).build());
    ladder.expect(Method::Ack);
    ladder.receive(&far.invite(Direction::SendRecv));
    let ok = acknowledge(&mut ladder, &mut far);
    assert_eq!(offered(&ok), Direction::SendOnly);
    assert!(ladder.info(CALL).local_hold, "negotiated, and so shown");
    assert!(ladder.succeeded(hold));
}

#[test]
fn a_reinvite_without_offer_is_offered_to() {
    let (mut ladder, mut far) = held();
    ladder.receive(&far.request(Method::Invite).build());
    let ok = ladder.expect_response(200, Method::Invite);
    assert_eq!(offered(&ok), Direction::SendOnly, "the hold stands");
    // Resumed before the ACK: the answer belongs to the offer that was made.
    let resume = ladder.resume(CALL);
    let ack = far
        .ack(&ok)
        .body("application/sdp", sdp(Direction::RecvOnly).as_bytes())
        .build();
    ladder.receive(&ack);
    assert!(ladder.info(CALL).local_hold);
    assert_eq!(ladder.outcome(resume), None);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    assert!(ladder.succeeded(resume));
    assert!(!ladder.info(CALL).local_hold);
}

#[test]
fn a_reinvite_while_another_is_answered_is_put_off() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    ladder.receive(&far.invite(Direction::SendOnly));
    ladder.receive(&far.invite(Direction::SendRecv));
    let refusal = ladder.expect_response(500, Method::Invite);
    assert!(refusal.retry_after().unwrap() <= 10);
    ladder.media_goes_on();
    acknowledge(&mut ladder, &mut far);
    assert!(ladder.info(CALL).remote_hold);
}

#[test]
fn a_reinvite_with_another_kind_of_body_is_refused() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let reinvite = far
        .request(Method::Invite)
        .body("application/isup", b"\x01")
        .build();
    ladder.receive(&reinvite);
    let refusal = ladder.expect_response(415, Method::Invite);
    assert!(refusal.lists_token(HeaderName::Accept, "application/sdp"));
}

#[test]
fn an_offer_the_backend_refuses_leaves_the_call_as_it_is() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    ladder.receive(&far.invite(Direction::SendOnly));
    ladder.media_fails(MediaErrorKind::DescriptionRejected);
    ladder.expect_response(488, Method::Invite);
    assert!(!ladder.info(CALL).remote_hold);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn the_2xx_to_a_reinvite_is_repeated_until_its_own_ack() {
    let (mut ladder, call, mut far) = Ladder::in_incoming_call();
    let old_ack = far.numbered(Method::Ack, 1).build();
    ladder.receive(&far.request(Method::Invite).build());
    let ok = ladder.expect_response(200, Method::Invite);
    // The ACK of the first 2xx once more: not this one's, and not an answer.
    ladder.receive(&old_ack);
    ladder.expect_silence();
    assert_eq!(ladder.state(call), CallState::Active);
    ladder.pass(0.6);
    assert_eq!(ladder.expect_response(200, Method::Invite), ok);
    let ack = far
        .ack(&ok)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes())
        .build();
    ladder.receive(&ack);
    ladder.pass(60.0);
    ladder.expect_silence();
    assert_eq!(ladder.state(call), CallState::Active);
}

#[test]
fn a_reinvite_that_is_cancelled_while_answered() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    let reinvite = far.invite(Direction::SendOnly);
    ladder.receive(&reinvite);
    ladder.receive(&FarEnd::cancel(&reinvite).build());
    ladder.expect_response(200, Method::Cancel);
    ladder.expect_response(487, Method::Invite);
    assert_eq!(ladder.state(CALL), CallState::Active);
    // The backend has applied the offer that was taken back: ours sets it right.
    ladder.media_goes_on();
    let ours = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&ours, Direction::SendRecv));
    assert!(!ladder.info(CALL).remote_hold);
    assert!(ladder.media.is_stable(ladder.session()));
}

#[test]
fn a_reinvite_without_offer_that_is_cancelled() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    let reinvite = far.request(Method::Invite).build();
    ladder.receive(&reinvite);
    ladder.receive(&FarEnd::cancel(&reinvite).build());
    ladder.expect_response(200, Method::Cancel);
    ladder.expect_response(487, Method::Invite);
    ladder.media_goes_on();
    assert!(ladder.media.is_stable(ladder.session()), "rolled back");
}

#[test]
fn a_cancel_after_the_2xx_to_a_reinvite_has_no_effect() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let reinvite = far.request(Method::Invite).build();
    ladder.receive(&reinvite);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&FarEnd::cancel(&reinvite).build());
    ladder.expect_response(200, Method::Cancel);
    ladder.expect_silence();
    let ack = far
        .ack(&ok)
        .body("application/sdp", sdp(Direction::SendOnly).as_bytes())
        .build();
    ladder.receive(&ack);
    assert!(ladder.info(CALL).remote_hold);
    assert!(ladder.media.is_stable(ladder.session()));
}

#[test]
fn the_far_ends_new_address_is_used() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let moved = far
        .invite(Direction::SendRecv)
        .edit()
        .set(HeaderName::Contact, "<sip:bob@new.invalid>")
        .build();
    ladder.receive(&moved);
    acknowledge(&mut ladder, &mut far);
    ladder.hang_up(CALL);
    assert_eq!(
        ladder.expect(Method::Bye).request_uri_text(),
        Some("sip:bob@new.invalid")
    );
}

#[test]
fn the_address_in_the_answer_to_a_reinvite_is_used() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    let moved = far
        .accepts(&reinvite, Direction::RecvOnly)
        .edit()
        .set(HeaderName::Contact, "<sip:bob@new.invalid>")
        .build();
    ladder.receive(&moved);
    let ack = ladder.expect(Method::Ack);
    assert_eq!(ack.request_uri_text(), Some("sip:bob@new.invalid"));
}

#[test]
fn an_address_with_headers_is_used_without_them() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let moved = far
        .invite(Direction::SendRecv)
        .edit()
        .set(
            HeaderName::Contact,
            "<sip:bob@new.invalid;transport=ws?Route=%3Csip:x%3E>",
        )
        .build();
    ladder.receive(&moved);
    acknowledge(&mut ladder, &mut far);
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.request_uri_text(), Some("sip:bob@new.invalid;transport=ws"));
}

// --- order and ends --------------------------------------------------------------------------------------------

#[test]
fn requests_out_of_order_are_refused() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.receive(&far.request(Method::Options).build());
    ladder.expect_response(200, Method::Options);
    for number in [100, 101] {
        ladder.receive(&far.numbered(Method::Info, number).build());
        ladder.expect_response(500, Method::Info);
    }
    ladder.receive(&far.numbered(Method::Info, 200).build());
    ladder.expect_response(200, Method::Info);
    ladder.receive(&far.numbered(Method::Publish, 201).build());
    ladder.expect_response(405, Method::Publish);
}

#[test]
fn a_bye_answers_the_reinvite_that_is_still_open() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    ladder.receive(&far.invite(Direction::SendOnly));
    ladder.receive(&far.request(Method::Bye).build());
    ladder.expect_response(200, Method::Bye);
    ladder.expect_response(487, Method::Invite);
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
    ladder.media_goes_on();
    ladder.expect_silence();
}

#[test]
fn hanging_up_answers_the_reinvite_that_is_still_open() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    ladder.receive(&far.invite(Direction::SendOnly));
    ladder.hang_up(CALL);
    let sent = ladder.take_sent();
    let has = |status: Option<u16>, method: &str| {
        let mut messages = sent.iter().map(|(_, message)| message);
        messages.any(|message| message.status() == status && message.method().as_str() == method)
    };
    assert!(has(None, "BYE") && has(Some(487), "INVITE"), "{sent:?}");
    // A further one finds no call to change.
    ladder.receive(&far.invite(Direction::SendRecv));
    ladder.expect_response(481, Method::Invite);
}

#[test]
fn hanging_up_with_a_reinvite_of_ours_open() {
    for crossing_answer in [false, true] {
        let (mut ladder, far) = Ladder::in_outgoing_call();
        let hold = ladder.hold(CALL);
        let reinvite = ladder.expect(Method::Invite);
        ladder.respond(&reinvite, 100);
        ladder.hang_up(CALL);
        assert_eq!(ladder.failure(hold), Some(OperationError::CallEnded));
        let bye = ladder.expect(Method::Bye);
        if crossing_answer {
            ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
        } else {
            ladder.receive(&far.response(&reinvite, 487).build());
        }
        ladder.expect(Method::Ack);
        ladder.receive(&far.response(&bye, 200).build());
        assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
        ladder.expect_silence();
    }
}

#[test]
fn a_reinvite_nobody_finishes_leaves_nothing_behind() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.respond(&reinvite, 100);
    ladder.far_hangs_up(&mut far);
    ladder.stop();
    ladder.pass(120.0);
    assert_eq!(ladder.idle, None);
    assert_eq!(ladder.agent.calls().count(), 0);
}

// --- tones -----------------------------------------------------------------------------------------------------

#[test]
fn tones_go_by_rtp_where_the_far_end_takes_them() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let operation = ladder.send_dtmf(CALL, "12a#");
    assert_eq!(ladder.media.tones(), "12A#");
    assert_eq!(ladder.outcome(operation), None);
    ladder.pass(1.0);
    assert!(ladder.succeeded(operation));
    ladder.expect_silence();
}

#[test]
fn pauses_are_kept_and_sequences_queue() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let first = ladder.send_dtmf(CALL, "1,2;;3");
    let second = ladder.send_dtmf(CALL, "9");
    assert_eq!(ladder.media.tones(), "1");
    ladder.pass(2.0);
    assert_eq!(ladder.media.tones(), "1");
    ladder.pass(0.3);
    assert_eq!(ladder.media.tones(), "12");
    ladder.pass(3.9);
    assert_eq!(ladder.media.tones(), "12");
    assert_eq!(ladder.outcome(first), None);
    ladder.pass(1.0);
    assert_eq!(ladder.media.tones(), "1239");
    ladder.pass(1.0);
    assert!(ladder.succeeded(first) && ladder.succeeded(second));
}

#[test]
fn tones_go_by_info_where_they_must() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    no_tones_by_rtp(&mut ladder);
    let operation = ladder.send_dtmf(CALL, "1#");
    let info = ladder.expect(Method::Info);
    assert_eq!(
        info.header(HeaderName::ContentType),
        Some("application/dtmf-relay")
    );
    assert_eq!(body(&info), "Signal=1\r\nDuration=160\r\n");
    // The answer takes its time; nothing spins meanwhile, and the next tone waits.
    ladder.pass(3.0);
    ladder.expect_silence();
    ladder.respond(&info, 100);
    ladder.expect_silence();
    ladder.respond(&info, 200);
    let info = ladder.expect(Method::Info);
    assert_eq!(body(&info), "Signal=#\r\nDuration=160\r\n");
    ladder.respond(&info, 200);
    ladder.pass(1.0);
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.media.tones(), "");
}

#[test]
fn refused_tones_fail_the_sequences() {
    for (status, expected) in [(415, true), (501, true)] {
        let (mut ladder, _) = Ladder::in_outgoing_call();
        no_tones_by_rtp(&mut ladder);
        let first = ladder.send_dtmf(CALL, "12");
        let second = ladder.send_dtmf(CALL, "3");
        let info = ladder.expect(Method::Info);
        ladder.respond(&info, status);
        for operation in [first, second] {
            let failure = ladder.failure(operation);
            let refused =
                matches!(failure, Some(OperationError::Refused { status: told, .. }) if told == status);
            assert_eq!(refused, expected, "{failure:?}");
        }
        assert_eq!(ladder.state(CALL), CallState::Active);
    }
}

#[test]
fn tones_without_any_answer() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    no_tones_by_rtp(&mut ladder);
    let operation = ladder.send_dtmf(CALL, "1");
    ladder.expect(Method::Info);
    ladder.pass(32.0);
    assert_eq!(ladder.failure(operation), Some(OperationError::TimedOut));

    let (mut ladder, _) = Ladder::in_outgoing_call();
    no_tones_by_rtp(&mut ladder);
    let operation = ladder.send_dtmf(CALL, "1");
    ladder.expect(Method::Info);
    ladder.lose_connection();
    assert_eq!(ladder.failure(operation), Some(OperationError::Disconnected));
}

#[test]
fn tones_the_backend_cannot_send() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    let operation = ladder.send_dtmf(CALL, "1");
    ladder.media_fails(MediaErrorKind::Failed);
    assert!(matches!(
        ladder.failure(operation),
        Some(OperationError::Media(_))
    ));
}

#[test]
fn only_tones_can_be_sent() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    for text in ["", "1x", "1\r\nBYE", "e", "\u{663}"] {
        let result = ladder.command(CALL, |call| call.send_dtmf(text));
        assert_eq!(result, Err(CommandError::InvalidTone), "{text:?}");
    }
}

#[test]
fn hanging_up_ends_tones_that_are_still_to_come() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let operation = ladder.send_dtmf(CALL, "1,,,2");
    ladder.hang_up(CALL);
    assert_eq!(ladder.failure(operation), Some(OperationError::CallEnded));
    ladder.pass(20.0);
    assert_eq!(ladder.media.tones(), "1");
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.state(CALL), CallState::Ended);
}

#[test]
fn digits_behind_the_number_are_sent_after_the_answer() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "100,,42#");
    let invite = ladder.expect(Method::Invite);
    assert_eq!(invite.request_uri_text(), Some("sip:100@example.com"));
    let far = FarEnd::called(&invite, "bob");
    ladder.pass(5.0);
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    ladder.pass(3.9);
    assert_eq!(ladder.media.tones(), "");
    ladder.pass(0.2);
    assert_eq!(ladder.media.tones(), "42#");
}

#[test]
fn tones_of_the_far_end_are_reported() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    for (content_type, text, expected) in [
        (
            "application/dtmf-relay",
            "Signal=5\r\nDuration=160\r\n",
            Some('5'),
        ),
        ("application/dtmf-relay", "Signal= a\r\n", Some('A')),
        ("application/dtmf", "#", Some('#')),
        ("application/dtmf-relay", "Duration=160\r\n", None),
        ("application/dtmf-relay", "Signal=x", None),
        ("text/plain", "5", None),
    ] {
        let info = far
            .request(Method::Info)
            .body(content_type, text.as_bytes())
            .build();
        ladder.forget();
        ladder.receive(&info);
        ladder.expect_response(200, Method::Info);
        let events = ladder.take_events();
        let expected: Vec<_> = expected
            .map(|tone| Event::DtmfReceived { call: CALL, tone })
            .into_iter()
            .collect();
        assert_eq!(events, expected, "{text:?}");
    }
    ladder.media_event(MediaEvent::DtmfReceived { tone: '7' });
    let heard = Event::DtmfReceived {
        call: CALL,
        tone: '7',
    };
    assert_eq!(ladder.take_events(), [heard]);
}

// --- media -----------------------------------------------------------------------------------------------------

#[test]
fn muting_is_never_signalled() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    for muted in [true, false] {
        let operation = ladder.command(CALL, |call| call.set_muted(muted)).unwrap();
        assert!(ladder.succeeded(operation));
        assert_eq!(ladder.info(CALL).muted, muted);
        assert_eq!(ladder.media.is_muted(ladder.session()), muted);
    }
    ladder.expect_silence();
}

#[test]
fn a_muted_call_stays_muted_in_its_new_media() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.command(CALL, |call| call.set_muted(true)).unwrap();
    let before = ladder.session();
    let operation = ladder.command(CALL, |call| call.move_media()).unwrap();
    let reinvite = ladder.expect(Method::Invite);
    let after = MediaSessionId(origin_of(body(&reinvite)).0);
    assert_ne!(before, after);
    assert!(ladder.media.is_muted(after));
    assert_eq!(ladder.outcome(operation), None);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    assert!(ladder.succeeded(operation));
    assert!(ladder.info(CALL).muted);
}

#[test]
fn moving_the_media_of_a_held_call_keeps_it_held() {
    let (mut ladder, far) = held();
    let operation = ladder.command(CALL, |call| call.move_media()).unwrap();
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(offered(&reinvite), Direction::SendOnly);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    assert!(ladder.succeeded(operation));
    assert!(ladder.info(CALL).local_hold);
}

#[test]
fn moving_media_waits_for_what_is_under_way() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let first = ladder.expect(Method::Invite);
    let operation = ladder.command(CALL, |call| call.move_media()).unwrap();
    ladder.expect_silence();
    ladder.receive(&far.accepts(&first, Direction::RecvOnly));
    assert!(ladder.succeeded(hold));
    assert_eq!(ladder.outcome(operation), None);
    ladder.expect(Method::Ack);
    let second = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&second, Direction::RecvOnly));
    assert!(ladder.succeeded(operation));
}

#[test]
fn media_events_of_a_closed_session_mean_nothing() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let old = ladder.session();
    ladder.command(CALL, |call| call.move_media()).unwrap();
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.forget();
    ladder.input(clearline_core::Input::Media {
        session: old,
        event: MediaEvent::Transport {
            state: MediaTransport::Failed,
        },
    });
    ladder.expect_silence();
    assert_eq!(ladder.info(CALL).media, MediaTransport::New);
}

#[test]
fn a_lost_microphone_does_not_end_the_call() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let kind = MediaErrorKind::NoDevice;
    ladder.media_event(MediaEvent::MicrophoneLost { kind });
    assert_eq!(ladder.info(CALL).microphone_problem, Some(kind));
    ladder.media_event(MediaEvent::MicrophoneRestored);
    assert_eq!(ladder.info(CALL).microphone_problem, None);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn failed_ice_is_restarted() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    ladder.transport(MediaTransport::Disconnected);
    ladder.expect_silence();
    ladder.transport(MediaTransport::Failed);
    let log = ladder.media.take_log();
    assert!(
        matches!(
            log[..],
            [MediaAction::CreateOffer {
                ice_restart: true,
                direction: Direction::SendRecv
            }]
        ),
        "{log:?}"
    );
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.transport(MediaTransport::Connected);
    assert_eq!(ladder.info(CALL).media, MediaTransport::Connected);
}

// --- lost connections ------------------------------------------------------------------------------------------

#[test]
fn a_call_outlives_its_connection() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    ladder.lose_connection();
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert_eq!(
        ladder.command(CALL, |call| call.hold()),
        Err(CommandError::NotConnected)
    );
    ladder.pass(5.0);
    ladder.reconnect();
    ladder.media.take_log();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    let log = ladder.media.take_log();
    assert!(
        matches!(
            log[..],
            [MediaAction::CreateOffer {
                ice_restart: false,
                ..
            }]
        ),
        "the audio has not suffered: {log:?}"
    );
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn audio_that_was_lost_too_is_restarted() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    ladder.lose_connection();
    ladder.transport(MediaTransport::Failed);
    ladder.reconnect();
    ladder.media.take_log();
    ladder.register();
    let log = ladder.media.take_log();
    assert!(
        matches!(
            log[..],
            [MediaAction::CreateOffer {
                ice_restart: true,
                ..
            }]
        ),
        "{log:?}"
    );
}

#[test]
fn a_change_that_met_a_lost_connection_ends_and_its_call_goes_on() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    ladder.expect(Method::Invite);
    ladder.lose_connection();
    assert_eq!(ladder.failure(hold), Some(OperationError::Disconnected));
    assert!(!ladder.info(CALL).local_hold);
    ladder.reconnect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(offered(&reinvite), Direction::SendRecv);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    assert!(ladder.media.is_stable(ladder.session()));
}

/// A hold whose answer was lost with its connection: the far end may have accepted it, so a new offer has to settle what holds.
fn in_doubt() -> (Ladder, FarEnd) {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    ladder.hold(CALL);
    ladder.expect(Method::Invite);
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    (ladder, far)
}

#[test]
fn what_is_in_doubt_is_offered_again_when_the_far_end_has_failed() {
    for status in [500, 503, 504] {
        let (mut ladder, far) = in_doubt();
        let reinvite = ladder.expect(Method::Invite);
        ladder.receive(&far.response(&reinvite, status).build());
        ladder.expect(Method::Ack);
        ladder.expect_silence();
        let reinvite = ladder.wait_for(Method::Invite);
        assert_eq!(offered(&reinvite), Direction::SendRecv);
        ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
        ladder.expect(Method::Ack);
        ladder.pass(60.0);
        let again = ladder.take_sent();
        assert!(
            again.iter().all(|(_, it)| it.method() != Method::Invite),
            "{status}"
        );
    }
}

#[test]
fn what_is_in_doubt_is_not_offered_for_ever() {
    for (status, most) in [(500, 9), (488, 1), (501, 1)] {
        let (mut ladder, far) = in_doubt();
        let mut offers = 0;
        for _ in 0..300 {
            for (_, message) in ladder.take_sent() {
                if message.is_request() && message.method() == Method::Invite {
                    offers += 1;
                    ladder.receive(&far.response(&message, status).build());
                }
            }
            ladder.pass(0.1);
        }
        assert_eq!(offers, most, "{status}");
        assert_eq!(ladder.state(CALL), CallState::Active);
    }
}

#[test]
fn a_wish_made_while_in_doubt_is_refused_for_itself() {
    let (mut ladder, far) = in_doubt();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 500).build());
    ladder.expect(Method::Ack);
    let reinvite = ladder.wait_for(Method::Invite);
    assert_eq!(offered(&reinvite), Direction::SendOnly);
    ladder.receive(&far.response(&reinvite, 488).build());
    ladder.expect(Method::Ack);
    assert!(matches!(
        ladder.failure(hold),
        Some(OperationError::Refused { status: 488, .. })
    ));
    ladder.pass(60.0);
    ladder.expect_silence();
}

#[test]
fn a_call_without_platform_and_audio_is_given_up() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    let operation = ladder.send_dtmf(CALL, "1,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,2");
    ladder.lose_connection();
    ladder.transport(MediaTransport::Disconnected);
    ladder.pass(59.9);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.pass(0.2);
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    assert_eq!(ladder.failure(operation), Some(OperationError::CallEnded));
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn a_loss_that_was_mended_ends_no_call_later() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.lose_connection();
    ladder.pass(5.0);
    ladder.reconnect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.pass(120.0);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_call_whose_audio_flows_is_not_given_up() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    ladder.lose_connection();
    ladder.pass(300.0);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.transport(MediaTransport::Failed);
    ladder.pass(60.0);
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
}

#[test]
fn hanging_up_without_connection_is_immediate() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    ladder.lose_connection();
    let operation = ladder.hang_up(CALL);
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
}

#[test]
fn a_connection_lost_while_hanging_up_ends_the_call() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let operation = ladder.hang_up(CALL);
    ladder.lose_connection();
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
}

#[test]
fn an_answer_being_made_when_the_connection_is_lost() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    ladder.receive(&far.invite(Direction::SendOnly));
    ladder.lose_connection();
    ladder.media_goes_on();
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.reconnect();
    ladder.register();
    ladder.pass(4.0);
    // The 200 goes out on the new connection until it is acknowledged.
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.forget();
    ladder.receive(&far.ack(&ok).build());
    assert!(ladder.info(CALL).remote_hold);
    let refresh = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&refresh, Direction::SendOnly));
    assert_eq!(ladder.state(CALL), CallState::Active);
}
