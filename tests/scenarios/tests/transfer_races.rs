//! Whatever else happens in the moments in which a call is transferred: nobody is left alone in a call, and nothing is left
//! anywhere.

use clearline_core::CallOptions;
use clearline_scenarios::{ladders, millis, talking};
use clearline_sim::{CallId, CallState, DeviceId, World};

ladders! { 9:
    whoever_transfers_hangs_up,
    whoever_is_transferred_hangs_up,
    both_send_each_other_on,
    the_target_hangs_up_while_it_is_connected,
    the_target_holds_while_it_is_connected,
    whoever_is_sent_on_holds_at_the_same_moment,
}

const SECOND: u64 = 1_000_000;

fn three(world: &mut World) -> (DeviceId, DeviceId, DeviceId) {
    (world.phone("alice"), world.phone("bob"), world.phone("carol"))
}

/// Whoever is called answers, until nothing rings any more; then all hang up.
fn settle(world: &mut World, devices: &[DeviceId]) {
    for _ in 0..40 {
        for device in devices {
            let ringing: Vec<_> = world
                .agent(*device)
                .calls()
                .filter(|call| call.state == CallState::Incoming)
                .map(|call| call.id)
                .collect();
            for call in ringing {
                let _ = world.begin(*device, |agent, now| agent.call_handle(now, call)?.answer());
            }
        }
        world.pass(millis(250));
    }
    nobody_is_alone(world, devices);
    for device in devices {
        let calls: Vec<_> = world.agent(*device).calls().map(|call| call.id).collect();
        for call in calls {
            let _ = world.begin(*device, |agent, now| agent.call_handle(now, call)?.hang_up());
        }
    }
    world.until("nobody has a call", |world| {
        devices
            .iter()
            .all(|device| world.agent(*device).calls().next().is_none())
    });
}

/// Each answered call has another end.
fn nobody_is_alone(world: &World, devices: &[DeviceId]) {
    for device in devices {
        let calls = world.agent(*device).calls();
        let answered = calls.filter(|call| call.state == CallState::Active);
        for id in answered.map(|call| call.id) {
            let name = world.device_name(*device);
            let what = format!("{name}'s answered call has another end");
            world.expect(&what, world.partner(*device, id).is_some());
        }
    }
}

fn begin_transfer(world: &mut World, device: DeviceId, call: CallId, target: &str) {
    let begun = world.begin(device, |agent, now| {
        agent.call_handle(now, call)?.transfer(target)
    });
    assert!(begun.is_ok(), "{begun:?}");
}

fn try_hang_up(world: &mut World, device: DeviceId, call: CallId) {
    let _ = world.begin(device, |agent, now| agent.call_handle(now, call)?.hang_up());
}

fn whoever_transfers_hangs_up(world: &mut World) {
    let (alice, bob, carol) = three(world);
    for after in (0..400).step_by(25) {
        let (_, at_alice) = world.connect(bob, alice, "101");
        begin_transfer(world, alice, at_alice, "103");
        world.pass(millis(after));
        try_hang_up(world, alice, at_alice);
        settle(world, &[alice, bob, carol]);
    }
}

fn whoever_is_transferred_hangs_up(world: &mut World) {
    let (alice, bob, carol) = three(world);
    for after in (0..400).step_by(25) {
        let (call, at_alice) = world.connect(bob, alice, "101");
        begin_transfer(world, alice, at_alice, "103");
        world.pass(millis(after));
        try_hang_up(world, bob, call);
        settle(world, &[alice, bob, carol]);
    }
}

fn both_send_each_other_on(world: &mut World) {
    let (alice, bob, carol) = three(world);
    for after in (0..300).step_by(25) {
        let (call, at_alice) = world.connect(bob, alice, "101");
        begin_transfer(world, alice, at_alice, "103");
        world.pass(millis(after));
        let _ = world.begin(bob, |agent, now| agent.call_handle(now, call)?.transfer("103"));
        settle(world, &[alice, bob, carol]);
    }
}

/// Alice has asked carol, and is about to connect bob with her.
fn consulted(world: &mut World, count: u64) -> (DeviceId, DeviceId, DeviceId, CallId, CallId, CallId) {
    let mut devices = world.devices();
    let (alice, bob, carol) = match (devices.next(), devices.next(), devices.next()) {
        (Some(alice), Some(bob), Some(carol)) => (alice, bob, carol),
        _ => three(world),
    };
    let (_, at_alice) = world.connect(bob, alice, "101");
    let second = CallId(SECOND + count);
    world.perform(alice, |agent, now| {
        agent.consult(now, at_alice, second, "103", CallOptions::default())
    });
    let incoming = world.incoming(carol);
    world.answer(carol, incoming);
    talking(world, alice, carol);
    (alice, bob, carol, at_alice, second, incoming)
}

fn the_target_hangs_up_while_it_is_connected(world: &mut World) {
    for after in (0..300).step_by(25) {
        let (alice, bob, carol, at_alice, second, incoming) = consulted(world, after);
        let begun = world.begin(alice, |agent, now| {
            agent.call_handle(now, at_alice)?.transfer_to(second)
        });
        assert!(begun.is_ok());
        world.pass(millis(after));
        try_hang_up(world, carol, incoming);
        settle(world, &[alice, bob, carol]);
    }
}

fn the_target_holds_while_it_is_connected(world: &mut World) {
    for after in (0..300).step_by(25) {
        let (alice, bob, carol, at_alice, second, incoming) = consulted(world, after);
        let begun = world.begin(alice, |agent, now| {
            agent.call_handle(now, at_alice)?.transfer_to(second)
        });
        assert!(begun.is_ok());
        world.pass(millis(after));
        let _ = world.begin(carol, |agent, now| agent.call_handle(now, incoming)?.hold());
        settle(world, &[alice, bob, carol]);
    }
}

fn whoever_is_sent_on_holds_at_the_same_moment(world: &mut World) {
    let (alice, bob, carol) = three(world);
    for after in (0..200).step_by(20) {
        let (call, at_alice) = world.connect(bob, alice, "101");
        begin_transfer(world, alice, at_alice, "103");
        world.pass(millis(after));
        let _ = world.begin(bob, |agent, now| agent.call_handle(now, call)?.hold());
        settle(world, &[alice, bob, carol]);
    }
}
