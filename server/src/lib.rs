//! The Clearline server: serves the phone, signs people in, hands out device credentials, and connects them through the
//! embedded platform ([`clearline_pbx`]). One binary, one port: the pages, a JSON API and SIP over WebSocket (`/sip`).
//!
//! ```no_run
//! use clearline_server::{Options, Server};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::start(Options::demo("data", "web/app/dist")).await?;
//! println!("open {}", server.summary().url);
//! tokio::signal::ctrl_c().await?;
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod accounts;
mod api;
mod app;
pub mod conference;
pub mod echo;
mod files;
mod hold_music;
mod ice;
mod listener;
pub mod local_ca;
mod options;
mod origin;
mod per_address;
mod random;
mod rate_limit;
mod server;
mod sip;
mod storage;
mod tls;
pub mod users_file;
mod web;

pub use app::ShownUser;
pub use clearline_focus::{Controllers, Limits as ConferenceLimits};
pub use ice::IceOptionsError;
pub use options::{
    ConferenceOptions, ConnectionLimits, DEFAULT_DOMAIN, Encryption, IceOptions, Options, Refusal, Users,
};
pub use origin::{AllowedOrigin, PublicUrl};
pub use server::{Server, StartError, Summary};
pub use storage::StorageError;
pub use tls::TlsError;
