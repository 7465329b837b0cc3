use std::fmt;

/// One ICE candidate (RFC 8839 5.1). `Debug` shows no address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Groups candidates of the same kind, base and server.
    pub foundation: &'a str,
    /// 1 for RTP, 2 for RTCP.
    pub component: u16,
    /// `udp` or `tcp`, as written.
    pub transport: &'a str,
    /// The higher the better.
    pub priority: u32,
    /// An IP address, or a name that ends in `.local` (mDNS).
    pub address: &'a str,
    /// The port.
    pub port: u16,
    /// How it was found.
    pub kind: CandidateKind<'a>,
    /// The address it was found from, if not a host candidate.
    pub related_address: Option<&'a str>,
    /// The port that belongs to `related_address`.
    pub related_port: Option<u16>,
    /// `active`, `passive` or `so` for TCP (RFC 6544).
    pub tcp_type: Option<&'a str>,
}

/// How a candidate was found (RFC 8445 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateKind<'a> {
    /// A local interface.
    Host,
    /// Seen by a STUN server.
    ServerReflexive,
    /// Seen by the peer.
    PeerReflexive,
    /// On a TURN server.
    Relay,
    /// Any other.
    Other(&'a str),
}

impl<'a> Candidate<'a> {
    /// Reads the value of a `candidate` attribute, with or without `candidate:` before it.
    pub fn parse(value: &'a str) -> Option<Self> {
        let mut words = value
            .strip_prefix("candidate:")
            .unwrap_or(value)
            .split_ascii_whitespace();
        let mut candidate = Self {
            foundation: words.next()?,
            component: words.next()?.parse().ok()?,
            transport: words.next()?,
            priority: words.next()?.parse().ok()?,
            address: words.next()?,
            port: words.next()?.parse().ok()?,
            kind: words
                .next()
                .filter(|word| *word == "typ")
                .and(words.next())
                .map(CandidateKind::from)?,
            related_address: None,
            related_port: None,
            tcp_type: None,
        };
        // What follows comes in pairs; unknown ones are skipped.
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            match name {
                "raddr" => candidate.related_address = Some(value),
                "rport" => candidate.related_port = value.parse().ok(),
                "tcptype" => candidate.tcp_type = Some(value),
                _ => {}
            }
        }
        Some(candidate)
    }

    /// Whether the address is a name that hides a local one (mDNS).
    pub fn is_mdns(&self) -> bool {
        self.address.len() > ".local".len() && self.address.to_ascii_lowercase().ends_with(".local")
    }
}

impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("kind", &self.kind)
            .field("transport", &self.transport)
            .field("component", &self.component)
            .finish_non_exhaustive()
    }
}

impl<'a> From<&'a str> for CandidateKind<'a> {
    fn from(text: &'a str) -> Self {
        match text {
            "host" => Self::Host,
            "srflx" => Self::ServerReflexive,
            "prflx" => Self::PeerReflexive,
            "relay" => Self::Relay,
            other => Self::Other(other),
        }
    }
}
