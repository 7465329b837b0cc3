use std::fmt;

use super::candidate::Candidate;
use super::codec::{Codec, CodecTable};
use super::direction::Direction;
use super::lines::Lines;
use super::security::{Crypto, Fingerprint, Setup};

/// One `m=` line and what belongs to it. Cheap to copy. `Debug` shows neither addresses nor keys.
///
/// Where RFC 8866 says so, an attribute that the section lacks is taken from the session level.
#[derive(Clone, Copy)]
pub struct MediaDescription<'a> {
    session: Lines<'a>,
    line: MediaLine<'a>,
    section: Lines<'a>,
}

impl<'a> MediaDescription<'a> {
    pub(super) fn new(session: Lines<'a>, media_line: &'a str, section: Lines<'a>) -> Option<Self> {
        let line = MediaLine::parse(media_line.strip_prefix("m=")?)?;
        Some(Self {
            session,
            line,
            section,
        })
    }

    /// `audio`, `video`, `application` ...
    pub fn kind(&self) -> &'a str {
        self.line.kind
    }

    /// The transport port; 9 is usual where ICE finds the real one, 0 refuses the section (see
    /// [`MediaDescription::is_rejected`]).
    pub fn port(&self) -> u16 {
        self.line.port
    }

    /// `RTP/AVP`, `UDP/TLS/RTP/SAVPF` ...
    pub fn protocol(&self) -> &'a str {
        self.line.protocol
    }

    /// The formats in order of preference: payload types for RTP.
    pub fn formats(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.line.formats.split_ascii_whitespace()
    }

    /// Whether the section is refused or switched off (RFC 3264 6, 8.2): port 0, unless it shares a bundled transport
    /// (RFC 9143 6).
    pub fn is_rejected(&self) -> bool {
        self.line.port == 0 && self.attribute("bundle-only").is_none()
    }

    /// Which way media flows, seen by the writer: of the section, else of the session, else both ways.
    ///
    /// Without ICE the address 0.0.0.0 is the hold of RFC 2543: the writer receives nothing (RFC 3264 8.4).
    pub fn direction(&self) -> Direction {
        let named = |lines: Lines<'a>| {
            lines
                .all_attributes()
                .find_map(|(name, _)| Direction::from_name(name))
        };
        let direction = named(self.section)
            .or_else(|| named(self.session))
            .unwrap_or_default();
        let is_old_hold = self.connection_address() == Some("0.0.0.0") && self.ice_ufrag().is_none();
        if is_old_hold {
            Direction::new(direction.sends(), false)
        } else {
            direction
        }
    }

    /// The codecs in order of preference: formats with an `rtpmap`, or static payload types (RFC 3551).
    pub fn codecs(&self) -> impl Iterator<Item = Codec<'a>> + use<'a> {
        let mut table = CodecTable::new(self.section.attributes("rtpmap"));
        self.formats().filter_map(move |format| table.take(format))
    }

    /// The parameters of a format (`fmtp`).
    pub fn fmtp(&self, payload_type: u8) -> Option<&'a str> {
        self.attributes("fmtp").find_map(|value| {
            let (format, params) = value.split_once([' ', '\t'])?;
            (format.parse() == Ok(payload_type)).then(|| params.trim())
        })
    }

    /// The hash of the certificate that the writer will show.
    pub fn fingerprint(&self) -> Option<Fingerprint<'a>> {
        self.inherited("fingerprint").and_then(Fingerprint::parse)
    }

    /// Who opens the DTLS association.
    pub fn setup(&self) -> Option<Setup> {
        self.inherited("setup").and_then(Setup::parse)
    }

    /// The ICE user fragment.
    pub fn ice_ufrag(&self) -> Option<&'a str> {
        self.inherited("ice-ufrag")
    }

    /// The ICE password. Secret.
    pub fn ice_pwd(&self) -> Option<&'a str> {
        self.inherited("ice-pwd")
    }

    /// The ICE options: `trickle`, `ice2` ...
    pub fn ice_options(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.inherited("ice-options")
            .unwrap_or_default()
            .split_ascii_whitespace()
    }

    /// Whether the writer takes candidates that come later (RFC 8840 4).
    pub fn supports_trickle(&self) -> bool {
        self.ice_options().any(|option| option == "trickle")
    }

    /// The ICE candidates; malformed ones are left out.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate<'a>> + use<'a> {
        self.attributes("candidate").filter_map(Candidate::parse)
    }

    /// Whether no further candidates come (RFC 8840 4.4).
    pub fn is_end_of_candidates(&self) -> bool {
        self.inherited("end-of-candidates").is_some()
    }

    /// The section's name (RFC 5888).
    pub fn mid(&self) -> Option<&'a str> {
        self.attribute("mid")
    }

    /// Whether RTP and RTCP share a port (RFC 5761).
    pub fn rtcp_mux(&self) -> bool {
        self.attribute("rtcp-mux").is_some()
    }

    /// The address of the `c=` line, of the section, else of the session. Without its TTL.
    pub fn connection_address(&self) -> Option<&'a str> {
        let value = self.section.value('c').or_else(|| self.session.value('c'))?;
        let address = value.split_ascii_whitespace().nth(2)?;
        address.split('/').next()
    }

    /// The SRTP keys sent in the description; malformed ones are left out.
    pub fn crypto(&self) -> impl Iterator<Item = Crypto<'a>> + use<'a> {
        self.attributes("crypto").filter_map(Crypto::parse)
    }

    /// The value of the section's first attribute called `name`, empty if it has none. Not inherited.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.section.attribute(name)
    }

    /// The values of the section's attributes called `name`. Not inherited.
    pub fn attributes(&self, name: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.section.attributes(name)
    }

    fn inherited(&self, name: &str) -> Option<&'a str> {
        self.section
            .attribute(name)
            .or_else(|| self.session.attribute(name))
    }
}

impl fmt::Debug for MediaDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaDescription")
            .field("kind", &self.kind())
            .field("direction", &self.direction())
            .finish_non_exhaustive()
    }
}

/// The value of an `m=` line (RFC 8866 5.14).
#[derive(Clone, Copy)]
pub(super) struct MediaLine<'a> {
    kind: &'a str,
    port: u16,
    protocol: &'a str,
    formats: &'a str,
}

impl<'a> MediaLine<'a> {
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let (kind, rest) = value.trim().split_once(' ')?;
        let (port, rest) = rest.trim_start().split_once(' ')?;
        let (protocol, formats) = rest
            .trim_start()
            .split_once(' ')
            .unwrap_or((rest.trim_start(), ""));
        // A number of ports may follow the port; it is of no use here.
        let port = port.split('/').next()?.parse().ok()?;
        (!kind.is_empty() && !protocol.is_empty()).then_some(Self {
            kind,
            port,
            protocol,
            formats,
        })
    }
}
