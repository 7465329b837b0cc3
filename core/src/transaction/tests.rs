//! Ladder tests of the transaction layer.
