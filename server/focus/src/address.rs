//! Whom an address names, and how a name is shown.

use clearline_core::sip::{HeaderName, Message, Method, Uri};

use crate::settings::CONFERENCE_PREFIX;

/// Characters of a name that are shown.
const MAX_NAME: usize = 64;

/// The address of record behind `uri`, which may name one device of it; `None` unless it is a user of `domain`.
pub(crate) fn record(uri: &Uri<'_>, domain: &str) -> Option<String> {
    let (user, host) = (uri.user()?, uri.host()?);
    (host.eq_ignore_ascii_case(domain) && !user.is_empty()).then(|| format!("sip:{user}@{domain}"))
}

/// The same of a text.
pub(crate) fn record_of(text: &str, domain: &str) -> Option<String> {
    record(&Uri::parse(text).ok()?, domain)
}

/// Who has sent a request, as the platform vouches for it (RFC 3325); `None` for strangers and those who hide.
pub(crate) fn sender(request: &Message, domain: &str) -> Option<String> {
    let mut asserted = request.addresses(HeaderName::PAssertedIdentity).flatten();
    record(&asserted.next()?.uri, domain)
}

/// Who has answered an INVITE, as the platform vouches for it in the same way, and their name.
pub(crate) fn answerer(response: &Message, domain: &str) -> Option<(String, String)> {
    let is_answer = matches!(response.status(), Some(200..=299))
        && response.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
    let mut asserted = response.addresses(HeaderName::PAssertedIdentity).flatten();
    let asserted = asserted.next().filter(|_| is_answer)?;
    let name = asserted.display_name.as_ref().map(|name| shown(&name.decode()));
    Some((record(&asserted.uri, domain)?, name.unwrap_or_default()))
}

/// Whether this is a conference of the platform and nobody.
pub(crate) fn is_conference(record: &str) -> bool {
    let user = record.strip_prefix("sip:");
    user.is_some_and(|user| user.starts_with(CONFERENCE_PREFIX))
}

/// A name from the network, fit to be shown to others.
pub(crate) fn shown(name: &str) -> String {
    let is_fit = |c: &char| !c.is_control() && !is_formatting(*c);
    let fit: String = name.chars().filter(is_fit).take(MAX_NAME).collect();
    fit.trim().to_owned()
}

/// Characters that are not seen, but change how others are.
fn is_formatting(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_its_user() {
        let record = |text| record_of(text, "example.com");
        assert_eq!(
            record("sip:bob@EXAMPLE.com;gr=urn:uuid:1").as_deref(),
            Some("sip:bob@example.com")
        );
        for foreign in ["sip:bob@example.org", "sip:example.com", "tel:+49", "bob", ""] {
            assert_eq!(record(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn names_are_short_and_say_nothing_but_themselves() {
        assert_eq!(shown(" Bob\r\n\u{202e}eciL "), "BobeciL");
        assert_eq!(shown(&"x".repeat(1_000_000)).len(), MAX_NAME);
    }
}
