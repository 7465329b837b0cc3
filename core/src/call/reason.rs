//! Why a call ends, said and heard in the Reason header (RFC 3326).

use super::{Call, EndCause, Message};
use crate::call::identity::bounded;

/// Values that are read.
const MAX_REASONS: usize = 8;

/// Reason of the CANCEL or BYE that ends a call for `cause`, where it says more than that somebody hung up.
pub(super) fn said(cause: EndCause) -> Option<&'static str> {
    match cause {
        EndCause::NoAnswer => Some("SIP;cause=408;text=\"No answer\""),
        EndCause::NetworkFailed => Some("SIP;cause=408;text=\"Connection lost\""),
        EndCause::NotAcceptable => Some("SIP;cause=488;text=\"Not acceptable here\""),
        EndCause::MediaFailed => Some("SIP;cause=500;text=\"Media failed\""),
        EndCause::AnsweredElsewhere => Some(COMPLETED_ELSEWHERE),
        EndCause::AloneInConference => Some("SIP;cause=480;text=\"Everybody else has left\""),
        EndCause::RemovedFromConference => Some("SIP;cause=403;text=\"Removed from the conference\""),
        EndCause::LocalHangUp
        | EndCause::RemoteHangUp
        | EndCause::Transferred
        | EndCause::MovedToConference
        | EndCause::Cancelled
        | EndCause::Missed
        | EndCause::Declined
        | EndCause::Rejected
        | EndCause::Busy
        | EndCause::DeclinedElsewhere
        | EndCause::NotFound
        | EndCause::Unavailable
        | EndCause::Forbidden
        | EndCause::ServerFailed => None,
    }
}

/// Another telephone has the call (RFC 3326 section 3.1).
pub(super) const COMPLETED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// What the Reason headers of a message say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// A SIP status.
    pub(super) sip: Option<u16>,
    /// An ISDN cause (ITU-T Q.850).
    pub(super) q850: Option<u8>,
    /// Words, for details.
    pub(super) text: Option<String>,
}

impl Heard {
    pub(super) fn read(message: &Message) -> Self {
        let mut heard = Self::default();
        for reason in message.reason_cause().take(MAX_REASONS).flatten() {
            if reason.protocol.eq_ignore_ascii_case("SIP") {
                heard.sip = heard.sip.or(reason.cause());
            } else if reason.protocol.eq_ignore_ascii_case("Q.850") {
                let cause = reason.cause().and_then(|cause| u8::try_from(cause).ok());
                heard.q850 = heard.q850.or(cause);
            }
            if let Some(text) = reason.text().filter(|text| !text.is_empty()) {
                heard.text.get_or_insert_with(|| bounded(&text));
            }
        }
        heard
    }

    /// Why the ringing here was stopped (RFC 3326 section 3.1, RFC 7131).
    pub(super) fn why_unanswered(&self) -> EndCause {
        match self.sip {
            Some(200) => EndCause::AnsweredElsewhere,
            Some(600 | 603) => EndCause::DeclinedElsewhere,
            Some(_) | None => EndCause::Missed,
        }
    }

    /// Why the far end, which may be the focus of a conference, hung up an answered call.
    pub(super) fn why_hung_up(&self, is_focus: bool) -> EndCause {
        match self.sip {
            Some(200) => EndCause::AnsweredElsewhere,
            Some(480) if is_focus => EndCause::AloneInConference,
            Some(403) if is_focus => EndCause::RemovedFromConference,
            Some(_) | None => EndCause::RemoteHangUp,
        }
    }

    /// What the telephone network behind a gateway says, where the SIP status alone says little (RFC 3398 section
    /// 7.2.4.1).
    pub(super) fn why_failed(&self, status: u16) -> Option<EndCause> {
        if !matches!(status, 480 | 487 | 500..=599) {
            return None;
        }
        match self.q850? {
            1 | 2 | 3 | 22 | 28 => Some(EndCause::NotFound),
            17 => Some(EndCause::Busy),
            18 | 19 => Some(EndCause::NoAnswer),
            20 | 27 => Some(EndCause::Unavailable),
            21 => Some(EndCause::Rejected),
            _ => None,
        }
    }
}

impl Call {
    /// Adds what was heard to the end of the call.
    pub(super) fn note_reason(&mut self, heard: &Heard) {
        let Some(end) = &mut self.info.end else { return };
        end.q850_cause = heard.q850;
        if let Some(text) = &heard.text {
            end.text.clone_from(text);
        }
    }
}
