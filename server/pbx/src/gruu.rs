//! Globally routable user agent URIs (RFC 5627): addresses that lead to one instance of one user.
//!
//! A public GRUU is the address of record with a `gr` parameter that holds the instance. A temporary one hides both:
//! its user part is the number of the instance, encrypted with a fresh salt and authenticated, so that any number of
//! them can be handed out without remembering one (RFC 5627 appendix A describes the idea).

use clearline_core::sip::{Uri, UriBuf};

use crate::key::{Key, constant_time_eq, from_hex, to_hex};
use crate::user::UserId;

/// Numbers the registered instances; a new number makes all older temporary GRUUs of the instance invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InstanceNumber(pub(crate) u64);

/// What a GRUU names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gruu {
    /// A public GRUU: the instance; the user is in the URI's user part.
    Public(String),
    /// A temporary GRUU.
    Temporary(InstanceNumber),
    /// Looks like a temporary GRUU, but was not made here.
    Forged,
}

const PREFIX: &str = "tgruu-";
const SALT_BYTES: usize = 8;
const NUMBER_BYTES: usize = 8;
const CHECK_BYTES: usize = 8;

/// The public GRUU (section 3.1) of `instance`.
pub(crate) fn public(user: &UserId, domain: &str, instance: &str) -> Option<String> {
    let aor = UriBuf::sip(user.as_str(), domain).ok()?;
    Some(format!("{aor};gr={}", escape_param(instance)))
}

/// A temporary GRUU (section 3.2) of the instance with this number. `salt` must not repeat.
pub(crate) fn temporary(key: &Key, number: InstanceNumber, salt: u64, domain: &str) -> String {
    let salt = salt.to_be_bytes();
    let hidden = encrypt(key, &salt, number.0.to_be_bytes());
    let check: [u8; CHECK_BYTES] = key.authenticate("gruu check", &[&salt, &hidden]);
    format!(
        "sip:{PREFIX}{}{}{}@{domain};gr",
        to_hex(&salt),
        to_hex(&hidden),
        to_hex(&check)
    )
}

/// Reads the `gr` parameter of a URI of our domain; `None` without one.
pub(crate) fn read(key: &Key, uri: &Uri<'_>) -> Option<Gruu> {
    if !uri.params().has("gr") {
        return None;
    }
    Some(match uri.params().value("gr") {
        Some(instance) => Gruu::Public(unescape_param(instance)),
        None => open(key, uri.user().unwrap_or_default()).map_or(Gruu::Forged, Gruu::Temporary),
    })
}

fn open(key: &Key, user: &str) -> Option<InstanceNumber> {
    let sealed = user.strip_prefix(PREFIX)?;
    let (salt, rest) = sealed.split_at_checked(SALT_BYTES * 2)?;
    let (hidden, check) = rest.split_at_checked(NUMBER_BYTES * 2)?;
    let salt: [u8; SALT_BYTES] = from_hex(salt)?;
    let hidden: [u8; NUMBER_BYTES] = from_hex(hidden)?;
    let check: [u8; CHECK_BYTES] = from_hex(check)?;
    let expected: [u8; CHECK_BYTES] = key.authenticate("gruu check", &[&salt, &hidden]);
    constant_time_eq(&check, &expected)
        .then(|| InstanceNumber(u64::from_be_bytes(encrypt(key, &salt, hidden))))
}

/// A stream cipher of one block: its own inverse.
fn encrypt(key: &Key, salt: &[u8], number: [u8; NUMBER_BYTES]) -> [u8; NUMBER_BYTES] {
    let stream: [u8; NUMBER_BYTES] = key.authenticate("gruu stream", &[salt]);
    std::array::from_fn(|i| number[i] ^ stream[i])
}

/// A parameter value of a SIP URI: `paramchar` of RFC 3261 section 25.1, everything else escaped.
fn escape_param(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut escaped, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => escaped.push(char::from(byte)),
                b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => {
                    escaped.push(char::from(byte))
                }
                b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$' => escaped.push(char::from(byte)),
                _ => {
                    escaped.push('%');
                    escaped.push_str(&to_hex(&[byte]).to_ascii_uppercase());
                }
            }
            escaped
        })
}

fn unescape_param(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, escaped) = rest.split_at(at);
        bytes.extend_from_slice(before.as_bytes());
        let value = escaped
            .get(1..3)
            .and_then(|digits| from_hex::<1>(&digits.to_ascii_lowercase()));
        bytes.push(value.map_or(b'%', |[byte]| byte));
        rest = &escaped[if value.is_some() { 3 } else { 1 }..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANCE: &str = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";

    fn key() -> Key {
        Key::new([5; 32])
    }

    fn read_text(text: &str) -> Option<Gruu> {
        read(&key(), &Uri::parse(text).unwrap())
    }

    #[test]
    fn a_public_gruu_names_the_instance() {
        let gruu = public(&"alice".into(), "example.com", INSTANCE).unwrap();
        assert_eq!(gruu, format!("sip:alice@example.com;gr={INSTANCE}"));
        assert_eq!(read_text(&gruu), Some(Gruu::Public(INSTANCE.into())));
    }

    #[test]
    fn odd_instances_are_escaped() {
        let gruu = public(&"alice".into(), "example.com", "a;b=c\"%é").unwrap();
        assert_eq!(read_text(&gruu), Some(Gruu::Public("a;b=c\"%é".into())));
        assert_eq!(unescape_param("%zz%4%"), "%zz%4%");
    }

    #[test]
    fn temporary_gruus_differ_but_mean_the_same() {
        let gruu = |salt| temporary(&key(), InstanceNumber(9), salt, "example.com");
        assert_ne!(gruu(1), gruu(2));
        assert_eq!(read_text(&gruu(1)), Some(Gruu::Temporary(InstanceNumber(9))));
        assert_eq!(read_text(&gruu(2)), Some(Gruu::Temporary(InstanceNumber(9))));
    }

    #[test]
    fn a_temporary_gruu_cannot_be_made_up() {
        let gruu = temporary(&key(), InstanceNumber(9), 1, "example.com");
        let forged = gruu.replacen("tgruu-0", "tgruu-1", 1);
        assert_ne!(gruu, forged);
        for text in [
            forged.as_str(),
            "sip:tgruu-@example.com;gr",
            "sip:alice@example.com;gr",
            "sip:example.com;gr",
        ] {
            assert_eq!(read_text(text), Some(Gruu::Forged), "{text}");
        }
        assert_eq!(read_text("sip:alice@example.com"), None);
    }
}
