//! What a REFER asks for (RFC 3515 section 2.4.2), whether it is done, and what the call says that is made for it.

use serde::{Deserialize, Serialize};

use super::replaces::is_same_party;
use super::{Call, CallState, Endpoint, HeaderName, Message, Stage, identity};
use crate::config::TransferPolicy;
use crate::sip::{ReferTo, RequestBuilder, Uri, UriBuf, quote};

/// Whom to call, and what for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Errand {
    /// Whom.
    pub(crate) target: UriBuf,
    /// What is known of their name.
    pub(crate) display_name: String,
    /// The dialog there that the new one is to replace, as in a Replaces header.
    pub(crate) replaces: Option<String>,
    /// On whose behalf, as in a Referred-By header; `None` if it is this side's own wish.
    pub(crate) referred_by: Option<String>,
}

/// Why a REFER is refused.
pub(super) enum Refusal {
    Status(u16),
    /// Another one is under way.
    Later,
}

impl Call {
    /// What a REFER asks for, if it is to be heard at all.
    pub(super) fn errand(&self, endpoint: &mut Endpoint, refer: &Message) -> Result<Errand, Refusal> {
        if self.info.state != CallState::Active || !matches!(self.stage, Stage::Established(_)) {
            return Err(Refusal::Status(403));
        }
        let mut values = refer.header_all(HeaderName::ReferTo);
        // Section 2.4.2: exactly one.
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Refusal::Status(400));
        };
        let refer_to = ReferTo::parse(value).map_err(|error| Refusal::Status(error.status()))?;
        if endpoint.config.transfer_policy == TransferPolicy::Never {
            return Err(Refusal::Status(603));
        }
        if refer_to.replaces.is_none() && is_self(endpoint, &refer_to.target) {
            return Err(Refusal::Status(482));
        }
        if self.referee.is_some() || !endpoint.takes_refer() {
            return Err(Refusal::Later);
        }
        Ok(Errand {
            target: refer_to.target,
            display_name: refer_to.display_name,
            replaces: refer_to.replaces,
            referred_by: Some(referred_by(refer).ok_or(Refusal::Status(400))?),
        })
    }

    /// Whether nobody has to be asked.
    pub(super) fn follows(&self, endpoint: &Endpoint, errand: &Errand) -> bool {
        match endpoint.config.transfer_policy {
            TransferPolicy::Never | TransferPolicy::Ask => false,
            TransferPolicy::Always => true,
            TransferPolicy::SameDomain => {
                let target = errand.target.as_uri();
                // A code for the platform is not somebody.
                let is_person = !target.user_decoded().contains(['*', '#']);
                let from_here = Uri::parse(&self.info.remote.uri).is_ok_and(|it| is_own_domain(endpoint, it));
                is_person && from_here && is_own_domain(endpoint, target)
            }
        }
    }
}

impl Errand {
    /// An INVITE says on whose behalf it comes (RFC 3892 section 2.2) and whose place it is to take. Who does not know
    /// that must not ring (RFC 3891 section 4).
    pub(super) fn with_reasons(&self, invite: RequestBuilder) -> RequestBuilder {
        let invite = match &self.referred_by {
            Some(referred_by) => invite.header(HeaderName::ReferredBy, referred_by),
            None => invite,
        };
        match &self.replaces {
            Some(replaces) => invite
                .header(HeaderName::Require, "replaces")
                .header(HeaderName::Replaces, replaces),
            None => invite,
        }
    }
}

/// RFC 3892 section 2.2: what the REFER says of its sender goes into the call that is made for it, or else its From. A
/// signed token is not passed on.
fn referred_by(refer: &Message) -> Option<String> {
    let mut said = refer.addresses(HeaderName::ReferredBy).flatten();
    let by = said.next().or_else(|| refer.from().ok())?;
    let uri = by.uri.without_headers();
    Some(match by.display_name {
        Some(name) => format!("{} <{}>", quote(&identity::bounded(&name.decode())), uri.as_str()),
        None => format!("<{}>", uri.as_str()),
    })
}

/// A call to oneself would only come back.
fn is_self(endpoint: &Endpoint, target: &UriBuf) -> bool {
    let own = endpoint.config.address_of_record.as_str();
    let gruu = endpoint.identity.public_gruu.as_ref();
    let is_gruu = gruu.is_some_and(|gruu| gruu.as_uri().equivalent(&target.as_uri()));
    is_gruu || is_same_party(own, target.as_str()) || endpoint.contact_uri() == target.as_str()
}

/// Whether `uri` is an address of the account's own domain.
pub(super) fn is_own_domain(endpoint: &Endpoint, uri: Uri<'_>) -> bool {
    let own = endpoint.config.address_of_record.as_uri().host();
    let hosts = uri.host().zip(own);
    hosts.is_some_and(|(host, own)| host.eq_ignore_ascii_case(own))
}
