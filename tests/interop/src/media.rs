//! Pretended media: the simulation's, which is strict about the rules of offer and answer, behind the driver's trait.

use std::collections::BTreeSet;

use clearline_core::{Input, MediaAction, MediaEvent, MediaSessionId, MediaTransport};
use clearline_native::media::{MediaBackend, MediaJob, WebRtcMedia};
use clearline_sim::Media;
use tokio::sync::mpsc;

/// What a device has for media.
pub(crate) enum Backend {
    Pretended(Box<PretendedMedia>),
    Real(WebRtcMedia),
}

impl MediaBackend for Backend {
    fn execute(&mut self, job: MediaJob, reports: &mpsc::UnboundedSender<Input>) {
        match self {
            Self::Pretended(media) => media.execute(job, reports),
            Self::Real(media) => media.execute(job, reports),
        }
    }
}

/// Negotiates, and connects as soon as both descriptions are known.
pub(crate) struct PretendedMedia {
    media: Media,
    connected: BTreeSet<MediaSessionId>,
}

impl PretendedMedia {
    pub(crate) fn new(device: u8) -> Self {
        Self {
            media: Media::new(usize::from(device), [device; 32]),
            connected: BTreeSet::new(),
        }
    }
}

impl MediaBackend for PretendedMedia {
    fn execute(&mut self, job: MediaJob, reports: &mpsc::UnboundedSender<Input>) {
        let agrees = matches!(
            job.action,
            MediaAction::CreateAnswer { .. } | MediaAction::ApplyAnswer { .. }
        );
        let (request, session) = (job.request, job.session);
        let result = self.media.execute(session, job.action);
        let is_agreed = agrees && result.is_ok();
        // The driver is there for as long as its backend is.
        let _ = reports.send(Input::MediaDone { request, result });
        if is_agreed && self.connected.insert(session) {
            let event = MediaEvent::Transport {
                state: MediaTransport::Connected,
            };
            let _ = reports.send(Input::Media { session, event });
        }
    }
}
