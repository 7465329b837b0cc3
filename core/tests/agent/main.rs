//! The agent's ladders: at a time, this in, that out; with a platform and a media backend played by the test.
#![cfg(test)]

mod back;
mod bearer;
mod conference;
mod conference_focus;
mod connected_identity;
mod connection;
mod far_end;
mod farewell;
mod flows;
mod focus;
mod hold;
mod hostile;
mod identity;
mod in_call;
mod incoming;
mod ladder;
mod late_offer;
mod media;
mod moving;
mod network_change;
mod outgoing;
mod pair;
mod prack;
#[cfg(not(target_family = "wasm"))]
mod properties;
mod redirect;
mod registration;
mod remote_calls;
mod replaces;
mod restore;
mod rfc3665;
mod rfc4475;
mod rfc5118;
mod rfc5407;
mod roster;
mod servers;
mod session_timer;
mod stop;
mod strange_requests;
mod subscription;
#[path = "../data/rfc4475/messages.rs"]
mod torture;
mod transfer;
mod trickle;
mod two_calls;
mod update;
