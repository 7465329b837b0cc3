//! What participants ask the focus to do (REFER, RFC 4579 sections 5.5 to 5.11), and what they are told of it.
//!
//! ```text
//! REFER --202--> under way --NOTIFY 100, 180--> answered, refused, gone --NOTIFY with the status--> over
//!                            NOTIFY lost with a connection, or put off: once more;  NOTIFY refused: over
//! ```

use clearline_core::dialog::Dialog;
use clearline_core::sip::{HeaderName, Message, Method, NameAddr, ReferTo, RequestBuilder, UriBuf, quote};
use clearline_core::transaction::TransactionId;
use clearline_core::{CallId, CallInfo, CallState, EndCause, Instant, Invitation, ReferNotifier};

use crate::address::{is_conference, record, shown};
use crate::desk::{Desk, End, Outcome};
use crate::settings::CONFERENCE_PREFIX;

/// Under way at once.
const MAX_REFERRALS: usize = 32;
/// NOTIFYs about one referral that are lost in a row.
const MAX_LOST: u8 = 12;
/// Bytes of a Refer-To; one with a device and a Replaces is a fifth of it.
const LONGEST: usize = 2_048;

/// What a REFER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Somebody is to be called (section 5.5), perhaps in place of another call (section 5.6).
    Invite {
        target: UriBuf,
        display_name: String,
        replaces: Option<String>,
    },
    /// Somebody is to go (section 5.11): a user, or one device as the documents name it.
    Remove { entity: String },
}

impl Wish {
    /// Reads a REFER.
    ///
    /// # Errors
    /// The status to refuse it with: only users of `domain` are called, and nothing but calls is made for anybody.
    pub(crate) fn read(refer: &Message, domain: &str, services: &[String]) -> Result<Self, u16> {
        let mut values = refer.header_all(HeaderName::ReferTo);
        // RFC 3515 section 2.4.2: exactly one.
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(400);
        };
        if value.len() > LONGEST {
            return Err(400);
        }
        if let Some(entity) = removed(value, domain) {
            return Ok(Self::Remove { entity });
        }
        let refer_to = ReferTo::parse(value).map_err(|error| error.status())?;
        let uri = refer_to.target.as_uri();
        let user = uri.user_decoded();
        let Some(record) = record(&uri, domain) else {
            return Err(403);
        };
        // As with transfers, a code for the platform is not somebody; nor is a conference, or an echo that would fill one for ever.
        let is_service = services.iter().any(|service| service.eq_ignore_ascii_case(&user));
        if user.contains(['*', '#'])
            || user.starts_with(CONFERENCE_PREFIX)
            || is_conference(&record)
            || is_service
        {
            return Err(403);
        }
        Ok(Self::Invite {
            display_name: shown(&refer_to.display_name),
            replaces: refer_to.replaces,
            target: refer_to.target,
        })
    }

    /// The call that it asks for, on behalf of `user`.
    pub(crate) fn invitation(self, user: &str, name: &str) -> Option<Invitation> {
        let Self::Invite {
            target,
            display_name,
            replaces,
        } = self
        else {
            return None;
        };
        let referred_by = match name {
            "" => format!("<{user}>"),
            name => format!("{} <{user}>", quote(name)),
        };
        Some(Invitation {
            target,
            display_name,
            replaces,
            referred_by: Some(referred_by),
        })
    }
}

/// Whom a Refer-To with `method=BYE` names.
fn removed(refer_to: &str, domain: &str) -> Option<String> {
    let uri = NameAddr::parse(refer_to).ok()?.uri;
    let method = uri.params().value("method")?;
    let user = record(&uri, domain).filter(|_| method.eq_ignore_ascii_case("BYE"))?;
    Some(match uri.params().value("party") {
        Some(number) => format!("{user};party={number}"),
        None => user,
    })
}

/// Everything that is under way.
#[derive(Debug, Default)]
pub(crate) struct Referrals {
    all: Vec<Referral>,
}

#[derive(Debug)]
struct Referral {
    notifier: ReferNotifier,
    way: Way,
    call: CallId,
    goal: Goal,
    status: u16,
    /// The NOTIFY that has not been answered.
    transaction: Option<TransactionId>,
    /// No NOTIFY before then.
    next_at: Instant,
    /// NOTIFYs that did not come, in a row.
    lost: u8,
}

/// In which dialog the participant is told.
#[derive(Debug)]
pub(crate) enum Way {
    /// In that of his call.
    Call(CallId),
    /// In one that the REFER has made.
    Own(Box<Dialog>),
}

/// What is to become of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Answer,
    End,
}

impl Referrals {
    pub(crate) fn is_full(&self) -> bool {
        self.all.len() >= MAX_REFERRALS
    }

    pub(crate) fn begin(&mut self, notifier: ReferNotifier, way: Way, call: CallId, goal: Goal) {
        self.all.push(Referral {
            notifier,
            way,
            call,
            goal,
            status: 100,
            transaction: None,
            next_at: Instant::ZERO,
            lost: 0,
        });
    }

    /// A call has changed.
    pub(crate) fn update(&mut self, info: &CallInfo) {
        for referral in self
            .all
            .iter_mut()
            .filter(|it| it.call == info.id && it.status < 200)
        {
            if let Some(status) = referral.goal.status(info) {
                referral.status = status;
            }
        }
    }

    /// Tells what is not told yet. `in_call` begins a request in a participant's call, if that is still there.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        desk: &mut Desk,
        contact: &str,
        mut in_call: impl FnMut(CallId) -> Option<RequestBuilder>,
    ) {
        self.all.retain_mut(|it| {
            if it.transaction.is_some() || it.is_owing() && it.next_at > now {
                return true;
            }
            if !it.is_owing() {
                return it.status < 200 && it.notifier.is_wanted();
            }
            let request = match &mut it.way {
                Way::Call(call) => in_call(*call),
                Way::Own(dialog) => {
                    let request = dialog.request(Method::Notify);
                    Some(request.header(HeaderName::Contact, contact))
                }
            };
            let Some(request) = request else { return false };
            let notify = it.notifier.notify(request, it.status, false);
            it.transaction = desk.send(now, notify);
            it.transaction.is_some()
        });
    }

    /// A NOTIFY was answered, or not: who refuses it does not want to know. One that was lost with a connection is sent again.
    pub(crate) fn answered(&mut self, now: Instant, outcome: Outcome) {
        let asked = self
            .all
            .iter_mut()
            .find(|it| it.transaction == Some(outcome.transaction));
        let Some(referral) = asked else { return };
        referral.transaction = None;
        match outcome.end {
            End::Taken => referral.lost = 0,
            End::Later(pause) if referral.lost < MAX_LOST => {
                referral.lost += 1;
                referral.notifier.forget_told();
                referral.next_at = now + pause;
            }
            End::Later(_) | End::Failed => referral.notifier.give_up(),
        }
    }

    /// When [`Self::advance`] has something to do that waits for time only.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let waiting = self
            .all
            .iter()
            .filter(|it| it.transaction.is_none() && it.is_owing());
        waiting.map(|it| it.next_at).min()
    }
}

impl Referral {
    /// Whether there is something that the participant has not been told.
    fn is_owing(&self) -> bool {
        self.notifier.owes(self.status)
    }
}

impl Goal {
    /// How it stands, as a SIP status.
    fn status(self, info: &CallInfo) -> Option<u16> {
        match (self, info.state) {
            (Self::End, CallState::Ended) => Some(200),
            (Self::End, _) => None,
            (Self::Answer, CallState::Preparing | CallState::Calling) => Some(100),
            (Self::Answer, CallState::Ringing) => Some(180),
            (Self::Answer, CallState::Active) => Some(200),
            (Self::Answer, CallState::Ended) => Some(refusal(info)),
            (Self::Answer, CallState::Incoming | CallState::Answering | CallState::Ending) => None,
        }
    }
}

/// Why a call has not come about.
fn refusal(info: &CallInfo) -> u16 {
    let end = info.end.as_ref();
    let status = end.and_then(|end| end.sip_status).filter(|status| *status >= 300);
    status.unwrap_or(match end.map(|end| end.cause) {
        Some(EndCause::LocalHangUp | EndCause::Cancelled) => 487,
        Some(EndCause::NoAnswer) => 408,
        Some(_) | None => 480,
    })
}
