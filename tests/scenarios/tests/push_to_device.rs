//! Sending a call to one chosen device of one's own, where the platform lists them with an address each (GRUU). Where it
//! does not, none is offered.

use clearline_core::{OperationError, OperationId};
use clearline_scenarios::{ladders, seconds, talking, until_ended};
use clearline_sim::{CallId, CallState, DeviceId, EndCause, World};

ladders! { 11:
    only_the_chosen_device_rings_and_has_the_call,
    it_declines_and_the_call_stays,
    it_is_busy_and_the_call_stays,
    it_does_not_answer_and_the_call_stays,
    it_is_gone_and_the_call_stays,
    the_far_end_hangs_up_while_it_rings,
}

/// Alice's laptop, where she talks to bob, her desk telephone and her tablet.
struct Devices {
    laptop: DeviceId,
    desk: DeviceId,
    tablet: DeviceId,
    bob: DeviceId,
    call: CallId,
}

impl Devices {
    fn in_a_call(world: &mut World) -> Self {
        let named = |name: &'static str| {
            move |config: &mut clearline_core::Config| {
                config.device_name = name.to_owned();
                config.remote_calls = true;
                config.max_calls = 1;
            }
        };
        let (laptop, bob) = (
            world.phone_with("alice", named("Laptop")),
            world.phone_with("bob", |config| config.no_answer_timeout = seconds(30)),
        );
        let (call, _) = world.connect(laptop, bob, "102");
        let desk = world.phone_with("alice", named("Desk"));
        let tablet = world.phone_with("alice", named("Tablet"));
        Self {
            laptop,
            desk,
            tablet,
            bob,
            call,
        }
    }

    /// Where the desk telephone alone is reached, once the platform has been asked; `None` if it does not tell.
    fn address_of_desk(&self, world: &mut World) -> Option<String> {
        let asked = world.command(self.laptop, |agent, now| agent.ask_for_devices(now));
        assert_eq!(asked, Ok(()));
        world.pass(seconds(2));
        let mut devices = world.agent(self.laptop).own_devices().iter();
        let desk = devices.find(|device| device.name.as_deref() == Some("Desk"));
        assert_eq!(desk.is_some(), world.kind().rings_all_devices());
        desk.map(|desk| desk.address.clone())
    }

    fn push(&self, world: &mut World) -> Option<OperationId> {
        let address = self.address_of_desk(world)?;
        Some(self.send_to(world, &address))
    }

    fn send_to(&self, world: &mut World, address: &str) -> OperationId {
        let begun = world.begin(self.laptop, |agent, now| {
            agent.call_handle(now, self.call)?.transfer(address)
        });
        let Ok(operation) = begun else { panic!("{begun:?}") };
        operation
    }

    /// The call is at the laptop as before, and the user is told with which status the device could not take it.
    fn assert_stays(&self, world: &mut World, operation: OperationId, statuses: &[u16]) {
        world.until("the transfer is over", |world| {
            world.result(self.laptop, operation).is_some()
        });
        let result = world.result(self.laptop, operation).cloned();
        let Some(Err(OperationError::TargetFailed { status, .. })) = result else {
            panic!("{result:?}")
        };
        assert!(statuses.contains(&status), "{status}");
        talking(world, self.laptop, self.bob);
        assert_eq!(world.state(self.laptop, self.call), CallState::Active);
        assert_eq!(world.agent(self.tablet).calls().count(), 0);
    }
}

fn only_the_chosen_device_rings_and_has_the_call(world: &mut World) {
    let devices = Devices::in_a_call(world);
    let Some(_) = devices.push(world) else { return };
    let incoming = world.incoming(devices.desk);
    for silent in [devices.tablet, devices.laptop] {
        assert!(world.calls(silent).all(|call| call.state != CallState::Incoming));
    }
    world.answer(devices.desk, incoming);
    talking(world, devices.desk, devices.bob);
    until_ended(world, devices.laptop, devices.call);
    let end = world.info(devices.laptop, devices.call).end.as_ref();
    assert_eq!(end.map(|end| end.cause), Some(EndCause::Transferred));
    world.pass(seconds(200));
    talking(world, devices.desk, devices.bob);
    assert_eq!(world.agent(devices.laptop).calls().count(), 0);
}

fn it_declines_and_the_call_stays(world: &mut World) {
    let devices = Devices::in_a_call(world);
    let Some(operation) = devices.push(world) else {
        return;
    };
    let incoming = world.incoming(devices.desk);
    world.hang_up(devices.desk, incoming);
    devices.assert_stays(world, operation, &[486, 603]);
}

fn it_is_busy_and_the_call_stays(world: &mut World) {
    let devices = Devices::in_a_call(world);
    let carol = world.phone("carol");
    world.connect(devices.desk, carol, "103");
    let Some(operation) = devices.push(world) else {
        return;
    };
    devices.assert_stays(world, operation, &[486]);
    talking(world, devices.desk, carol);
}

fn it_does_not_answer_and_the_call_stays(world: &mut World) {
    let devices = Devices::in_a_call(world);
    let Some(operation) = devices.push(world) else {
        return;
    };
    world.incoming(devices.desk);
    world.pass(seconds(40));
    devices.assert_stays(world, operation, &[408, 480, 487]);
    assert_eq!(
        world.agent(devices.desk).calls().count(),
        0,
        "it does not ring any more"
    );
}

fn it_is_gone_and_the_call_stays(world: &mut World) {
    let devices = Devices::in_a_call(world);
    let Some(address) = devices.address_of_desk(world) else {
        return;
    };
    world.command(devices.desk, clearline_core::UserAgent::stop);
    world.pass(seconds(5));
    let operation = devices.send_to(world, &address);
    devices.assert_stays(world, operation, &[404, 410, 480]);
}

fn the_far_end_hangs_up_while_it_rings(world: &mut World) {
    let devices = Devices::in_a_call(world);
    let Some(_) = devices.push(world) else { return };
    world.incoming(devices.desk);
    let calls: Vec<_> = world.agent(devices.bob).calls().map(|call| call.id).collect();
    for call in calls {
        let _ = world.begin(devices.bob, |agent, now| agent.call_handle(now, call)?.hang_up());
    }
    world.until("nobody has a call any more", |world| {
        [devices.laptop, devices.desk, devices.bob]
            .iter()
            .all(|it| world.agent(*it).calls().next().is_none())
    });
}
