//! Telling the devices and the platform what has happened, and doing what they ask for.

use clearline_core::{ConnectionId, Duration, Input, MediaAction, MediaRequestId, MediaSessionId, Output};

use super::World;
use super::delivery::Delivery;
use crate::device::DeviceId;
use crate::link::Way;

/// Making a description: opening the microphone, gathering candidates.
const DESCRIPTION_TIME: Duration = Duration::from_millis(30);
/// Anything else a media backend does.
pub(super) const MEDIA_TIME: Duration = Duration::from_millis(1);
/// One input leads to no more outputs than this.
const MOST_OUTPUTS: usize = 500;

impl World {
    pub(super) fn tell_platform(&mut self, input: clearline_pbx::Input) {
        let Some(platform) = &mut self.platform else {
            return;
        };
        let legs = platform.anchors();
        platform.handle_input(self.now, input);
        if platform.anchors() < legs {
            self.disconnect_media();
        }
        for _ in 0..MOST_OUTPUTS {
            let Some(platform) = &mut self.platform else {
                return;
            };
            match platform.poll_output() {
                clearline_pbx::Output::Transmit { connection, message } => {
                    self.send(connection, Way::Down, Delivery::ToDevice(connection, message));
                }
                clearline_pbx::Output::Disconnect { connection, reason } => {
                    if let Some(wire) = self.wires.get_mut(&connection) {
                        wire.platform_open = false;
                    }
                    let closed = Delivery::ClosedForDevice(connection, reason.as_str());
                    self.send(connection, Way::Down, closed);
                }
                clearline_pbx::Output::Event(event) => self.platform_events.push(event),
                clearline_pbx::Output::Idle(_) => return,
            }
        }
        self.fail("the platform comes to rest");
    }

    pub(super) fn tell_device(&mut self, device: DeviceId, input: Input) {
        self.devices[device.0].handle_input(self.now, input);
        self.drain_device(device);
    }

    pub(super) fn drain_device(&mut self, id: DeviceId) {
        for _ in 0..MOST_OUTPUTS {
            let device = &mut self.devices[id.0];
            match device.poll_output() {
                Output::Connect { connection, .. } => self.connect_wire(id, connection),
                Output::Transmit { connection, message } => {
                    self.note(id, "->", &message);
                    if let Some(wire) = self.wire_of(id, connection) {
                        self.send_or_tear(wire, message);
                    }
                }
                Output::Disconnect { connection } => {
                    if let Some(wire) = self.wire_of(id, connection) {
                        self.send(wire, Way::Up, Delivery::ClosedForPlatform(wire));
                        if let Some(wire) = self.wires.get_mut(&wire) {
                            wire.device_open = false;
                        }
                    }
                }
                Output::Media {
                    request,
                    call,
                    session,
                    action,
                } => {
                    device.sessions.insert(session, call);
                    self.ask_media(id, request, session, action);
                }
                Output::Event(event) => device.take(event),
                Output::Idle(deadline) => {
                    device.deadline = deadline.map(|deadline| deadline.at);
                    return;
                }
            }
        }
        self.fail("the agent comes to rest");
    }

    fn send_or_tear(&mut self, wire: ConnectionId, mut message: Vec<u8>) {
        let Some(device) = self.wires.get(&wire).map(|wire| wire.device) else {
            return;
        };
        let is_torn = std::mem::take(&mut self.devices[device.0].tears_next_message);
        if is_torn {
            message.truncate(message.len() / 2);
        }
        self.send(wire, Way::Up, Delivery::ToPlatform(wire, message));
        if is_torn && let Some(arrival) = self.wires.get(&wire).map(|wire| wire.last_up) {
            self.break_wire(wire, arrival, "1006 torn");
        }
    }

    /// Actions on one session are executed in order.
    fn ask_media(
        &mut self,
        device: DeviceId,
        request: MediaRequestId,
        session: MediaSessionId,
        action: MediaAction,
    ) {
        let makes_description = matches!(
            action,
            MediaAction::CreateOffer { .. } | MediaAction::CreateAnswer { .. }
        );
        let time = if makes_description {
            DESCRIPTION_TIME
        } else {
            MEDIA_TIME
        };
        let busy_until = self.queue.media_busy_until(device, session).unwrap_or(self.now);
        let delivery = Delivery::Media {
            device,
            request,
            session,
            action,
        };
        self.queue.push(busy_until.max(self.now + time), delivery);
    }
}
