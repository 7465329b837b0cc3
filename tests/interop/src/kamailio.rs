//! Debian's Kamailio as registrar, proxy and gateway, with `config/kamailio.cfg`.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use clearline_core::sip::digest::Algorithm;

use crate::program::{Folder, Program};
use crate::{PASSWORD, eventually, files, own_address};

/// Where SIP over UDP is spoken.
pub const UDP_PORT: u16 = 27_060;
/// Where calls to `far` go, and whence calls are taken without credentials.
pub const FAR_END_PORT: u16 = 27_070;
const WS_PORT: u16 = 27_080;
const WSS_PORT: u16 = 27_443;

/// What its modules for events look into, though they keep everything in memory here.
const PRESENCE_TABLES: [&str; 6] = [
    "active_watchers",
    "presentity",
    "pua",
    "watchers",
    "xcap",
    "version",
];

/// What a case wants of Kamailio.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The digest it challenges with.
    pub digest: Algorithm,
    /// Strip everything from messages that tells one leg of a call about the other (`topos`), as a back-to-back user
    /// agent would.
    pub topology_hiding: bool,
    /// Give devices an address that leads to them wherever they are (RFC 5627).
    pub gruu: bool,
    /// Follow RFC 5626 as registrar and edge proxy.
    pub outbound: bool,
    /// How long a phone may ring, in milliseconds.
    pub ring_ms: u32,
    /// Tell users of their own dialogs (RFC 4235).
    pub dialog_events: bool,
    /// Where an rtpengine takes commands.
    pub media_relay: Option<SocketAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            digest: Algorithm::Md5,
            topology_hiding: false,
            gruu: true,
            outbound: false,
            ring_ms: 60_000,
            dialog_events: false,
            media_relay: None,
        }
    }
}

/// A running Kamailio.
#[derive(Debug)]
pub struct Kamailio {
    address: Ipv4Addr,
    settings: Settings,
    program: Program,
    folder: Folder,
}

impl Kamailio {
    /// Starts one and waits until it listens.
    pub async fn start(settings: Settings) -> Self {
        let address = own_address();
        let folder = Folder::new();
        write_files(&folder, address, &settings);
        let program = run(&folder, &settings);
        let mut kamailio = Self {
            address,
            settings,
            program,
            folder,
        };
        kamailio.listens().await;
        kamailio
    }

    /// Where it listens.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Where it takes WebSockets.
    pub fn ws(&self) -> SocketAddr {
        (self.address, WS_PORT).into()
    }

    /// Where it takes WebSockets over TLS.
    pub fn wss(&self) -> SocketAddr {
        (self.address, WSS_PORT).into()
    }

    /// The file with the authority that its certificate is from.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Stops it and starts it again: it has then forgotten who is registered.
    pub async fn restart(&mut self) {
        self.program.stop();
        self.program = run(&self.folder, &self.settings);
        self.listens().await;
    }

    async fn listens(&mut self) {
        let address = self.ws();
        let program = &mut self.program;
        eventually(20, "Kamailio listens", || {
            assert!(program.ended().is_none(), "Kamailio ended");
            TcpStream::connect(address).is_ok()
        })
        .await;
    }
}

fn run(folder: &Folder, settings: &Settings) -> Program {
    let here = folder.path();
    Program::start("kamailio", here, |command| {
        // In the foreground, with its children.
        command.args(["-DD", "-E", "-f"]).arg(here.join("kamailio.cfg"));
        command.arg("-Y").arg(here).arg("-w").arg(here);
        let defines = [
            (settings.topology_hiding, "WITH_TOPOLOGY_HIDING"),
            (settings.outbound, "WITH_OUTBOUND"),
            (settings.media_relay.is_some(), "WITH_MEDIA_RELAY"),
            (settings.dialog_events, "WITH_DIALOG_EVENTS"),
        ];
        for (_, define) in defines.iter().filter(|(is_wanted, _)| *is_wanted) {
            command.args(["-A", define]);
        }
    })
}

fn write_files(folder: &Folder, address: Ipv4Addr, settings: &Settings) {
    let modules = modules();
    let template = fs::read_to_string(files("config").join("kamailio.cfg")).unwrap();
    let (head, body) = template.split_once("\n\n").unwrap();
    let values = [
        ("ADDRESS", address.to_string()),
        ("MODULES", modules.display().to_string()),
        ("FOLDER", folder.path().display().to_string()),
        ("PASSWORD", PASSWORD.to_owned()),
        ("DIGEST", settings.digest.as_str().to_owned()),
        ("GRUU", u8::from(settings.gruu).to_string()),
        ("RING_MS", settings.ring_ms.to_string()),
        ("FAR_END", format!("{address}:{FAR_END_PORT}")),
        (
            "RTPENGINE",
            settings.media_relay.map(|at| at.to_string()).unwrap_or_default(),
        ),
    ];
    let body = values
        .iter()
        .fold(body.to_owned(), |text, (name, value)| text.replace(name, value));
    folder.write("kamailio.cfg", &format!("{head}\n\n{body}"));
    write_certificates(folder, address);
    // `topos` leaves more of its columns empty than they are declared to allow.
    if settings.topology_hiding {
        copy_tables(folder, "topos", &["topos_d", "topos_t", "version"]);
    }
    if settings.dialog_events {
        copy_tables(folder, "presence", &PRESENCE_TABLES);
    }
}

/// A certificate for `address`, and the authority that signed it.
fn write_certificates(folder: &Folder, address: Ipv4Addr) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(vec![address.to_string()]).unwrap();
    let server = server.signed_by(&key, &issuer).unwrap();
    folder.write("authority.pem", &certificate.pem());
    folder.write("server.pem", &server.pem());
    folder.write("server.key", &key.serialize_pem());
}

/// Empty tables for a module, in a folder of their own.
fn copy_tables(folder: &Folder, name: &str, tables: &[&str]) {
    let copies = folder.path().join(name);
    fs::create_dir_all(&copies).unwrap();
    for table in tables {
        let empty = Path::new("/usr/share/kamailio/dbtext/kamailio").join(table);
        fs::copy(empty, copies.join(table)).unwrap();
    }
}

/// Debian keeps the modules in a folder per architecture.
fn modules() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let places = folders.map(|entry| entry.path().join("kamailio/modules"));
    places
        .into_iter()
        .find(|place| place.join("websocket.so").is_file())
        .expect("Kamailio with its WebSocket module: `cargo xtask interop` installs it")
}
