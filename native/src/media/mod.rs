//! Media: the seam between signalling and audio, and the backend behind it.
//!
//! [`MediaBackend`] executes what the agent asks for ([`clearline_core::MediaAction`]). [`WebRtcMedia`] is the one with
//! real packets: ICE, DTLS-SRTP, Opus, G.722 and G.711, telephone events. Audio never passes through signalling:
//!
//! ```text
//! AudioSource -> encoder -> RTP ------> network ------> RTP -> playout engine (decoder) -> AudioSink
//! ```

mod backend;
mod capture;
mod codec;
mod conference;
mod description;
mod hold;
mod incoming;
mod outgoing;
mod peer;
mod reports;
mod session;
mod statistics;
mod stream;
mod telephone_event;

use clearline_core::{CallId, Input, MediaAction, MediaRequestId, MediaSessionId};
use tokio::sync::mpsc;

pub use backend::{WebRtcMedia, WebRtcMediaBuilder};
pub use peer::IceServer;
pub use statistics::{MediaStatistics, StatisticsReader};

/// Executes the agent's media requests.
///
/// Jobs of one session are executed in the order given. Each is answered exactly once with [`Input::MediaDone`];
/// [`Input::Media`] tells what happens in between. After `Close` has been answered nothing more is said of a session.
pub trait MediaBackend: Send + 'static {
    /// Takes a job. Must not block; answers go to `reports`, now or later.
    fn execute(&mut self, job: MediaJob, reports: &mpsc::UnboundedSender<Input>);
}

/// One request of the agent, as [`clearline_core::Output::Media`] has it.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaJob {
    /// Names the answer.
    pub request: MediaRequestId,
    /// The call it belongs to.
    pub call: CallId,
    /// The session to use; the first offer or answer creates it.
    pub session: MediaSessionId,
    /// What to do.
    pub action: MediaAction,
}
