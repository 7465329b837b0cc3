//! What the server is told at start, and the combinations it refuses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clearline_focus::Controllers;

use crate::origin::{AllowedOrigin, PublicUrl};

/// The domain of all addresses of record unless another is configured (RFC 6761 keeps `.localhost` on this machine).
pub const DEFAULT_DOMAIN: &str = "clearline.localhost";

/// Everything [`Server::start`](crate::Server::start) needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// Who may sign in.
    pub users: Users,
    /// How connections are encrypted.
    pub encryption: Encryption,
    /// Folder for the database and keys; made if it is missing.
    pub data_dir: PathBuf,
    /// The built phone: the folder with its `index.html`.
    pub web_dir: PathBuf,
    /// Domain of all addresses of record, and the realm of digest authentication.
    pub domain: String,
    /// Other origins whose pages may open the SIP WebSocket.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// How people reach the server when a reverse proxy on this machine stands before it.
    pub public_url: Option<PublicUrl>,
    /// What clients are told about STUN and TURN.
    pub ice: IceOptions,
    /// How many SIP connections one address may have.
    pub connections: ConnectionLimits,
    /// Run the echo service (number 600).
    pub echo: bool,
    /// Conferences that are mixed here, and not on the device of one participant; `None` for none.
    pub conferences: Option<ConferenceOptions>,
    /// What whoever is put on hold hears, instead of the phones' melody: WAV or Ogg Opus.
    pub hold_music: Option<PathBuf>,
}

impl Options {
    /// A demo on this machine: loopback, plain HTTP, port 8080, three users with the password `demo`.
    pub fn demo(data_dir: impl Into<PathBuf>, web_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            users: Users::Demo,
            encryption: Encryption::None,
            data_dir: data_dir.into(),
            web_dir: web_dir.into(),
            domain: DEFAULT_DOMAIN.into(),
            allowed_origins: Vec::new(),
            public_url: None,
            ice: IceOptions::default(),
            connections: ConnectionLimits::default(),
            echo: true,
            conferences: Some(ConferenceOptions::default()),
            hold_music: None,
        }
    }

    /// Refuses what would expose people: anything that others can reach must be encrypted and must not have the
    /// passwords printed in the manual.
    pub fn check(&self) -> Result<(), Refusal> {
        if !is_host_name(&self.domain) {
            return Err(Refusal::InvalidDomain(self.domain.clone()));
        }
        if !self.reachable_by_others() {
            return Ok(());
        }
        if !self.listen.ip().is_loopback() && self.encryption == Encryption::None {
            return Err(Refusal::PlainHttp(self.listen.ip()));
        }
        if self
            .public_url
            .as_ref()
            .is_some_and(|url| !url.is_encrypted() && !url.is_loopback())
        {
            return Err(Refusal::PlainPublicUrl);
        }
        match self.users {
            Users::Demo => Err(Refusal::DemoUsers),
            Users::File(_) => Ok(()),
        }
    }

    /// Whether other machines can reach this server, directly or through a reverse proxy.
    pub fn reachable_by_others(&self) -> bool {
        !self.listen.ip().is_loopback() || self.public_url.as_ref().is_some_and(|url| !url.is_loopback())
    }
}

/// Who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Users {
    /// alice 101, bob 102 and carol 103, all with the password `demo`.
    Demo,
    /// Those of a users file; see [`users_file`](crate::users_file).
    File(PathBuf),
}

/// How connections are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Plain HTTP: on loopback only.
    None,
    /// TLS with a certificate chain and key in PEM files.
    Files {
        /// The server's certificate, followed by intermediates.
        certificate: PathBuf,
        /// Its private key: PKCS #8, PKCS #1 or SEC 1.
        key: PathBuf,
    },
    /// TLS with a certificate of a certification authority made for this machine; see
    /// [`local_ca`](crate::local_ca).
    LocalCa,
}

/// What clients are told about STUN and TURN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IceOptions {
    /// `stun:` URLs.
    pub stun_urls: Vec<String>,
    /// `turn:` and `turns:` URLs of one TURN service.
    pub turn_urls: Vec<String>,
    /// File with the secret shared with the TURN service; needed with `turn_urls`.
    pub turn_secret_file: Option<PathBuf>,
}

/// How many SIP connections (WebSockets) one address may have: a whole office may sit behind one. Loopback is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// At the same time; also how many may come at once after a quiet time, as after a restart.
    pub per_address: u32,
    /// New ones per second, when more have come than that.
    pub new_per_second: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            per_address: 1_024,
            new_per_second: 50,
        }
    }
}

/// Conferences of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConferenceOptions {
    /// Who may have others invited and removed.
    pub controllers: Controllers,
    /// The bounds of one conference.
    pub limits: clearline_focus::Limits,
    /// Conferences that one user has made and that have not ended.
    pub per_user: usize,
    /// Conferences of all users.
    pub at_once: usize,
}

impl Default for ConferenceOptions {
    fn default() -> Self {
        Self {
            controllers: Controllers::default(),
            limits: clearline_focus::Limits::default(),
            // Who connects people and leaves them talking has some behind them.
            per_user: 4,
            at_once: 16,
        }
    }
}

/// A configuration that is not run, with the reason and the way out. The program ends with exit code 2.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Not encrypted, and others can reach it.
    PlainHttp(IpAddr),
    /// `--public-url` is plain HTTP.
    PlainPublicUrl,
    /// The demo's passwords are known to everybody.
    DemoUsers,
    /// The users with these ids have passwords that anybody would guess.
    WeakPasswords(Vec<String>),
    /// Not a host name.
    InvalidDomain(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlainHttp(address) => write!(
                f,
                "{address} can be reached by other machines, and plain HTTP would show them passwords and calls \
                 (and browsers give no microphone to such a page).\n\
                 Add --local-ca (makes a certificate for this machine), or --tls-cert FILE --tls-key FILE, \
                 or listen on 127.0.0.1."
            ),
            Self::PlainPublicUrl => f.write_str(
                "The public URL is plain HTTP, which would show everybody passwords and calls \
                 (and browsers give no microphone to such a page).\n\
                 Let the reverse proxy encrypt, and give --public-url https://...",
            ),
            Self::DemoUsers => f.write_str(
                "Other machines can reach this server, and the demo users' password is known to everybody.\n\
                 Give your own users with --users FILE (docs: server/README.md), or listen on 127.0.0.1.",
            ),
            Self::WeakPasswords(ids) => write!(
                f,
                "Other machines can reach this server, and these users have a password that anybody would guess: {}.\n\
                 In the users file give each a password of at least {} characters that is neither `demo` nor the \
                 user's own id or number, or listen on 127.0.0.1.",
                ids.join(", "),
                crate::users_file::MIN_PASSWORD_CHARS,
            ),
            Self::InvalidDomain(domain) => {
                write!(
                    f,
                    "`{domain}` is not a domain: give --domain a host name such as phone.example.com."
                )
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// Labels of letters, digits and hyphens, joined by dots (RFC 1123 section 2.1).
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options::demo("data", "web")
    }

    fn off_loopback() -> Options {
        Options {
            listen: "192.0.2.1:8080".parse().unwrap(),
            ..options()
        }
    }

    #[test]
    fn demo_on_loopback_is_fine() {
        assert_eq!(options().check(), Ok(()));
        assert_eq!(
            Options {
                listen: "[::1]:80".parse().unwrap(),
                ..options()
            }
            .check(),
            Ok(())
        );
    }

    #[test]
    fn off_loopback_needs_encryption_and_own_users() {
        assert_eq!(
            off_loopback().check(),
            Err(Refusal::PlainHttp("192.0.2.1".parse().unwrap()))
        );
        let encrypted = Options {
            encryption: Encryption::LocalCa,
            ..off_loopback()
        };
        assert_eq!(encrypted.check(), Err(Refusal::DemoUsers));
        let own_users = Options {
            users: Users::File("users.toml".into()),
            ..encrypted
        };
        assert_eq!(own_users.check(), Ok(()));
        let everywhere = Options {
            listen: "0.0.0.0:8080".parse().unwrap(),
            ..options()
        };
        assert!(everywhere.check().is_err());
    }

    #[test]
    fn a_public_url_counts_as_off_loopback() {
        let public = |url: &str| Options {
            public_url: Some(url.parse().unwrap()),
            ..options()
        };
        assert_eq!(
            public("http://phone.example.com").check(),
            Err(Refusal::PlainPublicUrl)
        );
        assert_eq!(
            public("https://phone.example.com").check(),
            Err(Refusal::DemoUsers)
        );
        assert_eq!(public("http://localhost:9000").check(), Ok(()));
    }

    #[test]
    fn the_domain_is_a_host_name() {
        for bad in ["", "a b", "a..b", "-a.example", "sip:x", "\r\nX: y"] {
            let result = Options {
                domain: bad.into(),
                ..options()
            }
            .check();
            assert_eq!(result, Err(Refusal::InvalidDomain(bad.into())));
        }
    }
}
