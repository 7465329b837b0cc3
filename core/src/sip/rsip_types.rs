//! Conversions to and from the types of the crate `rsip` (feature `rsip`), for programs that already use it.
//!
//! That crate reads less than this one: unknown methods, folded lines, several values in one line, IPv6 hosts and URIs
//! with headers are errors there or get lost. So all conversions to it can fail, and they compare before they succeed.

use rsip::{Error, SipMessage};

use super::error::{ParseError, UriError};
use super::header_name::HeaderName;
use super::message::Message;
use super::method::Method;
use super::text::split;
use super::uri::{Uri, UriBuf};

impl TryFrom<Method<'_>> for rsip::Method {
    type Error = Error;

    fn try_from(method: Method<'_>) -> Result<Self, Error> {
        let converted = method.as_str().parse()?;
        // Over there "invite" is INVITE.
        if Method::from(converted) == method {
            Ok(converted)
        } else {
            Err(differs("method"))
        }
    }
}

impl From<rsip::Method> for Method<'static> {
    fn from(method: rsip::Method) -> Self {
        match method {
            rsip::Method::Ack => Self::Ack,
            rsip::Method::Bye => Self::Bye,
            rsip::Method::Cancel => Self::Cancel,
            rsip::Method::Info => Self::Info,
            rsip::Method::Invite => Self::Invite,
            rsip::Method::Message => Self::Message,
            rsip::Method::Notify => Self::Notify,
            rsip::Method::Options => Self::Options,
            rsip::Method::PRack => Self::Prack,
            rsip::Method::Publish => Self::Publish,
            rsip::Method::Refer => Self::Refer,
            rsip::Method::Register => Self::Register,
            rsip::Method::Subscribe => Self::Subscribe,
            rsip::Method::Update => Self::Update,
        }
    }
}

impl TryFrom<Uri<'_>> for rsip::Uri {
    type Error = Error;

    fn try_from(uri: Uri<'_>) -> Result<Self, Error> {
        let converted = Self::try_from(uri.as_str())?;
        // Over there "?" and what follows it is part of the host.
        let has_same_host = uri.host() == Some(converted.host().to_string().as_str());
        let is_same = UriBuf::try_from(&converted).is_ok_and(|back| back.as_uri().equivalent(&uri));
        if has_same_host && is_same {
            Ok(converted)
        } else {
            Err(differs("URI"))
        }
    }
}

impl TryFrom<&rsip::Uri> for UriBuf {
    type Error = UriError;

    fn try_from(uri: &rsip::Uri) -> Result<Self, UriError> {
        Self::parse(uri.to_string())
    }
}

impl TryFrom<&Message> for SipMessage {
    type Error = Error;

    /// Writes long header names and one value per line of those headers that list addresses or hops, because the other
    /// crate knows neither compact names nor lists.
    fn try_from(message: &Message) -> Result<Self, Error> {
        let mut text = match (message.request_uri_text(), message.status()) {
            (Some(uri), _) => format!("{} {uri} SIP/2.0\r\n", message.method()),
            (None, status) => {
                format!(
                    "SIP/2.0 {} {}\r\n",
                    status.unwrap_or_default(),
                    message.reason().unwrap_or_default()
                )
            }
        };
        for (name, value) in message.headers() {
            if LISTS.contains(&name) {
                let elements = split(value, b',').filter(|element| !element.is_empty());
                elements.for_each(|element| text.push_str(&format!("{name}: {element}\r\n")));
            } else {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        text.push_str("\r\n");
        let mut converted = Self::try_from(text)?;
        *converted.body_mut() = message.body().to_vec();
        match &converted {
            Self::Request(request) if Method::from(request.method) != message.method() => {
                Err(differs("method"))
            }
            Self::Request(_) | Self::Response(_) => Ok(converted),
        }
    }
}

impl TryFrom<&SipMessage> for Message {
    type Error = ParseError;

    fn try_from(message: &SipMessage) -> Result<Self, ParseError> {
        // Written without its body, which the other crate would force into UTF-8.
        let mut head = message.clone();
        let body = std::mem::take(head.body_mut());
        Self::parse([head.to_string().into_bytes(), body].concat())
    }
}

const LISTS: [HeaderName<'_>; 6] = [
    HeaderName::Via,
    HeaderName::Contact,
    HeaderName::Route,
    HeaderName::RecordRoute,
    HeaderName::Path,
    HeaderName::ServiceRoute,
];

fn differs(what: &str) -> Error {
    Error::Unexpected(format!("rsip reads this {what} as another"))
}
