//! What is on its way, and what happens when it arrives.

use std::collections::BTreeMap;

use clearline_core::{
    ConnectionId, Duration, Input, Instant, MediaAction, MediaEvent, MediaRequestId, MediaSessionId,
};

use super::World;
use crate::device::DeviceId;

/// Something on its way.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// A connection being opened reaches the platform.
    Open(ConnectionId),
    /// The device learns that its connection is open.
    Opened(ConnectionId),
    ToPlatform(ConnectionId, Vec<u8>),
    ToDevice(ConnectionId, Vec<u8>),
    /// The device learns that a connection is closed or cannot be opened.
    ClosedForDevice(ConnectionId, &'static str),
    /// The platform learns that a connection is closed.
    ClosedForPlatform(ConnectionId),
    /// A media backend finishes a job.
    Media {
        device: DeviceId,
        request: MediaRequestId,
        session: MediaSessionId,
        action: MediaAction,
    },
    /// Those who were to exchange media have not found each other.
    NobodyFound {
        device: DeviceId,
        session: MediaSessionId,
        /// Who looked for whom.
        pair: [String; 2],
    },
    /// A media backend has seen something.
    MediaEvent {
        device: DeviceId,
        session: MediaSessionId,
        event: MediaEvent,
    },
}

impl Delivery {
    /// Whether the media backend of a device has still to do it.
    pub(crate) fn is_media_job_of(&self, device: DeviceId) -> bool {
        matches!(self, Self::Media { device: d, .. } if *d == device)
    }
}

/// What is on its way, in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<(Instant, u64), Delivery>,
    last_sequence: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Instant, delivery: Delivery) {
        self.last_sequence += 1;
        self.waiting.insert((at, self.last_sequence), delivery);
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        self.waiting.pop_first().map(|(_, delivery)| delivery)
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// When the media backend of a device is done with what it has been asked to do with a session.
    pub(crate) fn media_busy_until(&self, device: DeviceId, session: MediaSessionId) -> Option<Instant> {
        let is_same = |delivery: &Delivery| matches!(delivery, Delivery::Media { device: d, session: s, .. } if (*d, *s) == (device, session));
        self.waiting
            .iter()
            .rev()
            .find(|(_, delivery)| is_same(delivery))
            .map(|((at, _), _)| *at)
    }

    /// Whether the media backend of a device has been asked for something that is not done.
    pub(crate) fn is_media_busy(&self, device: DeviceId) -> bool {
        self.waiting
            .values()
            .any(|delivery| delivery.is_media_job_of(device))
    }

    /// Takes out what is on its way inside a device.
    pub(crate) fn forget_media_of(&mut self, device: DeviceId) {
        self.waiting.retain(|_, delivery| {
            !matches!(delivery, Delivery::Media { device: d, .. } | Delivery::MediaEvent { device: d, .. } | Delivery::NobodyFound { device: d, .. } if *d == device)
        });
    }
}

impl World {
    pub(super) fn schedule(&mut self, after: Duration, delivery: Delivery) {
        self.queue.push(self.now + after, delivery);
    }

    pub(super) fn deliver(&mut self, delivery: Delivery) {
        if let Some(sleeper) = self.sleeping_recipient(&delivery) {
            return self.devices[sleeper.0].postponed.push(delivery);
        }
        match delivery {
            Delivery::Open(wire) => self.open(wire),
            Delivery::Opened(wire) => self.opened(wire),
            Delivery::ToPlatform(wire, message) => self.arrive_at_platform(wire, message),
            Delivery::ToDevice(wire, message) => self.arrive_at_device(wire, message),
            Delivery::ClosedForDevice(wire, reason) => self.closed_for_device(wire, reason),
            Delivery::ClosedForPlatform(wire) => self.closed_for_platform(wire),
            Delivery::Media {
                device,
                request,
                session,
                action,
            } => {
                let result = self.devices[device.0].media.execute(session, action);
                self.tell_device(device, Input::MediaDone { request, result });
                self.connect_media();
                self.disconnect_media();
            }
            Delivery::NobodyFound {
                device,
                session,
                pair,
            } => self.nobody_found(device, session, &pair),
            Delivery::MediaEvent {
                device,
                session,
                event,
            } if self.is_overtaken(device, session, &event) => {}
            Delivery::MediaEvent {
                device,
                session,
                event,
            } => self.tell_device(device, Input::Media { session, event }),
        }
    }

    fn sleeping_recipient(&self, delivery: &Delivery) -> Option<DeviceId> {
        let device = match delivery {
            Delivery::Opened(wire) | Delivery::ToDevice(wire, _) | Delivery::ClosedForDevice(wire, _) => {
                self.wires.get(wire)?.device
            }
            Delivery::Media { device, .. }
            | Delivery::MediaEvent { device, .. }
            | Delivery::NobodyFound { device, .. } => *device,
            Delivery::Open(_) | Delivery::ToPlatform(..) | Delivery::ClosedForPlatform(_) => return None,
        };
        self.devices[device.0].is_asleep.then_some(device)
    }
}
