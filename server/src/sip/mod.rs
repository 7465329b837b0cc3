//! Signalling: SIP over WebSocket, and the task that drives the embedded platform.

mod line;
mod places;
mod read_budget;
mod switch;
pub(crate) mod websocket;

pub(crate) use line::{CloseReason, Line};
pub(crate) use places::Places;
pub(crate) use switch::Switch;
