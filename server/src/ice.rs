//! The STUN and TURN servers that clients are told, with TURN credentials that expire.
//!
//! The credentials follow the scheme TURN services call "shared secret" or "REST API": the user name holds the time of
//! expiry, the password is a keyed hash of the user name, so that the TURN service needs no list of users.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clearline_core::Secret;
use data_encoding::BASE64;
use ring::hmac;
use serde::Serialize;

use crate::options::IceOptions;

/// How long TURN credentials are good for. Clients ask again before; a call outlives them, as allocations are refreshed
/// with the credentials they began with.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// One entry for `RTCConfiguration.iceServers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct IceServer {
    urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<Secret>,
}

/// The entries, and when they must be asked for again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IceServerList {
    pub(crate) ice_servers: Vec<IceServer>,
    /// Unix time in milliseconds; `None` if nothing in the list expires.
    pub(crate) expire_at: Option<i64>,
}

/// Makes lists of ICE servers for users.
#[derive(Clone)]
pub(crate) struct IceServers {
    stun_urls: Vec<String>,
    turn: Option<Turn>,
}

#[derive(Clone)]
struct Turn {
    urls: Vec<String>,
    key: hmac::Key,
}

/// Options for STUN and TURN that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IceOptionsError {
    /// A URL of another scheme, or one that is not a URL.
    InvalidUrl(String),
    /// TURN URLs without a secret file, or the other way round.
    Incomplete,
    /// The secret file is empty or cannot be read; why.
    Unreadable(PathBuf, String),
}

impl fmt::Display for IceOptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl(url) => {
                write!(
                    f,
                    "`{url}`: a STUN URL looks like stun:host:3478, a TURN URL like turn:host:3478?transport=udp"
                )
            }
            Self::Incomplete => f.write_str("--turn-url and --turn-secret-file must be given together"),
            Self::Unreadable(path, why) => write!(f, "TURN secret file {}: {why}", path.display()),
        }
    }
}

impl std::error::Error for IceOptionsError {}

impl IceServers {
    /// Reads the secret file and checks the URLs.
    pub(crate) fn new(options: &IceOptions) -> Result<Self, IceOptionsError> {
        check_urls(&options.stun_urls, &["stun:", "stuns:"])?;
        check_urls(&options.turn_urls, &["turn:", "turns:"])?;
        let turn = match (&options.turn_secret_file, options.turn_urls.is_empty()) {
            (None, true) => None,
            (Some(path), false) => Some(Turn {
                urls: options.turn_urls.clone(),
                key: read_key(path)?,
            }),
            (Some(_), true) | (None, false) => return Err(IceOptionsError::Incomplete),
        };
        Ok(Self {
            stun_urls: options.stun_urls.clone(),
            turn,
        })
    }

    /// The list for `user` at Unix time `now` (seconds).
    pub(crate) fn list(&self, user: &str, now: i64) -> IceServerList {
        let mut ice_servers = Vec::new();
        if !self.stun_urls.is_empty() {
            ice_servers.push(IceServer {
                urls: self.stun_urls.clone(),
                username: None,
                credential: None,
            });
        }
        let expire_at = now + i64::try_from(LIFETIME.as_secs()).unwrap_or_default();
        if let Some(turn) = &self.turn {
            let username = format!("{expire_at}:{user}");
            let credential = Secret::new(BASE64.encode(hmac::sign(&turn.key, username.as_bytes()).as_ref()));
            ice_servers.push(IceServer {
                urls: turn.urls.clone(),
                username: Some(username),
                credential: Some(credential),
            });
        }
        IceServerList {
            ice_servers,
            expire_at: self.turn.as_ref().map(|_| expire_at * 1_000),
        }
    }
}

fn check_urls(urls: &[String], schemes: &[&str]) -> Result<(), IceOptionsError> {
    let is_valid = |url: &str| {
        schemes
            .iter()
            .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
            && url.bytes().all(|b| b.is_ascii_graphic())
    };
    match urls.iter().find(|url| !is_valid(url)) {
        Some(url) => Err(IceOptionsError::InvalidUrl(url.clone())),
        None => Ok(()),
    }
}

fn read_key(path: &PathBuf) -> Result<hmac::Key, IceOptionsError> {
    let error = |why: String| IceOptionsError::Unreadable(path.clone(), why);
    let text = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
    match text.trim() {
        "" => Err(error("it is empty".into())),
        // The scheme prescribes SHA-1; as a keyed hash it is sound.
        secret => Ok(hmac::Key::new(
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            secret.as_bytes(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_configured_is_an_empty_list() {
        let servers = IceServers::new(&IceOptions::default()).unwrap();
        assert_eq!(
            servers.list("alice", 0),
            IceServerList {
                ice_servers: vec![],
                expire_at: None
            }
        );
    }

    #[test]
    fn turn_credentials_are_a_hash_over_expiry_and_user() {
        let turn = Turn {
            urls: vec!["turn:turn.example.com".into()],
            key: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"north"),
        };
        let list = IceServers {
            stun_urls: vec!["stun:stun.example.com".into()],
            turn: Some(turn),
        }
        .list("alice", 1_000);
        assert_eq!(list.expire_at, Some(44_200_000));
        assert_eq!(list.ice_servers[1].username.as_deref(), Some("44200:alice"));
        // printf 44200:alice | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(
            list.ice_servers[1].credential,
            Some(Secret::new("1vNaS77UCjBJCWK08WajVYWd0+w="))
        );
    }

    #[test]
    fn mistakes_are_found_at_start() {
        let options = |stun: &[&str], turn: &[&str], file: Option<&str>| IceOptions {
            stun_urls: stun.iter().map(|s| (*s).to_owned()).collect(),
            turn_urls: turn.iter().map(|s| (*s).to_owned()).collect(),
            turn_secret_file: file.map(Into::into),
        };
        let error = |options| IceServers::new(&options).err();
        assert_eq!(
            error(options(&["http://x"], &[], None)),
            Some(IceOptionsError::InvalidUrl("http://x".into()))
        );
        assert_eq!(
            error(options(&[], &["turn:x"], None)),
            Some(IceOptionsError::Incomplete)
        );
        assert!(matches!(
            error(options(&[], &["turn:x"], Some("/none"))),
            Some(IceOptionsError::Unreadable(..))
        ));
    }
}
