//! Payloads into samples.

use clearline_core::MediaError;
use clearline_core::media::Interpolator;
use clearline_core::media::codec::g711::Law;
use clearline_core::media::codec::g722;
use opus::Channels;

use super::{Format, codec_error};
use crate::audio::{FRAME, SAMPLE_RATE};

/// The longest packet Opus may carry: 120 ms.
pub(super) const MAX_DECODED: usize = 6 * FRAME;

/// Makes samples at 48 kHz of payloads, and of their absence.
pub(crate) enum Decoder {
    Opus(Box<opus::Decoder>),
    Narrow(Box<Narrow>),
}

/// A codec of a lower rate without concealment of its own.
pub(crate) struct Narrow {
    codec: NarrowCodec,
    interpolator: Interpolator,
    last: Vec<i16>,
    gain: f32,
}

enum NarrowCodec {
    G722(Box<g722::Decoder>),
    G711(Law),
}

impl Decoder {
    pub(crate) fn new(format: Format) -> Result<Self, MediaError> {
        let (codec, ratio) = match format {
            Format::Opus => {
                let decoder = opus::Decoder::new(SAMPLE_RATE, Channels::Mono).map_err(codec_error)?;
                return Ok(Self::Opus(Box::new(decoder)));
            }
            Format::G722 => (NarrowCodec::G722(Box::default()), 3),
            Format::G711(law) => (NarrowCodec::G711(law), 6),
        };
        Ok(Self::Narrow(Box::new(Narrow {
            codec,
            interpolator: Interpolator::new(ratio),
            last: Vec::new(),
            gain: 1.0,
        })))
    }

    /// Appends the samples of `payload` to `output`. What cannot be decoded is concealed.
    pub(crate) fn decode(&mut self, payload: &[u8], output: &mut Vec<i16>) {
        let samples = match self {
            Self::Opus(decoder) => opus_frame(decoder, payload, MAX_DECODED, false),
            Self::Narrow(narrow) => Some(narrow.decode(payload)),
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
            Self::Narrow(narrow) => narrow.conceal(samples, output),
        }
    }
}

impl Narrow {
    fn decode(&mut self, payload: &[u8]) -> Vec<i16> {
        // Either codec makes a byte of 125 us.
        let payload = payload.get(..MAX_DECODED / 6).unwrap_or(payload);
        let narrow = match &mut self.codec {
            NarrowCodec::G722(decoder) => {
                let mut narrow = vec![0; 2 * payload.len()];
                decoder.decode(payload, &mut narrow);
                narrow
            }
            NarrowCodec::G711(law) => payload.iter().map(|&byte| law.decode(byte)).collect(),
        };
        let mut wide = vec![0; payload.len() * 6];
        self.interpolator.run(&narrow, &mut wide);
        self.last.clone_from(&wide);
        self.gain = 1.0;
        wide
    }

    /// Repeats the last packet, fading out within three (in the spirit of G.711 appendix I, without its pitch search).
    fn conceal(&mut self, samples: usize, output: &mut Vec<i16>) {
        self.gain = (self.gain - 0.34).max(0.0);
        let count = if self.last.is_empty() { 0 } else { samples };
        let faded = self.last.iter().cycle().take(count);
        let before = output.len();
        output.extend(faded.map(|&sample| (f32::from(sample) * self.gain) as i16));
        output.resize(before + samples, 0);
    }
}

fn opus_frame(decoder: &mut opus::Decoder, payload: &[u8], samples: usize, fec: bool) -> Option<Vec<i16>> {
    let mut output = vec![0; samples];
    let count = decoder.decode(payload, &mut output, fec).ok()?;
    output.truncate(count);
    Some(output)
}
