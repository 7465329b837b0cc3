//! Speech at 48 kHz mono, from WAV files of any rate.

use std::f64::consts::PI;
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::SAMPLE_RATE;

/// Half the zero crossings of the interpolating filter.
const REACH: f64 = 16.0;
/// The peak that speech is brought to.
const PEAK: f64 = 16_000.0;
/// Samples read of a file: ten minutes at 48 kHz.
const MAX_SAMPLES: usize = 48_000 * 600;

/// The first channel of a WAV file of 16 bits, at 48 kHz and a common peak.
///
/// # Errors
/// Those of the file.
pub fn read(path: &Path) -> Result<Vec<i16>, hound::Error> {
    let mut reader = WavReader::open(path)?;
    let WavSpec {
        channels,
        sample_rate,
        ..
    } = reader.spec();
    let samples: Vec<f64> = reader
        .samples::<i16>()
        .step_by(usize::from(channels.max(1)))
        .take(MAX_SAMPLES)
        .map(|sample| sample.map(f64::from))
        .collect::<Result<_, _>>()?;
    let samples = at_48_khz(&samples, sample_rate.max(1));
    let peak = samples
        .iter()
        .fold(1.0_f64, |peak, sample| peak.max(sample.abs()));
    Ok(samples
        .iter()
        .map(|sample| (sample * PEAK / peak).round() as i16)
        .collect())
}

/// Writes samples as a WAV file.
///
/// # Errors
/// Those of the file.
pub fn write(path: &Path, samples: &[i16]) -> Result<(), hound::Error> {
    let format = WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut writer = WavWriter::create(path, format)?;
    for &sample in samples {
        writer.write_sample(sample)?;
    }
    writer.finalize()
}

/// `frames` packets of something with a pitch, syllables and pauses, for tests that do without speech.
pub fn babble(frames: usize) -> Vec<i16> {
    let rate = f64::from(SAMPLE_RATE);
    (0..frames * crate::FRAME)
        .map(|n| {
            let t = n as f64 / rate;
            let syllable = (PI * 3.1 * t).sin().abs() * f64::from(t % 1.7 < 1.4);
            let pitch = 2.0 * PI * (110.0 * t + 8.0 * (2.3 * t).sin());
            let voice: f64 = (1..12).map(|k| (f64::from(k) * pitch).sin() / f64::from(k)).sum();
            (6_000.0 * syllable * voice) as i16
        })
        .collect()
}

/// Band-limited interpolation with a windowed sinc.
fn at_48_khz(samples: &[f64], rate: u32) -> Vec<f64> {
    let ratio = f64::from(rate) / f64::from(SAMPLE_RATE);
    let length = (samples.len() as f64 / ratio) as usize;
    // Below the lower of the two Nyquist frequencies.
    let cutoff = 0.97 * (1.0 / ratio).min(1.0);
    (0..length)
        .map(|n| {
            let centre = n as f64 * ratio;
            let (first, last) = ((centre - REACH).ceil().max(0.0), (centre + REACH).floor());
            let taps = samples
                .iter()
                .enumerate()
                .skip(first as usize)
                .take((last - first) as usize + 1);
            taps.map(|(index, sample)| sample * kernel(index as f64 - centre, cutoff))
                .sum()
        })
        .collect()
}

fn kernel(distance: f64, cutoff: f64) -> f64 {
    let x = PI * distance * cutoff;
    let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
    let hann = 0.5 + 0.5 * (PI * distance / REACH).cos();
    cutoff * sinc * hann
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_pitch_and_level_at_another_rate() {
        for rate in [8_000, 22_050, 44_100, 48_000] {
            let tone = |rate: u32, n: usize| (2.0 * PI * 440.0 * n as f64 / f64::from(rate)).sin();
            let samples: Vec<f64> = (0..rate as usize).map(|n| tone(rate, n)).collect();
            let converted = at_48_khz(&samples, rate);
            assert!(converted.len().abs_diff(48_000) <= 1);
            let worst = (1_000..40_000)
                .map(|n| (converted[n] - tone(SAMPLE_RATE, n)).abs())
                .fold(0.0, f64::max);
            assert!(worst < 0.01, "{rate} Hz: {worst}");
        }
    }
}
