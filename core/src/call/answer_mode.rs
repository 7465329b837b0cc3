//! How the caller would like this telephone to behave: to answer by itself (RFC 5373, Call-Info), to ring in another way
//! (Alert-Info, RFC 3261 section 20.4). Wishes only: the configuration says whether they are followed.

use super::identity::bounded;
use super::{HeaderName, Message};
use crate::cut;
use crate::sip::Params;

/// Whether the caller wants an answer without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerMode {
    /// A person answers.
    Manual,
    /// The telephone answers by itself, if it may.
    Automatic,
    /// The telephone answers by itself, or the call is refused.
    AutomaticOnly,
}

impl AnswerMode {
    pub(crate) fn of(invite: &Message) -> Self {
        let standard = invite.header(HeaderName::AnswerMode).and_then(answer_mode);
        standard.unwrap_or_else(|| {
            if asks_informally(invite) {
                Self::Automatic
            } else {
                Self::Manual
            }
        })
    }
}

/// RFC 5373 section 4.
fn answer_mode(value: &str) -> Option<AnswerMode> {
    let (mode, params) = cut::before(value, b';');
    if !mode.trim().eq_ignore_ascii_case("auto") {
        return Some(AnswerMode::Manual);
    }
    let required = Params::after_value(params)?.has("require");
    Some(if required {
        AnswerMode::AutomaticOnly
    } else {
        AnswerMode::Automatic
    })
}

/// What platforms sent before there was a standard, and still do.
fn asks_informally(invite: &Message) -> bool {
    let call_info = invite
        .header_list(HeaderName::CallInfo)
        .any(|value| parameter(value, "answer-after").is_some_and(|after| after == "0"));
    let alert_info = invite.header_list(HeaderName::AlertInfo).any(|value| {
        parameter(value, "info")
            .is_some_and(|info| info.eq_ignore_ascii_case("alert-autoanswer") || info == "RingAnswer")
    });
    call_info || alert_info
}

/// How the call is to ring: the first alert URN (RFC 7462).
pub(super) fn alert(invite: &Message) -> Option<String> {
    invite
        .header_list(HeaderName::AlertInfo)
        .filter_map(|value| value.strip_prefix('<')?.split_once('>'))
        .map(|(uri, _)| uri.trim())
        .find(|uri| {
            uri.get(..10)
                .is_some_and(|urn| urn.eq_ignore_ascii_case("urn:alert:"))
        })
        .map(bounded)
}

/// A parameter behind a URI in brackets.
fn parameter<'a>(value: &'a str, name: &str) -> Option<std::borrow::Cow<'a, str>> {
    let (_, params) = value.rsplit_once('>')?;
    Params::after_value(params)?.text(name)
}
