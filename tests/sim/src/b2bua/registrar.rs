//! Registrations, as a registrar without outbound and GRUU keeps them, and the check of credentials.

use std::collections::BTreeMap;

use clearline_core::sip::digest::{Algorithm, DigestChallenge, Ha1, verify};
use clearline_core::sip::{AuthenticationKind, HeaderName, Message, Method, UriBuf};
use clearline_core::transaction::TransactionId;
use clearline_core::{ConnectionId, Duration, Instant, Secret};

use super::B2bua;
use crate::platform::{DOMAIN, PASSWORD, USERS};

/// The longest a registration is granted for.
const LONGEST: u32 = 300;
/// After this a nonce is stale.
const NONCE_LIFETIME: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) contact: UriBuf,
    pub(super) connection: ConnectionId,
    expires_at: Instant,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Registrar {
    pub(super) bindings: BTreeMap<String, Vec<Binding>>,
    nonces: BTreeMap<String, Instant>,
}

impl Registrar {
    pub(super) fn expire(&mut self, now: Instant) {
        for bindings in self.bindings.values_mut() {
            bindings.retain(|binding| binding.expires_at > now);
        }
        self.nonces.retain(|_, issued| *issued + NONCE_LIFETIME * 2 > now);
    }

    pub(super) fn connection_lost(&mut self, connection: ConnectionId) {
        for bindings in self.bindings.values_mut() {
            bindings.retain(|binding| binding.connection != connection);
        }
    }
}

impl B2bua {
    /// The user a name or number means.
    pub(super) fn user_called(&self, name: &str) -> Option<&'static str> {
        let known = USERS
            .iter()
            .find(|(id, number, _)| *id == name || *number == name);
        known.map(|(id, _, _)| *id)
    }

    pub(super) fn register(
        &mut self,
        connection: ConnectionId,
        transaction: TransactionId,
        request: &Message,
    ) {
        let Some(user) = self.authenticated(request, AuthenticationKind::Www) else {
            return self.challenge(transaction, request, AuthenticationKind::Www);
        };
        let expires = request.expires().ok().flatten().unwrap_or(LONGEST).min(LONGEST);
        let contacts: Vec<UriBuf> = request
            .contacts()
            .flatten()
            .filter_map(|contact| contact.address().map(|address| address.uri.to_owned()))
            .collect();
        let now = self.now;
        let bindings = self.registrar.bindings.entry(user.to_owned()).or_default();
        bindings.retain(|binding| !contacts.contains(&binding.contact));
        if expires > 0 {
            bindings.extend(contacts.iter().map(|contact| Binding {
                contact: contact.clone(),
                connection,
                expires_at: now + Duration::from_secs(u64::from(expires)),
            }));
        }
        let listed: Vec<_> = bindings
            .iter()
            .map(|binding| {
                let left = (binding.expires_at - now).as_secs();
                format!("<{}>;expires={left}", binding.contact.as_str())
            })
            .collect();
        let ok = listed
            .into_iter()
            .fold(self.response(request, 200), |ok, contact| {
                ok.header(HeaderName::Contact, contact)
            });
        self.respond(transaction, ok.build());
        if self.behaviour.registration_moves_calls {
            self.move_legs(user, &contacts, connection);
        }
    }

    /// The user whose credentials a request shows.
    pub(super) fn authenticated(&self, request: &Message, kind: AuthenticationKind) -> Option<&'static str> {
        let shown = request
            .credentials()
            .flatten()
            .find(|shown| shown.kind == kind && shown.is_digest())?;
        let nonce = shown.param("nonce")?;
        self.registrar
            .nonces
            .get(nonce.as_ref())
            .filter(|issued| **issued + NONCE_LIFETIME > self.now)?;
        let name = shown.param("username")?;
        let user = self.user_called(&name)?;
        let ha1 = Ha1::new(Algorithm::Md5, user, DOMAIN, &Secret::new(PASSWORD));
        verify(&shown, request.method(), &ha1, request.body())
            .ok()
            .map(|()| user)
    }

    pub(super) fn challenge(
        &mut self,
        transaction: TransactionId,
        request: &Message,
        kind: AuthenticationKind,
    ) {
        let nonce = self.rng.token(8);
        self.registrar.nonces.insert(nonce.clone(), self.now);
        let is_stale = request
            .credentials()
            .flatten()
            .filter_map(|shown| shown.param("nonce").map(std::borrow::Cow::into_owned))
            .any(|nonce| {
                let issued = self.registrar.nonces.get(&nonce);
                issued.is_none_or(|issued| *issued + NONCE_LIFETIME <= self.now)
            });
        let challenge = DigestChallenge::new(DOMAIN, &nonce, Algorithm::Md5).stale(is_stale);
        let tag = self.rng.token(4);
        let response = self
            .response(request, kind.status())
            .to_tag(&tag)
            .header(kind.challenge_header(), challenge.to_string())
            .build();
        self.respond(transaction, response);
    }

    /// The kind of credentials requests other than REGISTER show.
    pub(super) fn caller_kind(&self) -> AuthenticationKind {
        match self.behaviour.challenge_status {
            401 => AuthenticationKind::Www,
            _ => AuthenticationKind::Proxy,
        }
    }

    /// Asks every telephone for a sign of life.
    pub(super) fn send_keep_alives(&mut self) {
        let all: Vec<_> = self.registrar.bindings.values().flatten().cloned().collect();
        for Binding {
            contact, connection, ..
        } in all
        {
            let (tag, call_id) = (self.rng.token(4), self.rng.token(8));
            let options = clearline_core::sip::RequestBuilder::new(Method::Options, contact.as_uri())
                .header(HeaderName::MaxForwards, 70)
                .header(HeaderName::From, format_args!("<sip:{DOMAIN}>;tag={tag}"))
                .header(HeaderName::To, format_args!("<{}>", contact.as_str()))
                .header(HeaderName::CallId, call_id)
                .header(HeaderName::CSeq, "1 OPTIONS");
            self.send(connection, options, super::Purpose::KeepAlive(connection));
        }
    }
}
