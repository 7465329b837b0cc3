//! Loops and forks that would feed on each other (RFC 3261 section 16.3 step 4, RFC 5393).

use clearline_core::sip::{HeaderName, Message};

use crate::key::{Key, to_hex};
use crate::refusal::Refusal;

/// How many parallel branches a request may have when it says nothing (RFC 5393 section 5.3.1).
const DEFAULT_BREADTH: u32 = 60;

/// Separates the random part of our branches from the loop check.
const SEPARATOR: char = '.';

/// A hash of all that decides where a request goes (RFC 5393 section 4.2.1). A request that comes back with the same
/// value would go the same way again: a loop. With another value it is a spiral, which is legitimate.
pub(crate) fn loop_check(key: &Key, request: &Message) -> String {
    let mut parts: Vec<&[u8]> = vec![
        request.request_uri_text().unwrap_or_default().as_bytes(),
        request.call_id().unwrap_or_default().as_bytes(),
        request.header(HeaderName::CSeq).unwrap_or_default().as_bytes(),
    ];
    parts.extend(request.from().ok().and_then(|from| from.tag()).map(str::as_bytes));
    // Framing keeps a missing From tag apart from a missing To tag.
    parts.push(b"to");
    parts.extend(request.to().ok().and_then(|to| to.tag()).map(str::as_bytes));
    for name in [
        HeaderName::Route,
        HeaderName::ProxyRequire,
        HeaderName::ProxyAuthorization,
    ] {
        parts.push(b"header");
        parts.extend(request.header_all(name).map(str::as_bytes));
    }
    to_hex(&key.authenticate::<8>("loop", &parts))
}

/// A branch that is ours and tells a loop.
pub(crate) fn branch(random: &str, loop_check: &str) -> String {
    format!("z9hG4bK{random}{SEPARATOR}{loop_check}")
}

/// 482 for a request that was here before and would go the same way again.
pub(crate) fn refuse_loop(request: &Message, sent_by: &str, loop_check: &str) -> Result<(), Refusal> {
    let is_loop = request.vias().flatten().any(|via| {
        via.host.eq_ignore_ascii_case(sent_by)
            && via
                .branch()
                .and_then(|branch| branch.rsplit_once(SEPARATOR))
                .is_some_and(|(_, c)| c == loop_check)
    });
    if is_loop { Err(Refusal::new(482)) } else { Ok(()) }
}

/// How many parallel branches a request may still have (RFC 5393 section 5.3.2).
pub(crate) fn breadth(request: &Message) -> Result<u32, Refusal> {
    let breadth = match request.header(HeaderName::MaxBreadth) {
        None => DEFAULT_BREADTH,
        Some(text) => text
            .parse()
            .map_err(|_| Refusal::new(400).because("Bad Max-Breadth"))?,
    };
    if breadth == 0 {
        Err(Refusal::new(440))
    } else {
        Ok(breadth.min(DEFAULT_BREADTH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, extra: &str) -> Message {
        let text = format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{extra}\r\n"
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn check(request: &Message) -> String {
        loop_check(&Key::new([1; 32]), request)
    }

    #[test]
    fn the_same_request_again_is_a_loop_and_another_target_a_spiral() {
        let first = request("sip:b@h", "");
        let via = format!(
            "SIP/2.0/WS Platform.example;branch={}",
            branch("r4nd", &check(&first))
        );
        let again = first.edit().prepend(HeaderName::Via, via).build();
        assert_eq!(refuse_loop(&first, "platform.example", &check(&first)), Ok(()));
        assert_eq!(
            refuse_loop(&again, "platform.example", &check(&again)),
            Err(Refusal::new(482))
        );
        assert_eq!(refuse_loop(&again, "other.example", &check(&again)), Ok(()));
        let spiral = again.edit().set_request_uri("sip:c@h").build();
        assert_eq!(refuse_loop(&spiral, "platform.example", &check(&spiral)), Ok(()));
    }

    #[test]
    fn breadth_is_read_and_bounded() {
        assert_eq!(breadth(&request("sip:b@h", "")), Ok(60));
        assert_eq!(breadth(&request("sip:b@h", "Max-Breadth: 3\r\n")), Ok(3));
        assert_eq!(
            breadth(&request("sip:b@h", "Max-Breadth: 4000000000\r\n")),
            Ok(60)
        );
        assert_eq!(
            breadth(&request("sip:b@h", "Max-Breadth: 0\r\n")),
            Err(Refusal::new(440))
        );
        assert_eq!(
            breadth(&request("sip:b@h", "Max-Breadth: x\r\n")).map_err(|r| r.status),
            Err(400)
        );
    }
}
