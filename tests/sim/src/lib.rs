//! Worlds under a virtual clock: user agents, the embedded platform, links with delay that break, and media that
//! pretends.
//!
//! A [`World`] jumps from one deadline to the next, so an hour passes in milliseconds, and the same seed gives the same
//! run. Nothing is simulated of the software itself: agents and platform are the real ones, only sockets, microphones
//! and the clock are not.
//!
//! ```
//! use clearline_sim::{CallState, World};
//!
//! let mut world = World::new(1);
//! let (alice, bob) = (world.phone("alice"), world.phone("bob"));
//! let call = world.call(alice, "102");
//! let incoming = world.incoming(bob);
//! world.answer(bob, incoming);
//! world.until("both hear each other", |world| world.hears(alice, bob) && world.hears(bob, alice));
//! world.hang_up(alice, call);
//! world.until("bob's call ends", |world| world.state(bob, incoming) == CallState::Ended);
//! ```
//!
//! When an expectation is not met in time, the panic shows the seed and the ladder of all messages so far.
#![forbid(unsafe_code)]

pub mod b2bua;
mod device;
mod link;
mod media;
mod platform;
mod service;
mod world;

pub use clearline_core::{
    CallDirection, CallId, CallInfo, CallState, EndCause, MediaErrorKind, RegistrationState,
};
pub use device::DeviceId;
pub use link::{Effect, Hop, Link, Opening, Way};
pub use media::Media;
pub use platform::PlatformKind;
pub use world::{Microphone, World};
