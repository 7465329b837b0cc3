//! Puts the parts together: starts everything, and stops it in an orderly way.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clearline_pbx::{Config, Key, Platform, User as PlatformUser};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::accounts::Accounts;
use crate::app::{App, Parts, ShownUser};
use crate::conference::Conferences;
use crate::echo::Echo;
use crate::files;
use crate::hold_music::HoldMusic;
use crate::ice::{IceOptionsError, IceServers};
use crate::listener;
use crate::local_ca::LocalCa;
use crate::options::{Encryption, Options, Refusal, Users};
use crate::origin::OriginPolicy;
use crate::random;
use crate::sip::{Places, Switch};
use crate::storage::{Storage, StorageError, User};
use crate::tls::{self, Tls, TlsError};
use crate::users_file::{self, UserEntry, UsersFileError};
use crate::web::Assets;

/// How often expired sessions are cleared away.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);
/// What WebSocket clients may take for the closing handshake when the server stops.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A running server.
#[must_use = "a server that is dropped stops at once"]
pub struct Server {
    address: SocketAddr,
    summary: Summary,
    app: App,
    stop: watch::Sender<bool>,
    listener: JoinHandle<()>,
    echo: Option<Echo>,
    conferences: Option<Conferences>,
    /// Work that ends with the server.
    background: JoinSet<()>,
}

/// What a terminal shows after the start.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Scheme, host and port people open.
    pub url: String,
    /// Where SIP clients connect.
    pub sip_url: String,
    /// Domain of the addresses of record.
    pub domain: String,
    /// All users.
    pub users: Vec<ShownUser>,
    /// Whether the echo service runs.
    pub has_echo: bool,
    /// Whether they are the demo's.
    pub is_demo: bool,
    /// The local CA, if one is used.
    pub local_ca: Option<LocalCa>,
    /// Whether the phone has been built.
    pub phone_built: bool,
    /// Where it is looked for.
    pub web_dir: PathBuf,
}

/// The server cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is not run; see [`Refusal`].
    Refused(Refusal),
    /// Another program listens there, the address is not one of this machine, or the port needs more rights.
    Listen(SocketAddr, io::Error),
    /// The folder for data cannot be made or used.
    DataDir(PathBuf, io::Error),
    /// The database cannot be used.
    Storage(StorageError),
    /// The users file cannot be used.
    UsersFile(UsersFileError),
    /// Certificates cannot be used.
    Tls(TlsError),
    /// STUN and TURN options cannot be used.
    Ice(IceOptionsError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "{address} is in use by another program; choose another port with --port"
                )
            }
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::DataDir(path, error) => {
                write!(
                    f,
                    "cannot use the data folder {}: {error}; choose another with --data-dir",
                    path.display()
                )
            }
            Self::Storage(error) => write!(f, "{error}"),
            Self::UsersFile(error) => write!(f, "{error}"),
            Self::Tls(error) => write!(f, "{error}"),
            Self::Ice(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for StartError {}

macro_rules! from {
    ($($error:ident => $variant:ident),*) => {
        $(impl From<$error> for StartError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from!(Refusal => Refused, StorageError => Storage, UsersFileError => UsersFile, TlsError => Tls, IceOptionsError => Ice);

impl Server {
    /// Starts the server; when this returns it accepts connections. Needs a multi-threaded tokio runtime.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        options.check()?;
        let entries = users(&options)?;
        let ice = IceServers::new(&options.ice)?;
        let storage = open_storage(&options).await?;
        let accounts = Accounts::new(storage.clone(), options.domain.clone());
        let users = accounts.provision(entries).await?;
        let listen_error = |error| StartError::Listen(options.listen, error);
        let listener = TcpListener::bind(options.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let tls = tls::set_up(&options, address.ip())?;
        let switch = start_platform(&options, &storage, &accounts, &users, address, &tls).await?;
        let echo = if options.echo {
            start_echo(&switch, &options.domain).await
        } else {
            None
        };

        let conferences = start_conferences(&switch, &options).await;

        let app = App::new(Parts {
            domain: options.domain.clone(),
            accounts,
            assets: Assets::new(options.web_dir.clone()),
            ice,
            origins: OriginPolicy {
                tls: tls.config.is_some(),
                public: options.public_url.clone(),
                allowed: options.allowed_origins.clone(),
            },
            switch,
            places: Places::new(options.connections),
            users_to_show: if options.users == Users::Demo {
                shown(&users)
            } else {
                Vec::new()
            },
            has_echo: echo.is_some(),
            has_conferences: conferences.is_some(),
            hold_music: options.hold_music.as_deref().and_then(HoldMusic::load),
            local_ca_certificate: tls
                .local_ca
                .as_ref()
                .and_then(|ca| std::fs::read_to_string(&ca.certificate).ok()),
            started: Instant::now(),
        });
        let summary = summary(&options, address, &users, &tls, &app).await;
        let (stop, stopping) = watch::channel(false);
        let listener = tokio::spawn(listener::serve(
            listener,
            tls.config,
            app.clone().router(),
            stopping,
        ));
        let mut background = JoinSet::new();
        background.spawn(keep_house(app.clone()));
        Ok(Self {
            address,
            summary,
            app,
            stop,
            listener,
            echo,
            conferences,
            background,
        })
    }

    /// The address listened on; tells the port that was taken for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to tell whoever started it.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Stops: ends the services' calls, closes WebSockets with "going away", lets requests finish. Takes some seconds
    /// at most.
    pub async fn stop(mut self) {
        if let Some(echo) = self.echo.take() {
            echo.stop().await;
        }
        if let Some(conferences) = self.conferences.take() {
            conferences.stop().await;
        }
        self.app.switch.stop().await;
        self.stop.send_replace(true);
        self.background.abort_all();
        if timeout(CLOSE_TIMEOUT, self.app.places.all_free()).await.is_err() {
            tracing::debug!("some clients did not close in time");
        }
        if let Err(error) = self.listener.await {
            tracing::error!(%error, "the listener did not stop properly");
        }
    }
}

fn users(options: &Options) -> Result<Vec<UserEntry>, StartError> {
    let Users::File(path) = &options.users else {
        return Ok(users_file::demo_users());
    };
    let entries = users_file::read(path)?;
    if options.reachable_by_others() {
        let weak: Vec<_> = entries
            .iter()
            .filter(|user| user.has_weak_password())
            .map(|user| user.id.clone())
            .collect();
        if !weak.is_empty() {
            return Err(Refusal::WeakPasswords(weak).into());
        }
    }
    warn_of_readable(path);
    Ok(entries)
}

/// The users file holds passwords.
#[cfg(unix)]
fn warn_of_readable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let is_readable =
        std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0);
    if is_readable {
        tracing::warn!(
            "everybody on this machine can read {}; chmod 600 it",
            path.display()
        );
    }
}

#[cfg(not(unix))]
fn warn_of_readable(_: &Path) {}

/// The demo has a database of its own: its users never mix with real ones.
async fn open_storage(options: &Options) -> Result<Storage, StartError> {
    let name = match options.users {
        Users::Demo => "demo.sqlite",
        Users::File(_) => "clearline.sqlite",
    };
    let path = options.data_dir.join(name);
    let error = |error| StartError::DataDir(options.data_dir.clone(), error);
    files::private_folder(&options.data_dir).map_err(error)?;
    files::make_private(&path).map_err(error)?;
    Ok(Storage::open(&path).await?)
}

async fn start_platform(
    options: &Options,
    storage: &Storage,
    accounts: &Accounts,
    users: &[User],
    address: SocketAddr,
    tls: &Tls,
) -> Result<Switch, StartError> {
    let mut config = Config::new(options.domain.clone(), Key::new(platform_key(storage).await?));
    config.domain_aliases = domain_aliases(address, tls);
    let switch = Switch::start(Platform::new(config, random::bytes()));
    for user in users {
        let platform_user = PlatformUser::new(user.id.clone())
            .with_number(user.number.clone())
            .with_display_name(user.display_name.clone());
        switch.add_user(platform_user).await;
        switch
            .add_credential(user.id.clone(), user.id.clone(), user.ha1.clone())
            .await;
    }
    for device in accounts.devices().await? {
        switch
            .add_credential(device.user_id, device.auth_user, device.ha1)
            .await;
    }
    Ok(switch)
}

/// The server is of use without it.
async fn start_echo(switch: &Switch, domain: &str) -> Option<Echo> {
    match Echo::start(switch, domain).await {
        Ok(echo) => Some(echo),
        Err(error) => {
            tracing::error!(%error, "the echo service does not run");
            None
        }
    }
}

async fn start_conferences(switch: &Switch, options: &Options) -> Option<Conferences> {
    match Conferences::start(switch, &options.domain, options.conferences?).await {
        Ok(conferences) => Some(conferences),
        Err(error) => {
            tracing::error!(%error, "there are no conferences");
            None
        }
    }
}

/// The platform's key is made once: routes and nonces stay valid over a restart.
async fn platform_key(storage: &Storage) -> Result<[u8; 32], StorageError> {
    const NAME: &str = "platform-key";
    if let Some(key) = storage.meta(NAME).await?.and_then(|key| key.try_into().ok()) {
        return Ok(key);
    }
    let key: [u8; 32] = random::bytes();
    storage.set_meta(NAME, key.to_vec()).await?;
    Ok(key)
}

/// The server's own names and addresses stand for the domain, so that a client may use what it connects to.
fn domain_aliases(address: SocketAddr, tls: &Tls) -> Vec<String> {
    let mut aliases = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
    aliases.push(host_text(address));
    if let Some(ca) = &tls.local_ca {
        aliases.extend(ca.names.iter().map(|name| {
            if name.contains(':') {
                format!("[{name}]")
            } else {
                name.clone()
            }
        }));
    }
    if address.ip().is_unspecified() {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        aliases.extend(
            interfaces
                .into_iter()
                .map(|interface| host_text(SocketAddr::new(interface.ip(), 0))),
        );
    }
    aliases.sort();
    aliases.dedup();
    aliases
}

/// The address as the host of a URI.
fn host_text(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

async fn keep_house(app: App) {
    app.assets.warm_up().await;
    let mut ticks = interval(HOUSEKEEPING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match app.accounts.end_expired_sessions().await {
            Ok(ended) => app.switch.remove_credentials(ended).await,
            Err(error) => tracing::error!(%error, "expired sessions could not be cleared away"),
        }
    }
}

async fn summary(options: &Options, address: SocketAddr, users: &[User], tls: &Tls, app: &App) -> Summary {
    let is_tls = tls.config.is_some();
    let host = if address.ip().is_unspecified() {
        "localhost".into()
    } else {
        host_text(address)
    };
    let authority = format!("{host}:{}", address.port());
    let direct = (
        if is_tls { "https" } else { "http" },
        if is_tls { "wss" } else { "ws" },
    );
    let (url, sip_url) = match &options.public_url {
        Some(public) => (public.url(), public.sip_url()),
        None => (
            format!("{}://{authority}", direct.0),
            format!("{}://{authority}/sip", direct.1),
        ),
    };
    Summary {
        url,
        sip_url,
        domain: options.domain.clone(),
        users: shown(users),
        has_echo: app.has_echo,
        is_demo: options.users == Users::Demo,
        local_ca: tls
            .local_ca
            .clone()
            .filter(|_| options.encryption == Encryption::LocalCa),
        phone_built: app.assets.is_built().await,
        web_dir: options.web_dir.clone(),
    }
}

fn shown(users: &[User]) -> Vec<ShownUser> {
    let mut shown: Vec<_> = users
        .iter()
        .map(|user| ShownUser {
            id: user.id.clone(),
            number: user.number.clone(),
            display_name: user.display_name.clone(),
        })
        .collect();
    shown.sort_by(|a, b| a.number.cmp(&b.number));
    shown
}
