//! Programs that die and start again: the platform's, and the telephone's own.

use clearline_core::Secret;
use clearline_scenarios::{ladders, seconds, set_hold, silent, talking, until_ended, until_registered};
use clearline_sim::{CallState, World};

ladders! { 4:
    the_platform_restarts_and_everyone_is_back_without_a_click,
    the_platform_restarts_in_a_call,
    the_platform_restarts_while_it_rings,
    the_telephone_restarts_while_it_rings,
    the_telephone_restarts_in_a_call,
    the_telephone_restarts_while_it_holds,
    both_telephones_restart,
    a_nonce_that_has_expired_in_a_call,
    credentials_that_expire_in_a_call,
}

fn the_platform_restarts_and_everyone_is_back_without_a_click(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    world.stop_platform();
    world.pass(seconds(20));
    assert!(!world.is_registered(alice));
    world.start_platform();
    until_registered(world, alice);
    until_registered(world, bob);
    world.connect(alice, bob, "102");
}

fn the_platform_restarts_in_a_call(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.stop_platform();
    world.pass(seconds(5));
    world.start_platform();
    until_registered(world, alice);
    until_registered(world, bob);
    if !world.kind().keeps_calls() {
        // Both learn it, as both tell the far end where they are.
        until_ended(world, alice, call);
        return until_ended(world, bob, incoming);
    }
    world.pass(seconds(5));
    set_hold(world, alice, call, true);
    silent(world, alice, bob);
    set_hold(world, alice, call, false);
    talking(world, alice, bob);
}

fn the_platform_restarts_while_it_rings(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    world.restart_platform();
    until_ended(world, alice, call);
    until_ended(world, bob, incoming);
    until_registered(world, alice);
    until_registered(world, bob);
    world.connect(alice, bob, "102");
}

fn the_telephone_restarts_while_it_rings(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let call = world.call(alice, "102");
    world.incoming(bob);
    world.restart(bob);
    until_ended(world, alice, call);
    until_registered(world, bob);
    let call = world.call(alice, "102");
    let incoming = world.incoming(bob);
    world.restart(alice);
    until_ended(world, bob, incoming);
    assert!(world.calls(alice).all(|info| info.id != call));
}

fn the_telephone_restarts_in_a_call(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.pass(seconds(1));
    world.restart(bob);
    until_registered(world, bob);
    talking(world, alice, bob);
    world.pass(seconds(5));
    set_hold(world, alice, call, true);
    silent(world, alice, bob);
    set_hold(world, alice, call, false);
    talking(world, alice, bob);
    world.hang_up(bob, incoming);
    until_ended(world, alice, call);
}

fn the_telephone_restarts_while_it_holds(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, _) = world.connect(alice, bob, "102");
    set_hold(world, alice, call, true);
    world.restart(alice);
    until_registered(world, alice);
    world.pass(seconds(5));
    world.expect("alice still holds", world.info(alice, call).local_hold);
    silent(world, alice, bob);
    set_hold(world, alice, call, false);
    talking(world, alice, bob);
}

fn both_telephones_restart(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    world.pass(seconds(1));
    world.restart(alice);
    world.restart(bob);
    until_registered(world, alice);
    until_registered(world, bob);
    talking(world, alice, bob);
    assert_eq!(world.state(alice, call), CallState::Active);
    assert_eq!(world.state(bob, incoming), CallState::Active);
}

fn a_nonce_that_has_expired_in_a_call(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, _) = world.connect(alice, bob, "102");
    world.pass(seconds(3_600));
    set_hold(world, alice, call, true);
    silent(world, alice, bob);
    set_hold(world, alice, call, false);
    talking(world, alice, bob);
}

fn credentials_that_expire_in_a_call(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, _) = world.connect(alice, bob, "102");
    world.command(alice, |agent, now| agent.set_password(now, Secret::new("old")));
    world.pass(seconds(700));
    world.expect("the call goes on", world.state(alice, call) == CallState::Active);
    world.command(alice, |agent, now| agent.set_password(now, Secret::new("demo")));
    until_registered(world, alice);
    talking(world, alice, bob);
    set_hold(world, alice, call, true);
    silent(world, alice, bob);
}
