//! Audio formats: what is offered, how frames become payloads and back.

use clearline_core::{MediaError, MediaErrorKind};
use opus::{Application, Bitrate, Channels};

use super::g711::{FRAME_8K, Law, RateConverter};
use crate::audio::{FRAME, SAMPLE_RATE};

/// Bits per second of speech: transparent for one voice.
const OPUS_BITRATE: i32 = 32_000;
/// Loss the encoder adds redundancy for, in per cent.
const OPUS_EXPECTED_LOSS: i32 = 5;
/// The longest payload Opus makes of 20 ms.
const MAX_PAYLOAD: usize = 1_275;
/// The longest packet Opus may carry: 120 ms.
const MAX_DECODED: usize = 6 * FRAME;

/// An audio format of this backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// RFC 7587; always 48 kHz in RTP.
    Opus,
    /// RFC 3551.
    G711(Law),
}

impl Format {
    /// In order of preference, with the payload types offered.
    pub(crate) const OFFERED: [(Self, u8); 3] = [
        (Self::Opus, 111),
        (Self::G711(Law::A), 8),
        (Self::G711(Law::Mu), 0),
    ];

    /// What SDP calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::G711(Law::Mu) => "PCMU",
            Self::G711(Law::A) => "PCMA",
        }
    }

    /// What an `rtpmap` names, if it is one of ours.
    pub(crate) fn named(name: &str, clock_rate: u32) -> Option<Self> {
        Self::OFFERED
            .map(|(format, _)| format)
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(name) && format.clock_rate() == clock_rate)
    }

    /// RTP ticks per second.
    pub(crate) fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::G711(_) => 8_000,
        }
    }

    /// RTP ticks per 20 ms.
    pub(crate) fn frame_ticks(self) -> u32 {
        self.clock_rate() / 50
    }
}

/// Makes payloads of 20 ms frames.
pub(crate) enum Encoder {
    Opus(Box<opus::Encoder>),
    G711(Law, Box<RateConverter>),
}

impl Encoder {
    pub(crate) fn new(format: Format) -> Result<Self, MediaError> {
        let law = match format {
            Format::G711(law) => return Ok(Self::G711(law, Box::new(RateConverter::new()))),
            Format::Opus => opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip),
        };
        let mut encoder = law.map_err(codec_error)?;
        encoder
            .set_bitrate(Bitrate::Bits(OPUS_BITRATE))
            .map_err(codec_error)?;
        encoder.set_inband_fec(true).map_err(codec_error)?;
        encoder
            .set_packet_loss_perc(OPUS_EXPECTED_LOSS)
            .map_err(codec_error)?;
        Ok(Self::Opus(Box::new(encoder)))
    }

    /// The payload of one frame of [`FRAME`] samples.
    pub(crate) fn encode(&mut self, frame: &[i16]) -> Result<Vec<u8>, MediaError> {
        match self {
            Self::Opus(encoder) => encoder.encode_vec(frame, MAX_PAYLOAD).map_err(codec_error),
            Self::G711(law, converter) => {
                let mut narrow = [0; FRAME_8K];
                converter.down(frame, &mut narrow);
                Ok(narrow.iter().map(|&sample| law.encode(sample)).collect())
            }
        }
    }
}

/// Makes samples at 48 kHz of payloads, and of their absence.
pub(crate) enum Decoder {
    Opus(Box<opus::Decoder>),
    G711 {
        law: Law,
        converter: Box<RateConverter>,
        last: Vec<i16>,
        gain: f32,
    },
}

impl Decoder {
    pub(crate) fn new(format: Format) -> Result<Self, MediaError> {
        Ok(match format {
            Format::Opus => Self::Opus(Box::new(
                opus::Decoder::new(SAMPLE_RATE, Channels::Mono).map_err(codec_error)?,
            )),
            Format::G711(law) => Self::G711 {
                law,
                converter: Box::new(RateConverter::new()),
                last: Vec::new(),
                gain: 1.0,
            },
        })
    }

    /// Appends the samples of `payload` to `output`. What cannot be decoded is concealed.
    pub(crate) fn decode(&mut self, payload: &[u8], output: &mut Vec<i16>) {
        let samples = match self {
            Self::Opus(decoder) => opus_frame(decoder, payload, MAX_DECODED, false),
            Self::G711 {
                law,
                converter,
                last,
                gain,
            } => {
                let narrow: Vec<i16> = payload
                    .iter()
                    .take(MAX_DECODED / 6)
                    .map(|&byte| law.decode(byte))
                    .collect();
                let mut wide = vec![0; narrow.len() * 6];
                converter.up(&narrow, &mut wide);
                last.clone_from(&wide);
                *gain = 1.0;
                Some(wide)
            }
        };
        match samples {
            Some(samples) if !samples.is_empty() => output.extend(samples),
            _ => self.conceal(None, FRAME, output),
        }
    }

    /// Appends `samples` samples in place of a lost packet, using the redundancy in the packet after it if there is one.
    pub(crate) fn conceal(&mut self, next: Option<&[u8]>, samples: usize, output: &mut Vec<i16>) {
        match self {
            Self::Opus(decoder) => {
                let concealed = opus_frame(
                    decoder,
                    next.unwrap_or_default(),
                    samples.min(MAX_DECODED),
                    next.is_some(),
                );
                output.extend(concealed.unwrap_or_else(|| vec![0; samples]));
            }
            // Repeats the last packet, fading out within three (in the spirit of G.711 appendix I, without its pitch search).
            Self::G711 { last, gain, .. } => {
                *gain = (*gain - 0.34).max(0.0);
                let faded = last
                    .iter()
                    .cycle()
                    .take(if last.is_empty() { 0 } else { samples });
                let before = output.len();
                output.extend(faded.map(|&sample| (f32::from(sample) * *gain) as i16));
                output.resize(before + samples, 0);
            }
        }
    }
}

fn opus_frame(decoder: &mut opus::Decoder, payload: &[u8], samples: usize, fec: bool) -> Option<Vec<i16>> {
    let mut output = vec![0; samples];
    let count = decoder.decode(payload, &mut output, fec).ok()?;
    output.truncate(count);
    Some(output)
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
fn codec_error(error: opus::Error) -> MediaError {
    MediaError {
        kind: MediaErrorKind::Failed,
        detail: format!("audio codec: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use clearline_core::media::Level;

    use super::*;

    fn sine(frames: usize) -> Vec<i16> {
        (0..frames * FRAME)
            .map(|n| ((n as f64 * 440.0 * std::f64::consts::TAU / 48_000.0).sin() * 8_000.0) as i16)
            .collect()
    }

    #[test]
    fn every_format_carries_a_tone_at_its_level() {
        for (format, _) in Format::OFFERED {
            let (mut encoder, mut decoder) = (Encoder::new(format).unwrap(), Decoder::new(format).unwrap());
            let mut output = Vec::new();
            for frame in sine(25).chunks_exact(FRAME) {
                decoder.decode(&encoder.encode(frame).unwrap(), &mut output);
            }
            assert_eq!(output.len(), 25 * FRAME);
            let level = Level::of(&output[10 * FRAME..]).rms_dbfs();
            assert!((level + 15.3).abs() < 1.0, "{format:?}: {level}");
        }
    }

    #[test]
    fn silence_arrives_as_silence() {
        let (mut encoder, mut decoder) = (
            Encoder::new(Format::Opus).unwrap(),
            Decoder::new(Format::Opus).unwrap(),
        );
        let mut output = Vec::new();
        for _ in 0..50 {
            decoder.decode(&encoder.encode(&[0; FRAME]).unwrap(), &mut output);
        }
        assert!(
            Level::of(&output).rms_dbfs() < -80.0,
            "{}",
            Level::of(&output).rms_dbfs()
        );
    }

    #[test]
    fn losses_are_filled_and_then_fade() {
        for (format, _) in Format::OFFERED {
            let (mut encoder, mut decoder) = (Encoder::new(format).unwrap(), Decoder::new(format).unwrap());
            let mut output = Vec::new();
            for frame in sine(10).chunks_exact(FRAME) {
                decoder.decode(&encoder.encode(frame).unwrap(), &mut output);
            }
            let mut concealed = Vec::new();
            for _ in 0..25 {
                decoder.conceal(None, FRAME, &mut concealed);
            }
            assert_eq!(concealed.len(), 25 * FRAME);
            assert!(
                Level::of(&concealed[..FRAME]).rms_dbfs() > -30.0,
                "{format:?} fills the gap"
            );
            assert!(
                Level::of(&concealed[20 * FRAME..]).rms_dbfs() < -50.0,
                "{format:?} does not hum for ever"
            );
        }
    }

    #[test]
    fn garbage_is_concealed() {
        for (format, _) in Format::OFFERED {
            let mut decoder = Decoder::new(format).unwrap();
            for garbage in [&[][..], &[0xff; 3], &[0x7f; 1_500], &[0xff, 0xff, 0, 0, 0]] {
                let mut output = Vec::new();
                decoder.decode(garbage, &mut output);
                assert!(!output.is_empty() && output.len() <= 6 * MAX_DECODED);
            }
        }
    }
}
