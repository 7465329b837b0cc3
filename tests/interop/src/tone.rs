//! What is said into calls and how it is recognised: each party says a sine of its own frequency.

use std::f64::consts::TAU;
use std::sync::{Arc, Mutex};

use clearline_core::{CallId, MediaError};
use clearline_native::audio::{Audio, AudioProvider, AudioSink, AudioSource, SAMPLE_RATE};

use crate::eventually;

/// Amplitude of what is said, in parts of full scale.
pub(crate) const AMPLITUDE: f64 = 0.25;
/// The level of what is said, in dB below a sine of full scale.
pub const SAID_DB: f64 = -12.0;
/// Below this, a tone is not heard: the codecs leave less of a tone at other frequencies.
pub const SILENCE_DB: f64 = -50.0;

/// Somebody who says one tone all the time and remembers what is heard.
#[derive(Clone, Debug)]
pub struct Person {
    hz: f64,
    heard: Arc<Mutex<Vec<i16>>>,
}

impl Person {
    /// Says a sine of so many hertz.
    pub fn saying(hz: f64) -> Self {
        Self {
            hz,
            heard: Arc::default(),
        }
    }

    /// Waits for so many more seconds of sound and returns them.
    pub async fn hear(&self, seconds: f64) -> Heard {
        let count = (seconds * f64::from(SAMPLE_RATE)) as usize;
        let start = self.heard.lock().unwrap().len();
        let enough = || self.heard.lock().unwrap().len() >= start + count;
        eventually(10, "sound is played", enough).await;
        Heard(self.heard.lock().unwrap()[start..start + count].to_vec())
    }

    /// Waits until the tone of `hz` is heard at about the level it is said with.
    pub async fn hears(&self, hz: f64) {
        for _ in 0..20 {
            if (self.hear(0.25).await.level_of(hz) - SAID_DB).abs() < 3.0 {
                return;
            }
        }
        panic!(
            "{hz} Hz are not heard: {:.1} dB",
            self.hear(0.25).await.level_of(hz)
        );
    }
}

/// A piece of sound, mono, 48 kHz.
#[derive(Clone, Debug)]
pub struct Heard(pub Vec<i16>);

impl Heard {
    /// How loud the tone of `hz` is, in dB below a sine of full scale (Goertzel, with a Hann window).
    pub fn level_of(&self, hz: f64) -> f64 {
        let length = self.0.len() as f64;
        let step = TAU * hz / f64::from(SAMPLE_RATE);
        let (mut re, mut im) = (0.0, 0.0);
        for (index, &sample) in self.0.iter().enumerate() {
            let at = index as f64;
            let window = 1.0 - (TAU * at / length).cos();
            let value = f64::from(sample) / f64::from(i16::MAX) * window;
            re += value * (step * at).cos();
            im += value * (step * at).sin();
        }
        20.0 * (2.0 * re.hypot(im) / length).max(1e-9).log10()
    }
}

impl AudioProvider for Person {
    fn open(&self, _call: CallId) -> Result<Audio, MediaError> {
        Ok(Audio {
            source: Box::new(Mouth {
                step: TAU * self.hz / f64::from(SAMPLE_RATE),
                at: 0.0,
            }),
            sink: Box::new(Ear(Arc::clone(&self.heard))),
        })
    }
}

struct Mouth {
    step: f64,
    at: f64,
}

impl AudioSource for Mouth {
    fn read(&mut self, frame: &mut [i16]) {
        for sample in frame {
            *sample = (self.at.sin() * AMPLITUDE * f64::from(i16::MAX)) as i16;
            self.at = (self.at + self.step) % TAU;
        }
    }
}

struct Ear(Arc<Mutex<Vec<i16>>>);

impl AudioSink for Ear {
    fn write(&mut self, frame: &[i16]) {
        self.0.lock().unwrap().extend_from_slice(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(hz: f64) -> Heard {
        let mut samples = vec![0; SAMPLE_RATE as usize / 4];
        let step = TAU * hz / f64::from(SAMPLE_RATE);
        Mouth { step, at: 0.0 }.read(&mut samples);
        Heard(samples)
    }

    #[test]
    fn a_tone_is_told_from_others_and_from_silence() {
        let heard = said(440.0);
        assert!(
            (heard.level_of(440.0) - SAID_DB).abs() < 0.1,
            "{}",
            heard.level_of(440.0)
        );
        assert!(heard.level_of(880.0) < SILENCE_DB);
        assert!(Heard(vec![0; 4_800]).level_of(440.0) < SILENCE_DB);
    }
}
