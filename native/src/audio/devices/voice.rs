//! Echo cancellation, noise suppression and gain: what makes a loudspeaker and an open microphone bearable.

use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression,
    Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::CHUNK;
use crate::audio::SAMPLE_RATE;

/// What is done to the microphone's sound before it leaves. Everything, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceProcessing {
    /// Takes away what the speaker plays.
    pub echo_cancellation: bool,
    /// Takes away what goes on all the time: fans, streets.
    pub noise_suppression: bool,
    /// Brings quiet and loud voices to the same level.
    pub gain_control: bool,
}

impl VoiceProcessing {
    /// The microphone's sound as it is.
    pub const OFF: Self = Self {
        echo_cancellation: false,
        noise_suppression: false,
        gain_control: false,
    };
}

impl Default for VoiceProcessing {
    fn default() -> Self {
        Self {
            echo_cancellation: true,
            noise_suppression: true,
            gain_control: true,
        }
    }
}

/// Works on chunks of what is played and of what is captured. The canceller finds the delay between the two by itself.
pub struct Voice {
    /// `None` if nothing is to be done.
    processing: Option<AudioProcessing>,
    hears: bool,
}

impl Voice {
    /// With nothing heard yet.
    pub fn new(wanted: VoiceProcessing) -> Self {
        let format = StreamConfig::new(SAMPLE_RATE, 1);
        let build = || {
            AudioProcessing::builder()
                .config(config(wanted))
                .capture_config(format)
                .render_config(format)
                .build()
        };
        Self {
            processing: (wanted != VoiceProcessing::OFF).then(build),
            hears: wanted.echo_cancellation,
        }
    }

    /// This is about to be played.
    pub fn played(&mut self, chunk: &[f32; CHUNK]) {
        if let Some(processing) = self.processing.as_mut().filter(|_| self.hears) {
            let mut unchanged = [0.0; CHUNK];
            // Only formats can be wrong, and they are fixed.
            let _ = processing.process_render_f32(&[chunk], &mut [&mut unchanged]);
        }
    }

    /// This was captured; what is left is to be sent.
    pub fn captured(&mut self, chunk: &mut [f32; CHUNK]) {
        if let Some(processing) = &mut self.processing {
            let raw = *chunk;
            let _ = processing.process_capture_f32(&[&raw], &mut [chunk]);
        }
    }
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Voice")
    }
}

fn config(wanted: VoiceProcessing) -> Config {
    Config {
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            ..Pipeline::default()
        },
        high_pass_filter: Some(HighPassFilter::default()),
        echo_canceller: wanted.echo_cancellation.then(EchoCanceller::default),
        noise_suppression: wanted.noise_suppression.then(NoiseSuppression::default),
        gain_controller2: wanted.gain_control.then(|| GainController2 {
            adaptive_digital: Some(AdaptiveDigital {
                // A microphone that is right is left alone.
                initial_gain_db: 0.0,
                max_gain_db: 30.0,
                ..AdaptiveDigital::default()
            }),
            ..GainController2::default()
        }),
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples until the far end's voice comes back: 60 ms.
    const DELAY: usize = 6 * CHUNK;
    const SECOND: usize = 100;

    /// Syllables of a buzzing voice with a gliding pitch; another one for each seed.
    fn voice(seed: u32, chunks: usize) -> Vec<f32> {
        let (mut random, mut phase) = (seed, 0.0_f32);
        (0..chunks * CHUNK)
            .map(|index| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let breath = (random >> 8) as f32 / 8_388_608.0 - 1.0;
                let time = index as f32 / 48_000.0;
                let slow = (time * (3.0 + seed as f32 * 0.1)).sin();
                phase = (phase + (110.0 + 25.0 * seed as f32 + 30.0 * slow) / 48_000.0).fract();
                let buzz: f32 = (1..12_u8)
                    .map(|n| (phase * f32::from(n) * std::f32::consts::TAU).sin() / f32::from(n))
                    .sum();
                let syllable = (time * 4.0 * std::f32::consts::PI + seed as f32).sin().max(0.0);
                (buzz * 0.15 + breath * 0.01) * syllable
            })
            .collect()
    }

    /// What the room makes of it: late, half as loud, and smeared over 40 taps.
    fn echo(played: &[f32]) -> Vec<f32> {
        let taps: Vec<f32> = (0..40).map(|tap| 0.05 * 0.9_f32.powi(tap)).collect();
        let mut late = vec![0.0; DELAY + taps.len()];
        late.extend(played);
        late.windows(taps.len())
            .skip(1)
            .take(played.len())
            .map(|window| {
                window
                    .iter()
                    .rev()
                    .zip(&taps)
                    .map(|(sample, tap)| sample * tap)
                    .sum()
            })
            .collect()
    }

    /// The far end speaks for ten seconds, and who is here in the last three if at all. What the microphone hears, what leaves, and
    /// what was said here, each for those three.
    fn scene(wanted: VoiceProcessing, is_speaking: bool) -> [Vec<f32>; 3] {
        let (seconds, last) = (10 * SECOND, 7 * SECOND * CHUNK);
        let far = voice(1, seconds);
        let mut near = voice(5, seconds);
        near[..last].fill(0.0);
        if !is_speaking {
            near.fill(0.0);
        }
        let echo = echo(&far);
        let mut heard: Vec<f32> = echo.iter().zip(&near).map(|(echo, near)| echo + near).collect();
        let mut sent = heard.clone();
        let mut processing = Voice::new(wanted);
        let (played, _) = far.as_chunks::<CHUNK>();
        let (captured, _) = sent.as_chunks_mut::<CHUNK>();
        for (played, captured) in played.iter().zip(captured) {
            processing.played(played);
            processing.captured(captured);
        }
        [heard.split_off(last), sent.split_off(last), near.split_off(last)]
    }

    fn decibels(above: &[f32], below: &[f32]) -> f64 {
        let energy = |samples: &[f32]| samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() + 1e-9;
        10.0 * (energy(above) / energy(below)).log10()
    }

    #[test]
    fn what_the_speaker_plays_does_not_go_back() {
        let [heard, sent, _] = scene(VoiceProcessing::default(), false);
        let reduction = decibels(&heard, &sent);
        println!("echo reduced by {reduction:.1} dB");
        assert!(reduction > 30.0, "{reduction} dB");
        let [heard, sent, _] = scene(VoiceProcessing::OFF, false);
        assert_eq!(heard, sent);
    }

    #[test]
    fn who_speaks_here_is_heard_while_the_far_end_speaks() {
        let wanted = VoiceProcessing {
            gain_control: false,
            ..VoiceProcessing::default()
        };
        let [_, sent, near] = scene(wanted, true);
        let kept = decibels(&sent, &near);
        println!("near end {kept:.1} dB in double talk");
        assert!(kept.abs() < 4.0, "{kept} dB");
    }

    #[test]
    fn each_part_works_alone() {
        for part in 0..3 {
            let wanted = VoiceProcessing {
                echo_cancellation: part == 0,
                noise_suppression: part == 1,
                gain_control: part == 2,
            };
            let [_, sent, near] = scene(wanted, true);
            let kept = decibels(&sent, &near);
            println!("{wanted:?}: {kept:.1} dB");
            assert!(
                sent.iter().all(|sample| sample.is_finite()) && kept > -6.0,
                "{kept}"
            );
        }
    }
}
