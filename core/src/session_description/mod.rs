//! Session descriptions (SDP, RFC 8866): a lazy reader.
//!
//! Media backends make and edit descriptions (JSEP); the core only reads what it must know of them: directions, codecs,
//! fingerprints, candidates. A [`SessionDescription`] borrows the text, checks its lines once and reads an attribute
//! when asked for it.
//!
//! ```
//! use clearline_core::session_description::{Direction, SessionDescription};
//!
//! let description = SessionDescription::parse(
//!     "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=sendonly\r\n\
//!      m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=rtpmap:111 opus/48000/2\r\na=mid:0\r\n",
//! )?;
//! let audio = description.media().next().expect("one media section");
//! assert_eq!((audio.kind(), audio.direction()), ("audio", Direction::SendOnly));
//! assert_eq!(audio.codecs().map(|codec| codec.name).collect::<Vec<_>>(), ["opus", "PCMU"]);
//! # Ok::<(), clearline_core::session_description::SessionDescriptionError>(())
//! ```

mod candidate;
mod codec;
mod direction;
mod lines;
mod media;
mod security;

use std::fmt;

pub use candidate::{Candidate, CandidateKind};
pub use codec::Codec;
pub use direction::Direction;
use lines::{Line, Lines};
pub use media::MediaDescription;
pub use security::{Crypto, Fingerprint, Setup};

/// A session description, read from text. Cheap to copy. `Debug` shows neither addresses nor keys.
///
/// Bare LF, empty lines and unknown lines are tolerated, as are missing `s=` and `t=` lines. Work is linear in the
/// length of the text for each call.
#[derive(Clone, Copy)]
pub struct SessionDescription<'a> {
    /// Everything before the first `m=` line.
    session: Lines<'a>,
    /// From the first `m=` line on.
    media: Lines<'a>,
}

impl<'a> SessionDescription<'a> {
    /// Reads a description that must fill `text`.
    ///
    /// # Errors
    /// When it does not begin with `v=0`, or a line or a media line cannot be read.
    pub fn parse(text: &'a str) -> Result<Self, SessionDescriptionError> {
        let lines = Lines::new(text);
        let mut number = 0;
        for line in lines {
            number += 1;
            let line = Line::parse(line).ok_or(SessionDescriptionError::Line(number))?;
            if number == 1 && (line.kind, line.value.trim()) != ('v', "0") {
                return Err(SessionDescriptionError::Version);
            }
            if line.kind == 'm' {
                media::MediaLine::parse(line.value).ok_or(SessionDescriptionError::Media(number))?;
            }
        }
        if number == 0 {
            return Err(SessionDescriptionError::Version);
        }
        let (session, media) = lines.split_before_media();
        Ok(Self { session, media })
    }

    /// The media sections in order; an answer has as many as its offer (RFC 3264 6).
    pub fn media(&self) -> impl Iterator<Item = MediaDescription<'a>> + use<'a> {
        let (session, mut rest) = (self.session, self.media);
        std::iter::from_fn(move || {
            let media_line = rest.next()?;
            let (section, after) = rest.split_before_media();
            rest = after;
            MediaDescription::new(session, media_line, section)
        })
    }

    /// The `o=` line: which session this is, and which version of its description. `None` if it is absent or
    /// malformed.
    pub fn origin(&self) -> Option<Origin<'a>> {
        Origin::parse(self.session.value('o')?)
    }

    /// The session's name, `-` or empty if it has none.
    pub fn session_name(&self) -> Option<&'a str> {
        self.session.value('s')
    }

    /// The values of the session-level attributes called `name`.
    pub fn attributes(&self, name: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.session.attributes(name)
    }

    /// Whether the sender is an ICE-lite agent (RFC 8839 5.3).
    pub fn is_ice_lite(&self) -> bool {
        self.session.attribute("ice-lite").is_some()
    }

    /// The `mid` values of the first group with these semantics, as `BUNDLE` (RFC 5888).
    pub fn group(&self, semantics: &str) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        self.session.attributes("group").find_map(|group| {
            let mut words = group.split_ascii_whitespace();
            words
                .next()
                .filter(|first| first.eq_ignore_ascii_case(semantics))
                .map(|_| words)
        })
    }
}

impl fmt::Debug for SessionDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionDescription")?;
        f.debug_list().entries(self.media()).finish()
    }
}

/// The `o=` line (RFC 8866 5.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Names the session, together with user and address. Digits, possibly more than 64 bits.
    pub session_id: &'a str,
    /// Rises by one with each new version (RFC 3264 8). Digits, possibly more than 64 bits.
    pub version: &'a str,
    /// The address of the machine that made the description.
    pub address: &'a str,
}

impl<'a> Origin<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let (_user, session_id, version) = (words.next()?, words.next()?, words.next()?);
        let (_network, _family, address) = (words.next()?, words.next()?, words.next()?);
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(session_id) && is_number(version)).then_some(Self {
            session_id,
            version,
            address,
        })
    }
}

impl fmt::Debug for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({} {})", self.session_id, self.version)
    }
}

/// Why text is no session description. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionDescriptionError {
    /// The first line is not `v=0`.
    Version,
    /// The line with this number (from 1, empty lines not counted) is no `x=value`.
    Line(usize),
    /// The media line with this number (counted as above) lacks a part or has a bad port.
    Media(usize),
}

impl fmt::Display for SessionDescriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("session description does not begin with v=0"),
            Self::Line(number) => write!(f, "line {number} of the session description is malformed"),
            Self::Media(number) => write!(f, "media line {number} of the session description is malformed"),
        }
    }
}

impl std::error::Error for SessionDescriptionError {}

#[cfg(test)]
mod tests;
