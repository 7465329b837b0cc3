//! The end of every test: all hang up, and nothing is left behind anywhere.

use clearline_core::{Duration, Event, UserAgent};

use super::World;
use crate::device::{Device, DeviceId};

/// Longer than anything is kept for: timer C of the platform, then 64*T1.
const AFTERWARDS: Duration = Duration::from_secs(240);

impl World {
    /// Everyone hangs up, and then there is no call, no open microphone, no unfinished command and no dialog left, at
    /// the devices or at the platform; every call has a reason why it ended.
    ///
    /// The links have to be whole and the platform running.
    #[track_caller]
    pub fn finish(&mut self) {
        self.everyone_hangs_up();
        self.within(Duration::from_secs(120), "all calls have ended", |world| {
            let mut devices = world.devices();
            devices.all(|device| world.agent(device).calls().next().is_none())
        });
        self.pass(AFTERWARDS);
        for device in self.devices() {
            self.expect_nothing_left(device);
        }
        let open = self.open_at_platform();
        self.expect(
            &format!("no dialog is left at the platform, not {open}"),
            open == 0,
        );
    }

    fn everyone_hangs_up(&mut self) {
        for device in self.devices() {
            let calls: Vec<_> = self.agent(device).calls().map(|call| call.id).collect();
            for call in calls {
                // One that is ending already needs no telling.
                let _ = self.begin(device, |agent, now| agent.call_handle(now, call)?.hang_up());
            }
        }
    }

    #[track_caller]
    fn expect_nothing_left(&self, device: DeviceId) {
        let name = &self.devices[device.0].name;
        let Device { media, sessions, .. } = &self.devices[device.0];
        let open = media.sessions.iter().filter(|(_, session)| !session.is_closed);
        let open: Vec<_> = open.map(|(id, _)| (id, sessions.get(id))).collect();
        self.expect(
            &format!("{name} has closed its microphone, not left {open:?}"),
            open.is_empty(),
        );
        let pending = &self.devices[device.0].pending;
        self.expect(
            &format!("every command of {name} has ended, {pending:?} have not"),
            pending.is_empty(),
        );
        let mut calls = self.calls(device);
        self.expect(
            &format!("every call of {name} has a reason"),
            calls.all(|call| call.end.is_some()),
        );
    }

    /// What the devices have dropped that the network sent them: nothing, as long as nothing breaks.
    pub fn dropped(&self) -> Vec<&'static str> {
        let events = self.devices.iter().flat_map(|device| &device.events);
        let dropped = events.filter_map(|event| match event {
            Event::Dropped { why, .. } => Some(*why),
            Event::Connection(_)
            | Event::Registration(_)
            | Event::Call(_)
            | Event::DtmfReceived { .. }
            | Event::Subscription { .. }
            | Event::Notification(_)
            | Event::OperationDone { .. }
            | Event::TokenWanted { .. }
            | Event::TransferRequested { .. }
            | Event::RemoteCalls(_)
            | Event::OwnDevices(_)
            | Event::Stopped => None,
        });
        dropped.collect()
    }

    /// All agents stop in an orderly way.
    pub fn stop_all(&mut self) {
        for device in self.devices() {
            self.command(device, UserAgent::stop);
        }
    }
}
