//! Music from a file: WAV, or Opus in Ogg (RFC 7845). Whoever chooses the file need not be whoever runs the program, so that it is
//! bounded before it is decoded and while it is.

use std::fmt;
use std::io::Cursor;

use clearline_core::Duration;
use hound::WavReader;
use ogg::PacketReader;
use opus::{Channels, Decoder};

use super::file::{Sound, read_mono, resample};
use super::{SAMPLE_RATE, frames_per};

/// The largest file that is music for a party on hold.
pub const MAX_MUSIC_BYTES: u64 = 4 << 20;
/// Less could not be told from a fault of the line.
const SHORTEST: Duration = Duration::from_secs(1);
/// Longer, it would cost every program more memory than a caller's patience is worth.
const LONGEST: Duration = Duration::from_secs(300);
/// The longest packet of Opus (RFC 6716 section 2.1.4) at 48 kHz.
const LONGEST_PACKET: usize = 5_760;
/// Rates that a file can have; others are no music, or would be blown up without measure.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// Why a file is no music for a party on hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MusicError {
    /// Larger than [`MAX_MUSIC_BYTES`].
    TooLarge,
    /// Neither WAV nor Opus in Ogg.
    UnknownFormat,
    /// Shorter than a second, or longer than five minutes.
    Length,
    /// It begins like one of them and cannot be decoded.
    Broken(String),
}

impl fmt::Display for MusicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "it is larger than {MAX_MUSIC_BYTES} bytes"),
            Self::UnknownFormat => f.write_str("it is neither WAV nor Ogg Opus"),
            Self::Length => f.write_str("it lasts less than a second or more than five minutes"),
            Self::Broken(detail) => write!(f, "it cannot be decoded: {detail}"),
        }
    }
}

impl std::error::Error for MusicError {}

/// The formats that are music.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MusicFormat {
    /// RIFF WAVE, integer or float samples.
    Wav,
    /// Opus in Ogg.
    OggOpus,
}

impl MusicFormat {
    /// What a file is by its first bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.get(..4)? {
            b"RIFF" => Some(Self::Wav),
            b"OggS" => Some(Self::OggOpus),
            _ => None,
        }
    }

    /// For HTTP.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::OggOpus => "audio/ogg",
        }
    }
}

impl Sound {
    /// Decodes music: WAV or Opus in Ogg, one second to five minutes.
    ///
    /// # Errors
    /// Says why it is none.
    pub fn music(bytes: &[u8]) -> Result<Self, MusicError> {
        if bytes.len() as u64 > MAX_MUSIC_BYTES {
            return Err(MusicError::TooLarge);
        }
        let samples = match MusicFormat::of(bytes).ok_or(MusicError::UnknownFormat)? {
            MusicFormat::Wav => wav(bytes)?,
            MusicFormat::OggOpus => ogg_opus(bytes)?,
        };
        match samples.len() >= frames_per(SHORTEST, SAMPLE_RATE) {
            true => Ok(Self::from_samples(samples)),
            false => Err(MusicError::Length),
        }
    }
}

fn broken(error: impl fmt::Display) -> MusicError {
    MusicError::Broken(error.to_string())
}

fn wav(bytes: &[u8]) -> Result<Vec<i16>, MusicError> {
    let reader = WavReader::new(Cursor::new(bytes)).map_err(broken)?;
    let rate = reader.spec().sample_rate;
    if !RATES.contains(&rate) {
        return Err(broken(format_args!("a rate of {rate} Hz")));
    }
    if reader.duration() as usize > frames_per(LONGEST, rate) {
        return Err(MusicError::Length);
    }
    resample(read_mono(reader).map_err(broken)?, rate).map_err(broken)
}

/// RFC 7845 section 3: a packet that says what follows, one of comments, and the sound.
fn ogg_opus(bytes: &[u8]) -> Result<Vec<i16>, MusicError> {
    let mut packets = PacketReader::new(Cursor::new(bytes));
    let mut next = || packets.read_packet().map_err(broken);
    let head = next()?.ok_or(MusicError::UnknownFormat)?;
    let pre_skip = pre_skip(&head.data).ok_or(MusicError::UnknownFormat)?;
    next()?;
    // Stereo is mixed by the decoder.
    let mut decoder = Decoder::new(SAMPLE_RATE, Channels::Mono).map_err(broken)?;
    let (mut samples, mut sound) = (Vec::new(), [0; LONGEST_PACKET]);
    while let Some(packet) = next()? {
        let count = decoder.decode(&packet.data, &mut sound, false).map_err(broken)?;
        samples.extend_from_slice(sound.get(..count).unwrap_or_default());
        if samples.len() > frames_per(LONGEST, SAMPLE_RATE) + pre_skip {
            return Err(MusicError::Length);
        }
    }
    samples.drain(..pre_skip.min(samples.len()));
    Ok(samples)
}

/// Samples at the beginning that are not meant to be heard; `None` if this is no head of one or two channels (section 5.1).
fn pre_skip(head: &[u8]) -> Option<usize> {
    let rest = head.strip_prefix(b"OpusHead")?;
    match rest {
        // Only the minor version may be another one.
        [version, 1 | 2, low, high, ..] if version >> 4 == 0 => {
            Some(u16::from_le_bytes([*low, *high]).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hound::{SampleFormat, WavSpec, WavWriter};
    use ogg::{PacketWriteEndInfo, PacketWriter};
    use opus::{Application, Encoder};

    use super::*;

    /// A tone of 440 Hz.
    fn tone(seconds: f32, rate: u32) -> Vec<i16> {
        let turn = 440.0 * std::f32::consts::TAU / rate as f32;
        (0..(seconds * rate as f32) as usize)
            .map(|at| ((at as f32 * turn).sin() * 8_000.0) as i16)
            .collect()
    }

    fn wav_file(samples: &[i16], rate: u32) -> Vec<u8> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        for sample in samples {
            writer.write_sample(*sample).unwrap();
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn opus_file(samples: &[i16], head: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = PacketWriter::new(&mut bytes);
        let page = PacketWriteEndInfo::EndPage;
        writer.write_packet(head.to_vec(), 1, page, 0).unwrap();
        writer.write_packet(b"OpusTags".to_vec(), 1, page, 0).unwrap();
        let mut encoder = Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Audio).unwrap();
        for frame in samples.chunks_exact(960) {
            let packet = encoder.encode_vec(frame, 1_000).unwrap();
            writer.write_packet(packet, 1, page, 0).unwrap();
        }
        drop(writer);
        bytes
    }

    const HEAD: &[u8] = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";

    fn periods(sound: &Sound) -> usize {
        let pairs = sound.samples().windows(2);
        pairs.filter(|pair| pair[0] < 0 && pair[1] >= 0).count()
    }

    #[test]
    fn wav_of_any_usual_rate_is_music() {
        for rate in [8_000, 44_100, 48_000] {
            let sound = Sound::music(&wav_file(&tone(2.0, rate), rate)).unwrap();
            assert!(sound.samples().len().abs_diff(96_000) < 200, "{rate}: {sound:?}");
            assert!(periods(&sound).abs_diff(880) <= 4, "{rate}: {}", periods(&sound));
        }
    }

    #[test]
    fn opus_in_ogg_is_music() {
        let sound = Sound::music(&opus_file(&tone(2.0, SAMPLE_RATE), HEAD)).unwrap();
        assert_eq!(sound.samples().len(), 96_000 - 0x138);
        assert!(periods(&sound).abs_diff(877) <= 4, "{}", periods(&sound));
    }

    #[test]
    fn what_is_too_short_too_long_or_too_large_is_not() {
        let short = tone(0.9, 8_000);
        assert_eq!(
            Sound::music(&wav_file(&short, 8_000)).err(),
            Some(MusicError::Length)
        );
        let long = vec![0; 301 * 8_000];
        assert_eq!(
            Sound::music(&wav_file(&long, 8_000)).err(),
            Some(MusicError::TooLarge)
        );
        // Silence costs a few bytes a packet.
        let long = vec![0; 301 * 48_000];
        assert_eq!(
            Sound::music(&opus_file(&long, HEAD)).err(),
            Some(MusicError::Length)
        );
    }

    #[test]
    fn a_rate_that_would_blow_it_up_is_refused() {
        let samples = tone(1.0, 8_000);
        for rate in [1, 7_999, 1_000_000] {
            let result = Sound::music(&wav_file(&samples, rate));
            assert!(matches!(result, Err(MusicError::Broken(_))), "{rate}");
        }
    }

    #[test]
    fn what_is_something_else_or_broken_is_told() {
        assert_eq!(Sound::music(b"").err(), Some(MusicError::UnknownFormat));
        assert_eq!(
            Sound::music(b"ID3 and so on").err(),
            Some(MusicError::UnknownFormat)
        );
        assert!(matches!(
            Sound::music(b"RIFFnonsense"),
            Err(MusicError::Broken(_))
        ));
        assert!(Sound::music(b"OggSnonsense").is_err());
        let sound = tone(2.0, SAMPLE_RATE);
        for head in [
            &b"\x01vorbis"[..],
            b"OpusHead",
            b"OpusHead\x01\x06\0\0",
            b"OpusHead\x10\x01\0\0",
        ] {
            let result = Sound::music(&opus_file(&sound, head));
            assert_eq!(result.err(), Some(MusicError::UnknownFormat), "{head:?}");
        }
        // Cut off anywhere, it is shorter or refused.
        let whole = opus_file(&sound, HEAD);
        for end in (0..whole.len()).step_by(97) {
            let _ = Sound::music(&whole[..end]);
        }
    }
}
