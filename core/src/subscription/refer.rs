//! The subscription that a REFER makes (RFC 3515 section 2.4): nobody has asked for it with SUBSCRIBE, and it lives in the
//! dialog of the REFER, often that of a call. Here are both its ends; whoever has the dialog sends and answers.

use serde::{Deserialize, Serialize};

use super::state_header::StateHeader;
use crate::cut;
use crate::event::TerminationReason;
use crate::sip::{HeaderName, Message, Params, RequestBuilder, SIPFRAG, StatusLine, reason_phrase};
use crate::time::{Duration, Instant};
use crate::transaction::TRANSACTION_TIMEOUT;

/// A transfer that has not come to an end by then never will: telephones ring for three minutes at most.
const LONGEST: Duration = Duration::from_secs(240);
/// How long the far end is told that its subscription lasts, in seconds.
const GRANTED: u32 = 240;

/// The event package (section 3.1).
const PACKAGE: &str = "refer";

/// The end of who sent the REFER.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReferSubscriber {
    /// The number of the REFER, by which its notifications are told from those of another (section 2.4.6).
    id: u32,
    /// When the next notification, or the end, has to have come.
    until: Instant,
    /// When all of it has to be over.
    limit: Instant,
}

/// What a notification says about the call that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is on its way.
    Proceeding {
        /// What has been heard of it last.
        status: u16,
    },
    /// It has been answered.
    Succeeded,
    /// It has not come about.
    Failed {
        /// The answer it got.
        status: u16,
        /// Its words.
        reason: String,
    },
    /// Nobody is going to say what becomes of it.
    Nothing,
}

impl ReferSubscriber {
    /// For a REFER that is sent now, with the number `id`.
    pub(crate) fn new(now: Instant, id: u32) -> Self {
        Self {
            id,
            // RFC 6665 section 4.1.2.4: timer N.
            until: now + TRANSACTION_TIMEOUT,
            limit: now + LONGEST,
        }
    }

    /// The REFER was sent again, with another number.
    pub(crate) fn resent(&mut self, id: u32) {
        self.id = id;
    }

    /// It was accepted: the first notification is due (RFC 3515 section 2.4.4).
    pub(crate) fn accepted(&mut self, now: Instant) {
        self.until = self.until.max(now + TRANSACTION_TIMEOUT);
    }

    /// When nobody has said what became of it.
    pub(crate) fn deadline(&self) -> Instant {
        self.until.min(self.limit)
    }

    /// The same after a restart, on a clock with another origin.
    pub(crate) fn moved(self, moved: impl Fn(Instant) -> Instant, now: Instant) -> Self {
        // Moments to come cannot be told by their age: the rest is granted anew.
        let limit = moved(self.limit).max(now + TRANSACTION_TIMEOUT);
        Self {
            until: limit,
            limit,
            ..self
        }
    }

    /// Reads a notification.
    ///
    /// # Errors
    /// The status to refuse it with.
    pub(crate) fn notified(&mut self, now: Instant, notify: &Message) -> Result<Told, u16> {
        let state = notify.header(HeaderName::SubscriptionState).ok_or(400_u16)?;
        let state = StateHeader::parse(state).ok_or(400_u16)?;
        let line = match notify.body() {
            [] => None,
            _ if !notify.is_fragment() => return Err(415),
            body => Some(StatusLine::parse(body).ok_or(400_u16)?),
        };
        Ok(match (line, state) {
            (Some(line), _) if (200..300).contains(&line.status) => Told::Succeeded,
            (Some(line), _) if line.status >= 300 => Told::Failed {
                status: line.status,
                reason: line.reason.to_owned(),
            },
            // Section 2.4.4: its user does not want to.
            (
                _,
                StateHeader::Terminated {
                    reason: TerminationReason::Rejected,
                    ..
                },
            ) => Told::Failed {
                status: 603,
                reason: reason_phrase(603).to_owned(),
            },
            (_, StateHeader::Terminated { .. }) => Told::Nothing,
            (line, StateHeader::Pending { expires } | StateHeader::Active { expires }) => {
                let left = expires.map_or(LONGEST, |secs| Duration::from_secs(u64::from(secs)));
                self.until = now + left.clamp(TRANSACTION_TIMEOUT, LONGEST);
                Told::Proceeding {
                    status: line.map_or(100, |line| line.status),
                }
            }
        })
    }

    /// Whether a notification is about this REFER (section 2.4.6).
    ///
    /// # Errors
    /// The status to refuse it with.
    pub(crate) fn owns(&self, notify: &Message) -> Result<(), u16> {
        match event_id(notify)? {
            Some(id) if id != self.id => Err(481),
            Some(_) | None => Ok(()),
        }
    }
}

/// The number of the REFER that a notification or a SUBSCRIBE is about, if it says so.
///
/// # Errors
/// 489 if it is about something else.
pub(crate) fn event_id(request: &Message) -> Result<Option<u32>, u16> {
    let event = request.header(HeaderName::Event).ok_or(489_u16)?;
    let (package, params) = cut::before(event, b';');
    let params = Params::after_value(params).ok_or(400_u16)?;
    if !package.trim().eq_ignore_ascii_case(PACKAGE) {
        return Err(489);
    }
    params
        .value("id")
        .map(|id| id.parse().map_err(|_| 481_u16))
        .transpose()
}

/// The end of who was sent the REFER.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferNotifier {
    id: u32,
    /// RFC 4488: the far end may not want to be told.
    is_wanted: bool,
    /// The status it was told last; 0 before that.
    told: u16,
    /// It has ended its subscription: the next notification is the last one.
    is_last: bool,
}

impl ReferNotifier {
    /// For a REFER that is accepted.
    pub fn new(refer: &Message) -> Self {
        Self {
            id: refer.cseq().map_or(0, |cseq| cseq.number),
            is_wanted: !declines_subscription(refer),
            told: 0,
            is_last: false,
        }
    }

    /// Whether the far end wants to be told what becomes of its REFER.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Whether a SUBSCRIBE with this id is about this REFER.
    pub fn has(&self, id: Option<u32>) -> bool {
        self.is_wanted && id.is_none_or(|id| id == self.id)
    }

    /// Whether `status` is news.
    pub fn owes(&self, status: u16) -> bool {
        self.is_wanted && self.told != status
    }

    /// The last notification did not get through, or somebody wants to hear it again.
    pub fn forget_told(&mut self) {
        self.told = 0;
    }

    /// The far end wants to hear it once more, and then no more (RFC 6665 section 4.2.1.4).
    pub fn take_leave(&mut self) {
        self.told = 0;
        self.is_last = true;
    }

    /// The far end does not know of any subscription.
    pub fn give_up(&mut self) {
        self.is_wanted = false;
    }

    /// Completes a NOTIFY that says how the call stands that was asked for. `is_pending`: somebody is being asked.
    pub fn notify(&mut self, request: RequestBuilder, status: u16, is_pending: bool) -> RequestBuilder {
        self.told = status;
        self.is_wanted &= !self.is_last;
        let state = match status {
            // Section 2.4.7: it is over with the final status.
            200.. => "terminated;reason=noresource".to_owned(),
            _ if self.is_last => "terminated;reason=timeout".to_owned(),
            _ if is_pending => format!("pending;expires={GRANTED}"),
            _ => format!("active;expires={GRANTED}"),
        };
        let line = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status));
        request
            .header(HeaderName::Event, format_args!("{PACKAGE};id={}", self.id))
            .header(HeaderName::SubscriptionState, state)
            .body(&format!("{SIPFRAG};version=2.0"), line.as_bytes())
    }
}

/// RFC 4488 section 4.
fn declines_subscription(message: &Message) -> bool {
    let value = message.header(HeaderName::ReferSub).unwrap_or_default();
    let word = value.split(';').next().unwrap_or_default().trim();
    word.eq_ignore_ascii_case("false")
}
