//! The network changes: a second connection is registered before the first is left, and every call follows.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{
    CallState, ConnectionState, Direction, EndCause, Environment, Event, Input, MediaAction, MediaTransport,
    RegistrationState, Secret,
};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, granted, secs};

fn change_network(ladder: &mut Ladder) {
    ladder.input(Input::Environment(Environment::NetworkChanged));
}

fn contact(register: &Message) -> String {
    register.header(HeaderName::Contact).unwrap().to_owned()
}

/// Whether the description asked for last was one with fresh candidates.
fn restarted_ice(ladder: &mut Ladder) -> bool {
    let log = ladder.media.take_log();
    log.iter().any(|action| {
        matches!(
            action,
            MediaAction::CreateOffer {
                ice_restart: true,
                ..
            }
        )
    })
}

#[test]
fn the_second_connection_is_registered_before_the_first_is_left() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    let old = ladder.newest_connection();
    ladder.take_events();
    change_network(&mut ladder);
    assert!(ladder.is_open(old));
    ladder.connect();
    let new = ladder.newest_connection();
    assert_ne!(old, new);
    assert_eq!(ladder.next_sent_on(), new);
    let register = ladder.expect(Method::Register);
    assert!(contact(&register).contains("reg-id=1;+sip.instance="));
    // What comes in on the old one meanwhile is served there.
    let mut far = far;
    ladder.receive_on(old, &far.request(Method::Options).build());
    assert_eq!(ladder.next_sent_on(), old);
    ladder.expect_response(200, Method::Options);
    ladder.expect_silence();

    ladder.receive(&granted(&register).build());
    // At once the far end is told, with fresh candidates.
    assert_eq!(ladder.next_sent_on(), new);
    let reinvite = ladder.expect(Method::Invite);
    assert!(restarted_ice(&mut ladder));
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    assert_eq!(ladder.next_sent_on(), new);
    ladder.expect(Method::Ack);
    assert!(ladder.is_open(old));
    ladder.pass(2.1);
    assert!(!ladder.is_open(old) && ladder.is_open(new));
    // Nothing of all that was to be seen.
    let shown = |event: &Event| matches!(event, Event::Connection(_) | Event::Registration(_));
    let events = ladder.take_events();
    let shown: Vec<_> = events.iter().filter(|event| shown(event)).collect();
    assert!(
        shown
            .iter()
            .all(|event| matches!(event, Event::Registration(RegistrationState::Registered { .. }))),
        "{shown:?}"
    );
    assert!(!ladder.info(CALL).reconnecting);
}

#[test]
fn an_answer_in_flight_on_the_old_connection_still_counts() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    ladder.respond(&invite, 180);
    let old = ladder.newest_connection();
    change_network(&mut ladder);
    ladder.connect();
    ladder.register();
    ladder.pass(60.0);
    assert!(ladder.is_open(old), "the caller still waits there");
    let far = FarEnd::called(&invite, "bob-tag");
    ladder.receive_on(old, &far.accepts(&invite, Direction::SendRecv));
    assert_ne!(ladder.next_sent_on(), old);
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);
    // The INVITE went out from elsewhere: the far end is told now.
    let refresh = ladder.expect(Method::Invite);
    assert!(refresh.to().unwrap().tag().is_some());
    ladder.receive(&far.accepts(&refresh, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.pass(3.0);
    assert!(!ladder.is_open(old));
}

#[test]
fn a_call_that_rings_goes_on_ringing_and_is_answered_where_it_came_in() {
    let mut ladder = Ladder::registered();
    let (call, _, _) = ladder.ring("bob");
    let old = ladder.newest_connection();
    change_network(&mut ladder);
    ladder.connect();
    ladder.register();
    ladder.pass(5.0);
    ladder.answer(call);
    assert_eq!(ladder.next_sent_on(), old);
    ladder.expect_response(200, Method::Invite);
}

#[test]
fn if_the_first_connection_dies_the_second_takes_over_at_once() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let old = ladder.newest_connection();
    change_network(&mut ladder);
    ladder.cut(old);
    ladder.connect();
    let new = ladder.newest_connection();
    let register = ladder.expect(Method::Register);
    ladder.lose(old);
    assert_eq!(*ladder.connection(), ConnectionState::Connected);
    // Requests of the far end that find their way are served.
    ladder.receive_on(new, &far.request(Method::Options).build());
    ladder.expect_response(200, Method::Options);
    ladder.receive(&granted(&register).build());
    ladder.expect(Method::Invite);
    assert!(restarted_ice(&mut ladder));
}

#[test]
fn a_first_connection_that_is_dead_is_found_within_two_seconds() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let old = ladder.newest_connection();
    ladder.cut(old);
    change_network(&mut ladder);
    ladder.pass(2.0);
    assert!(!ladder.is_open(old));
    assert!(matches!(ladder.connection(), ConnectionState::Connecting { .. }));
    assert!(ladder.info(CALL).reconnecting);
    ladder.connect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    assert!(reinvite.to().unwrap().tag().is_some());
}

#[test]
fn a_second_connection_that_comes_to_nothing_leaves_the_first_in_place() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let old = ladder.newest_connection();
    change_network(&mut ladder);
    ladder.refuse_connection();
    assert!(ladder.is_open(old));
    // Addresses are others all the same, so media is renewed.
    ladder.pass(0.1);
    let reinvite = ladder.expect(Method::Invite);
    assert!(restarted_ice(&mut ladder));
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.pass(60.0);
    assert_eq!(ladder.state(CALL), CallState::Active);
    let _ = far.request(Method::Bye);
}

#[test]
fn a_binding_that_was_refused_on_the_second_connection_is_made_sure_of_on_the_first() {
    let mut ladder = Ladder::registered();
    let old = ladder.newest_connection();
    change_network(&mut ladder);
    ladder.connect();
    let register = ladder.expect(Method::Register);
    ladder.respond(&register, 500);
    assert!(matches!(
        ladder.registration(),
        RegistrationState::Registered { .. }
    ));
    ladder.pass(0.1);
    assert_eq!(ladder.next_sent_on(), old);
    ladder.expect(Method::Register);
    assert_eq!(ladder.open_connections(), 1);
}

/// The first REGISTER is still out when the network changes.
#[test]
fn a_first_registration_that_is_refused_on_the_second_connection_is_not_waited_for() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.newest_connection();
    ladder.expect(Method::Register);
    change_network(&mut ladder);
    ladder.connect();
    let register = ladder.expect(Method::Register);
    ladder.respond(&register, 500);
    ladder.pass(0.1);
    assert_eq!(ladder.next_sent_on(), first);
    ladder.register();
    assert!(matches!(
        ladder.registration(),
        RegistrationState::Registered { .. }
    ));
}

/// Nor is a password that was refused there, so that a new one is tried at once.
#[test]
fn a_password_that_is_refused_on_the_second_connection_is_refused() {
    let mut ladder = Ladder::connected_with(config());
    ladder.expect(Method::Register);
    change_network(&mut ladder);
    ladder.connect();
    let register = ladder.expect(Method::Register);
    ladder.respond(&register, 403);
    assert!(matches!(
        ladder.registration(),
        RegistrationState::Failed {
            credentials_rejected: true,
            ..
        }
    ));
    ladder.agent.set_password(ladder.now, Secret::new("other"));
    ladder.drain();
    ladder.register();
    assert!(matches!(
        ladder.registration(),
        RegistrationState::Registered { .. }
    ));
}

#[test]
fn a_new_password_is_tried_where_the_network_is_now() {
    let mut ladder = Ladder::connected_with(config());
    let refused = ladder.expect(Method::Register);
    ladder.respond(&refused, 403);
    let old = ladder.newest_connection();
    change_network(&mut ladder);
    ladder.connect();
    ladder.expect_silence();
    let new = ladder.newest_connection();
    ladder.agent.set_password(ladder.now, Secret::new("other"));
    ladder.drain();
    assert_eq!(ladder.next_sent_on(), new);
    ladder.register();
    ladder.pass(2.1);
    assert!(!ladder.is_open(old) && ladder.is_open(new));
}

#[test]
fn two_changes_in_a_row_lead_to_the_last_network() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    change_network(&mut ladder);
    ladder.connect();
    ladder.expect(Method::Register);
    change_network(&mut ladder);
    ladder.connect();
    ladder.register();
    ladder.expect(Method::Invite);
    ladder.pass(3.0);
    assert_eq!(ladder.open_connections(), 1);
}

#[test]
fn online_after_offline_is_another_network_and_online_alone_is_a_doubt() {
    let mut ladder = Ladder::registered();
    ladder.input(Input::Environment(Environment::Online));
    assert_eq!(ladder.wanted_url(), None);
    ladder.input(Input::Environment(Environment::Offline));
    ladder.input(Input::Environment(Environment::Online));
    assert!(ladder.wanted_url().is_some());
}

#[test]
fn an_attempt_on_the_old_network_is_not_waited_for() {
    let mut ladder = Ladder::new(config());
    ladder.start();
    ladder.pass(5.0);
    change_network(&mut ladder);
    ladder.pass(5.5);
    assert!(matches!(ladder.connection(), ConnectionState::Connecting { .. }));
    ladder.connect();
    ladder.register();
}

#[test]
fn a_stopped_agent_stays_stopped() {
    let mut ladder = Ladder::new(config());
    for change in [
        Environment::NetworkChanged,
        Environment::Offline,
        Environment::Online,
        Environment::Resumed,
    ] {
        ladder.input(Input::Environment(change));
    }
    assert_eq!(ladder.wanted_url(), None);
    assert_eq!(ladder.idle, None);
}

#[test]
fn an_agent_that_only_calls_moves_as_soon_as_the_second_connection_is_open() {
    let mut ladder = Ladder::connected();
    let _far = ladder.make_call(CALL, "bob");
    change_network(&mut ladder);
    ladder.connect();
    let new = ladder.newest_connection();
    assert_eq!(ladder.next_sent_on(), new);
    ladder.expect(Method::Invite);
}

#[test]
fn a_call_shows_that_it_reconnects_until_it_is_renegotiated() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    ladder.lose_connection();
    assert!(ladder.info(CALL).reconnecting);
    ladder.reconnect();
    ladder.register();
    assert!(ladder.info(CALL).reconnecting);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    assert!(!ladder.info(CALL).reconnecting);
    ladder.receive(&far.request(Method::Bye).build());
}

#[test]
fn an_audio_path_that_stops_is_helped_after_a_pause_and_shown() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    ladder.transport(MediaTransport::Disconnected);
    assert!(ladder.info(CALL).reconnecting);
    ladder.pass(1.9);
    ladder.expect_silence();
    ladder.pass(0.2);
    let reinvite = ladder.expect(Method::Invite);
    assert!(restarted_ice(&mut ladder));
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    assert!(ladder.info(CALL).reconnecting, "no audio yet");
    ladder.transport(MediaTransport::Connected);
    assert!(!ladder.info(CALL).reconnecting);
    // One that comes back by itself is left alone.
    ladder.forget();
    ladder.transport(MediaTransport::Disconnected);
    ladder.transport(MediaTransport::Connected);
    ladder.pass(10.0);
    ladder.expect_silence();
}

#[test]
fn a_call_without_audio_ends_after_the_configured_time_and_one_with_audio_does_not() {
    let mut config = config();
    config.lost_call_timeout = secs(20.0);
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    let _far = ladder.make_call(CALL, "bob");
    ladder.transport(MediaTransport::Connected);
    ladder.forget();
    // Audio flows end to end, the platform is away.
    ladder.lose_connection();
    ladder.pass(300.0);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.transport(MediaTransport::Failed);
    ladder.pass(19.9);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.pass(0.2);
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
}

#[test]
fn a_call_whose_audio_does_not_come_back_is_hung_up_properly() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    ladder.transport(MediaTransport::Failed);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.pass(60.1);
    ladder.expect(Method::Bye);
}

#[test]
fn a_connection_that_does_not_answer_a_doubt_gets_a_second_one_and_media_is_renewed() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    let old = ladder.newest_connection();
    ladder.cut(old);
    ladder.input(Input::Environment(Environment::Doubtful));
    ladder.pass(0.3);
    assert_eq!(ladder.wanted_url(), None, "a slow network answers later");
    ladder.pass(0.1);
    assert!(ladder.wanted_url().is_some());
    assert!(ladder.is_open(old), "it may still answer");
    ladder.connect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    assert!(restarted_ice(&mut ladder), "the addresses may be others");
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert!(!ladder.info(CALL).reconnecting);
}

#[test]
fn an_answer_after_all_makes_the_second_connection_superfluous() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    let old = ladder.newest_connection();
    ladder.answers_keep_alive = false;
    ladder.input(Input::Environment(Environment::Doubtful));
    ladder.pass(0.4);
    ladder.connect();
    let new = ladder.newest_connection();
    ladder.take_sent();
    ladder.receive_on(old, &far.request(Method::Options).build());
    assert!(ladder.is_open(old) && !ladder.is_open(new));
    ladder.take_sent();
    ladder.answers_keep_alive = true;
    ladder.pass(10.0);
    assert!(!restarted_ice(&mut ladder));
    assert_eq!(ladder.newest_connection(), old, "and no third one is made");
}

#[test]
fn news_that_the_platform_does_not_pass_on_are_told_again_later() {
    for (retry_after, least, most) in [
        (None, 2.0, 4.0),
        (Some(10), 12.0, 14.0),
        (Some(u32::MAX), 32.0, 34.0),
    ] {
        let (mut ladder, far) = Ladder::in_outgoing_call();
        ladder.lose_connection();
        ladder.reconnect();
        ladder.register();
        let reinvite = ladder.expect(Method::Invite);
        let refusal = ResponseBuilder::for_request(&reinvite, 503).to_tag("bob-tag");
        let refusal = match retry_after {
            Some(secs) => refusal.header(HeaderName::RetryAfter, secs),
            None => refusal,
        };
        ladder.receive(&refusal.build());
        ladder.expect(Method::Ack);
        let refused_at = ladder.now;
        assert!(ladder.info(CALL).reconnecting, "the far end does not know yet");
        let again = ladder.wait_for(Method::Invite);
        let pause = ladder.now - refused_at;
        assert!(
            pause >= secs(least) && pause <= secs(most),
            "{retry_after:?}: {pause:?}"
        );
        ladder.receive(&far.accepts(&again, Direction::SendRecv));
        ladder.expect(Method::Ack);
        assert!(!ladder.info(CALL).reconnecting);
    }
}

#[test]
fn both_sides_change_their_network_at_the_same_time() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.transport(MediaTransport::Connected);
    change_network(&mut ladder);
    ladder.connect();
    ladder.register();
    let ours = ladder.expect(Method::Invite);
    // Theirs crosses ours (RFC 3261 section 14.1).
    ladder.receive(&far.invite(Direction::SendRecv));
    let glare = ladder.expect_response(491, Method::Invite);
    ladder.receive(&FarEnd::ack_refusal(&far.invite(Direction::SendRecv), &glare));
    ladder.receive(&far.response(&ours, 491).build());
    ladder.expect(Method::Ack);
    ladder.media.take_log();
    let again = ladder.wait_for(Method::Invite);
    assert!(restarted_ice(&mut ladder), "the reason is not forgotten");
    ladder.receive(&far.accepts(&again, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);
}
