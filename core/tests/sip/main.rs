//! SIP messages as others write them: torture messages, IPv6, hostile bytes, and what must hold for all of them.
#![cfg(test)]

mod exercise;
mod hostile;
#[cfg(not(target_family = "wasm"))]
mod properties;
mod rfc4475;
mod rfc5118;
#[path = "../data/rfc4475/messages.rs"]
mod torture;
