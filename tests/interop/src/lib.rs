//! Clearline against SIP software that others wrote, each of it started for one case and stopped with it.
//!
//! ```text
//! Device (core + native) --ws, wss--> Kamailio --udp--> SIPp, baresip
//!        |                               | ng
//!        +--------DTLS-SRTP-------> rtpengine --RTP--> baresip
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`kamailio`] | registrar, proxy and gateway between WebSocket and UDP |
//! | [`world`] | Kamailio with two devices, in each way that devices reach it |
//! | [`sipp`] | a far end that follows a script, for signalling |
//! | [`rtpengine`], [`baresip`] | the way to a phone without WebRTC, and that phone |
//! | [`device`] | a Clearline phone with a recorded wire, real media or pretended media |
//! | [`cable`] | a connection that can be cut |
//! | [`tone`] | what is said into calls, and how it is recognised |
//!
//! All of it listens on an address of its own in 127.0.0.0/8 ([`own_address`]), so cases do not meet each other. The
//! programs are Debian's; `cargo xtask interop` installs them and runs the cases.
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "what only tests use fails by panicking, and then shows what it knows"
)]

pub mod baresip;
pub mod cable;
pub mod device;
pub mod kamailio;
mod media;
mod program;
pub mod rtpengine;
pub mod sipp;
pub mod tone;
mod wire;
pub mod world;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

pub use device::Device;
pub use kamailio::Kamailio;
pub use wire::{Flow, Wire};

/// The domain everybody is in.
pub const DOMAIN: &str = "clearline.localhost";
/// Everybody's password.
pub const PASSWORD: &str = "correct-horse";

/// An address of the loopback network that no other case uses.
pub fn own_address() -> Ipv4Addr {
    static USED: AtomicU8 = AtomicU8::new(0);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    // Never 127.0, which everybody else uses, nor a broadcast address.
    Ipv4Addr::new(
        127,
        high % 253 + 1,
        low,
        USED.fetch_add(1, Ordering::Relaxed) % 254 + 1,
    )
}

/// Ends `work` after so many seconds: the case has then failed, and `what` says at which step.
pub async fn within<T>(seconds: u64, what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(seconds), work).await {
        Ok(value) => value,
        Err(_) => panic!("not within {seconds} s: {what}"),
    }
}

/// Looks again until `condition` holds: for what can only be looked at, such as a log or a port.
pub async fn eventually(seconds: u64, what: &str, mut condition: impl FnMut() -> bool) {
    let look = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(seconds, what, look).await;
}

/// A folder of this crate's files.
fn files(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder)
}
