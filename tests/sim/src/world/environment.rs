//! What happens around the devices: networks, machines, the platform's process.

use clearline_core::{ConnectionId, Duration, Environment, Input, MediaErrorKind, Snapshot, UserAgent};

use super::World;
use crate::device::DeviceId;
use crate::link::{Effect, Link, Opening, Way};
use crate::media::Media;
use crate::platform::Platform;

impl World {
    // --- links -----------------------------------------------------------------------------------------------

    /// Gives a device another network. What is on its way is not touched.
    pub fn set_link(&mut self, device: DeviceId, link: Link) {
        self.devices[device.0].link = link;
    }

    /// Sets the one-way delay of a device's link.
    pub fn set_delay(&mut self, device: DeviceId, delay: Duration) {
        self.set_link(device, Link::new().with(Effect::Delay(delay)));
    }

    /// Breaks a device's link: its connections close at both ends and no other opens.
    pub fn cut(&mut self, device: DeviceId) {
        let link = self.devices[device.0].link.clone();
        self.set_link(device, link.opening(Opening::Refused));
        self.drop_connections(device);
    }

    /// Closes a device's connections at both ends; others can be opened.
    pub fn drop_connections(&mut self, device: DeviceId) {
        for id in self.wires_of(device) {
            self.break_wire(id, self.now, "1006 network lost");
        }
    }

    /// Lets everything on a device's link vanish without a trace.
    pub fn swallow(&mut self, device: DeviceId) {
        self.swallow_one_way(device, Way::Up);
        self.swallow_one_way(device, Way::Down);
    }

    /// Half-open: what travels in one direction vanishes without a trace.
    pub fn swallow_one_way(&mut self, device: DeviceId, way: Way) {
        let link = self.devices[device.0].link.clone();
        self.set_link(device, link.dead(way, true));
    }

    /// Makes a device's link whole again. Its delays stay.
    pub fn mend(&mut self, device: DeviceId) {
        let link = self.devices[device.0].link.clone();
        let link = link.opening(Opening::Accepted);
        self.set_link(device, link.dead(Way::Up, false).dead(Way::Down, false));
    }

    /// The device's next message gets half-way, then its connection breaks.
    pub fn tear_next_message(&mut self, device: DeviceId) {
        self.devices[device.0].tears_next_message = true;
    }

    /// One of a device's connections breaks, if it has several: the one opened first or last.
    pub fn drop_one_connection(&mut self, device: DeviceId, last: bool) {
        let wires = self.wires_of(device);
        let wire = if last { wires.last() } else { wires.first() };
        if let (Some(wire), 2..) = (wire, wires.len()) {
            self.break_wire(*wire, self.now, "1006 network lost");
        }
    }

    /// How many connections of a device are open at both ends.
    pub fn open_connections(&self, device: DeviceId) -> usize {
        let wires = self.wires.values().filter(|wire| wire.device == device);
        wires
            .filter(|wire| wire.device_open && wire.platform_open)
            .count()
    }

    // --- machines --------------------------------------------------------------------------------------------

    /// The operating system tells a device something.
    pub fn environment(&mut self, device: DeviceId, change: Environment) {
        self.tell_device(device, Input::Environment(change));
    }

    /// The machine sleeps: no timer fires, and what arrives waits. Its connections are closed at the platform after
    /// a while, as nothing answers for it.
    pub fn sleep(&mut self, device: DeviceId) {
        self.devices[device.0].is_asleep = true;
    }

    /// Whether the machine sleeps.
    pub fn is_asleep(&self, device: DeviceId) -> bool {
        self.devices[device.0].is_asleep
    }

    /// The machine wakes up.
    pub fn wake_up(&mut self, device: DeviceId) {
        self.devices[device.0].is_asleep = false;
        self.tell_device(device, Input::Wake);
        for delivery in std::mem::take(&mut self.devices[device.0].postponed) {
            self.deliver(delivery);
        }
    }

    /// Takes a snapshot of an agent, as the browser's program stores and reads it.
    pub fn snapshot(&self, device: DeviceId) -> Snapshot {
        let snapshot = self.devices[device.0].agent.snapshot(self.now);
        let stored = postcard::to_allocvec(&snapshot).expect("a snapshot can be written");
        postcard::from_bytes(&stored).expect("what was written can be read")
    }

    /// The program dies and is started again with what a snapshot kept: sockets, media and unfinished commands are
    /// gone.
    pub fn restart_from(&mut self, device: DeviceId, snapshot: Snapshot) {
        // The sockets die with the old program; the new one gives its own the same names.
        for id in self.wires_of(device) {
            self.closed_for_platform(id);
            self.wires.remove(&id);
        }
        self.forget_media_of(device);
        let (now, seed) = (self.now, self.seed);
        let machine = &mut self.devices[device.0];
        machine.runs = machine.runs.wrapping_add(1);
        let fresh = [seed.wrapping_mul(7).wrapping_add(machine.runs); 32];
        let mut of_media = fresh;
        // Two devices that have been restarted equally often must not describe themselves alike.
        of_media[0] = u8::try_from(device.0).unwrap_or(u8::MAX);
        machine.media = Media::new(device.0, of_media);
        machine.sessions.clear();
        machine.pending.clear();
        machine.postponed.clear();
        machine.is_asleep = false;
        let mut seed = fresh;
        seed[0] = machine.name.bytes().fold(machine.runs, u8::wrapping_add);
        machine.agent = UserAgent::restore(machine.config.clone(), snapshot, seed, now, Duration::ZERO);
        let alive: Vec<_> = machine.agent.calls().map(|call| call.id).collect();
        machine.calls.retain(|id, _| alive.contains(id));
        self.command(device, UserAgent::start);
        self.disconnect_media();
    }

    /// Nothing comes of what a program's media backend had to do when it died.
    pub(super) fn forget_media_of(&mut self, device: DeviceId) {
        self.queue.forget_media_of(device);
        self.checking.retain(|(owner, _), _| *owner != device);
    }

    /// [`Self::restart_from`] what there is to be kept at this moment.
    pub fn restart(&mut self, device: DeviceId) {
        let snapshot = self.snapshot(device);
        self.restart_from(device, snapshot);
    }

    /// The next session description a device makes fails.
    pub fn fail_media(&mut self, device: DeviceId, kind: MediaErrorKind) {
        self.devices[device.0].media.failure = Some(kind);
    }

    /// All that it makes from now on succeed.
    pub fn mend_media(&mut self, device: DeviceId) {
        self.devices[device.0].media.failure = None;
    }

    // --- the platform ----------------------------------------------------------------------------------------

    /// The platform's process ends: all connections close.
    pub fn stop_platform(&mut self) {
        self.platform = None;
        for id in self.wires.keys().copied().collect::<Vec<_>>() {
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.platform_open = false;
            }
            self.break_wire(id, self.now, "1001 going away");
        }
        self.end_services();
        self.disconnect_media();
    }

    /// The platform's process starts, with the key and users it had, and nothing else.
    pub fn start_platform(&mut self) {
        self.platform_runs = self.platform_runs.wrapping_add(1);
        let seed = [self.seed.wrapping_mul(31).wrapping_add(self.platform_runs); 32];
        let mut platform = self.blueprint.start(seed);
        platform.ring_reliably(self.rings_reliably);
        self.platform = Some(platform);
        self.offer_conferences_again();
    }

    /// From now on the platform wants ringing to be acknowledged (RFC 3262), or not any more.
    pub fn ring_reliably(&mut self, is_wanted: bool) {
        self.rings_reliably = is_wanted;
        if let Some(platform) = &mut self.platform {
            platform.ring_reliably(is_wanted);
        }
    }

    /// Somebody leaves a message for a user, which the platform tells those who want to know.
    pub fn leave_message(&mut self, user: &'static str) {
        let now = self.now;
        if let Some(platform) = &mut self.platform {
            platform.leave_message(now, user);
        }
        self.tell_platform(clearline_pbx::Input::Wake);
    }

    /// How many messages have been left for a user; `None` where the platform does not tell.
    pub fn messages_left(&self, user: &str) -> Option<u32> {
        self.platform.as_ref()?.messages_left(user)
    }

    /// How many subscriptions the platform has.
    pub fn watchers(&self) -> usize {
        self.platform.as_ref().map_or(0, Platform::watchers)
    }

    /// What the platform objects to in what the devices have done.
    pub fn objections(&self) -> &[String] {
        self.platform.as_ref().map_or(&[], Platform::objections)
    }

    /// Both at once.
    pub fn restart_platform(&mut self) {
        self.stop_platform();
        self.start_platform();
    }

    fn wires_of(&self, device: DeviceId) -> Vec<ConnectionId> {
        let wires = self.wires.iter();
        wires
            .filter(|(_, wire)| wire.device == device)
            .map(|(id, _)| *id)
            .collect()
    }
}
