//! Which other devices this account has, as the registrar lists them (RFC 3261 section 10.3 step 8).

use super::UserAgent;
use crate::error::CommandError;
use crate::event::OwnDevice;
use crate::time::Instant;

impl UserAgent {
    /// The account's other devices to which a call can be sent ([`CallHandle::transfer`](crate::CallHandle::transfer)), as
    /// the registrar has listed them last, if [`Config::remote_calls`](crate::Config::remote_calls) asks for them.
    pub fn own_devices(&self) -> &[OwnDevice] {
        self.endpoint.own_devices()
    }

    /// Asks the registrar for them again, which otherwise lists them only when this device's registration is due. A change
    /// is told by [`Event::OwnDevices`](crate::Event::OwnDevices).
    ///
    /// # Errors
    /// [`CommandError::NotConnected`] while this device is not registered.
    pub fn ask_for_devices(&mut self, now: Instant) -> Result<(), CommandError> {
        self.endpoint.now = now;
        let asked = self.lines.ask_again(&mut self.endpoint);
        self.settle();
        asked.map_err(|_| CommandError::NotConnected)
    }
}
