//! Subscription-State (RFC 6665 section 8.2.3).

use crate::cut;
use crate::event::TerminationReason;
use crate::sip::Params;

/// What a NOTIFY says about its subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StateHeader {
    /// It waits for somebody's consent.
    Pending {
        /// Seconds it has left, if told.
        expires: Option<u32>,
    },
    /// It is in force. Unknown words mean this, too (section 4.1.3).
    Active {
        /// Seconds it has left, if told.
        expires: Option<u32>,
    },
    /// It is over.
    Terminated {
        reason: TerminationReason,
        /// Seconds to wait before the next try, if told.
        retry_after: Option<u32>,
    },
}

impl StateHeader {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (word, params) = cut::before(text, b';');
        let params = Params::after_value(params)?;
        let word = word.trim();
        let seconds = |name| params.value(name).and_then(|value| value.parse().ok());
        let is_token = !word.is_empty() && !word.contains([' ', '\t', ',']);
        is_token.then(|| match word.to_ascii_lowercase().as_str() {
            "terminated" => Self::Terminated {
                reason: reason(params.value("reason").unwrap_or_default()),
                retry_after: seconds("retry-after"),
            },
            "pending" => Self::Pending {
                expires: seconds("expires"),
            },
            _ => Self::Active {
                expires: seconds("expires"),
            },
        })
    }
}

fn reason(word: &str) -> TerminationReason {
    match word.to_ascii_lowercase().as_str() {
        "deactivated" => TerminationReason::Deactivated,
        "probation" => TerminationReason::Probation,
        "rejected" => TerminationReason::Rejected,
        "timeout" => TerminationReason::Timeout,
        "giveup" => TerminationReason::GiveUp,
        "noresource" => TerminationReason::NoResource,
        "invariant" => TerminationReason::Invariant,
        _ => TerminationReason::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn states_and_their_parameters_are_read() {
        for (text, state) in [
            ("active", StateHeader::Active { expires: None }),
            ("Active ; expires = 30", StateHeader::Active { expires: Some(30) }),
            ("pending;expires=x", StateHeader::Pending { expires: None }),
            ("waiting;expires=5", StateHeader::Active { expires: Some(5) }),
            (
                "terminated;reason=GiveUp;retry-after=60",
                StateHeader::Terminated {
                    reason: TerminationReason::GiveUp,
                    retry_after: Some(60),
                },
            ),
            (
                "terminated;reason=weather",
                StateHeader::Terminated {
                    reason: TerminationReason::Unknown,
                    retry_after: None,
                },
            ),
        ] {
            assert_eq!(StateHeader::parse(text), Some(state), "{text}");
        }
        for text in ["", ";expires=1", "active;;", "active, pending", "a b"] {
            assert_eq!(StateHeader::parse(text), None, "{text}");
        }
    }
}
