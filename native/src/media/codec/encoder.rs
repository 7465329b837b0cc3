//! Frames into payloads.

use clearline_core::MediaError;
use clearline_core::media::codec::g711::Law;
use clearline_core::media::codec::g722;
use clearline_core::media::{Decimator, EncoderSettings};
use opus::{Application, Bandwidth, Bitrate, Channels, Signal};

use super::{Format, OpusParameters, codec_error};
use crate::audio::SAMPLE_RATE;

/// The longest payload of one packet.
const MAX_PAYLOAD: usize = 1_275;
/// Fewer bits than this are no speech, whatever the far end asks for.
const LEAST_BITS: u32 = 6_000;
/// A packet of Opus that short says that nothing need be sent (libopus, DTX).
const PAUSE: usize = 2;

/// Makes payloads of frames.
pub(crate) enum Encoder {
    Opus(Box<OpusEncoder>),
    G722(Box<g722::Encoder>, Decimator),
    G711(Law, Decimator),
}

/// libopus, and what it has been told.
pub(crate) struct OpusEncoder {
    encoder: opus::Encoder,
    parameters: OpusParameters,
    settings: Option<EncoderSettings>,
}

impl Encoder {
    pub(crate) fn new(format: Format, parameters: OpusParameters) -> Result<Self, MediaError> {
        match format {
            Format::Opus => {
                let encoder = OpusEncoder::new(parameters).map_err(codec_error)?;
                Ok(Self::Opus(Box::new(encoder)))
            }
            Format::G722 => Ok(Self::G722(Box::default(), Decimator::new(3))),
            Format::G711(law) => Ok(Self::G711(law, Decimator::new(6))),
        }
    }

    /// Encodes like this from now on, as far as the format leaves a choice.
    pub(crate) fn set(&mut self, settings: EncoderSettings) {
        if let Self::Opus(opus) = self
            && opus.settings.replace(settings) != Some(settings)
            && let Err(error) = opus.set(settings)
        {
            tracing::error!(%error, "the audio codec refuses its settings");
        }
    }

    /// The payload of some frames of 20 ms; none in a pause.
    pub(crate) fn encode(&mut self, samples: &[i16]) -> Result<Option<Vec<u8>>, MediaError> {
        match self {
            Self::Opus(opus) => {
                let payload = opus
                    .encoder
                    .encode_vec(samples, MAX_PAYLOAD)
                    .map_err(codec_error)?;
                let is_pause = opus.parameters.pauses && payload.len() <= PAUSE;
                Ok((!is_pause).then_some(payload))
            }
            Self::G722(encoder, decimator) => {
                let mut narrow = vec![0; samples.len() / 3];
                decimator.run(samples, &mut narrow);
                let mut payload = vec![0; narrow.len() / 2];
                encoder.encode(&narrow, &mut payload);
                Ok(Some(payload))
            }
            Self::G711(law, decimator) => {
                let mut narrow = vec![0; samples.len() / 6];
                decimator.run(samples, &mut narrow);
                Ok(Some(narrow.iter().map(|&sample| law.encode(sample)).collect()))
            }
        }
    }
}

impl OpusEncoder {
    fn new(parameters: OpusParameters) -> Result<Self, opus::Error> {
        let mut encoder = opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
        // Else what is taken for music has no redundancy.
        encoder.set_signal(Signal::Voice)?;
        encoder.set_inband_fec(parameters.redundancy)?;
        encoder.set_dtx(parameters.pauses)?;
        encoder.set_vbr(!parameters.constant_rate)?;
        encoder.set_max_bandwidth(bandwidth(parameters.most_hertz))?;
        Ok(Self {
            encoder,
            parameters,
            settings: None,
        })
    }

    fn set(&mut self, settings: EncoderSettings) -> Result<(), opus::Error> {
        let bits = settings.bitrate.min(self.parameters.most_bits).max(LEAST_BITS);
        self.encoder.set_bitrate(Bitrate::Bits(bits.cast_signed()))?;
        self.encoder.set_packet_loss_perc(settings.expected_loss.into())
    }
}

/// What is heard of a voice at so many samples a second (RFC 7587 section 6.1, `maxplaybackrate`).
fn bandwidth(hertz: u32) -> Bandwidth {
    match hertz {
        0..12_000 => Bandwidth::Narrowband,
        12_000..16_000 => Bandwidth::Mediumband,
        16_000..24_000 => Bandwidth::Wideband,
        24_000..48_000 => Bandwidth::Superwideband,
        48_000.. => Bandwidth::Fullband,
    }
}
