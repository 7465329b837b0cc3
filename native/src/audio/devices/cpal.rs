//! The sound system of this machine, through cpal.

use clearline_core::{MediaError, MediaErrorKind};
use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{
    BufferSize, ErrorKind, FromSample, HostId, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize,
    SupportedStreamConfigRange,
};

use super::backend::{Backend, Lost, OpenStream};
use super::capture::{CaptureIn, CaptureOut, capture};
use super::playback::{PlaybackIn, PlaybackOut, playback};
use super::{DeviceInfo, OPEN_TIMEOUT};
use crate::audio::SAMPLE_RATE;
use crate::clock::Clock;

/// Callbacks per second that are asked for; the default of some systems is one every two seconds.
const CALLBACKS: u32 = 200;

/// The host that was there first stays the one that is used, even if it goes away for a while.
#[derive(Default)]
pub(super) struct CpalBackend {
    id: Option<HostId>,
    host: Option<cpal::Host>,
}

impl CpalBackend {
    fn host(&mut self) -> Result<&cpal::Host, MediaError> {
        let host = match (self.host.take(), self.id) {
            (Some(host), _) => host,
            (None, Some(id)) => cpal::host_from_id(id).map_err(media_error)?,
            (None, None) => first_host()?,
        };
        self.id = Some(host.id());
        Ok(self.host.insert(host))
    }

    fn device(&mut self, id: &str) -> Result<cpal::Device, MediaError> {
        let parsed = id.parse().ok();
        let host = self.host()?;
        let found = parsed.and_then(|id| host.device_by_id(&id));
        found.ok_or_else(|| MediaError {
            kind: MediaErrorKind::NoDevice,
            detail: format!("there is no device {id}"),
        })
    }

    fn try_input(&mut self, id: &str, lost: Lost) -> Result<(OpenStream, CaptureOut), MediaError> {
        let device = self.device(id)?;
        let (config, format) = choose(device.supported_input_configs().map_err(media_error)?)?;
        let (filled, edge) = capture(config.sample_rate)?;
        let pulse = filled.pulse();
        let stream = match format {
            Format::F32 => input::<f32>(&device, config, filled, lost),
            Format::I16 => input::<i16>(&device, config, filled, lost),
            Format::I32 => input::<i32>(&device, config, filled, lost),
            Format::U8 => input::<u8>(&device, config, filled, lost),
        };
        let guard = Box::new(started(stream)?);
        Ok((OpenStream { pulse, guard }, edge))
    }

    fn try_output(&mut self, id: &str, lost: Lost) -> Result<(OpenStream, PlaybackIn), MediaError> {
        let device = self.device(id)?;
        let (config, format) = choose(device.supported_output_configs().map_err(media_error)?)?;
        let (edge, emptied) = playback(config.sample_rate)?;
        let pulse = emptied.pulse();
        let stream = match format {
            Format::F32 => output::<f32>(&device, config, emptied, lost),
            Format::I16 => output::<i16>(&device, config, emptied, lost),
            Format::I32 => output::<i32>(&device, config, emptied, lost),
            Format::U8 => output::<u8>(&device, config, emptied, lost),
        };
        let guard = Box::new(started(stream)?);
        Ok((OpenStream { pulse, guard }, edge))
    }
}

impl Backend for CpalBackend {
    fn devices(&mut self) -> Result<Vec<DeviceInfo>, MediaError> {
        let host = self.host()?;
        let id = |device: Option<cpal::Device>| device.and_then(|device| device.id().ok());
        let (input, output) = (id(host.default_input_device()), id(host.default_output_device()));
        let devices = host.devices().map_err(media_error);
        let found = devices.map(|devices| {
            devices
                .filter_map(|device| {
                    let device_id = device.id().ok()?;
                    let description = device.description();
                    let id = device_id.to_string();
                    Some(DeviceInfo {
                        name: description.map_or_else(|_| id.clone(), |text| text.name().to_owned()),
                        default_input: input.as_ref() == Some(&device_id),
                        default_output: output.as_ref() == Some(&device_id),
                        input: device.supports_input(),
                        output: device.supports_output(),
                        // PulseAudio's name for what a sink plays.
                        loops_back: id.ends_with(".monitor"),
                        id,
                    })
                })
                .collect()
        });
        if found.is_err() {
            // A connection that was lost does not come back by itself.
            self.host = None;
        }
        found
    }

    fn open_input(&mut self, id: &str, lost: Lost) -> Result<(OpenStream, CaptureOut), MediaError> {
        self.try_input(id, lost.clone()).or_else(|_| {
            self.host = None;
            self.try_input(id, lost)
        })
    }

    /// A connection to the sound system that has lost a stream may refuse every other one; a fresh one does not.
    fn open_output(&mut self, id: &str, lost: Lost) -> Result<(OpenStream, PlaybackIn), MediaError> {
        self.try_output(id, lost.clone()).or_else(|_| {
            self.host = None;
            self.try_output(id, lost)
        })
    }
}

fn input<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut filled: CaptureIn,
    lost: Lost,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let (channels, clock) = (usize::from(config.channels), Clock::new());
    let captured = move |data: &[T], _: &_| {
        let first = data
            .chunks_exact(channels)
            .map(|frame| f32::from_sample_(frame[0]));
        filled.push(clock.now(), first);
    };
    device.build_input_stream(config, captured, on_error(lost), Some(OPEN_TIMEOUT / 2))
}

fn output<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut emptied: PlaybackOut,
    lost: Lost,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample + FromSample<f32>,
{
    let (channels, clock) = (usize::from(config.channels), Clock::new());
    let render = move |data: &mut [T], _: &_| {
        let mut frames = data.chunks_exact_mut(channels);
        let count = frames.len();
        emptied.pull(clock.now(), count, |sample| {
            if let Some(frame) = frames.next() {
                frame.fill(T::from_sample_(sample));
            }
        });
    };
    device.build_output_stream(config, render, on_error(lost), Some(OPEN_TIMEOUT / 2))
}

fn started(stream: Result<cpal::Stream, cpal::Error>) -> Result<cpal::Stream, MediaError> {
    let stream = stream.map_err(media_error)?;
    stream.play().map_err(media_error)?;
    Ok(stream)
}

/// PulseAudio (also PipeWire's) where it runs: the way through ALSA's plug-in loses a third of the audio.
fn first_host() -> Result<cpal::Host, MediaError> {
    #[cfg(target_os = "linux")]
    if let Ok(host) = cpal::host_from_id(HostId::PulseAudio) {
        return Ok(host);
    }
    let id = cpal::available_hosts().into_iter().next();
    id.map(cpal::host_from_id)
        .transpose()
        .map_err(media_error)?
        .ok_or_else(|| MediaError {
            kind: MediaErrorKind::NoDevice,
            detail: "there is no sound system".to_owned(),
        })
}

/// The rate nearest to that of the calls, better above than below, with as few channels as possible, in a format that loses
/// nothing.
fn choose(
    configs: impl Iterator<Item = SupportedStreamConfigRange>,
) -> Result<(StreamConfig, Format), MediaError> {
    let rated = configs.map(|config| {
        let rate = SAMPLE_RATE.clamp(config.min_sample_rate(), config.max_sample_rate());
        (rate, config)
    });
    rated
        .filter_map(|(rate, config)| Some((Format::of(config.sample_format())?, rate, config)))
        .min_by_key(|(format, rate, config)| {
            (
                *rate < SAMPLE_RATE,
                rate.abs_diff(SAMPLE_RATE),
                config.channels(),
                *format,
            )
        })
        .map(|(format, sample_rate, config)| {
            let stream = StreamConfig {
                channels: config.channels(),
                sample_rate,
                buffer_size: buffer(sample_rate, config.buffer_size()),
            };
            (stream, format)
        })
        .ok_or_else(|| MediaError {
            kind: MediaErrorKind::DeviceFailed,
            detail: "the sound device has no format that is understood here".to_owned(),
        })
}

/// Formats that are converted, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Format {
    F32,
    I16,
    I32,
    U8,
}

impl Format {
    fn of(format: SampleFormat) -> Option<Self> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the library's list grows; the rest is rare"
        )]
        match format {
            SampleFormat::F32 => Some(Self::F32),
            SampleFormat::I16 => Some(Self::I16),
            SampleFormat::I32 => Some(Self::I32),
            SampleFormat::U8 => Some(Self::U8),
            _ => None,
        }
    }
}

fn buffer(rate: u32, supported: &SupportedBufferSize) -> BufferSize {
    let wanted = rate / CALLBACKS;
    BufferSize::Fixed(match supported {
        SupportedBufferSize::Range { min, max } => wanted.clamp(*min, (*max).max(*min)),
        SupportedBufferSize::Unknown => wanted,
    })
}

fn on_error(lost: Lost) -> impl FnMut(cpal::Error) + Send + 'static {
    move |error| {
        tracing::debug!(%error, "sound device");
        if matches!(
            error.kind(),
            ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated | ErrorKind::HostUnavailable
        ) {
            lost.tell();
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
fn media_error(error: cpal::Error) -> MediaError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's list grows; the rest is a failing device"
    )]
    let kind = match error.kind() {
        ErrorKind::PermissionDenied => MediaErrorKind::PermissionDenied,
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => MediaErrorKind::NoDevice,
        _ => MediaErrorKind::DeviceFailed,
    };
    MediaError {
        kind,
        detail: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        let buffer = SupportedBufferSize::Range { min: 64, max: 8_192 };
        SupportedStreamConfigRange::new(channels, rates.0, rates.1, buffer, format)
    }

    fn chosen(configs: &[SupportedStreamConfigRange]) -> Option<(u32, u16, Format)> {
        let (config, format) = choose(configs.iter().copied()).ok()?;
        Some((config.sample_rate, config.channels, format))
    }

    #[test]
    fn the_rate_of_the_calls_is_preferred_then_one_above_it_then_the_nearest_below() {
        let f32 = SampleFormat::F32;
        let (low, cd, call, studio) = (
            range(1, (8_000, 16_000), f32),
            range(1, (44_100, 44_100), f32),
            range(2, (48_000, 48_000), f32),
            range(1, (96_000, 192_000), f32),
        );
        assert_eq!(chosen(&[low, studio, call, cd]), Some((48_000, 2, Format::F32)));
        assert_eq!(chosen(&[low, studio, cd]), Some((96_000, 1, Format::F32)));
        assert_eq!(chosen(&[low, cd]), Some((44_100, 1, Format::F32)));
        assert_eq!(chosen(&[low]), Some((16_000, 1, Format::F32)));
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn few_channels_come_before_a_good_format() {
        let rates = (8_000, 96_000);
        let (mono, stereo) = (
            range(1, rates, SampleFormat::U8),
            range(2, rates, SampleFormat::F32),
        );
        assert_eq!(chosen(&[stereo, mono]), Some((48_000, 1, Format::U8)));
        assert_eq!(chosen(&[range(1, rates, SampleFormat::U64)]), None);
    }

    #[test]
    fn a_buffer_is_five_milliseconds_or_what_comes_near() {
        let within = |min, max| buffer(44_100, &SupportedBufferSize::Range { min, max });
        assert_eq!(within(1, 9_000), BufferSize::Fixed(220));
        assert_eq!(within(512, 9_000), BufferSize::Fixed(512));
        assert_eq!(
            buffer(8_000, &SupportedBufferSize::Unknown),
            BufferSize::Fixed(40)
        );
    }
}
