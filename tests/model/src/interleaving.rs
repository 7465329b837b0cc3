//! All orders in which the messages, media jobs, timers and commands of a few agents can happen.
//!
//! Agents are connected by a switch that only passes on: what one sends another is in a queue between the two. From a
//! prepared state every choice is tried, then every choice after that, breadth first, to a depth; states seen before
//! are not entered again. Each state at the end is run to quiescence, where all have to agree.
//!
//! What makes depth possible: agents are `Clone`, a step copies only the agent it concerns, and two states count as the
//! same if they differ in names, in the moment, and in what has no effect only (`form`). What limits it is in
//! [`Bounds`]; the numbers an agent draws (how long it waits after glare, within limits) are those of one seed.

mod choice;
mod form;
mod letter;
mod party;
mod platform;
mod prepared;
mod rest;
mod scene;
mod search;

pub use choice::{Bounds, Choice, Verb};
pub use prepared::Prepared;
pub use search::{Explored, Limits, explore, ladder};
