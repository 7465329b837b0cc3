use std::fmt;
use std::hash::{Hash, Hasher};

macro_rules! header_names {
    ($($variant:ident $text:literal $(/ $compact:literal)?;)*) => {
        /// The name of a header field: case-insensitive, with compact forms (RFC 3261 7.3.1, 7.3.3).
        #[derive(Clone, Copy)]
        #[non_exhaustive]
        pub enum HeaderName<'a> {
            $(#[doc = concat!("`", $text, "`", $(" (compact form `", $compact, "`)",)? ".")] $variant,)*
            /// Any other name, kept as it came.
            Other(&'a str),
        }

        /// A header name without text, for the spans of a message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum KnownHeader {
            $($variant,)*
        }

        impl<'a> HeaderName<'a> {
            /// The canonical long form, or the name as it came for [`HeaderName::Other`].
            pub fn as_str(&self) -> &'a str {
                match *self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }

            pub(crate) fn known(&self) -> Option<KnownHeader> {
                match *self {
                    $(Self::$variant => Some(KnownHeader::$variant),)*
                    Self::Other(text) => KnownHeader::find(text.as_bytes()),
                }
            }
        }

        impl KnownHeader {
            const ALL: &'static [(Self, &'static str)] = &[
                $((Self::$variant, $text), $((Self::$variant, $compact),)?)*
            ];

            pub(crate) fn name(self) -> HeaderName<'static> {
                match self {
                    $(Self::$variant => HeaderName::$variant,)*
                }
            }
        }
    };
}

header_names! {
    Accept "Accept";
    AcceptContact "Accept-Contact" / "a";
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    AlertInfo "Alert-Info";
    Allow "Allow";
    AllowEvents "Allow-Events" / "u";
    AnswerMode "Answer-Mode";
    AuthenticationInfo "Authentication-Info";
    Authorization "Authorization";
    CallId "Call-ID" / "i";
    CallInfo "Call-Info";
    Contact "Contact" / "m";
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding" / "e";
    ContentLanguage "Content-Language";
    ContentLength "Content-Length" / "l";
    ContentType "Content-Type" / "c";
    CSeq "CSeq";
    Date "Date";
    Diversion "Diversion";
    ErrorInfo "Error-Info";
    Event "Event" / "o";
    Expires "Expires";
    FeatureCaps "Feature-Caps";
    FlowTimer "Flow-Timer";
    From "From" / "f";
    Geolocation "Geolocation";
    HistoryInfo "History-Info";
    Identity "Identity" / "y";
    InReplyTo "In-Reply-To";
    InfoPackage "Info-Package";
    Join "Join";
    MaxBreadth "Max-Breadth";
    MaxForwards "Max-Forwards";
    MimeVersion "MIME-Version";
    MinExpires "Min-Expires";
    MinSe "Min-SE";
    Organization "Organization";
    PAnswerState "P-Answer-State";
    PAssertedIdentity "P-Asserted-Identity";
    PAssociatedUri "P-Associated-URI";
    PCalledPartyId "P-Called-Party-ID";
    PEarlyMedia "P-Early-Media";
    PPreferredIdentity "P-Preferred-Identity";
    Path "Path";
    Priority "Priority";
    Privacy "Privacy";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
    ProxyRequire "Proxy-Require";
    RAck "RAck";
    Reason "Reason";
    RecordRoute "Record-Route";
    RecvInfo "Recv-Info";
    ReferSub "Refer-Sub";
    ReferTo "Refer-To" / "r";
    ReferredBy "Referred-By" / "b";
    RejectContact "Reject-Contact" / "j";
    RemotePartyId "Remote-Party-ID";
    Replaces "Replaces";
    ReplyTo "Reply-To";
    RequestDisposition "Request-Disposition" / "d";
    Require "Require";
    RetryAfter "Retry-After";
    Route "Route";
    RSeq "RSeq";
    Server "Server";
    ServiceRoute "Service-Route";
    SessionExpires "Session-Expires" / "x";
    SessionId "Session-ID";
    SipEtag "SIP-ETag";
    SipIfMatch "SIP-If-Match";
    Subject "Subject" / "s";
    SubscriptionState "Subscription-State";
    Supported "Supported" / "k";
    TargetDialog "Target-Dialog";
    Timestamp "Timestamp";
    To "To" / "t";
    Unsupported "Unsupported";
    UserAgent "User-Agent";
    UserToUser "User-to-User";
    Via "Via" / "v";
    Warning "Warning";
    WwwAuthenticate "WWW-Authenticate";
}

impl KnownHeader {
    pub(crate) fn find(text: &[u8]) -> Option<Self> {
        let mut slot = slot_of(text);
        while let Some(index) = SLOTS[slot] {
            let (known, name) = Self::ALL[usize::from(index)];
            // Nearly all peers write names as the standards do.
            if name.as_bytes() == text || name.as_bytes().eq_ignore_ascii_case(text) {
                return Some(known);
            }
            slot = next_slot(slot);
        }
        None
    }
}

/// Where in [`KnownHeader::ALL`] each name is: a table made when this is compiled, in which a name lies in the slot of
/// its key or the next free one. Each header of each message is looked up, so comparing all names would be most of the
/// work of reading one.
static SLOTS: [Option<u8>; SLOT_COUNT] = {
    let mut slots = [None; SLOT_COUNT];
    let mut index = 0;
    while index < KnownHeader::ALL.len() {
        let mut slot = slot_of(KnownHeader::ALL[index].1.as_bytes());
        while slots[slot].is_some() {
            slot = next_slot(slot);
        }
        slots[slot] = Some(index as u8);
        index += 1;
    }
    slots
};

/// A power of two, several times the number of names, which keeps the ways short and always leaves free slots.
const SLOT_COUNT: usize = 512;

const _: () = assert!(KnownHeader::ALL.len() < SLOT_COUNT / 2 && KnownHeader::ALL.len() <= u8::MAX as usize);

const fn next_slot(slot: usize) -> usize {
    (slot + 1) % SLOT_COUNT
}

/// Length, first, middle and last letter, whatever their case: nearly unique among the names.
const fn slot_of(name: &[u8]) -> usize {
    let [first, .., last] = name else {
        return match name {
            [only] => only.to_ascii_lowercase() as usize,
            _ => 0,
        };
    };
    let middle = name[name.len() / 2];
    let mut key = name.len();
    key = key.wrapping_mul(31) + first.to_ascii_lowercase() as usize;
    key = key.wrapping_mul(31) + middle.to_ascii_lowercase() as usize;
    key = key.wrapping_mul(31) + last.to_ascii_lowercase() as usize;
    key % SLOT_COUNT
}

impl<'a> From<&'a str> for HeaderName<'a> {
    fn from(text: &'a str) -> Self {
        KnownHeader::find(text.as_bytes()).map_or(HeaderName::Other(text), |known| known.name())
    }
}

impl PartialEq for HeaderName<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.known(), other.known()) {
            (None, None) => self.as_str().eq_ignore_ascii_case(other.as_str()),
            (known, other) => known == other,
        }
    }
}

impl Eq for HeaderName<'_> {}

impl Hash for HeaderName<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let canonical = self.known().map_or(*self, |known| known.name());
        for byte in canonical.as_str().bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for HeaderName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HeaderName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn case_and_compact_forms_do_not_matter() {
        assert_eq!(HeaderName::from("vIA"), HeaderName::Via);
        assert_eq!(HeaderName::from("V"), HeaderName::Via);
        assert_eq!(HeaderName::from("m").as_str(), "Contact");
        assert_eq!(HeaderName::Other("i"), HeaderName::CallId);
        assert_eq!(HeaderName::from("x-own"), HeaderName::Other("X-Own"));
        assert_ne!(HeaderName::from("C%6Fntact"), HeaderName::Contact);
    }

    #[test]
    fn every_name_is_found_in_any_case() {
        for (known, name) in KnownHeader::ALL {
            assert_eq!(KnownHeader::find(name.to_uppercase().as_bytes()), Some(*known));
            assert_eq!(KnownHeader::find(name.to_lowercase().as_bytes()), Some(*known));
            assert_eq!(KnownHeader::find(format!("{name}x").as_bytes()), None);
        }
        assert_eq!(KnownHeader::find(b""), None);
        assert_eq!(KnownHeader::find(b"Via-"), None);
        assert_eq!(KnownHeader::find(b"Tz"), None, "the letters of To are not enough");
    }

    #[test]
    fn no_name_is_listed_twice() {
        for (index, (_, name)) in KnownHeader::ALL.iter().enumerate() {
            let first = KnownHeader::ALL
                .iter()
                .position(|(_, other)| other.eq_ignore_ascii_case(name));
            assert_eq!(first, Some(index), "{name}");
        }
    }
}
