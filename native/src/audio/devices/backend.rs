//! The seam to the sound system: the one of this machine through cpal, or one that a test makes up.

use std::sync::Arc;

use clearline_core::MediaError;

use super::capture::CaptureOut;
use super::edge::Pulse;
use super::playback::PlaybackIn;
use super::{DeviceInfo, Role};

/// A sound system. It is used by one thread, and may block it.
pub trait Backend {
    /// All devices there are.
    ///
    /// # Errors
    /// When there is no sound system.
    fn devices(&mut self) -> Result<Vec<DeviceInfo>, MediaError>;

    /// Opens the microphone `id`: makes the two ends with [`capture`](super::capture) and lets the device fill one of them.
    ///
    /// # Errors
    /// When it cannot be used.
    fn open_input(&mut self, id: &str, lost: Lost) -> Result<(OpenStream, CaptureOut), MediaError>;

    /// Opens the speaker `id`: makes the two ends with [`playback`](super::playback) and lets the device empty one of them.
    ///
    /// # Errors
    /// When it cannot be used.
    fn open_output(&mut self, id: &str, lost: Lost) -> Result<(OpenStream, PlaybackIn), MediaError>;
}

/// A running stream. Dropping it closes the device.
pub struct OpenStream {
    /// Whether the callbacks come.
    pub pulse: Pulse,
    /// Whatever keeps it running.
    pub guard: Box<dyn std::any::Any>,
}

impl std::fmt::Debug for OpenStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenStream").finish_non_exhaustive()
    }
}

/// To be told when a stream has ended by itself. Telling it twice, or of a stream that has been closed, does no harm.
#[derive(Clone)]
pub struct Lost {
    pub(super) role: Role,
    pub(super) stream: u64,
    pub(super) tell: Arc<dyn Fn(Role, u64) + Send + Sync>,
}

impl Lost {
    /// The device has gone, or does not work any more.
    pub fn tell(&self) {
        (self.tell)(self.role, self.stream);
    }
}

impl std::fmt::Debug for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lost")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
