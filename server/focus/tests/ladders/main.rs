//! A conference between scripted telephones, as ladder diagrams under virtual time.
#![expect(
    clippy::unwrap_used,
    reason = "a telephone that does not understand what it gets fails the test"
)]

mod attendance;
mod chance;
mod factory;
mod hostile;
mod media;
mod referral;
mod room;
mod subscription;
