//! The phone as an application sees it: handles, snapshots and futures.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use clearline_core::recording::Record;
use clearline_core::{
    CallId, CallInfo, CallOptions, CallState, Command as AgentCommand, CommandError, Config, ConnectionState,
    Environment, Event, OwnDevice, RegistrationState, RejectReason, RemoteCall, RemoteCallId, Secret, Token,
    UserAgent,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::audio::{AudioProvider, Silence};
use crate::driver::{Command, Driver};
use crate::error::{PhoneError, RegistrationError};
use crate::media::{IceServer, MediaBackend, WebRtcMedia};
use crate::recording::{Recording, Sink};
use crate::transport::{Transport, WebSocketTransport};

/// Events that may wait for a slow subscriber before it misses some.
const EVENT_QUEUE: usize = 256;
/// Commands that may wait for the driver.
const COMMAND_QUEUE: usize = 64;
/// Ended calls that [`PhoneState`] remembers.
const ENDED_CALLS: usize = 32;

/// A softphone: registers one account and makes and takes calls. Cheap to clone; all clones are the same phone.
///
/// When the last clone (and the last [`Call`]) is dropped, the phone vanishes without a word to the platform;
/// [`Phone::stop`] takes leave properly.
#[derive(Clone)]
pub struct Phone {
    commands: mpsc::Sender<Command>,
    events: broadcast::WeakSender<Event>,
    state: watch::Receiver<Arc<PhoneState>>,
}

/// A snapshot of everything an application may want to show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhoneState {
    /// The connection to the platform.
    pub connection: ConnectionState,
    /// The registration of this device.
    pub registration: RegistrationState,
    /// Calls that have not ended.
    pub calls: BTreeMap<CallId, CallInfo>,
    /// The last calls that have, oldest first.
    pub ended: VecDeque<CallInfo>,
    /// Calls on the account's other devices, where [`Config::remote_calls`](clearline_core::Config::remote_calls) asks for
    /// them and the platform tells.
    pub remote_calls: Vec<RemoteCall>,
    /// The account's other devices to which a call can be sent ([`Call::transfer`]), under the same condition.
    pub own_devices: Vec<OwnDevice>,
    /// The phone has been stopped for good.
    pub stopped: bool,
}

impl PhoneState {
    /// A call, whether it has ended or not.
    pub fn call(&self, id: CallId) -> Option<&CallInfo> {
        self.calls
            .get(&id)
            .or_else(|| self.ended.iter().rev().find(|call| call.id == id))
    }

    /// Takes in an event; false if it changes nothing here.
    pub(crate) fn apply(&mut self, event: &Event) -> bool {
        match event {
            Event::Connection(state) => self.connection = state.clone(),
            Event::Registration(state) => self.registration = state.clone(),
            Event::Call(info) if info.state == CallState::Ended => {
                self.calls.remove(&info.id);
                if self.ended.len() == ENDED_CALLS {
                    self.ended.pop_front();
                }
                self.ended.push_back((**info).clone());
            }
            Event::Call(info) => drop(self.calls.insert(info.id, (**info).clone())),
            Event::RemoteCalls(calls) => self.remote_calls.clone_from(calls),
            Event::OwnDevices(devices) => self.own_devices.clone_from(devices),
            Event::Stopped => self.stopped = true,
            Event::DtmfReceived { .. }
            | Event::TokenWanted { .. }
            | Event::TransferRequested { .. }
            | Event::Subscription { .. }
            | Event::Notification(_)
            | Event::OperationDone { .. }
            | Event::Dropped { .. } => return false,
        }
        true
    }
}

/// Settings of a [`Phone`] before it starts.
pub struct PhoneBuilder {
    config: Config,
    transport: Option<Box<dyn Transport>>,
    media: Option<Box<dyn MediaBackend>>,
    audio: Box<dyn AudioProvider>,
    ice_servers: Vec<IceServer>,
    log: Option<Sink>,
}

impl PhoneBuilder {
    /// How to connect; WebSocket unless said otherwise.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Box::new(transport));
        self
    }

    /// Where calls get their audio from; [`Silence`] unless said otherwise.
    #[must_use]
    pub fn audio(mut self, audio: impl AudioProvider) -> Self {
        self.audio = Box::new(audio);
        self
    }

    /// STUN and TURN servers for the calls.
    #[must_use]
    pub fn ice_servers(mut self, servers: Vec<IceServer>) -> Self {
        self.ice_servers = servers;
        self
    }

    /// A media backend of one's own instead of [`WebRtcMedia`]; `audio` and `ice_servers` are then not used.
    #[must_use]
    pub fn media(mut self, media: impl MediaBackend) -> Self {
        self.media = Some(Box::new(media));
        self
    }

    /// Writes a log of everything the phone is told, under pseudonyms (see [`clearline_core::recording`]): `sink` is
    /// called for each record, within the task that serves the phone, and should be quick.
    #[must_use]
    pub fn record(mut self, sink: impl FnMut(&Record) + Send + 'static) -> Self {
        self.log = Some(Box::new(sink));
        self
    }

    /// Starts the phone: it connects and registers, and keeps doing so. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn start(self) -> Result<Phone, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let media = self.media.unwrap_or_else(|| {
            let audio = self.audio;
            let media = WebRtcMedia::builder(move |call| audio.open(call));
            Box::new(media.ice_servers(self.ice_servers).build())
        });
        let transport = self
            .transport
            .unwrap_or_else(|| Box::new(WebSocketTransport::new()));
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        let events = broadcast::Sender::new(EVENT_QUEUE);
        let (state_sender, state) = watch::channel(Arc::default());
        let phone = Phone {
            commands,
            events: events.downgrade(),
            state,
        };
        let recording = self
            .log
            .map(|sink| Recording::start(&self.config, seed, sink))
            .transpose()?;
        let agent = UserAgent::new(self.config, seed);
        tokio::spawn(Driver::new(agent, recording, transport.into(), media, events, state_sender).run(queue));
        Ok(phone)
    }
}

impl Phone {
    /// Begins the settings of a phone for the account in `config`.
    pub fn builder(config: Config) -> PhoneBuilder {
        PhoneBuilder {
            config,
            transport: None,
            media: None,
            audio: Box::new(Silence),
            ice_servers: Vec::new(),
            log: None,
        }
    }

    /// Waits until this device is registered.
    ///
    /// # Errors
    /// When the platform refuses, or an attempt to connect has failed. The phone goes on trying by itself where that makes sense;
    /// calling this again waits for the outcome.
    pub async fn registered(&self) -> Result<(), RegistrationError> {
        let mut state = self.state.clone();
        let settled = state
            .wait_for(|state| registration_outcome(state).is_some())
            .await;
        settled
            .map_err(|_| RegistrationError::Stopped)
            .and_then(|state| registration_outcome(&state).unwrap_or(Err(RegistrationError::Stopped)))
    }

    /// Calls `target`: a number, a name, or a SIP or tel URI. Returns as soon as the call exists; see [`Call::answered`].
    ///
    /// # Errors
    /// When it cannot even be tried: not connected, not a target, too many calls.
    pub async fn call(&self, target: &str) -> Result<Call, PhoneError> {
        let id = new_call_id()?;
        let (reply, answer) = oneshot::channel();
        let (target, options) = (target.to_owned(), CallOptions::default());
        self.send(Command::Call {
            id,
            target,
            options,
            reply,
        })
        .await?;
        answer.await.map_err(|_| PhoneError::Stopped)??;
        Ok(self.call_handle(id))
    }

    /// Takes a call over from another device of the account, one of [`PhoneState::remote_calls`]. Returns as soon as the call
    /// exists here; if its far end does not agree, it ends and the other one is what it was.
    ///
    /// # Errors
    /// When there is no such call any more, or it cannot be taken over.
    pub async fn pull(&self, remote: RemoteCallId) -> Result<Call, PhoneError> {
        let id = new_call_id()?;
        self.operate(AgentCommand::Pull { id, remote }).await?;
        Ok(self.call_handle(id))
    }

    /// Asks the platform which other devices the account has; a change shows in [`PhoneState::own_devices`].
    ///
    /// # Errors
    /// While this device is not registered.
    pub async fn ask_for_devices(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::AskForDevices).await
    }

    /// Leaves a conference of three by connecting the two others with each other. If that fails, the conference goes on.
    ///
    /// # Errors
    /// When there is no such conference, or neither of the others can be sent to the other.
    pub async fn leave_conference(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::LeaveConference).await
    }

    /// A handle for the call `id`, for example one that an event has named.
    pub fn call_handle(&self, id: CallId) -> Call {
        Call {
            phone: self.clone(),
            id,
        }
    }

    /// Waits for the next incoming call that is still ringing, or is one already.
    ///
    /// # Errors
    /// [`PhoneError::Stopped`] when the phone has been stopped.
    pub async fn incoming(&self) -> Result<Call, PhoneError> {
        let ringing = |state: &PhoneState| {
            state
                .calls
                .values()
                .find(|call| call.state == CallState::Incoming)
                .map(|call| call.id)
        };
        let mut state = self.state.clone();
        let found = state
            .wait_for(|state| ringing(state).is_some() || state.stopped)
            .await;
        let id = found.ok().and_then(|state| ringing(&state));
        id.map(|id| self.call_handle(id)).ok_or(PhoneError::Stopped)
    }

    /// Everything that happens from now on. A subscriber that is more than 256 events behind misses some; the
    /// [`state`](Self::state) is always complete.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        let events = self.events.upgrade().unwrap_or_else(|| broadcast::Sender::new(1));
        events.subscribe()
    }

    /// The present state.
    pub fn state(&self) -> Arc<PhoneState> {
        Arc::clone(&self.state.borrow())
    }

    /// The state as it changes.
    pub fn watch(&self) -> watch::Receiver<Arc<PhoneState>> {
        self.state.clone()
    }

    /// Uses a renewed password from now on.
    ///
    /// # Errors
    /// [`PhoneError::Stopped`].
    pub async fn set_password(&self, password: Secret) -> Result<(), PhoneError> {
        self.send(Command::SetPassword(password)).await
    }

    /// Shows `token` from now on where the platform asks for one, see [`Event::TokenWanted`].
    ///
    /// # Errors
    /// [`PhoneError::Stopped`].
    pub async fn set_token(&self, token: Token) -> Result<(), PhoneError> {
        self.send(Command::SetToken(token)).await
    }

    /// Tells that the network or the machine changed state, so that the connection is probed at once.
    ///
    /// # Errors
    /// [`PhoneError::Stopped`].
    pub async fn environment(&self, environment: Environment) -> Result<(), PhoneError> {
        self.send(Command::Environment(environment)).await
    }

    /// Ends all calls, removes the registration, closes the connection, and waits until that is done (two seconds at
    /// most). The phone cannot be started again.
    pub async fn stop(&self) {
        if self.send(Command::Stop).await.is_ok() {
            let mut state = self.state.clone();
            // An error means that the driver has gone, which is what is waited for.
            let _ = state.wait_for(|state| state.stopped).await;
            self.commands.closed().await;
        }
    }

    async fn operate(&self, command: AgentCommand) -> Result<(), PhoneError> {
        let (reply, done) = oneshot::channel();
        self.send(Command::Operate { command, reply }).await?;
        done.await.map_err(|_| PhoneError::Stopped)?
    }

    async fn send(&self, command: Command) -> Result<(), PhoneError> {
        self.commands.send(command).await.map_err(|_| PhoneError::Stopped)
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone")
    }
}

impl fmt::Debug for PhoneBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneBuilder")
    }
}

/// One call of a [`Phone`]. Cheap to clone. Dropping it does not hang up.
///
/// Commands are futures that end when the far end has agreed, or has refused.
#[derive(Clone, Debug)]
pub struct Call {
    phone: Phone,
    id: CallId,
}

impl Call {
    /// Which call this is.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// The call as it stands; `None` once it is long over.
    pub fn info(&self) -> Option<CallInfo> {
        self.phone.state().call(self.id).cloned()
    }

    /// Waits until the call has been answered; `None` if it ended before that, or is unknown.
    pub async fn answered(&self) -> Option<CallInfo> {
        self.when(|info| info.answered_at.is_some())
            .await
            .filter(|info| info.answered_at.is_some())
    }

    /// Waits until the call has ended; `None` if it is unknown, or the phone has gone.
    pub async fn ended(&self) -> Option<CallInfo> {
        self.when(|_| false)
            .await
            .filter(|info| info.state == CallState::Ended)
    }

    /// Waits until `condition` holds or the call has ended.
    pub async fn when(&self, condition: impl Fn(&CallInfo) -> bool) -> Option<CallInfo> {
        let settled = |state: &PhoneState| {
            state
                .call(self.id)
                .is_none_or(|info| condition(info) || info.state == CallState::Ended)
        };
        let mut state = self.phone.state.clone();
        let found = state
            .wait_for(|state| settled(state))
            .await
            .map(|state| state.call(self.id).cloned());
        found.unwrap_or_else(|_| self.info())
    }

    /// Answers an incoming call.
    ///
    /// # Errors
    /// When it is not ringing here, or ended meanwhile.
    pub async fn answer(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::Answer).await
    }

    /// Declines an incoming call.
    ///
    /// # Errors
    /// When it is not ringing here.
    pub async fn reject(&self, reason: RejectReason) -> Result<(), PhoneError> {
        self.operate(|call| AgentCommand::Reject(call, reason)).await
    }

    /// Ends the call, whatever its state.
    ///
    /// # Errors
    /// When it has ended already.
    pub async fn hang_up(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::HangUp).await
    }

    /// Puts the far end on hold.
    ///
    /// # Errors
    /// When the far end refuses.
    pub async fn hold(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::Hold).await
    }

    /// Talks to the far end again.
    ///
    /// # Errors
    /// When the far end refuses.
    pub async fn resume(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::Resume).await
    }

    /// Sends exact silence, or the microphone again.
    ///
    /// # Errors
    /// When the call has ended.
    pub async fn set_muted(&self, muted: bool) -> Result<(), PhoneError> {
        self.operate(|call| AgentCommand::SetMuted(call, muted)).await
    }

    /// Sends tones: `0-9 * # A-D`, `,` and `;` for pauses.
    ///
    /// # Errors
    /// When one of them is no tone, or the call has ended.
    pub async fn send_dtmf(&self, tones: &str) -> Result<(), PhoneError> {
        let tones = tones.to_owned();
        self.operate(|call| AgentCommand::SendDtmf(call, tones)).await
    }

    /// Puts whoever is on the line on hold and, when that is done, takes this call. If one of them does not let itself be
    /// put on hold, everything is as before.
    ///
    /// # Errors
    /// When the call does not ring any more, or somebody could not be put on hold.
    pub async fn hold_and_answer(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::HoldAndAnswer).await
    }

    /// Hangs up every other call and takes this one.
    ///
    /// # Errors
    /// When the call does not ring any more.
    pub async fn end_and_answer(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::EndAndAnswer).await
    }

    /// Talks to this far end again once every other one is on hold. If that fails everything is as before.
    ///
    /// # Errors
    /// When the call is not on hold, or somebody refuses.
    pub async fn swap_to(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::SwapTo).await
    }

    /// Connects the far end with `target`, a number, a name or a URI. Done when `target` has answered, and this call has
    /// ended; if nobody does, the call is what it was before.
    ///
    /// # Errors
    /// When it is not offered, refused, or `target` is not reached.
    pub async fn transfer(&self, target: &str) -> Result<(), PhoneError> {
        let target = target.to_owned();
        self.operate(|call| AgentCommand::Transfer(call, target)).await
    }

    /// Sends the far end to the other devices of the account: they ring. Done when one of them has the call; if none takes
    /// it, it stays here.
    ///
    /// # Errors
    /// Those of [`transfer`](Self::transfer).
    pub async fn push(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::Push).await
    }

    /// Connects the far end with that of the call `other`. Done when it is, and both calls have ended.
    ///
    /// # Errors
    /// Those of [`transfer`](Self::transfer).
    pub async fn transfer_to(&self, other: CallId) -> Result<(), PhoneError> {
        self.operate(|call| AgentCommand::TransferTo(call, other)).await
    }

    /// Puts this call on hold and calls `target`, to ask there before [`transfer_to`](Self::transfer_to) or
    /// [`cancel_transfer`](Self::cancel_transfer). When that second call ends, this one is taken off hold.
    ///
    /// # Errors
    /// When the far end cannot be put on hold, or `target` cannot be called.
    pub async fn consult(&self, target: &str) -> Result<Call, PhoneError> {
        let id = new_call_id()?;
        let (target, options) = (target.to_owned(), CallOptions::default());
        self.operate(|of| AgentCommand::Consult {
            of,
            id,
            target,
            options,
        })
        .await?;
        Ok(self.phone.call_handle(id))
    }

    /// Ends the call in which somebody is asked, and talks to this far end again.
    ///
    /// # Errors
    /// When nobody is asked, or the far end has been sent on already.
    pub async fn cancel_transfer(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::CancelTransfer).await
    }

    /// Calls whom the far end wants this phone to call ([`CallInfo::transfer_request`]).
    ///
    /// # Errors
    /// When the far end does not ask for it.
    pub async fn accept_transfer(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::AcceptTransfer).await
    }

    /// Does not; the call goes on.
    ///
    /// # Errors
    /// When the far end does not ask for it.
    pub async fn decline_transfer(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::DeclineTransfer).await
    }

    /// Lets the far end and that of the call `other` hear each other: in a conference of the platform, if the configuration
    /// names one ([`Config::conference_factory`](clearline_core::Config::conference_factory)), to which a new call leads then;
    /// else mixed on this device. A third one joins by being merged with one of them. If that fails everything is as before.
    ///
    /// # Errors
    /// When one of the calls is not answered, somebody cannot be taken off hold, or another conference is going on.
    pub async fn merge(&self, other: CallId) -> Result<(), PhoneError> {
        self.operate(|call| AgentCommand::Merge(call, other)).await
    }

    /// Leaves the conference with this far end alone; the others are put on hold. If that fails everything is as before.
    ///
    /// # Errors
    /// When the call is not part of a conference, or somebody cannot be put on hold.
    pub async fn split(&self) -> Result<(), PhoneError> {
        self.operate(AgentCommand::Split).await
    }

    /// Has somebody brought into the platform's conference that this call leads to ([`CallInfo::focus`]). Done when they have
    /// answered.
    ///
    /// # Errors
    /// When this call leads to none, the platform refuses, or `target` does not answer.
    pub async fn add_participant(&self, target: &str) -> Result<(), PhoneError> {
        let target = target.to_owned();
        self.operate(|call| AgentCommand::AddParticipant(call, target))
            .await
    }

    /// Has somebody sent away from it, by the URI in [`CallInfo::participants`].
    ///
    /// # Errors
    /// When nobody with this URI takes part, or the platform refuses.
    pub async fn remove_participant(&self, uri: &str) -> Result<(), PhoneError> {
        let uri = uri.to_owned();
        self.operate(|call| AgentCommand::RemoveParticipant(call, uri))
            .await
    }

    async fn operate(&self, command: impl FnOnce(CallId) -> AgentCommand) -> Result<(), PhoneError> {
        self.phone.operate(command(self.id)).await
    }
}

fn new_call_id() -> Result<CallId, PhoneError> {
    let id = getrandom::u64().map_err(|_| PhoneError::Command(CommandError::DuplicateCall))?;
    Ok(CallId(id))
}

/// How the registration has turned out, once it has.
fn registration_outcome(state: &PhoneState) -> Option<Result<(), RegistrationError>> {
    if state.stopped {
        return Some(Err(RegistrationError::Stopped));
    }
    if let ConnectionState::Waiting { reason, .. } = &state.connection {
        return Some(Err(RegistrationError::Unreachable(reason.clone())));
    }
    match &state.registration {
        RegistrationState::Registered { .. } => Some(Ok(())),
        RegistrationState::Failed {
            sip_status,
            reason,
            credentials_rejected,
            ..
        } => Some(Err(RegistrationError::Refused {
            status: *sip_status,
            reason: reason.clone(),
            credentials_rejected: *credentials_rejected,
        })),
        RegistrationState::Unregistered | RegistrationState::Registering => None,
    }
}
