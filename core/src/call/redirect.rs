//! Redirects (RFC 3261 sections 8.1.3.4 and 13.2.2.2): a call that is answered with another address goes on there, if the
//! configuration lets it.
//!
//! Nothing is kept for the next call, so for how long a redirect holds (section 10.2.1.1: `expires`) does not matter.

use super::identity::identity;
use super::{Call, CallState, Endpoint, HeaderName, Identity, Message, Stage};
use crate::config::RedirectPolicy;
use crate::endpoint::Purpose;
use crate::sip::{Method, RequestBuilder, Scheme, TelephoneNumber, UriBuf};

/// Addresses one call is tried at.
const MAX_TARGETS: usize = 8;
/// Redirects that lead to one another.
const MAX_DEPTH: u8 = 5;

/// Headers that come with the body.
const OF_THE_BODY: [HeaderName<'_>; 2] = [HeaderName::ContentType, HeaderName::ContentLength];

/// Where a call may still go.
#[derive(Clone, Debug)]
pub(super) struct Redirection {
    /// The first INVITE, which the others resemble.
    invite: Message,
    /// The number of the last INVITE.
    cseq: u32,
    /// Where it has been, in the order of trial.
    tried: Vec<UriBuf>,
    /// Where it has not, in the order of their listing.
    candidates: Vec<Candidate>,
    depth: u8,
}

#[derive(Clone, Debug)]
struct Candidate {
    target: UriBuf,
    shown: Identity,
    /// In thousandths; 1000 is best.
    preference: u16,
    depth: u8,
}

impl Redirection {
    pub(super) fn new(invite: Message) -> Self {
        let first = invite.request_uri().map(|uri| uri.to_owned());
        Self {
            tried: first.into_iter().collect(),
            cseq: invite.cseq().map_or(1, |cseq| cseq.number),
            invite,
            candidates: Vec::new(),
            depth: 0,
        }
    }

    /// Takes the addresses of a 3xx up that the policy allows and the call has not been at.
    fn learn(&mut self, endpoint: &Endpoint, response: &Message) {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return;
        }
        for contact in response.contacts().take(MAX_TARGETS).flatten() {
            let Some(address) = contact.address() else {
                continue;
            };
            let Some(target) = self.target(endpoint, address.uri) else {
                continue;
            };
            let is_known = self.tried.iter().any(|tried| is_same(tried, &target))
                || self.candidates.iter().any(|it| is_same(&it.target, &target));
            if is_known || self.tried.len() + self.candidates.len() >= MAX_TARGETS {
                continue;
            }
            self.candidates.push(Candidate {
                target,
                shown: identity(&address),
                preference: preference(address.params.value("q")),
                depth,
            });
        }
    }

    /// A Contact as a Request-URI, if the policy lets a call go there.
    fn target(&self, endpoint: &Endpoint, uri: crate::sip::Uri<'_>) -> Option<UriBuf> {
        let own = endpoint.config.address_of_record.as_uri();
        let own = own.host().unwrap_or_default();
        let target = match uri.scheme() {
            Scheme::Sip | Scheme::Sips => uri.without_headers(),
            Scheme::Tel => UriBuf::sip(&TelephoneNumber::of(uri)?.digits(), own).ok()?,
            Scheme::Other(_) => return None,
        };
        let dialled = self.tried.first()?.as_uri();
        let host = target.as_uri().host()?.to_owned();
        let is_near = |domain: Option<&str>| domain.is_some_and(|domain| domain.eq_ignore_ascii_case(&host));
        match endpoint.config.redirect_policy {
            RedirectPolicy::Never => None,
            RedirectPolicy::SameDomain => (is_near(Some(own)) || is_near(dialled.host())).then_some(target),
            RedirectPolicy::Any => Some(target),
        }
    }

    /// The best one: what a redirect leads to before its siblings, and of equals the one listed first.
    fn next(&mut self) -> Option<Candidate> {
        let candidates = self.candidates.iter().enumerate();
        let (best, _) = candidates.rev().max_by_key(|(_, it)| (it.depth, it.preference))?;
        let candidate = self.candidates.remove(best);
        self.tried.push(candidate.target.clone());
        self.depth = candidate.depth;
        Some(candidate)
    }

    /// The INVITE for another address: the same call to the platform, with the next number (section 8.1.3.4).
    fn invite_to(&mut self, target: &UriBuf) -> Message {
        self.cseq = self.cseq.saturating_add(1);
        let cseq = self.cseq;
        let mut invite = RequestBuilder::new(Method::Invite, target.as_uri());
        for (name, value) in self.invite.headers() {
            if name == HeaderName::CSeq {
                invite = invite.header(name, format_args!("{cseq} INVITE"));
            } else if !OF_THE_BODY.contains(&name) {
                invite = invite.header(name, value);
            }
        }
        let content_type = self.invite.header(HeaderName::ContentType);
        invite
            .body(content_type.unwrap_or_default(), self.invite.body())
            .build()
    }
}

impl Call {
    /// A final failure of our INVITE: `true` if the call is tried elsewhere.
    pub(super) fn goes_on_elsewhere(&mut self, endpoint: &mut Endpoint, response: &Message) -> bool {
        let status = response.status().unwrap_or(0);
        if let Stage::Inviting(inviting) = &mut self.stage {
            // It may have been sent again with credentials since.
            inviting.redirection.cseq = response.cseq().map_or(1, |cseq| cseq.number);
            if is_followed(status) {
                inviting.redirection.learn(endpoint, response);
            }
        }
        // Section 21.6: nobody wants the call anywhere.
        let may_go_on = (300..600).contains(&status);
        may_go_on && self.invite_next(endpoint)
    }

    /// Sends the INVITE to the next address; `false` if there is none.
    pub(super) fn invite_next(&mut self, endpoint: &mut Endpoint) -> bool {
        let id = self.id();
        let Stage::Inviting(inviting) = &mut self.stage else {
            return false;
        };
        if inviting.is_cancelled() {
            return false;
        }
        let Some(next) = inviting.redirection.next() else {
            return false;
        };
        let invite = inviting.redirection.invite_to(&next.target);
        let Ok(transaction) = endpoint.send_message(Purpose::Invite(id), &invite) else {
            return false;
        };
        inviting.starts_over(transaction, invite);
        self.info.state = CallState::Calling;
        self.info.early_media = false;
        self.info.redirected_to = Some(next.shown);
        true
    }

    /// Where a redirect leads that is not followed: the user may want to call there.
    pub(super) fn note_redirect(&mut self, response: &Message) {
        if !matches!(response.status(), Some(300..=399)) || self.info.redirected_to.is_some() {
            return;
        }
        let first = response.contacts().next().and_then(Result::ok);
        self.info.redirected_to = first
            .and_then(|contact| contact.address())
            .map(|it| identity(&it));
    }
}

/// 305 would hand the call to a proxy of the far end's choice (section 21.3.4); 380 describes other services, not
/// addresses (section 21.3.5). Unknown ones are as 300.
fn is_followed(status: u16) -> bool {
    matches!(status, 300..=399) && !matches!(status, 305 | 380)
}

/// A q-value (section 20.10), in thousandths. Without one an address is as good as any; one from 1 on, or that is none, is 1.
fn preference(q: Option<&str>) -> u16 {
    q.and_then(below_one).unwrap_or(1_000)
}

/// "0" is 0, "0.25" 250.
fn below_one(q: &str) -> Option<u16> {
    let fraction = match q {
        "0" => "",
        _ => q.trim_start_matches('0').strip_prefix('.')?,
    };
    let mut digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    digits.try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0'))
    })
}

fn is_same(a: &UriBuf, b: &UriBuf) -> bool {
    a.as_uri().equivalent(&b.as_uri())
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn preferences_are_read_in_thousandths() {
        for (q, thousandths) in [
            ("0", 0),
            ("0.7", 700),
            ("0.25", 250),
            ("0.1239", 123),
            (".5", 500),
            ("0.", 0),
        ] {
            assert_eq!(preference(Some(q)), thousandths, "{q}");
        }
        for whole in [
            None,
            Some("1"),
            Some("1.0"),
            Some("2.5"),
            Some("nonsense"),
            Some("0.x"),
            Some("-0.5"),
            Some(""),
        ] {
            assert_eq!(preference(whole), 1_000, "{whole:?}");
        }
    }
}
