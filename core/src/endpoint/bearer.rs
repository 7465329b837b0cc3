//! Bearer tokens (RFC 8898): shown where they were asked for, asked for before they end, never sent in the clear.

use crate::config::Token;
use crate::event::{Event, TokenNeed};
use crate::sip::{AuthenticationKind, Challenge, HeaderName, Message};
use crate::time::{Duration, Instant};

/// A fresh token is asked for so long before the present one ends.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// The token of an account, and who has asked for it.
#[derive(Clone, Debug)]
pub(super) struct Bearer {
    token: Option<Token>,
    challenged: Vec<AuthenticationKind>,
    /// The application has been asked for a fresh token and has not given one.
    asked: bool,
}

/// What a challenge means for a token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Demand {
    /// None is asked for.
    None,
    /// The present token answers it.
    Answerable,
    /// Another one is needed.
    Fresh(Event),
}

impl Bearer {
    pub(super) fn new(token: Option<Token>) -> Self {
        Self {
            token,
            challenged: Vec::new(),
            asked: false,
        }
    }

    pub(super) fn set_token(&mut self, token: Token) {
        self.token = Some(token);
        self.asked = false;
    }

    /// Takes in the challenges to `request`.
    pub(super) fn demand(&mut self, now: Instant, request: &Message, response: &Message) -> Demand {
        let challenge = response.challenges().flatten().find(Challenge::is_bearer);
        let Some(challenge) = challenge else {
            return Demand::None;
        };
        if !self.challenged.contains(&challenge.kind) {
            self.challenged.push(challenge.kind);
        }
        let was_shown = request
            .credentials()
            .flatten()
            .any(|it| it.kind == challenge.kind && it.is_bearer());
        if was_shown {
            // It has been shown and was not good enough.
            self.token = None;
        }
        if self.usable(now).is_some() {
            return Demand::Answerable;
        }
        let text = |name| challenge.param(name).unwrap_or_default().into_owned();
        let need = match (was_shown, self.token.is_some()) {
            (true, _) => TokenNeed::Rejected,
            (false, true) => TokenNeed::Expired,
            (false, false) => TokenNeed::Missing,
        };
        self.asked = true;
        Demand::Fresh(Event::TokenWanted {
            need,
            authorization_server: text("authz_server"),
            scope: text("scope"),
        })
    }

    /// The credentials for a request, if they have been asked for.
    pub(super) fn credentials(&self, now: Instant) -> Vec<(HeaderName<'static>, String)> {
        let Some(token) = self.usable(now) else {
            return Vec::new();
        };
        let header = |kind: &AuthenticationKind| {
            let value = format!("Bearer {}", token.secret.expose());
            (kind.credentials_header(), value)
        };
        self.challenged.iter().map(header).collect()
    }

    /// When a fresh token is asked for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let token = self
            .token
            .as_ref()
            .filter(|_| !self.asked && !self.challenged.is_empty())?;
        token.expires_at.map(|at| at.saturating_sub(RENEW_BEFORE))
    }

    /// The question for a fresh token, when it is due.
    pub(super) fn wake(&mut self, now: Instant) -> Option<Event> {
        if self.deadline()? > now {
            return None;
        }
        self.asked = true;
        Some(Event::TokenWanted {
            need: TokenNeed::Expiring,
            authorization_server: String::new(),
            scope: String::new(),
        })
    }

    fn usable(&self, now: Instant) -> Option<&Token> {
        let is_valid = |token: &&Token| token.expires_at.is_none_or(|at| at > now);
        self.token.as_ref().filter(is_valid)
    }
}
