//! Reliable provisional responses (RFC 3262).

use std::collections::BTreeSet;

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::digest::{Algorithm, DigestChallenge};
use clearline_core::sip::{HeaderName, Message, Method, RAck, ResponseBuilder};
use clearline_core::{CallId, CallState, Direction, EndCause, MediaAction, MediaErrorKind};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};
use crate::media::{direction_of, sdp};

fn calling() -> (Ladder, Message) {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    ladder.forget();
    (ladder, invite)
}

fn answering(far: &FarEnd, invite: &Message, rseq: u32) -> Message {
    far.reliable(invite, 183, rseq)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes())
        .build()
}

/// A call whose callee has answered the offer reliably and still rings.
fn settled() -> (Ladder, Message, FarEnd) {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&answering(&far, &invite, 1));
    let prack = ladder.expect(Method::Prack);
    ladder.receive(&far.response(&prack, 200).build());
    ladder.forget();
    (ladder, invite, far)
}

/// `bob` calls and requires reliable responses; the agent's 180.
fn reliably_ringing() -> (Ladder, CallId, FarEnd, Message) {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    let invite = far.invite(Direction::SendRecv);
    ladder.receive(&requiring(&invite));
    let ringing = ladder.expect_response(180, Method::Invite);
    far.learn(&ringing);
    let call = ladder.newest_call();
    (ladder, call, far, ringing)
}

fn requiring(invite: &Message) -> Message {
    invite.edit().append(HeaderName::Require, "100rel").build()
}

fn rack(response: &Message) -> RAck<'_> {
    RAck {
        rseq: response.reliable_rseq().unwrap(),
        cseq: response.cseq().unwrap().number,
        method: Method::Invite,
    }
}

fn prack(far: &mut FarEnd, rack: RAck<'_>) -> Message {
    far.request(Method::Prack).header(HeaderName::RAck, rack).build()
}

fn direction_in(message: &Message) -> Direction {
    direction_of(std::str::from_utf8(message.body()).unwrap())
}

fn number(request: &Message) -> u32 {
    request.cseq().unwrap().number
}

// --- the caller ------------------------------------------------------------------------------------------------

#[test]
fn reliable_responses_are_offered_and_acknowledged_in_order() {
    let (mut ladder, invite) = calling();
    assert!(invite.lists_token(HeaderName::Supported, "100rel"));
    assert!(invite.lists_token(HeaderName::Allow, "PRACK"));
    let far = FarEnd::called(&invite, "bob");
    let first = far.reliable(&invite, 180, 4_711).build();
    ladder.receive(&first);
    assert_eq!(ladder.state(CALL), CallState::Ringing);
    let prack = ladder.expect(Method::Prack);
    assert_eq!(prack.header(HeaderName::RAck), Some("4711 1 INVITE"));
    assert_eq!(prack.to().unwrap().tag(), Some("bob"));
    assert_eq!(
        prack.request_uri_text(),
        Some("sip:device@bob.invalid;transport=ws")
    );
    assert!(prack.header(HeaderName::Route).is_some());
    assert_eq!(number(&prack), number(&invite) + 1);
    // The same again is absorbed; a gap is not acknowledged and not looked at.
    ladder.receive(&first);
    ladder.receive(&answering(&far, &invite, 4_713));
    ladder.expect_silence();
    assert!(!ladder.info(CALL).early_media);
    ladder.receive(&far.response(&prack, 200).build());
    ladder.receive(&far.reliable(&invite, 182, 4_712).build());
    let second = ladder.expect(Method::Prack);
    assert_eq!(second.header(HeaderName::RAck), Some("4712 1 INVITE"));
    assert_eq!(number(&second), number(&prack) + 1);
    ladder.receive(&far.response(&second, 200).build());

    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(number(&ack), number(&invite));
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(number(&bye), number(&second) + 1, "the dialog goes on");
}

#[test]
fn an_answer_that_overtakes_the_200_to_prack_counts() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.reliable(&invite, 180, 1).build());
    let prack = ladder.expect(Method::Prack);
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.receive(&far.response(&prack, 200).build());
    // A 180 that comes even later means nothing any more.
    ladder.receive(&far.reliable(&invite, 180, 2).build());
    ladder.expect_silence();
}

#[test]
fn a_reliable_answer_is_in_force_before_the_2xx() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&answering(&far, &invite, 1));
    ladder.expect(Method::Prack);
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
    assert!(ladder.info(CALL).early_media);
    assert!(ladder.media.is_stable(ladder.session()));
    // Whatever the 2xx repeats is not looked at (RFC 3261 section 13.2.1).
    ladder.receive(&far.accepts(&invite, Direction::SendOnly));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.media.take_log(), []);
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert!(!ladder.info(CALL).remote_hold && !ladder.info(CALL).early_media);
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    assert!(ladder.succeeded(hold));
}

#[test]
fn a_reliable_answer_makes_an_unreliable_one_final() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    let early = far
        .response(&invite, 183)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes());
    ladder.receive(&early.build());
    ladder.receive(&answering(&far, &invite, 1));
    ladder.expect(Method::Prack);
    assert!(ladder.media.is_stable(ladder.session()));
    ladder.receive(&far.response(&invite, 200).build());
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_reliable_answer_still_being_applied_when_the_call_is_answered() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.media.held_back = true;
    ladder.receive(&answering(&far, &invite, 1));
    ladder.receive(&far.response(&invite, 200).build());
    assert!(ladder.info(CALL).negotiating);
    ladder.media_goes_on();
    assert!(!ladder.info(CALL).negotiating);
    assert!(ladder.media.is_stable(ladder.session()));
}

#[test]
fn a_reliable_answer_the_backend_cannot_use_ends_the_call_it_wins() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.media.held_back = true;
    ladder.receive(&answering(&far, &invite, 1));
    ladder.expect(Method::Prack);
    ladder.media_fails(MediaErrorKind::DescriptionRejected);
    assert_eq!(
        ladder.state(CALL),
        CallState::Ringing,
        "another telephone may answer"
    );
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    let bye = ladder.expect(Method::Bye);
    ladder.media_goes_on();
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::NotAcceptable);
}

#[test]
fn an_update_may_offer_once_the_first_offer_is_answered() {
    let (mut ladder, invite, mut far) = settled();
    let update = far
        .request(Method::Update)
        .body("application/sdp", sdp(Direction::SendOnly).as_bytes());
    ladder.receive(&update.build());
    let ok = ladder.expect_response(200, Method::Update);
    assert_eq!(direction_in(&ok), Direction::RecvOnly);
    assert_eq!(ladder.state(CALL), CallState::Ringing);
    ladder.receive(&far.response(&invite, 200).build());
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert!(ladder.info(CALL).remote_hold, "what was agreed last");
}

#[test]
fn a_call_is_answered_while_the_answer_to_an_update_is_made() {
    let (mut ladder, invite, mut far) = settled();
    ladder.media.held_back = true;
    let update = far
        .request(Method::Update)
        .body("application/sdp", sdp(Direction::SendOnly).as_bytes());
    ladder.receive(&update.build());
    ladder.receive(&far.response(&invite, 200).build());
    ladder.expect(Method::Ack);
    ladder.media_goes_on();
    ladder.expect_response(200, Method::Update);
    assert!(ladder.info(CALL).remote_hold);
    assert!(ladder.media.is_stable(ladder.session()));
}

#[test]
fn every_fork_counts_for_itself_and_the_winner_gets_fresh_media() {
    let (mut ladder, invite) = calling();
    let heard = FarEnd::called(&invite, "announcement");
    let mut winner = FarEnd::called(&invite, "bob");
    ladder.receive(&answering(&heard, &invite, 7));
    assert_eq!(
        ladder.expect(Method::Prack).to().unwrap().tag(),
        Some("announcement")
    );
    ladder.receive(&answering(&winner, &invite, 9));
    let prack = ladder.expect(Method::Prack);
    assert_eq!(prack.to().unwrap().tag(), Some("bob"));
    assert_eq!(number(&prack), number(&invite) + 1, "a dialog of its own");
    // The winner's media are not the ones that are set up: its offer has to wait.
    let update = winner
        .request(Method::Update)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes());
    ladder.receive(&update.build());
    ladder.expect_response(491, Method::Update);
    let first = ladder.session();
    ladder.receive(&winner.response(&invite, 200).build());
    ladder.expect(Method::Ack);
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(reinvite.to().unwrap().tag(), Some("bob"));
    assert_eq!(number(&reinvite), number(&prack) + 1);
    assert_ne!(ladder.session(), first);
    ladder.receive(&winner.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert!(ladder.media.is_stable(ladder.session()));
    // The other one answers as well, late: its numbers go on too.
    ladder.receive(&heard.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("announcement"));
    assert!(number(&bye) > number(&invite) + 1, "PRACK had that number");
    ladder.expect_silence();
}

#[test]
fn a_fork_that_says_it_is_gone_is_forgotten() {
    let (mut ladder, invite, mut far) = settled();
    assert!(invite.lists_token(HeaderName::Supported, "199"));
    assert!(ladder.info(CALL).early_media);
    ladder.receive(&far.response(&invite, 199).build());
    assert!(!ladder.info(CALL).early_media, "ring back again");
    ladder.receive(&far.request(Method::Update).build());
    ladder.expect_response(481, Method::Update);
    let winner = FarEnd::called(&invite, "carol");
    ladder.receive(&winner.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&winner.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
}

#[test]
fn a_call_that_is_given_up_still_acknowledges() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.hang_up(CALL);
    ladder.receive(&far.reliable(&invite, 180, 1).build());
    ladder.expect(Method::Prack);
    let cancel = ladder.expect(Method::Cancel);
    ladder.receive(&far.reliable(&invite, 180, 2).build());
    ladder.expect(Method::Prack);
    ladder.respond(&cancel, 200);
    ladder.respond(&invite, 487);
    ladder.expect(Method::Ack);
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
}

/// The BYE follows the PRACK in the same dialog (RFC 3261 section 12.2.1.1).
#[test]
fn an_answer_that_crosses_the_cancel_is_left_with_the_next_number() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.reliable(&invite, 180, 1).build());
    let prack = ladder.expect(Method::Prack);
    ladder.hang_up(CALL);
    ladder.expect(Method::Cancel);
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    assert_eq!(number(&ladder.expect(Method::Ack)), number(&invite));
    assert_eq!(number(&ladder.expect(Method::Bye)), number(&prack) + 1);
}

/// What was sent in its early dialog is forgotten with the connection, so the BYE goes far beyond.
#[test]
fn an_answer_to_a_lost_call_is_left_with_a_higher_number() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.reliable(&invite, 180, 1).build());
    let prack = ladder.expect(Method::Prack);
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    ladder.expect(Method::Cancel);
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    assert_eq!(number(&ladder.expect(Method::Ack)), number(&invite));
    assert!(number(&ladder.expect(Method::Bye)) > number(&prack));
}

#[test]
fn a_challenged_prack_is_sent_again_in_its_own_dialog() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.reliable(&invite, 180, 1).build());
    let prack = ladder.expect(Method::Prack);
    let challenge = DigestChallenge::new("example.com", "n1", Algorithm::Md5);
    let refusal = ResponseBuilder::for_request(&prack, 407).header(HeaderName::ProxyAuthenticate, challenge);
    ladder.receive(&refusal.build());
    let again = ladder.expect(Method::Prack);
    assert_eq!(number(&again), number(&prack) + 1);
    assert_eq!(again.header(HeaderName::RAck), prack.header(HeaderName::RAck));
    ladder.receive(&far.response(&again, 481).build());
    ladder.expect_silence();
    assert_eq!(
        ladder.state(CALL),
        CallState::Ringing,
        "a refused PRACK is the callee's concern"
    );
}

#[test]
fn any_number_of_reliable_responses_is_bounded() {
    let (mut ladder, invite) = calling();
    let far = FarEnd::called(&invite, "bob");
    for rseq in 1..1_000 {
        ladder.receive(&far.reliable(&invite, 180, rseq).build());
    }
    assert_eq!(ladder.take_sent().len(), 100);
}

#[test]
fn a_reinvite_may_be_answered_reliably() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    let early = far
        .reliable(&reinvite, 183, 5)
        .body("application/sdp", sdp(Direction::RecvOnly).as_bytes());
    ladder.receive(&early.build());
    let prack = ladder.expect(Method::Prack);
    assert_eq!(number(&prack), number(&reinvite) + 1);
    assert!(!ladder.info(CALL).local_hold, "not before the 2xx");
    ladder.receive(&far.response(&reinvite, 200).build());
    ladder.expect(Method::Ack);
    assert!(ladder.succeeded(hold) && ladder.info(CALL).local_hold);
    ladder.expect_silence();
}

#[test]
fn a_reinvite_that_fails_after_a_reliable_answer_leaves_the_session_as_it_was() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    let early = far
        .reliable(&reinvite, 183, 5)
        .body("application/sdp", sdp(Direction::RecvOnly).as_bytes());
    let moved = early
        .build()
        .edit()
        .set(HeaderName::Contact, "<sip:bob@new.invalid>")
        .build();
    ladder.receive(&moved);
    ladder.expect(Method::Prack);
    ladder.receive(&far.response(&reinvite, 500).build());
    ladder.expect(Method::Ack);
    assert!(ladder.failure(hold).is_some() && !ladder.info(CALL).local_hold);
    assert!(ladder.media.is_stable(ladder.session()));
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(
        bye.request_uri_text(),
        Some("sip:bob@new.invalid"),
        "RFC 6141 section 4.2"
    );
}

// --- the callee ------------------------------------------------------------------------------------------------

#[test]
fn a_caller_that_does_not_require_it_is_rung_as_ever() {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    far.supported = "100rel";
    ladder.receive(&far.invite(Direction::SendRecv));
    let ringing = ladder.expect_response(180, Method::Invite);
    assert_eq!(ringing.header(HeaderName::RSeq), None);
    assert!(!ringing.lists_token(HeaderName::Require, "100rel"));
}

/// RFC 3262 section 3: the first number is drawn from 1 to 2^31 - 1, so that it says nothing about other calls.
#[test]
fn the_number_of_the_ringing_is_drawn_from_the_range() {
    let mut ladder = Ladder::registered();
    let mut numbers = BTreeSet::new();
    for caller in 0..32 {
        ladder.pass(1.0);
        let mut far = FarEnd::calling(&format!("caller{caller}"), "sip:alice@alice.invalid");
        ladder.receive(&requiring(&far.invite(Direction::SendRecv)));
        let ringing = ladder.expect_response(180, Method::Invite);
        let number = ringing.reliable_rseq().unwrap();
        assert!((1..=0x7fff_ffff).contains(&number), "{number}");
        numbers.insert(number);
        let call = ladder.newest_call();
        ladder
            .command(call, |call| call.reject(Default::default()))
            .unwrap();
        ladder.forget();
    }
    assert!(numbers.len() > 30, "{numbers:?}");
}

#[test]
fn ringing_is_repeated_until_acknowledged() {
    let (mut ladder, call, mut far, ringing) = reliably_ringing();
    assert!(ringing.lists_token(HeaderName::Require, "100rel"));
    assert!(ringing.body().is_empty());
    let began = ladder.now;
    ladder.pass(8.0);
    let sent = ladder.take_sent();
    let times: Vec<_> = sent.iter().map(|(at, _)| (*at - began).as_millis()).collect();
    assert_eq!(times, [500, 1_500, 3_500, 7_500], "T1, doubling");
    assert!(sent.iter().all(|(_, again)| *again == ringing));
    ladder.receive(&prack(&mut far, rack(&ringing)));
    let ok = ladder.expect_response(200, Method::Prack);
    assert_eq!(ok.to().unwrap().tag(), ringing.to().unwrap().tag());
    ladder.pass(60.0);
    ladder.expect_silence();
    assert_eq!(ladder.state(call), CallState::Incoming);
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    assert_eq!(ladder.state(call), CallState::Active);
}

#[test]
fn a_caller_that_never_acknowledges_is_refused() {
    let (mut ladder, call, _, _) = reliably_ringing();
    ladder.pass(31.9);
    let repeated = ladder.take_sent();
    assert!(repeated.iter().all(|(_, message)| message.status() == Some(180)));
    ladder.pass(0.2);
    ladder.expect_response(504, Method::Invite);
    assert_eq!(ladder.cause(call), EndCause::Missed);
}

#[test]
fn a_prack_for_something_else_finds_nothing() {
    let (mut ladder, call, mut far, ringing) = reliably_ringing();
    let right = rack(&ringing);
    for wrong in [
        RAck {
            rseq: right.rseq + 1,
            ..right
        },
        RAck {
            cseq: right.cseq + 1,
            ..right
        },
        RAck {
            method: Method::Update,
            ..right
        },
    ] {
        ladder.receive(&prack(&mut far, wrong));
        ladder.expect_response(481, Method::Prack);
    }
    ladder.receive(&far.request(Method::Prack).build());
    ladder.expect_response(481, Method::Prack);
    ladder.receive(&prack(&mut far, right));
    ladder.expect_response(200, Method::Prack);
    // A second one has nothing left to acknowledge.
    ladder.receive(&prack(&mut far, right));
    ladder.expect_response(481, Method::Prack);
    assert_eq!(ladder.state(call), CallState::Incoming);
}

#[test]
fn a_prack_cannot_offer_before_the_answer() {
    let (mut ladder, call, mut far, ringing) = reliably_ringing();
    let offering = far
        .request(Method::Prack)
        .header(HeaderName::RAck, rack(&ringing))
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes());
    ladder.receive(&offering.build());
    ladder.expect_response(488, Method::Prack);
    ladder.pass(10.0);
    ladder.expect_silence();
    assert_eq!(ladder.state(call), CallState::Incoming);
}

#[test]
fn an_answer_need_not_wait_for_the_prack() {
    let (mut ladder, call, mut far, ringing) = reliably_ringing();
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    ladder.pass(10.0);
    ladder.expect_silence();
    ladder.receive(&prack(&mut far, rack(&ringing)));
    ladder.expect_response(200, Method::Prack);
    assert_eq!(ladder.state(call), CallState::Active);
}

#[test]
fn declining_stops_the_repetition() {
    let (mut ladder, call, _, _) = reliably_ringing();
    ladder
        .command(call, |call| call.reject(Default::default()))
        .unwrap();
    ladder.expect_response(603, Method::Invite);
    ladder.pass(31.0);
    ladder.expect_silence();
}

#[test]
fn without_an_offer_nothing_but_100_can_be_said_before_the_answer() {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    ladder.receive(&requiring(&far.request(Method::Invite).build()));
    ladder.expect_response(100, Method::Invite);
    let call = ladder.newest_call();
    assert_eq!(ladder.media.log, [], "the microphone stays closed");
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    let ack = far
        .ack(&ok)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes());
    ladder.receive(&ack.build());
    assert_eq!(ladder.state(call), CallState::Active);
}

#[test]
fn a_prack_outside_any_dialog_finds_nothing() {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    ladder.receive(&far.request(Method::Prack).build());
    ladder.expect_response(481, Method::Prack);
}
