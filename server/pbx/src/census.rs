//! What a platform holds at a moment.

/// How much a platform holds: for diagnostics, and for tests that nobody can make it grow without bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Open connections.
    pub connections: usize,
    /// Registered devices.
    pub bindings: usize,
    /// Live transactions of either side.
    pub transactions: usize,
    /// Requests being forwarded, and answered INVITEs of which more answers may come.
    pub forwarded: usize,
    /// Bytes of the messages that transactions hold.
    pub message_bytes: usize,
    /// Dialogs that users can watch.
    pub dialogs: usize,
    /// Subscriptions to them.
    pub subscriptions: usize,
}
