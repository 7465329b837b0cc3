//! The core's `UserAgent` for JavaScript.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Display};
use std::str::FromStr;

use clearline_core::{
    CallId, CallOptions, CommandError, Duration, Environment, Input, Instant, MediaError, MediaErrorKind,
    MediaEvent, MediaOutcome, MediaTransport, OperationId, Output, RejectReason, Secret, Snapshot, Token,
    UserAgent,
};
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer as _;
use serde::de::value::StrDeserializer;
use wasm_bindgen::prelude::*;

use crate::config::AgentConfig;
use crate::host::Host;
use crate::outputs::deliver;
use crate::panic;

/// A SIP user agent. Commands return the identifier of their operation, which ends in `Host.operationDone`, or throw
/// the reason of their refusal as a string such as `"wrong-state"`.
#[wasm_bindgen]
pub struct Agent {
    core: RefCell<UserAgent>,
    host: Host,
    draining: Cell<bool>,
}

#[wasm_bindgen]
impl Agent {
    /// An agent at rest. `seed` is 32 random bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(host: Host, config: AgentConfig, seed: &[u8]) -> Result<Agent, JsValue> {
        panic::report_on_the_console();
        let core = UserAgent::new(config.into_config(), seed_of(seed)?);
        Ok(Self::around(core, host))
    }

    /// The agent that `snapshot` was taken of, `asleep` milliseconds ago. It has to be started.
    pub fn restore(
        host: Host,
        config: AgentConfig,
        snapshot: &[u8],
        seed: &[u8],
        now: f64,
        asleep: f64,
    ) -> Result<Agent, JsValue> {
        panic::report_on_the_console();
        let snapshot: Snapshot = postcard::from_bytes(snapshot).map_err(|_| "the snapshot cannot be read")?;
        let config = config.into_config();
        let core = UserAgent::restore(config, snapshot, seed_of(seed)?, instant(now), millis(asleep));
        Ok(Self::around(core, host))
    }

    /// Connects and registers.
    pub fn start(&self, now: f64) {
        self.drive(|core| core.start(instant(now)));
    }

    /// Ends all calls, un-registers and disconnects; `Host.stopped` follows.
    pub fn stop(&self, now: f64) {
        self.drive(|core| core.stop(instant(now)));
    }

    /// The deadline has come.
    pub fn wake(&self, now: f64) {
        self.input(now, Input::Wake);
    }

    /// A connection asked for is open.
    pub fn connected(&self, now: f64, connection: &str) -> Result<(), JsValue> {
        self.input(
            now,
            Input::Connected {
                connection: id(connection)?,
            },
        );
        Ok(())
    }

    /// A connection failed or closed.
    pub fn disconnected(&self, now: f64, connection: &str, reason: String) -> Result<(), JsValue> {
        self.input(
            now,
            Input::Disconnected {
                connection: id(connection)?,
                reason,
            },
        );
        Ok(())
    }

    /// A text frame came in.
    #[wasm_bindgen(js_name = receivedText)]
    pub fn received_text(&self, now: f64, connection: &str, message: String) -> Result<(), JsValue> {
        self.input(
            now,
            Input::Received {
                connection: id(connection)?,
                message: message.into_bytes(),
            },
        );
        Ok(())
    }

    /// A binary frame came in.
    #[wasm_bindgen(js_name = receivedBinary)]
    pub fn received_binary(&self, now: f64, connection: &str, message: Vec<u8>) -> Result<(), JsValue> {
        self.input(
            now,
            Input::Received {
                connection: id(connection)?,
                message,
            },
        );
        Ok(())
    }

    /// The machine or the page changed state; `state` as `clearline_core::Environment` has it.
    pub fn environment(&self, now: f64, state: &str) -> Result<(), JsValue> {
        self.input(now, Input::Environment(named::<Environment>(state)?));
        Ok(())
    }

    /// A media request ended with a local description.
    #[wasm_bindgen(js_name = mediaDescription)]
    pub fn media_description(&self, now: f64, request: &str, sdp: String) -> Result<(), JsValue> {
        self.media_answer(now, request, Ok(MediaOutcome::Description { sdp }))
    }

    /// A media request ended with nothing to tell.
    #[wasm_bindgen(js_name = mediaDone)]
    pub fn media_done(&self, now: f64, request: &str) -> Result<(), JsValue> {
        self.media_answer(now, request, Ok(MediaOutcome::Done))
    }

    /// A media request failed; `kind` as `MediaErrorKind` has it.
    #[wasm_bindgen(js_name = mediaFailed)]
    pub fn media_failed(&self, now: f64, request: &str, kind: &str, detail: String) -> Result<(), JsValue> {
        let kind = named::<MediaErrorKind>(kind)?;
        self.media_answer(now, request, Err(MediaError { kind, detail }))
    }

    /// The media transport changed state; `state` as `MediaTransport` has it.
    #[wasm_bindgen(js_name = transportChanged)]
    pub fn transport_changed(&self, now: f64, session: &str, state: &str) -> Result<(), JsValue> {
        let state = named::<MediaTransport>(state)?;
        self.media_event(now, session, MediaEvent::Transport { state })
    }

    /// Candidates were found after the description was sent.
    #[wasm_bindgen(js_name = candidatesFound)]
    pub fn candidates_found(
        &self,
        now: f64,
        session: &str,
        fragment: String,
        matters: bool,
    ) -> Result<(), JsValue> {
        self.media_event(now, session, MediaEvent::Candidates { fragment, matters })
    }

    /// There is no usable microphone; `kind` as `MediaErrorKind` has it.
    #[wasm_bindgen(js_name = microphoneLost)]
    pub fn microphone_lost(&self, now: f64, session: &str, kind: &str) -> Result<(), JsValue> {
        let kind = named::<MediaErrorKind>(kind)?;
        self.media_event(now, session, MediaEvent::MicrophoneLost { kind })
    }

    /// The microphone is back.
    #[wasm_bindgen(js_name = microphoneRestored)]
    pub fn microphone_restored(&self, now: f64, session: &str) -> Result<(), JsValue> {
        self.media_event(now, session, MediaEvent::MicrophoneRestored)
    }

    /// Calls `target`; the caller has drawn the identifier of the call at random. With `anonymous` the callee does not
    /// learn who calls.
    #[wasm_bindgen(js_name = placeCall)]
    pub fn place_call(
        &self,
        now: f64,
        call: &str,
        target: &str,
        display_name: Option<String>,
        anonymous: Option<bool>,
    ) -> Result<(), JsValue> {
        let call: CallId = id(call)?;
        let mut options = CallOptions::default();
        options.display_name = display_name;
        options.anonymous = anonymous.unwrap_or(false);
        self.drive(|core| core.call(instant(now), call, target, options))
            .map_err(refusal)
    }

    /// Answers an incoming call.
    pub fn answer(&self, now: f64, call: &str) -> Result<String, JsValue> {
        self.on_call(now, call, |call| call.answer())
    }

    /// Ends every other call, then answers.
    #[wasm_bindgen(js_name = endAndAnswer)]
    pub fn end_and_answer(&self, now: f64, call: &str) -> Result<String, JsValue> {
        let call = id(call)?;
        self.command(|core| core.end_and_answer(instant(now), call))
    }

    /// Holds the active call, then answers.
    #[wasm_bindgen(js_name = holdAndAnswer)]
    pub fn hold_and_answer(&self, now: f64, call: &str) -> Result<String, JsValue> {
        let call = id(call)?;
        self.command(|core| core.hold_and_answer(instant(now), call))
    }

    /// Refuses an incoming call; `busy` lets the platform try elsewhere, otherwise it is declined.
    pub fn reject(&self, now: f64, call: &str, busy: bool) -> Result<String, JsValue> {
        let reason = if busy {
            RejectReason::Busy
        } else {
            RejectReason::Declined
        };
        self.on_call(now, call, |call| call.reject(reason))
    }

    /// Ends a call whatever its state.
    #[wasm_bindgen(js_name = hangUp)]
    pub fn hang_up(&self, now: f64, call: &str) -> Result<String, JsValue> {
        self.on_call(now, call, |call| call.hang_up())
    }

    /// Puts the far end on hold.
    pub fn hold(&self, now: f64, call: &str) -> Result<String, JsValue> {
        self.on_call(now, call, |call| call.hold())
    }

    /// Takes the far end off hold.
    pub fn resume(&self, now: f64, call: &str) -> Result<String, JsValue> {
        self.on_call(now, call, |call| call.resume())
    }

    /// Takes the far end off hold once every other call is on hold.
    #[wasm_bindgen(js_name = swapTo)]
    pub fn swap_to(&self, now: f64, call: &str) -> Result<String, JsValue> {
        let call = id(call)?;
        self.command(|core| core.swap_to(instant(now), call))
    }

    /// Sends the far end to `target`.
    pub fn transfer(&self, now: f64, call: &str, target: &str) -> Result<String, JsValue> {
        self.on_call(now, call, |call| call.transfer(target))
    }

    /// Sends the far end to take the user's place in the call `other`.
    #[wasm_bindgen(js_name = transferTo)]
    pub fn transfer_to(&self, now: f64, call: &str, other: &str) -> Result<String, JsValue> {
        let other = id(other)?;
        self.on_call(now, call, |call| call.transfer_to(other))
    }

    /// Puts the call `of` on hold and calls `target` as `call`, to ask there before the far end is sent on.
    pub fn consult(
        &self,
        now: f64,
        of: &str,
        call: &str,
        target: &str,
        display_name: Option<String>,
    ) -> Result<String, JsValue> {
        let (of, call) = (id(of)?, id(call)?);
        let mut options = CallOptions::default();
        options.display_name = display_name;
        self.command(|core| core.consult(instant(now), of, call, target, options))
    }

    /// Sends the far end to the other devices of the account.
    pub fn push(&self, now: f64, call: &str) -> Result<String, JsValue> {
        self.on_call(now, call, |call| call.push())
    }

    /// Asks the platform which other devices the account has.
    #[wasm_bindgen(js_name = askForDevices)]
    pub fn ask_for_devices(&self, now: f64) -> Result<(), JsValue> {
        self.drive(|core| core.ask_for_devices(instant(now)))
            .map_err(refusal)
    }

    /// Takes the call `remote` over from another device of the account, as `call`.
    pub fn pull(&self, now: f64, call: &str, remote: &str) -> Result<(), JsValue> {
        let (call, remote) = (id(call)?, id(remote)?);
        self.drive(|core| core.pull(instant(now), call, remote))
            .map_err(refusal)
    }

    /// Does not transfer after all.
    #[wasm_bindgen(js_name = cancelTransfer)]
    pub fn cancel_transfer(&self, now: f64, call: &str) -> Result<String, JsValue> {
        self.on_call(now, call, |call| call.cancel_transfer())
    }

    /// Calls whom the far end wants this side to call, or does not.
    #[wasm_bindgen(js_name = decideTransfer)]
    pub fn decide_transfer(&self, now: f64, call: &str, agree: bool) -> Result<String, JsValue> {
        self.on_call(now, call, |call| {
            if agree {
                call.accept_transfer()
            } else {
                call.decline_transfer()
            }
        })
    }

    /// Silences the microphone or lets it be heard again.
    #[wasm_bindgen(js_name = setMuted)]
    pub fn set_muted(&self, now: f64, call: &str, muted: bool) -> Result<String, JsValue> {
        self.on_call(now, call, |call| call.set_muted(muted))
    }

    /// Sends digits; `,` and `;` are pauses.
    #[wasm_bindgen(js_name = sendDtmf)]
    pub fn send_dtmf(&self, now: f64, call: &str, tones: &str) -> Result<String, JsValue> {
        self.on_call(now, call, |call| call.send_dtmf(tones))
    }

    /// Asks for a fresh media session, because another window is to carry the call.
    #[wasm_bindgen(js_name = moveMedia)]
    pub fn move_media(&self, now: f64, call: &str) -> Result<String, JsValue> {
        self.on_call(now, call, |call| call.move_media())
    }

    /// Lets the parties of two answered calls hear each other.
    pub fn merge(&self, now: f64, one: &str, other: &str) -> Result<String, JsValue> {
        let (one, other) = (id(one)?, id(other)?);
        self.command(|core| core.merge(instant(now), one, other))
    }

    /// Leaves the conference with one party.
    pub fn split(&self, now: f64, with: &str) -> Result<String, JsValue> {
        let with = id(with)?;
        self.command(|core| core.split(instant(now), with))
    }

    /// Leaves the conference by connecting the others with each other.
    #[wasm_bindgen(js_name = leaveConference)]
    pub fn leave_conference(&self, now: f64) -> Result<String, JsValue> {
        self.command(|core| core.leave_conference(instant(now)))
    }

    /// Has somebody brought into the conference that `call` leads to.
    #[wasm_bindgen(js_name = addParticipant)]
    pub fn add_participant(&self, now: f64, call: &str, target: &str) -> Result<String, JsValue> {
        let call = id(call)?;
        self.command(|core| core.add_participant(instant(now), call, target))
    }

    /// Has a participant sent away from it.
    #[wasm_bindgen(js_name = removeParticipant)]
    pub fn remove_participant(&self, now: f64, call: &str, uri: &str) -> Result<String, JsValue> {
        let call = id(call)?;
        self.command(|core| core.remove_participant(instant(now), call, uri))
    }

    /// Uses another password from now on.
    #[wasm_bindgen(js_name = setPassword)]
    pub fn set_password(&self, now: f64, password: String) {
        self.drive(|core| core.set_password(instant(now), Secret::new(password)));
    }

    /// Shows another bearer token from now on, good until `expires_at` if that is known.
    #[wasm_bindgen(js_name = setToken)]
    pub fn set_token(&self, now: f64, token: String, expires_at: Option<f64>) {
        let token = Token {
            secret: Secret::new(token),
            expires_at: expires_at.map(instant),
        };
        self.drive(|core| core.set_token(instant(now), token));
    }

    /// All an agent needs to go on elsewhere. Holds no password, but keys to its calls.
    pub fn snapshot(&self, now: f64) -> Result<Vec<u8>, JsValue> {
        let snapshot = self.core.borrow().snapshot(instant(now));
        postcard::to_allocvec(&snapshot).map_err(|_| "the state cannot be written".into())
    }
}

impl Agent {
    fn around(core: UserAgent, host: Host) -> Self {
        Self {
            core: RefCell::new(core),
            host,
            draining: Cell::new(false),
        }
    }

    fn input(&self, now: f64, input: Input) {
        self.drive(|core| core.handle_input(instant(now), input));
    }

    fn media_event(&self, now: f64, session: &str, event: MediaEvent) -> Result<(), JsValue> {
        let session = id(session)?;
        self.input(now, Input::Media { session, event });
        Ok(())
    }

    fn media_answer(
        &self,
        now: f64,
        request: &str,
        result: Result<MediaOutcome, MediaError>,
    ) -> Result<(), JsValue> {
        self.input(
            now,
            Input::MediaDone {
                request: id(request)?,
                result,
            },
        );
        Ok(())
    }

    fn on_call(
        &self,
        now: f64,
        call: &str,
        act: impl FnOnce(&mut clearline_core::CallHandle<'_>) -> Result<OperationId, CommandError>,
    ) -> Result<String, JsValue> {
        let call = id(call)?;
        self.command(|core| act(&mut core.call_handle(instant(now), call)?))
    }

    fn command(
        &self,
        act: impl FnOnce(&mut UserAgent) -> Result<OperationId, CommandError>,
    ) -> Result<String, JsValue> {
        let operation = self.drive(act).map_err(refusal)?;
        Ok(operation.to_string())
    }

    /// The core is borrowed only while it works, never while JavaScript runs.
    fn drive<T>(&self, act: impl FnOnce(&mut UserAgent) -> T) -> T {
        let result = act(&mut self.core.borrow_mut());
        self.drain();
        result
    }

    fn drain(&self) {
        if self.draining.replace(true) {
            return;
        }
        let deadline = loop {
            let output = self.core.borrow_mut().poll_output();
            if let Output::Idle(deadline) = output {
                break deadline;
            }
            if let Err(error) = deliver(&self.host, output) {
                self.host_failed(error);
            }
        };
        self.draining.set(false);
        let deadline = deadline.map(|deadline| to_millis(deadline.at));
        if let Err(error) = self.host.idle(deadline) {
            self.host_failed(error);
        }
    }

    fn host_failed(&self, error: JsValue) {
        // The last resort of error reporting: when it throws as well, nobody is left to be told.
        let _ = self.host.host_failed(error);
    }
}

/// A moment from milliseconds. `as` saturates, so that no number of JavaScript's can do harm.
fn instant(millis: f64) -> Instant {
    Instant::from_micros((millis * 1_000.0) as u64)
}

fn to_millis(at: Instant) -> f64 {
    at.as_micros() as f64 / 1_000.0
}

fn millis(millis: f64) -> Duration {
    Duration::from_micros((millis * 1_000.0) as u64)
}

fn seed_of(bytes: &[u8]) -> Result<[u8; 32], JsValue> {
    bytes.try_into().map_err(|_| "the seed is not 32 bytes".into())
}

fn id<T: FromStr<Err: Display>>(text: &str) -> Result<T, JsValue> {
    text.parse().map_err(|_| JsValue::from_str("not an identifier"))
}

/// A unit variant by the name it has in JSON.
pub(crate) fn named<T: DeserializeOwned>(name: &str) -> Result<T, JsValue> {
    let name: StrDeserializer<'_, UnknownName> = name.into_deserializer();
    T::deserialize(name).map_err(|_| JsValue::from_str("unknown name"))
}

/// That is all there is to say: the names that there are would have to be downloaded.
#[derive(Debug)]
struct UnknownName;

impl Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown name")
    }
}

impl std::error::Error for UnknownName {}

impl serde::de::Error for UnknownName {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// `PhoneErrorCode` of the TypeScript side.
fn refusal(error: CommandError) -> JsValue {
    JsValue::from_str(match error {
        CommandError::NoSuchCall | CommandError::NoSuchRemoteCall => "no-such-call",
        CommandError::DuplicateCall => "duplicate-call",
        CommandError::WrongState => "wrong-state",
        CommandError::InvalidTarget => "invalid-target",
        CommandError::InvalidTone => "invalid-tone",
        CommandError::NotConnected => "not-connected",
        CommandError::TooManyCalls => "too-many-calls",
        CommandError::NotOffered => "not-offered",
        // Subscriptions are not bound yet.
        CommandError::NoSuchSubscription
        | CommandError::TooManySubscriptions
        | CommandError::InvalidPackage
        | _ => "refused",
    })
}
