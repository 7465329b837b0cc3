//! One subscription: the subscriber's side of RFC 6665 section 4.1.2.
//!
//! ```text
//!          wanted                 NOTIFY pending, active
//! Idle -----------> NotifyWait --------------------------> Held --refresh--> Held
//!                    |      ^                               |  |
//!   refused for good |      | due                           |  | terminated: rejected, noresource, invariant
//!        Over <------+     Waiting <------------------------+  +--> Over
//!                           ^        terminated otherwise, 481, lapsed
//!                           +-- refused for now, no NOTIFY within 64*T1
//!
//! any --no longer wanted--> Leaving --NOTIFY terminated, refused, 64*T1--> Over
//! ```

use super::state_header::StateHeader;
use crate::cut;
use crate::dialog::Dialog;
use crate::endpoint::{Endpoint, Purpose, SUPPORTED};
use crate::event::{Event, Notification, SubscriptionState, TerminationReason};
use crate::id::SubscriptionId;
use crate::sip::{HeaderName, Message, Method, RequestBuilder, ResponseBuilder, UriBuf};
use crate::time::{Duration, Instant, micros};
use crate::transaction::{TRANSACTION_TIMEOUT, TransactionId};

/// The lifetime that is asked for, in seconds.
const WANTED_EXPIRES: u32 = 3_600;
/// The longest one that a notifier can insist on.
const LONGEST_EXPIRES: u32 = 86_400;
/// Failures are tried again at the latest after this, unless the notifier asks for more.
const RETRY_CEILING: Duration = Duration::from_secs(240);
/// No notifier can ask for more than this.
const RETRY_AFTER_CEILING: Duration = Duration::from_secs(3_600);
/// A subscription that has lived for this long has not failed, however it ends.
const PROVEN_AFTER: Duration = Duration::from_secs(60);
/// After a reconnect the refreshes of all subscriptions are spread over this time.
const RESTORE_SPREAD: Duration = Duration::from_secs(2);
/// The least time between two refreshes because something was missed.
const ASK_AGAIN_INTERVAL: Duration = Duration::from_secs(5);
/// Larger bodies are refused.
const MAX_BODY: usize = 64 * 1024;
/// NOTIFYs that are taken at once, and how long it takes until one more is taken.
const NOTIFY_BURST: u32 = 60;
const NOTIFY_INTERVAL: Duration = Duration::from_millis(50);

/// What is subscribed to.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) target: UriBuf,
    /// The event package, with its parameters.
    pub(super) package: String,
    /// Media types that are understood.
    pub(super) accept: String,
    pub(super) audience: Audience,
}

/// Who is told what a notifier tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// The application, by events.
    Application,
    /// The agent itself.
    Agent,
}

#[derive(Clone, Debug)]
pub(super) struct Subscription {
    id: SubscriptionId,
    subject: Subject,
    state: SubscriptionState,
    phase: Phase,
    /// Our SUBSCRIBE that has not been answered; at most one.
    transaction: Option<TransactionId>,
    /// What names the subscription until there is a dialog.
    call_id: String,
    local_tag: String,
    cseq: u32,
    expires: u32,
    failures: u32,
    /// When the present subscription came into force.
    held_since: Option<Instant>,
    allowance: Allowance,
    /// When the notifier was last asked for everything because something was missed.
    asked_again_at: Option<Instant>,
}

#[derive(Clone, Debug)]
enum Phase {
    /// There is no connection.
    Idle,
    /// SUBSCRIBE is out, or answered; no NOTIFY has come yet.
    NotifyWait {
        give_up_at: Instant,
    },
    /// There is a dialog.
    Held {
        dialog: Box<Dialog>,
        until: Instant,
        refresh_at: Option<Instant>,
    },
    /// The next try is due then.
    Waiting {
        at: Instant,
    },
    /// No longer wanted. The dialog, if there is one, has been told so.
    Leaving {
        dialog: Option<Box<Dialog>>,
        give_up_at: Instant,
    },
    Over,
}

/// How many NOTIFYs may come now: a bucket that fills with time.
#[derive(Clone, Debug)]
struct Allowance {
    left: u32,
    counted_at: Instant,
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let gained = micros(now.saturating_since(self.counted_at)) / micros(NOTIFY_INTERVAL);
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        if gained > 0 {
            self.left = self.left.saturating_add(gained).min(NOTIFY_BURST);
            self.counted_at = now;
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

impl Subscription {
    pub(super) fn new(endpoint: &mut Endpoint, id: SubscriptionId, subject: Subject) -> Self {
        let mut subscription = Self {
            id,
            subject,
            state: SubscriptionState::Subscribing,
            phase: Phase::Idle,
            transaction: None,
            call_id: String::new(),
            local_tag: String::new(),
            cseq: 0,
            expires: WANTED_EXPIRES,
            failures: 0,
            held_since: None,
            allowance: Allowance {
                left: NOTIFY_BURST,
                counted_at: endpoint.now,
            },
            asked_again_at: None,
        };
        subscription.report(endpoint, SubscriptionState::Subscribing);
        subscription.subscribe(endpoint);
        subscription
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    pub(super) fn state(&self) -> &SubscriptionState {
        &self.state
    }

    pub(super) fn is_applications(&self) -> bool {
        self.subject.audience == Audience::Application
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Idle | Phase::Over => None,
            Phase::NotifyWait { give_up_at } | Phase::Leaving { give_up_at, .. } => Some(*give_up_at),
            Phase::Held {
                until, refresh_at, ..
            } => Some(refresh_at.map_or(*until, |at| at.min(*until))),
            Phase::Waiting { at } => Some(*at),
        }
    }

    pub(super) fn wake(&mut self, endpoint: &mut Endpoint) {
        if self.deadline().is_none_or(|at| at > endpoint.now) {
            return;
        }
        match &self.phase {
            Phase::Idle | Phase::Over => {}
            // Section 4.1.2.4: timer N.
            Phase::NotifyWait { .. } => self.failed(endpoint, None, None),
            Phase::Held { until, .. } if *until <= endpoint.now => self.lapsed(endpoint),
            Phase::Held { .. } => self.refresh(endpoint),
            Phase::Waiting { .. } => self.subscribe(endpoint),
            Phase::Leaving { .. } => self.over(endpoint, TerminationReason::Unsubscribed, None),
        }
    }

    /// The connection is gone. What the notifier holds may live on.
    pub(super) fn disconnected(&mut self, endpoint: &mut Endpoint) {
        self.transaction = None;
        match &mut self.phase {
            Phase::Held { refresh_at, .. } => *refresh_at = None,
            Phase::Leaving { .. } => self.over(endpoint, TerminationReason::Unsubscribed, None),
            Phase::NotifyWait { .. } | Phase::Waiting { .. } => self.phase = Phase::Idle,
            Phase::Idle | Phase::Over => {}
        }
    }

    /// This device can be reached: what had to wait for that begins.
    pub(super) fn reachable(&mut self, endpoint: &mut Endpoint) {
        if matches!(self.phase, Phase::Idle) {
            let at = endpoint.now + endpoint.rng.between(Duration::ZERO, RESTORE_SPREAD);
            self.phase = Phase::Waiting { at };
        }
    }

    /// This device can be reached again: the notifier learns where, and sends the whole state.
    pub(super) fn regained(&mut self, endpoint: &mut Endpoint) {
        let at = endpoint.now + endpoint.rng.between(Duration::ZERO, RESTORE_SPREAD);
        if let Phase::Held { refresh_at, .. } = &mut self.phase {
            *refresh_at = Some(at);
        }
        self.reachable(endpoint);
    }

    /// Something was missed: a refresh brings the whole state (section 4.1.2.2). A notifier that always leaves something
    /// out is not asked without pause.
    pub(super) fn ask_again(&mut self, now: Instant) {
        let Phase::Held { refresh_at, .. } = &mut self.phase else {
            return;
        };
        let at = match self.asked_again_at {
            // That is planned already.
            Some(last) if last > now => last,
            Some(last) => now.max(last + ASK_AGAIN_INTERVAL),
            None => now,
        };
        self.asked_again_at = Some(at);
        *refresh_at = Some(refresh_at.map_or(at, |planned| planned.min(at)));
    }

    /// It is not wanted any more (section 4.1.2.3).
    pub(super) fn leave(&mut self, endpoint: &mut Endpoint) {
        let give_up_at = endpoint.now + TRANSACTION_TIMEOUT;
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Held { dialog, .. } => {
                self.phase = Phase::Leaving {
                    dialog: Some(dialog),
                    give_up_at,
                };
                self.send_in_dialog(endpoint, 0);
                if self.transaction.is_none() {
                    self.over(endpoint, TerminationReason::Unsubscribed, None);
                }
            }
            // The notifier may be about to make a dialog: it is told there.
            Phase::NotifyWait { .. } => {
                self.phase = Phase::Leaving {
                    dialog: None,
                    give_up_at,
                };
            }
            Phase::Leaving { dialog, give_up_at } => self.phase = Phase::Leaving { dialog, give_up_at },
            Phase::Idle | Phase::Waiting { .. } => {
                self.over(endpoint, TerminationReason::Unsubscribed, None);
            }
            Phase::Over => {}
        }
    }

    // --- SUBSCRIBE -------------------------------------------------------------------------------------------

    pub(super) fn awaits(&self, transaction: TransactionId) -> bool {
        self.transaction == Some(transaction)
    }

    /// The number for a challenged SUBSCRIBE that is sent again.
    pub(super) fn number_for_retry(&mut self) -> u32 {
        match &mut self.phase {
            Phase::Held { dialog, .. }
            | Phase::Leaving {
                dialog: Some(dialog), ..
            } => dialog.next_number(),
            Phase::Idle
            | Phase::NotifyWait { .. }
            | Phase::Waiting { .. }
            | Phase::Leaving { dialog: None, .. }
            | Phase::Over => {
                self.cseq += 1;
                self.cseq
            }
        }
    }

    pub(super) fn resent(&mut self, transaction: TransactionId) {
        self.transaction = Some(transaction);
    }

    /// A subscription of its own: nothing of an earlier one is used again.
    fn subscribe(&mut self, endpoint: &mut Endpoint) {
        self.call_id = endpoint.rng.token(12);
        self.local_tag = endpoint.rng.token(6);
        self.cseq = 1;
        self.held_since = None;
        let from = endpoint.local_name_addr();
        let request = RequestBuilder::new(Method::Subscribe, self.subject.target.as_uri())
            .header(HeaderName::MaxForwards, 70)
            .header(HeaderName::From, format_args!("{from};tag={}", self.local_tag))
            .header(HeaderName::To, format_args!("<{}>", self.subject.target.as_str()))
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, "1 SUBSCRIBE");
        let request = self.with_subject(endpoint, request, self.expires);
        self.transaction = endpoint.send(Purpose::Subscribe(self.id), request).ok();
        self.phase = match self.transaction {
            Some(_) => Phase::NotifyWait {
                give_up_at: endpoint.now + TRANSACTION_TIMEOUT,
            },
            None => Phase::Idle,
        };
    }

    /// Section 4.1.2.2.
    fn refresh(&mut self, endpoint: &mut Endpoint) {
        if let Phase::Held { refresh_at, .. } = &mut self.phase {
            *refresh_at = None;
        }
        if self.transaction.is_none() {
            self.send_in_dialog(endpoint, self.expires);
        }
    }

    fn send_in_dialog(&mut self, endpoint: &mut Endpoint, expires: u32) {
        let (Phase::Held { dialog, .. }
        | Phase::Leaving {
            dialog: Some(dialog), ..
        }) = &mut self.phase
        else {
            return;
        };
        let request = dialog.request(Method::Subscribe);
        let request = self.with_subject(endpoint, request, expires);
        self.transaction = endpoint.send(Purpose::Subscribe(self.id), request).ok();
    }

    fn with_subject(&self, endpoint: &Endpoint, request: RequestBuilder, expires: u32) -> RequestBuilder {
        request
            .header(HeaderName::Contact, endpoint.contact())
            .header(HeaderName::Event, &self.subject.package)
            .header(HeaderName::Accept, &self.subject.accept)
            .header(HeaderName::Expires, expires)
            .header(HeaderName::Supported, SUPPORTED)
    }

    /// A response to our SUBSCRIBE.
    pub(super) fn response(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
    ) {
        let status = response.status().unwrap_or(0);
        if !self.awaits(transaction) || status < 200 {
            return;
        }
        self.transaction = None;
        match (&self.phase, status) {
            (Phase::Leaving { .. }, 200..=299) | (Phase::Over | Phase::Idle, _) => {}
            (Phase::Leaving { .. }, _) => self.over(endpoint, TerminationReason::Unsubscribed, None),
            (_, 200..=299) => self.granted(endpoint, response),
            (_, 423) => self.interval_too_brief(endpoint, response),
            (Phase::Held { .. }, _) => self.refresh_refused(endpoint, status, response),
            (_, status) if is_for_good(status) => {
                self.over(endpoint, TerminationReason::Refused, Some(status));
            }
            (Phase::NotifyWait { .. } | Phase::Waiting { .. }, _) => {
                self.failed(endpoint, Some(status), response.retry_after());
            }
        }
    }

    /// Our SUBSCRIBE got no answer. Where that is the connection's fault, [`Self::disconnected`] follows.
    pub(super) fn no_response(&mut self, endpoint: &mut Endpoint, transaction: TransactionId) {
        if !self.awaits(transaction) {
            return;
        }
        self.transaction = None;
        if !endpoint.is_connected() {
            return;
        }
        match &self.phase {
            Phase::Leaving { .. } => self.over(endpoint, TerminationReason::Unsubscribed, None),
            // RFC 5057 section 5.1: a time-out ends the usage.
            Phase::NotifyWait { .. } | Phase::Held { .. } => self.failed(endpoint, None, None),
            Phase::Idle | Phase::Waiting { .. } | Phase::Over => {}
        }
    }

    /// The 2xx says how long; only a NOTIFY says what state.
    fn granted(&mut self, endpoint: &mut Endpoint, response: &Message) {
        let granted = response.expires().ok().flatten().unwrap_or(self.expires);
        if matches!(self.phase, Phase::Held { .. }) {
            self.lives_for(endpoint, granted);
        }
    }

    /// RFC 6665 section 4.1.2.1, RFC 3261 section 10.2.8.
    fn interval_too_brief(&mut self, endpoint: &mut Endpoint, response: &Message) {
        match response.min_expires() {
            Some(least) if least > self.expires && least <= LONGEST_EXPIRES => {
                self.expires = least;
                if matches!(self.phase, Phase::Held { .. }) {
                    self.send_in_dialog(endpoint, least);
                } else {
                    self.subscribe(endpoint);
                }
            }
            Some(_) | None => self.failed(endpoint, Some(423), response.retry_after()),
        }
    }

    /// RFC 6665 section 4.1.2.2 and RFC 5057 section 5.1: some answers end the subscription, the others only this try.
    fn refresh_refused(&mut self, endpoint: &mut Endpoint, status: u16, response: &Message) {
        match status {
            405 | 489 | 501 => self.over(endpoint, TerminationReason::Refused, Some(status)),
            404 | 408 | 410 | 416 | 480..=485 | 604 => {
                self.failed(endpoint, Some(status), response.retry_after());
            }
            _ => self.try_refresh_later(endpoint, response.retry_after()),
        }
    }

    fn try_refresh_later(&mut self, endpoint: &mut Endpoint, retry_after: Option<u32>) {
        let Phase::Held {
            until, refresh_at, ..
        } = &mut self.phase
        else {
            return;
        };
        self.failures += 1;
        let pause = pause(endpoint, self.failures, retry_after);
        *refresh_at = Some(endpoint.now + pause).filter(|at| at < until);
    }

    // --- NOTIFY ----------------------------------------------------------------------------------------------

    /// Whether `notify` is for this subscription. Until there is a dialog any fork's is; the first one stays (section
    /// 4.5.2).
    pub(super) fn owns(&self, notify: &Message) -> bool {
        match &self.phase {
            Phase::Held { dialog, .. }
            | Phase::Leaving {
                dialog: Some(dialog), ..
            } => dialog.matches(notify),
            Phase::NotifyWait { .. } | Phase::Leaving { dialog: None, .. } => {
                notify.call_id().is_ok_and(|id| id == self.call_id)
                    && notify
                        .to()
                        .is_ok_and(|to| to.tag() == Some(self.local_tag.as_str()))
            }
            Phase::Idle | Phase::Waiting { .. } | Phase::Over => false,
        }
    }

    /// A NOTIFY that this subscription owns (section 4.1.3); what it tells if that is for the agent itself.
    pub(super) fn notified(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        notify: &Message,
    ) -> Option<Notification> {
        match self.take_notification(endpoint, notify) {
            Ok((state, mut notification)) => {
                let ok = endpoint.response(notify, 200).build();
                endpoint.respond(transaction, ok);
                if let Some(notification) = notification.take_if(|_| self.is_applications()) {
                    endpoint.emit(Event::Notification(Box::new(notification)));
                }
                self.follow(endpoint, state);
                notification
            }
            Err(status) => {
                let response = ResponseBuilder::for_request(notify, status);
                let response = match status {
                    415 => response.header(HeaderName::Accept, &self.subject.accept),
                    489 => response.header(HeaderName::AllowEvents, self.package_name()),
                    503 => response.header(HeaderName::RetryAfter, 1),
                    _ => response,
                };
                endpoint.respond(transaction, response.build());
                None
            }
        }
    }

    /// Checks a NOTIFY and takes its dialog up; the status to refuse it with otherwise.
    fn take_notification(
        &mut self,
        endpoint: &mut Endpoint,
        notify: &Message,
    ) -> Result<(StateHeader, Option<Notification>), u16> {
        if !self.allowance.take(endpoint.now) {
            return Err(503);
        }
        let event = notify.header(HeaderName::Event).ok_or(489_u16)?;
        if !is_same_event(event, &self.subject.package) {
            return Err(489);
        }
        let state = notify.header(HeaderName::SubscriptionState).ok_or(400_u16)?;
        let state = StateHeader::parse(state).ok_or(400_u16)?;
        if notify.body().len() > MAX_BODY {
            return Err(413);
        }
        if !self.is_readable(notify) {
            return Err(415);
        }
        self.enter_dialog(endpoint, notify)?;
        let is_wanted = !matches!(self.phase, Phase::Leaving { .. });
        let notification = is_wanted.then(|| self.notification(notify));
        Ok((state, notification))
    }

    fn is_readable(&self, notify: &Message) -> bool {
        if notify.body().is_empty() {
            return true;
        }
        let Some(media_type) = notify.content_type() else {
            return false;
        };
        let is_plain = notify
            .header(HeaderName::ContentEncoding)
            .is_none_or(|encoding| encoding.eq_ignore_ascii_case("identity"));
        is_plain
            && self
                .subject
                .accept
                .split(',')
                .any(|accepted| media_type.is(accepted.trim()))
    }

    /// The first NOTIFY makes the dialog (section 4.4.1), each further one has to be in order (RFC 3261 section 12.2.2)
    /// and may tell a new address.
    fn enter_dialog(&mut self, endpoint: &mut Endpoint, notify: &Message) -> Result<(), u16> {
        match &mut self.phase {
            Phase::Held { dialog, .. }
            | Phase::Leaving {
                dialog: Some(dialog), ..
            } => {
                if !dialog.accepts(notify) {
                    return Err(500);
                }
                dialog.refresh_target(notify);
                return Ok(());
            }
            Phase::Idle
            | Phase::NotifyWait { .. }
            | Phase::Waiting { .. }
            | Phase::Leaving { dialog: None, .. }
            | Phase::Over => {}
        }
        let mut dialog = Dialog::from_request(notify, &self.local_tag).map_err(|_| 400_u16)?;
        dialog.skip_numbers(self.cseq);
        if let Phase::Leaving { dialog: slot, .. } = &mut self.phase {
            *slot = Some(Box::new(dialog));
            self.send_in_dialog(endpoint, 0);
            return Ok(());
        }
        self.held_since = Some(endpoint.now);
        self.phase = Phase::Held {
            dialog: Box::new(dialog),
            until: endpoint.now + Duration::from_secs(u64::from(self.expires)),
            refresh_at: None,
        };
        Ok(())
    }

    fn notification(&self, notify: &Message) -> Notification {
        Notification {
            subscription: self.id,
            package: self.package_name().to_owned(),
            content_type: notify
                .header(HeaderName::ContentType)
                .unwrap_or_default()
                .to_owned(),
            body: notify.body().to_vec(),
        }
    }

    /// What Subscription-State asks for (section 4.1.3).
    fn follow(&mut self, endpoint: &mut Endpoint, state: StateHeader) {
        if matches!(self.phase, Phase::Leaving { .. }) {
            if matches!(state, StateHeader::Terminated { .. }) {
                self.over(endpoint, TerminationReason::Unsubscribed, None);
            }
            return;
        }
        match state {
            StateHeader::Pending { expires } => self.holds(endpoint, expires, false),
            StateHeader::Active { expires } => self.holds(endpoint, expires, true),
            StateHeader::Terminated { reason, retry_after } => self.terminated(endpoint, reason, retry_after),
        }
    }

    fn holds(&mut self, endpoint: &mut Endpoint, expires: Option<u32>, is_active: bool) {
        let left = match (&self.phase, expires) {
            (_, Some(expires)) => expires,
            (Phase::Held { until, .. }, None) => {
                u32::try_from(until.saturating_since(endpoint.now).as_secs()).unwrap_or(u32::MAX)
            }
            (_, None) => self.expires,
        };
        self.lives_for(endpoint, left);
        let Phase::Held { until, .. } = self.phase else {
            return;
        };
        let state = if is_active {
            SubscriptionState::Active { expires_at: until }
        } else {
            SubscriptionState::Pending { expires_at: until }
        };
        self.report(endpoint, state);
    }

    fn lives_for(&mut self, endpoint: &mut Endpoint, seconds: u32) {
        let lifetime = Duration::from_secs(u64::from(seconds.min(LONGEST_EXPIRES)));
        // Between half and nine tenths of it, so that a whole office does not refresh in the same second; and never at
        // once, so that a notifier that grants next to nothing is not asked without pause.
        let refresh = endpoint.rng.between(lifetime / 2, lifetime * 9 / 10);
        let refresh = refresh.max(Duration::from_secs(1));
        if let Phase::Held {
            until, refresh_at, ..
        } = &mut self.phase
        {
            *until = endpoint.now + lifetime.max(Duration::from_secs(2));
            *refresh_at = Some(endpoint.now + refresh);
        }
    }

    fn terminated(&mut self, endpoint: &mut Endpoint, reason: TerminationReason, retry_after: Option<u32>) {
        match reason {
            TerminationReason::Rejected | TerminationReason::NoResource | TerminationReason::Invariant => {
                self.over(endpoint, reason, None);
            }
            // At once, unless it ends as soon as it has begun.
            TerminationReason::Deactivated | TerminationReason::Timeout if self.is_proven(endpoint.now) => {
                self.failures = 0;
                self.report(endpoint, SubscriptionState::Subscribing);
                self.subscribe(endpoint);
            }
            TerminationReason::Deactivated
            | TerminationReason::Timeout
            | TerminationReason::Probation
            | TerminationReason::GiveUp
            | TerminationReason::Unknown
            | TerminationReason::Refused
            | TerminationReason::Unsubscribed => self.wait(endpoint, reason, None, retry_after),
        }
    }

    /// It was not refreshed in time: the notifier was silent, or the connection was away for too long.
    fn lapsed(&mut self, endpoint: &mut Endpoint) {
        if endpoint.is_connected() {
            return self.wait(endpoint, TerminationReason::Timeout, None, None);
        }
        self.phase = Phase::Idle;
        self.report(endpoint, SubscriptionState::Subscribing);
    }

    // --- ends ------------------------------------------------------------------------------------------------

    fn is_proven(&self, now: Instant) -> bool {
        self.held_since
            .is_some_and(|since| now.saturating_since(since) >= PROVEN_AFTER)
    }

    fn failed(&mut self, endpoint: &mut Endpoint, status: Option<u16>, retry_after: Option<u32>) {
        self.wait(endpoint, TerminationReason::Refused, status, retry_after);
    }

    /// The next try comes after a pause that grows with every failure: a notifier in trouble is not stormed.
    fn wait(
        &mut self,
        endpoint: &mut Endpoint,
        reason: TerminationReason,
        sip_status: Option<u16>,
        retry_after: Option<u32>,
    ) {
        if self.is_proven(endpoint.now) {
            self.failures = 0;
        }
        self.failures += 1;
        self.held_since = None;
        self.abandon(endpoint);
        let at = endpoint.now + pause(endpoint, self.failures, retry_after);
        self.phase = Phase::Waiting { at };
        self.report(
            endpoint,
            SubscriptionState::Waiting {
                retry_at: at,
                reason,
                sip_status,
            },
        );
    }

    fn over(&mut self, endpoint: &mut Endpoint, reason: TerminationReason, sip_status: Option<u16>) {
        self.abandon(endpoint);
        self.phase = Phase::Over;
        self.report(endpoint, SubscriptionState::Ended { reason, sip_status });
    }

    fn abandon(&mut self, endpoint: &mut Endpoint) {
        if let Some(transaction) = self.transaction.take() {
            endpoint.abandon(transaction);
        }
    }

    fn report(&mut self, endpoint: &mut Endpoint, state: SubscriptionState) {
        self.state = state.clone();
        if self.is_applications() {
            endpoint.emit(Event::Subscription {
                subscription: self.id,
                state,
            });
        }
    }

    fn package_name(&self) -> &str {
        self.subject.package.split(';').next().unwrap_or_default().trim()
    }
}

/// The pause before the next try: what the notifier asks for, and in any case one that grows.
fn pause(endpoint: &mut Endpoint, failures: u32, retry_after: Option<u32>) -> Duration {
    // The first failure waits for seconds, not for the quarter of one with which a connection is tried again.
    let growing = endpoint.rng.back_off(failures.saturating_add(3), RETRY_CEILING);
    let asked = retry_after.map(|secs| Duration::from_secs(u64::from(secs)).min(RETRY_AFTER_CEILING));
    asked.map_or(growing, |asked| asked.max(growing))
}

/// Answers to a first SUBSCRIBE that will be the same tomorrow.
fn is_for_good(status: u16) -> bool {
    matches!(
        status,
        400 | 401 | 403 | 404 | 405 | 406 | 407 | 410 | 415 | 416 | 420 | 484 | 489 | 501 | 505 | 603 | 604
    )
}

/// Section 8.2.1: the package and, byte by byte, its `id`.
fn is_same_event(a: &str, b: &str) -> bool {
    let parts = |text: &str| -> Option<(String, Option<String>)> {
        let (package, params) = cut::before(text, b';');
        let params = crate::sip::Params::after_value(params)?;
        Some((
            package.trim().to_ascii_lowercase(),
            params.value("id").map(str::to_owned),
        ))
    };
    parts(a).is_some_and(|a| parts(b) == Some(a))
}
