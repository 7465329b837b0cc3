//! Links and platforms that break, and what is left when they are whole again.

use clearline_core::Duration;
use clearline_sim::{CallState, DeviceId, EndCause, World};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[track_caller]
fn talking(world: &mut World, a: DeviceId, b: DeviceId) {
    world.until("both hear each other", |world| {
        world.hears(a, b) && world.hears(b, a)
    });
}

#[test]
fn a_restarted_platform_has_everyone_back_without_a_click() {
    let mut world = World::new(1);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    world.stop_platform();
    world.pass(seconds(20));
    assert!(!world.is_registered(alice));
    world.start_platform();
    world.until("all are registered again", |world| {
        [alice, bob].iter().all(|device| world.is_registered(*device)) && world.bindings("bob") == 1
    });
    world.connect(alice, bob, "102");
}

#[test]
fn a_call_survives_the_restart_of_the_platform() {
    let mut world = World::new(2);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.stop_platform();
    world.pass(seconds(5));
    assert!(
        world.hears(alice, bob) && world.hears(bob, alice),
        "media needs no platform"
    );
    world.start_platform();
    world.until("both are registered", |world| {
        world.is_registered(alice) && world.is_registered(bob)
    });
    world.perform(alice, |agent, now| agent.call_handle(now, call)?.hold());
    world.until("bob is held", |world| world.info(bob, incoming).remote_hold);
    world.perform(alice, |agent, now| agent.call_handle(now, call)?.resume());
    talking(&mut world, alice, bob);
    world.hang_up(bob, incoming);
    world.until("alice's call ends", |world| {
        world.state(alice, call) == CallState::Ended
    });
}

#[test]
fn a_device_that_changes_its_network_keeps_its_call() {
    let mut world = World::new(3);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.cut(bob);
    world.pass(seconds(3));
    world.mend(bob);
    world.until("bob is registered", |world| world.is_registered(bob));
    assert_eq!(world.bindings("bob"), 1, "one device, one binding");
    world.hang_up(alice, call);
    world.until("bob's call ends", |world| {
        world.state(bob, incoming) == CallState::Ended
    });
    assert_eq!(
        world.info(bob, incoming).end.as_ref().map(|end| end.cause),
        Some(EndCause::RemoteHangUp)
    );
}

#[test]
fn a_dead_connection_is_noticed_in_a_call() {
    let mut world = World::new(4);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.swallow(bob);
    world.within(seconds(10), "bob notices", |world| !world.is_registered(bob));
    world.mend(bob);
    world.until("bob is registered", |world| world.is_registered(bob));
    world.hang_up(bob, incoming);
    world.until("alice's call ends", |world| {
        world.state(alice, call) == CallState::Ended
    });
}

#[test]
fn a_device_that_is_gone_stops_being_called() {
    let mut world = World::new(5);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    world.cut(bob);
    world.pass(seconds(1));
    let call = world.call(alice, "102");
    world.until("the call ends", |world| {
        world.state(alice, call) == CallState::Ended
    });
    assert_eq!(
        world.info(alice, call).end.as_ref().map(|end| end.cause),
        Some(EndCause::Unavailable)
    );
    world.pass(seconds(700));
    assert_eq!(world.bindings("bob"), 0, "expired");
}

#[test]
fn slow_links_only_make_it_slower() {
    let mut world = World::new(6);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    world.set_delay(alice, Duration::from_millis(900));
    world.set_delay(bob, Duration::from_millis(700));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.hang_up(alice, call);
    world.until("bob's call ends", |world| {
        world.state(bob, incoming) == CallState::Ended
    });
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut world = World::new(seed);
        let (alice, bob) = (world.phone("alice"), world.phone("bob"));
        world.connect(alice, bob, "102");
        world.stop_platform();
        world.pass(seconds(30));
        world.start_platform();
        world.until("alice is registered", |world| world.is_registered(alice));
        (world.now(), world.messages(""))
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).0, run(8).0);
}
