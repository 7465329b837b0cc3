//! What can still be said to the sender of a request that cannot be read or must not be processed (RFC 4475).

use super::error::ParseError;
use super::header_name::HeaderName;
use super::message::Message;
use super::method::Method;
use super::parse::MAX_MESSAGE_BYTES;

/// The headers that a response copies (RFC 3261 8.2.6.2).
const IDENTIFYING: [HeaderName<'static>; 5] = [
    HeaderName::Via,
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
];

/// How far an overlong message is searched for the end of its headers.
const HEAD_BYTES: usize = 16_384;

impl Message {
    /// The part of a request that [`Message::parse`] has refused which identifies its transaction, to answer it with
    /// [`ParseError::status`]. `None` if it is no request, or one that cannot be answered.
    pub fn salvage(bytes: &[u8]) -> Option<Self> {
        let bytes = match bytes.get(..HEAD_BYTES) {
            Some(head) if bytes.len() > MAX_MESSAGE_BYTES => head,
            Some(_) | None => bytes,
        };
        let request = Self::parse_head(identifying_lines(bytes)?).ok()?;
        request.can_be_answered().then_some(request)
    }

    /// Whether this is a request that a response can be sent to, so that its sender finds the transaction: it says
    /// where it came from and what it was. Both may be malformed, for they are only repeated. ACK is never answered.
    pub fn can_be_answered(&self) -> bool {
        let has = |name| self.header(name).is_some_and(|value| !value.is_empty());
        self.is_request() && self.method() != Method::Ack && has(HeaderName::Via) && has(HeaderName::CSeq)
    }
}

impl ParseError {
    /// The status that tells the sender of a request what was wrong with it.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLong => 513,
            Self::Empty
            | Self::TooManyHeaders
            | Self::Truncated
            | Self::StartLine
            | Self::HeaderLine(_)
            | Self::ContentLength
            | Self::BodyTooShort { .. } => 400,
        }
    }
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
    let mut parts = line.splitn(2, |byte| *byte == b':');
    let (Some(name), Some(_)) = (parts.next(), parts.next()) else {
        return false;
    };
    std::str::from_utf8(name).is_ok_and(|name| IDENTIFYING.contains(&HeaderName::from(name.trim())))
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const HEAD: &str = "OPTIONS sip:example.com SIP/2.0\r\nv: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n\
                        From: <sip:alice@example.com>;tag=1\r\nTo: <sip:example.com>\r\ni: c1\r\nCSeq: 1\r\n OPTIONS\r\n";

    fn salvaged(text: &str) -> Option<(Message, u16)> {
        let error = Message::parse(text.as_bytes()).unwrap_err();
        Some((Message::salvage(text.as_bytes())?, error.status()))
    }

    #[test]
    fn a_request_with_a_broken_body_or_header_is_answered() {
        for rest in [
            "Content-Length: 5\r\n\r\nabc",
            "Content-Length: x\r\n\r\n",
            "not a header\r\n\r\n",
            "Subject: x",
        ] {
            let (head, status) = salvaged(&format!("{HEAD}{rest}")).unwrap();
            assert_eq!((status, head.cseq().unwrap().number), (400, 1), "{rest}");
            assert_eq!(head.call_id(), Ok("c1"));
        }
    }

    #[test]
    fn a_request_of_an_old_or_forgetful_sender_is_answered() {
        for without in [
            ";branch=z9hG4bK1",
            "i: c1\r\n",
            "From: <sip:alice@example.com>;tag=1\r\n",
        ] {
            assert!(HEAD.contains(without));
            let text = HEAD.replace(without, "") + "broken\r\n\r\n";
            assert!(salvaged(&text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_huge_request_is_too_large() {
        let text = format!("{HEAD}\r\n{}", "x".repeat(MAX_MESSAGE_BYTES));
        assert_eq!(salvaged(&text).unwrap().1, 513);
        let endless = format!("{HEAD}Subject: {}", "x".repeat(MAX_MESSAGE_BYTES));
        assert_eq!(salvaged(&endless).unwrap().1, 513);
    }

    #[test]
    fn what_cannot_be_identified_is_not_answered() {
        for text in [
            "garbage".to_owned(),
            "\u{0}\u{1}\u{2}".repeat(9),
            HEAD.replace("v: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n", "") + "broken\r\n\r\n",
            HEAD.replace("CSeq: 1\r\n OPTIONS\r\n", "") + "broken\r\n\r\n",
            HEAD.replace("OPTIONS", "ACK") + "broken\r\n\r\n",
            HEAD.replace("OPTIONS sip:example.com SIP/2.0", "SIP/2.0 200 OK") + "broken\r\n\r\n",
        ] {
            assert!(salvaged(&text).is_none(), "{text}");
        }
    }
}
