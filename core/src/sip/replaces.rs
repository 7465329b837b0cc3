use std::fmt;

use super::error::Malformed;
use super::header_name::HeaderName;
use super::message::Message;
use super::params::Params;
use super::text::{is_token, trim};
use crate::cut;

/// A Replaces header (RFC 3891 section 6.1): the dialog whose place an INVITE is to take, seen from whoever receives it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// Its Call-ID.
    pub call_id: &'a str,
    /// The tag of the receiver. `0` also stands for none (section 3).
    pub to_tag: &'a str,
    /// The tag of the receiver's far end. `0` also stands for none.
    pub from_tag: &'a str,
    /// Only while it has not been answered.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// Reads a value, which must fill `text`.
    ///
    /// # Errors
    /// When `text` is no Call-ID with exactly one tag for each side, or names several dialogs.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let (call_id, params) = cut::before(text, b';');
        let call_id = trim(call_id);
        let params = Params::after_value(params).ok_or(Malformed)?;
        let is_word = |byte: u8| byte.is_ascii_graphic() && byte != b',';
        if call_id.is_empty() || !call_id.bytes().all(is_word) || params.as_str().contains(',') {
            return Err(Malformed);
        }
        Ok(Self {
            call_id,
            to_tag: tag(&params, "to-tag")?,
            from_tag: tag(&params, "from-tag")?,
            early_only: params.has("early-only"),
        })
    }

    /// The dialog that `invite` wants to replace; `None` if it is an ordinary one.
    ///
    /// # Errors
    /// Several headers, one that does not follow its grammar, or Join beside it (section 3: all of them 400).
    pub fn of(invite: &'a Message) -> Result<Option<Self>, Malformed> {
        let mut values = invite.header_all(HeaderName::Replaces);
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() || invite.header(HeaderName::Join).is_some() {
            return Err(Malformed);
        }
        Self::parse(value).map(Some)
    }
}

/// The value of a parameter that is there once.
fn tag<'a>(params: &Params<'a>, name: &str) -> Result<&'a str, Malformed> {
    let mut named = params.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
    match (named.next(), named.next()) {
        (Some((_, Some(tag))), None) if is_token(tag) => Ok(tag),
        _ => Err(Malformed),
    }
}

impl fmt::Display for Replaces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call_id,
            to_tag,
            from_tag,
            ..
        } = self;
        write!(f, "{call_id};to-tag={to_tag};from-tag={from_tag}")?;
        f.write_str(if self.early_only { ";early-only" } else { "" })
    }
}

impl fmt::Debug for Replaces<'_> {
    /// Whoever knows what names a dialog can take it over.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replaces")
            .field("early_only", &self.early_only)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_dialog_is_read_and_written() {
        let text = " 425928@bobster.example.org ; To-Tag=7743 ;from-tag=6472;early-only;x=\"y\"";
        let replaces = Replaces::parse(text).unwrap();
        assert_eq!(
            (replaces.call_id, replaces.to_tag, replaces.from_tag),
            ("425928@bobster.example.org", "7743", "6472")
        );
        assert!(replaces.early_only);
        let written = replaces.to_string();
        assert_eq!(
            written,
            "425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only"
        );
        assert_eq!(Replaces::parse(&written), Ok(replaces));
    }

    #[test]
    fn anything_but_one_dialog_is_refused() {
        for text in [
            "",
            "c",
            ";to-tag=1;from-tag=2",
            "c;to-tag=1",
            "c;from-tag=2",
            "c;to-tag;from-tag=2",
            "c;to-tag=;from-tag=2",
            "c;to-tag=\"1\";from-tag=2",
            "c;to-tag=1;from-tag=2;to-tag=3",
            "c;to-tag=1;from-tag=2;From-Tag=2",
            "c;to-tag=1;from-tag=2, d;to-tag=1;from-tag=2",
            "c, d;to-tag=1;from-tag=2",
            "c d;to-tag=1;from-tag=2",
            "c\u{e9};to-tag=1;from-tag=2",
            "c;to-tag=1;from-tag=2 x",
        ] {
            assert_eq!(Replaces::parse(text), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn it_does_not_show_what_it_names() {
        let replaces = Replaces::parse("secret;to-tag=one;from-tag=two").unwrap();
        assert_eq!(format!("{replaces:?}"), "Replaces { early_only: false, .. }");
    }
}
