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
