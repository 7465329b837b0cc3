//! Hold and resume, by one, by both, and by both at once.

use clearline_scenarios::{ask_hold, ladders, millis, set_hold, silent, talking};
use clearline_sim::World;

ladders! { 2:
    hold_and_resume,
    both_hold_and_both_resume,
    both_hold_at_the_same_moment,
    one_resumes_while_the_other_holds,
    hold_is_overtaken_by_resume,
    hold_right_after_the_answer,
    a_hold_outlives_the_refreshes_of_the_platform,
    hang_up_while_a_hold_is_on_its_way,
}

fn hold_and_resume(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    set_hold(world, alice, call, true);
    assert!(world.info(alice, call).local_hold);
    silent(world, alice, bob);
    if world.kind().tells_hold() {
        world.until("bob sees it", |world| world.info(bob, incoming).remote_hold);
    }
    set_hold(world, alice, call, false);
    talking(world, alice, bob);
    assert!(!world.info(alice, call).local_hold);
    assert!(!world.info(bob, incoming).remote_hold);
}

fn both_hold_and_both_resume(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    set_hold(world, alice, call, true);
    set_hold(world, bob, incoming, true);
    set_hold(world, alice, call, false);
    silent(world, alice, bob);
    set_hold(world, bob, incoming, false);
    talking(world, alice, bob);
}

fn both_hold_at_the_same_moment(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for apart in [0, 0, 0, 1, 5, 20, 35, 50, 70] {
        let (call, incoming) = world.connect(alice, bob, "102");
        ask_hold(world, alice, call, true);
        world.pass(millis(apart));
        ask_hold(world, bob, incoming, true);
        world.until("both hold", |world| {
            world.info(alice, call).local_hold && world.info(bob, incoming).local_hold
        });
        silent(world, alice, bob);
        ask_hold(world, alice, call, false);
        world.pass(millis(apart));
        ask_hold(world, bob, incoming, false);
        talking(world, alice, bob);
        world.hang_up(alice, call);
    }
}

fn one_resumes_while_the_other_holds(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for apart in 0..40 {
        let (call, incoming) = world.connect(alice, bob, "102");
        set_hold(world, alice, call, true);
        ask_hold(world, alice, call, false);
        world.pass(millis(apart * 2));
        ask_hold(world, bob, incoming, true);
        world.until("bob holds and alice does not", |world| {
            world.info(bob, incoming).local_hold && !world.info(alice, call).local_hold
        });
        silent(world, alice, bob);
        set_hold(world, bob, incoming, false);
        talking(world, alice, bob);
        world.hang_up(bob, incoming);
    }
}

fn hold_is_overtaken_by_resume(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for after in 0..100 {
        let (call, incoming) = world.connect(alice, bob, "102");
        ask_hold(world, alice, call, true);
        world.pass(millis(after));
        ask_hold(world, alice, call, false);
        world.until("nobody is held", |world| {
            world.pending_operations(alice) == 0
                && !world.info(alice, call).local_hold
                && !world.info(bob, incoming).remote_hold
        });
        talking(world, alice, bob);
        world.hang_up(alice, call);
    }
}

/// The platform may be negotiating too.
fn hold_right_after_the_answer(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for after in (0..600).step_by(20) {
        let (call, _) = world.connect(alice, bob, "102");
        world.pass(millis(after));
        set_hold(world, alice, call, true);
        silent(world, alice, bob);
        set_hold(world, alice, call, false);
        talking(world, alice, bob);
        world.hang_up(alice, call);
    }
}

fn a_hold_outlives_the_refreshes_of_the_platform(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, incoming) = world.connect(alice, bob, "102");
    set_hold(world, alice, call, true);
    for _ in 0..60 {
        world.pass(millis(10_000));
        world.expect("alice holds", world.info(alice, call).local_hold);
        world.expect(
            "nobody hears",
            !world.hears(alice, bob) && !world.hears(bob, alice),
        );
        if world.kind().tells_hold() {
            world.expect("bob is held", world.info(bob, incoming).remote_hold);
        }
    }
    set_hold(world, alice, call, false);
    talking(world, alice, bob);
}

fn hang_up_while_a_hold_is_on_its_way(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for after in 0..100 {
        let (call, incoming) = world.connect(alice, bob, "102");
        ask_hold(world, alice, call, true);
        world.pass(millis(after));
        let (device, call) = if after % 2 == 0 {
            (bob, incoming)
        } else {
            (alice, call)
        };
        world.hang_up(device, call);
        world.until("both calls have ended", |world| {
            [alice, bob]
                .iter()
                .all(|device| world.agent(*device).calls().next().is_none())
        });
    }
}
