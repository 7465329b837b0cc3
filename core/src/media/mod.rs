//! Media engine: sans-IO parts that every native call uses. It knows nothing of signalling.

pub mod jitter_buffer;
pub mod level;

pub use jitter_buffer::{JitterBuffer, JitterStatistics, Playout};
pub use level::Level;
