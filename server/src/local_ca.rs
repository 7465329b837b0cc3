//! A certification authority for this machine, so that browsers give a page from the local network a microphone and a
//! service worker without a bought certificate.
//!
//! The CA is made once and must be trusted once on each device. It is constrained (RFC 5280 section 4.2.1.10) to the
//! names of this machine and to private addresses: whoever steals its key cannot pose as a bank. The server's own
//! certificate is renewed by itself when names change or its end comes near.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::files;
use crate::options::DEFAULT_DOMAIN;
use crate::random;

/// How long the CA is trusted.
const CA_LIFETIME: Duration = Duration::days(3650);
/// How long a server certificate is good for; some systems refuse more than 398 days.
const CERTIFICATE_LIFETIME: Duration = Duration::days(397);
/// A certificate with less time left is renewed at start.
const RENEW_BEFORE: Duration = Duration::days(60);

/// The CA's files, and what to tell about them.
#[derive(Clone, Debug)]
pub struct LocalCa {
    /// The CA's certificate: the file to be trusted.
    pub certificate: PathBuf,
    /// Its SHA-256 fingerprint, as browsers show it.
    pub fingerprint: String,
    /// It was made just now, so nobody trusts it yet.
    pub is_new: bool,
    /// The names and addresses the server's certificate is good for.
    pub names: Vec<String>,
    pub(crate) server_certificate: PathBuf,
    pub(crate) server_key: PathBuf,
}

/// The local CA cannot be made or used.
#[derive(Debug)]
#[non_exhaustive]
pub enum LocalCaError {
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// A certificate or key cannot be made from what the files hold.
    Certificate(rcgen::Error),
}

impl fmt::Display for LocalCaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Certificate(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for LocalCaError {}

impl From<rcgen::Error> for LocalCaError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error)
    }
}

type Result<T> = std::result::Result<T, LocalCaError>;

impl LocalCa {
    /// Makes what is missing or outdated in `folder` for a server at `address` that may also be called `domain`.
    pub(crate) fn prepare(folder: &Path, address: IpAddr, domain: &str) -> Result<Self> {
        Self::prepare_for(folder, names(address, domain), OffsetDateTime::now_utc())
    }

    fn prepare_for(folder: &Path, names: BTreeSet<String>, now: OffsetDateTime) -> Result<Self> {
        files::private_folder(folder).map_err(|e| LocalCaError::File(folder.to_owned(), e))?;
        let paths = Paths::in_folder(folder);
        let (authority, is_new) = match Authority::load(&paths)? {
            Some(authority) if authority.covers(&names, now) => (authority, false),
            _ => (Authority::create(&paths, &names, now)?, true),
        };
        if is_new || !authority.state.certificate_serves(&names, now) || !paths.has_server_files() {
            authority.issue(&paths, &names, now)?;
        }
        Ok(Self {
            fingerprint: fingerprint(&read(&paths.authority)?),
            certificate: paths.authority,
            is_new,
            names: names.into_iter().collect(),
            server_certificate: paths.server,
            server_key: paths.server_key,
        })
    }

    /// How to trust the CA, for a terminal.
    pub fn instructions(&self) -> String {
        let file = self.certificate.display();
        format!(
            "The certificate comes from a CA made for this machine. Each device must trust it once,\n\
             otherwise browsers warn, and give no microphone and no installed app:\n\n\
             \x20 Windows (Chrome, Edge)  certutil -user -addstore Root \"{file}\"\n\
             \x20 macOS (all browsers)    security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db \"{file}\"\n\
             \x20 Linux (Chrome, Edge)    certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n \"Clearline local CA\" -i \"{file}\"\n\
             \x20                         (certutil is in the package libnss3-tools)\n\
             \x20 Linux (other programs)  sudo cp \"{file}\" /usr/local/share/ca-certificates/clearline.crt && sudo update-ca-certificates\n\
             \x20 Firefox                 Settings, Privacy & Security, View Certificates, Authorities, Import\n\
             \x20 Another device          open /local-ca.crt of this server on it, compare the fingerprint, install it\n\n\
             SHA-256 fingerprint: {}\n\
             Then restart the browser.",
            self.fingerprint
        )
    }
}

struct Paths {
    authority: PathBuf,
    authority_key: PathBuf,
    server: PathBuf,
    server_key: PathBuf,
    state: PathBuf,
}

impl Paths {
    fn in_folder(folder: &Path) -> Self {
        Self {
            authority: folder.join("ca.pem"),
            authority_key: folder.join("ca-key.pem"),
            server: folder.join("server.pem"),
            server_key: folder.join("server-key.pem"),
            state: folder.join("state.json"),
        }
    }

    fn has_server_files(&self) -> bool {
        self.server.is_file() && self.server_key.is_file()
    }
}

/// What the certificates hold, so that they need not be parsed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    /// Common name of the CA.
    common_name: String,
    /// DNS names (with everything below them) and public addresses the CA may vouch for.
    permitted: BTreeSet<String>,
    /// Unix times in seconds.
    ca_not_before: i64,
    ca_not_after: i64,
    /// The server certificate's names.
    names: BTreeSet<String>,
    not_after: i64,
}

impl State {
    fn certificate_serves(&self, names: &BTreeSet<String>, now: OffsetDateTime) -> bool {
        self.names == *names && self.not_after > (now + RENEW_BEFORE).unix_timestamp()
    }

    fn authority_params(&self) -> Result<CertificateParams> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, self.common_name.as_str());
        params.not_before = moment(self.ca_not_before);
        params.not_after = moment(self.ca_not_after);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: self.permitted_subtrees(),
            excluded_subtrees: Vec::new(),
        });
        Ok(params)
    }

    fn permitted_subtrees(&self) -> Vec<GeneralSubtree> {
        let given = self.permitted.iter().map(|name| match name.parse::<IpAddr>() {
            Ok(address) => subnet(address, if address.is_ipv4() { 32 } else { 128 }),
            Err(_) => GeneralSubtree::DnsName(name.clone()),
        });
        given
            .chain(PRIVATE_NETWORKS.map(|(address, prefix)| subnet(address, prefix)))
            .collect()
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(first: u16, last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last))
}

/// Addresses no public site has (RFC 1918, 6598, 3927, 4193, 4291).
const PRIVATE_NETWORKS: [(IpAddr, u8); 9] = [
    (v4(127, 0, 0, 0), 8),
    (v4(10, 0, 0, 0), 8),
    (v4(172, 16, 0, 0), 12),
    (v4(192, 168, 0, 0), 16),
    (v4(100, 64, 0, 0), 10),
    (v4(169, 254, 0, 0), 16),
    (v6(0, 1), 128),
    (v6(0xfc00, 0), 7),
    (v6(0xfe80, 0), 10),
];

fn subnet(address: IpAddr, prefix: u8) -> GeneralSubtree {
    GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, prefix))
}

fn is_in(address: IpAddr, (network, prefix): (IpAddr, u8)) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => (a.to_bits() ^ n.to_bits()).leading_zeros() >= u32::from(prefix),
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits() ^ n.to_bits()).leading_zeros() >= u32::from(prefix),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

struct Authority {
    state: State,
    key: KeyPair,
}

impl Authority {
    /// The CA in the folder; `None` if there is none, or not a whole one.
    fn load(paths: &Paths) -> Result<Option<Self>> {
        if !(paths.authority.is_file() && paths.authority_key.is_file() && paths.state.is_file()) {
            return Ok(None);
        }
        let Ok(state) = serde_json::from_str(&read(&paths.state)?) else {
            return Ok(None);
        };
        Ok(Some(Self {
            state,
            key: KeyPair::from_pem(&read(&paths.authority_key)?)?,
        }))
    }

    fn create(paths: &Paths, names: &BTreeSet<String>, now: OffsetDateTime) -> Result<Self> {
        let state = State {
            common_name: format!("Clearline local CA {}", random::token::<4>()),
            permitted: names
                .iter()
                .filter(|name| needs_permission(name))
                .cloned()
                .collect(),
            ca_not_before: (now - Duration::days(1)).unix_timestamp(),
            ca_not_after: (now + CA_LIFETIME).unix_timestamp(),
            names: BTreeSet::new(),
            not_after: 0,
        };
        let key = KeyPair::generate()?;
        let certificate = state.authority_params()?.self_signed(&key)?;
        write_private(&paths.authority_key, &key.serialize_pem())?;
        write(&paths.authority, &certificate.pem())?;
        Ok(Self { state, key })
    }

    /// Whether the CA can vouch for all `names`, and a certificate from it would not outlive it.
    fn covers(&self, names: &BTreeSet<String>, now: OffsetDateTime) -> bool {
        let permits = |name: &String| !needs_permission(name) || self.state.permitted.contains(name);
        names.iter().all(permits) && self.state.ca_not_after > (now + CERTIFICATE_LIFETIME).unix_timestamp()
    }

    fn issue(mut self, paths: &Paths, names: &BTreeSet<String>, now: OffsetDateTime) -> Result<()> {
        let not_after = now + CERTIFICATE_LIFETIME;
        let mut params = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Clearline server");
        params.not_before = now - Duration::days(1);
        params.not_after = not_after;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let issuer = Issuer::new(self.state.authority_params()?, &self.key);
        let certificate = params.signed_by(&key, &issuer)?;
        write_private(&paths.server_key, &key.serialize_pem())?;
        write(&paths.server, &certificate.pem())?;
        self.state.names = names.clone();
        self.state.not_after = not_after.unix_timestamp();
        let state = serde_json::to_string_pretty(&self.state).unwrap_or_default();
        write(&paths.state, &state)
    }
}

/// Private addresses are permitted anyway.
fn needs_permission(name: &str) -> bool {
    name.parse().map_or(true, |address: IpAddr| {
        !PRIVATE_NETWORKS.iter().any(|network| is_in(address, *network))
    })
}

/// Every name and address under which the server can be reached.
fn names(address: IpAddr, domain: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::from(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    if let Some(host) = host_name() {
        names.insert(format!("{host}.local"));
        names.insert(host);
    }
    if domain != DEFAULT_DOMAIN {
        names.insert(domain.to_ascii_lowercase());
    }
    if address.is_unspecified() {
        names.extend(interface_addresses());
    } else {
        names.insert(address.to_string());
    }
    names
}

/// The addresses of this machine that last; link-local IPv6 addresses cannot stand in a URL without a zone.
fn interface_addresses() -> Vec<String> {
    let lasting = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    };
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces
        .into_iter()
        .map(|i| i.ip())
        .filter(lasting)
        .map(|address| address.to_string())
        .collect()
}

/// This machine's name without its domain, if it is one that can stand in a certificate.
fn host_name() -> Option<String> {
    let from_kernel = || fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let from_program = || String::from_utf8(Command::new("hostname").output().ok()?.stdout).ok();
    let name = from_kernel()
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .or_else(from_program)?;
    let name = name.trim().split('.').next()?.to_ascii_lowercase();
    let is_usable = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_usable.then_some(name)
}

fn fingerprint(pem: &str) -> String {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let hash = CertificateDer::from_pem_slice(pem.as_bytes()).map_or([0; 32], |der| random::sha256(&der));
    hash.map(|byte| format!("{byte:02X}")).join(":")
}

fn moment(unix: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| LocalCaError::File(path.to_owned(), e))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| LocalCaError::File(path.to_owned(), e))
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    files::write_private(path, text.as_bytes()).map_err(|e| LocalCaError::File(path.to_owned(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn prepare(folder: &Path, names: &[&str], now: OffsetDateTime) -> (LocalCa, String) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let ca = LocalCa::prepare_for(folder, names, now).unwrap();
        let certificate = fs::read_to_string(&ca.server_certificate).unwrap();
        (ca, certificate)
    }

    #[test]
    fn the_ca_is_made_once_and_certificates_when_needed() {
        let folder = files::TestFolder::new("local-ca");
        let year_later = NOW + Duration::days(340);
        let (first, certificate) = prepare(folder.path(), &["localhost", "192.168.1.5"], NOW);
        assert!(first.is_new);
        let (again, same) = prepare(folder.path(), &["localhost", "192.168.1.5"], NOW);
        assert!(!again.is_new && same == certificate && again.fingerprint == first.fingerprint);
        let (moved, other) = prepare(folder.path(), &["localhost", "10.0.0.9"], NOW);
        assert!(!moved.is_new && other != certificate && moved.fingerprint == first.fingerprint);
        let (later, renewed) = prepare(folder.path(), &["localhost", "10.0.0.9"], year_later);
        assert!(!later.is_new && renewed != other);
        let (renamed, _) = prepare(folder.path(), &["localhost", "elsewhere"], NOW);
        assert!(renamed.is_new && renamed.fingerprint != first.fingerprint);
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_for_the_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = files::TestFolder::new("local-ca-keys");
        let folder = folder.path().join("made");
        prepare(&folder, &["localhost"], NOW);
        for name in ["ca-key.pem", "server-key.pem"] {
            let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn private_networks_are_recognised() {
        for private in [
            "127.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
        ] {
            assert!(!needs_permission(private), "{private}");
        }
        for public in ["172.32.0.1", "8.8.8.8", "2001:db8::1", "::2", "example.com"] {
            assert!(needs_permission(public), "{public}");
        }
    }
}
