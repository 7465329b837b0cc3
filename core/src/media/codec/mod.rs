//! Codecs that are small enough to be our own. Opus is libopus and lives with the drivers.

pub mod g711;
pub mod g722;
