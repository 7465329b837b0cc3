//! Taking a call over from another own device, where the platform tells of such calls; elsewhere nothing of it is shown.

use clearline_core::{CallOptions, CommandError, Duration, RemoteCall, RemoteCallState};
use clearline_scenarios::{ladders, millis, seconds, talking, until_ended};
use clearline_sim::{CallId, CallState, DeviceId, EndCause, World};

ladders! { 9:
    a_call_moves_to_another_device_and_back,
    the_called_side_can_pull_too,
    two_devices_pull_at_once,
    the_far_end_hangs_up_as_it_is_pulled,
    the_other_device_hangs_up_as_it_is_pulled,
    a_call_is_rescued_from_a_device_that_is_cut_off,
    a_call_that_is_pulled_and_given_up_stays_where_it_was,
    a_call_that_rings_elsewhere_is_seen_and_left_alone,
    a_call_in_which_the_name_is_withheld_is_not_pulled,
}

/// The call on the device that pulls.
const PULLED: CallId = CallId(2_000_000);

fn follower(world: &mut World, user: &str) -> DeviceId {
    world.phone_with(user, |config| config.remote_calls = true)
}

/// Laptop and desk telephone of alice, and bob.
fn three(world: &mut World) -> (DeviceId, DeviceId, DeviceId) {
    (
        follower(world, "alice"),
        follower(world, "alice"),
        world.phone("bob"),
    )
}

/// The one call on other devices, once it can be pulled; `None` where the platform does not tell.
fn seen(world: &mut World, device: DeviceId) -> Option<RemoteCall> {
    if !world.kind().tells_dialogs() {
        world.pass(seconds(5));
        assert_eq!(world.agent(device).remote_calls(), []);
        return None;
    }
    world.until("the call elsewhere is seen", |world| {
        let mut calls = world.agent(device).remote_calls().iter();
        calls.any(|call| call.can_be_pulled)
    });
    world.agent(device).remote_calls().first().cloned()
}

fn pull(world: &mut World, device: DeviceId, call: &RemoteCall) -> Result<(), CommandError> {
    world.command(device, |agent, now| agent.pull(now, PULLED, call.id))
}

/// Pulls, and waits until the far end talks with this device; how long it heard nobody.
fn pull_and_listen(
    world: &mut World,
    device: DeviceId,
    call: &RemoteCall,
    from: DeviceId,
    far: DeviceId,
) -> Duration {
    assert_eq!(pull(world, device, call), Ok(()));
    let mut silence = Duration::ZERO;
    while !(world.hears(far, device) && world.hears(device, far)) {
        world.pass(millis(5));
        if !world.hears(far, from) && !world.hears(far, device) {
            silence += millis(5);
        }
        assert!(silence < seconds(5), "nobody comes");
    }
    silence
}

fn a_call_moves_to_another_device_and_back(world: &mut World) {
    let (laptop, desk, bob) = three(world);
    let (at_desk, at_bob) = world.connect(desk, bob, "102");
    let Some(call) = seen(world, laptop) else { return };
    assert_eq!((&*call.remote.user, call.state), ("bob", RemoteCallState::Active));
    assert_eq!(world.agent(desk).remote_calls(), [], "its own is none");

    let silence = pull_and_listen(world, laptop, &call, desk, bob);
    assert!(silence < seconds(1), "{silence:?}");
    until_ended(world, desk, at_desk);
    let end = world.info(desk, at_desk).end.as_ref();
    assert_eq!(end.map(|end| end.cause), Some(EndCause::AnsweredElsewhere));
    assert_eq!(world.info(laptop, PULLED).remote.user, "bob");
    assert_eq!(
        world.state(bob, at_bob),
        CallState::Active,
        "the same call to bob"
    );

    world.pass(seconds(10));
    let Some(call) = seen(world, desk) else { return };
    let silence = pull_and_listen(world, desk, &call, laptop, bob);
    assert!(silence < seconds(1), "{silence:?}");
    until_ended(world, laptop, PULLED);
    world.pass(seconds(200));
    talking(world, desk, bob);
}

fn the_called_side_can_pull_too(world: &mut World) {
    let (laptop, desk, bob) = three(world);
    world.call(bob, "101");
    let at_desk = world.incoming(desk);
    world.answer(desk, at_desk);
    talking(world, desk, bob);
    let Some(call) = seen(world, laptop) else { return };
    let silence = pull_and_listen(world, laptop, &call, desk, bob);
    assert!(silence < seconds(1), "{silence:?}");
    until_ended(world, desk, at_desk);
}

/// One of them gets it; the other is told, sees where it is, and nobody is lost.
fn two_devices_pull_at_once(world: &mut World) {
    let (laptop, desk, bob) = three(world);
    let tablet = follower(world, "alice");
    world.connect(desk, bob, "102");
    let (Some(one), Some(other)) = (seen(world, laptop), seen(world, tablet)) else {
        return;
    };
    assert_eq!(pull(world, laptop, &one), Ok(()));
    assert_eq!(pull(world, tablet, &other), Ok(()));
    world.until("one has it and the other has not", |world| {
        let states = [laptop, tablet].map(|device| world.state(device, PULLED));
        states.contains(&CallState::Active) && states.contains(&CallState::Ended)
    });
    let (winner, loser) = if world.state(laptop, PULLED) == CallState::Active {
        (laptop, tablet)
    } else {
        (tablet, laptop)
    };
    talking(world, winner, bob);
    world.until("the desk telephone is free", |world| {
        world.agent(desk).calls().next().is_none()
    });
    let end = world.info(loser, PULLED).end.clone();
    assert!(matches!(
        end.and_then(|end| end.sip_status),
        Some(481 | 491 | 603)
    ));
    world.pass(seconds(3));
    let Some(call) = seen(world, loser) else { return };
    assert_eq!(call.state, RemoteCallState::Active, "it can still be had");
}

fn the_far_end_hangs_up_as_it_is_pulled(world: &mut World) {
    let (laptop, desk, bob) = three(world);
    let (_, at_bob) = world.connect(desk, bob, "102");
    let Some(call) = seen(world, laptop) else { return };
    assert_eq!(pull(world, laptop, &call), Ok(()));
    world.hang_up(bob, at_bob);
    nobody_talks(world, &[laptop, desk, bob]);
}

fn the_other_device_hangs_up_as_it_is_pulled(world: &mut World) {
    let (laptop, desk, bob) = three(world);
    let (at_desk, _) = world.connect(desk, bob, "102");
    let Some(call) = seen(world, laptop) else { return };
    world.hang_up(desk, at_desk);
    match pull(world, laptop, &call) {
        Ok(()) => {
            until_ended(world, laptop, PULLED);
            let status = world
                .info(laptop, PULLED)
                .end
                .as_ref()
                .and_then(|end| end.sip_status);
            assert!(matches!(status, Some(481 | 603)), "{status:?}");
        }
        Err(error) => assert_eq!(error, CommandError::NoSuchRemoteCall),
    }
    nobody_talks(world, &[laptop, desk, bob]);
}

fn nobody_talks(world: &mut World, devices: &[DeviceId]) {
    world.until("nobody has a call any more", |world| {
        devices.iter().all(|it| world.agent(*it).calls().next().is_none())
    });
    world.until("and nobody sees one", |world| {
        devices
            .iter()
            .all(|it| world.agent(*it).remote_calls().is_empty())
    });
}

fn a_call_is_rescued_from_a_device_that_is_cut_off(world: &mut World) {
    let (laptop, desk, bob) = three(world);
    world.connect(desk, bob, "102");
    let Some(call) = seen(world, laptop) else { return };
    world.cut(desk);
    assert_eq!(pull(world, laptop, &call), Ok(()));
    talking(world, laptop, bob);
    world.pass(seconds(3));
    world.mend(desk);
    world.until("the desk telephone has learned of it", |world| {
        world.agent(desk).calls().next().is_none()
    });
    talking(world, laptop, bob);
}

fn a_call_that_is_pulled_and_given_up_stays_where_it_was(world: &mut World) {
    let (laptop, desk, bob) = three(world);
    world.connect(desk, bob, "102");
    let Some(call) = seen(world, laptop) else { return };
    assert_eq!(pull(world, laptop, &call), Ok(()));
    // Before the offer is made.
    world.hang_up(laptop, PULLED);
    world.pass(seconds(5));
    talking(world, desk, bob);
    assert!(seen(world, laptop).is_some_and(|call| call.can_be_pulled));
}

fn a_call_that_rings_elsewhere_is_seen_and_left_alone(world: &mut World) {
    let (laptop, desk, bob) = three(world);
    world.call(desk, "102");
    world.incoming(bob);
    world.pass(seconds(2));
    let calls = world.agent(laptop).remote_calls().to_vec();
    if !world.kind().tells_dialogs() {
        return assert_eq!(calls, []);
    }
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].state, RemoteCallState::Ringing);
    assert_eq!(pull(world, laptop, &calls[0]), Err(CommandError::WrongState));
}

/// Whoever pulled it would tell the far end who calls.
fn a_call_in_which_the_name_is_withheld_is_not_pulled(world: &mut World) {
    let (laptop, desk, bob) = three(world);
    let mut options = CallOptions::default();
    options.anonymous = true;
    let dialled = world.command(desk, |agent, now| agent.call(now, CallId(1_000), "102", options));
    assert_eq!(dialled, Ok(()));
    let incoming = world.incoming(bob);
    world.answer(bob, incoming);
    talking(world, desk, bob);
    world.pass(seconds(5));
    let calls = world.agent(laptop).remote_calls().to_vec();
    if !world.kind().tells_dialogs() {
        return assert_eq!(calls, []);
    }
    assert_eq!((calls.len(), calls[0].can_be_pulled), (1, false));
    assert_eq!(pull(world, laptop, &calls[0]), Err(CommandError::WrongState));
}
