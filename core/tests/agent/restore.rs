//! Snapshots: what a restart of the program does not lose, and what it must not repeat.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{
    CallState, Direction, Duration, EndCause, Instant, MediaAction, MediaTransport, Snapshot, UserAgent,
};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, secs};

/// The agent of `ladder` after a restart, `asleep` later, on a clock with another origin.
fn restart(ladder: &Ladder, asleep: Duration) -> Ladder {
    let snapshot = ladder.snapshot();
    let stored = serde_json::to_string(&snapshot).unwrap();
    assert!(!stored.contains("demo"), "no secret");
    let snapshot: Snapshot = serde_json::from_str(&stored).unwrap();
    let now = Instant::from_secs(50_000);
    let agent = UserAgent::restore(config(), snapshot, [9; 32], now, asleep);
    let mut restored = Ladder::of(agent, now);
    restored.drain();
    restored
}

fn restarted_and_registered(ladder: &Ladder) -> Ladder {
    let mut restored = restart(ladder, secs(3.0));
    restored.start();
    restored.connect();
    assert!(restored.media.log.is_empty(), "not before it is registered");
    restored.register();
    restored
}

fn number(request: &Message) -> u32 {
    request.cseq().unwrap().number
}

#[test]
fn a_call_is_brought_back_with_new_media() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.pass(10.0);
    let before = ladder.info(CALL).clone();
    let mut restored = restart(&ladder, secs(3.0));
    let info = restored.info(CALL).clone();
    assert_eq!(info.state, CallState::Active);
    assert_eq!(info.remote, before.remote);
    assert_eq!(
        restored.now - info.answered_at.unwrap(),
        secs(13.0),
        "the time since the answer goes on"
    );
    restored.start();
    restored.connect();
    assert!(restored.media.log.is_empty(), "not before it is registered");
    restored.register();
    let reinvite = restored.expect(Method::Invite);
    assert_eq!(reinvite.to().unwrap().tag(), Some("bob-tag"));
    assert!(matches!(
        restored.media.take_log()[..],
        [MediaAction::CreateOffer {
            direction: Direction::SendRecv,
            ..
        }]
    ));
    assert_ne!(
        restored.session(),
        ladder.session(),
        "a window that outlived the agent may still know the old one"
    );
    restored.receive(&far.accepts(&reinvite, Direction::SendRecv));
    restored.expect(Method::Ack);
    assert_eq!(restored.state(CALL), CallState::Active);
    restored.expect_silence();
}

#[test]
fn numbers_and_identifiers_are_not_repeated() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let mut restored = restarted_and_registered(&ladder);
    let after = restored.expect(Method::Invite);
    // What the first agent sends after the snapshot must not clash with what the second one sends.
    for _ in 0..20 {
        let hold = ladder.hold(CALL);
        let reinvite = ladder.expect(Method::Invite);
        assert!(number(&reinvite) < number(&after));
        assert_ne!(
            reinvite.top_via().unwrap().branch(),
            after.top_via().unwrap().branch()
        );
        ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
        assert!(ladder.succeeded(hold));
        ladder.expect(Method::Ack);
        ladder.resume(CALL);
        let reinvite = ladder.expect(Method::Invite);
        assert!(number(&reinvite) < number(&after));
        ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
        ladder.expect(Method::Ack);
    }
    // And requests of the far end are still in order.
    restored.receive(&far.request(Method::Options).build());
    restored.expect_response(200, Method::Options);

    let tag = |ladder: &mut Ladder| {
        ladder.dial(clearline_core::CallId(2), "carol");
        let invite = ladder.expect(Method::Invite);
        (
            invite.from().unwrap().tag().unwrap().to_owned(),
            invite.call_id().unwrap().to_owned(),
        )
    };
    assert_ne!(tag(&mut ladder), tag(&mut restored));
}

#[test]
fn registrations_go_on_in_order() {
    let mut ladder = Ladder::registered();
    let mut last = 0;
    let snapshot_of = ladder.clone();
    let mut contact = String::new();
    for _ in 0..3 {
        let register = ladder.wait_for(Method::Register);
        last = number(&register);
        contact = register.header(HeaderName::Contact).unwrap().to_owned();
        ladder.receive(&crate::ladder::granted(&register).build());
    }
    assert_eq!(last, 4);
    let mut restored = restart(&snapshot_of, secs(1_800.0));
    restored.start();
    restored.connect();
    let register = restored.expect(Method::Register);
    assert!(number(&register) > last, "{} after {last}", number(&register));
    assert_eq!(
        register.header(HeaderName::Contact),
        Some(contact.as_str()),
        "the same binding, not a second one"
    );
}

#[test]
fn a_muted_call_stays_muted_and_a_held_one_held() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.command(CALL, |call| call.set_muted(true)).unwrap();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    let mut restored = restarted_and_registered(&ladder);
    let reinvite = restored.expect(Method::Invite);
    let offer = std::str::from_utf8(reinvite.body()).unwrap();
    assert_eq!(crate::media::direction_of(offer), Direction::SendOnly);
    assert!(restored.media.is_muted(restored.session()));
    restored.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    let info = restored.info(CALL);
    assert!(info.muted && info.local_hold);
    let resume = restored.resume(CALL);
    restored.expect(Method::Ack);
    let reinvite = restored.expect(Method::Invite);
    restored.receive(&far.accepts(&reinvite, Direction::SendRecv));
    assert!(restored.succeeded(resume));
    assert!(restored.info(CALL).muted);
}

#[test]
fn a_call_the_far_end_has_given_up_ends() {
    let (ladder, far) = Ladder::in_outgoing_call();
    let mut restored = restarted_and_registered(&ladder);
    let reinvite = restored.expect(Method::Invite);
    restored.receive(&far.response(&reinvite, 481).build());
    restored.expect(Method::Ack);
    // It may have been the route that was lost; that is tried, too (RFC 3891).
    let invite = restored.expect(Method::Invite);
    restored.respond(&invite, 481);
    assert_eq!(restored.state(CALL), CallState::Ending);
    restored.expect(Method::Ack);
    let bye = restored.expect(Method::Bye);
    restored.respond(&bye, 481);
    assert_eq!(restored.cause(CALL), EndCause::NetworkFailed);
}

#[test]
fn an_old_snapshot_brings_no_calls_back() {
    let (ladder, _) = Ladder::in_outgoing_call();
    let restored = restart(&ladder, secs(61.0));
    assert_eq!(restored.agent.calls().count(), 0);
}

#[test]
fn a_call_that_cannot_be_brought_back_is_given_up() {
    let (ladder, _) = Ladder::in_outgoing_call();
    let mut restored = restart(&ladder, secs(3.0));
    restored.start();
    restored.pass(61.0);
    assert_eq!(restored.cause(CALL), EndCause::NetworkFailed);
    assert_eq!(restored.media.open_sessions(), []);
}

/// A far end that fails for a moment does not leave the call without audio.
#[test]
fn a_far_end_that_fails_is_asked_again_for_the_media() {
    let (ladder, far) = Ladder::in_outgoing_call();
    let mut restored = restarted_and_registered(&ladder);
    for _ in 0..3 {
        let reinvite = restored.wait_for(Method::Invite);
        restored.respond(&reinvite, 500);
        restored.expect(Method::Ack);
        assert!(restored.info(CALL).reconnecting);
    }
    let reinvite = restored.wait_for(Method::Invite);
    restored.receive(&far.accepts(&reinvite, Direction::SendRecv));
    restored.expect(Method::Ack);
    restored.transport(MediaTransport::Connected);
    assert!(!restored.info(CALL).reconnecting);
    restored.pass(90.0);
    restored.expect_silence();
    assert_eq!(restored.state(CALL), CallState::Active);
}

/// The connection breaks while the new media are being described.
#[test]
fn media_that_could_not_be_offered_are_offered_on_the_next_connection() {
    let (ladder, far) = Ladder::in_call_with_update();
    let mut restored = restart(&ladder, secs(3.0));
    restored.start();
    restored.connect();
    restored.media.held_back = true;
    restored.register();
    restored.lose_connection();
    restored.media_goes_on();
    restored.reconnect();
    restored.register();
    let reinvite = restored.expect(Method::Invite);
    // Where this side is does not wait for the answer.
    let update = restored.expect(Method::Update);
    restored.receive(&far.response(&update, 200).build());
    restored.receive(&far.accepts(&reinvite, Direction::SendRecv));
    restored.expect(Method::Ack);
    restored.expect_silence();
}

#[test]
fn a_call_whose_new_media_are_refused_is_given_up() {
    let (ladder, _) = Ladder::in_outgoing_call();
    let mut restored = restarted_and_registered(&ladder);
    let reinvite = restored.expect(Method::Invite);
    restored.respond(&reinvite, 488);
    restored.expect(Method::Ack);
    restored.pass(61.0);
    restored.expect(Method::Bye);
    assert_eq!(restored.media.open_sessions(), []);
}

#[test]
fn a_restored_call_can_be_hung_up() {
    let (ladder, far) = Ladder::in_outgoing_call();
    let mut restored = restart(&ladder, secs(3.0));
    restored.start();
    restored.connect();
    restored.forget();
    restored.hang_up(CALL);
    let bye = restored.expect(Method::Bye);
    restored.receive(&far.response(&bye, 200).build());
    assert_eq!(restored.cause(CALL), EndCause::LocalHangUp);
}

#[test]
fn calls_that_are_not_answered_are_not_kept() {
    let mut ladder = Ladder::registered();
    ladder.ring("bob");
    ladder.dial(CALL, "carol");
    let invite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&invite, "carol");
    ladder.receive(&far.response(&invite, 180).build());
    let restored = restart(&ladder, secs(1.0));
    assert_eq!(restored.agent.calls().count(), 0);
}

#[test]
fn an_unknown_version_starts_afresh() {
    let (ladder, _) = Ladder::in_outgoing_call();
    let snapshot = serde_json::to_string(&ladder.agent.snapshot(ladder.now)).unwrap();
    let newer = snapshot.replacen("\"version\":5", "\"version\":99", 1);
    assert_ne!(newer, snapshot);
    let snapshot = serde_json::from_str(&newer).unwrap();
    let agent = UserAgent::restore(config(), snapshot, [9; 32], Instant::ZERO, secs(1.0));
    assert_eq!(agent.calls().count(), 0);
}

#[test]
fn an_agent_without_registration_brings_its_calls_back_when_connected() {
    let mut ladder = Ladder::connected();
    let far = ladder.make_call(CALL, "bob");
    let snapshot = ladder.snapshot();
    let mut config = config();
    config.register = false;
    let agent = UserAgent::restore(config, snapshot, [9; 32], ladder.now, secs(1.0));
    let mut restored = Ladder::of(agent, ladder.now);
    restored.start();
    restored.connect();
    let reinvite = restored.expect(Method::Invite);
    restored.receive(&far.accepts(&reinvite, Direction::SendRecv));
    assert_eq!(restored.state(CALL), CallState::Active);
}
