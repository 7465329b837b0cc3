//! A reference model of what people want beside the real system, under random transitions.
//!
//! A [`Case`] is a platform, a seed and a list of [`Transition`]s. It is run in a world; the model keeps what each
//! user has asked for; invariants hold after every transition, and more of them once everything has come to rest.
//! A case that fails is shrunk by leaving transitions out, and printed so that it can be run again.
//!
//! [`interleaving`] is the other half: all orders in which two agents' messages, timers and commands can happen.
#![forbid(unsafe_code)]

mod calm;
mod case;
mod hearing;
pub mod interleaving;
mod invariants;
mod model;
mod search;
mod switchboard;
mod transition;

pub use case::{Case, Outcome, Setting};
pub use search::{Budget, Report, explore, explore_watched};
pub use transition::Transition;
