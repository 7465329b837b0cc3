//! Transfers, at once and after asking first, wherever they are carried out.

use clearline_core::{CallOptions, Duration, OperationError, OperationId, TransferState};
use clearline_scenarios::{ladders, millis, seconds, silent, talking, until_ended};
use clearline_sim::{CallId, CallState, DeviceId, EndCause, PlatformKind, World};

ladders! { 8:
    a_caller_is_sent_on,
    a_caller_comes_back_when_the_target_declines,
    a_caller_comes_back_when_nobody_is_there,
    a_callee_can_be_sent_on_too,
    the_target_is_asked_first,
    a_target_that_declines_to_be_asked_brings_the_caller_back,
    a_consultation_that_is_cancelled_brings_the_caller_back,
    alternating_while_asking,
    a_target_that_only_rings_is_called_by_the_other,
    whoever_transfers_is_cut_off_meanwhile,
    whoever_is_transferred_is_cut_off_meanwhile,
    whoever_transfers_starts_again_meanwhile,
    a_consultation_outlives_a_restart,
    whoever_is_transferred_hangs_up_meanwhile,
    a_transferred_call_is_transferred_again,
}

/// The second call of whoever asks first.
const SECOND: CallId = CallId(1_000_000);

fn three(world: &mut World) -> (DeviceId, DeviceId, DeviceId) {
    (world.phone("alice"), world.phone("bob"), world.phone("carol"))
}

fn transfer(world: &mut World, device: DeviceId, call: CallId, target: &str) -> OperationId {
    let begun = world.begin(device, |agent, now| {
        agent.call_handle(now, call)?.transfer(target)
    });
    match begun {
        Ok(operation) => operation,
        Err(error) => panic!("{error}"),
    }
}

fn consult(world: &mut World, device: DeviceId, call: CallId, target: &str) {
    consult_as(SECOND, world, device, call, target);
}

fn consult_as(id: CallId, world: &mut World, device: DeviceId, call: CallId, target: &str) {
    world.perform(device, |agent, now| {
        agent.consult(now, call, id, target, CallOptions::default())
    });
}

fn until_done(world: &mut World, device: DeviceId, operation: OperationId) -> Result<(), OperationError> {
    world.until("the transfer has come to an end", |world| {
        world.result(device, operation).is_some()
    });
    world.result(device, operation).cloned().unwrap_or(Ok(()))
}

/// Two talk, the third is in no call any more.
fn connected_without(world: &mut World, a: DeviceId, b: DeviceId, gone: DeviceId) {
    talking(world, a, b);
    world.until("the third has no call", |world| {
        world.agent(gone).calls().next().is_none()
    });
    let shows = |world: &World, device: DeviceId, user: &str| {
        let mut calls = world.agent(device).calls();
        calls.any(|call| call.remote.user == user)
    };
    world.until("both see whom they talk to, and nobody else is left", |world| {
        let each_has_one = [a, b].iter().all(|it| world.agent(*it).calls().count() == 1);
        let (name_a, name_b) = (user(world, a), user(world, b));
        each_has_one && shows(world, a, &name_b) && shows(world, b, &name_a)
    });
}

fn user(world: &World, device: DeviceId) -> String {
    world.user(device)
}

fn ended_transferred(world: &World, device: DeviceId, call: CallId) {
    let end = world.info(device, call).end.as_ref();
    assert_eq!(end.map(|end| end.cause), Some(EndCause::Transferred));
}

fn a_caller_is_sent_on(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    let operation = transfer(world, alice, at_alice, "103");
    let incoming = world.incoming(carol);
    silent(world, alice, bob);
    world.answer(carol, incoming);
    connected_without(world, bob, carol, alice);
    assert_eq!(until_done(world, alice, operation), Ok(()));
    ended_transferred(world, alice, at_alice);
    world.pass(seconds(200));
    talking(world, bob, carol);
}

fn a_caller_comes_back_when_the_target_declines(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    let operation = transfer(world, alice, at_alice, "103");
    let incoming = world.incoming(carol);
    world.hang_up(carol, incoming);
    if !world.kind().reports_transfers() {
        // Nobody is left to go back to.
        return world.until("all calls have ended", |world| {
            [alice, bob]
                .iter()
                .all(|it| world.agent(*it).calls().next().is_none())
        });
    }
    let result = until_done(world, alice, operation);
    assert!(
        matches!(result, Err(OperationError::TargetFailed { .. })),
        "{result:?}"
    );
    talking(world, alice, bob);
    assert!(matches!(
        world.info(alice, at_alice).transfer,
        Some(TransferState::Failed { .. })
    ));
}

fn a_caller_comes_back_when_nobody_is_there(world: &mut World) {
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    for target in ["103", "999"] {
        let (call, at_alice) = world.connect(bob, alice, "101");
        let operation = transfer(world, alice, at_alice, target);
        let result = until_done(world, alice, operation);
        assert!(
            matches!(result, Err(OperationError::TargetFailed { .. })),
            "{result:?}"
        );
        talking(world, alice, bob);
        world.hang_up(bob, call);
        until_ended(world, alice, at_alice);
    }
}

fn a_callee_can_be_sent_on_too(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (call, _) = world.connect(alice, bob, "102");
    let operation = transfer(world, alice, call, "103");
    let incoming = world.incoming(carol);
    world.answer(carol, incoming);
    connected_without(world, bob, carol, alice);
    assert_eq!(until_done(world, alice, operation), Ok(()));
}

fn the_target_is_asked_first(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    consult(world, alice, at_alice, "103");
    assert!(world.info(alice, at_alice).local_hold);
    let incoming = world.incoming(carol);
    world.answer(carol, incoming);
    talking(world, alice, carol);
    silent(world, alice, bob);
    world.perform(alice, |agent, now| {
        agent.call_handle(now, at_alice)?.transfer_to(SECOND)
    });
    connected_without(world, bob, carol, alice);
    ended_transferred(world, alice, at_alice);
    ended_transferred(world, alice, SECOND);
    world.pass(seconds(200));
    talking(world, bob, carol);
}

fn a_target_that_declines_to_be_asked_brings_the_caller_back(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    consult(world, alice, at_alice, "103");
    let incoming = world.incoming(carol);
    world.hang_up(carol, incoming);
    until_ended(world, alice, SECOND);
    talking(world, alice, bob);
}

fn a_consultation_that_is_cancelled_brings_the_caller_back(world: &mut World) {
    let (alice, bob, carol) = three(world);
    for after in [0, 20, 50, 120, 400] {
        let (call, at_alice) = world.connect(bob, alice, "101");
        // The id of a call that was cancelled just now is not free yet.
        consult_as(CallId(SECOND.0 + after), world, alice, at_alice, "103");
        let incoming = world.incoming(carol);
        let answered = world.begin(carol, |agent, now| agent.call_handle(now, incoming)?.answer());
        assert!(answered.is_ok());
        world.pass(millis(after));
        world.perform(alice, |agent, now| {
            agent.call_handle(now, at_alice)?.cancel_transfer()
        });
        until_ended(world, carol, incoming);
        talking(world, alice, bob);
        silent(world, alice, carol);
        world.hang_up(bob, call);
        until_ended(world, alice, at_alice);
    }
}

fn alternating_while_asking(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    consult(world, alice, at_alice, "103");
    let incoming = world.incoming(carol);
    world.answer(carol, incoming);
    talking(world, alice, carol);
    for (call, heard, held) in [
        (at_alice, bob, carol),
        (SECOND, carol, bob),
        (at_alice, bob, carol),
    ] {
        world.perform(alice, |agent, now| agent.swap_to(now, call));
        talking(world, alice, heard);
        silent(world, alice, held);
    }
    world.perform(alice, |agent, now| {
        agent.call_handle(now, at_alice)?.transfer_to(SECOND)
    });
    connected_without(world, bob, carol, alice);
}

fn a_target_that_only_rings_is_called_by_the_other(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    consult(world, alice, at_alice, "103");
    let first = world.incoming(carol);
    let begun = world.begin(alice, |agent, now| {
        agent.call_handle(now, at_alice)?.transfer_to(SECOND)
    });
    assert!(begun.is_ok());
    until_ended(world, carol, first);
    let second = world.incoming(carol);
    world.answer(carol, second);
    connected_without(world, bob, carol, alice);
}

fn whoever_transfers_is_cut_off_meanwhile(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    transfer(world, alice, at_alice, "103");
    let incoming = world.incoming(carol);
    world.drop_connections(alice);
    world.pass(millis(300));
    world.answer(carol, incoming);
    talking(world, bob, carol);
    world.within(Duration::from_secs(300), "alice has no call any more", |world| {
        world.agent(alice).calls().next().is_none()
    });
    talking(world, bob, carol);
}

fn whoever_is_transferred_is_cut_off_meanwhile(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    let operation = transfer(world, alice, at_alice, "103");
    let incoming = world.incoming(carol);
    world.drop_connections(bob);
    world.pass(seconds(3));
    if world.kind() == PlatformKind::Proxy {
        // A call that only rings is lost with its connection: the first one comes back.
        until_ended(world, carol, incoming);
        assert!(until_done(world, alice, operation).is_err());
        return talking(world, alice, bob);
    }
    world.answer(carol, incoming);
    connected_without(world, bob, carol, alice);
}

fn whoever_transfers_starts_again_meanwhile(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    let begun = world.begin(alice, |agent, now| {
        agent.call_handle(now, at_alice)?.transfer("103")
    });
    assert!(begun.is_ok());
    let incoming = world.incoming(carol);
    world.restart(alice);
    world.pass(seconds(2));
    world.answer(carol, incoming);
    talking(world, bob, carol);
    world.until("alice has no call any more", |world| {
        world.agent(alice).calls().next().is_none()
    });
}

fn a_consultation_outlives_a_restart(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    consult(world, alice, at_alice, "103");
    let incoming = world.incoming(carol);
    world.answer(carol, incoming);
    talking(world, alice, carol);
    world.restart(alice);
    world.until("alice talks to carol again, and bob waits", |world| {
        world.hears(alice, carol)
            && world.info(alice, at_alice).local_hold
            && !world.info(alice, at_alice).reconnecting
    });
    silent(world, alice, bob);
    world.perform(alice, |agent, now| {
        agent.call_handle(now, at_alice)?.transfer_to(SECOND)
    });
    connected_without(world, bob, carol, alice);
}

fn whoever_is_transferred_hangs_up_meanwhile(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    transfer(world, alice, at_alice, "103");
    let incoming = world.incoming(carol);
    let calls: Vec<_> = world.agent(bob).calls().map(|call| call.id).collect();
    for call in calls {
        let _ = world.begin(bob, |agent, now| agent.call_handle(now, call)?.hang_up());
    }
    until_ended(world, carol, incoming);
    until_ended(world, alice, at_alice);
    assert_eq!(world.state(alice, at_alice), CallState::Ended);
}

fn a_transferred_call_is_transferred_again(world: &mut World) {
    let (alice, bob, carol) = three(world);
    let (_, at_alice) = world.connect(bob, alice, "101");
    transfer(world, alice, at_alice, "103");
    let incoming = world.incoming(carol);
    world.answer(carol, incoming);
    connected_without(world, bob, carol, alice);
    // And back.
    transfer(world, carol, incoming, "101");
    let incoming = world.incoming(alice);
    world.answer(alice, incoming);
    connected_without(world, bob, alice, carol);
}
