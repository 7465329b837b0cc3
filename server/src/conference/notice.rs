//! The notice that a conference is about to end: beeps, for whoever is there alone.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clearline_core::{CallId, MediaError};
use clearline_native::audio::{Audio, AudioProvider, AudioSource, SAMPLE_RATE, Silence};

/// The frequency of most tones on telephones (ITU-T E.180).
const HERTZ: f32 = 425.0;
/// Well above what is heard in a room, well below a voice at the ear.
const AMPLITUDE: f32 = 3_000.0;
/// Samples of a beep, and of the pause after it: 0.2 s.
const BEEP: usize = 9_600;
/// Samples in which a beep rises and falls, so that it does not click: 5 ms.
const RAMP: usize = 240;

/// The audio of a focus, which has nothing else to say. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Notice(Arc<AtomicBool>);

impl Notice {
    /// Begins or ends the beeps.
    pub(super) fn give(&self, is_given: bool) {
        self.0.store(is_given, Ordering::Relaxed);
    }
}

impl AudioProvider for Notice {
    fn open(&self, _: CallId) -> Result<Audio, MediaError> {
        Ok(Audio {
            source: Box::new(Beeps {
                notice: self.clone(),
                at: 0,
            }),
            sink: Box::new(Silence),
        })
    }
}

struct Beeps {
    notice: Notice,
    /// Samples since the notice began.
    at: usize,
}

impl AudioSource for Beeps {
    fn read(&mut self, frame: &mut [i16]) {
        if !self.notice.0.load(Ordering::Relaxed) {
            self.at = 0;
            return frame.fill(0);
        }
        for sample in frame {
            *sample = beeping(self.at);
            self.at += 1;
        }
    }
}

/// The sample at this place in a row of beeps.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the amplitude fits, and a beep is short"
)]
fn beeping(at: usize) -> i16 {
    let place = at % (2 * BEEP);
    let Some(left) = BEEP.checked_sub(place) else {
        return 0;
    };
    let ramp = place.min(left).min(RAMP) as f32 / RAMP as f32;
    let phase = TAU * HERTZ * place as f32 / SAMPLE_RATE as f32;
    (phase.sin() * AMPLITUDE * ramp) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_beeps_while_there_is_a_notice() {
        let notice = Notice::default();
        let mut audio = notice.open(CallId(1)).unwrap();
        let mut loudest = || {
            let mut heard = vec![0; BEEP];
            audio.source.read(&mut heard);
            heard.iter().map(|sample| sample.abs()).max()
        };
        assert_eq!(loudest(), Some(0));
        notice.give(true);
        assert!(loudest() > Some(2_900));
        assert_eq!(loudest(), Some(0), "the pause");
        assert!(loudest() > Some(2_900));
        notice.give(false);
        assert_eq!(loudest(), Some(0));
        notice.give(true);
        assert!(loudest() > Some(2_900), "the next notice begins with a beep");
    }

    #[test]
    fn nothing_clicks() {
        let steps = (1..4 * BEEP).map(|at| (i32::from(beeping(at)) - i32::from(beeping(at - 1))).abs());
        assert!(steps.max() < Some(200));
    }
}
