//! Target refresh (RFC 3261 section 12.2, RFC 3311, RFC 6141 section 4): what an INVITE or UPDATE inside a dialog and
//! its 2xx say about where and who the other side is, whatever becomes of their offers.

use super::incoming::response;
use super::{Call, Endpoint, HeaderName, Message, asserted_identity, identity};
use crate::endpoint::{ALLOW, RECV_INFO, SUPPORTED};
use crate::sip::ResponseBuilder;

impl Call {
    /// Begins the 2xx to a target refresh request. Only now that it is accepted does the far end's new address count
    /// (RFC 6141 section 4.3).
    pub(super) fn accept(&mut self, endpoint: &Endpoint, request: &Message) -> ResponseBuilder {
        self.refreshed(endpoint, request);
        let local_tag = request.to().ok().and_then(|to| to.tag().map(str::to_owned));
        let response = response(endpoint, request, 200, &local_tag.unwrap_or_default())
            .header(HeaderName::Contact, self.contact(endpoint))
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .header(HeaderName::RecvInfo, RECV_INFO);
        self.session_timer
            .grant(endpoint.now, &endpoint.config, request, response)
    }

    /// Takes note of what a target refresh request of the far end says, or its 2xx to one of ours.
    pub(super) fn refreshed(&mut self, endpoint: &Endpoint, message: &Message) {
        if message.is_response() {
            self.session_timer.confirmed(endpoint.now, message);
            self.is_known_again();
        }
        let changed = self.dialog_of(message).is_some_and(|dialog| {
            dialog.refresh_target(message);
            dialog.learn_peer(message);
            message.is_request() && dialog.learn_remote(message)
        });
        if changed && let Ok(caller) = identity::caller(message) {
            // RFC 4916 section 4.4: another person is at the far end now.
            self.speaks_with(caller.identity);
            self.info.anonymous = caller.anonymous;
        } else if let Some(asserted) = asserted_identity(message) {
            self.speaks_with(asserted);
        }
    }
}
