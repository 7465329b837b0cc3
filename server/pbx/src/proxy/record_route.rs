//! Staying on the path of a dialog (RFC 3261 sections 16.4 and 16.6 step 4).
//!
//! Each request that may start a dialog gets two Record-Route values: one names the caller's device, one the callee's.
//! So each side's requests carry both, the one for the far side last:
//!
//! ```text
//! caller's route set: <caller's token>, <callee's token>
//! callee's route set: <callee's token>, <caller's token>
//! ```
//!
//! A token is a [`FlowId`]: it names user, instance and reg-id but no socket, so a request within the dialog finds the
//! device on whatever connection it has by then. Whoever holds valid tokens was given them in a dialog, which is why
//! requests that carry them are not challenged.

use clearline_core::ConnectionId;
use clearline_core::sip::{HeaderName, Message, Method};

use crate::flow::FlowId;
use crate::platform::Platform;
use crate::refusal::Refusal;

/// A request whose routes through the platform have been taken off.
#[derive(Clone, Debug)]
pub(crate) struct Routed {
    pub(crate) request: Message,
    /// The device it is to go to; the Request-URI decides if there is none.
    pub(crate) flow: Option<FlowId>,
}

impl Platform {
    /// Takes our values off the top of the route (section 16.4) and reads where they lead.
    pub(crate) fn process_route(
        &self,
        connection: ConnectionId,
        request: &Message,
    ) -> Result<Routed, Refusal> {
        let request = self.undo_strict_routing(request);
        let mut tokens = Vec::new();
        let mut rest = request.edit();
        let mut routes = request.routes().flatten().peekable();
        while let Some(route) = routes.next_if(|route| self.is_local(&route.uri)) {
            rest = rest.remove_first_element(HeaderName::Route);
            if let Some(user) = route.uri.user() {
                let flow = FlowId::from_token(&self.config.key, user);
                tokens.push(flow.map_err(|_| Refusal::new(403).because("Route Was Changed"))?);
            }
        }
        if routes.next().is_some() {
            return Err(Refusal::new(403).because("No Relaying to Other Proxies"));
        }
        let flow = match tokens.as_slice() {
            [] => None,
            // Its own token alone: the sender's way out, not the way to somebody (RFC 5626 section 5.3.1).
            [own] if self.connection_of(*own) == Some(connection) => None,
            [.., last] => Some(*last),
        };
        drop(routes);
        Ok(Routed {
            request: rest.build(),
            flow,
        })
    }

    /// The two values for a request that goes from one device to another, the callee's first.
    pub(crate) fn record_route_values(&self, caller: FlowId, callee: FlowId) -> [String; 2] {
        [callee, caller].map(|flow| {
            format!(
                "<sip:{}@{};transport=ws;lr>",
                flow.to_token(&self.config.key),
                self.config.domain
            )
        })
    }

    /// The connection over which a device is reached now.
    pub(crate) fn connection_of(&self, flow: FlowId) -> Option<ConnectionId> {
        match self.location.on_flow(flow) {
            Some(binding) => binding.connection,
            None => self.connections_by_flow.get(&flow).copied(),
        }
    }

    /// The name under which the far side will reach whoever sent a request: the device if it has registered over this
    /// connection, else the connection.
    pub(crate) fn flow_of_sender(&self, connection: ConnectionId, request: &Message) -> Option<FlowId> {
        let contact = request.contacts().flatten().find_map(|contact| contact.address());
        let mut devices = self.location.on_connection(connection).peekable();
        let first = devices.peek().map(|binding| binding.flow);
        // Several devices on one connection are told apart by what they say of themselves.
        let named = devices.find(|binding| {
            contact.as_ref().is_some_and(|contact| {
                contact.uri.equivalent(&binding.contact.as_uri())
                    || self.gruu_device(&contact.uri).is_some_and(|(user, instance)| {
                        binding.user == user && binding.device.instance() == Some(instance.as_str())
                    })
            })
        });
        named.map(|binding| binding.flow).or(first).or_else(|| {
            self.connections
                .get(&connection)
                .map(|connection| connection.flow)
        })
    }

    /// A strict router puts our Record-Route value into the Request-URI and the real one last into the route
    /// (section 16.4, first paragraph).
    fn undo_strict_routing(&self, request: &Message) -> Message {
        let is_own_route = request.request_uri().is_some_and(|uri| {
            self.is_local(&uri)
                && uri.is_loose_router()
                && uri
                    .user()
                    .is_some_and(|user| FlowId::from_token(&self.config.key, user).is_ok())
        });
        let routes: Vec<_> = request.header_list(HeaderName::Route).collect();
        let (true, Some((_, others)), Some(Ok(last))) =
            (is_own_route, routes.split_last(), request.routes().last())
        else {
            return request.clone();
        };
        // The token in the Request-URI was the first of the route.
        let own = format!("<{}>", request.request_uri_text().unwrap_or_default());
        let route = std::iter::once(own.as_str())
            .chain(others.iter().copied())
            .collect::<Vec<_>>()
            .join(", ");
        request
            .edit()
            .set_request_uri(last.uri.as_str())
            .set(HeaderName::Route, route)
            .build()
    }
}

/// Whether a request may start a dialog or belongs to one that must keep its route.
pub(crate) fn is_recorded(request: &Message) -> bool {
    matches!(
        request.method(),
        Method::Invite | Method::Subscribe | Method::Refer | Method::Notify | Method::Update
    )
}
