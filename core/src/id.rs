//! Identifiers that cross the API. All are plain numbers: cheap to copy, ordered, without meaning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                u64::from_str_radix(text, 16).map(Self)
            }
        }
    };
}

id! {
    /// One call as the user sees it, through all its forks and media sessions. The caller of
    /// [`UserAgent::call`](crate::UserAgent::call) chooses the id of an outgoing call (at random), so that a page has an object before the worker has
    /// answered; the agent draws those of incoming calls.
    CallId
}
id! {
    /// An accepted command that takes time. It ends exactly once, in
    /// [`Event::OperationDone`](crate::Event::OperationDone).
    OperationId
}
id! {
    /// A connection to a SIP server, in the order the agent (or a server's driver) asked for them.
    ConnectionId
}
id! {
    /// A media session: one peer connection. A call gets a second one when a fork with other media wins, when its
    /// media moves to another window, or when it is restored.
    MediaSessionId
}
id! {
    /// One [`MediaAction`](crate::MediaAction) and its answer.
    MediaRequestId
}

id! {
    /// A call of another device of the account, as long as that device has it.
    RemoteCallId
}
id! {
    /// One subscription of the application, through all its dialogs.
    SubscriptionId
}

id! {
    /// A local conference: calls whose parties hear each other through this device. Small numbers, one after the other.
    ConferenceId
}

/// What names a dialog, from this side's view (RFC 3261 section 12). It stays inside: whoever knows it can take a call
/// over.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DialogId {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
    pub(crate) remote_tag: String,
}

impl fmt::Debug for DialogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.call_id, &self.local_tag, &self.remote_tag];
        let fingerprint = Fingerprint::of(parts.map(|part| part.as_bytes()));
        f.debug_tuple("DialogId").field(&fingerprint).finish()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn text_form_is_sixteen_hex_digits_and_reads_back() {
        let id = CallId(0xbeef);
        assert_eq!(id.to_string(), "000000000000beef");
        assert_eq!("000000000000beef".parse(), Ok(id));
        assert!("x".parse::<CallId>().is_err());
    }
}
