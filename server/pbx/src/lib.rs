//! The embedded telephony platform of Clearline: a registrar (RFC 3261 section 10, RFC 5626, RFC 5627) and stateful
//! forking proxy (RFC 3261 section 16) for one domain, for demonstration, development and small offices. Users may watch
//! their own dialogs on all their devices (RFC 4235).
//!
//! Like the core it does no input or output: [`Platform`] is told the time, takes [`Input`]s and yields [`Output`]s.
//! It has no state outside itself, is `Clone`, and the same inputs give the same outputs.
//!
//! # Driving it
//!
//! One task owns the platform; connections send it what they receive.
//!
//! ```
//! use clearline_core::{Instant, Secret};
//! use clearline_core::ConnectionId;
//! use clearline_core::sip::digest::{Algorithm, Ha1};
//! use clearline_pbx::{Config, Input, Key, Output, Platform, Transport, User, UserId};
//!
//! let mut config = Config::new("clearline.localhost", Key::new([1; 32]));
//! config.domain_aliases.push("127.0.0.1:8080".into());
//! let mut platform = Platform::new(config, [2; 32]);
//!
//! let alice = UserId::new("alice");
//! platform.set_user(User::new("alice").with_number("101").with_display_name("Alice"))?;
//! for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
//!     let ha1 = Ha1::new(algorithm, "alice", &platform.config().realm, &Secret::new("demo"));
//!     platform.add_credential(&alice, "alice", ha1);
//! }
//!
//! // For each event of the outside world:
//! let now = Instant::from_secs(1);
//! let connection = ConnectionId(1);
//! platform.handle_input(now, Input::Connected { connection, transport: Transport::Ws, peer: None });
//! platform.handle_input(now, Input::Received { connection, message: b"\r\n\r\n".to_vec() });
//! let mut frames = Vec::new();
//! let wake_at = loop {
//!     match platform.poll_output() {
//!         Output::Transmit { connection, message } => frames.push((connection, message)),
//!         Output::Disconnect { connection, reason } => eprintln!("close {connection}: {}", reason.as_str()),
//!         Output::Event(event) => eprintln!("{event:?}"),
//!         // Sleep until then, or until the next input; then hand in `Input::Wake`, or that input.
//!         Output::Idle(deadline) => break deadline.map(|deadline| deadline.at),
//!     }
//! };
//! assert_eq!(frames, [(connection, b"\r\n".to_vec())]);
//! assert_eq!(wake_at, None);
//! # Ok::<(), clearline_pbx::UserError>(())
//! ```
//!
//! # What it promises
//!
//! - A client is reached over the connection on which it registered, and over the next one when it comes back with the
//!   same instance and reg-id; dialogs survive that, and a restart of the platform with the same [`Key`] too.
//! - Whatever comes in, nothing panics and memory is bounded per connection and user ([`Limits`]).
//! - No names or numbers in `Debug` output and [`Event`]s, unless asked for ([`UserId::as_str`]).
#![forbid(unsafe_code)]

mod authentication;
mod census;
mod config;
mod connection;
mod deadlines;
mod dialogs;
mod events;
mod flow;
mod gruu;
mod io;
mod key;
mod location;
mod platform;
mod proxy;
mod refusal;
mod registrar;
mod user;

pub use authentication::CredentialId;
pub use census::Census;
pub use clearline_core::Rate;
pub use config::{ChallengePolicy, Config, Limits};
pub use io::{Deadline, DisconnectReason, Event, Input, Limit, Output, Timer, Transport, UnregisteredCause};
pub use key::Key;
pub use platform::Platform;
pub use user::{User, UserError, UserId};
