//! `clearline-server`: see `--help`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program tells its terminal what to open"
)]

mod arguments;
mod banner;

use std::process::ExitCode;

use clap::Parser as _;
use clearline_server::{Server, StartError};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use arguments::Arguments;

/// Exit code of a configuration that is refused, as of a command line that is wrong.
const REFUSED: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    log_to_stderr();
    raise_file_limit();
    let options = match Arguments::parse().into_options() {
        Ok(options) => options,
        Err(words) => return fail(&words, ExitCode::from(REFUSED)),
    };
    let server = match Server::start(options).await {
        Ok(server) => server,
        Err(error @ StartError::Refused(_)) => return fail(&error.to_string(), ExitCode::from(REFUSED)),
        Err(error) => return fail(&error.to_string(), ExitCode::FAILURE),
    };
    // Heard before the terminal says how to stop: whoever is told may do so at once.
    let mut signals = match StopSignals::listen() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("cannot wait for signals: {error}"), ExitCode::FAILURE),
    };
    println!("{}", banner::text(server.summary()));
    signals.next().await;
    tokio::select! {
        () = server.stop() => ExitCode::SUCCESS,
        // Asked twice: at once.
        () = signals.next() => ExitCode::FAILURE,
    }
}

fn fail(words: &str, code: ExitCode) -> ExitCode {
    eprintln!("clearline-server: {words}");
    code
}

/// `RUST_LOG` as `level` or `target=level,...`; default `info`.
fn log_to_stderr() {
    let wanted = std::env::var("RUST_LOG")
        .ok()
        .and_then(|text| text.parse::<Targets>().ok());
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(filter).with(lines).init();
}

/// Thousands of sockets may be open at once, and many systems let a program have a thousand files unless it asks.
#[cfg(unix)]
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(not(unix))]
fn raise_file_limit() {}

/// What asks the program to stop: Ctrl-C, and where there are signals SIGTERM.
#[cfg(unix)]
struct StopSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct StopSignals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        let _pressed = self.0.recv().await;
    }
}
