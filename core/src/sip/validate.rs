use std::fmt;

use super::error::HeaderError;
use super::header_name::HeaderName;
use super::message::Message;

/// Why a well-framed message must not be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The status to answer a request with. A response with a defect is dropped.
    pub status: u16,
    /// What is wrong, fit for a reason phrase.
    pub reason: &'static str,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.reason)
    }
}

impl std::error::Error for Defect {}

impl Message {
    /// Checks what RFC 3261 8.2 and 16.3 (and RFC 4475) ask of a message before it is processed: the version,
    /// the mandatory headers present, single and well-formed, CSeq in range and of the request's method, a Request-URI
    /// that can be one, Max-Forwards, Contact and routes well-formed, a status between 100 and 699.
    ///
    /// What depends on the receiver's role is not checked here: Max-Forwards 0, unknown schemes, methods and
    /// extensions, missing From tags and branches of RFC 2543.
    ///
    /// # Errors
    /// The first defect.
    pub fn validate(&self) -> Result<(), Defect> {
        if !self.is_sip_2() {
            return Err(Defect {
                status: 505,
                reason: "Version Not Supported",
            });
        }
        self.check_single_headers()?;
        self.check_vias()?;
        self.check_start_line()?;
        self.check_cseq()?;
        self.check_addresses()?;
        check(self.max_forwards(), "Bad Max-Forwards")
    }

    fn check_single_headers(&self) -> Result<(), Defect> {
        let singles = [
            (HeaderName::From, "Several From headers"),
            (HeaderName::To, "Several To headers"),
            (HeaderName::CallId, "Several Call-ID headers"),
            (HeaderName::CSeq, "Several CSeq headers"),
            (HeaderName::MaxForwards, "Several Max-Forwards headers"),
            (HeaderName::ContentLength, "Several Content-Length headers"),
            (HeaderName::ContentType, "Several Content-Type headers"),
        ];
        match singles
            .into_iter()
            .find(|(name, _)| self.header_all(*name).nth(1).is_some())
        {
            Some((_, reason)) => Err(bad(reason)),
            None => Ok(()),
        }
    }

    fn check_vias(&self) -> Result<(), Defect> {
        check(self.top_via(), "Bad or missing Via")?;
        for via in self.vias() {
            if !via.map_err(|_| bad("Bad Via"))?.is_sip_2() {
                return Err(bad("Via of another version"));
            }
        }
        Ok(())
    }

    fn check_start_line(&self) -> Result<(), Defect> {
        if let Some(status) = self.status() {
            return if (100..700).contains(&status) {
                Ok(())
            } else {
                Err(bad("Bad status"))
            };
        }
        let uri = self.request_uri().ok_or(bad("Bad Request-URI"))?;
        // A Request-URI must not carry headers (RFC 3261 19.1.1, RFC 4475 3.1.2.11).
        if uri.headers().is_some() {
            Err(bad("Request-URI with headers"))
        } else {
            Ok(())
        }
    }

    fn check_cseq(&self) -> Result<(), Defect> {
        let cseq = self.cseq().map_err(|_| bad("Bad or missing CSeq"))?;
        if cseq.number > MAX_CSEQ {
            return Err(bad("CSeq out of range"));
        }
        if cseq.method != self.method() {
            Err(bad("CSeq of another method"))
        } else {
            Ok(())
        }
    }

    fn check_addresses(&self) -> Result<(), Defect> {
        check(self.call_id(), "Bad or missing Call-ID")?;
        check(self.from(), "Bad or missing From")?;
        check(self.to(), "Bad or missing To")?;
        check(
            self.contacts().try_for_each(|contact| contact.map(drop)),
            "Bad Contact",
        )?;
        check(self.routes().try_for_each(|route| route.map(drop)), "Bad Route")?;
        check(
            self.record_routes().try_for_each(|route| route.map(drop)),
            "Bad Record-Route",
        )
    }
}

/// CSeq numbers lie below 2^31 (RFC 3261 8.1.1.5).
const MAX_CSEQ: u32 = (1 << 31) - 1;

fn check<T>(result: Result<T, HeaderError>, reason: &'static str) -> Result<(), Defect> {
    result.map(drop).map_err(|_| bad(reason))
}

fn bad(reason: &'static str) -> Defect {
    Defect { status: 400, reason }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const SOUND: &str = "INVITE sip:b@h SIP/2.0\r\n\
        Via: SIP/2.0/WS a;branch=z9hG4bK1\r\n\
        From: <sip:a@h>;tag=1\r\n\
        To: <sip:b@h>\r\n\
        Call-ID: c\r\n\
        CSeq: 1 INVITE\r\n\
        Max-Forwards: 70\r\n\
        Contact: <sip:a@a>\r\n\
        Route: <sip:p;lr>\r\n\r\n";

    /// The reason for which the sound message is refused once `from` in it has become `to`.
    fn reason(from: &str, to: &str) -> Option<&'static str> {
        assert!(SOUND.contains(from), "{from}");
        let text = SOUND.replacen(from, to, 1);
        let message = Message::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        message.validate().err().map(|defect| defect.reason)
    }

    #[test]
    fn sound_messages_pass() {
        assert_eq!(reason("h", "h"), None);
        assert_eq!(reason(";tag=1", ""), None, "RFC 2543");
        assert_eq!(reason("Max-Forwards: 70\r\n", ""), None, "RFC 2543");
        assert_eq!(reason("sip:b@h SIP", "unknown:b SIP"), None, "the role's matter");
        assert_eq!(reason("1 INVITE", "2147483647 INVITE"), None);
    }

    #[test]
    fn defects_are_named() {
        let cases = [
            ("h SIP/2.0", "h SIP/3.0", "Version Not Supported"),
            ("INVITE sip:b@h", "INVITE <sip:b@h>", "Bad Request-URI"),
            (
                "INVITE sip:b@h",
                "INVITE sip:b@h?Route=x",
                "Request-URI with headers",
            ),
            ("Via:", "Xia:", "Bad or missing Via"),
            ("WS a", "WS a, ;;", "Bad Via"),
            ("SIP/2.0/WS", "SIP/3.0/WS", "Via of another version"),
            ("From:", "Xrom:", "Bad or missing From"),
            ("<sip:a@h>", "\"<sip:a@h>", "Bad or missing From"),
            ("To:", "Xo:", "Bad or missing To"),
            ("Call-ID: c", "Call-ID:", "Bad or missing Call-ID"),
            ("Call-ID: c", "Call-ID: c c", "Bad or missing Call-ID"),
            ("CSeq: 1", "CSeq: x", "Bad or missing CSeq"),
            ("CSeq: 1", "CSeq: 2147483648", "CSeq out of range"),
            ("1 INVITE", "1 invite", "CSeq of another method"),
            ("Max-Forwards: 70", "Max-Forwards: 256", "Bad Max-Forwards"),
            ("<sip:a@a>", "<sip:a@a>, <x", "Bad Contact"),
            ("<sip:p;lr>", "<sip:p;lr> x", "Bad Route"),
            ("To:", "To: sip:x\r\nTo:", "Several To headers"),
            ("CSeq:", "CSeq: 1 INVITE\r\nCSeq:", "Several CSeq headers"),
            ("Call-ID:", "i: c\r\nCall-ID:", "Several Call-ID headers"),
            ("To:", "l: 0\r\nl: 0\r\nTo:", "Several Content-Length headers"),
        ];
        for (from, to, expected) in cases {
            assert_eq!(reason(from, to), Some(expected), "{to}");
        }
    }

    #[test]
    fn statuses_have_a_range() {
        let status = |status: u16| {
            let text = SOUND.replacen("INVITE sip:b@h SIP/2.0", &format!("SIP/2.0 {status:03} X"), 1);
            Message::parse(text.as_bytes()).unwrap().validate()
        };
        assert_eq!(status(100), Ok(()));
        assert_eq!(status(699), Ok(()));
        assert_eq!(status(99).unwrap_err().reason, "Bad status");
        assert_eq!(status(700).unwrap_err().reason, "Bad status");
    }
}
