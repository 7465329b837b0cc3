//! What a user agent has to say against a request before anybody is asked about it (RFC 3261 section 8.2).

use crate::endpoint::SUPPORTED;
use crate::sip::{BodyPart, HeaderName, Message, Method, Scheme};

/// Bytes of a Request-URI; GRUUs with all their parameters are a tenth of it.
const LONGEST_URI: usize = 2_048;

/// Why a request is refused, whatever it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// Nobody here has ever heard of its method (section 21.5.2).
    Method,
    /// The Request-URI is not one of telephony (section 8.2.2.1).
    Scheme,
    /// The Request-URI is longer than any that is meant (section 21.4.12).
    LongUri,
    /// These extensions are required and unknown (section 8.2.2.3).
    Extensions(String),
    /// A request that offers or answers carries something else than a session description (section 8.2.3).
    Body,
    /// The body is packed (section 20.12).
    Encoding,
    /// An INVITE does not want a session description back (section 20.1).
    Accept,
}

impl Objection {
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Method => 501,
            Self::Scheme => 416,
            Self::LongUri => 414,
            Self::Extensions(_) => 420,
            Self::Body | Self::Encoding => 415,
            Self::Accept => 406,
        }
    }
}

/// The first objection, in the order of section 8.2. ACK and CANCEL, to which nothing can be objected, do not come here.
pub(super) fn objection(request: &Message) -> Option<Objection> {
    let is_invite = request.method() == Method::Invite;
    let describes = matches!(request.method(), Method::Invite | Method::Update | Method::Prack);
    let tags = unsupported(request);
    if matches!(request.method(), Method::Other(_)) {
        Some(Objection::Method)
    } else if request
        .request_uri_text()
        .is_some_and(|uri| uri.len() > LONGEST_URI)
    {
        Some(Objection::LongUri)
    } else if request
        .request_uri()
        .is_some_and(|uri| matches!(uri.scheme(), Scheme::Other(_)))
    {
        Some(Objection::Scheme)
    } else if !tags.is_empty() {
        Some(Objection::Extensions(tags))
    } else if !request.body().is_empty() && is_packed(request) {
        Some(Objection::Encoding)
    } else if describes && !has_usable_body(request) {
        Some(Objection::Body)
    } else if is_invite && !accepts_descriptions(request) {
        Some(Objection::Accept)
    } else {
        None
    }
}

/// Required option tags this agent does not implement.
fn unsupported(request: &Message) -> String {
    let known = |tag: &&str| {
        SUPPORTED
            .split(',')
            .any(|known| known.trim().eq_ignore_ascii_case(tag))
    };
    let required = request.header_list(HeaderName::Require).map(str::trim);
    required.filter(|tag| !known(tag)).collect::<Vec<_>>().join(", ")
}

/// A session description, or nothing; beside it only what may be ignored (RFC 5621 section 8.3).
fn has_usable_body(request: &Message) -> bool {
    let Ok(parts) = request.body_parts() else {
        return false;
    };
    let is_description = |part: &BodyPart<'_>| part.is("application/sdp");
    let is_harmless = |part: &BodyPart<'_>| is_description(part) || !part.is_required();
    if request.offers_alternatives() {
        parts.iter().any(is_description)
    } else {
        parts.iter().all(is_harmless)
    }
}

fn is_packed(request: &Message) -> bool {
    request
        .header_list(HeaderName::ContentEncoding)
        .any(|encoding| !encoding.eq_ignore_ascii_case("identity"))
}

/// Without Accept a session description is accepted, with an empty one nothing is.
fn accepts_descriptions(invite: &Message) -> bool {
    let mut accepted = invite.header_list(HeaderName::Accept).map(media_range);
    invite.header(HeaderName::Accept).is_none()
        || accepted.any(|range| {
            ["application/sdp", "application/*", "*/*"]
                .iter()
                .any(|fitting| range.eq_ignore_ascii_case(fitting))
        })
}

/// A media range without its parameters.
fn media_range(accept: &str) -> &str {
    accept.split(';').next().unwrap_or(accept).trim()
}
