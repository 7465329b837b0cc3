//! The log of a phone's session, if one is wanted.

use clearline_core::recording::{Record, Recorder};
use clearline_core::{Command, Config, Input, Instant};

/// Takes the records of a session, one after the other.
pub(crate) type Sink = Box<dyn FnMut(&Record) + Send>;

/// Writes a log beside the agent.
pub(crate) struct Recording {
    recorder: Recorder,
    sink: Sink,
}

impl Recording {
    /// Begins the log of an agent that is made with these.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub(crate) fn start(config: &Config, seed: [u8; 32], mut sink: Sink) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        let (recorder, start) = Recorder::new(config, seed, key);
        sink(&start);
        Ok(Self { recorder, sink })
    }

    pub(crate) fn input(&mut self, now: Instant, input: &Input) {
        let record = self.recorder.input(now, input);
        (self.sink)(&record);
    }

    pub(crate) fn command(&mut self, now: Instant, command: &Command) {
        let record = self.recorder.command(now, command);
        (self.sink)(&record);
    }
}
