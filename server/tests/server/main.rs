//! The whole server in this process, spoken to over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conference;
mod device;
mod echo;
mod hold_music;
mod pages;
mod program;
mod session;
mod support;
mod tls;
mod websocket;
