//! Who a call is with: the asserted identity (RFC 3325), the claimed one, and privacy (RFC 3323).
//!
//! The agent hears its own platform only, over the connection it has opened itself: that is the trust domain of
//! RFC 3325 section 3, so what is asserted there may be believed.

use super::replaces::is_same_party;
use super::{Call, CallDirection, CallState, Endpoint, HeaderName, Message, NameAddr};
use crate::event::Identity;
use crate::sip::{HeaderError, RequestBuilder, Scheme, TelephoneNumber, Uri};

/// From of a caller who withholds who it is (RFC 3323 section 4.1.1.3).
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
/// RFC 3325 section 9.1 allows two values, one `sip:` and one `tel:`; more are not looked at.
const MAX_ASSERTED: usize = 4;
/// Longest text that is taken over from the network, in bytes.
const MAX_TEXT: usize = 256;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) identity: Identity,
    pub(super) anonymous: bool,
}

/// Who sent `invite`: the asserted identity before the claimed one, unless the caller withholds it.
pub(super) fn caller(invite: &Message) -> Result<Caller, HeaderError> {
    let from = invite.from()?;
    if wants_privacy(invite) || is_anonymous(&from.uri) {
        return Ok(Caller {
            identity: Identity {
                uri: "sip:anonymous@anonymous.invalid".to_owned(),
                ..Identity::default()
            },
            anonymous: true,
        });
    }
    Ok(Caller {
        identity: asserted_identity(invite).unwrap_or_else(|| identity(&from)),
        anonymous: false,
    })
}

/// Who a message is from, as the platform asserts it. Of several values the one that can be called back on this
/// platform is taken; a name that only another one has is added to it. Nothing if the far end wants privacy.
pub(super) fn asserted_identity(message: &Message) -> Option<Identity> {
    if wants_privacy(message) {
        return None;
    }
    let values = || {
        let asserted = message.addresses(HeaderName::PAssertedIdentity);
        asserted.take(MAX_ASSERTED).flatten()
    };
    let is_sip = |address: &NameAddr<'_>| matches!(address.uri.scheme(), Scheme::Sip | Scheme::Sips);
    let chosen = values().find(is_sip).or_else(|| values().next())?;
    let mut chosen = identity(&chosen);
    if chosen.display_name.is_empty() {
        let named = values().map(|address| identity(&address).display_name);
        chosen.display_name = named
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_default();
    }
    Some(chosen)
}

/// Who has sent the caller here, as the caller says (RFC 3892); nobody who only calls or sends on himself.
pub(super) fn referrer(endpoint: &Endpoint, invite: &Message) -> Option<Identity> {
    let said = invite.addresses(HeaderName::ReferredBy).flatten().next()?;
    let own = endpoint.config.address_of_record.as_str();
    let caller = invite.from().ok()?;
    let others = [own, caller.uri.as_str()].map(|party| !is_same_party(party, said.uri.as_str()));
    (others == [true; 2] && !is_anonymous(&said.uri)).then(|| identity(&said))
}

/// An address as the user sees it. A telephone number (RFC 3966) is shown without its decoration and parameters.
pub(super) fn identity(address: &NameAddr<'_>) -> Identity {
    let user = match TelephoneNumber::of(address.uri) {
        Some(number) => number.to_shown(),
        None => address.uri.user_decoded().into_owned(),
    };
    let name = address.display_name.as_ref();
    Identity {
        display_name: bounded(&name.map(|name| name.decode()).unwrap_or_default()),
        user: bounded(&user),
        uri: bounded(address.uri.as_str()),
    }
}

/// Who has this address, under this name.
pub(crate) fn named(display_name: &str, uri: &str) -> Identity {
    let known = NameAddr::parse(&format!("<{uri}>")).map(|address| identity(&address));
    Identity {
        display_name: bounded(display_name),
        ..known.unwrap_or_default()
    }
}

/// What the network says at such length is not for people.
pub(super) fn bounded(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT);
    text.get(..end).unwrap_or_default().to_owned()
}

/// RFC 3323 section 4.2 and RFC 3325 section 9.3: `id` and `user` are about who it is. `header` and `session` are for
/// privacy services on the way.
fn wants_privacy(message: &Message) -> bool {
    message
        .privacy()
        .any(|value| value.eq_ignore_ascii_case("id") || value.eq_ignore_ascii_case("user"))
}

/// Whether an address is one of those behind which somebody withholds the own (RFC 3323 section 4.1).
pub(crate) fn is_anonymous(uri: &Uri<'_>) -> bool {
    let host = uri.host().unwrap_or_default();
    let user = uri.user().unwrap_or_default();
    host.eq_ignore_ascii_case("anonymous.invalid") || user.eq_ignore_ascii_case("anonymous")
}

impl Call {
    /// Who is at the far end now. If it is another party than before, that one has connected this side with it: so a
    /// platform that transfers calls itself shows them (RFC 4916 section 4.4).
    pub(super) fn speaks_with(&mut self, party: Identity) {
        let before = std::mem::replace(&mut self.info.remote, party);
        let now = &self.info.remote;
        // A party may have several addresses, and keeps its name.
        let same_name = !now.display_name.is_empty() && now.display_name == before.display_name;
        let same = same_name || is_same_party(&before.uri, &now.uri);
        if self.info.state == CallState::Active && !same {
            self.info.transferred_by = Some(before);
        }
    }

    /// The Contact of this call's dialog. That of an anonymous caller names nobody (RFC 3323 section 4.1.1.3): a GRUU
    /// holds the address of record.
    pub(super) fn contact(&self, endpoint: &Endpoint) -> String {
        if self.info.anonymous && self.info.direction == CallDirection::Outgoing {
            endpoint.device_contact()
        } else {
            endpoint.contact()
        }
    }
}

/// From of a new call.
pub(super) fn from(endpoint: &Endpoint, anonymous: bool) -> String {
    if anonymous {
        ANONYMOUS.to_owned()
    } else {
        endpoint.local_name_addr()
    }
}

/// What a new call says about its caller besides From: the wish for privacy, and the identity the platform is to assert
/// (RFC 3325 section 9.2), if one is configured.
pub(super) fn with_identity(endpoint: &Endpoint, invite: RequestBuilder, anonymous: bool) -> RequestBuilder {
    let invite = match &endpoint.config.preferred_identity {
        Some(preferred) => invite.header(
            HeaderName::PPreferredIdentity,
            format_args!("<{}>", preferred.as_str()),
        ),
        None => invite,
    };
    if anonymous {
        invite.header(HeaderName::Privacy, "id")
    } else {
        invite
    }
}
