//! The location service (RFC 3261 section 10.2): which devices a user has, and over which connection each is reached.

use std::collections::{BTreeMap, BTreeSet};

use clearline_core::ConnectionId;
use clearline_core::Instant;
use clearline_core::sip::UriBuf;

use crate::authentication::CredentialId;
use crate::flow::FlowId;
use crate::gruu::InstanceNumber;
use crate::user::UserId;

/// Identifies a binding while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BindingId(u64);

/// What tells one device of a user from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeviceKey {
    /// Instance and reg-id (RFC 5626 section 6): a new connection or contact of the same flow replaces the old.
    Outbound { instance: String, reg_id: u32 },
    /// The contact (RFC 3261 section 10.2.4), and the instance if the client told one.
    Contact { instance: Option<String> },
}

impl DeviceKey {
    /// The instance (`+sip.instance` without brackets).
    pub(crate) fn instance(&self) -> Option<&str> {
        match self {
            Self::Outbound { instance, .. } => Some(instance),
            Self::Contact { instance } => instance.as_deref(),
        }
    }
}

/// One device of a user.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) user: UserId,
    pub(crate) contact: UriBuf,
    /// What the device calls itself, for the user's other devices.
    pub(crate) name: Option<String>,
    pub(crate) device: DeviceKey,
    /// Names the way to the device in routes.
    pub(crate) flow: FlowId,
    /// Contact parameters to be listed again: instance, reg-id, q and features.
    pub(crate) params: String,
    /// Preference in thousandths.
    pub(crate) q: u16,
    /// The REGISTER that set it last.
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) expires_at: Instant,
    pub(crate) updated_at: Instant,
    /// The connection it came over; `None` once that is lost, until the device comes back.
    pub(crate) connection: Option<ConnectionId>,
    /// The credential it was made with.
    pub(crate) credential: CredentialId,
    /// The client understands GRUUs (RFC 5627 section 4.1).
    pub(crate) wants_gruu: bool,
}

impl Binding {
    /// The contact as a Request-URI: headers in it are for whoever builds a request from a link, not for one that is
    /// forwarded (RFC 3261 sections 16.6 step 2 and 19.1.1, RFC 4475 section 3.3.14).
    pub(crate) fn request_uri(&self) -> String {
        self.contact.as_uri().without_headers().as_str().to_owned()
    }
}

#[derive(Clone, Debug)]
struct Instance {
    number: InstanceNumber,
    call_id: String,
}

/// All bindings of the domain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Location {
    last_id: u64,
    bindings: BTreeMap<BindingId, Binding>,
    by_user: BTreeMap<UserId, BTreeSet<BindingId>>,
    by_flow: BTreeMap<FlowId, BindingId>,
    by_connection: BTreeMap<ConnectionId, BTreeSet<BindingId>>,
    instances: BTreeMap<(UserId, String), Instance>,
    numbers: BTreeMap<InstanceNumber, (UserId, String)>,
}

impl Location {
    /// The devices of `user`, in the order they first registered.
    pub(crate) fn of_user(&self, user: &UserId) -> impl Iterator<Item = (BindingId, &Binding)> {
        self.by_user
            .get(user)
            .into_iter()
            .flatten()
            .filter_map(|id| Some((*id, self.bindings.get(id)?)))
    }

    /// The devices reached over `connection`.
    pub(crate) fn on_connection(&self, connection: ConnectionId) -> impl Iterator<Item = &Binding> {
        self.by_connection
            .get(&connection)
            .into_iter()
            .flatten()
            .filter_map(|id| self.bindings.get(id))
    }

    /// The device that a route leads to.
    pub(crate) fn on_flow(&self, flow: FlowId) -> Option<&Binding> {
        self.bindings.get(self.by_flow.get(&flow)?)
    }

    /// Every binding.
    pub(crate) fn all(&self) -> impl Iterator<Item = (BindingId, &Binding)> {
        self.bindings.iter().map(|(id, binding)| (*id, binding))
    }

    pub(crate) fn count(&self, user: &UserId) -> usize {
        self.by_user.get(user).map_or(0, BTreeSet::len)
    }

    /// The binding that a registration of `contact` by `device` sets anew.
    pub(crate) fn find(
        &self,
        user: &UserId,
        device: &DeviceKey,
        contact: &UriBuf,
    ) -> Option<(BindingId, &Binding)> {
        self.of_user(user)
            .find(|(_, binding)| match (&binding.device, device) {
                (DeviceKey::Outbound { .. }, DeviceKey::Outbound { .. }) => binding.device == *device,
                (DeviceKey::Contact { .. }, DeviceKey::Contact { .. }) => {
                    binding.contact.as_uri().equivalent(&contact.as_uri())
                }
                (DeviceKey::Outbound { .. }, DeviceKey::Contact { .. })
                | (DeviceKey::Contact { .. }, DeviceKey::Outbound { .. }) => false,
            })
    }

    /// Adds a binding.
    pub(crate) fn insert(&mut self, binding: Binding) -> BindingId {
        self.last_id += 1;
        let id = BindingId(self.last_id);
        self.by_user.entry(binding.user.clone()).or_default().insert(id);
        self.index(id, &binding);
        self.bindings.insert(id, binding);
        id
    }

    /// Replaces a binding.
    pub(crate) fn replace(&mut self, id: BindingId, binding: Binding) {
        if let Some(old) = self.bindings.get(&id).cloned() {
            self.unindex(id, &old);
        }
        self.index(id, &binding);
        self.bindings.insert(id, binding);
    }

    /// Removes a binding, and the temporary GRUUs of its instance with the last one (RFC 5627 section 3.2).
    pub(crate) fn remove(&mut self, id: BindingId) -> Option<Binding> {
        let binding = self.bindings.remove(&id)?;
        self.unindex(id, &binding);
        if let Some(ids) = self.by_user.get_mut(&binding.user) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_user.remove(&binding.user);
            }
        }
        self.forget_unused_instance(&binding);
        Some(binding)
    }

    /// The connection is gone: its devices cannot be reached until they come back.
    pub(crate) fn connection_lost(&mut self, connection: ConnectionId) {
        for id in self.by_connection.remove(&connection).unwrap_or_default() {
            if let Some(binding) = self.bindings.get_mut(&id) {
                binding.connection = None;
            }
        }
    }

    /// The number of an instance for temporary GRUUs; `fresh` becomes it when the instance is new or registers with
    /// another Call-ID, which makes its older temporary GRUUs invalid (RFC 5627 section 5.1).
    pub(crate) fn number_instance(
        &mut self,
        user: &UserId,
        instance: &str,
        call_id: &str,
        fresh: u64,
    ) -> InstanceNumber {
        let key = (user.clone(), instance.to_owned());
        if let Some(known) = self.instances.get(&key) {
            if known.call_id == call_id {
                return known.number;
            }
            self.numbers.remove(&known.number);
        }
        let number = InstanceNumber(fresh);
        self.numbers.insert(number, key.clone());
        self.instances.insert(
            key,
            Instance {
                number,
                call_id: call_id.to_owned(),
            },
        );
        number
    }

    /// The number given by [`Self::number_instance`].
    pub(crate) fn instance_number(&self, user: &UserId, instance: &str) -> Option<InstanceNumber> {
        self.instances
            .get(&(user.clone(), instance.to_owned()))
            .map(|known| known.number)
    }

    /// User and instance behind a number.
    pub(crate) fn numbered_instance(&self, number: InstanceNumber) -> Option<(&UserId, &str)> {
        self.numbers
            .get(&number)
            .map(|(user, instance)| (user, instance.as_str()))
    }

    fn index(&mut self, id: BindingId, binding: &Binding) {
        self.by_flow.insert(binding.flow, id);
        if let Some(connection) = binding.connection {
            self.by_connection.entry(connection).or_default().insert(id);
        }
    }

    fn unindex(&mut self, id: BindingId, binding: &Binding) {
        self.by_flow.remove(&binding.flow);
        let Some(connection) = binding.connection else {
            return;
        };
        if let Some(ids) = self.by_connection.get_mut(&connection) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
    }

    fn forget_unused_instance(&mut self, removed: &Binding) {
        let Some(instance) = removed.device.instance() else {
            return;
        };
        if self
            .of_user(&removed.user)
            .any(|(_, binding)| binding.device.instance() == Some(instance))
        {
            return;
        }
        if let Some(known) = self
            .instances
            .remove(&(removed.user.clone(), instance.to_owned()))
        {
            self.numbers.remove(&known.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    fn binding(contact: &str, device: DeviceKey, connection: u64) -> Binding {
        let key = Key::new([1; 32]);
        let user = UserId::new("alice");
        let flow = match &device {
            DeviceKey::Outbound { instance, reg_id } => FlowId::of_device(&key, &user, instance, *reg_id),
            DeviceKey::Contact { .. } => FlowId::of_contact(&key, &user, contact),
        };
        Binding {
            contact: UriBuf::parse(contact).unwrap(),
            name: None,
            device,
            flow,
            params: String::new(),
            q: 1_000,
            call_id: "c".into(),
            cseq: 1,
            expires_at: Instant::from_secs(600),
            updated_at: Instant::ZERO,
            connection: Some(ConnectionId(connection)),
            credential: CredentialId::for_tests(1),
            wants_gruu: true,
            user,
        }
    }

    fn outbound(instance: &str) -> DeviceKey {
        DeviceKey::Outbound {
            instance: instance.into(),
            reg_id: 1,
        }
    }

    #[test]
    fn a_lost_connection_leaves_the_binding_unreachable() {
        let mut location = Location::default();
        let flow = binding("sip:a@h", outbound("i1"), 7).flow;
        location.insert(binding("sip:a@h", outbound("i1"), 7));
        location.insert(binding("sip:b@h", outbound("i2"), 8));
        location.connection_lost(ConnectionId(7));
        assert_eq!(location.on_flow(flow).unwrap().connection, None);
        assert_eq!(location.on_connection(ConnectionId(7)).count(), 0);
        assert_eq!(location.on_connection(ConnectionId(8)).count(), 1);
    }

    #[test]
    fn devices_are_told_apart_by_instance_or_contact() {
        let mut location = Location::default();
        let device = location.insert(binding("sip:a@h", outbound("i1"), 7));
        let contact = location.insert(binding("sip:a@h", DeviceKey::Contact { instance: None }, 7));
        let alice = UserId::new("alice");
        let find = |device, contact: &str| {
            location
                .find(&alice, &device, &UriBuf::parse(contact).unwrap())
                .map(|(id, _)| id)
        };
        assert_eq!(find(outbound("i1"), "sip:other@h"), Some(device));
        assert_eq!(find(outbound("i2"), "sip:a@h"), None);
        assert_eq!(
            find(DeviceKey::Contact { instance: None }, "SIP:a@H"),
            Some(contact)
        );
        assert_eq!(find(DeviceKey::Contact { instance: None }, "sip:b@h"), None);
    }

    #[test]
    fn an_instance_keeps_its_number_until_it_is_gone() {
        let mut location = Location::default();
        let alice = UserId::new("alice");
        let id = location.insert(binding("sip:a@h", outbound("i1"), 7));
        let number = location.number_instance(&alice, "i1", "call", 5);
        assert_eq!(location.number_instance(&alice, "i1", "call", 6), number);
        assert_eq!(location.numbered_instance(number), Some((&alice, "i1")));
        let renewed = location.number_instance(&alice, "i1", "other call", 7);
        assert_eq!(location.numbered_instance(number), None);
        location.remove(id);
        assert_eq!(location.numbered_instance(renewed), None);
        assert_eq!(location.count(&alice), 0);
    }
}
