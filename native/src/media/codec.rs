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

/// What the far end's decoder asks of Opus (RFC 7587 section 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpusParameters {
    /// It makes use of in-band FEC (`useinbandfec`).
    pub(crate) redundancy: bool,
    /// It would rather have nothing than silence (`usedtx`).
    pub(crate) pauses: bool,
    /// Packets shall all have the same length (`cbr`).
    pub(crate) constant_rate: bool,
    /// Bits per second it can take (`maxaveragebitrate`).
    pub(crate) most_bits: u32,
    /// Samples per second it can play (`maxplaybackrate`).
    pub(crate) most_hertz: u32,
}

impl Default for OpusParameters {
    fn default() -> Self {
        Self {
            redundancy: false,
            pauses: false,
            constant_rate: false,
            most_bits: 510_000,
            most_hertz: 48_000,
        }
    }
}

impl OpusParameters {
    /// Reads the value of an `fmtp` attribute; what it does not say has the value it has by default.
    pub(crate) fn read(fmtp: &str) -> Self {
        let mut parameters = Self::default();
        for (name, value) in fmtp.split(';').filter_map(|parameter| parameter.split_once('=')) {
            let (flag, number) = (value.trim() == "1", value.trim().parse().ok());
            match name.trim().to_ascii_lowercase().as_str() {
                "useinbandfec" => parameters.redundancy = flag,
                "usedtx" => parameters.pauses = flag,
                "cbr" => parameters.constant_rate = flag,
                "maxaveragebitrate" => parameters.most_bits = number.unwrap_or(parameters.most_bits),
                "maxplaybackrate" => parameters.most_hertz = number.unwrap_or(parameters.most_hertz),
                _ => {}
            }
        }
        parameters
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
    use clearline_core::Instant;
    use clearline_core::media::playout::Decoder as _;
    use clearline_core::media::{Level, SenderPolicy};

    use super::*;
    use crate::audio::{FRAME, SAMPLE_RATE};

    fn encoder(format: Format) -> Encoder {
        with(format, "useinbandfec=1")
    }

    fn opus(fmtp: &str) -> Encoder {
        with(Format::Opus, fmtp)
    }

    fn with(format: Format, fmtp: &str) -> Encoder {
        let mut encoder = Encoder::new(format, OpusParameters::read(fmtp)).unwrap();
        encoder.set(SenderPolicy::new(Instant::ZERO).settings());
        encoder
    }

    /// A voice of sorts: syllables of 140 ms, each with a pitch that glides and a sound of its own.
    fn speech(frames: usize) -> Vec<i16> {
        let (mut random, mut phase) = (7_u32, 0.0);
        let mut weights = [0.0; 8];
        let mut glide = (120.0, 150.0);
        let sample = |n: usize| {
            let part = (n % (7 * FRAME)) as f64 / (7 * FRAME) as f64;
            if part == 0.0 {
                let mut next = || {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    f64::from(random >> 16) / 65_536.0
                };
                weights = std::array::from_fn(|_| next());
                glide = (90.0 + 120.0 * next(), 90.0 + 120.0 * next());
            }
            phase += (glide.0 + (glide.1 - glide.0) * part) / 48_000.0;
            let harmonics = weights.iter().zip(1..);
            let buzz: f64 = harmonics
                .map(|(weight, k)| weight * (phase * f64::from(k) * std::f64::consts::TAU).sin())
                .sum();
            (buzz * (part * std::f64::consts::PI).sin() * 4_000.0) as i16
        };
        (0..frames * FRAME).map(sample).collect()
    }

    #[test]
    fn there_is_redundancy_from_the_third_packet_of_speech_on() {
        let copies = |fmtp| {
            let (mut encoder, decoder) = (opus(fmtp), Decoder::new(Format::Opus).unwrap());
            let payloads = speech(50);
            let payloads = payloads
                .chunks_exact(FRAME)
                .map(|frame| encoder.encode(frame).unwrap().unwrap());
            payloads
                .map(|payload| decoder.has_copy_of_previous(&payload))
                .collect::<Vec<_>>()
        };
        let with = copies("minptime=10;useinbandfec=1");
        let first = with.iter().position(|copy| *copy);
        assert!(first.is_some_and(|first| first <= 3), "{with:?}");
        assert!(with.iter().filter(|copy| **copy).count() > 40, "{with:?}");
        assert!(
            !copies("minptime=10").contains(&true),
            "nobody would make use of it"
        );
    }

    #[test]
    fn a_tenth_lost_is_speech_all_the_same_with_redundancy() {
        let decibels = |fmtp| {
            let mut encoder = opus(fmtp);
            let mut decoder = opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono).unwrap();
            let mut whole = opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono).unwrap();
            let speech = speech(300);
            let payloads: Vec<Vec<u8>> = speech
                .chunks_exact(FRAME)
                .map(|frame| encoder.encode(frame).unwrap().unwrap())
                .collect();
            let (mut signal, mut noise) = (0.0, 0.0);
            for (at, pair) in payloads.windows(2).enumerate() {
                let (mut heard, mut sent) = ([0_i16; FRAME], [0_i16; FRAME]);
                whole.decode(&pair[0], &mut sent, false).unwrap();
                let is_lost = at % 10 == 7;
                // The packet after a lost one tells what it was.
                decoder
                    .decode(&pair[usize::from(is_lost)], &mut heard, is_lost)
                    .unwrap();
                if is_lost {
                    signal += sent.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>();
                    let pairs = sent.iter().zip(heard);
                    noise += pairs
                        .map(|(a, b)| (f64::from(*a) - f64::from(b)).powi(2))
                        .sum::<f64>();
                }
            }
            10.0 * (signal / noise).log10()
        };
        let (with, without) = (decibels("useinbandfec=1"), decibels(""));
        eprintln!("lost frames: {with:.1} dB with redundancy, {without:.1} dB without");
        assert!(with > 6.0 && with > without + 3.0, "{with} and {without} dB");
    }

    #[test]
    fn a_far_end_that_wants_pauses_gets_them_and_no_other() {
        let sent = |fmtp| {
            let mut encoder = opus(fmtp);
            (0..100)
                .filter(|_| encoder.encode(&[0; FRAME]).unwrap().is_some())
                .count()
        };
        assert!(sent("usedtx=1") < 30, "{}", sent("usedtx=1"));
        assert_eq!(sent("useinbandfec=1"), 100);
    }

    #[test]
    fn the_far_ends_limits_are_kept() {
        let bytes = |fmtp| {
            let mut encoder = opus(fmtp);
            let payloads = speech(100);
            let payloads = payloads
                .chunks_exact(FRAME)
                .map(|frame| encoder.encode(frame).unwrap().unwrap());
            payloads.map(|payload| payload.len()).collect::<Vec<_>>()
        };
        let rate = |bytes: &[usize]| bytes.iter().sum::<usize>() * 8 / 2;
        assert!(
            (26_000..38_000).contains(&rate(&bytes(""))),
            "{}",
            rate(&bytes(""))
        );
        assert!(rate(&bytes("maxaveragebitrate=12000")) < 15_000);
        assert!(
            rate(&bytes("maxaveragebitrate=1")) > 4_000,
            "nonsense does not silence"
        );
        let constant = bytes("cbr=1");
        assert!(constant.iter().all(|length| *length == constant[0]));
    }

    #[test]
    fn parameters_are_read_whatever_their_spelling() {
        let read = OpusParameters::read(
            "UseInbandFEC=1 ; usedtx=1;maxplaybackrate= 16000;maxaveragebitrate=x;stereo=1;;=",
        );
        let expected = OpusParameters {
            redundancy: true,
            pauses: true,
            most_hertz: 16_000,
            ..OpusParameters::default()
        };
        assert_eq!(read, expected);
        assert_eq!(OpusParameters::read("useinbandfec=0"), OpusParameters::default());
    }

    fn sine(frames: usize) -> Vec<i16> {
        (0..frames * FRAME)
            .map(|n| ((n as f64 * 440.0 * std::f64::consts::TAU / 48_000.0).sin() * 8_000.0) as i16)
            .collect()
    }

    /// The samples of `audio`, there and back.
    fn decoded(format: Format, audio: &[i16]) -> Vec<i16> {
        let (mut encoder, mut decoder) = (encoder(format), Decoder::new(format).unwrap());
        let mut output = Vec::new();
        for frame in audio.chunks_exact(FRAME) {
            let payload = encoder.encode(frame).unwrap().unwrap();
            let mut samples = [0; 6 * FRAME];
            let count = decoder.decode(&payload, &mut samples).unwrap();
            assert_eq!(decoder.duration(&payload), Some(count));
            output.extend_from_slice(&samples[..count]);
        }
        output
    }

    #[test]
    fn every_format_carries_a_tone_at_its_level() {
        for (format, _) in Format::OFFERED {
            let output = decoded(format, &sine(25));
            let level = Level::of(&output[output.len() / 2..]).rms_dbfs();
            assert!((level + 15.3).abs() < 1.0, "{format:?}: {level}");
        }
    }

    #[test]
    fn silence_arrives_as_silence() {
        let level = Level::of(&decoded(Format::Opus, &[0; 50 * FRAME])).rms_dbfs();
        assert!(level < -80.0, "{level}");
    }

    #[test]
    fn garbage_is_refused_or_bounded() {
        for (format, _) in Format::OFFERED {
            let mut decoder = Decoder::new(format).unwrap();
            for garbage in [&[][..], &[0xff; 3], &[0x7f; 1_500], &[0xff, 0xff, 0, 0, 0]] {
                let mut output = [0; 6 * FRAME];
                let count = decoder.decode(garbage, &mut output).unwrap_or_default();
                assert!(count <= output.len());
                decoder.recover(garbage, &mut output[..FRAME]);
                decoder.conceal(&mut output[..FRAME]);
            }
        }
    }
}
