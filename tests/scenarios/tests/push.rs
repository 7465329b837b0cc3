//! Sending a call to one's other devices, where the platform rings them all. Where it does not, there is none that could
//! answer, and the call stays.

use clearline_scenarios::{ladders, seconds, talking, until_ended};
use clearline_sim::{CallId, CallState, DeviceId, EndCause, World};

ladders! { 10:
    a_call_moves_to_the_device_that_answers,
    a_call_that_no_device_takes_stays_where_it_was,
    the_far_end_hangs_up_while_it_rings,
}

/// Laptop and desk telephone of alice, who talks to bob with the laptop; her call.
fn talking_at_the_laptop(world: &mut World) -> (DeviceId, DeviceId, DeviceId, CallId) {
    let (laptop, bob) = (world.phone("alice"), world.phone("bob"));
    let (call, _) = world.connect(laptop, bob, "102");
    let desk = world.phone("alice");
    (laptop, desk, bob, call)
}

fn push(world: &mut World, device: DeviceId, call: CallId) {
    let begun = world.begin(device, |agent, now| agent.call_handle(now, call)?.push());
    assert!(begun.is_ok(), "{begun:?}");
}

fn a_call_moves_to_the_device_that_answers(world: &mut World) {
    let (laptop, desk, bob, call) = talking_at_the_laptop(world);
    push(world, laptop, call);
    if !world.kind().rings_all_devices() {
        return nobody_is_lost(world, laptop, call, bob);
    }
    let incoming = world.incoming(desk);
    assert_eq!(world.agent(laptop).calls().count(), 1, "it does not ring here");
    world.answer(desk, incoming);
    talking(world, desk, bob);
    until_ended(world, laptop, call);
    let end = world.info(laptop, call).end.as_ref();
    assert_eq!(end.map(|end| end.cause), Some(EndCause::Transferred));
    world.until("only the desk telephone has a call", |world| {
        world.agent(laptop).calls().next().is_none() && world.agent(desk).calls().count() == 1
    });
    world.pass(seconds(200));
    talking(world, desk, bob);
}

fn a_call_that_no_device_takes_stays_where_it_was(world: &mut World) {
    let (laptop, desk, bob, call) = talking_at_the_laptop(world);
    push(world, laptop, call);
    if world.kind().rings_all_devices() {
        let incoming = world.incoming(desk);
        world.hang_up(desk, incoming);
    }
    nobody_is_lost(world, laptop, call, bob);
}

/// The call is where it was, unless the platform lets go of it before it knows better: then it rings here.
fn nobody_is_lost(world: &mut World, laptop: DeviceId, call: CallId, bob: DeviceId) {
    if world.kind().rings_all_devices() {
        talking(world, laptop, bob);
        return assert_eq!(world.state(laptop, call), CallState::Active);
    }
    let incoming = world.incoming(laptop);
    world.hang_up(laptop, incoming);
    if world.kind().reports_transfers() {
        talking(world, laptop, bob);
        assert_eq!(world.state(laptop, call), CallState::Active);
    }
}

fn the_far_end_hangs_up_while_it_rings(world: &mut World) {
    let (laptop, desk, bob, call) = talking_at_the_laptop(world);
    push(world, laptop, call);
    let ringing = match world.kind().rings_all_devices() {
        true => desk,
        false => laptop,
    };
    world.incoming(ringing);
    let calls: Vec<_> = world.agent(bob).calls().map(|call| call.id).collect();
    for call in calls {
        let _ = world.begin(bob, |agent, now| agent.call_handle(now, call)?.hang_up());
    }
    world.until("nobody has a call any more", |world| {
        [laptop, desk, bob]
            .iter()
            .all(|it| world.agent(*it).calls().next().is_none())
    });
}
