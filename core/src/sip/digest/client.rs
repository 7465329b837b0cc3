use std::fmt::{self, Write as _};

use super::{Algorithm, Ha1, Ha1Source, Protection, Quality, Subject, request_digest};
use crate::sip::challenge::{AuthParams, AuthenticationKind, Challenge};
use crate::sip::header_name::HeaderName;
use crate::sip::message::Message;
use crate::sip::text::{quote, split};

/// More realms than any path has; older ones are forgotten.
const MAX_CHALLENGES: usize = 16;

/// The challenges a client has met and can answer, with the count of uses of each nonce.
///
/// One value serves all requests with one set of credentials: a nonce may be used again for later requests, which
/// saves them the round trip (RFC 3261 22.2). `Debug` shows realms only.
#[derive(Clone, Default)]
pub struct ClientChallengeState {
    challenges: Vec<Known>,
}

#[derive(Clone)]
struct Known {
    kind: AuthenticationKind,
    realm: String,
    algorithm: Algorithm,
    /// Whether the challenge named its algorithm; if not, the answer does not either.
    names_algorithm: bool,
    nonce: String,
    opaque: Option<String>,
    quality: Option<Quality>,
    uses: u32,
}

impl ClientChallengeState {
    /// Takes in the challenges of a 401 or 407 (any other message has none). They replace what was known of their
    /// realms, also if it was only a nonce that had become stale.
    ///
    /// Returns whether any of them can be answered; unknown schemes, algorithms and qualities cannot.
    pub fn take_challenges(&mut self, response: &Message) -> bool {
        let read = |it: Challenge<'_>| Some(self.with_uses(Known::read(&it)?));
        let offered: Vec<_> = response.challenges().flatten().filter_map(read).collect();
        let is_replaced = |old: &Known| offered.iter().any(|new| new.is_for(old.kind, &old.realm));
        self.challenges.retain(|old| !is_replaced(old));
        let is_answerable = !offered.is_empty();
        self.challenges.extend(offered);
        let surplus = self.challenges.len().saturating_sub(MAX_CHALLENGES);
        self.challenges.drain(..surplus);
        is_answerable
    }

    /// A nonce that comes again goes on being counted: a server that makes one nonce per second would take a count that
    /// starts anew for a replay (RFC 7616 section 3.4).
    fn with_uses(&self, new: Known) -> Known {
        let is_it = |old: &&Known| old.is_for(new.kind, &new.realm) && old.nonce == new.nonce;
        let uses = self.challenges.iter().find(is_it).map_or(0, |old| old.uses);
        Known { uses, ..new }
    }

    /// Takes in what a 2xx says about the next nonce (RFC 7616 section 3.5): it saves the round trip when the present one
    /// is about to become stale. `request` is what was answered.
    pub fn take_next_nonce(&mut self, request: &Message, response: &Message) {
        for (kind, next) in next_nonces(response) {
            let used = request.credentials().flatten().filter(|it| it.kind == kind);
            for nonce in used.filter_map(|it| it.param("nonce")) {
                let is_it = |known: &&mut Known| known.kind == kind && known.nonce == nonce;
                if let Some(known) = self.challenges.iter_mut().find(is_it) {
                    known.nonce.clone_from(&next);
                    known.uses = 0;
                }
            }
        }
    }

    /// The Authorization and Proxy-Authorization headers for `request`: one for each realm that has challenged,
    /// by the strongest algorithm that it offered and `secret` allows. Each call counts as a use of the nonces.
    ///
    /// `cnonce` must be fresh randomness.
    pub fn authorize<'a>(
        &mut self,
        request: &Message,
        user: &str,
        secret: impl Into<Ha1Source<'a>>,
        cnonce: &str,
    ) -> Vec<(HeaderName<'static>, String)> {
        let secret = secret.into();
        let subject = Subject {
            method: request.method().as_str(),
            uri: request.request_uri_text().unwrap_or_default(),
            body: request.body(),
        };
        let mut headers = Vec::new();
        for index in self.strongest(secret) {
            let known = &mut self.challenges[index];
            if let Some(ha1) = secret.ha1(known.algorithm, user, &known.realm) {
                headers.push((
                    known.kind.credentials_header(),
                    known.answer(&ha1, user, &subject, cnonce),
                ));
            }
        }
        headers
    }

    /// For each kind and realm the strongest challenge that `secret` can answer, in the order they came.
    fn strongest(&self, secret: Ha1Source<'_>) -> Vec<usize> {
        let is_usable = |known: &Known| match secret {
            Ha1Source::Password(_) => true,
            Ha1Source::Hashes(hashes) => hashes.iter().any(|ha1| ha1.algorithm == known.algorithm),
        };
        let rivals =
            |known: &Known, other: &Known| is_usable(other) && other.is_for(known.kind, &known.realm);
        let is_strongest = |at: usize, known: &Known| {
            let better = |(index, other): (usize, &Known)| {
                rivals(known, other)
                    && (other.algorithm > known.algorithm
                        || (other.algorithm == known.algorithm && index < at))
            };
            !self.challenges.iter().enumerate().any(better)
        };
        let indexed = self.challenges.iter().enumerate();
        indexed
            .filter(|(at, known)| is_usable(known) && is_strongest(*at, known))
            .map(|(at, _)| at)
            .collect()
    }
}

impl fmt::Debug for ClientChallengeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.challenges.iter().map(|known| &known.realm))
            .finish()
    }
}

/// The `nextnonce` of Authentication-Info and Proxy-Authentication-Info (RFC 7615).
fn next_nonces(response: &Message) -> Vec<(AuthenticationKind, String)> {
    let headers = [
        (AuthenticationKind::Www, HeaderName::AuthenticationInfo),
        (
            AuthenticationKind::Proxy,
            HeaderName::Other("Proxy-Authentication-Info"),
        ),
    ];
    let next = |(kind, name)| {
        let value = response.header(name)?;
        let nonce = AuthParams::new(value).get("nextnonce")?;
        (!nonce.is_empty()).then(|| (kind, nonce.into_owned()))
    };
    headers.into_iter().filter_map(next).collect()
}

impl Known {
    /// A challenge that can be answered.
    fn read(challenge: &Challenge<'_>) -> Option<Self> {
        let algorithm = challenge.param("algorithm");
        let quality = match challenge.param("qop") {
            None => None,
            // The body is protected only if the server insists: intermediaries may change it.
            Some(offered) => Some(split(&offered, b',').filter_map(Quality::from_name).min()?),
        };
        challenge.is_digest().then_some(Self {
            kind: challenge.kind,
            realm: challenge.param("realm")?.into_owned(),
            algorithm: algorithm
                .as_deref()
                .map_or(Some(Algorithm::Md5), Algorithm::from_name)?,
            names_algorithm: algorithm.is_some(),
            nonce: challenge.param("nonce")?.into_owned(),
            opaque: challenge.param("opaque").map(|opaque| opaque.into_owned()),
            quality,
            uses: 0,
        })
    }

    fn is_for(&self, kind: AuthenticationKind, realm: &str) -> bool {
        self.kind == kind && self.realm == realm
    }

    fn answer(&mut self, ha1: &Ha1, user: &str, subject: &Subject<'_>, cnonce: &str) -> String {
        self.uses = self.uses.saturating_add(1);
        let nonce_count = format!("{:08x}", self.uses);
        let protection = self.quality.map(|quality| Protection {
            quality,
            nonce_count: &nonce_count,
            cnonce,
        });
        let response = request_digest(ha1, &self.nonce, protection, subject);
        self.credentials(user, subject.uri, &response, protection)
    }

    fn credentials(
        &self,
        user: &str,
        uri: &str,
        response: &str,
        protection: Option<Protection<'_>>,
    ) -> String {
        let mut text = String::from("Digest ");
        // Writing to a String cannot fail.
        let _ = write!(text, "username={}, realm={}", quote(user), quote(&self.realm));
        let _ = write!(
            text,
            ", nonce={}, uri={}, response=\"{response}\"",
            quote(&self.nonce),
            quote(uri)
        );
        if self.names_algorithm {
            let _ = write!(text, ", algorithm={}", self.algorithm);
        }
        if let Some(Protection {
            quality,
            nonce_count,
            cnonce,
        }) = protection
        {
            let _ = write!(
                text,
                ", qop={}, nc={nonce_count}, cnonce={}",
                quality.as_str(),
                quote(cnonce)
            );
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(text, ", opaque={}", quote(opaque));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::Secret;
    use crate::sip::digest::verify;
    use crate::sip::{Method, RequestBuilder, ResponseBuilder, Uri};

    const BODY: &[u8] = b"v=0\r\n";

    fn request() -> Message {
        RequestBuilder::new(Method::Invite, Uri::parse("sip:bob@example.com").unwrap())
            .body("application/sdp", BODY)
            .build()
    }

    fn refusal(status: u16, challenges: &[&str]) -> Message {
        let name = if status == 401 {
            HeaderName::WwwAuthenticate
        } else {
            HeaderName::ProxyAuthenticate
        };
        let empty = ResponseBuilder::for_request(&request(), status);
        challenges
            .iter()
            .fold(empty, |response, challenge| response.header(name, challenge))
            .build()
    }

    /// Credentials of one algorithm that the server finds right, or not.
    fn is_right(name: HeaderName<'_>, value: &str, algorithm: Algorithm) -> bool {
        let signed = request().edit().append(name, value).build();
        let credentials = signed.credentials().next().unwrap().unwrap();
        let realm = credentials.param("realm").unwrap();
        let ha1 = Ha1::new(algorithm, "alice", &realm, &Secret::new("demo"));
        verify(&credentials, Method::Invite, &ha1, BODY).is_ok()
    }

    fn answers(state: &mut ClientChallengeState) -> Vec<(HeaderName<'static>, String)> {
        state.authorize(&request(), "alice", &Secret::new("demo"), "c")
    }

    #[test]
    fn the_strongest_of_several_challenges_is_answered() {
        let mut state = ClientChallengeState::default();
        assert!(state.take_challenges(&refusal(
            401,
            &[
                r#"Bearer realm="r""#,
                r#"Digest realm="r", nonce="5", qop="auth", algorithm=MD5-sess"#,
                r#"Digest realm="r", nonce="1", qop="auth", algorithm=MD5"#,
                r#"Digest realm="r", nonce="2", qop="auth,auth-int", algorithm=SHA-256, opaque="o""#,
            ],
        )));
        let answers = answers(&mut state);
        let [(name, value)] = answers.as_slice() else {
            panic!("one answer, not {}", answers.len())
        };
        assert_eq!(*name, HeaderName::Authorization);
        assert!(
            value.contains("algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\", opaque=\"o\""),
            "{value}"
        );
        assert!(is_right(*name, value, Algorithm::Sha256));
        assert!(!is_right(*name, value, Algorithm::Md5));
    }

    #[test]
    fn stored_hashes_limit_the_choice() {
        let mut state = ClientChallengeState::default();
        state.take_challenges(&refusal(
            401,
            &[
                r#"Digest realm="r", nonce="2", algorithm=SHA-256"#,
                r#"Digest realm="r", nonce="1", qop="auth""#,
            ],
        ));
        let hashes = [Ha1::new(Algorithm::Md5, "alice", "r", &Secret::new("demo"))];
        let answers = state.authorize(&request(), "alice", &hashes[..], "c");
        assert_eq!(answers.len(), 1);
        assert!(!answers[0].1.contains("algorithm"), "the challenge named none");
        assert!(is_right(answers[0].0, &answers[0].1, Algorithm::Md5));
    }

    #[test]
    fn nonce_counts_rise_until_a_new_nonce_comes() {
        let mut state = ClientChallengeState::default();
        state.take_challenges(&refusal(401, &[r#"Digest realm="r", nonce="1", qop="auth""#]));
        assert!(answers(&mut state)[0].1.contains("nc=00000001"));
        assert!(answers(&mut state)[0].1.contains("nc=00000002"));
        state.take_challenges(&refusal(
            401,
            &[r#"Digest realm="r", nonce="2", qop="auth", stale=true"#],
        ));
        let renewed = answers(&mut state);
        assert_eq!(renewed.len(), 1);
        assert!(renewed[0].1.contains("nonce=\"2\"") && renewed[0].1.contains("nc=00000001"));
    }

    #[test]
    fn a_nonce_that_comes_again_is_counted_on() {
        let mut state = ClientChallengeState::default();
        let challenge = refusal(401, &[r#"Digest realm="r", nonce="1", qop="auth""#]);
        state.take_challenges(&challenge);
        assert!(answers(&mut state)[0].1.contains("nc=00000001"));
        state.take_challenges(&challenge);
        assert!(answers(&mut state)[0].1.contains("nc=00000002"));
    }

    #[test]
    fn the_next_nonce_is_used_for_the_next_request() {
        let mut state = ClientChallengeState::default();
        state.take_challenges(&refusal(401, &[r#"Digest realm="r", nonce="1", qop="auth""#]));
        let (name, value) = answers(&mut state).remove(0);
        let signed = request().edit().append(name, value).build();
        let ok = |info: &str| {
            ResponseBuilder::for_request(&signed, 200)
                .header(HeaderName::AuthenticationInfo, info)
                .build()
        };
        state.take_next_nonce(&signed, &ok(r#"qop=auth, nextnonce="""#));
        state.take_next_nonce(&signed, &ok(r#"qop=auth, nextnonce="2""#));
        let renewed = answers(&mut state);
        assert!(renewed[0].1.contains("nonce=\"2\"") && renewed[0].1.contains("nc=00000001"));
        // What is said of a nonce that is not in use changes nothing.
        state.take_next_nonce(&signed, &ok(r#"nextnonce="3""#));
        assert!(answers(&mut state)[0].1.contains("nonce=\"2\""));
    }

    #[test]
    fn the_strongest_of_the_new_algorithms_is_preferred() {
        let mut state = ClientChallengeState::default();
        state.take_challenges(&refusal(
            401,
            &[
                r#"Digest realm="r", nonce="1", qop="auth", algorithm=SHA-256, userhash=true"#,
                r#"Digest realm="r", nonce="1", qop="auth", algorithm=SHA-512-256, userhash=true"#,
            ],
        ));
        let answers = answers(&mut state);
        assert_eq!(answers.len(), 1);
        assert!(answers[0].1.contains("algorithm=SHA-512-256"));
        assert!(
            answers[0].1.contains("username=\"alice\""),
            "userhash is not used"
        );
        assert!(is_right(answers[0].0, &answers[0].1, Algorithm::Sha512_256));
    }

    #[test]
    fn end_point_and_proxies_are_answered_together() {
        let mut state = ClientChallengeState::default();
        state.take_challenges(&refusal(
            407,
            &[
                r#"Digest realm="p1", nonce="1""#,
                r#"Digest realm="p2", nonce="2""#,
            ],
        ));
        state.take_challenges(&refusal(401, &[r#"Digest realm="u", nonce="3""#]));
        let answers = answers(&mut state);
        let names: Vec<_> = answers.iter().map(|(name, _)| *name).collect();
        let proxy = HeaderName::ProxyAuthorization;
        assert_eq!(names, [proxy, proxy, HeaderName::Authorization]);
        assert!(
            answers
                .iter()
                .all(|(name, value)| is_right(*name, value, Algorithm::Md5))
        );
    }

    #[test]
    fn the_body_is_protected_if_the_server_insists() {
        let mut state = ClientChallengeState::default();
        state.take_challenges(&refusal(401, &[r#"Digest realm="r", nonce="1", qop="auth-int""#]));
        let answers = answers(&mut state);
        assert!(answers[0].1.contains("qop=auth-int"));
        assert!(is_right(answers[0].0, &answers[0].1, Algorithm::Md5));
    }

    #[test]
    fn what_cannot_be_answered_is_not() {
        let mut state = ClientChallengeState::default();
        for challenge in [
            r#"Digest realm="r", nonce="1", qop="sign""#,
            r#"Digest realm="r", nonce="1", algorithm=SHA3-256"#,
            r#"Digest realm="r""#,
            r#"Digest nonce="1""#,
            r#"Basic realm="r""#,
        ] {
            assert!(!state.take_challenges(&refusal(401, &[challenge])), "{challenge}");
        }
        assert!(answers(&mut state).is_empty());
    }

    #[test]
    fn quotes_in_realm_and_user_are_escaped() {
        let mut state = ClientChallengeState::default();
        state.take_challenges(&refusal(
            401,
            &[r#"Digest realm="a \"b\", c", nonce="1", qop="auth""#],
        ));
        let answers = answers(&mut state);
        assert!(is_right(answers[0].0, &answers[0].1, Algorithm::Md5));
        let evil = state.authorize(&request(), "a\"\r\nEvil: 1", &Secret::new("demo"), "c");
        assert!(!evil[0].1.contains(['\r', '\n']));
    }

    #[test]
    fn a_flood_of_realms_is_bounded() {
        let mut state = ClientChallengeState::default();
        for realm in 0..100 {
            state.take_challenges(&refusal(407, &[&format!(r#"Digest realm="{realm}", nonce="1""#)]));
        }
        let answers = answers(&mut state);
        assert_eq!(answers.len(), MAX_CHALLENGES);
        assert!(answers.last().unwrap().1.contains("realm=\"99\""));
    }
}
