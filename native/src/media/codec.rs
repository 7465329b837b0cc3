//! Audio formats: what is offered, how frames become payloads and back.

mod decoder;
mod encoder;

use clearline_core::media::codec::g711::Law;
use clearline_core::{MediaError, MediaErrorKind};

pub(crate) use decoder::Decoder;
pub(crate) use encoder::Encoder;

/// An audio format of this backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// RFC 7587; always 48 kHz in RTP.
    Opus,
    /// RFC 3551 section 4.5.2; 16 kHz, in RTP 8 kHz all the same.
    G722,
    /// RFC 3551 section 4.5.14.
    G711(Law),
}

impl Format {
    /// In order of preference, with the payload types offered.
    pub(crate) const OFFERED: [(Self, u8); 4] = [
        (Self::Opus, 111),
        (Self::G722, 9),
        (Self::G711(Law::A), 8),
        (Self::G711(Law::Mu), 0),
    ];

    /// What SDP calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::G722 => "G722",
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
            Self::G722 | Self::G711(_) => 8_000,
        }
    }

    /// RTP ticks per 20 ms.
    pub(crate) fn frame_ticks(self) -> u32 {
        self.clock_rate() / 50
    }
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

    use super::decoder::MAX_DECODED;
    use super::*;
    use crate::audio::FRAME;

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
