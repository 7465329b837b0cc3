//! What can still be said to a client whose message is broken.

use clearline_core::sip::{HeaderName, MAX_MESSAGE_BYTES, Message, Method, ParseError};

/// The headers that a response copies (RFC 3261 section 8.2.6.2).
const IDENTIFYING: [HeaderName<'static>; 5] = [
    HeaderName::Via,
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
];

/// How far an overlong message is searched for the end of its headers.
const HEAD_BYTES: usize = 16_384;

/// The part of an unreadable request that identifies its transaction, and the status to answer with.
pub(crate) fn readable_head(bytes: &[u8], error: &ParseError) -> Option<(Message, u16)> {
    let status = if *error == ParseError::TooLong { 513 } else { 400 };
    let bytes = if bytes.len() > MAX_MESSAGE_BYTES {
        &bytes[..HEAD_BYTES]
    } else {
        bytes
    };
    let message = Message::parse_head(identifying_lines(bytes)?).ok()?;
    can_be_answered(&message).then_some((message, status))
}

/// Whether a request has what a response needs, so that the sender finds its transaction. ACK is never answered.
pub(crate) fn can_be_answered(request: &Message) -> bool {
    request.is_request()
        && request.method() != Method::Ack
        && request.top_via().is_ok_and(|via| via.branch().is_some())
        && request.cseq().is_ok()
        && IDENTIFYING.iter().all(|name| request.header(*name).is_some())
}

/// The start line and the identifying header lines with their continuations; whatever else is there is left out.
fn identifying_lines(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut lines = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .skip_while(|line| is_blank(line));
    let mut kept = lines.next()?.to_vec();
    let mut is_kept = false;
    for line in lines.take_while(|line| !is_blank(line)) {
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            is_kept = line.ends_with(b"\n") && is_identifying(line);
        }
        if is_kept {
            kept.extend_from_slice(line);
        }
    }
    kept.extend_from_slice(b"\r\n");
    Some(kept)
}

fn is_identifying(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let Ok(name) = std::str::from_utf8(&line[..colon]) else {
        return false;
    };
    IDENTIFYING.contains(&HeaderName::from(name.trim()))
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "OPTIONS sip:example.com SIP/2.0\r\nv: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n\
                        From: <sip:alice@example.com>;tag=1\r\nTo: <sip:example.com>\r\ni: c1\r\nCSeq: 1\r\n OPTIONS\r\n";

    fn head_of(text: &str) -> Option<(Message, u16)> {
        let error = Message::parse(text.as_bytes()).unwrap_err();
        readable_head(text.as_bytes(), &error)
    }

    #[test]
    fn a_request_with_a_broken_body_or_header_is_answered() {
        for rest in [
            "Content-Length: 5\r\n\r\nabc",
            "Content-Length: x\r\n\r\n",
            "not a header\r\n\r\n",
            "Subject: x",
        ] {
            let (head, status) = head_of(&format!("{HEAD}{rest}")).unwrap();
            assert_eq!((status, head.cseq().unwrap().number), (400, 1), "{rest}");
        }
    }

    #[test]
    fn a_huge_request_is_too_large() {
        let text = format!("{HEAD}\r\n{}", "x".repeat(MAX_MESSAGE_BYTES));
        assert_eq!(head_of(&text).unwrap().1, 513);
    }

    #[test]
    fn what_cannot_be_identified_is_not_answered() {
        for text in [
            "garbage".to_owned(),
            "\u{0}\u{1}\u{2}".repeat(9),
            HEAD.replace("i: c1\r\n", "") + "broken\r\n\r\n",
            HEAD.replace(";branch=z9hG4bK1", "") + "broken\r\n\r\n",
            HEAD.replace("OPTIONS", "ACK") + "broken\r\n\r\n",
            HEAD.replace("OPTIONS sip:example.com SIP/2.0", "SIP/2.0 200 OK") + "broken\r\n\r\n",
        ] {
            assert!(head_of(&text).is_none(), "{text}");
        }
    }
}
