//! Refer-To (RFC 3515 section 2.1): whom a REFER names, and what the request that it asks for is to carry.

use super::name_addr::NameAddr;
use super::replaces::Replaces;
use super::text::percent_decode;
use super::uri::{Scheme, Uri, UriBuf, escape_header};

/// Bytes of a Refer-To; a GRUU and a Replaces together are a fifth of it.
const LONGEST: usize = 2_048;
/// Headers in the URI that are looked at.
const MAX_HEADERS: usize = 16;

/// What a Refer-To asks for. Of the headers in its URI only those stay that may be part of a call made for somebody
/// else: Replaces, and Require as far as it is about that. Who could have others written would decide about the route,
/// the identity and the body of a request that leaves with this side's credentials (RFC 3261 section 19.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferTo {
    /// Whom to call: a `sip:`, `sips:` or `tel:` URI without headers and method.
    pub target: UriBuf,
    /// The name beside it, decoded; empty if there is none.
    pub display_name: String,
    /// The dialog at the target that the new one is to replace (RFC 3891), as in a header.
    pub replaces: Option<String>,
}

/// Why a Refer-To is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReferToError {
    /// It does not follow its grammar, or says something twice.
    Malformed,
    /// It names something that is not for calling.
    Scheme,
    /// It asks for something else than a call.
    Method,
    /// The call it asks for would have to use an extension that is not known here.
    Extension,
}

impl ReferToError {
    /// The SIP status to refuse it with.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            // RFC 3261 section 21.4.14.
            Self::Scheme => 416,
            Self::Method | Self::Extension => 403,
        }
    }
}

impl ReferTo {
    /// Reads a header value.
    ///
    /// # Errors
    /// [`ReferToError`]; the sender is at fault.
    pub fn parse(text: &str) -> Result<Self, ReferToError> {
        if text.len() > LONGEST {
            return Err(ReferToError::Malformed);
        }
        let address = NameAddr::parse(text).map_err(|_| ReferToError::Malformed)?;
        if matches!(address.uri.scheme(), Scheme::Other(_)) {
            return Err(ReferToError::Scheme);
        }
        let name = address.display_name.as_ref();
        let mut refer_to = Self {
            target: without_method(address.uri)?,
            display_name: name.map(|name| name.decode().into_owned()).unwrap_or_default(),
            replaces: None,
        };
        refer_to.take_headers(address.uri.headers().unwrap_or_default())?;
        Ok(refer_to)
    }

    /// A header value for `target`, to replace the dialog of the Replaces header `replaces` there. Whoever does not know
    /// that must not ring (RFC 3891 section 4).
    pub fn with_replaces(target: &UriBuf, replaces: &str) -> String {
        let bare = target.as_uri().without_headers();
        let replaces = escape_header(replaces);
        format!("<{}?Replaces={replaces}&Require=replaces>", bare.as_str())
    }

    fn take_headers(&mut self, headers: &str) -> Result<(), ReferToError> {
        for (at, header) in headers.split('&').filter(|it| !it.is_empty()).enumerate() {
            if at >= MAX_HEADERS {
                return Err(ReferToError::Malformed);
            }
            let (name, value) = header.split_once('=').ok_or(ReferToError::Malformed)?;
            let (name, value) = (percent_decode(name), percent_decode(value));
            if name.eq_ignore_ascii_case("replaces") {
                if self.replaces.is_some() || Replaces::parse(&value).is_err() {
                    return Err(ReferToError::Malformed);
                }
                self.replaces = Some(value.into_owned());
            } else if name.eq_ignore_ascii_case("require") {
                let mut tags = value.split(',').map(str::trim).filter(|it| !it.is_empty());
                if !tags.all(|tag| tag.eq_ignore_ascii_case("replaces")) {
                    return Err(ReferToError::Extension);
                }
            }
        }
        Ok(())
    }
}

/// The URI as a Request-URI. RFC 3515 section 2.1: without a method it is about an INVITE.
fn without_method(uri: Uri<'_>) -> Result<UriBuf, ReferToError> {
    let bare = uri.without_headers();
    let Some(method) = bare.as_uri().params().value("method") else {
        return Ok(bare);
    };
    if !method.eq_ignore_ascii_case("INVITE") {
        return Err(ReferToError::Method);
    }
    let params = bare.as_uri().params();
    let head_end = bare.as_str().len() - params.as_str().len() - 1;
    let head = bare.as_str().get(..head_end).ok_or(ReferToError::Malformed)?;
    let kept = params
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("method"));
    let text = kept.fold(head.to_owned(), |mut text, (name, value)| {
        text.push(';');
        text.push_str(name);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
        text
    });
    UriBuf::parse(text).map_err(|_| ReferToError::Malformed)
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn read(text: &str) -> (String, Option<String>) {
        let refer_to = ReferTo::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        (refer_to.target.as_str().to_owned(), refer_to.replaces)
    }

    #[test]
    fn whom_and_what_to_replace() {
        for (text, target, replaces) in [
            ("<sip:carol@example.com>", "sip:carol@example.com", None),
            ("sip:carol@example.com;x=y", "sip:carol@example.com", None),
            ("\"Carol\" <tel:+49-89-1;ext=5>", "tel:+49-89-1;ext=5", None),
            (
                "<sips:c@example.com;gr=urn:uuid:1?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces>",
                "sips:c@example.com;gr=urn:uuid:1",
                Some("a@b;to-tag=1;from-tag=2"),
            ),
            (
                "<sip:c@example.com;method=invite;lr;a=b?rEPLACES=x%3Bto-tag=1%3Bfrom-tag=2>",
                "sip:c@example.com;lr;a=b",
                Some("x;to-tag=1;from-tag=2"),
            ),
        ] {
            assert_eq!(
                read(text),
                (target.to_owned(), replaces.map(str::to_owned)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let target = UriBuf::parse("sip:c@example.com;gr=1").unwrap();
        let replaces = "12-x&y=?%+@host;to-tag=a'b%;from-tag=c+d!";
        let text = ReferTo::with_replaces(&target, replaces);
        assert_eq!(
            read(&text),
            (target.as_str().to_owned(), Some(replaces.to_owned()))
        );
    }

    #[test]
    fn other_headers_do_not_come_along() {
        let text = "<sip:c@example.com?Route=%3Csip:evil.example%3E&Via=x&Contact=y&body=v%3D0&From=z\
             &Replaces=r%3Bto-tag=1%3Bfrom-tag=2>";
        let replaces = "r;to-tag=1;from-tag=2".to_owned();
        assert_eq!(read(text), ("sip:c@example.com".to_owned(), Some(replaces)));
    }

    #[test]
    fn what_is_not_followed() {
        let replaces = "Replaces=a%3Bto-tag=1%3Bfrom-tag=2";
        let twice = format!("<sip:c@example.com?{replaces}&{replaces}>");
        let many = format!("<sip:c@example.com?{}>", "a=b&".repeat(17));
        let long = format!("<sip:{}@example.com>", "c".repeat(2_048));
        for (text, error) in [
            ("", ReferToError::Malformed),
            ("carol", ReferToError::Malformed),
            ("<sip:c@example.com", ReferToError::Malformed),
            ("<sip:c@example.com?Replaces>", ReferToError::Malformed),
            ("<sip:c@example.com?Replaces=a>", ReferToError::Malformed),
            (twice.as_str(), ReferToError::Malformed),
            (
                "<sip:c@example.com?Replaces=a%0d%0aVia:x>",
                ReferToError::Malformed,
            ),
            (many.as_str(), ReferToError::Malformed),
            (long.as_str(), ReferToError::Malformed),
            ("<https://example.com/>", ReferToError::Scheme),
            ("<mailto:c@example.com>", ReferToError::Scheme),
            ("<javascript:alert(1)>", ReferToError::Scheme),
            ("<sip:c@example.com;method=BYE>", ReferToError::Method),
            ("<sip:c@example.com;method=SUBSCRIBE>", ReferToError::Method),
            ("<sip:c@example.com?Require=tdialog>", ReferToError::Extension),
        ] {
            assert_eq!(ReferTo::parse(text), Err(error), "{text}");
        }
    }
}
