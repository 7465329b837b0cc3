use std::borrow::Cow;
use std::fmt;

use super::error::Malformed;
use super::header_name::HeaderName;
use super::text::{is_space, is_token, split, trim, unquote};

/// Who asks for authentication: the end point or a proxy (RFC 3261 22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthenticationKind {
    /// 401 with WWW-Authenticate, answered with Authorization.
    Www,
    /// 407 with Proxy-Authenticate, answered with Proxy-Authorization.
    Proxy,
}

impl AuthenticationKind {
    /// The header a challenge stands in.
    pub fn challenge_header(self) -> HeaderName<'static> {
        match self {
            Self::Www => HeaderName::WwwAuthenticate,
            Self::Proxy => HeaderName::ProxyAuthenticate,
        }
    }

    /// The header credentials stand in.
    pub fn credentials_header(self) -> HeaderName<'static> {
        match self {
            Self::Www => HeaderName::Authorization,
            Self::Proxy => HeaderName::ProxyAuthorization,
        }
    }

    /// The status a challenge comes with.
    pub fn status(self) -> u16 {
        match self {
            Self::Www => 401,
            Self::Proxy => 407,
        }
    }
}

/// One WWW-Authenticate or Proxy-Authenticate header (RFC 3261 20.27, 20.44), of any scheme.
#[derive(Clone, Copy)]
pub struct Challenge<'a> {
    /// Which of the two headers it is.
    pub kind: AuthenticationKind,
    /// The scheme as written: `Digest`, `Bearer` ...
    pub scheme: &'a str,
    params: AuthParams<'a>,
}

impl<'a> Challenge<'a> {
    /// Reads a header value.
    ///
    /// # Errors
    /// When `text` has no scheme.
    pub fn parse(kind: AuthenticationKind, text: &'a str) -> Result<Self, Malformed> {
        let (scheme, params) = split_scheme(text)?;
        Ok(Self { kind, scheme, params })
    }

    /// The first parameter called `name`, without quotes.
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        self.params.get(name)
    }

    /// Whether the scheme is Digest.
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }

    /// Whether the scheme is Bearer (RFC 8898).
    pub fn is_bearer(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Bearer")
    }
}

impl fmt::Debug for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge")
            .field("kind", &self.kind)
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

/// One Authorization or Proxy-Authorization header (RFC 3261 20.7, 20.28), of any scheme. `Debug` shows no parameter.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Which of the two headers it is.
    pub kind: AuthenticationKind,
    /// The scheme as written: `Digest`, `Bearer` ...
    pub scheme: &'a str,
    params: AuthParams<'a>,
}

impl<'a> Credentials<'a> {
    /// Reads a header value.
    ///
    /// # Errors
    /// When `text` has no scheme.
    pub fn parse(kind: AuthenticationKind, text: &'a str) -> Result<Self, Malformed> {
        let (scheme, params) = split_scheme(text)?;
        Ok(Self { kind, scheme, params })
    }

    /// The first parameter called `name`, without quotes.
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        self.params.get(name)
    }

    /// Whether the scheme is Digest.
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }

    /// Whether the scheme is Bearer (RFC 8898).
    pub fn is_bearer(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Bearer")
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("kind", &self.kind)
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

/// `name=value` parameters after a scheme, separated by commas.
#[derive(Clone, Copy)]
pub(super) struct AuthParams<'a>(&'a str);

impl<'a> AuthParams<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    pub(super) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        split(self.0, b',').find_map(|param| {
            let (own, value) = param.split_once('=')?;
            trim(own).eq_ignore_ascii_case(name).then(|| unquote(trim(value)))
        })
    }
}

fn split_scheme(text: &str) -> Result<(&str, AuthParams<'_>), Malformed> {
    let text = trim(text);
    let (scheme, params) = text.split_once(is_space).unwrap_or((text, ""));
    if is_token(scheme) {
        Ok((scheme, AuthParams(params)))
    } else {
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn parameters_are_found_and_unquoted() {
        let text = r#"Digest realm="a, \"b\"", Nonce = "n=1" ,qop="auth,auth-int",algorithm=MD5,stale=TRUE"#;
        let challenge = Challenge::parse(AuthenticationKind::Proxy, text).unwrap();
        assert!(challenge.is_digest());
        assert_eq!(challenge.param("realm").as_deref(), Some(r#"a, "b""#));
        assert_eq!(challenge.param("nonce").as_deref(), Some("n=1"));
        assert_eq!(challenge.param("qop").as_deref(), Some("auth,auth-int"));
        assert_eq!(challenge.param("ALGORITHM").as_deref(), Some("MD5"));
        assert_eq!(challenge.param("opaque"), None);
    }

    #[test]
    fn unknown_schemes_are_kept() {
        let text = "NoOneKnowsThisScheme opaque-data=here";
        let credentials = Credentials::parse(AuthenticationKind::Www, text).unwrap();
        assert_eq!(credentials.scheme, "NoOneKnowsThisScheme");
        assert_eq!(credentials.param("opaque-data").as_deref(), Some("here"));
        assert!(Credentials::parse(AuthenticationKind::Www, "").is_err());
        assert!(Credentials::parse(AuthenticationKind::Www, "a=b").is_err());
        assert_eq!(
            Credentials::parse(AuthenticationKind::Www, "Basic QQ==")
                .unwrap()
                .param("realm"),
            None
        );
    }
}
