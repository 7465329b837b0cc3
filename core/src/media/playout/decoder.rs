//! What the engine needs of a codec.

/// A decoder of one stream, mono. All lengths are in samples of its output.
pub trait Decoder {
    /// RTP ticks per second. They may differ from the samples: G.722 (RFC 3551 section 4.5.2).
    fn clock_rate(&self) -> u32;

    /// Samples per second that come out, 8,000 to 48,000 in multiples of 400, so that 2.5 ms are whole samples.
    fn sample_rate(&self) -> u32;

    /// How much audio a payload holds; `None` if it cannot be one of this codec.
    fn duration(&self, payload: &[u8]) -> Option<usize>;

    /// Decodes the next payload into the beginning of `output`, which has room for 120 ms; tells how much it was.
    ///
    /// # Errors
    /// [`Undecodable`], after which the audio is taken for lost.
    fn decode(&mut self, payload: &[u8], output: &mut [i16]) -> Result<usize, Undecodable>;

    /// Whether `payload` also holds a copy of what came before it (in-band FEC, RFC 6716 section 2.1.7).
    fn has_copy_of_previous(&self, payload: &[u8]) -> bool {
        let _ = payload;
        false
    }

    /// Fills `output` with the copy in `next` of what was lost before it. `false`: there is none.
    fn recover(&mut self, next: &[u8], output: &mut [i16]) -> bool {
        let _ = (next, output);
        false
    }

    /// Fills `output`, a multiple of 2.5 ms, with what might have come. `false`: the codec has no concealment of its own.
    fn conceal(&mut self, output: &mut [i16]) -> bool {
        let _ = output;
        false
    }

    /// Whether the sender may be silent after this payload (DTX, RFC 6716 section 2.1.9).
    fn is_pause(&self, payload: &[u8]) -> bool {
        let _ = payload;
        false
    }

    /// Forgets the stream so far: another one begins.
    fn reset(&mut self);
}

/// A payload that is none of the codec's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable;
