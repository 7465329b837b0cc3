//! Payloads into samples, for the playout engine.

use clearline_core::MediaError;
use clearline_core::media::codec::g722;
use clearline_core::media::playout::{self, Undecodable};
use opus::Channels;

use super::{Format, codec_error};
use crate::audio::SAMPLE_RATE;

/// The longest packet Opus sends in a pause: no audio, only its table of contents (RFC 6716 section 3.1).
const PAUSE: usize = 2;

/// Makes samples of payloads, each codec at a rate of its own.
pub(crate) enum Decoder {
    Opus(Box<opus::Decoder>),
    /// Those of the core, which have neither copies nor concealment.
    Narrow(Box<dyn playout::Decoder + Send>),
}

impl Decoder {
    pub(crate) fn new(format: Format) -> Result<Self, MediaError> {
        Ok(match format {
            Format::Opus => Self::Opus(Box::new(
                opus::Decoder::new(SAMPLE_RATE, Channels::Mono).map_err(codec_error)?,
            )),
            Format::G722 => Self::Narrow(Box::new(g722::Decoder::default())),
            Format::G711(law) => Self::Narrow(Box::new(law)),
        })
    }
}

impl playout::Decoder for Decoder {
    fn clock_rate(&self) -> u32 {
        match self {
            Self::Opus(_) => Format::Opus.clock_rate(),
            Self::Narrow(codec) => codec.clock_rate(),
        }
    }

    fn sample_rate(&self) -> u32 {
        match self {
            Self::Opus(_) => SAMPLE_RATE,
            Self::Narrow(codec) => codec.sample_rate(),
        }
    }

    fn duration(&self, payload: &[u8]) -> Option<usize> {
        match self {
            Self::Opus(decoder) => decoder.get_nb_samples(payload).ok(),
            Self::Narrow(codec) => codec.duration(payload),
        }
    }

    fn decode(&mut self, payload: &[u8], output: &mut [i16]) -> Result<usize, Undecodable> {
        match self {
            Self::Opus(decoder) => decoder.decode(payload, output, false).map_err(|_| Undecodable),
            Self::Narrow(codec) => codec.decode(payload, output),
        }
    }

    /// Of one frame of 10 or 20 ms in a packet, as telephones have them: the second bit of the SILK part (RFC 6716 section
    /// 4.2.3) says so.
    fn has_copy_of_previous(&self, payload: &[u8]) -> bool {
        let (Self::Opus(_), [contents, first, ..]) = (self, payload) else {
            return false;
        };
        let (configuration, is_stereo, frames) = (contents >> 3, contents & 4 != 0, contents & 3);
        let is_one_frame_of_silk = matches!(configuration, 0 | 1 | 4 | 5 | 8 | 9 | 12..=15);
        is_one_frame_of_silk && !is_stereo && frames == 0 && first & 0x40 != 0
    }

    fn recover(&mut self, next: &[u8], output: &mut [i16]) -> bool {
        match self {
            Self::Opus(decoder) => decoder.decode(next, output, true).is_ok(),
            Self::Narrow(_) => false,
        }
    }

    fn conceal(&mut self, output: &mut [i16]) -> bool {
        match self {
            Self::Opus(decoder) => decoder.decode(&[], output, false).is_ok(),
            Self::Narrow(_) => false,
        }
    }

    fn is_pause(&self, payload: &[u8]) -> bool {
        matches!(self, Self::Opus(_)) && payload.len() <= PAUSE
    }

    fn reset(&mut self) {
        match self {
            Self::Opus(decoder) => {
                // Fails on a pointer that is none, which a decoder never has.
                let _ = decoder.reset_state();
            }
            Self::Narrow(codec) => codec.reset(),
        }
    }
}
