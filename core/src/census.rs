//! What an agent holds at a moment.

/// How much an agent holds: for diagnostics, and for tests that nothing from the network makes it grow without bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Calls that have not ended.
    pub calls: usize,
    /// Live transactions of either side.
    pub transactions: usize,
    /// Requests of this side whose outcome somebody still waits for.
    pub awaited: usize,
    /// Requests to the media backend that have not been answered.
    pub media_requests: usize,
    /// Bytes of the messages that transactions hold.
    pub message_bytes: usize,
}
