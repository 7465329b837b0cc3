//! Who is told who is in the conference (RFC 4575, RFC 6665 section 4.2): participants and those who are invited.
//!
//! ```text
//! SUBSCRIBE --200--> told everything --change--> told what has changed, one NOTIFY at a time, at most one a second
//!     gone from the conference, the conference ends, Expires: 0, lapsed: NOTIFY (terminated);  NOTIFY refused: forgotten
//!     NOTIFY lost with a connection, or put off: everything once more
//! ```

use std::time::Duration;

use clearline_core::conference_info::{MEDIA_TYPE, PACKAGE, User};
use clearline_core::dialog::Dialog;
use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::transaction::TransactionId;
use clearline_core::{Instant, time};

use crate::desk::{Desk, End, Outcome};
use crate::roster::{About, Told};

/// The longest lifetime, and that of a subscription for which none is asked (RFC 4575 section 3.3).
const LONGEST: Duration = Duration::from_secs(3_600);
const SHORTEST: Duration = Duration::from_secs(30);
/// A conference that fills at once is told as one change.
const INTERVAL: Duration = Duration::from_secs(1);
/// Subscriptions of one user: one for each of their devices. The oldest makes room.
const MAX_PER_USER: usize = 4;

/// All subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    all: Vec<Subscription>,
}

#[derive(Debug)]
struct Subscription {
    user: String,
    dialog: Dialog,
    /// The value of Event.
    event: String,
    expires_at: Instant,
    told: Told,
    /// No NOTIFY before then.
    next_at: Instant,
    /// The NOTIFY that has not been answered.
    transaction: Option<TransactionId>,
}

impl Subscriptions {
    /// A new subscription of `user`, who may have it.
    ///
    /// # Errors
    /// The status to refuse it with.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        desk: &mut Desk,
        about: &About<'_>,
        user: String,
        request: &Message,
    ) -> Result<(), u16> {
        let event = package(request)?;
        let lifetime = lifetime(request)?;
        let dialog = Dialog::from_request(request, &desk.rng.token(6)).map_err(|_| 400_u16)?;
        let own = self.all.iter().filter(|it| it.user == user);
        if own.count() >= MAX_PER_USER
            && let Some(oldest) = self.all.iter().position(|it| it.user == user)
        {
            // RFC 6665 section 4.4.1: that device learns of it, and may ask again.
            self.all.remove(oldest).end(now, desk, about, &[], "deactivated");
        }
        let subscription = Subscription {
            user,
            dialog,
            event,
            expires_at: now + lifetime,
            told: Told::default(),
            next_at: now,
            transaction: None,
        };
        confirm(desk, about, request, subscription.dialog.local_tag(), lifetime);
        self.all.push(subscription);
        Ok(())
    }

    /// A SUBSCRIBE within its dialog; `false` if it belongs to none here.
    pub(crate) fn renew(
        &mut self,
        now: Instant,
        desk: &mut Desk,
        about: &About<'_>,
        request: &Message,
    ) -> bool {
        let Some(subscription) = self.all.iter_mut().find(|it| it.dialog.matches(request)) else {
            return false;
        };
        // RFC 3261 section 12.2.2.
        if !subscription.dialog.accepts(request) {
            desk.refuse(request, 500);
            return true;
        }
        match package(request).and_then(|_| lifetime(request)) {
            Ok(lifetime) => {
                subscription.dialog.refresh_target(request);
                subscription.expires_at = now + lifetime;
                subscription.told.forget();
                subscription.next_at = now;
                confirm(desk, about, request, "", lifetime);
            }
            Err(status) => desk.refuse(request, status),
        }
        true
    }

    /// Tells everybody what is due, ends what has lapsed or is not theirs any more.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        desk: &mut Desk,
        about: &About<'_>,
        users: &[User],
        may_know: impl Fn(&str) -> bool,
    ) {
        self.all.retain_mut(|it| {
            let end = match () {
                () if !may_know(&it.user) => Some("rejected"),
                () if it.expires_at <= now => Some("timeout"),
                () => None,
            };
            if let Some(reason) = end {
                it.end(now, desk, about, users, reason);
                return false;
            }
            if it.told.owes(users) && it.transaction.is_none() && it.next_at <= now {
                let left = it.expires_at.saturating_since(now).as_secs();
                it.notify(now, desk, about, users, &format!("active;expires={left}"));
            }
            true
        });
    }

    /// The conference is over.
    pub(crate) fn end_all(&mut self, now: Instant, desk: &mut Desk, about: &About<'_>) {
        for mut subscription in self.all.drain(..) {
            let document = subscription.told.last(about).write();
            subscription.send(now, desk, about, "terminated;reason=noresource", &document);
        }
    }

    /// A NOTIFY was answered, or not: whoever refuses it, or is silent, does not want to know (RFC 6665 section 4.2.2). Where
    /// a connection was lost nobody has refused anything: everything is told once more.
    pub(crate) fn answered(&mut self, now: Instant, outcome: Outcome) {
        self.all.retain_mut(|it| {
            if it.transaction != Some(outcome.transaction) {
                return true;
            }
            it.transaction = None;
            match outcome.end {
                End::Taken => true,
                End::Later(pause) => {
                    it.told.forget();
                    it.next_at = it.next_at.max(now + pause);
                    true
                }
                End::Failed => false,
            }
        });
    }

    /// When [`Self::advance`] has something to do.
    pub(crate) fn deadline(&self, users: &[User]) -> Option<Instant> {
        let next = |it: &Subscription| {
            let is_due = it.transaction.is_none() && it.told.owes(users);
            time::earlier(Some(it.expires_at), is_due.then_some(it.next_at))
        };
        self.all.iter().filter_map(next).min()
    }
}

impl Subscription {
    fn notify(&mut self, now: Instant, desk: &mut Desk, about: &About<'_>, users: &[User], state: &str) {
        let document = self.told.next(about, users.to_vec()).write();
        self.send(now, desk, about, state, &document);
        if self.transaction.is_none() {
            // There is no connection just now: all of it is owed still.
            self.told.forget();
        }
        self.next_at = now + INTERVAL;
    }

    /// The last NOTIFY. Who may know nothing any more is told nothing but that.
    fn end(&mut self, now: Instant, desk: &mut Desk, about: &About<'_>, users: &[User], reason: &str) {
        let state = format!("terminated;reason={reason}");
        if reason == "timeout" {
            self.told.forget();
            self.notify(now, desk, about, users, &state);
        } else {
            self.send(now, desk, about, &state, "");
        }
    }

    fn send(&mut self, now: Instant, desk: &mut Desk, about: &About<'_>, state: &str, document: &str) {
        let request = self
            .dialog
            .request(Method::Notify)
            .header(HeaderName::Contact, contact(about))
            .header(HeaderName::Event, &self.event)
            .header(HeaderName::SubscriptionState, state);
        let request = match document {
            "" => request,
            document => request.body(MEDIA_TYPE, document.as_bytes()),
        };
        self.transaction = desk.send(now, request);
    }
}

/// Where the conference is, and that it is one (RFC 4579 section 4).
pub(crate) fn contact(about: &About<'_>) -> String {
    format!("<{}>;isfocus", about.entity)
}

fn confirm(desk: &mut Desk, about: &About<'_>, request: &Message, local_tag: &str, lifetime: Duration) {
    let response = clearline_core::sip::ResponseBuilder::for_request(request, 200);
    let response = match local_tag {
        "" => response,
        tag => response.to_tag(tag).record_routes_from(request),
    };
    let response = response
        .header(HeaderName::Contact, contact(about))
        .header(HeaderName::Expires, lifetime.as_secs())
        .header(HeaderName::AllowEvents, PACKAGE);
    desk.respond(response.build());
}

/// The value of Event, if it names the package that is offered here in a form that is understood.
fn package(request: &Message) -> Result<String, u16> {
    let event = request.header(HeaderName::Event).ok_or(489_u16)?;
    let name = event.split(';').next().unwrap_or_default().trim();
    if !name.eq_ignore_ascii_case(PACKAGE) || event.len() > 256 {
        return Err(489);
    }
    let mut accepted = request.header_list(HeaderName::Accept).peekable();
    let is_readable = |range: &str| {
        let range = range.split(';').next().unwrap_or_default().trim();
        [MEDIA_TYPE, "application/*", "*/*"]
            .iter()
            .any(|it| it.eq_ignore_ascii_case(range))
    };
    match accepted.peek().is_none() || accepted.any(is_readable) {
        true => Ok(event.to_owned()),
        false => Err(406),
    }
}

fn lifetime(request: &Message) -> Result<Duration, u16> {
    let Some(wanted) = request.expires().map_err(|_| 400_u16)? else {
        return Ok(LONGEST);
    };
    let wanted = Duration::from_secs(wanted.into());
    match wanted.is_zero() || wanted >= SHORTEST {
        true => Ok(wanted.min(LONGEST)),
        false => Err(423),
    }
}
