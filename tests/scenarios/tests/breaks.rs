//! Connections that break, die unnoticed or come back, in every state of a call.

use clearline_core::Environment;
use clearline_scenarios::{
    ask_hold, ended, ladders, millis, seconds, set_hold, silent, talking, until_ended, until_registered,
};
use clearline_sim::{CallId, CallState, DeviceId, Effect, EndCause, Hop, Link, Opening, Way, World};

ladders! { 3:
    the_caller_is_cut_while_it_rings,
    the_callee_is_cut_while_it_rings,
    the_callee_is_cut_right_after_it_has_answered,
    cut_in_a_call,
    cut_on_hold,
    cut_with_a_reinvite_out,
    both_are_cut_and_come_back_together,
    the_far_end_holds_right_after_a_reconnect,
    the_far_end_resumes_while_this_side_is_away,
    the_far_end_hangs_up_while_this_side_is_away,
    a_dead_connection_is_noticed_within_ten_seconds,
    half_open_towards_the_platform,
    half_open_towards_the_device,
    a_message_torn_in_the_middle,
    a_connection_that_opens_slowly,
    a_lossy_link_only_makes_it_slower,
    a_gateway_that_repeats_and_reorders,
    a_machine_that_sleeps_without_a_call,
    a_machine_that_sleeps_for_a_moment_in_a_call,
}

fn back(world: &mut World, device: DeviceId) {
    world.mend(device);
    until_registered(world, device);
}

/// Holds, resumes and hangs up: the call works in both directions.
fn the_call_works(world: &mut World, ends: [(DeviceId, CallId); 2]) {
    for (device, call) in ends {
        set_hold(world, device, call, true);
        silent(world, ends[0].0, ends[1].0);
        set_hold(world, device, call, false);
        talking(world, ends[0].0, ends[1].0);
    }
    let [(device, call), (other, its_call)] = ends;
    world.hang_up(device, call);
    until_ended(world, other, its_call);
}

fn the_caller_is_cut_while_it_rings(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    world.cut(alice);
    until_ended(world, alice, call);
    back(world, alice);
    until_ended(world, bob, incoming);
}

fn the_callee_is_cut_while_it_rings(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    world.cut(bob);
    until_ended(world, bob, incoming);
    until_ended(world, alice, call);
    back(world, bob);
}

fn the_callee_is_cut_right_after_it_has_answered(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for after in (0..120).step_by(4) {
        let call = world.call(alice, "102");
        let incoming = world.incoming(bob);
        let answered = world.begin(bob, |agent, now| agent.call_handle(now, incoming)?.answer());
        assert!(answered.is_ok());
        world.pass(millis(after));
        world.cut(bob);
        world.pass(millis(400));
        back(world, bob);
        // It came about, or it did not: both agree.
        world.until("both talk, or both calls have ended", |world| {
            let over = |device, call| world.state(device, call) == CallState::Ended;
            let talk = world.hears(alice, bob) && world.hears(bob, alice);
            let is_up = world.state(bob, incoming) == CallState::Active;
            (talk && is_up) || (over(alice, call) && over(bob, incoming))
        });
        if world.state(alice, call) == CallState::Active {
            the_call_works(world, [(alice, call), (bob, incoming)]);
        }
    }
}

fn cut_in_a_call(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for away in [0, 300, 3_000, 20_000] {
        let (call, incoming) = world.connect(alice, bob, "102");
        world.cut(bob);
        world.pass(millis(away));
        world.expect("they talk on", world.hears(alice, bob) && world.hears(bob, alice));
        back(world, bob);
        assert_eq!(world.bindings("bob"), 1, "one device, one binding");
        world.pass(seconds(3));
        the_call_works(world, [(alice, call), (bob, incoming)]);
    }
}

fn cut_on_hold(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    set_hold(world, alice, call, true);
    for device in [alice, bob] {
        world.cut(device);
        world.pass(seconds(2));
        back(world, device);
        world.pass(seconds(3));
        world.expect("alice still holds", world.info(alice, call).local_hold);
        silent(world, alice, bob);
    }
    set_hold(world, alice, call, false);
    talking(world, alice, bob);
    the_call_works(world, [(bob, incoming), (alice, call)]);
}

fn cut_with_a_reinvite_out(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for after in (0..100).step_by(7) {
        let (call, incoming) = world.connect(alice, bob, "102");
        ask_hold(world, alice, call, true);
        world.pass(millis(after));
        world.cut(alice);
        world.pass(millis(500));
        back(world, alice);
        world.until("the hold has ended, one way or the other", |world| {
            world.pending_operations(alice) == 0
        });
        world.pass(seconds(6));
        if !world.info(alice, call).local_hold {
            talking(world, alice, bob);
        } else {
            silent(world, alice, bob);
            set_hold(world, alice, call, false);
        }
        the_call_works(world, [(alice, call), (bob, incoming)]);
    }
}

fn both_are_cut_and_come_back_together(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    for _ in 0..5 {
        world.cut(alice);
        world.cut(bob);
        world.pass(seconds(4));
        world.mend(alice);
        world.mend(bob);
        until_registered(world, alice);
        until_registered(world, bob);
        world.pass(seconds(8));
        talking(world, alice, bob);
    }
    the_call_works(world, [(alice, call), (bob, incoming)]);
}

/// With other clients the far end's re-INVITE runs into the dead connection, and its call ends unnoticed.
fn the_far_end_holds_right_after_a_reconnect(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for after in [0, 10, 20, 30, 50, 80, 150, 1_000] {
        let (call, incoming) = world.connect(alice, bob, "102");
        world.pass(seconds(1));
        world.cut(bob);
        world.pass(seconds(2));
        back(world, bob);
        world.until("bob has told the far end where it is", |world| {
            !world.info(bob, incoming).negotiating
        });
        world.pass(millis(after));
        let held = world.attempt(alice, |agent, now| agent.call_handle(now, call)?.hold());
        world.expect(&format!("alice holds, not {held:?}"), held.is_ok());
        silent(world, alice, bob);
        if world.kind().tells_hold() {
            world.until("bob sees it", |world| world.info(bob, incoming).remote_hold);
        }
        set_hold(world, alice, call, false);
        talking(world, alice, bob);
        the_call_works(world, [(bob, incoming), (alice, call)]);
    }
}

fn the_far_end_resumes_while_this_side_is_away(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    set_hold(world, alice, call, true);
    world.cut(bob);
    world.pass(millis(100));
    // It may be refused, as bob cannot be asked.
    let _ = world.attempt(alice, |agent, now| agent.call_handle(now, call)?.resume());
    back(world, bob);
    world.pass(seconds(5));
    if world.info(alice, call).local_hold {
        set_hold(world, alice, call, false);
    }
    talking(world, alice, bob);
    the_call_works(world, [(alice, call), (bob, incoming)]);
}

fn the_far_end_hangs_up_while_this_side_is_away(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.cut(bob);
    world.pass(seconds(1));
    world.hang_up(alice, call);
    world.pass(seconds(5));
    back(world, bob);
    // Telling the far end where it is finds nobody.
    until_ended(world, bob, incoming);
}

fn a_dead_connection_is_noticed_within_ten_seconds(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.swallow(bob);
    world.within(seconds(10), "bob notices", |world| !world.is_registered(bob));
    back(world, bob);
    world.pass(seconds(3));
    the_call_works(world, [(bob, incoming), (alice, call)]);
}

fn half_open_towards_the_platform(world: &mut World) {
    half_open(world, Way::Up);
}

fn half_open_towards_the_device(world: &mut World) {
    half_open(world, Way::Down);
}

fn half_open(world: &mut World, way: Way) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.swallow_one_way(bob, way);
    world.within(seconds(10), "bob notices", |world| !world.is_registered(bob));
    back(world, bob);
    world.pass(seconds(3));
    the_call_works(world, [(alice, call), (bob, incoming)]);
}

fn a_message_torn_in_the_middle(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.tear_next_message(alice);
    ask_hold(world, alice, call, true);
    world.pass(millis(200));
    until_registered(world, alice);
    world.pass(seconds(5));
    world.expect("the call is there", world.state(alice, call) == CallState::Active);
    if world.info(alice, call).local_hold {
        set_hold(world, alice, call, false);
    }
    the_call_works(world, [(alice, call), (bob, incoming)]);
}

fn a_connection_that_opens_slowly(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.set_link(bob, Link::office().opening(Opening::Slow(seconds(6))));
    world.drop_connections(bob);
    world.pass(seconds(5));
    assert!(!world.is_registered(bob));
    until_registered(world, bob);
    world.pass(seconds(3));
    the_call_works(world, [(bob, incoming), (alice, call)]);
}

fn a_lossy_link_only_makes_it_slower(world: &mut World) {
    let bad = Link::new()
        .with(Effect::Delay(millis(80)))
        .with(Effect::Jitter(millis(120)))
        .with(Effect::Loss(5));
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    world.set_link(alice, bad.clone());
    world.set_link(bob, bad);
    for _ in 0..5 {
        let (call, incoming) = world.connect(alice, bob, "102");
        the_call_works(world, [(alice, call), (bob, incoming)]);
    }
}

/// Neither the agent nor the platform may fall for what comes twice or late.
fn a_gateway_that_repeats_and_reorders(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    world.set_link(
        bob,
        Link::office()
            .over(Hop::Datagram)
            .with(Effect::Jitter(millis(3)))
            .with_on(Way::Down, Effect::Duplicate(30)),
    );
    for _ in 0..10 {
        let (call, incoming) = world.connect(alice, bob, "102");
        the_call_works(world, [(alice, call), (bob, incoming)]);
    }
}

fn a_machine_that_sleeps_without_a_call(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    world.sleep(bob);
    world.drop_connections(bob);
    world.pass(seconds(8 * 3_600));
    world.wake_up(bob);
    world.environment(bob, Environment::Resumed);
    world.within(seconds(5), "bob is registered", |world| world.is_registered(bob));
    world.connect(alice, bob, "102");
}

fn a_machine_that_sleeps_for_a_moment_in_a_call(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.pass(seconds(1));
    world.sleep(bob);
    world.pass(seconds(12));
    world.wake_up(bob);
    world.pass(seconds(5));
    until_registered(world, bob);
    the_call_works(world, [(alice, call), (bob, incoming)]);
    assert_eq!(ended(world, alice, call), Some(EndCause::LocalHangUp));
}
