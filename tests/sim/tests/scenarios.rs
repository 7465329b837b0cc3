//! What people do with their telephones, on real agents and the real platform under a virtual clock.

use clearline_core::{Duration, RejectReason, Secret};
use clearline_pbx::ChallengePolicy;
use clearline_sim::{CallState, DeviceId, EndCause, MediaErrorKind, RegistrationState, World};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn ended(world: &World, device: DeviceId, call: clearline_sim::CallId) -> Option<EndCause> {
    world.info(device, call).end.as_ref().map(|end| end.cause)
}

/// After the last call nothing is left: no call, no open microphone.
#[track_caller]
fn all_quiet(world: &mut World, devices: &[DeviceId]) {
    world.until("all calls have ended", |world| {
        devices
            .iter()
            .all(|device| world.agent(*device).calls().next().is_none())
    });
    world.until("all microphones are closed", |world| {
        devices.iter().all(|device| !world.has_open_media(*device))
    });
}

#[test]
fn two_people_talk() {
    let mut world = World::new(1);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    assert_eq!(world.info(bob, incoming).remote.user, "alice");
    assert_eq!(world.info(bob, incoming).remote.display_name, "Alice");
    world.until("alice hears that it rings", |world| {
        world.state(alice, call) == CallState::Ringing
    });
    assert!(
        !world.has_open_media(bob),
        "no microphone is open before the answer"
    );

    world.answer(bob, incoming);
    world.within(seconds(2), "both talk", |world| {
        world.hears(alice, bob) && world.hears(bob, alice)
    });
    assert_eq!(
        (world.state(alice, call), world.state(bob, incoming)),
        (CallState::Active, CallState::Active)
    );
    world.pass(seconds(3_600));
    assert!(
        world.hears(alice, bob) && world.hears(bob, alice),
        "an hour later they still talk"
    );

    world.hang_up(bob, incoming);
    all_quiet(&mut world, &[alice, bob]);
    assert_eq!(ended(&world, alice, call), Some(EndCause::RemoteHangUp));
    assert_eq!(ended(&world, bob, incoming), Some(EndCause::LocalHangUp));
}

#[test]
fn a_call_is_set_up_in_few_round_trips() {
    let mut world = World::new(2);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let begin = world.now();
    world.call(alice, "102");
    world.incoming(bob);
    // 30 ms for the offer, and the INVITE on two links of 10 ms each: no challenge in between.
    assert_eq!(world.now() - begin, Duration::from_millis(50));
    assert_eq!(world.messages("-> INVITE"), 1);
}

#[test]
fn a_challenge_per_call_works_too() {
    let mut world = World::with_platform(3, |config| config.challenge = ChallengePolicy::EachRequest);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, _) = world.connect(alice, bob, "bob");
    assert!(world.messages("<- 407") <= 1);
    world.hang_up(alice, call);
    all_quiet(&mut world, &[alice, bob]);
}

#[test]
fn a_busy_device_and_a_declined_call() {
    let mut world = World::new(4);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for (reason, cause) in [
        (RejectReason::Busy, EndCause::Busy),
        (RejectReason::Declined, EndCause::Rejected),
    ] {
        let call = world.call(alice, "102");
        let incoming = world.incoming(bob);
        world.perform(bob, |agent, now| agent.call_handle(now, incoming)?.reject(reason));
        all_quiet(&mut world, &[alice, bob]);
        assert_eq!(ended(&world, alice, call), Some(cause));
        assert_eq!(ended(&world, bob, incoming), Some(EndCause::Declined));
    }
}

#[test]
fn a_device_with_enough_calls_is_busy() {
    let mut world = World::new(5);
    let (alice, carol) = (world.phone("alice"), world.phone("carol"));
    let bob = world.phone_with("bob", |config| config.max_calls = 1);
    world.connect(alice, bob, "102");
    let call = world.call(carol, "102");
    world.until("carol is told", |world| {
        world.state(carol, call) == CallState::Ended
    });
    assert_eq!(ended(&world, carol, call), Some(EndCause::Busy));
}

#[test]
fn the_caller_gives_up() {
    let mut world = World::new(6);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    world.until("it rings", |world| world.state(alice, call) == CallState::Ringing);
    world.hang_up(alice, call);
    all_quiet(&mut world, &[alice, bob]);
    assert_eq!(ended(&world, alice, call), Some(EndCause::Cancelled));
    assert_eq!(ended(&world, bob, incoming), Some(EndCause::Missed));
}

#[test]
fn the_caller_gives_up_at_any_moment() {
    for millis in 0..60 {
        let mut world = World::new(7);
        let (alice, bob) = (world.phone("alice"), world.phone("bob"));
        let call = world.call(alice, "102");
        world.pass(Duration::from_millis(millis));
        world.hang_up(alice, call);
        all_quiet(&mut world, &[alice, bob]);
        assert_eq!(
            ended(&world, alice, call),
            Some(EndCause::Cancelled),
            "after {millis} ms"
        );
    }
}

#[test]
fn answer_and_cancel_cross() {
    for millis in 0..50 {
        let mut world = World::new(8);
        let (alice, bob) = (world.phone("alice"), world.phone("bob"));
        let call = world.call(alice, "102");
        let incoming = world.incoming(bob);
        world.until("it rings", |world| world.state(alice, call) == CallState::Ringing);
        let answered = world.command(bob, |agent, now| agent.call_handle(now, incoming)?.answer());
        assert!(answered.is_ok());
        world.pass(Duration::from_millis(millis));
        world.hang_up(alice, call);
        all_quiet(&mut world, &[alice, bob]);
    }
}

#[test]
fn nobody_answers() {
    let mut world = World::new(9);
    let bob = world.phone("bob");
    let alice = world.phone_with("alice", |config| config.no_answer_timeout = seconds(30));
    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    world.until("alice gives up", |world| {
        world.state(alice, call) == CallState::Ended
    });
    assert_eq!(ended(&world, alice, call), Some(EndCause::NoAnswer));
    all_quiet(&mut world, &[alice, bob]);
    assert_eq!(ended(&world, bob, incoming), Some(EndCause::Missed));
}

#[test]
fn the_platform_ends_ringing_after_timer_c() {
    let mut world = World::new(10);
    let bob = world.phone("bob");
    let alice = world.phone_with("alice", |config| config.no_answer_timeout = seconds(3_600));
    let call = world.call(alice, "102");
    world.incoming(bob);
    world.within(seconds(200), "the call ends", |world| {
        world.state(alice, call) == CallState::Ended
    });
    assert_eq!(ended(&world, alice, call), Some(EndCause::NoAnswer));
    all_quiet(&mut world, &[alice, bob]);
}

#[test]
fn unknown_and_absent() {
    let mut world = World::new(11);
    let alice = world.phone("alice");
    for (target, cause) in [("999", EndCause::NotFound), ("103", EndCause::Unavailable)] {
        let call = world.call(alice, target);
        world.until("the call ends", |world| {
            world.state(alice, call) == CallState::Ended
        });
        assert_eq!(ended(&world, alice, call), Some(cause));
    }
    all_quiet(&mut world, &[alice]);
}

#[test]
fn a_wrong_password_is_final_until_it_is_changed() {
    let mut world = World::new(12);
    let alice = world.unregistered_phone("alice", |config| config.password = Secret::new("wrong"));
    world.until("the password is refused", |world| {
        matches!(
            world.agent(alice).registration(),
            RegistrationState::Failed {
                credentials_rejected: true,
                ..
            }
        )
    });
    world.pass(seconds(600));
    assert!(!world.is_registered(alice));
    assert!(
        world.messages("-> REGISTER") <= 3,
        "no hammering with a wrong password"
    );
    world.command(alice, |agent, now| agent.set_password(now, Secret::new("demo")));
    world.until("alice is registered", |world| world.is_registered(alice));
}

#[test]
fn hold_and_resume() {
    let mut world = World::new(13);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.perform(alice, |agent, now| agent.call_handle(now, call)?.hold());
    world.until("bob sees it", |world| world.info(bob, incoming).remote_hold);
    assert!(world.info(alice, call).local_hold);
    assert!(!world.hears(alice, bob) && !world.hears(bob, alice));

    world.perform(alice, |agent, now| agent.call_handle(now, call)?.resume());
    world.until("both talk again", |world| {
        world.hears(alice, bob) && world.hears(bob, alice)
    });
    assert!(!world.info(bob, incoming).remote_hold && !world.info(alice, call).local_hold);

    // Both hold: it takes both to resume.
    world.perform(alice, |agent, now| agent.call_handle(now, call)?.hold());
    world.perform(bob, |agent, now| agent.call_handle(now, incoming)?.hold());
    world.perform(alice, |agent, now| agent.call_handle(now, call)?.resume());
    assert!(!world.hears(alice, bob) && !world.hears(bob, alice));
    world.perform(bob, |agent, now| agent.call_handle(now, incoming)?.resume());
    world.until("both talk again", |world| {
        world.hears(alice, bob) && world.hears(bob, alice)
    });
}

#[test]
fn both_hold_at_the_same_moment() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let (alice, bob) = (world.phone("alice"), world.phone("bob"));
        let (call, incoming) = world.connect(alice, bob, "102");
        let held = world.command(alice, |agent, now| agent.call_handle(now, call)?.hold());
        assert!(held.is_ok());
        world.perform(bob, |agent, now| agent.call_handle(now, incoming)?.hold());
        world.until("both hold", |world| {
            world.info(alice, call).local_hold && world.info(bob, incoming).local_hold
        });
        assert!(!world.hears(alice, bob) && !world.hears(bob, alice));
        world.hang_up(alice, call);
        all_quiet(&mut world, &[alice, bob]);
    }
}

#[test]
fn mute_and_tones() {
    let mut world = World::new(14);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, _) = world.connect(alice, bob, "102");
    world.perform(alice, |agent, now| agent.call_handle(now, call)?.set_muted(true));
    world.until("bob hears silence", |world| {
        !world.hears(bob, alice) && world.hears(alice, bob)
    });
    world.perform(alice, |agent, now| agent.call_handle(now, call)?.set_muted(false));
    world.until("bob hears alice", |world| world.hears(bob, alice));
    world.perform(alice, |agent, now| {
        agent.call_handle(now, call)?.send_dtmf("12,3#")
    });
    assert_eq!(world.tones_sent(alice), "123#");
}

#[test]
fn the_second_device_answers() {
    let mut world = World::new(15);
    let alice = world.phone("alice");
    let (desk, mobile) = (world.phone("bob"), world.phone("bob"));
    assert_eq!(world.bindings("bob"), 2);
    let call = world.call(alice, "102");
    let (at_desk, at_mobile) = (world.incoming(desk), world.incoming(mobile));
    world.answer(mobile, at_mobile);
    world.until("the desk stops ringing", |world| {
        world.state(desk, at_desk) == CallState::Ended
    });
    assert_eq!(ended(&world, desk, at_desk), Some(EndCause::AnsweredElsewhere));
    world.until("they talk", |world| {
        world.hears(alice, mobile) && world.hears(mobile, alice)
    });
    assert!(!world.hears(desk, alice) && !world.has_open_media(desk));
    world.hang_up(alice, call);
    all_quiet(&mut world, &[alice, desk, mobile]);
}

#[test]
fn both_devices_answer_at_once() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let alice = world.phone("alice");
        let (desk, mobile) = (world.phone("bob"), world.phone("bob"));
        let call = world.call(alice, "102");
        let (at_desk, at_mobile) = (world.incoming(desk), world.incoming(mobile));
        let first = world.command(desk, |agent, now| agent.call_handle(now, at_desk)?.answer());
        let second = world.command(mobile, |agent, now| agent.call_handle(now, at_mobile)?.answer());
        assert!(first.is_ok() && second.is_ok());
        world.until("alice talks to one of them", |world| {
            world.state(alice, call) == CallState::Active
                && (world.hears(alice, desk) != world.hears(alice, mobile))
        });
        world.until("the other has ended", |world| {
            [world.state(desk, at_desk), world.state(mobile, at_mobile)].contains(&CallState::Ended)
        });
        world.hang_up(alice, call);
        all_quiet(&mut world, &[alice, desk, mobile]);
    }
}

#[test]
fn one_device_declines_for_all() {
    let mut world = World::new(16);
    let alice = world.phone("alice");
    let (desk, mobile) = (world.phone("bob"), world.phone("bob"));
    let call = world.call(alice, "102");
    let (at_desk, at_mobile) = (world.incoming(desk), world.incoming(mobile));
    world.perform(desk, |agent, now| {
        agent.call_handle(now, at_desk)?.reject(RejectReason::Declined)
    });
    all_quiet(&mut world, &[alice, desk, mobile]);
    assert_eq!(ended(&world, alice, call), Some(EndCause::Rejected));
    assert_eq!(
        ended(&world, mobile, at_mobile),
        Some(EndCause::DeclinedElsewhere)
    );
}

#[test]
fn call_waiting() {
    let mut world = World::new(17);
    let (alice, bob, carol) = (world.phone("alice"), world.phone("bob"), world.phone("carol"));
    let (first, at_bob) = world.connect(alice, bob, "102");
    let second = world.call(carol, "102");
    let waiting = world.incoming(bob);
    assert!(world.info(bob, waiting).waiting);
    world.perform(bob, |agent, now| agent.end_and_answer(now, waiting));
    world.until("bob talks to carol", |world| {
        world.hears(bob, carol) && world.hears(carol, bob)
    });
    world.until("alice's call has ended", |world| {
        world.state(alice, first) == CallState::Ended
    });
    assert_eq!(ended(&world, bob, at_bob), Some(EndCause::LocalHangUp));

    let third = world.call(alice, "102");
    let waiting = world.incoming(bob);
    world.perform(bob, |agent, now| agent.hold_and_answer(now, waiting));
    world.until("bob talks to alice", |world| {
        world.hears(bob, alice) && !world.hears(bob, carol)
    });
    world.until("carol is held", |world| world.info(carol, second).remote_hold);
    world.hang_up(alice, third);
    world.hang_up(carol, second);
    all_quiet(&mut world, &[alice, bob, carol]);
}

#[test]
fn a_microphone_that_fails() {
    let mut world = World::new(18);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    world.fail_media(alice, MediaErrorKind::Failed);
    let call = world.call(alice, "102");
    world.until("the call fails", |world| {
        world.state(alice, call) == CallState::Ended
    });
    assert_eq!(ended(&world, alice, call), Some(EndCause::MediaFailed));

    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    world.fail_media(bob, MediaErrorKind::DescriptionRejected);
    let answered = world.attempt(bob, |agent, now| agent.call_handle(now, incoming)?.answer());
    assert!(answered.is_err());
    world.until("alice is told", |world| {
        world.state(alice, call) == CallState::Ended
    });
    assert_eq!(ended(&world, alice, call), Some(EndCause::NotAcceptable));
    all_quiet(&mut world, &[alice, bob]);
}

#[test]
fn a_call_moves_to_another_window() {
    let mut world = World::new(19);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.perform(bob, |agent, now| {
        agent.call_handle(now, incoming)?.set_muted(true)
    });
    world.perform(bob, |agent, now| agent.call_handle(now, incoming)?.move_media());
    world.until("bob hears alice in the new window", |world| {
        world.hears(bob, alice)
    });
    world.pass(seconds(1));
    assert!(!world.hears(alice, bob), "still muted");
    world.perform(bob, |agent, now| {
        agent.call_handle(now, incoming)?.set_muted(false)
    });
    world.until("alice hears bob", |world| world.hears(alice, bob));
    world.hang_up(alice, call);
    all_quiet(&mut world, &[alice, bob]);
}

#[test]
fn a_call_can_be_muted_before_it_is_answered() {
    let mut world = World::new(20);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let call = world.call(alice, "102");
    world.perform(alice, |agent, now| agent.call_handle(now, call)?.set_muted(true));
    let incoming = world.incoming(bob);
    world.perform(bob, |agent, now| {
        agent.call_handle(now, incoming)?.set_muted(true)
    });
    world.answer(bob, incoming);
    world.until("they are connected", |world| {
        world.state(alice, call) == CallState::Active
    });
    world.pass(seconds(1));
    assert!(!world.hears(alice, bob) && !world.hears(bob, alice));
    world.perform(bob, |agent, now| {
        agent.call_handle(now, incoming)?.set_muted(false)
    });
    world.until("alice hears bob", |world| world.hears(alice, bob));
}
