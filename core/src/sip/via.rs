use super::error::Malformed;
use super::params::Params;
use super::text::{is_space, number, token_length, trim};
use super::uri::is_host;
use crate::cut;

/// One Via value: a hop the request took, and the response takes back (RFC 3261 20.42).
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    /// The transport as written: `UDP`, `WSS` ...
    pub transport: &'a str,
    /// The sender's host: name, IPv4 address, or IPv6 address in brackets.
    pub host: &'a str,
    /// The sender's port, if written.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
    sent_by: &'a str,
    version: &'a str,
}

impl<'a> Via<'a> {
    /// Reads one value, which must fill `text`. White space may stand around `/` and `:`.
    ///
    /// # Errors
    /// When `text` does not follow the grammar.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        Self::read(text).ok_or(Malformed)
    }

    /// `host[:port]` as written.
    pub fn sent_by(&self) -> &'a str {
        self.sent_by
    }

    /// The `branch` parameter; `None` if it is absent or empty.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch").filter(|branch| !branch.is_empty())
    }

    /// The address the request came from (RFC 3261 18.2.1), as written, an IPv6 address with or without brackets.
    pub fn received(&self) -> Option<&'a str> {
        self.params.value("received")
    }

    /// The `rport` parameter (RFC 3581): `None` if absent, `Some(None)` if only asked for, `Some(Some(port))` if
    /// filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params
            .has("rport")
            .then(|| self.params.value("rport").and_then(number))
    }

    /// Whether the value says SIP/2.0.
    pub(crate) fn is_sip_2(&self) -> bool {
        self.version == "2.0"
    }

    fn read(text: &'a str) -> Option<Self> {
        let (protocol, rest) = leading_token(trim(text))?;
        let (version, rest) = leading_token(trim(rest).strip_prefix('/').map(trim)?)?;
        let (transport, rest) = leading_token(trim(rest).strip_prefix('/').map(trim)?)?;
        if !protocol.eq_ignore_ascii_case("SIP") || !rest.starts_with(is_space) {
            return None;
        }
        let (sent_by, params) = cut::before(rest, b';');
        let sent_by = trim(sent_by);
        let (host, port) = split_port(sent_by)?;
        is_host(host).then_some(Self {
            transport,
            host,
            port,
            params: Params::after_value(params)?,
            sent_by,
            version,
        })
    }
}

fn leading_token(text: &str) -> Option<(&str, &str)> {
    let length = token_length(text.as_bytes());
    (length > 0).then(|| cut::at(text, length))
}

fn split_port(sent_by: &str) -> Option<(&str, Option<u16>)> {
    let bytes = sent_by.as_bytes();
    let Some(colon) = memchr::memrchr(b':', bytes).filter(|_| bytes.last() != Some(&b']')) else {
        return Some((sent_by, None));
    };
    let (host, port) = cut::at(sent_by, colon);
    Some((trim(host), Some(number(trim(port.strip_prefix(':')?))?)))
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn parts_are_found_with_white_space_anywhere_allowed() {
        let via =
            Via::parse("SIP  / 2.0  / TCP     spindle.example.com : 5061  ; branch  =   z9hG4bK9 ; rport")
                .unwrap();
        assert_eq!(
            (via.transport, via.host, via.port),
            ("TCP", "spindle.example.com", Some(5061))
        );
        assert_eq!(via.branch(), Some("z9hG4bK9"));
        assert_eq!(via.rport(), Some(None));
        assert_eq!(via.received(), None);
    }

    #[test]
    fn ipv6_hosts_keep_their_brackets() {
        let via = Via::parse("SIP/2.0/WSS [2001:db8::9:1]:443;received=2001:db8::9:255;rport=5").unwrap();
        assert_eq!((via.host, via.port), ("[2001:db8::9:1]", Some(443)));
        assert_eq!(via.sent_by(), "[2001:db8::9:1]:443");
        assert_eq!(
            (via.received(), via.rport()),
            (Some("2001:db8::9:255"), Some(Some(5)))
        );
    }

    #[test]
    fn malformed_values_are_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 host",
            "HTTP/2.0/UDP host",
            "SIP/2.0/UDP ;branch=1",
            "SIP/2.0/UDP 192.0.2.15;;",
            "SIP/2.0/UDP host:port",
            "SIP/2.0/UDP host:65536",
            "SIP/2.0/UDP 2001:db8::1",
            "SIP/2.0/UDP [2001:db8::1",
            "SIP/2.0/UDP two hosts",
        ] {
            assert!(Via::parse(text).is_err(), "{text}");
        }
    }
}
