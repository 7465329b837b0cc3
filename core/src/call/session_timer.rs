//! Session timers (RFC 4028): a session that nobody refreshes in time is over, so that no proxy and no far end is left
//! with a call whose other side has vanished.
//!
//! ```text
//!      2xx with Session-Expires          half the interval, ours to refresh
//! Off -------------------------> Agreed ------------------------------------> UPDATE or re-INVITE
//!  ^                              |  ^                                                 | 2xx
//!  +-- 2xx without one -----------+  +-------------------------------------------------+
//!                                 | shortly before its end, connected: BYE
//!                                 | without connection: waits for what the refresh after it brings
//! ```

use serde::{Deserialize, Serialize};

use super::{Call, EndCause, Endpoint, HeaderName, Message, Stage};
use crate::config::Config;
use crate::io::Timer;
use crate::sip::{Refresher, RequestBuilder, ResponseBuilder, SessionExpires};
use crate::time::{Duration, Instant, earlier};
use crate::transaction::TRANSACTION_TIMEOUT;

/// The smallest interval there is (section 5), in seconds.
const SMALLEST_INTERVAL: u32 = 90;
/// Refusals with 422 that are answered with a longer interval; then the platform's will is not to be met.
const MAX_REFUSALS: u8 = 4;
/// A session is left this long before its end, or a third of its interval if that is less (section 10).
const MARGIN: Duration = Duration::from_secs(32);
/// Refreshes are not sent more often, whatever interval the far end has named.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);

/// What is agreed about the time of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SessionTimer {
    /// The smallest interval the way to the far end allows, in seconds, as far as a 422 has told.
    min_se: u32,
    /// Refusals since the last agreement.
    refusals: u8,
    agreed: Option<Agreed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Agreed {
    /// In seconds.
    interval: u32,
    /// This side refreshes, not the other.
    ours: bool,
    /// When it was agreed, or refreshed last.
    since: Instant,
    /// When the next refresh is due, unless one is under way.
    refresh_at: Option<Instant>,
    /// When the session is left. `None` while there is no connection to leave it by.
    end_at: Option<Instant>,
}

/// What time has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Refresh,
    End,
}

impl Agreed {
    fn new(interval: u32, ours: bool, since: Instant) -> Self {
        let half = Duration::from_secs(u64::from(interval / 2)).max(SHORTEST_PAUSE);
        let whole = Duration::from_secs(u64::from(interval.max(SMALLEST_INTERVAL)));
        Self {
            interval,
            ours,
            since,
            refresh_at: ours.then(|| since + half),
            end_at: Some(since + (whole - MARGIN.min(whole / 3))),
        }
    }
}

impl SessionTimer {
    pub(super) fn deadline(&self) -> Option<(Instant, Timer)> {
        let agreed = self.agreed.as_ref()?;
        earlier(agreed.refresh_at, agreed.end_at).map(|at| (at, Timer::Session))
    }

    /// Adds what a request of ours that can set or renew the interval says about it (section 7.1, 7.4).
    pub(super) fn ask(&self, config: &Config, request: RequestBuilder) -> RequestBuilder {
        let headers = self.headers(config);
        headers.fold(request, |request, (name, value)| request.header(name, value))
    }

    /// `request` again, after a 422, with the number `cseq`.
    pub(super) fn ask_again(&self, config: &Config, request: &Message, cseq: u32) -> Message {
        let number = format!("{cseq} {}", request.method().as_str());
        let again = request.edit().set(HeaderName::CSeq, number);
        let headers = self.headers(config);
        headers
            .fold(again, |again, (name, value)| again.set(name, value))
            .build()
    }

    fn headers(&self, config: &Config) -> impl Iterator<Item = (HeaderName<'static>, String)> {
        let min_se = (self.min_se > SMALLEST_INTERVAL).then(|| (HeaderName::MinSe, self.min_se.to_string()));
        let wish = self.wish(config);
        let wish = wish.map(|wish| (HeaderName::SessionExpires, wish.to_string()));
        [min_se, wish].into_iter().flatten()
    }

    /// Who refreshes stays who it is; at first the far end chooses.
    fn wish(&self, config: &Config) -> Option<SessionExpires> {
        let wish = match self.agreed {
            Some(agreed) => SessionExpires {
                seconds: agreed.interval,
                refresher: Some(if agreed.ours {
                    Refresher::Uac
                } else {
                    Refresher::Uas
                }),
            },
            None => SessionExpires {
                seconds: configured(config)?,
                refresher: None,
            },
        };
        Some(SessionExpires {
            seconds: wish.seconds.max(self.min_se),
            ..wish
        })
    }

    /// A 2xx to such a request says what holds from now on (section 7.2).
    pub(super) fn confirmed(&mut self, now: Instant, response: &Message) {
        self.refusals = 0;
        self.agreed = response
            .session_expires()
            .map(|granted| Agreed::new(granted.seconds, granted.refresher != Some(Refresher::Uas), now));
    }

    /// A 422: the interval is too small for somebody on the way. `true` if a longer one is worth a try (section 7.4).
    pub(super) fn refused(&mut self, response: &Message) -> bool {
        let Some(min_se) = response.min_se().filter(|min_se| *min_se > self.min_se) else {
            return false;
        };
        self.min_se = min_se;
        self.refusals = self.refusals.saturating_add(1);
        self.refusals <= MAX_REFUSALS
    }

    /// The headers of our 2xx to a request that can set or renew the interval (section 9).
    pub(super) fn grant(
        &mut self,
        now: Instant,
        config: &Config,
        request: &Message,
        response: ResponseBuilder,
    ) -> ResponseBuilder {
        let granted = granted(config, request);
        self.agreed = granted.map(|granted| {
            let ours = granted.refresher == Some(Refresher::Uas);
            Agreed::new(granted.seconds, ours, now)
        });
        let Some(granted) = granted else { return response };
        let response = response.header(HeaderName::SessionExpires, granted);
        if granted.refresher == Some(Refresher::Uac) {
            response.header(HeaderName::Require, "timer")
        } else {
            response
        }
    }

    /// A refresh was refused, and not because the dialog is gone: there is time for another.
    pub(super) fn refresh_failed(&mut self, now: Instant) {
        let Some(agreed) = &mut self.agreed else { return };
        let left = agreed.end_at.map(|end_at| end_at - now).unwrap_or_default();
        let next = (left / 2).max(SHORTEST_PAUSE);
        agreed.refresh_at = (agreed.ours && next < left).then(|| now + next);
    }

    /// A refresh is on its way. If the end was due while there was no connection, its outcome decides.
    pub(super) fn refreshing(&mut self, now: Instant) {
        if let Some(agreed) = &mut self.agreed {
            agreed.refresh_at = None;
            agreed.end_at.get_or_insert(now + TRANSACTION_TIMEOUT + MARGIN);
        }
    }

    /// The same with another origin of the clock.
    pub(super) fn moved(self, moved: impl Fn(Instant) -> Instant) -> Self {
        let agreed = self.agreed;
        Self {
            agreed: agreed.map(|agreed| Agreed::new(agreed.interval, agreed.ours, moved(agreed.since))),
            ..self
        }
    }

    fn wake(&mut self, now: Instant, connected: bool) -> Due {
        let Some(agreed) = &mut self.agreed else {
            return Due::Nothing;
        };
        let is_due = |at: &mut Instant| *at <= now;
        if agreed.end_at.take_if(is_due).is_some() {
            agreed.refresh_at = None;
            // A far end that could not be heard may have refreshed: that is found out when the connection is back.
            return if connected { Due::End } else { Due::Nothing };
        }
        if agreed.refresh_at.take_if(is_due).is_some() && connected {
            return Due::Refresh;
        }
        Due::Nothing
    }
}

impl Call {
    pub(super) fn wake_session_timer(&mut self, endpoint: &mut Endpoint) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        match self.session_timer.wake(endpoint.now, endpoint.is_connected()) {
            Due::Nothing => {}
            Due::Refresh => established.wanted.refresh = true,
            // Section 10: shortly before the end, so that proxies still know the session.
            Due::End => self.hang_up_because(endpoint, EndCause::NetworkFailed),
        }
    }
}

/// The Min-SE of a 422, if `request` asks for less than this side allows and its sender can understand that (section 9).
pub(crate) fn too_small(config: &Config, request: &Message) -> Option<u32> {
    let min_se = smallest(config);
    let asked = request.session_expires()?;
    let understands = request.lists_token(HeaderName::Supported, "timer");
    (asked.seconds < min_se && understands).then_some(min_se)
}

/// Section 9, table 2: what is asked for, shortened to our own wish; the caller refreshes if it can and says nothing
/// else.
fn granted(config: &Config, request: &Message) -> Option<SessionExpires> {
    let understands = request.lists_token(HeaderName::Supported, "timer");
    let own = configured(config);
    let Some(asked) = request.session_expires() else {
        // It did not ask, so the work is ours.
        let seconds = own.filter(|_| understands)?.max(request.min_se().unwrap_or(0));
        return Some(SessionExpires {
            seconds,
            refresher: Some(Refresher::Uas),
        });
    };
    let min_se = request.min_se().unwrap_or(0).max(smallest(config));
    let seconds = own
        .map_or(asked.seconds, |own| own.min(asked.seconds))
        .max(min_se);
    let refresher = match asked.refresher {
        Some(Refresher::Uac) | None if understands => Refresher::Uac,
        Some(Refresher::Uac | Refresher::Uas) | None => Refresher::Uas,
    };
    Some(SessionExpires {
        seconds,
        refresher: Some(refresher),
    })
}

fn configured(config: &Config) -> Option<u32> {
    let seconds = |wanted: Duration| u32::try_from(wanted.as_secs()).unwrap_or(u32::MAX);
    config
        .session_expires
        .map(|wanted| seconds(wanted).max(SMALLEST_INTERVAL))
}

fn smallest(config: &Config) -> u32 {
    let seconds = u32::try_from(config.min_session_expires.as_secs()).unwrap_or(u32::MAX);
    seconds.max(SMALLEST_INTERVAL)
}
