//! Clearline without a browser: a softphone for tokio programs, with real audio.
//!
//! A [`Phone`] registers one account and makes and takes calls. It owns an agent of the core ([`clearline_core::UserAgent`]),
//! drives it in one task, and does what it asks for: connections by a [`transport`], calls' audio by [`media`], sound from
//! and to devices, files or an echo by [`audio`].
//!
//! ```no_run
//! use clearline_core::{Config, Secret, sip::UriBuf};
//! use clearline_native::{Phone, audio::{Audio, Recording, Silence}};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::new(
//!     UriBuf::parse("sip:alice@clearline.localhost")?,
//!     "ws://127.0.0.1:8080/sip",
//!     "urn:uuid:3c0f6f0e-7c5e-4d3c-9a53-6ff1b0a7a6f1", // names this device; the same at every start
//! );
//! config.password = Secret::new("demo");
//!
//! let phone = Phone::builder(config)
//!     .audio(|_call| {
//!         let tape = Recording::create("call.wav".as_ref()).map_err(|error| clearline_core::MediaError {
//!             kind: clearline_core::MediaErrorKind::DeviceFailed,
//!             detail: error.to_string(),
//!         })?;
//!         Ok(Audio { source: Box::new(Silence), sink: Box::new(tape) })
//!     })
//!     .start()?;
//! phone.registered().await?;
//!
//! let call = phone.call("600").await?;
//! match call.answered().await {
//!     Some(info) => println!("talking to {}", info.remote.uri),
//!     None => println!("no answer: {:?}", call.ended().await.and_then(|info| info.end)),
//! }
//! call.send_dtmf("1").await?;
//! call.hang_up().await?;
//! phone.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Features: `devices` (on by default) for microphones and speakers, `cli` for the program `clearline`.

pub mod audio;
mod clock;
mod driver;
mod error;
pub mod media;
mod phone;
mod recording;
pub mod ringer;
pub mod transport;

pub use audio::EchoAudio;
pub use clock::Clock;
pub use error::{PhoneError, RegistrationError};
pub use phone::{Call, Phone, PhoneBuilder, PhoneState};
