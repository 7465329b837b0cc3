//! Signalling: SIP over WebSocket, and the task that drives the embedded platform.

mod line;
mod switch;
pub(crate) mod websocket;

pub(crate) use line::{CloseReason, Line};
pub(crate) use switch::Switch;
