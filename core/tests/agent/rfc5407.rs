//! The races of RFC 5407, section by section, each from the side (or both sides) that this agent can be on.
//!
//! The RFC names a dialog's states: it is *early*, then in the *moratorium* (the callee has sent its 2xx and awaits the
//! ACK), *established*, *mortal* (BYE has been sent or received), and gone.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{CallId, CallState, Direction, EndCause};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config};
use crate::media::{direction_of, sdp};

/// A call that has been answered here but not acknowledged: the moratorium.
struct Moratorium {
    ladder: Ladder,
    call: CallId,
    far: FarEnd,
    invite: Message,
    ok: Message,
}

impl Moratorium {
    fn new() -> Self {
        let mut ladder = Ladder::registered();
        let (call, far, invite) = ladder.ring("bob");
        ladder.answer(call);
        let ok = ladder.expect_response(200, Method::Invite);
        Self {
            ladder,
            call,
            far,
            invite,
            ok,
        }
    }
}

fn offered(request: &Message) -> Direction {
    direction_of(std::str::from_utf8(request.body()).unwrap())
}

fn number(message: &Message) -> u32 {
    message.cseq().unwrap().number
}

/// Whether nothing is left that could be sent again.
fn assert_silence_for_good(ladder: &mut Ladder) {
    ladder.expect_silence();
    ladder.pass(70.0);
    ladder.expect_silence();
    assert!(ladder.agent.is_at_rest(), "{:?}", ladder.agent);
}

// --- 3.1 Receiving a message in the moratorium -------------------------------------------------------------------

/// 3.1.1: the INVITE comes again after its 2xx has been sent.
#[test]
fn s3_1_1_initial_invite_again_in_the_moratorium() {
    let Moratorium {
        mut ladder,
        call,
        mut far,
        invite,
        ok,
    } = Moratorium::new();
    ladder.pass(0.3);
    ladder.receive(&invite);
    // The 2xx is repeated by its own clock (RFC 3261 section 13.3.1.4), not by the INVITE (RFC 6026 section 7.1).
    ladder.expect_silence();
    assert_eq!(ladder.agent.calls().count(), 1);
    ladder.pass(0.2);
    assert_eq!(ladder.expect_response(200, Method::Invite), ok);
    ladder.receive(&far.ack(&ok).build());
    ladder.receive(&invite);
    ladder.expect_silence();
    assert_eq!(ladder.state(call), CallState::Active);
}

/// The same from the caller's side: its ACK was lost, so the 2xx comes again.
#[test]
fn s3_1_1_the_caller_acknowledges_again() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let ok = FarEnd::called(&invite, "bob").accepts(&invite, Direction::SendRecv);
    ladder.receive(&ok);
    let ack = ladder.expect(Method::Ack);
    for pause in [0.5, 1.0, 2.0] {
        ladder.pass(pause);
        ladder.receive(&ok);
        assert_eq!(ladder.expect(Method::Ack), ack);
    }
    ladder.expect_silence();
    assert_eq!(ladder.state(CALL), CallState::Active);
}

/// 3.1.2: CANCEL crosses the 2xx. It is answered and changes nothing; the caller has to hang up.
#[test]
fn s3_1_2_cancel_in_the_moratorium() {
    let Moratorium {
        mut ladder,
        call,
        mut far,
        invite,
        ok,
    } = Moratorium::new();
    ladder.pass(0.1);
    ladder.receive(&FarEnd::cancel(&invite).build());
    let answer = ladder.expect_response(200, Method::Cancel);
    assert_eq!(answer.to().unwrap().tag(), ok.to().unwrap().tag());
    ladder.expect_silence();
    assert_eq!(ladder.state(call), CallState::Answering);
    ladder.pass(0.1);
    ladder.receive(&far.ack(&ok).build());
    assert_eq!(ladder.state(call), CallState::Active);
    ladder.pass(0.1);
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.cause(call), EndCause::RemoteHangUp);
    assert_silence_for_good(&mut ladder);
}

/// The same from the caller's side: the CANCEL was too late, so the call is acknowledged and ended.
#[test]
fn s3_1_2_the_caller_acknowledges_and_hangs_up() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.response(&invite, 180).build());
    ladder.hang_up(CALL);
    let cancel = ladder.expect(Method::Cancel);
    ladder.pass(0.1);
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(number(&ack), number(&invite));
    let bye = ladder.expect(Method::Bye);
    assert_eq!(number(&bye), number(&invite) + 1);
    ladder.pass(0.1);
    ladder.receive(&far.response(&cancel, 200).build());
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
    assert_eq!(ladder.media.open_sessions(), []);
    assert_silence_for_good(&mut ladder);
}

/// 3.1.3: the caller hangs up in what it takes for an early dialog; BYE crosses the 2xx.
#[test]
fn s3_1_3_early_bye_in_the_moratorium() {
    let Moratorium {
        mut ladder,
        call,
        mut far,
        ok,
        ..
    } = Moratorium::new();
    ladder.pass(0.1);
    ladder.receive(&far.request(Method::Bye).build());
    ladder.expect_response(200, Method::Bye);
    assert_eq!(ladder.cause(call), EndCause::RemoteHangUp);
    // The 2xx is not repeated for a dialog that is over; its late ACK means nothing.
    ladder.pass(0.6);
    ladder.expect_silence();
    ladder.receive(&far.ack(&ok).build());
    assert_silence_for_good(&mut ladder);
}

/// 3.1.4, case 1: the ACK is late or lost and a re-INVITE comes; offer and answer have been exchanged, so it is
/// accepted. Both 2xx wait for their own ACK.
#[test]
fn s3_1_4_reinvite_in_the_moratorium() {
    let Moratorium {
        mut ladder,
        call,
        mut far,
        ok,
        ..
    } = Moratorium::new();
    ladder.pass(0.4);
    let late_ack = far.ack(&ok).build();
    ladder.receive(&far.invite(Direction::SendOnly));
    let second = ladder.expect_response(200, Method::Invite);
    assert_eq!(offered(&second), Direction::RecvOnly);
    assert!(ladder.info(call).remote_hold);
    ladder.pass(0.1);
    assert_eq!(
        ladder.expect_response(200, Method::Invite),
        ok,
        "still waited for"
    );
    ladder.receive(&far.ack(&second).build());
    assert_eq!(ladder.state(call), CallState::Active);
    ladder.pass(1.0);
    assert_eq!(ladder.expect_response(200, Method::Invite), ok);
    ladder.receive(&late_ack);
    ladder.pass(30.0);
    ladder.expect_silence();
    assert_eq!(ladder.state(call), CallState::Active);
    ladder.far_hangs_up(&mut far);
    assert_silence_for_good(&mut ladder);
}

/// The ACKs in the other order; and without the first there is no call, whatever came after it.
#[test]
fn s3_1_4_each_answer_needs_its_own_ack() {
    let Moratorium {
        mut ladder,
        call,
        mut far,
        ok,
        ..
    } = Moratorium::new();
    far.learn(&ok);
    ladder.receive(&far.invite(Direction::SendRecv));
    let second = ladder.expect_response(200, Method::Invite);
    // A third has to wait until something is acknowledged.
    ladder.receive(&far.invite(Direction::SendRecv));
    ladder.expect_response(491, Method::Invite);
    ladder.receive(&far.ack(&second).build());
    ladder.pass(31.9);
    ladder.forget();
    assert_eq!(ladder.state(call), CallState::Active);
    ladder.pass(0.2);
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(call), EndCause::NetworkFailed);
    assert_silence_for_good(&mut ladder);
}

/// 3.1.5, case 2: the offer went out in the 2xx and its answer is in the late ACK, so there is no room for another.
#[test]
fn s3_1_5_reinvite_before_the_answer_in_the_ack() {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    ladder.receive(&far.request(Method::Invite).build());
    ladder.expect_response(180, Method::Invite);
    let call = ladder.newest_call();
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    let late_ack = far
        .ack(&ok)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes())
        .build();
    ladder.pass(0.1);
    let reinvite = far.invite(Direction::SendOnly);
    ladder.receive(&reinvite);
    let refusal = ladder.expect_response(491, Method::Invite);
    ladder.receive(&FarEnd::ack_refusal(&reinvite, &refusal));
    assert_eq!(ladder.state(call), CallState::Answering);
    ladder.pass(0.1);
    ladder.receive(&late_ack);
    assert_eq!(ladder.state(call), CallState::Active);
    assert!(!ladder.info(call).remote_hold);
    // The owner of the Call-ID tries again after 2.1 to 4 seconds (RFC 3261 section 14.1).
    ladder.pass(2.1);
    ladder.receive(&far.invite(Direction::SendOnly));
    let second = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&second).build());
    assert!(ladder.info(call).remote_hold);
}

/// 3.1.6: the ACK is lost and the caller hangs up.
#[test]
fn s3_1_6_bye_in_the_moratorium() {
    let Moratorium {
        mut ladder,
        call,
        mut far,
        ok,
        ..
    } = Moratorium::new();
    far.learn(&ok);
    ladder.pass(0.5);
    assert_eq!(ladder.expect_response(200, Method::Invite), ok);
    ladder.pass(0.2);
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.cause(call), EndCause::RemoteHangUp);
    assert_eq!(ladder.media.open_sessions(), []);
    assert_silence_for_good(&mut ladder);
}

/// RFC 3261 section 15: a callee that hangs up in the moratorium waits for the ACK with its BYE.
#[test]
fn s3_1_6_the_callee_hangs_up_in_the_moratorium() {
    let Moratorium {
        mut ladder,
        call,
        mut far,
        ok,
        ..
    } = Moratorium::new();
    ladder.pass(0.1);
    ladder.hang_up(call);
    ladder.expect_silence();
    ladder.pass(0.4);
    assert_eq!(ladder.expect_response(200, Method::Invite), ok);
    ladder.receive(&far.ack(&ok).build());
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(call), EndCause::LocalHangUp);
    assert_silence_for_good(&mut ladder);
}

// --- 3.2 Receiving a message when the dialog is mortal -------------------------------------------------------------

/// 3.2.1: both sides hang up.
#[test]
fn s3_2_1_byes_cross() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    ladder.pass(0.1);
    ladder.receive(&far.request(Method::Bye).build());
    ladder.expect_response(200, Method::Bye);
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    ladder.pass(0.1);
    ladder.receive(&far.response(&bye, 200).build());
    assert_silence_for_good(&mut ladder);
}

/// The far end has forgotten the dialog by the time our BYE gets there: that ends it as well.
#[test]
fn s3_2_1_a_bye_that_comes_too_late() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 481).build());
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    assert_silence_for_good(&mut ladder);
}

/// 3.2.2: a re-INVITE crosses our BYE.
#[test]
fn s3_2_2_reinvite_to_a_mortal_dialog() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    ladder.pass(0.1);
    let reinvite = far.invite(Direction::SendOnly);
    ladder.receive(&reinvite);
    let refusal = ladder.expect_response(481, Method::Invite);
    ladder.receive(&FarEnd::ack_refusal(&reinvite, &refusal));
    assert!(!ladder.info(CALL).remote_hold);
    ladder.receive(&far.response(&bye, 200).build());
    assert_silence_for_good(&mut ladder);
}

/// The same from the other side: our re-INVITE crosses the far end's BYE and is refused.
#[test]
fn s3_2_2_the_far_end_refuses_our_reinvite() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.pass(0.1);
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
    assert!(ladder.failure(hold).is_some());
    ladder.pass(0.1);
    ladder.receive(&far.response(&reinvite, 481).build());
    assert_eq!(number(&ladder.expect(Method::Ack)), number(&reinvite));
    assert_silence_for_good(&mut ladder);
}

/// The same while our BYE still waits for the ACK of our answer.
#[test]
fn s3_2_2_reinvite_before_our_bye_may_go_out() {
    let Moratorium {
        mut ladder,
        call,
        mut far,
        ok,
        ..
    } = Moratorium::new();
    ladder.hang_up(call);
    let ack = far.ack(&ok).build();
    for reinvite in [
        far.invite(Direction::SendRecv),
        far.request(Method::Invite).build(),
    ] {
        ladder.receive(&reinvite);
        let refusal = ladder.expect_response(481, Method::Invite);
        ladder.receive(&FarEnd::ack_refusal(&reinvite, &refusal));
    }
    ladder.receive(&ack);
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_silence_for_good(&mut ladder);
}

/// 3.2.3: the 2xx to our re-INVITE comes after our BYE has gone out, or after that is answered: it gets its ACK.
#[test]
fn s3_2_3_2xx_to_a_reinvite_after_our_bye() {
    for bye_is_answered_first in [false, true] {
        let (mut ladder, far) = Ladder::in_outgoing_call();
        ladder.hold(CALL);
        let reinvite = ladder.expect(Method::Invite);
        ladder.hang_up(CALL);
        let bye = ladder.expect(Method::Bye);
        ladder.pass(0.1);
        let answer = far.response(&bye, 200).build();
        if bye_is_answered_first {
            ladder.receive(&answer);
        }
        let ok = far.accepts(&reinvite, Direction::RecvOnly);
        ladder.receive(&ok);
        let ack = ladder.expect(Method::Ack);
        assert_eq!(number(&ack), number(&reinvite));
        assert_eq!(ack.request_uri_text(), bye.request_uri_text());
        assert_eq!(ack.header(HeaderName::Route), bye.header(HeaderName::Route));
        ladder.pass(0.5);
        ladder.receive(&ok);
        assert_eq!(number(&ladder.expect(Method::Ack)), number(&reinvite), "again");
        if !bye_is_answered_first {
            ladder.receive(&answer);
        }
        assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
        assert!(!ladder.info(CALL).local_hold);
        assert_silence_for_good(&mut ladder);
    }
}

/// The same after the far end's BYE.
#[test]
fn s3_2_3_2xx_to_a_reinvite_after_the_far_ends_bye() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 100).build());
    ladder.pass(0.1);
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(number(&ack), number(&reinvite));
    assert_silence_for_good(&mut ladder);
}

/// And if it never comes, nothing is kept for it.
#[test]
fn s3_2_3_a_2xx_that_never_comes() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 100).build());
    ladder.far_hangs_up(&mut far);
    assert!(!ladder.agent.is_at_rest());
    assert_silence_for_good(&mut ladder);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    // It is told all the same that there is no call any more.
    ladder.expect(Method::Ack);
    ladder.expect(Method::Bye);
    ladder.expect_silence();
}

/// 3.2.4: BYE overtakes the ACK.
#[test]
fn s3_2_4_ack_to_a_mortal_dialog() {
    let Moratorium {
        mut ladder,
        call,
        mut far,
        ok,
        ..
    } = Moratorium::new();
    let ack = far.ack(&ok).build();
    ladder.pass(0.1);
    ladder.far_hangs_up(&mut far);
    ladder.pass(0.1);
    ladder.receive(&ack);
    assert_eq!(ladder.cause(call), EndCause::RemoteHangUp);
    assert_silence_for_good(&mut ladder);
}

// --- 3.3 Other races ---------------------------------------------------------------------------------------------

/// 3.3.1: both sides offer; both are refused, and the owner of the Call-ID waits longer.
#[test]
fn s3_3_1_reinvites_cross() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let ours = ladder.expect(Method::Invite);
    ladder.pass(0.1);
    let theirs = far.invite(Direction::SendOnly);
    ladder.receive(&theirs);
    let refusal = ladder.expect_response(491, Method::Invite);
    ladder.receive(&FarEnd::ack_refusal(&theirs, &refusal));
    ladder.receive(&far.response(&ours, 491).build());
    assert_eq!(number(&ladder.expect(Method::Ack)), number(&ours));
    assert_eq!(ladder.outcome(hold), None, "it will be tried again");

    // The other side tries again within two seconds, and finds room.
    ladder.pass(1.9);
    ladder.expect_silence();
    ladder.receive(&far.invite(Direction::SendOnly));
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    assert!(ladder.info(CALL).remote_hold);
    // Its answer has said that this side holds as well, so nothing is left to be asked for.
    assert_eq!(offered(&ok), Direction::Inactive);
    assert!(ladder.succeeded(hold));
    ladder.pass(4.0);
    ladder.expect_silence();
}

/// The times: 2.1 to 4 seconds for the owner of the Call-ID, up to 2 seconds for the other, both by chance.
#[test]
fn s3_3_1_times_after_glare() {
    for seed in 0..20 {
        for owner in [true, false] {
            let mut config = config();
            config.register = false;
            let agent = clearline_core::UserAgent::new(config, [seed; 32]);
            let mut ladder = Ladder::of(agent, clearline_core::Instant::from_secs(1_000));
            ladder.start();
            ladder.connect();
            let (call, far) = if owner {
                (CALL, ladder.make_call(CALL, "bob"))
            } else {
                ladder.take_call("bob")
            };
            ladder.forget();
            ladder.hold(call);
            let reinvite = ladder.expect(Method::Invite);
            ladder.receive(&far.response(&reinvite, 491).build());
            ladder.expect(Method::Ack);
            let refused_at = ladder.now;
            let again = ladder.wait_for(Method::Invite);
            assert_eq!(offered(&again), Direction::SendOnly);
            let pause = (ladder.now - refused_at).as_millis();
            let allowed = if owner { 2_100..=4_000 } else { 0..=2_000 };
            assert!(allowed.contains(&pause), "{pause} ms");
        }
    }
}

/// 3.3.2: an UPDATE with an offer crosses our re-INVITE.
#[test]
fn s3_3_2_update_crosses_our_reinvite() {
    let (mut ladder, mut far) = Ladder::in_call_with_update();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.pass(0.1);
    let update = far
        .request(Method::Update)
        .body("application/sdp", sdp(Direction::SendOnly).as_bytes())
        .build();
    ladder.receive(&update);
    ladder.expect_response(491, Method::Update);
    assert!(!ladder.info(CALL).remote_hold);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    assert!(ladder.succeeded(hold));
}

/// The other way round: the far end's re-INVITE comes while our UPDATE, which offers nothing, is out.
#[test]
fn s3_3_2_reinvite_crosses_our_update() {
    let (mut ladder, mut far) = Ladder::in_call_with_update();
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let update = ladder.expect(Method::Update);
    ladder.receive(&far.invite(Direction::SendOnly));
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    assert!(ladder.info(CALL).remote_hold);
    // The far end has taken it for glare: it is tried again, as after a re-INVITE.
    ladder.receive(&far.response(&update, 491).build());
    let refused_at = ladder.now;
    ladder.wait_for(Method::Update);
    assert!((2_100..=4_000).contains(&(ladder.now - refused_at).as_millis()));
}

/// 3.3.3 and appendix D: REFER, or whatever else, crosses our BYE: for this side the dialog is over.
#[test]
fn s3_3_3_refer_to_a_mortal_dialog() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    for method in [
        Method::Refer,
        Method::Info,
        Method::Update,
        Method::Options,
        Method::Message,
    ] {
        ladder.receive(&far.request(method).build());
        ladder.expect_response(481, method);
    }
    ladder.receive(&far.response(&bye, 200).build());
    ladder.receive(&far.request(Method::Refer).build());
    ladder.expect_response(481, Method::Refer);
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    assert_silence_for_good(&mut ladder);
}

// --- Appendices --------------------------------------------------------------------------------------------------

/// A: a caller ends an INVITE by CANCEL, never by BYE, as other forks would go on ringing.
#[test]
fn a_an_early_dialog_is_left_by_cancel() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    for fork in ["desk", "mobile"] {
        let far = FarEnd::called(&invite, fork);
        ladder.receive(&far.response(&invite, 180).build());
    }
    ladder.hang_up(CALL);
    ladder.expect(Method::Cancel);
    ladder.expect_silence();
}

/// A: a callee may find itself hung up on by BYE in an early dialog: both transactions end.
#[test]
fn a_bye_in_an_early_dialog() {
    let mut ladder = Ladder::registered();
    let (call, mut far, invite) = ladder.ring("bob");
    ladder.pass(0.1);
    ladder.receive(&far.request(Method::Bye).build());
    let ok = ladder.expect_response(200, Method::Bye);
    let terminated = ladder.expect_response(487, Method::Invite);
    assert_eq!(ok.to().unwrap().tag(), terminated.to().unwrap().tag());
    ladder.receive(&FarEnd::ack_refusal(&invite, &terminated));
    assert_eq!(ladder.cause(call), EndCause::Missed);
    assert_silence_for_good(&mut ladder);
}

/// B: BYE while the sender's own re-INVITE is open: that is answered with 487 ...
#[test]
fn b_the_far_end_hangs_up_with_its_reinvite_open() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    let reinvite = far.invite(Direction::SendOnly);
    ladder.receive(&reinvite);
    ladder.pass(0.1);
    ladder.receive(&far.request(Method::Bye).build());
    ladder.expect_response(200, Method::Bye);
    let refusal = ladder.expect_response(487, Method::Invite);
    ladder.receive(&FarEnd::ack_refusal(&reinvite, &refusal));
    ladder.media_goes_on();
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
    assert_silence_for_good(&mut ladder);
}

/// ... and so it is when the other side hangs up.
#[test]
fn b_this_side_hangs_up_with_the_far_ends_reinvite_open() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    let reinvite = far.invite(Direction::SendOnly);
    ladder.receive(&reinvite);
    ladder.pass(0.1);
    ladder.hang_up(CALL);
    let refusal = ladder.expect_response(487, Method::Invite);
    ladder.receive(&FarEnd::ack_refusal(&reinvite, &refusal));
    let bye = ladder.expect(Method::Bye);
    ladder.media_goes_on();
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    assert_silence_for_good(&mut ladder);
}

/// B: BYE while our own re-INVITE is open: the far end ends it with 487, which is acknowledged.
#[test]
fn b_bye_overlaps_with_our_reinvite() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    assert!(number(&bye) > number(&reinvite));
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    ladder.receive(&far.response(&reinvite, 487).build());
    assert_eq!(number(&ladder.expect(Method::Ack)), number(&reinvite));
    assert_silence_for_good(&mut ladder);
}

/// C: CANCEL waits for a provisional response, and a far end that ignores it is waited for 64*T1.
#[test]
fn c_cancel_without_effect() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    ladder.hang_up(CALL);
    ladder.pass(1.0);
    ladder.expect_silence();
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.response(&invite, 180).build());
    let cancel = ladder.expect(Method::Cancel);
    ladder.receive(&far.response(&cancel, 200).build());
    ladder.pass(31.1);
    ladder.expect_silence();
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
    assert_silence_for_good(&mut ladder);
}

/// C: the final response crosses the CANCEL, which is then answered with 481 or not at all.
#[test]
fn c_a_refusal_crosses_the_cancel() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.response(&invite, 180).build());
    ladder.hang_up(CALL);
    let cancel = ladder.expect(Method::Cancel);
    ladder.receive(&far.response(&invite, 486).build());
    ladder.expect(Method::Ack);
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled, "what the user did");
    ladder.receive(&far.response(&cancel, 481).build());
    assert_silence_for_good(&mut ladder);
}

/// E: each new To tag in a 2xx is a dialog of its own, to be acknowledged and ended, before, during and after the call.
#[test]
fn e_forks_with_new_to_tags() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let forks = ["desk", "mobile", "tablet"].map(|tag| FarEnd::called(&invite, tag));
    ladder.receive(&forks[0].response(&invite, 180).build());
    ladder.pass(0.1);
    // One that has never rung answers.
    ladder.receive(&forks[1].accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.pass(0.1);
    ladder.receive(&forks[0].accepts(&invite, Direction::SendRecv));
    let ack = ladder.expect(Method::Ack);
    assert_eq!(ack.to().unwrap().tag(), Some("desk"));
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("desk"));
    ladder.receive(&forks[0].response(&bye, 200).build());
    assert_eq!(ladder.state(CALL), CallState::Active);

    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("mobile"));
    ladder.receive(&forks[1].response(&bye, 200).build());
    ladder.pass(0.1);
    ladder.receive(&forks[2].accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("tablet"));
    ladder.receive(&forks[2].response(&bye, 200).build());
    assert_silence_for_good(&mut ladder);
}

// --- Reliable provisional responses, which the RFC leaves out ------------------------------------------------------

/// A PRACK is overtaken by the CANCEL of the same caller: its early dialog is over.
#[test]
fn prack_after_cancel() {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    let invite = far.invite(Direction::SendRecv);
    let invite = invite.edit().append(HeaderName::Require, "100rel").build();
    ladder.receive(&invite);
    let ringing = ladder.expect_response(180, Method::Invite);
    far.learn(&ringing);
    let rseq = ringing.reliable_rseq().unwrap();
    let rack = format!("{rseq} {} INVITE", number(&ringing));
    let prack = far.request(Method::Prack).header(HeaderName::RAck, rack).build();
    ladder.pass(0.1);
    ladder.receive(&FarEnd::cancel(&invite).build());
    ladder.expect_response(200, Method::Cancel);
    let terminated = ladder.expect_response(487, Method::Invite);
    ladder.receive(&prack);
    ladder.expect_response(481, Method::Prack);
    ladder.receive(&FarEnd::ack_refusal(&invite, &terminated));
    assert_silence_for_good(&mut ladder);
}

/// The answer goes out before the PRACK for the ringing has come: both are in order, whichever is first.
#[test]
fn prack_in_the_moratorium() {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    let invite = far.invite(Direction::SendRecv);
    ladder.receive(&invite.edit().append(HeaderName::Require, "100rel").build());
    let ringing = ladder.expect_response(180, Method::Invite);
    far.learn(&ringing);
    let call = ladder.newest_call();
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    let rack = format!("{} {} INVITE", ringing.reliable_rseq().unwrap(), number(&ringing));
    let prack = far.request(Method::Prack).header(HeaderName::RAck, rack).build();
    ladder.receive(&prack);
    ladder.expect_response(200, Method::Prack);
    assert_eq!(ladder.state(call), CallState::Answering);
    ladder.receive(&far.ack(&ok).build());
    assert_eq!(ladder.state(call), CallState::Active);
    ladder.far_hangs_up(&mut far);
    assert_silence_for_good(&mut ladder);
}
