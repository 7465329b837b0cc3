//! The test call: what is said comes back a moment later.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clearline_core::{CallId, MediaError};

use super::{Audio, AudioProvider, AudioSink, AudioSource, SAMPLE_RATE};

/// Sends every caller their own voice back after a delay. Each call has an echo of its own.
#[derive(Clone, Copy, Debug)]
pub struct EchoAudio {
    delay: Duration,
}

impl EchoAudio {
    /// An echo after `delay`; long enough to be told apart from the line's own delay.
    pub fn new(delay: Duration) -> Self {
        Self { delay }
    }
}

impl Default for EchoAudio {
    /// One second.
    fn default() -> Self {
        Self::new(Duration::from_secs(1))
    }
}

impl AudioProvider for EchoAudio {
    fn open(&self, _call: CallId) -> Result<Audio, MediaError> {
        let samples = self.delay.as_secs_f64() * f64::from(SAMPLE_RATE);
        let line = DelayLine(Arc::new(Mutex::new(VecDeque::from(vec![0; samples as usize]))));
        Ok(Audio {
            source: Box::new(line.clone()),
            sink: Box::new(line),
        })
    }
}

/// Samples on their way back; as many are taken out as are put in, so it never grows.
#[derive(Clone)]
struct DelayLine(Arc<Mutex<VecDeque<i16>>>);

impl AudioSource for DelayLine {
    fn read(&mut self, frame: &mut [i16]) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = frame.len().min(waiting.len());
        for (sample, delayed) in frame.iter_mut().zip(waiting.drain(..count)) {
            *sample = delayed;
        }
        if let Some(rest) = frame.get_mut(count..) {
            rest.fill(0);
        }
    }
}

impl AudioSink for DelayLine {
    fn write(&mut self, frame: &[i16]) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A session that is held for sending is not read; then the oldest goes.
        let surplus = (waiting.len() + frame.len()).saturating_sub(8 * SAMPLE_RATE as usize);
        waiting.drain(..surplus);
        waiting.extend(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::FRAME;

    #[test]
    fn what_goes_in_comes_out_after_the_delay() {
        let mut audio = EchoAudio::new(Duration::from_millis(40)).open(CallId(1)).unwrap();
        let mut heard = Vec::new();
        for number in 1..=4_i16 {
            audio.sink.write(&[number; FRAME]);
            let mut frame = [9; FRAME];
            audio.source.read(&mut frame);
            heard.push(frame[0]);
        }
        assert_eq!(heard, [0, 0, 1, 2]);
    }

    #[test]
    fn callers_do_not_hear_each_other() {
        let echo = EchoAudio::new(Duration::ZERO);
        let (mut one, mut other) = (echo.open(CallId(1)).unwrap(), echo.open(CallId(2)).unwrap());
        one.sink.write(&[7; FRAME]);
        let mut frame = [1; FRAME];
        other.source.read(&mut frame);
        assert_eq!(frame, [0; FRAME]);
    }
}
