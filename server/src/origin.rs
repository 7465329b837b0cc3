//! Which web pages may talk to this server, and under which names it answers.
//!
//! A browser sends every page's origin along (RFC 6454, RFC 6455 section 10.2); a native client sends none. Over plain
//! HTTP the server answers to names of this machine only, so that a foreign page cannot reach it through a host
//! name that resolves to 127.0.0.1 (DNS rebinding). Under TLS the certificate does that.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, header};

/// An origin given with `--allow-origin`: `https://host[:port]`, any other `scheme://host[:port]`, `null` or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigin(String);

impl FromStr for AllowedOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim_end_matches('/').to_ascii_lowercase();
        let has_host = text.split_once("://").is_some_and(|(scheme, host)| {
            !scheme.is_empty() && !host.is_empty() && !host.contains(['/', ' ', '?', '#'])
        });
        if has_host || text == "null" || text == "*" {
            return Ok(Self(text));
        }
        Err("an origin looks like https://example.com or http://localhost:5173".into())
    }
}

/// Where people reach the server when a reverse proxy stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Site);

impl PublicUrl {
    /// Whether it is `https:`.
    pub fn is_encrypted(&self) -> bool {
        self.0.tls
    }

    /// The URL, without a path.
    pub fn url(&self) -> String {
        self.0.origin()
    }

    /// The URL of the SIP WebSocket behind it.
    pub fn sip_url(&self) -> String {
        self.0.sip_url()
    }

    /// Whether it names this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback_name(host_of(&self.0.authority))
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = || "give the URL people open, without a path: https://phone.example.com".to_owned();
        let lower = text.trim_end_matches('/').to_ascii_lowercase();
        let (scheme, authority) = lower.split_once("://").ok_or_else(problem)?;
        let tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(problem()),
        };
        if authority.is_empty() || authority.contains(['/', '@', '?', '#', ' ']) {
            return Err(problem());
        }
        Ok(Self(Site::new(tls, authority)))
    }
}

/// Under which scheme and host a request came in; what links and `ws:` URLs are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// `https:` and `wss:` rather than `http:` and `ws:`.
    pub(crate) tls: bool,
    /// Host and, unless it is the scheme's own, port.
    pub(crate) authority: String,
}

impl Site {
    fn new(tls: bool, authority: &str) -> Self {
        let default_port = if tls { ":443" } else { ":80" };
        let authority = authority.to_ascii_lowercase();
        let authority = authority
            .strip_suffix(default_port)
            .map_or(authority.clone(), str::to_owned);
        Self { tls, authority }
    }

    /// The site as an origin (RFC 6454 section 6.2).
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }

    /// The URL of the SIP WebSocket.
    pub(crate) fn sip_url(&self) -> String {
        format!("{}://{}/sip", if self.tls { "wss" } else { "ws" }, self.authority)
    }
}

/// The rules, fixed at start.
#[derive(Clone, Debug)]
pub(crate) struct OriginPolicy {
    /// The server itself speaks TLS.
    pub(crate) tls: bool,
    /// The reverse proxy's side.
    pub(crate) public: Option<PublicUrl>,
    /// Foreign pages that may open the WebSocket.
    pub(crate) allowed: Vec<AllowedOrigin>,
}

/// Why a request is not for this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostError {
    /// No usable Host header (RFC 9112 section 3.2).
    Missing,
    /// Plain HTTP under a name that is not of this machine.
    Foreign,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "The request has no Host header.",
            Self::Foreign => {
                "Over plain HTTP this server answers to localhost and 127.0.0.1 only. \
                 Behind a reverse proxy, start it with --public-url; otherwise with --local-ca or a certificate."
            }
        })
    }
}

impl OriginPolicy {
    /// The site a request addresses.
    pub(crate) fn site(&self, headers: &HeaderMap) -> Result<Site, HostError> {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .ok_or(HostError::Missing)?;
        if !is_authority(host) {
            return Err(HostError::Missing);
        }
        let site = Site::new(self.tls, host);
        if let Some(PublicUrl(public)) = &self.public
            && Site::new(public.tls, host).authority == public.authority
        {
            return Ok(public.clone());
        }
        if self.tls || is_loopback_name(host_of(host)) {
            return Ok(site);
        }
        Err(HostError::Foreign)
    }

    /// Whether the page that sends the request is one of this site; `None` if no page does.
    pub(crate) fn same_origin(site: &Site, headers: &HeaderMap) -> Option<bool> {
        let origin = headers.get(header::ORIGIN)?;
        Some(origin.as_bytes().eq_ignore_ascii_case(site.origin().as_bytes()))
    }

    /// Whether a page may open the WebSocket: one of this site, or one allowed. Clients that are no pages may.
    pub(crate) fn may_connect(&self, site: &Site, headers: &HeaderMap) -> bool {
        if Self::same_origin(site, headers) != Some(false) {
            return true;
        }
        let Some(origin) = headers
            .get(header::ORIGIN)
            .and_then(|origin| origin.to_str().ok())
        else {
            return false;
        };
        self.allowed
            .iter()
            .any(|AllowedOrigin(allowed)| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    }
}

/// The address a request comes from: the reverse proxy's word counts if it runs here and was announced.
pub(crate) fn client_address(policy: &OriginPolicy, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let direct = peer.ip().to_canonical();
    if policy.public.is_none() || !direct.is_loopback() {
        return direct;
    }
    let forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok());
    let nearest = forwarded.and_then(|list| list.rsplit(',').next()).map(str::trim);
    nearest.and_then(|address| address.parse().ok()).unwrap_or(direct)
}

/// The host part of `host[:port]`, an IPv6 address with its brackets.
fn host_of(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority.find(']').map_or(authority, |end| &authority[..=end]);
    }
    authority.split(':').next().unwrap_or(authority)
}

fn is_loopback_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Host names, addresses and a port: nothing that could change the meaning of a URL it is put into.
fn is_authority(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 260
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    fn plain() -> OriginPolicy {
        OriginPolicy {
            tls: false,
            public: None,
            allowed: vec!["https://crm.example.com/".parse().unwrap()],
        }
    }

    fn may_connect(policy: &OriginPolicy, host: &str, origin: &str) -> bool {
        let headers = headers(&[(header::HOST, host), (header::ORIGIN, origin)]);
        let site = policy.site(&headers).unwrap();
        policy.may_connect(&site, &headers)
    }

    #[test]
    fn plain_http_answers_to_this_machine_only() {
        for host in [
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "alice.localhost",
            "127.8.8.8",
        ] {
            assert!(plain().site(&headers(&[(header::HOST, host)])).is_ok(), "{host}");
        }
        let rebound = headers(&[(header::HOST, "evil.example:8080")]);
        assert_eq!(plain().site(&rebound), Err(HostError::Foreign));
        assert_eq!(plain().site(&HeaderMap::new()), Err(HostError::Missing));
        assert_eq!(
            plain().site(&headers(&[(header::HOST, "a/b")])),
            Err(HostError::Missing)
        );
        assert!(OriginPolicy { tls: true, ..plain() }.site(&rebound).is_ok());
    }

    #[test]
    fn pages_of_the_same_site_and_allowed_ones_connect() {
        assert!(may_connect(&plain(), "127.0.0.1:8080", "http://127.0.0.1:8080"));
        assert!(may_connect(&plain(), "127.0.0.1:8080", "https://crm.example.com"));
        assert!(!may_connect(&plain(), "127.0.0.1:8080", "http://localhost:8080"));
        assert!(!may_connect(&plain(), "127.0.0.1:8080", "http://127.0.0.1:9090"));
        assert!(!may_connect(&plain(), "127.0.0.1:8080", "null"));
        let any = OriginPolicy {
            allowed: vec!["*".parse().unwrap()],
            ..plain()
        };
        assert!(may_connect(&any, "127.0.0.1:8080", "null"));
    }

    #[test]
    fn default_ports_are_left_out() {
        let tls = OriginPolicy { tls: true, ..plain() };
        assert!(may_connect(
            &tls,
            "phone.example.com:443",
            "https://phone.example.com"
        ));
        assert!(!may_connect(
            &tls,
            "phone.example.com",
            "http://phone.example.com"
        ));
    }

    #[test]
    fn a_reverse_proxy_gives_scheme_and_client_address() {
        let policy = OriginPolicy {
            public: Some("https://phone.example.com/".parse().unwrap()),
            ..plain()
        };
        let mut request = headers(&[(header::HOST, "phone.example.com")]);
        assert_eq!(
            policy.site(&request).unwrap().sip_url(),
            "wss://phone.example.com/sip"
        );
        request.insert("x-forwarded-for", "203.0.113.9, 198.51.100.7".parse().unwrap());
        let here = "127.0.0.1:5555".parse().unwrap();
        assert_eq!(
            client_address(&policy, here, &request).to_string(),
            "198.51.100.7"
        );
        assert_eq!(client_address(&plain(), here, &request).to_string(), "127.0.0.1");
        assert_eq!(
            client_address(&policy, "192.0.2.1:5".parse().unwrap(), &request).to_string(),
            "192.0.2.1"
        );
    }

    #[test]
    fn origins_and_urls_are_checked_when_given() {
        assert!("example.com".parse::<AllowedOrigin>().is_err());
        assert!("https://example.com/path".parse::<AllowedOrigin>().is_err());
        assert!("https://a.example/x".parse::<PublicUrl>().is_err());
        assert!("ftp://a.example".parse::<PublicUrl>().is_err());
    }
}
