//! Connections between devices and the platform.

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{ConnectionId, Duration, Input, Instant};
use clearline_pbx::Transport;

use super::World;
use super::delivery::Delivery;
use crate::device::DeviceId;
use crate::link::{Fate, Opening, Way, Wire};
use crate::platform::DOMAIN;

impl World {
    /// A device asks for a connection.
    pub(super) fn connect_wire(&mut self, device: DeviceId, local: ConnectionId) {
        self.last_wire += 1;
        let wire = ConnectionId(self.last_wire);
        let slow = match self.devices[device.0].link.opening {
            Opening::Slow(by) => by,
            Opening::Accepted | Opening::Refused => Duration::ZERO,
        };
        let ends = Wire {
            device,
            local,
            platform_open: false,
            device_open: false,
            // Nothing gets there before.
            last_up: self.now + slow,
            last_down: Instant::ZERO,
        };
        self.wires.insert(wire, ends);
        self.send(wire, Way::Up, Delivery::Open(wire));
    }

    /// Puts something on its way along a connection.
    pub(super) fn send(&mut self, id: ConnectionId, way: Way, delivery: Delivery) {
        let Some(wire) = self.wires.get(&id) else { return };
        let previous = match way {
            Way::Up => wire.last_up,
            Way::Down => wire.last_down,
        };
        let link = &self.devices[wire.device.0].link;
        match link.carry(&mut self.rng, way, self.now, previous) {
            Fate::Arrives(moments) => self.arrive(id, way, &moments, delivery),
            Fate::Breaks(at) => self.break_wire(id, at, "1006 too many losses"),
        }
    }

    fn arrive(&mut self, id: ConnectionId, way: Way, moments: &[Instant], delivery: Delivery) {
        if let (Some(wire), Some(last)) = (self.wires.get_mut(&id), moments.iter().max()) {
            match way {
                Way::Up => wire.last_up = *last,
                Way::Down => wire.last_down = *last,
            }
        }
        // Only messages come twice; what happens to a connection happens once.
        let copies = moments.iter().skip(1).filter_map(|at| match &delivery {
            Delivery::ToPlatform(id, message) => Some((*at, Delivery::ToPlatform(*id, message.clone()))),
            Delivery::ToDevice(id, message) => Some((*at, Delivery::ToDevice(*id, message.clone()))),
            Delivery::Open(_)
            | Delivery::Opened(_)
            | Delivery::ClosedForDevice(..)
            | Delivery::ClosedForPlatform(_)
            | Delivery::Media { .. }
            | Delivery::NobodyFound { .. }
            | Delivery::MediaEvent { .. } => None,
        });
        copies
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|(at, copy)| self.queue.push(at, copy));
        if let Some(first) = moments.first() {
            self.queue.push(*first, delivery);
        }
    }

    /// Both ends learn that a connection is no more.
    pub(super) fn break_wire(&mut self, id: ConnectionId, at: Instant, why: &'static str) {
        self.queue.push(at, Delivery::ClosedForDevice(id, why));
        self.queue.push(at, Delivery::ClosedForPlatform(id));
    }

    pub(super) fn open(&mut self, id: ConnectionId) {
        let Some(Wire { device, .. }) = self.wires.get(&id).copied() else {
            return;
        };
        let link = &self.devices[device.0].link;
        if !link.is_alive(Way::Up) {
            return;
        }
        match link.opening {
            Opening::Refused => self.refuse(id),
            Opening::Accepted | Opening::Slow(_) if self.platform.is_none() => self.refuse(id),
            Opening::Accepted | Opening::Slow(_) => self.accept(id),
        }
    }

    fn accept(&mut self, id: ConnectionId) {
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.platform_open = true;
        }
        self.tell_platform(clearline_pbx::Input::Connected {
            connection: id,
            transport: Transport::Ws,
            peer: None,
        });
        self.send(id, Way::Down, Delivery::Opened(id));
    }

    fn refuse(&mut self, id: ConnectionId) {
        self.send(id, Way::Down, Delivery::ClosedForDevice(id, "connection refused"));
    }

    pub(super) fn opened(&mut self, id: ConnectionId) {
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| wire.platform_open) else {
            return;
        };
        if self.devices[wire.device.0].link.is_alive(Way::Down) {
            wire.device_open = true;
            let (device, connection) = (wire.device, wire.local);
            self.tell_device(device, Input::Connected { connection });
        }
    }

    pub(super) fn arrive_at_platform(&mut self, connection: ConnectionId, message: Vec<u8>) {
        let Some(wire) = self.wires.get(&connection) else {
            return;
        };
        if wire.platform_open && self.devices[wire.device.0].link.is_alive(Way::Up) {
            self.tell_platform(clearline_pbx::Input::Received { connection, message });
        }
    }

    pub(super) fn arrive_at_device(&mut self, id: ConnectionId, message: Vec<u8>) {
        let Some(wire) = self.wires.get(&id).copied() else {
            return;
        };
        if wire.device_open && self.devices[wire.device.0].link.is_alive(Way::Down) {
            self.note(wire.device, "<-", &message);
            if let Some(redirect) = self.redirect(wire.device, &message) {
                self.note(wire.device, "->", &redirect);
                return self.send(id, Way::Up, Delivery::ToPlatform(id, redirect));
            }
            let connection = wire.local;
            self.tell_device(wire.device, Input::Received { connection, message });
        }
    }

    /// What a device that sends its calls elsewhere says to a new one.
    fn redirect(&self, device: DeviceId, message: &[u8]) -> Option<Vec<u8>> {
        let target = self.devices[device.0].redirects_to.as_ref()?;
        let invite = Message::parse(message).ok()?;
        let is_new = invite.is_request()
            && invite.method() == Method::Invite
            && invite.to().is_ok_and(|to| to.tag().is_none())
            && invite.header(HeaderName::Replaces).is_none();
        let response = ResponseBuilder::for_request(&invite, 302)
            .to_tag("elsewhere")
            .header(HeaderName::Contact, format_args!("<sip:{target}@{DOMAIN}>"));
        is_new.then(|| response.build().as_bytes().to_vec())
    }

    pub(super) fn closed_for_device(&mut self, id: ConnectionId, reason: &'static str) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        wire.device_open = false;
        let (device, connection) = (wire.device, wire.local);
        let reason = reason.to_owned();
        self.tell_device(device, Input::Disconnected { connection, reason });
        self.forget_closed(id);
    }

    pub(super) fn closed_for_platform(&mut self, id: ConnectionId) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        if std::mem::take(&mut wire.platform_open) {
            self.tell_platform(clearline_pbx::Input::Disconnected { connection: id });
        }
        self.forget_closed(id);
    }

    pub(super) fn wire_of(&self, device: DeviceId, local: ConnectionId) -> Option<ConnectionId> {
        self.wires
            .iter()
            .find(|(_, wire)| wire.device == device && wire.local == local)
            .map(|(id, _)| *id)
    }

    fn forget_closed(&mut self, id: ConnectionId) {
        let is_closed = |wire: &Wire| !wire.platform_open && !wire.device_open;
        if self.wires.get(&id).is_some_and(is_closed) {
            self.wires.remove(&id);
        }
    }
}
