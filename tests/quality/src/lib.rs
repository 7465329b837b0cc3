//! How well a playout engine plays, in numbers: the same packets, the same speech, every engine.
//!
//! ```text
//! speech --Opus--> stream --trace--> engine, pulled every 10 ms --> recording --> delay, concealment, score
//!    \-------------- decoded without a network: the reference -----------------------^
//! ```
//!
//! Nothing here reads a clock: a replay is the same on every run. `cargo xtask bench media` makes the table
//! (`tests/quality/tables/media.md`), `jb-replay` plays one dump.

#![forbid(unsafe_code)]

pub mod delay;
pub mod dump;
pub mod engine;
pub mod kind;
pub mod relay;
pub mod replay;
pub mod rtp;
pub mod speech;
pub mod stream;
pub mod trace;

/// Samples per second of all audio here.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples per packet: 20 ms.
pub const FRAME: usize = 960;
/// Samples per pull: 10 ms.
pub const PULL: usize = 480;
