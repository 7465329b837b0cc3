//! Sound devices: microphone, speaker and ringer, kept open and exchanged while calls go on.
//!
//! ```text
//! microphone -callback-> ring -> resampler -> echo canceller, ... -> every call
//! speaker   <-callback-- ring <- resampler <------------------------ sum of the calls
//! ```
//!
//! A device's clock is not that of the calls, so the resamplers run slightly faster or slower than their names say
//! ([`EdgeStatistics::drift_ppm`]). When a device goes, the next best one takes over within a few callbacks; the calls
//! notice nothing but a gap. Whether a call is muted is not known here, so nothing that happens here can undo it.

mod backend;
mod capture;
mod cpal;
mod drift;
mod edge;
mod hub;
mod keeper;
mod playback;
mod resampler;
mod supervisor;
#[cfg(test)]
mod tests;
mod voice;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use clearline_core::{CallId, MediaError, MediaErrorKind};
use tokio::sync::watch;

pub use backend::{Backend, Lost, OpenStream};
pub use capture::{CaptureIn, CaptureOut, capture};
pub use edge::{EdgeStatistics, Pulse};
pub use playback::{PlaybackIn, PlaybackOut, playback};
pub use supervisor::Role;
pub use voice::{Voice, VoiceProcessing};

use self::cpal::CpalBackend;
use super::{Audio, AudioProvider, AudioSink, AudioSource};
use crate::clock::Clock;
use hub::{Hub, Party};
use keeper::{Keeper, Message};

/// Samples that are worked on at once: 10 ms.
pub const CHUNK: usize = super::FRAME / 2;
/// How long a call waits for its devices to be opened.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// One sound device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Names the device in [`DeviceSettings`], also after a restart: `host:device`.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// The microphone that is used when none is named.
    pub default_input: bool,
    /// The speaker that is used when none is named.
    pub default_output: bool,
    /// It has a microphone.
    pub input: bool,
    /// It has a speaker.
    pub output: bool,
    /// Its microphone hears what a speaker of this machine plays, rather than a room.
    pub loops_back: bool,
}

/// Lists the sound devices of this machine.
///
/// # Errors
/// When there is no sound system at all.
pub fn list() -> Result<Vec<DeviceInfo>, MediaError> {
    CpalBackend::default().devices()
}

/// Which devices to use, by [`DeviceInfo::id`], and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceSettings {
    /// The microphone; the default one unless named.
    pub microphone: Option<String>,
    /// The speaker; the default one unless named.
    pub speaker: Option<String>,
    /// Where it rings; the default speaker unless named.
    pub ringer: Option<String>,
    /// What is done to the microphone's sound.
    pub voice: VoiceProcessing,
}

/// The devices that are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DevicesInUse {
    /// The microphone.
    pub microphone: Option<String>,
    /// The speaker.
    pub speaker: Option<String>,
    /// Where it rings.
    pub ringer: Option<String>,
}

/// Figures of the audio between devices and calls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DeviceStatistics {
    /// From the microphone.
    pub microphone: EdgeStatistics,
    /// To the speaker.
    pub speaker: EdgeStatistics,
    /// To the ringer.
    pub ringer: EdgeStatistics,
}

/// The sound devices of this machine, for all calls together. Cheap to clone; devices are open while somebody uses them.
#[derive(Clone, Debug)]
pub struct DeviceAudio(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Arc<Mutex<Hub>>,
    keeper: mpsc::Sender<Message>,
    in_use: watch::Receiver<DevicesInUse>,
    parties: AtomicU64,
    clock: Clock,
}

impl DeviceAudio {
    /// Devices of this machine. Nothing is opened yet.
    pub fn new(settings: DeviceSettings) -> Self {
        Self::with_backend(settings, CpalBackend::default)
    }

    /// Devices of another sound system; `backend` is called in the thread that will use it.
    pub fn with_backend<B: Backend>(
        settings: DeviceSettings,
        backend: impl FnOnce() -> B + Send + 'static,
    ) -> Self {
        let hub = Arc::new(Mutex::new(Hub::new(settings.voice)));
        let (keeper, messages) = mpsc::channel();
        let (told, in_use) = watch::channel(DevicesInUse::default());
        let (of_keeper, of_devices) = (Arc::clone(&hub), keeper.clone());
        let run = move || {
            let tell = move |role, number| drop(of_devices.send(Message::Lost(role, number)));
            Keeper::new(backend(), of_keeper, Arc::new(tell), told).run(&messages);
        };
        let started = std::thread::Builder::new()
            .name("sound-devices".to_owned())
            .spawn(run);
        if let Err(error) = started {
            // Then nobody takes messages, and each call is told that there are no devices.
            tracing::error!(%error, "no thread for the sound devices");
        }
        let devices = Self(Arc::new(Inner {
            hub,
            keeper,
            in_use,
            parties: AtomicU64::new(0),
            clock: Clock::new(),
        }));
        devices.choose(Role::Microphone, settings.microphone);
        devices.choose(Role::Speaker, settings.speaker);
        devices.choose(Role::Ringer, settings.ringer);
        devices
    }

    /// The microphone alone. Where there is none, silence that reports the problem until there is one.
    pub fn source(&self) -> Box<dyn AudioSource> {
        let seat = self.seat(Role::Microphone);
        if let Err(error) = &seat.outcome {
            tracing::warn!(error = error.detail, "no microphone");
        }
        Box::new(seat)
    }

    /// Opens the speaker alone.
    ///
    /// # Errors
    /// When there is none or it cannot be used.
    pub fn open_sink(&self) -> Result<Box<dyn AudioSink>, MediaError> {
        let seat = self.seat(Role::Speaker);
        seat.outcome
            .clone()
            .map(|()| Box::new(seat) as Box<dyn AudioSink>)
    }

    /// Opens the ringer.
    ///
    /// # Errors
    /// When there is none or it cannot be used.
    pub fn open_ringer(&self) -> Result<Box<dyn AudioSink>, MediaError> {
        let seat = self.seat(Role::Ringer);
        seat.outcome
            .clone()
            .map(|()| Box::new(seat) as Box<dyn AudioSink>)
    }

    /// Uses `device` from now on, also in calls that go on; `None` follows the system's default. A device that is not there is
    /// stood in for until it is.
    pub fn choose(&self, role: Role, device: Option<String>) {
        self.0.tell(Message::Prefer(role, device));
    }

    /// Lists the devices.
    ///
    /// # Errors
    /// When there is no sound system at all.
    pub fn list(&self) -> Result<Vec<DeviceInfo>, MediaError> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.0.tell(Message::List(reply));
        answer.recv_timeout(OPEN_TIMEOUT).map_err(|_| no_answer())?
    }

    /// The devices that are open, as they change.
    pub fn in_use(&self) -> watch::Receiver<DevicesInUse> {
        self.0.in_use.clone()
    }

    /// Figures so far.
    pub fn statistics(&self) -> DeviceStatistics {
        let (hub, now) = (self.0.hub(), self.0.clock.now());
        DeviceStatistics {
            microphone: hub.microphone.statistics(now),
            speaker: hub.speaker.statistics(now),
            ringer: hub.ringer.statistics(now),
        }
    }

    fn seat(&self, role: Role) -> Seat {
        let party = Party(self.0.parties.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = mpsc::sync_channel(1);
        match role {
            Role::Microphone => self.0.hub().microphone.attach(party),
            Role::Speaker => self.0.hub().speaker.attach(party),
            Role::Ringer => self.0.hub().ringer.attach(party),
        }
        self.0.tell(Message::Attach(role, reply));
        let outcome = answer
            .recv_timeout(OPEN_TIMEOUT)
            .unwrap_or_else(|_| Err(no_answer()));
        Seat {
            devices: Arc::clone(&self.0),
            role,
            party,
            outcome,
        }
    }
}

impl AudioProvider for DeviceAudio {
    fn open(&self, _call: CallId) -> Result<Audio, MediaError> {
        Ok(Audio {
            source: self.source(),
            sink: self.open_sink()?,
        })
    }
}

impl Inner {
    fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, message: Message) {
        // A keeper that has gone answers nothing, which is noticed where an answer is waited for.
        let _ = self.keeper.send(message);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tell(Message::End);
    }
}

/// The use of one device by one call; dropping it ends that.
#[derive(Debug)]
struct Seat {
    devices: Arc<Inner>,
    role: Role,
    party: Party,
    /// Of opening the device.
    outcome: Result<(), MediaError>,
}

impl AudioSource for Seat {
    fn read(&mut self, frame: &mut [i16]) {
        let now = self.devices.clock.now();
        self.devices.hub().read(self.party, now, frame);
    }

    fn problem(&self) -> Option<MediaErrorKind> {
        self.devices.hub().microphone.problem
    }
}

impl AudioSink for Seat {
    fn write(&mut self, frame: &[i16]) {
        let now = self.devices.clock.now();
        let mut hub = self.devices.hub();
        if self.role == Role::Speaker {
            hub.play(self.party, now, frame);
        } else {
            hub.ringer.write(self.party, now, frame, |_| ());
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut hub = self.devices.hub();
        match self.role {
            Role::Microphone => hub.microphone.detach(self.party),
            Role::Speaker => hub.speaker.detach(self.party),
            Role::Ringer => hub.ringer.detach(self.party),
        }
        drop(hub);
        self.devices.tell(Message::Detach(self.role));
    }
}

fn no_answer() -> MediaError {
    MediaError {
        kind: MediaErrorKind::DeviceFailed,
        detail: "the sound system does not answer".to_owned(),
    }
}
