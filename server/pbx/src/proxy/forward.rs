//! The messages a proxy passes on: what it adds and what it takes away (RFC 3261 sections 16.6 and 16.7).

use clearline_core::ConnectionId;
use clearline_core::sip::{AuthenticationKind, Credentials, HeaderName, Message, MessageEditor};

use crate::io::Transport;
use crate::platform::Platform;
use crate::proxy::loop_detection;
use crate::proxy::record_route::is_recorded;
use crate::proxy::response_context::ResponseContext;
use crate::proxy::target::Target;

/// What a request without Max-Forwards is given (section 16.6 step 3).
const DEFAULT_MAX_FORWARDS: u8 = 70;

impl Platform {
    /// The request as one device gets it (section 16.6).
    pub(crate) fn forwarded_request(
        &self,
        context: &ResponseContext,
        target: &Target,
        breadth: u32,
        random: &str,
    ) -> Message {
        let request = &context.request;
        let branch = loop_detection::branch(random, &context.loop_check);
        let mut edit = self
            .hop(request, target, &branch)
            .set(HeaderName::MaxBreadth, breadth)
            .remove(HeaderName::PAssertedIdentity)
            .remove(HeaderName::PPreferredIdentity);
        if let Some(identity) = &context.asserted_identity {
            edit = edit.append(HeaderName::PAssertedIdentity, identity);
        }
        if is_recorded(request) {
            let [top, below] = self.record_route_values(context.upstream_flow, target.flow);
            edit = edit
                .prepend(HeaderName::RecordRoute, below)
                .prepend(HeaderName::RecordRoute, top);
        }
        edit.build()
    }

    /// An ACK for a 2xx as the device gets it.
    pub(crate) fn forwarded_ack(&self, request: &Message, target: &Target, branch: &str) -> Message {
        self.hop(request, target, branch).build()
    }

    /// The response as the caller gets it (section 16.7 steps 3 and 9): without our Via, and without identities that
    /// nobody vouches for.
    pub(crate) fn forwarded_response(&self, response: &Message, target: &Target) -> Message {
        let edit = response
            .edit()
            .remove_first_element(HeaderName::Via)
            .remove(HeaderName::PAssertedIdentity)
            .remove(HeaderName::PPreferredIdentity);
        let is_success = matches!(response.status(), Some(101..=299));
        let identity = match &target.user {
            Some(user) if is_success => self.asserted_identity(user, response),
            Some(_) | None => None,
        };
        match identity {
            Some(identity) => edit.append(HeaderName::PAssertedIdentity, identity).build(),
            None => edit.build(),
        }
    }

    /// Request-URI, Max-Forwards and Via (section 16.6 steps 2, 3 and 8). The credentials for this realm end here,
    /// those for other proxies on the way pass (section 22.3).
    fn hop(&self, request: &Message, target: &Target, branch: &str) -> MessageEditor {
        let max_forwards = match request.max_forwards() {
            Ok(Some(left)) => left.saturating_sub(1),
            Ok(None) | Err(_) => DEFAULT_MAX_FORWARDS,
        };
        let transport = self.via_transport(target.connection);
        let via = format!("SIP/2.0/{transport} {};branch={branch}", self.config.domain);
        let edit = request
            .edit()
            .set(HeaderName::MaxForwards, max_forwards)
            .prepend(HeaderName::Via, via)
            .remove(HeaderName::ProxyAuthorization);
        let others = request
            .header_all(HeaderName::ProxyAuthorization)
            .filter(|shown| !self.is_for_realm(shown));
        let edit = others.fold(edit, |edit, shown| {
            edit.append(HeaderName::ProxyAuthorization, shown)
        });
        match &target.uri {
            Some(uri) => edit.set_request_uri(uri),
            None => edit,
        }
    }

    /// Whether credentials are for this realm, or for none that can be read.
    fn is_for_realm(&self, shown: &str) -> bool {
        Credentials::parse(AuthenticationKind::Proxy, shown).map_or(true, |shown| {
            shown
                .param("realm")
                .is_none_or(|realm| realm == self.config.realm.as_str())
        })
    }

    pub(crate) fn via_transport(&self, connection: ConnectionId) -> &'static str {
        self.connections
            .get(&connection)
            .map_or(Transport::Ws, |connection| connection.transport)
            .via_name()
    }
}
