//! Sound devices: microphone and speaker through cpal.
//!
//! Streams ask for a fixed buffer of 10 ms; the default of some hosts is two seconds. A ring of at most `RING` joins the
//! device's clock with the call's: when the two drift apart, single frames are left out or are silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clearline_core::{CallId, MediaError, MediaErrorKind};
use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{BufferSize, ErrorKind, SampleFormat, StreamConfig, SupportedStreamConfigRange};
use ringbuf::HeapRb;
use ringbuf::traits::{Consumer as _, Observer as _, Producer as _, Split as _};

use super::{Audio, AudioProvider, AudioSink, AudioSource, FRAME, SAMPLE_RATE};

/// Frames of the device's buffer: 10 ms.
const DEVICE_BUFFER: u32 = SAMPLE_RATE / 100;
/// Samples between device and call: 100 ms.
const RING: usize = 5 * FRAME;
/// Samples that wait before a dry speaker starts again, so that it does not stutter: 20 ms.
const PRIME: usize = FRAME;
/// How long opening a device may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);

/// One sound device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Names the device for [`DeviceAudio`], also after a restart: `host:device`.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// The microphone that is used when none is named.
    pub default_input: bool,
    /// The speaker that is used when none is named.
    pub default_output: bool,
    /// It has a microphone.
    pub input: bool,
    /// It has a speaker.
    pub output: bool,
}

/// Lists the sound devices of this machine.
///
/// # Errors
/// When there is no sound system at all.
pub fn list() -> Result<Vec<DeviceInfo>, MediaError> {
    let host = host()?;
    let id = |device: Option<cpal::Device>| device.and_then(|device| device.id().ok());
    let (input, output) = (id(host.default_input_device()), id(host.default_output_device()));
    let devices = host.devices().map_err(media_error)?;
    Ok(devices
        .filter_map(|device| {
            let device_id = device.id().ok()?;
            Some(DeviceInfo {
                id: device_id.to_string(),
                name: device
                    .description()
                    .map_or_else(|_| device_id.to_string(), |text| text.name().to_owned()),
                default_input: input.as_ref() == Some(&device_id),
                default_output: output.as_ref() == Some(&device_id),
                input: device.supports_input(),
                output: device.supports_output(),
            })
        })
        .collect())
}

/// Microphone and speaker of this machine, the default ones unless others are named by [`DeviceInfo::id`].
#[derive(Clone, Debug, Default)]
pub struct DeviceAudio {
    /// The microphone.
    pub input: Option<String>,
    /// The speaker.
    pub output: Option<String>,
}

impl DeviceAudio {
    /// The microphone alone. If it cannot be opened, silence that reports the problem.
    pub fn source(&self) -> Box<dyn AudioSource> {
        self.open_source().unwrap_or_else(|error| {
            tracing::warn!(error = error.detail, "no microphone");
            Box::new(NoMicrophone(error.kind))
        })
    }

    fn open_source(&self) -> Result<Box<dyn AudioSource>, MediaError> {
        let host = host()?;
        let device = match &self.input {
            Some(id) => find(&host, id),
            None => host.default_input_device(),
        }
        .ok_or_else(|| no_device("there is no such microphone"))?;
        let (config, format) = choose(device.supported_input_configs().map_err(media_error)?)?;
        let (mut filled, samples) = HeapRb::<i16>::new(RING).split();
        let lost = Arc::new(AtomicBool::new(false));
        let channels = usize::from(config.channels);
        let on_error = report(Arc::clone(&lost), "microphone");
        let timeout = Some(OPEN_TIMEOUT);
        let stream = if format == SampleFormat::F32 {
            let capture = move |data: &[f32], _: &_| {
                filled.push_iter(
                    data.chunks_exact(channels)
                        .map(|frame| (frame[0] * 32_767.0) as i16),
                );
            };
            device.build_input_stream(config, capture, on_error, timeout)
        } else {
            let capture = move |data: &[i16], _: &_| {
                filled.push_iter(data.chunks_exact(channels).map(|frame| frame[0]));
            };
            device.build_input_stream(config, capture, on_error, timeout)
        }
        .map_err(media_error)?;
        stream.play().map_err(media_error)?;
        Ok(Box::new(Microphone {
            samples,
            lost,
            _stream: stream,
        }))
    }

    /// Opens the speaker alone.
    ///
    /// # Errors
    /// When there is none or it cannot be used.
    pub fn open_sink(&self) -> Result<Box<dyn AudioSink>, MediaError> {
        let host = host()?;
        let device = match &self.output {
            Some(id) => find(&host, id),
            None => host.default_output_device(),
        }
        .ok_or_else(|| no_device("there is no such speaker"))?;
        let (config, format) = choose(device.supported_output_configs().map_err(media_error)?)?;
        let (ring, mut samples) = HeapRb::<i16>::new(RING).split();
        let channels = usize::from(config.channels);
        let on_error = report(Arc::default(), "speaker");
        let timeout = Some(OPEN_TIMEOUT);
        let mut primed = false;
        let mut next = move |count: usize| {
            primed = if primed {
                !samples.is_empty()
            } else {
                samples.occupied_len() >= PRIME + count
            };
            primed.then(|| samples.try_pop()).flatten().unwrap_or(0)
        };
        let stream = if format == SampleFormat::F32 {
            let render = move |data: &mut [f32], _: &_| {
                let count = data.len() / channels;
                data.chunks_exact_mut(channels)
                    .for_each(|frame| frame.fill(f32::from(next(count)) / 32_768.0));
            };
            device.build_output_stream(config, render, on_error, timeout)
        } else {
            let render = move |data: &mut [i16], _: &_| {
                let count = data.len() / channels;
                data.chunks_exact_mut(channels)
                    .for_each(|frame| frame.fill(next(count)));
            };
            device.build_output_stream(config, render, on_error, timeout)
        }
        .map_err(media_error)?;
        stream.play().map_err(media_error)?;
        Ok(Box::new(Speaker {
            ring,
            _stream: stream,
        }))
    }
}

impl AudioProvider for DeviceAudio {
    fn open(&self, _call: CallId) -> Result<Audio, MediaError> {
        Ok(Audio {
            source: self.source(),
            sink: self.open_sink()?,
        })
    }
}

/// Stands in for a microphone that could not be opened.
struct NoMicrophone(MediaErrorKind);

impl AudioSource for NoMicrophone {
    fn read(&mut self, frame: &mut [i16]) {
        frame.fill(0);
    }

    fn problem(&self) -> Option<MediaErrorKind> {
        Some(self.0)
    }
}

struct Microphone {
    samples: ringbuf::HeapCons<i16>,
    lost: Arc<AtomicBool>,
    _stream: cpal::Stream,
}

impl AudioSource for Microphone {
    fn read(&mut self, frame: &mut [i16]) {
        // More than 60 ms in the ring is a clock ahead of ours, or a stall that is over: skip to the present.
        let surplus = self.samples.occupied_len().saturating_sub(3 * FRAME);
        if surplus > 0 {
            self.samples.skip(surplus + FRAME);
        }
        if self.samples.occupied_len() < frame.len() {
            frame.fill(0);
            return;
        }
        self.samples.pop_slice(frame);
    }

    fn problem(&self) -> Option<MediaErrorKind> {
        self.lost
            .load(Ordering::Relaxed)
            .then_some(MediaErrorKind::NoDevice)
    }
}

struct Speaker {
    ring: ringbuf::HeapProd<i16>,
    _stream: cpal::Stream,
}

impl AudioSink for Speaker {
    fn write(&mut self, frame: &[i16]) {
        if self.ring.vacant_len() >= frame.len() {
            self.ring.push_slice(frame);
        }
    }
}

/// PulseAudio (also PipeWire's) where it runs: the way through ALSA's plug-in loses a third of the audio.
fn host() -> Result<cpal::Host, MediaError> {
    #[cfg(target_os = "linux")]
    if let Ok(host) = cpal::host_from_id(cpal::HostId::PulseAudio) {
        return Ok(host);
    }
    let id = cpal::available_hosts().into_iter().next();
    id.map(cpal::host_from_id)
        .transpose()
        .map_err(media_error)?
        .ok_or_else(|| no_device("there is no sound system"))
}

fn find(host: &cpal::Host, id: &str) -> Option<cpal::Device> {
    host.device_by_id(&id.parse().ok()?)
}

/// 48 kHz with as few channels as possible, in a format we convert.
fn choose(
    configs: impl Iterator<Item = SupportedStreamConfigRange>,
) -> Result<(StreamConfig, SampleFormat), MediaError> {
    configs
        .filter(|config| (config.min_sample_rate()..=config.max_sample_rate()).contains(&SAMPLE_RATE))
        .filter(|config| matches!(config.sample_format(), SampleFormat::I16 | SampleFormat::F32))
        .min_by_key(|config| (config.channels(), config.sample_format() == SampleFormat::F32))
        .map(|config| {
            let fixed = BufferSize::Fixed(DEVICE_BUFFER);
            let stream = StreamConfig {
                channels: config.channels(),
                sample_rate: SAMPLE_RATE,
                buffer_size: fixed,
            };
            (stream, config.sample_format())
        })
        .ok_or_else(|| MediaError {
            kind: MediaErrorKind::DeviceFailed,
            detail: "the sound device does not work at 48 kHz".to_owned(),
        })
}

fn report(lost: Arc<AtomicBool>, what: &'static str) -> impl FnMut(cpal::Error) + Send + 'static {
    move |error| {
        tracing::warn!(%error, what, "sound device");
        if matches!(
            error.kind(),
            ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated | ErrorKind::HostUnavailable
        ) {
            lost.store(true, Ordering::Relaxed);
        }
    }
}

fn no_device(detail: &str) -> MediaError {
    MediaError {
        kind: MediaErrorKind::NoDevice,
        detail: detail.to_owned(),
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
