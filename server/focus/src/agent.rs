//! What a driver does with a factory and a focus: the same as with a [`UserAgent`](clearline_core::UserAgent).

use clearline_core::{Input, Instant, Output};

/// An agent of the platform's own, on a connection to it within this process.
pub trait Agent {
    /// Connects and registers.
    fn start(&mut self, now: Instant);

    /// Ends what there is and un-registers; it [is over](Self::is_over) soon after.
    fn stop(&mut self, now: Instant);

    /// Whether it can be called.
    fn is_ready(&self) -> bool;

    /// Whether nothing is left to be done.
    fn is_over(&self) -> bool;

    /// Takes in what has happened. Never fails.
    fn handle_input(&mut self, now: Instant, input: Input);

    /// The next thing to do. Call until it is [`Output::Idle`].
    fn poll_output(&mut self) -> Output;
}
