//! The echo service: whoever calls it hears themselves a second later, so that one person alone can try a phone.
//!
//! It is an ordinary user agent on the same core and the same native media as any other phone; only its connection
//! to the platform stays inside this process.

use std::collections::BTreeSet;
use std::time::Duration;

use clearline_core::sip::UriBuf;
use clearline_core::{Config, MediaTransport, Secret};
use clearline_native::transport::{ChannelListener, ChannelTransport, Connection};
use clearline_native::{Call, EchoAudio, Phone};
use clearline_pbx::{Transport, User};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::accounts::ha1;
use crate::random;
use crate::sip::{Line, Switch};

/// The service's user id.
pub const USER: &str = "echo";
/// What one dials to reach it.
pub const NUMBER: &str = "600";
/// What callers see.
pub const DISPLAY_NAME: &str = "Echo";

/// Callers at the same time; the next one hears busy.
const MAX_CALLS: usize = 32;
/// Long enough to tell one's own voice from the line's own delay, short enough not to wait for.
const DELAY: Duration = Duration::from_secs(1);
/// A caller whose audio has not arrived by then has no path for it.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(60);
/// Nobody listens to themselves for longer; a call that was forgotten ends.
const MAX_DURATION: Duration = Duration::from_secs(3600);

/// The running service. Dropping it ends it without a word to its callers.
pub(crate) struct Echo {
    phone: Phone,
    tasks: JoinSet<()>,
}

/// The service cannot run; the server goes on without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EchoError(String);

impl std::fmt::Display for EchoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Echo {
    /// Makes the service a user of the platform and starts it; it registers by itself.
    pub(crate) async fn start(switch: &Switch, domain: &str) -> Result<Self, EchoError> {
        warn_of_missing_network();
        let password = Secret::new(random::token::<24>());
        switch
            .add_user(
                User::new(USER)
                    .with_number(NUMBER)
                    .with_display_name(DISPLAY_NAME),
            )
            .await;
        switch
            .add_credential(USER.to_owned(), USER.to_owned(), ha1(USER, domain, &password))
            .await;

        let (transport, listener) = ChannelTransport::new();
        let phone = Phone::builder(config(domain, password)?)
            .transport(transport)
            .audio(EchoAudio::new(DELAY))
            .start()
            .map_err(|error| EchoError(error.to_string()))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(connect(listener, switch.clone()));
        tasks.spawn(report_registration(phone.clone()));
        tasks.spawn(guard_calls(phone.clone()));
        Ok(Self { phone, tasks })
    }

    /// Ends the calls and un-registers.
    pub(crate) async fn stop(mut self) {
        self.phone.stop().await;
        self.tasks.shutdown().await;
    }
}

fn config(domain: &str, password: Secret) -> Result<Config, EchoError> {
    let address =
        UriBuf::parse(format!("sip:{USER}@{domain}")).map_err(|error| EchoError(error.to_string()))?;
    // A new instance at each start: nothing of an earlier one is left, and the platform forgets it by itself.
    let mut config = Config::new(address, "ws://in-process/sip", random::uuid_urn());
    config.display_name = DISPLAY_NAME.into();
    config.password = password;
    config.auto_answer = true;
    config.max_calls = MAX_CALLS;
    Ok(config)
}

/// Browsers send no audio to a peer that has only a loopback address.
fn warn_of_missing_network() {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    if interfaces.iter().all(if_addrs::Interface::is_loopback) {
        tracing::warn!("there is no network but loopback: browsers get no audio from the echo service");
    }
}

/// Joins each connection the phone opens to the platform.
async fn connect(mut listener: ChannelListener, switch: Switch) {
    while let Some(connection) = listener.accept().await {
        let line = switch.open(Transport::Ws, None).await;
        carry(connection, line).await;
    }
}

async fn carry(mut connection: Connection, mut line: Line) {
    loop {
        let goes_on = tokio::select! {
            message = connection.incoming.recv() => match message {
                Some(message) => line.send(message).await,
                None => false,
            },
            message = line.receive() => match message {
                Some(message) => connection.outgoing.send(message).await.is_ok(),
                None => false,
            },
        };
        if !goes_on {
            connection.close_reason.set("the platform closed the connection");
            return;
        }
    }
}

async fn report_registration(phone: Phone) {
    match phone.registered().await {
        Ok(()) => tracing::debug!("the echo service is ready"),
        Err(error) => tracing::error!(%error, "the echo service is not registered"),
    }
}

/// Sees to it that every call ends, also those whose caller has vanished.
async fn guard_calls(phone: Phone) {
    let (mut state, mut known, mut guards) = (phone.watch(), BTreeSet::new(), JoinSet::new());
    loop {
        let calls: BTreeSet<_> = state.borrow_and_update().calls.keys().copied().collect();
        for id in calls.difference(&known) {
            guards.spawn(guard(phone.call_handle(*id)));
        }
        known = calls;
        while guards.try_join_next().is_some() {}
        if state.changed().await.is_err() {
            return;
        }
    }
}

async fn guard(call: Call) {
    let connected = call.when(|info| info.media == MediaTransport::Connected);
    if timeout(MEDIA_TIMEOUT, connected).await.is_ok() {
        let failed = call.when(|info| info.media == MediaTransport::Failed);
        // Too long or failed, both are the end.
        drop(timeout(MAX_DURATION, failed).await);
    }
    // Fails when the call has ended by itself, which is how most do.
    drop(call.hang_up().await);
}
