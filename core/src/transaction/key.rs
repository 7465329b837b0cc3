//! How messages find their transaction (RFC 3261 sections 17.1.3 and 17.2.3).

use crate::sip::{HeaderError, Message, Method, Via};

/// What RFC 3261 branches begin with.
pub(super) const MAGIC_COOKIE: &str = "z9hG4bK";

/// Identifies a transaction within one element.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// Our own branch and the method.
    Client(String, String),
    /// The sender's branch, its sent-by and the method; for RFC 2543 senders everything that identifies a request.
    Server(String, String),
}

/// The key of the client transaction that sent `request`, or that a response with the same top Via belongs to.
pub(super) fn client_key(message: &Message) -> Result<Key, HeaderError> {
    let via = message.top_via()?;
    let branch = via.branch().unwrap_or_default();
    Ok(Key::Client(
        branch.to_owned(),
        message.cseq()?.method.as_str().to_owned(),
    ))
}

/// The key of the server transaction of `request`, where an ACK or CANCEL names the INVITE by `method`.
pub(super) fn server_key(request: &Message, method: Method<'_>) -> Result<Key, HeaderError> {
    let via = request.top_via()?;
    let identity = match via.branch() {
        Some(branch) if branch.starts_with(MAGIC_COOKIE) => format!("{branch} {}", sent_by(&via)),
        Some(_) | None => rfc2543_identity(request, &via)?,
    };
    Ok(Key::Server(identity, method.as_str().to_owned()))
}

fn sent_by(via: &Via<'_>) -> String {
    let host = via.host.to_ascii_lowercase();
    match via.port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

/// RFC 3261 section 17.2.3, the rules for senders without the magic cookie. The To tag is left out: ACK has one where
/// the INVITE has none.
fn rfc2543_identity(request: &Message, via: &Via<'_>) -> Result<String, HeaderError> {
    Ok(format!(
        "{} {} {} {} {} {}",
        request.request_uri_text().unwrap_or_default(),
        request.from()?.tag().unwrap_or_default(),
        request.call_id()?,
        request.cseq()?.number,
        sent_by(via),
        via.branch().unwrap_or_default(),
    ))
}
