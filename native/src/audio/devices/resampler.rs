//! Between a device's rate and that of a call.

use clearline_core::{MediaError, MediaErrorKind};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Adjustable as _, Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

use super::CHUNK;
use crate::audio::SAMPLE_RATE;

/// Rates of sound devices.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=384_000;
/// How far the ratio may be moved; more than [`Drift`](super::drift::Drift) ever does.
const RANGE: f64 = 1.01;
/// Taps at the lower of the two rates: a delay of half of them.
const TAPS: usize = 64;

/// Converts one channel, at a speed that can be changed while it runs. Allocates only when it is made.
pub(super) struct Resampler(Async<f32>);

impl Resampler {
    /// From a device at `rate` to chunks of a call.
    pub(super) fn from_device(rate: u32) -> Result<Self, MediaError> {
        Self::new(rate, SAMPLE_RATE, FixedAsync::Output)
    }

    /// From chunks of a call to a device at `rate`.
    pub(super) fn to_device(rate: u32) -> Result<Self, MediaError> {
        Self::new(SAMPLE_RATE, rate, FixedAsync::Input)
    }

    fn new(from: u32, to: u32, fixed: FixedAsync) -> Result<Self, MediaError> {
        let unusable = |detail: String| MediaError {
            kind: MediaErrorKind::DeviceFailed,
            detail,
        };
        if let Some(rate) = [from, to].into_iter().find(|rate| !RATES.contains(rate)) {
            return Err(unusable(format!("no sound device works at {rate} Hz")));
        }
        let (ratio, shrinks) = (f64::from(to) / f64::from(from), from.div_ceil(to));
        let taps = TAPS * shrinks as usize;
        let parameters = SincInterpolationParameters::new(taps, WindowFunction::BlackmanHarris2)
            .oversampling_factor(256)
            .interpolation(SincInterpolationType::Linear);
        let resampler = Async::new_sinc(ratio, RANGE, &parameters, CHUNK, 1, fixed);
        resampler.map(Self).map_err(|error| unusable(error.to_string()))
    }

    /// Takes samples at this speed from now on, 1 being the nominal one.
    pub(super) fn set_speed(&mut self, speed: f64) {
        // Beyond the range there is nothing to set, and the speed stays.
        let _ = self.0.set_resample_ratio_relative(1.0 / speed, true);
    }

    /// Begins with silence again.
    pub(super) fn forget(&mut self) {
        self.0.reset();
    }

    /// Samples that the next chunk takes.
    pub(super) fn needed(&self) -> usize {
        self.0.input_frames_next()
    }

    /// The most it can ever need.
    pub(super) fn most_needed(&self) -> usize {
        self.0.input_frames_max()
    }

    /// The most that can ever come out.
    pub(super) fn most_made(&self) -> usize {
        self.0.output_frames_max()
    }

    /// Converts [`needed`](Self::needed) samples; returns how many came out.
    pub(super) fn process(&mut self, input: &[f32], output: &mut [f32]) -> usize {
        let (taken, room) = (input.len(), output.len());
        let converted = InterleavedSlice::new(input, 1, taken).and_then(|input| {
            let mut output = InterleavedSlice::new_mut(output, 1, room)?;
            Ok(self.0.process_into_buffer(&input, &mut output, None))
        });
        // Only buffers that are too small can fail.
        debug_assert!(
            matches!(converted, Ok(Ok(_))),
            "the buffers are as large as was asked for"
        );
        converted.ok().and_then(Result::ok).map_or(0, |(_, made)| made)
    }
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resampler")
    }
}
