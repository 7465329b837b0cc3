//! What a party on hold is played: a sound of somebody's own again and again, or the melody.

use clearline_core::media::Melody;

use crate::audio::{SAMPLE_RATE, Sound};

/// How the music ends, in samples: not with a click.
const RELEASE: usize = SAMPLE_RATE as usize / 200;

/// Music that plays.
#[derive(Clone, Debug)]
pub(crate) enum Music {
    /// Made note by note.
    Melody(Box<Melody>),
    /// From a file.
    Sound {
        /// Which, not empty.
        sound: Sound,
        /// The next sample.
        at: usize,
    },
}

impl Music {
    /// From its beginning; without a sound, or with an empty one, the melody.
    pub(crate) fn new(sound: Option<&Sound>) -> Self {
        match sound.filter(|sound| !sound.samples().is_empty()) {
            Some(sound) => Self::Sound {
                sound: sound.clone(),
                at: 0,
            },
            None => Self::Melody(Box::new(Melody::new(SAMPLE_RATE))),
        }
    }

    /// Fills `frame` with what comes next.
    pub(crate) fn fill(&mut self, frame: &mut [i16]) {
        match self {
            Self::Melody(melody) => melody.fill(frame),
            Self::Sound { sound, at } => {
                for sample in frame {
                    *sample = sound.samples().get(*at).copied().unwrap_or_default();
                    *at = (*at + 1) % sound.samples().len();
                }
            }
        }
    }

    /// Adds its last moment to the beginning of `frame`.
    pub(crate) fn release(mut self, frame: &mut [i16]) {
        if let Self::Melody(melody) = &mut self {
            return melody.release(frame);
        }
        let mut last = [0; RELEASE];
        self.fill(&mut last);
        for (at, (sample, music)) in frame.iter_mut().zip(last).enumerate() {
            let gain = (RELEASE - at) as f32 / RELEASE as f32;
            *sample = sample.saturating_add((f32::from(music) * gain) as i16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_goes_round() {
        let mut music = Music::new(Some(&Sound::from_samples(vec![1, 2, 3])));
        let mut frame = [0; 7];
        music.fill(&mut frame);
        assert_eq!(frame, [1, 2, 3, 1, 2, 3, 1]);
        music.fill(&mut frame);
        assert_eq!(frame[0], 2);
    }

    #[test]
    fn its_end_fades_into_what_is_said() {
        let music = Music::new(Some(&Sound::from_samples(vec![10_000; 1_000])));
        let mut frame = [100; 960];
        music.release(&mut frame);
        assert_eq!(frame[0], 10_100);
        assert!(frame[RELEASE - 1] < 200 && frame[RELEASE..].iter().all(|&sample| sample == 100));
        assert!(frame.windows(2).all(|pair| pair[0] >= pair[1]));
    }

    #[test]
    fn without_a_sound_it_is_the_melody() {
        for none in [None, Some(Sound::from_samples(Vec::new()))] {
            let (mut frame, mut melody) = ([0; 960], [0; 960]);
            Music::new(none.as_ref()).fill(&mut frame);
            Melody::new(SAMPLE_RATE).fill(&mut melody);
            assert_eq!(frame, melody);
        }
    }
}
