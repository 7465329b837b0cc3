//! What comes in: RTP packets, as far as playing needs them.

/// An RTP packet (RFC 3550 section 5.1), its payload without the padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Who sends; another one is another stream.
    pub ssrc: u32,
    /// The sequence number.
    pub sequence: u16,
    /// The RTP timestamp, in ticks of the decoder's clock.
    pub timestamp: u32,
    /// What it carries.
    pub content: Content<'a>,
}

/// What a packet carries, which its payload type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A payload for the decoder. An empty one is padding, which some senders probe the bandwidth with, and no audio.
    Audio(&'a [u8]),
    /// Audio together with copies of earlier audio (RFC 2198).
    Redundant {
        /// The whole payload.
        payload: &'a [u8],
        /// The payload type of audio; blocks of other types are left alone.
        audio: u8,
    },
    /// A description of the background (RFC 3389), after which the sender may be silent.
    ComfortNoise(&'a [u8]),
    /// No audio, a telephone event for example: only its number counts, so that it is not taken for lost.
    Other,
}
