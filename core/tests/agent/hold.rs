//! Hold that truly silences the microphone: on every way a description is made, the media backend is asked for a
//! direction that keeps it silent, and it stays so until a resume is agreed.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{CallState, Direction, Instant, MediaAction, MediaErrorKind, MediaTransport, UserAgent};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, secs};
use crate::media::{direction_of, sdp};

fn direction_in(message: &Message) -> Direction {
    direction_of(std::str::from_utf8(message.body()).unwrap())
}

/// Every direction the backend has been asked for since the log was taken.
fn asked(ladder: &mut Ladder) -> Vec<Direction> {
    let log = ladder.media.take_log().into_iter();
    log.filter_map(|action| match action {
        MediaAction::CreateOffer { direction, .. } | MediaAction::CreateAnswer { direction, .. } => {
            Some(direction)
        }
        MediaAction::ApplyAnswer { .. }
        | MediaAction::Rollback
        | MediaAction::SetMuted { .. }
        | MediaAction::SetConference { .. }
        | MediaAction::SendDtmf { .. }
        | MediaAction::AddCandidates { .. }
        | MediaAction::Close => None,
    })
    .collect()
}

/// Nothing of the room is heard, in whatever session.
#[track_caller]
fn assert_silent(ladder: &Ladder) {
    let open = ladder.media.open_sessions();
    let heard: Vec<_> = open
        .iter()
        .filter(|session| ladder.media.is_heard(**session))
        .collect();
    assert!(heard.is_empty(), "the microphone is heard in {heard:?}");
}

#[track_caller]
fn assert_heard(ladder: &Ladder) {
    assert!(ladder.media.is_heard(ladder.session()));
}

fn held() -> (Ladder, FarEnd) {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    assert_heard(&ladder);
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.forget();
    assert_silent(&ladder);
    (ladder, far)
}

#[test]
fn silence_begins_with_the_key_press_and_ends_with_the_agreement() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    ladder.hold(CALL);
    ladder.media_answers();
    assert_silent(&ladder);
    ladder.media_goes_on();
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    ladder.resume(CALL);
    let reinvite = ladder.expect(Method::Invite);
    assert_silent(&ladder);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    assert_heard(&ladder);
}

#[test]
fn a_refused_resume_stays_silent_and_a_refused_hold_is_heard_again() {
    let (mut ladder, far) = held();
    ladder.resume(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 488).build());
    assert!(ladder.info(CALL).local_hold);
    assert_silent(&ladder);

    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    assert_silent(&ladder);
    ladder.receive(&far.response(&reinvite, 488).build());
    assert_heard(&ladder);
}

#[test]
fn a_hold_while_another_offer_is_out_follows_it() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Failed);
    let restart = ladder.expect(Method::Invite);
    let hold = ladder.hold(CALL);
    ladder.expect_silence();
    ladder.receive(&far.accepts(&restart, Direction::SendRecv));
    ladder.expect(Method::Ack);
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(direction_in(&reinvite), Direction::SendOnly);
    assert_silent(&ladder);
    assert_eq!(asked(&mut ladder), [Direction::SendRecv, Direction::SendOnly]);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    assert!(ladder.succeeded(hold));
}

#[test]
fn whatever_the_held_far_end_offers_it_hears_nothing() {
    for method in [Method::Invite, Method::Update] {
        for offered in [
            Direction::SendRecv,
            Direction::RecvOnly,
            Direction::SendOnly,
            Direction::Inactive,
        ] {
            let (mut ladder, mut far) = held();
            let request = far
                .request(method)
                .body("application/sdp", sdp(offered).as_bytes());
            ladder.receive(&request.build());
            let ok = ladder.expect_response(200, method);
            assert!(matches!(
                direction_in(&ok),
                Direction::SendOnly | Direction::Inactive
            ));
            assert_eq!(asked(&mut ladder), [Direction::SendOnly]);
            assert!(ladder.info(CALL).local_hold);
            assert_silent(&ladder);
        }
    }
}

#[test]
fn a_late_offer_of_a_holding_side_is_silent() {
    let (mut ladder, mut far) = held();
    ladder.receive(&far.request(Method::Invite).build());
    let ok = ladder.expect_response(200, Method::Invite);
    assert_eq!(direction_in(&ok), Direction::SendOnly);
    assert_eq!(asked(&mut ladder), [Direction::SendOnly]);
    let ack = far
        .ack(&ok)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes());
    ladder.receive(&ack.build());
    assert!(ladder.info(CALL).local_hold);
    assert_silent(&ladder);
}

#[test]
fn a_fresh_start_of_the_audio_path_is_silent() {
    let (mut ladder, far) = held();
    ladder.transport(MediaTransport::Failed);
    let restart = ladder.expect(Method::Invite);
    assert_eq!(asked(&mut ladder), [Direction::SendOnly]);
    ladder.receive(&far.accepts(&restart, Direction::RecvOnly));
    assert_silent(&ladder);
}

#[test]
fn coming_back_after_a_lost_connection_is_silent() {
    let (mut ladder, far) = held();
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let refresh = ladder.expect(Method::Invite);
    assert_eq!(asked(&mut ladder), [Direction::SendOnly]);
    ladder.receive(&far.accepts(&refresh, Direction::RecvOnly));
    assert!(ladder.info(CALL).local_hold);
    assert_silent(&ladder);
}

#[test]
fn moved_media_are_silent_in_both_sessions() {
    let (mut ladder, far) = held();
    let operation = ladder.command(CALL, |call| call.move_media()).unwrap();
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(asked(&mut ladder), [Direction::SendOnly]);
    assert_silent(&ladder);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    assert!(ladder.succeeded(operation) && ladder.info(CALL).local_hold);
    assert_silent(&ladder);
}

#[test]
fn a_restored_hold_is_silent() {
    let (ladder, far) = held();
    let stored = serde_json::to_string(&ladder.agent.snapshot(ladder.now)).unwrap();
    let snapshot = serde_json::from_str(&stored).unwrap();
    let now = Instant::from_secs(50_000);
    let agent = UserAgent::restore(config(), snapshot, [9; 32], now, secs(1.0));
    let mut restored = Ladder::of(agent, now);
    restored.start();
    restored.connect();
    restored.register();
    let reinvite = restored.expect(Method::Invite);
    assert_eq!(asked(&mut restored), [Direction::SendOnly]);
    assert_silent(&restored);
    restored.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    assert_silent(&restored);
    assert_eq!(restored.state(CALL), CallState::Active);
}

#[test]
fn toggling_quickly_ends_where_the_user_ended() {
    for toggles in 1..6 {
        let (mut ladder, far) = Ladder::in_outgoing_call();
        let mut last = ladder.hold(CALL);
        for toggle in 1..toggles {
            last = if toggle % 2 == 1 {
                ladder.resume(CALL)
            } else {
                ladder.hold(CALL)
            };
        }
        let wanted = toggles % 2 == 1;
        let mut offers = 0;
        while ladder.outcome(last).is_none() {
            let message = ladder.wait_for(Method::Invite);
            offers += 1;
            let answer = direction_in(&message).reversed();
            ladder.receive(&far.accepts(&message, answer));
            ladder.expect(Method::Ack);
        }
        assert!(ladder.succeeded(last));
        assert!(offers <= 2, "{offers} offers for {toggles} toggles");
        assert_eq!(ladder.info(CALL).local_hold, wanted);
        assert_eq!(ladder.media.is_heard(ladder.session()), !wanted);
        assert!(ladder.unfinished().is_empty());
    }
}

#[test]
fn a_microphone_switched_off_while_it_rings_stays_off_whatever_is_negotiated() {
    let mut ladder = Ladder::registered();
    let (call, mut far, _) = ladder.ring("bob");
    ladder.command(call, |call| call.set_muted(true)).unwrap();
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    assert_silent(&ladder);
    ladder.receive(&far.invite(Direction::SendRecv));
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    assert_silent(&ladder);
    ladder.command(call, |call| call.move_media()).unwrap();
    let reinvite = ladder.expect(Method::Invite);
    assert_silent(&ladder);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    assert!(ladder.info(call).muted);
    assert_silent(&ladder);
    ladder.command(call, |call| call.set_muted(false)).unwrap();
    assert_heard(&ladder);
}

#[test]
fn an_answer_missing_in_the_ack_ends_the_call() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.receive(&far.request(Method::Invite).build());
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    let bye = ladder.expect(Method::Bye);
    assert_eq!(ladder.media.open_sessions(), []);
    ladder.receive(&far.response(&bye, 200).build());
    assert!(ladder.end(CALL).cause == clearline_core::EndCause::NotAcceptable);
}

#[test]
fn a_late_offer_the_backend_cannot_make_leaves_the_call_as_it_is() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    ladder.receive(&far.request(Method::Invite).build());
    ladder.media_fails(MediaErrorKind::Failed);
    ladder.expect_response(500, Method::Invite);
    ladder.media_goes_on();
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert_heard(&ladder);
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    assert!(reinvite.header(HeaderName::Contact).is_some());
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    assert!(ladder.succeeded(hold));
}

/// A platform refreshes with what the hold has made of the session while a resume waits; then the far end is held again.
#[test]
fn a_refresh_between_two_holds_opens_no_microphone() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    assert!(ladder.succeeded(hold));
    ladder.resume(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.response(&reinvite, 491).build());
    ladder.expect(Method::Ack);
    ladder.receive(&far.invite(Direction::RecvOnly));
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    ladder.hold(CALL);
    ladder.pass(10.0);
    ladder.expect_silence();
    assert!(ladder.info(CALL).local_hold);
    assert!(!ladder.media.is_heard(ladder.session()));
}
