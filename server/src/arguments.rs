//! The command line.

use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Parser;
use clearline_server::{
    AllowedOrigin, ConferenceOptions, ConnectionLimits, Controllers, DEFAULT_DOMAIN, Encryption, IceOptions,
    Options, PublicUrl, Users,
};

/// Serves the Clearline phone and connects its users.
///
/// Without options: a demo on http://127.0.0.1:8080 with the users alice, bob and carol, password `demo`.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// Port; 0 takes any free one
    #[arg(long, default_value_t = 8080)]
    port: u16,

    /// Address to listen on; 0.0.0.0 for all. Off loopback, encryption and own users are required
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,

    /// Users file (TOML or JSON: id, number, display_name, password) instead of the demo's users
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,

    /// Certificate chain for TLS (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "local_ca")]
    tls_cert: Option<PathBuf>,

    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// TLS with a certification authority made for this machine; says how to trust it
    #[arg(long)]
    local_ca: bool,

    /// Folder for the database and keys [default: the user's data folder]
    #[arg(long, value_name = "FOLDER", env = "CLEARLINE_DATA_DIR")]
    data_dir: Option<PathBuf>,

    /// Folder of the built phone [default: web/app/dist, or `web` beside the program]
    #[arg(long, value_name = "FOLDER", env = "CLEARLINE_WEB_DIR")]
    web_dir: Option<PathBuf>,

    /// Domain of the users' addresses (sip:alice@DOMAIN)
    #[arg(long, value_name = "NAME", default_value = DEFAULT_DOMAIN)]
    domain: String,

    /// Pages of this origin may connect as well (repeatable): https://crm.example.com, null (files), *
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<AllowedOrigin>,

    /// What people open when a reverse proxy on this machine stands before the server
    #[arg(long, value_name = "URL")]
    public_url: Option<PublicUrl>,

    /// STUN server for the phones (repeatable): stun:host:3478
    #[arg(long, value_name = "URL")]
    stun_url: Vec<String>,

    /// TURN server for the phones (repeatable): turn:host:3478?transport=udp
    #[arg(long, value_name = "URL", requires = "turn_secret_file")]
    turn_url: Vec<String>,

    /// File with the secret shared with the TURN server ("REST API" credentials)
    #[arg(long, value_name = "FILE", requires = "turn_url")]
    turn_secret_file: Option<PathBuf>,

    /// SIP connections of one address at the same time (an office behind one router); as many may come at once
    #[arg(long, value_name = "NUMBER", default_value_t = ConnectionLimits::default().per_address, value_parser = clap::value_parser!(u32).range(1..))]
    connections_per_address: u32,

    /// New SIP connections of one address per second, when more have come than that
    #[arg(long, value_name = "NUMBER", default_value_t = ConnectionLimits::default().new_per_second, value_parser = clap::value_parser!(u32).range(1..))]
    new_connections_per_second: u32,

    /// Without the echo service (600)
    #[arg(long)]
    no_echo: bool,

    /// What whoever is put on hold hears, instead of a melody: WAV or Ogg Opus, at most 4 MiB and five minutes
    #[arg(long, value_name = "FILE")]
    hold_music: Option<PathBuf>,

    /// Without conferences on the platform: phones mix by themselves
    #[arg(long)]
    no_conferences: bool,

    /// Everybody in a conference may invite and remove others, not only who has made it
    #[arg(long, conflicts_with = "no_conferences")]
    conference_for_all: bool,

    /// Parties of one conference
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..=32))]
    conference_parties: u16,

    /// Conferences at the same time; each party takes about a hundredth of a processor
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    conferences_at_once: u16,
}

impl Arguments {
    /// The server's options; an error says in words what to give.
    pub(crate) fn into_options(self) -> Result<Options, String> {
        let encryption = match (self.tls_cert, self.tls_key, self.local_ca) {
            (Some(certificate), Some(key), _) => Encryption::Files { certificate, key },
            (_, _, true) => Encryption::LocalCa,
            _ => Encryption::None,
        };
        let mut conferences = ConferenceOptions {
            at_once: self.conferences_at_once.into(),
            ..ConferenceOptions::default()
        };
        conferences.limits.parties = self.conference_parties.into();
        if self.conference_for_all {
            conferences.controllers = Controllers::Participants;
        }
        let data_dir = self.data_dir.or_else(default_data_dir);
        Ok(Options {
            listen: SocketAddr::new(self.listen, self.port),
            users: self.users.map_or(Users::Demo, Users::File),
            encryption,
            data_dir: data_dir.ok_or("there is no home folder: say where to keep data with --data-dir")?,
            web_dir: self.web_dir.unwrap_or_else(default_web_dir),
            domain: self.domain.to_ascii_lowercase(),
            allowed_origins: self.allow_origin,
            public_url: self.public_url,
            ice: IceOptions {
                stun_urls: self.stun_url,
                turn_urls: self.turn_url,
                turn_secret_file: self.turn_secret_file,
            },
            connections: ConnectionLimits {
                per_address: self.connections_per_address,
                new_per_second: self.new_connections_per_second,
            },
            echo: !self.no_echo,
            conferences: (!self.no_conferences).then_some(conferences),
            hold_music: self.hold_music,
        })
    }
}

/// Where the system keeps data of programs, per user.
fn default_data_dir() -> Option<PathBuf> {
    let folder = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")))
    };
    base.map(|base| base.join("clearline-server"))
}

fn default_web_dir() -> PathBuf {
    let beside = env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.join("web")));
    beside
        .filter(|folder| folder.is_dir())
        .unwrap_or_else(|| Path::new("web/app/dist").to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_options_it_is_the_demo_on_loopback() {
        let options = Arguments::parse_from(["clearline-server", "--data-dir", "x"])
            .into_options()
            .unwrap();
        assert_eq!(options.listen, SocketAddr::from(([127, 0, 0, 1], 8080)));
        assert_eq!(
            (options.users, options.encryption),
            (Users::Demo, Encryption::None)
        );
        assert!(options.echo);
    }

    #[test]
    fn an_office_may_be_larger_or_smaller() {
        let options = |arguments: &[&str]| {
            let all = ["clearline-server", "--data-dir", "x"].iter().chain(arguments);
            Arguments::try_parse_from(all)
        };
        let limits = options(&[
            "--connections-per-address",
            "5000",
            "--new-connections-per-second",
            "7",
        ]);
        assert_eq!(
            limits.unwrap().into_options().unwrap().connections,
            ConnectionLimits {
                per_address: 5_000,
                new_per_second: 7
            }
        );
        assert!(options(&["--connections-per-address", "0"]).is_err());
    }

    #[test]
    fn conferences_have_bounds_or_there_are_none() {
        let options = |arguments: &[&str]| {
            let all = ["clearline-server", "--data-dir", "x"].iter().chain(arguments);
            Arguments::try_parse_from(all).map(|arguments| arguments.into_options().unwrap().conferences)
        };
        assert_eq!(options(&[]).unwrap(), Some(ConferenceOptions::default()));
        assert_eq!(options(&["--no-conferences"]).unwrap(), None);
        let all = [
            "--conference-for-all",
            "--conference-parties",
            "20",
            "--conferences-at-once",
            "3",
        ];
        let conferences = options(&all).unwrap().unwrap();
        assert_eq!(conferences.controllers, Controllers::Participants);
        assert_eq!((conferences.limits.parties, conferences.at_once), (20, 3));
        for bad in [
            ["--conference-parties", "1"],
            ["--conference-parties", "33"],
            ["--conferences-at-once", "0"],
        ] {
            assert!(options(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn half_a_certificate_is_refused() {
        assert!(Arguments::try_parse_from(["clearline-server", "--tls-cert", "x"]).is_err());
        assert!(Arguments::try_parse_from(["clearline-server", "--turn-url", "turn:x"]).is_err());
    }
}
