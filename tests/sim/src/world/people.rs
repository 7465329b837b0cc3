//! People and their devices: what they do, and what can be seen of it.

use clearline_core::sip::UriBuf;
use clearline_core::{
    CallDirection, CallId, CallInfo, CallOptions, CallState, CommandError, Config, Event, Instant,
    OperationError, OperationId, RegistrationState, Secret, UserAgent,
};

use super::World;
use crate::device::{Device, DeviceId};
use crate::media::Media;
use crate::platform::{DOMAIN, PASSWORD, Platform};

impl World {
    /// A new device of a user, registered.
    pub fn phone(&mut self, user: &str) -> DeviceId {
        self.phone_with(user, |_| {})
    }

    /// As [`Self::phone`], with other settings of the agent.
    pub fn phone_with(&mut self, user: &str, adjust: impl FnOnce(&mut Config)) -> DeviceId {
        let device = self.unregistered_phone(user, adjust);
        self.until("the device is registered", |world| world.is_registered(device));
        device
    }

    /// A new device that has only just been switched on.
    pub fn unregistered_phone(&mut self, user: &str, adjust: impl FnOnce(&mut Config)) -> DeviceId {
        let id = DeviceId(self.devices.len());
        let number = u8::try_from(id.0 + 1).unwrap_or(u8::MAX);
        let mut config = self.config_of(user, id);
        adjust(&mut config);
        let seed = [self.seed.wrapping_add(number); 32];
        let media = Media::new(id.0, [self.seed.wrapping_sub(number); 32]);
        let name = format!("{user}/{number}");
        self.devices.push(Device::new(name, config, seed, media));
        self.command(id, UserAgent::start);
        id
    }

    pub(super) fn config_of(&self, user: &str, device: DeviceId) -> Config {
        let aor = UriBuf::sip(user, DOMAIN).unwrap_or_else(|error| panic!("{user}: {error}"));
        let instance = format!("urn:uuid:00000000-0000-1000-8000-{:012}", device.0);
        let mut config = Config::new(aor, format!("ws://{DOMAIN}/sip"), instance);
        config.password = Secret::new(PASSWORD);
        config
    }

    /// Calls a target and returns at once.
    pub fn call(&mut self, device: DeviceId, target: &str) -> CallId {
        match self.try_call(device, target) {
            Ok(id) => id,
            Err(error) => self.fail(&format!("the call is accepted, not {error}")),
        }
    }

    /// Calls a target, if the agent takes the command.
    ///
    /// # Errors
    /// Those of [`UserAgent::call`].
    pub fn try_call(&mut self, device: DeviceId, target: &str) -> Result<CallId, CommandError> {
        let id = self.new_call_id();
        self.command(device, |agent, now| {
            agent.call(now, id, target, CallOptions::default())
        })?;
        Ok(id)
    }

    /// An id that no other call of this world has been given.
    pub fn new_call_id(&mut self) -> CallId {
        self.last_call += 1;
        CallId(self.last_call)
    }

    /// From now on new calls to a device are answered with 302 and this number, or reach it again.
    pub fn redirect_calls(&mut self, device: DeviceId, to: Option<&str>) {
        self.devices[device.0].redirects_to = to.map(str::to_owned);
    }

    /// Waits for a call to come in that has not been answered.
    pub fn incoming(&mut self, device: DeviceId) -> CallId {
        let find = |world: &Self| {
            let mut calls = world.devices[device.0].calls.values();
            calls
                .find(|call| call.direction == CallDirection::Incoming && call.state == CallState::Incoming)
                .map(|c| c.id)
        };
        self.until("a call comes in", |world| find(world).is_some());
        find(self).unwrap_or(CallId(0))
    }

    /// Answers a call and waits until that is done.
    pub fn answer(&mut self, device: DeviceId, call: CallId) {
        self.perform(device, |agent, now| agent.call_handle(now, call)?.answer());
    }

    /// Hangs up, cancels or declines a call, and waits until that is done.
    pub fn hang_up(&mut self, device: DeviceId, call: CallId) {
        self.perform(device, |agent, now| agent.call_handle(now, call)?.hang_up());
    }

    /// Two devices in a call with each other, hearing each other: the caller's and the callee's call.
    pub fn connect(&mut self, caller: DeviceId, callee: DeviceId, target: &str) -> (CallId, CallId) {
        let call = self.call(caller, target);
        let incoming = self.incoming(callee);
        self.answer(callee, incoming);
        self.until("both hear each other", |w| {
            let is_active = |device, call| w.state(device, call) == CallState::Active;
            let answered = is_active(caller, call) && is_active(callee, incoming);
            answered && w.hears(caller, callee) && w.hears(callee, caller)
        });
        (call, incoming)
    }

    /// Gives an agent a command that must be accepted and succeed.
    pub fn perform(
        &mut self,
        device: DeviceId,
        command: impl FnOnce(&mut UserAgent, Instant) -> Result<OperationId, CommandError>,
    ) {
        let result = self.attempt(device, command);
        self.expect(&format!("the command succeeds, not {result:?}"), result == Ok(()));
    }

    /// Gives an agent a command that must be accepted; returns how it ends.
    pub fn attempt(
        &mut self,
        device: DeviceId,
        command: impl FnOnce(&mut UserAgent, Instant) -> Result<OperationId, CommandError>,
    ) -> Result<(), OperationError> {
        let accepted = self.begin(device, command);
        let Ok(operation) = accepted else {
            self.fail(&format!("the command is accepted, not {accepted:?}"))
        };
        let result = |world: &Self| world.devices[device.0].operations.get(&operation).cloned();
        self.until("the operation ends", |world| result(world).is_some());
        result(self).unwrap_or(Ok(()))
    }

    /// Gives an agent a command and returns at once.
    ///
    /// # Errors
    /// Those of the command.
    pub fn begin(
        &mut self,
        device: DeviceId,
        command: impl FnOnce(&mut UserAgent, Instant) -> Result<OperationId, CommandError>,
    ) -> Result<OperationId, CommandError> {
        let accepted = self.command(device, command)?;
        self.devices[device.0].accepted(accepted);
        Ok(accepted)
    }

    /// Does something with an agent and carries out what follows.
    pub fn command<R>(&mut self, device: DeviceId, command: impl FnOnce(&mut UserAgent, Instant) -> R) -> R {
        let result = command(&mut self.devices[device.0].agent, self.now);
        self.drain_device(device);
        result
    }

    // --- what can be seen ------------------------------------------------------------------------------------

    /// A call as it was last reported, ended ones too.
    pub fn info(&self, device: DeviceId, call: CallId) -> &CallInfo {
        match self.devices[device.0].calls.get(&call) {
            Some(info) => info,
            None => self.fail("the call exists"),
        }
    }

    /// The state of a call.
    pub fn state(&self, device: DeviceId, call: CallId) -> CallState {
        self.info(device, call).state
    }

    /// All calls a device has had.
    pub fn calls(&self, device: DeviceId) -> impl Iterator<Item = &CallInfo> {
        self.devices[device.0].calls.values()
    }

    /// Whether a device is registered.
    pub fn is_registered(&self, device: DeviceId) -> bool {
        matches!(
            self.devices[device.0].agent.registration(),
            RegistrationState::Registered { .. }
        )
    }

    /// Whose a device is.
    pub fn user(&self, device: DeviceId) -> String {
        let address = &self.devices[device.0].config.address_of_record;
        address.as_uri().user_decoded().into_owned()
    }

    /// The agent itself.
    pub fn agent(&self, device: DeviceId) -> &UserAgent {
        &self.devices[device.0].agent
    }

    /// What a device is called in the ladder.
    pub fn device_name(&self, device: DeviceId) -> &str {
        &self.devices[device.0].name
    }

    /// How many connections a device should have.
    pub fn flows_wanted(&self, device: DeviceId) -> usize {
        self.devices[device.0].config.outbound_flows
    }

    /// How many devices of a user the platform knows.
    pub fn bindings(&self, user: &str) -> usize {
        self.platform
            .as_ref()
            .map_or(0, |platform| platform.bindings(user))
    }

    /// Calls, or requests on their way, that have not come to an end at the platform.
    pub fn open_at_platform(&self) -> usize {
        self.platform.as_ref().map_or(0, Platform::open_calls)
    }

    /// How a command has ended.
    pub fn result(&self, device: DeviceId, operation: OperationId) -> Option<&Result<(), OperationError>> {
        self.devices[device.0].operations.get(&operation)
    }

    /// How much an agent keeps: the length of its `Debug` text, which grows with every map in it.
    pub fn agent_size(&self, device: DeviceId) -> usize {
        format!("{:?}", self.devices[device.0].agent).len()
    }

    /// How many accepted commands of a device have not ended.
    pub fn pending_operations(&self, device: DeviceId) -> usize {
        self.devices[device.0].pending.len()
    }

    /// Everything a device has told its application, oldest first.
    pub fn events(&self, device: DeviceId) -> &[Event] {
        &self.devices[device.0].events
    }

    /// What the platform has told its operator.
    pub fn platform_events(&self) -> &[clearline_pbx::Event] {
        &self.platform_events
    }

    /// All devices there are.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> + use<> {
        (0..self.devices.len()).map(DeviceId)
    }
}
