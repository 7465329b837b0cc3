//! Where a request goes (RFC 3261 section 16.5, RFC 5626 section 5.3, RFC 5627 section 5.3).

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use clearline_core::ConnectionId;
use clearline_core::dialog_info;
use clearline_core::sip::{HeaderName, Message, Method, Scheme, Uri};

use crate::flow::FlowId;
use crate::gruu::{self, Gruu};
use crate::location::Binding;
use crate::platform::{ALLOW, Platform};
use crate::proxy::record_route::Routed;
use crate::refusal::Refusal;
use crate::user::UserId;

/// One way to one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) connection: ConnectionId,
    /// Names the device in routes.
    pub(crate) flow: FlowId,
    /// The new Request-URI; the old one stays if there is none.
    pub(crate) uri: Option<String>,
    /// Whose device it is, when the platform may vouch for it.
    pub(crate) user: Option<UserId>,
}

/// The ways to one device, to be tried one after the other (RFC 5626 section 5.3: never two flows of one instance at
/// the same time), the one used last first. Empty when the device cannot be reached.
pub(crate) type Device = VecDeque<Target>;

/// All devices a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Targets {
    /// Groups of equal preference: all of one group at the same time, one group after the other.
    pub(crate) groups: VecDeque<Vec<Device>>,
    /// The status when no flow to a device works: 430 tells the far side of a dialog that it may still live, 480 that
    /// a user is not there.
    pub(crate) unreachable: u16,
}

impl Targets {
    fn one(device: Device, unreachable: u16) -> Self {
        Self {
            groups: VecDeque::from([vec![device]]),
            unreachable,
        }
    }
}

impl Platform {
    /// The targets of a request.
    pub(crate) fn targets(&self, routed: &Routed) -> Result<Targets, Refusal> {
        let request = &routed.request;
        let uri = request.request_uri().ok_or_else(|| Refusal::new(400))?;
        if let Some(flow) = routed.flow {
            return self.device_on_flow(flow, &uri).ok_or_else(|| Refusal::new(430));
        }
        if self.is_domain_itself(&uri) {
            return Err(refuse_at_domain(request));
        }
        let is_number = uri.scheme() == Scheme::Tel;
        if !is_number && !self.is_local(&uri) {
            return Err(Refusal::new(403).because("No Relaying to Other Domains"));
        }
        if !is_number && uri.params().has("gr") {
            return self.instance(&uri);
        }
        let name = uri.user_decoded();
        let user = if is_number {
            self.users.resolve_number(&name)
        } else {
            self.users.resolve(&name)
        };
        let user = user.ok_or_else(|| Refusal::new(404))?;
        if !user.is_service {
            refuse_events(request)?;
        }
        self.devices(&user.id)
    }

    /// Where a service sends a caller (RFC 3261 section 16.7 step 4), if that is a user here.
    pub(crate) fn targets_after(&self, redirect: &Message) -> Option<Targets> {
        let contact = redirect.contacts().next()?.ok()?;
        let uri = contact.address()?.uri;
        let user = self
            .users
            .resolve(&uri.user_decoded())
            .filter(|_| self.is_local(&uri))?;
        self.devices(&user.id).ok()
    }

    /// Whether requests to `uri` are for a service of the platform's own.
    pub(crate) fn is_for_service(&self, uri: &Uri<'_>) -> bool {
        let user = self.users.resolve(&uri.user_decoded());
        user.is_some_and(|user| user.is_service) && self.is_local(uri)
    }

    /// All devices of a user that can be reached, grouped by q.
    fn devices(&self, user: &UserId) -> Result<Targets, Refusal> {
        let mut by_instance: BTreeMap<(Option<&str>, usize), Vec<&Binding>> = BTreeMap::new();
        for (at, (_, binding)) in self.location.of_user(user).enumerate() {
            let own_place = if binding.device.instance().is_some() {
                0
            } else {
                at
            };
            by_instance
                .entry((binding.device.instance(), own_place))
                .or_default()
                .push(binding);
        }
        let mut by_q: BTreeMap<Reverse<u16>, Vec<Device>> = BTreeMap::new();
        for flows in by_instance.into_values() {
            let q = flows.iter().map(|binding| binding.q).max().unwrap_or_default();
            let device = device_of(flows);
            if !device.is_empty() {
                by_q.entry(Reverse(q)).or_default().push(device);
            }
        }
        if by_q.is_empty() {
            return Err(Refusal::new(480));
        }
        Ok(Targets {
            groups: by_q.into_values().collect(),
            unreachable: 480,
        })
    }

    /// The one instance that a GRUU names.
    fn instance(&self, uri: &Uri<'_>) -> Result<Targets, Refusal> {
        let (user, instance) = self.gruu_device(uri).ok_or_else(|| Refusal::new(404))?;
        let is_same = |binding: &&Binding| binding.device.instance() == Some(instance.as_str());
        let device = device_of(
            self.location
                .of_user(&user)
                .map(|(_, b)| b)
                .filter(is_same)
                .collect(),
        );
        // RFC 5627 section 5.4: the address exists, the instance is not there.
        if device.is_empty() {
            Err(Refusal::new(480))
        } else {
            Ok(Targets::one(device, 480))
        }
    }

    /// User and instance behind a GRUU of ours.
    pub(crate) fn gruu_device(&self, uri: &Uri<'_>) -> Option<(UserId, String)> {
        if !self.is_local(uri) {
            return None;
        }
        match gruu::read(&self.config.key, uri)? {
            Gruu::Public(instance) => Some((self.users.resolve(&uri.user_decoded())?.id.clone(), instance)),
            Gruu::Temporary(number) => {
                let (user, instance) = self.location.numbered_instance(number)?;
                Some((user.clone(), instance.to_owned()))
            }
            Gruu::Forged => None,
        }
    }

    /// The device that a route names, wherever it is connected now.
    fn device_on_flow(&self, flow: FlowId, uri: &Uri<'_>) -> Option<Targets> {
        let is_gruu = self.is_local(uri) && uri.params().has("gr");
        let target = match self.location.on_flow(flow) {
            Some(binding) => binding.connection.map(|connection| Target {
                connection,
                flow,
                uri: is_gruu.then(|| binding.request_uri()),
                user: None,
            }),
            None => self.connections_by_flow.get(&flow).map(|connection| Target {
                connection: *connection,
                flow,
                uri: None,
                user: None,
            }),
        };
        match target {
            Some(target) => Some(Targets::one(Device::from([target]), 430)),
            // The same instance may be there with another flow.
            None if is_gruu => self.instance(uri).ok().map(|targets| Targets {
                unreachable: 430,
                ..targets
            }),
            None => None,
        }
    }
}

/// The flows of one device that are connected, the one used last first.
fn device_of(mut flows: Vec<&Binding>) -> Device {
    flows.sort_by_key(|binding| Reverse(binding.updated_at));
    flows
        .into_iter()
        .filter_map(|binding| {
            Some(Target {
                connection: binding.connection?,
                flow: binding.flow,
                uri: Some(binding.request_uri()),
                user: Some(binding.user.clone()),
            })
        })
        .collect()
}

/// Requests for the domain itself that are neither REGISTER nor OPTIONS.
fn refuse_at_domain(request: &Message) -> Refusal {
    match refuse_events(request) {
        Err(refusal) => refusal,
        // RFC 3261 section 21.5.2: 405 is for methods that one knows.
        Ok(()) if matches!(request.method(), Method::Other(_)) => Refusal::new(501),
        Ok(()) => Refusal::new(405).with(HeaderName::Allow, ALLOW),
    }
}

/// The platform would have to keep the state of a user's events itself (RFC 6665 section 4.2.1.1, RFC 3903 section 6);
/// it does so for dialogs only, which it sees itself. Subscriptions to one device pass.
fn refuse_events(request: &Message) -> Result<(), Refusal> {
    if request.method() == Method::Subscribe {
        return Err(Refusal::new(489).with(HeaderName::AllowEvents, dialog_info::PACKAGE));
    }
    if request.method() == Method::Publish {
        return Err(Refusal::new(405).with(HeaderName::Allow, ALLOW));
    }
    Ok(())
}
