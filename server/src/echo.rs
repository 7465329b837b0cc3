//! The echo service: whoever calls it hears themselves, so that one person alone can try a phone.

/// The service's user id.
pub const USER: &str = "echo";
/// What one dials to reach it.
pub const NUMBER: &str = "600";
/// What callers see.
pub const DISPLAY_NAME: &str = "Echo";
