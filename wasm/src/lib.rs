//! The core for JavaScript: one `Agent` class and the `Host` it calls back. Bindings only; what a web page
//! embeds is the TypeScript package `@clearline/phone`, the only user of this module.
//!
//! Every exported method takes `&self`, hands its input to the core and then empties the core's output queue here, in
//! Rust, with one typed import per kind of output. A method called from within such an import only adds its input; the
//! drain that is already under way delivers what comes of it, so outputs keep their order.
//!
//! Times are milliseconds on a clock of the host that never goes back and runs through system sleep. Identifiers are
//! 16 hexadecimal digits, because JavaScript's numbers cannot hold 64 bits.

#![cfg(target_family = "wasm")]

mod agent;
mod config;
mod host;
mod outputs;
mod panic;

pub use agent::Agent;
pub use config::AgentConfig;
pub use host::Host;
