//! Audio for those who neither speak nor listen.

use clearline_core::{CallId, MediaError};

use super::{Audio, AudioProvider, AudioSink, AudioSource};

/// Sends zeros and throws away what it hears.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence;

impl AudioProvider for Silence {
    fn open(&self, _call: CallId) -> Result<Audio, MediaError> {
        Ok(Audio {
            source: Box::new(Self),
            sink: Box::new(Self),
        })
    }
}

impl AudioSource for Silence {
    fn read(&mut self, frame: &mut [i16]) {
        frame.fill(0);
    }
}

impl AudioSink for Silence {
    fn write(&mut self, _frame: &[i16]) {}
}
