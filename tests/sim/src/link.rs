//! The way between a device and the platform.

use clearline_core::{ConnectionId, Duration};

use crate::device::DeviceId;

/// What a device's network is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// One way.
    pub(crate) delay: Duration,
    pub(crate) quality: Quality,
}

/// Whether messages arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quality {
    /// All of them.
    Good,
    /// Connections are refused, and those that were open have been closed.
    Down,
    /// Everything vanishes without a trace, and nobody is told.
    BlackHole,
}

/// One connection, seen from both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) device: DeviceId,
    /// The device's name for it.
    pub(crate) local: ConnectionId,
    /// Whether it is open at the platform's end.
    pub(crate) platform_open: bool,
    /// Whether it is open at the device's end.
    pub(crate) device_open: bool,
}
