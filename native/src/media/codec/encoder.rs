//! Frames into payloads.

use clearline_core::MediaError;
use clearline_core::media::Decimator;
use clearline_core::media::codec::g711::Law;
use clearline_core::media::codec::g722;
use opus::{Application, Bitrate, Channels};

use super::{Format, codec_error};
use crate::audio::{FRAME, SAMPLE_RATE};

/// Bits per second of speech: transparent for one voice.
const OPUS_BITRATE: i32 = 32_000;
/// Loss the encoder adds redundancy for, in per cent.
const OPUS_EXPECTED_LOSS: i32 = 5;
/// The longest payload Opus makes of 20 ms.
const MAX_PAYLOAD: usize = 1_275;

/// Makes payloads of 20 ms frames.
pub(crate) enum Encoder {
    Opus(Box<opus::Encoder>),
    G722(Box<g722::Encoder>, Decimator),
    G711(Law, Decimator),
}

impl Encoder {
    pub(crate) fn new(format: Format) -> Result<Self, MediaError> {
        match format {
            Format::Opus => opus_encoder().map(Box::new).map(Self::Opus).map_err(codec_error),
            Format::G722 => Ok(Self::G722(Box::default(), Decimator::new(3))),
            Format::G711(law) => Ok(Self::G711(law, Decimator::new(6))),
        }
    }

    /// The payload of one frame of [`FRAME`] samples.
    pub(crate) fn encode(&mut self, frame: &[i16]) -> Result<Vec<u8>, MediaError> {
        match self {
            Self::Opus(encoder) => encoder.encode_vec(frame, MAX_PAYLOAD).map_err(codec_error),
            Self::G722(encoder, decimator) => {
                let mut narrow = [0; FRAME / 3];
                decimator.run(frame, &mut narrow);
                let mut payload = vec![0; narrow.len() / 2];
                encoder.encode(&narrow, &mut payload);
                Ok(payload)
            }
            Self::G711(law, decimator) => {
                let mut narrow = [0; FRAME / 6];
                decimator.run(frame, &mut narrow);
                Ok(narrow.iter().map(|&sample| law.encode(sample)).collect())
            }
        }
    }
}

fn opus_encoder() -> Result<opus::Encoder, opus::Error> {
    let mut encoder = opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(OPUS_BITRATE))?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(OPUS_EXPECTED_LOSS)?;
    Ok(encoder)
}
