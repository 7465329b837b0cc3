//! From the first digit to the last word, when nothing breaks.

use clearline_core::RejectReason;
use clearline_scenarios::{ended, ladders, millis, seconds, silent, talking, until_ended};
use clearline_sim::{CallState, EndCause, World};

ladders! { 1:
    two_people_talk,
    the_caller_hangs_up,
    declined,
    busy,
    the_caller_gives_up,
    the_caller_gives_up_at_any_moment,
    answer_and_cancel_cross,
    nobody_answers,
    unknown_and_absent,
    the_second_device_answers,
    both_devices_answer_at_once,
    a_second_call_waits_and_is_taken,
    mute_and_tones,
    both_hang_up_at_the_same_moment,
}

fn two_people_talk(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    assert_eq!(world.info(bob, incoming).remote.user, "alice");
    world.until("alice hears that it rings", |world| {
        world.state(alice, call) == CallState::Ringing
    });
    assert!(!world.has_open_media(bob), "no microphone before the answer");
    world.answer(bob, incoming);
    world.within(seconds(2), "both talk", |world| {
        world.hears(alice, bob) && world.hears(bob, alice)
    });
    world.pass(seconds(3_600));
    world.expect(
        "an hour later they still talk",
        world.hears(alice, bob) && world.hears(bob, alice),
    );
    world.hang_up(bob, incoming);
    until_ended(world, alice, call);
    assert_eq!(ended(world, alice, call), Some(EndCause::RemoteHangUp));
    assert_eq!(ended(world, bob, incoming), Some(EndCause::LocalHangUp));
    assert_eq!(world.dropped(), [""; 0]);
}

fn the_caller_hangs_up(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.hang_up(alice, call);
    until_ended(world, bob, incoming);
    assert_eq!(ended(world, bob, incoming), Some(EndCause::RemoteHangUp));
}

fn declined(world: &mut World) {
    reject(world, RejectReason::Declined, EndCause::Rejected);
}

fn busy(world: &mut World) {
    reject(world, RejectReason::Busy, EndCause::Busy);
}

fn reject(world: &mut World, reason: RejectReason, cause: EndCause) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    world.perform(bob, |agent, now| agent.call_handle(now, incoming)?.reject(reason));
    until_ended(world, alice, call);
    assert_eq!(ended(world, alice, call), Some(cause));
    assert_eq!(ended(world, bob, incoming), Some(EndCause::Declined));
}

fn the_caller_gives_up(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    world.until("it rings", |world| world.state(alice, call) == CallState::Ringing);
    world.hang_up(alice, call);
    until_ended(world, bob, incoming);
    assert_eq!(ended(world, alice, call), Some(EndCause::Cancelled));
    assert_eq!(ended(world, bob, incoming), Some(EndCause::Missed));
}

fn the_caller_gives_up_at_any_moment(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for after in 0..80 {
        let call = world.call(alice, "102");
        world.pass(millis(after));
        world.hang_up(alice, call);
        until_ended(world, alice, call);
        assert_eq!(
            ended(world, alice, call),
            Some(EndCause::Cancelled),
            "after {after} ms"
        );
        world.until("bob's telephone is quiet", |world| {
            world.agent(bob).calls().next().is_none()
        });
    }
}

fn answer_and_cancel_cross(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for after in 0..60 {
        let call = world.call(alice, "102");
        let incoming = world.incoming(bob);
        world.until("it rings", |world| world.state(alice, call) == CallState::Ringing);
        let answered = world.begin(bob, |agent, now| agent.call_handle(now, incoming)?.answer());
        assert!(answered.is_ok());
        world.pass(millis(after));
        world.hang_up(alice, call);
        until_ended(world, alice, call);
        until_ended(world, bob, incoming);
    }
}

fn nobody_answers(world: &mut World) {
    let bob = world.phone("bob");
    let alice = world.phone_with("alice", |config| config.no_answer_timeout = seconds(30));
    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    until_ended(world, alice, call);
    assert_eq!(ended(world, alice, call), Some(EndCause::NoAnswer));
    until_ended(world, bob, incoming);
    assert_eq!(ended(world, bob, incoming), Some(EndCause::Missed));
}

fn unknown_and_absent(world: &mut World) {
    let alice = world.phone("alice");
    for (target, cause) in [("999", EndCause::NotFound), ("103", EndCause::Unavailable)] {
        let call = world.call(alice, target);
        until_ended(world, alice, call);
        assert_eq!(ended(world, alice, call), Some(cause));
    }
}

fn the_second_device_answers(world: &mut World) {
    let alice = world.phone("alice");
    let (desk, mobile) = (world.phone("bob"), world.phone("bob"));
    assert_eq!(world.bindings("bob"), 2);
    world.call(alice, "102");
    let (at_desk, at_mobile) = (world.incoming(desk), world.incoming(mobile));
    world.answer(mobile, at_mobile);
    until_ended(world, desk, at_desk);
    assert_eq!(ended(world, desk, at_desk), Some(EndCause::AnsweredElsewhere));
    talking(world, alice, mobile);
    assert!(!world.hears(desk, alice) && !world.has_open_media(desk));
}

fn both_devices_answer_at_once(world: &mut World) {
    let alice = world.phone("alice");
    let (desk, mobile) = (world.phone("bob"), world.phone("bob"));
    let call = world.call(alice, "102");
    let (at_desk, at_mobile) = (world.incoming(desk), world.incoming(mobile));
    let first = world.begin(desk, |agent, now| agent.call_handle(now, at_desk)?.answer());
    let second = world.begin(mobile, |agent, now| agent.call_handle(now, at_mobile)?.answer());
    assert!(first.is_ok() && second.is_ok());
    world.until("alice talks to one of them", |world| {
        world.state(alice, call) == CallState::Active
            && (world.hears(alice, desk) != world.hears(alice, mobile))
    });
    world.until("the other has ended", |world| {
        [world.state(desk, at_desk), world.state(mobile, at_mobile)].contains(&CallState::Ended)
    });
}

fn a_second_call_waits_and_is_taken(world: &mut World) {
    let (alice, bob, carol) = (world.phone("alice"), world.phone("bob"), world.phone("carol"));
    let (first, at_bob) = world.connect(alice, bob, "102");
    let second = world.call(carol, "102");
    let waiting = world.incoming(bob);
    assert!(world.info(bob, waiting).waiting);
    world.perform(bob, |agent, now| agent.hold_and_answer(now, waiting));
    talking(world, bob, carol);
    silent(world, alice, bob);
    world.until("bob's first call is held", |world| {
        world.info(bob, at_bob).local_hold
    });
    world.hang_up(carol, second);
    until_ended(world, bob, waiting);
    world.perform(bob, |agent, now| agent.call_handle(now, at_bob)?.resume());
    talking(world, alice, bob);
    world.hang_up(alice, first);
    until_ended(world, bob, at_bob);
}

fn mute_and_tones(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, _) = world.connect(alice, bob, "102");
    world.perform(alice, |agent, now| agent.call_handle(now, call)?.set_muted(true));
    world.until("bob hears silence", |world| {
        !world.hears(bob, alice) && world.hears(alice, bob)
    });
    world.perform(alice, |agent, now| agent.call_handle(now, call)?.set_muted(false));
    talking(world, alice, bob);
    world.perform(alice, |agent, now| {
        agent.call_handle(now, call)?.send_dtmf("12,3#")
    });
    assert_eq!(world.tones_sent(alice), "123#");
}

fn both_hang_up_at_the_same_moment(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for apart in 0..30 {
        let (call, incoming) = world.connect(alice, bob, "102");
        let first = world.begin(alice, |agent, now| agent.call_handle(now, call)?.hang_up());
        assert!(first.is_ok());
        world.pass(millis(apart));
        if world.state(bob, incoming) == CallState::Active {
            world.hang_up(bob, incoming);
        }
        until_ended(world, alice, call);
        until_ended(world, bob, incoming);
    }
}
