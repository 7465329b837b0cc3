//! Clearline's sans-IO core: a complete SIP user agent that never reads a clock, opens a socket or draws randomness.
#![forbid(unsafe_code)]

pub mod media;
pub mod secret;
pub mod session_description;
pub mod sip;
pub mod time;

pub use secret::Secret;
pub use time::{Duration, Instant};
