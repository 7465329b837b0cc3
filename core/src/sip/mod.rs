//! SIP messages (RFC 3261): reading, typed headers, URIs, writing, editing and digest authentication.
//!
//! A [`Message`] owns the bytes it was read from and remembers where each header lies; typed views ([`NameAddr`],
//! [`Via`], [`Uri`] ...) borrow from it and are read when asked for, so an unused header costs nothing and unknown
//! methods and headers are kept as they came. Everything that goes out is made by [`RequestBuilder`],
//! [`ResponseBuilder`] or [`MessageEditor`], which cannot be talked into writing a header by the text of a value.
//!
//! ```
//! use clearline_core::sip::{HeaderName, Message, Method};
//!
//! let invite = Message::parse(
//!     &b"INVITE sip:bob@example.com SIP/2.0\r\n\
//!        v: SIP/2.0/WS edge.example.com;branch=z9hG4bK1, SIP/2.0/WS [2001:db8::9]:5060;branch=z9hG4bK0\r\n\
//!        f: \"Alice\" <sip:alice@example.com>;tag=a1\r\n\
//!        t: <sip:bob@example.com>\r\n\
//!        i: c1@example.com\r\n\
//!        CSeq: 1 INVITE\r\n\
//!        Supported: 100rel, timer\r\n\r\n"[..],
//! )?;
//! assert_eq!(invite.method(), Method::Invite);
//! assert_eq!(invite.vias().count(), 2);
//! assert!(invite.lists_token(HeaderName::Supported, "timer"));
//! # Ok::<(), clearline_core::sip::ParseError>(())
//! ```

mod body;
mod build;
mod challenge;
mod cseq;
pub mod digest;
mod edit;
mod error;
mod fragment;
mod header_name;
mod media_type;
mod message;
mod method;
mod name_addr;
mod params;
mod parse;
mod rack;
mod reason;
mod reason_phrase;
mod refer_to;
mod replaces;
#[cfg(feature = "rsip")]
mod rsip_types;
mod salvage;
mod session_expires;
mod telephone;
mod text;
mod uri;
mod validate;
mod via;

pub use body::BodyPart;
pub use build::{RequestBuilder, ResponseBuilder};
pub use challenge::{AuthenticationKind, Challenge, Credentials};
pub use cseq::CSeq;
pub use edit::MessageEditor;
pub use error::{HeaderError, Malformed, ParseError, UriError};
pub(crate) use fragment::SIPFRAG;
pub use fragment::StatusLine;
pub use header_name::HeaderName;
pub use media_type::MediaType;
pub use message::Message;
pub use method::Method;
pub use name_addr::{Contact, DisplayName, NameAddr};
pub use params::Params;
pub use parse::{MAX_HEADER_LINES, MAX_MESSAGE_BYTES};
pub use rack::RAck;
pub use reason::Reason;
pub use reason_phrase::reason_phrase;
pub use refer_to::{ReferTo, ReferToError};
pub use replaces::Replaces;
pub use session_expires::{Refresher, SessionExpires};
pub use telephone::TelephoneNumber;
pub(crate) use text::percent_decode;
pub use text::quote;
pub use uri::{Scheme, Uri, UriBuf, host_ip};
pub(crate) use uri::{escape_header, escape_param};
pub use validate::Defect;
pub use via::Via;
