//! Keeps the devices open that are needed, and exchanges them while calls go on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use clearline_core::{Instant, MediaError, MediaErrorKind};
use tokio::sync::watch;

use super::backend::{Backend, Lost, OpenStream};
use super::hub::Hub;
use super::supervisor::{Role, Step, Supervisor};
use super::{DeviceInfo, DevicesInUse};
use crate::clock::Clock;

/// A stream whose callback does not come for so long has ended without saying so. PulseAudio's sinks may take two seconds to wake.
const STALL: Duration = Duration::from_secs(3);
/// Time between two looks at the callbacks.
const WATCH: Duration = Duration::from_millis(250);

/// What the keeper is told.
pub(super) enum Message {
    /// Somebody needs a device; the answer comes when it is open or could not be opened.
    Attach(Role, mpsc::SyncSender<Result<(), MediaError>>),
    Detach(Role),
    Prefer(Role, Option<String>),
    List(mpsc::SyncSender<Result<Vec<DeviceInfo>, MediaError>>),
    Lost(Role, u64),
    /// Nobody is left.
    End,
}

/// Owns the streams; the [`Supervisor`] decides, the [`Backend`] obeys, the [`Hub`] gets the ends.
pub(super) struct Keeper<B> {
    backend: B,
    supervisor: Supervisor,
    hub: Arc<Mutex<Hub>>,
    streams: [Option<Kept>; Role::ALL.len()],
    errors: [Option<MediaError>; Role::ALL.len()],
    opened: u64,
    tell: Arc<dyn Fn(Role, u64) + Send + Sync>,
    in_use: watch::Sender<DevicesInUse>,
}

struct Kept {
    number: u64,
    opened: Instant,
    stream: OpenStream,
}

impl<B: Backend> Keeper<B> {
    /// `tell` is called by the devices' threads when a stream is lost, and leads back to [`Message::Lost`].
    pub(super) fn new(
        backend: B,
        hub: Arc<Mutex<Hub>>,
        tell: Arc<dyn Fn(Role, u64) + Send + Sync>,
        in_use: watch::Sender<DevicesInUse>,
    ) -> Self {
        Self {
            backend,
            supervisor: Supervisor::default(),
            hub,
            streams: Default::default(),
            errors: Default::default(),
            opened: 0,
            tell,
            in_use,
        }
    }

    /// Serves until nobody is left.
    pub(super) fn run(mut self, messages: &mpsc::Receiver<Message>) {
        let clock = Clock::new();
        loop {
            let now = clock.now();
            let message = match self.wake(now) {
                Some(at) => messages.recv_timeout(at.saturating_since(now)),
                None => messages.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
            };
            match message {
                Ok(Message::End) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Ok(message) => self.handle(clock.now(), message),
                Err(mpsc::RecvTimeoutError::Timeout) => self.tick(clock.now()),
            }
        }
    }

    pub(super) fn handle(&mut self, now: Instant, message: Message) {
        match message {
            Message::Attach(role, reply) => {
                self.supervisor.attach(role);
                self.tick(now);
                // Whoever has given up waiting detaches.
                let _ = reply.send(self.outcome(role));
                return;
            }
            Message::Detach(role) => self.supervisor.detach(role),
            Message::Prefer(role, device) => self.supervisor.prefer(role, device),
            Message::List(reply) => drop(reply.send(self.backend.devices())),
            Message::Lost(role, number) => {
                if self
                    .stream(role)
                    .as_ref()
                    .is_some_and(|kept| kept.number == number)
                {
                    self.lost(now, role);
                }
            }
            Message::End => {}
        }
        self.tick(now);
    }

    /// When to tick even if there is no message.
    pub(super) fn wake(&self, now: Instant) -> Option<Instant> {
        let watched = self.streams.iter().any(Option::is_some).then(|| now + WATCH);
        self.supervisor.wake(now).into_iter().chain(watched).min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        for role in Role::ALL {
            let has_stalled = |kept: &Kept| {
                let last = kept.stream.pulse.last().unwrap_or_default().max(kept.opened);
                now.saturating_since(last) > STALL
            };
            if self.stream(role).as_ref().is_some_and(has_stalled) {
                tracing::warn!(?role, "the sound device stands still");
                self.lost(now, role);
            }
        }
        while let Some(step) = self.supervisor.next(now) {
            self.step(now, step);
        }
        self.announce();
    }

    fn step(&mut self, now: Instant, step: Step) {
        match step {
            Step::Survey => {
                let devices = self.backend.devices();
                if let Err(error) = &devices {
                    self.errors
                        .iter_mut()
                        .for_each(|found| *found = Some(error.clone()));
                }
                self.supervisor.surveyed(now, devices.unwrap_or_default());
            }
            Step::Open { role, device } => match self.open(now, role, &device) {
                Ok(()) => {
                    tracing::info!(?role, device, "sound device opened");
                    *self.error(role) = None;
                    self.supervisor.opened(role, device);
                }
                Err(error) => {
                    tracing::warn!(
                        ?role,
                        device,
                        error = error.detail,
                        "the sound device does not open"
                    );
                    *self.error(role) = Some(error);
                    self.supervisor.failed(now, role, device);
                }
            },
            Step::Close(role) => self.close(now, role),
        }
    }

    fn open(&mut self, now: Instant, role: Role, device: &str) -> Result<(), MediaError> {
        self.opened += 1;
        let lost = Lost {
            role,
            stream: self.opened,
            tell: Arc::clone(&self.tell),
        };
        let stream = match role {
            Role::Microphone => {
                let (stream, edge) = self.backend.open_input(device, lost)?;
                let former = self.hub().set_microphone(now, Some(edge));
                drop(former);
                stream
            }
            Role::Speaker => {
                let (stream, edge) = self.backend.open_output(device, lost)?;
                let former = self.hub().speaker.set(now, Some(edge));
                drop(former);
                stream
            }
            Role::Ringer => {
                let (stream, edge) = self.backend.open_output(device, lost)?;
                let former = self.hub().ringer.set(now, Some(edge));
                drop(former);
                stream
            }
        };
        let number = self.opened;
        // The former stream is closed here: its end of the ring has gone already.
        *self.stream(role) = Some(Kept {
            number,
            opened: now,
            stream,
        });
        Ok(())
    }

    fn lost(&mut self, now: Instant, role: Role) {
        tracing::warn!(?role, "the sound device has gone");
        self.close(now, role);
        self.supervisor.lost(now, role);
    }

    fn close(&mut self, now: Instant, role: Role) {
        match role {
            Role::Microphone => drop(self.hub().set_microphone(now, None)),
            Role::Speaker => drop(self.hub().speaker.set(now, None)),
            Role::Ringer => drop(self.hub().ringer.set(now, None)),
        }
        *self.stream(role) = None;
    }

    /// Tells whoever watches what is open, and the calls whether they have a microphone.
    fn announce(&mut self) {
        let open = |role| self.supervisor.open(role).map(str::to_owned);
        let in_use = DevicesInUse {
            microphone: open(Role::Microphone),
            speaker: open(Role::Speaker),
            ringer: open(Role::Ringer),
        };
        let kind = self.outcome(Role::Microphone).err().map(|error| error.kind);
        self.hub().microphone.problem = kind;
        self.in_use.send_if_modified(|known| {
            let has_changed = *known != in_use;
            *known = in_use;
            has_changed
        });
    }

    fn outcome(&self, role: Role) -> Result<(), MediaError> {
        if self.supervisor.open(role).is_some() {
            return Ok(());
        }
        let error = self.errors.get(role as usize).cloned().flatten();
        Err(error.unwrap_or_else(|| MediaError {
            kind: MediaErrorKind::NoDevice,
            detail: match role {
                Role::Microphone => "there is no microphone".to_owned(),
                Role::Speaker | Role::Ringer => "there is no speaker".to_owned(),
            },
        }))
    }

    fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::indexing_slicing, reason = "there is a place for each role")]
    fn stream(&mut self, role: Role) -> &mut Option<Kept> {
        &mut self.streams[role as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "there is a place for each role")]
    fn error(&mut self, role: Role) -> &mut Option<MediaError> {
        &mut self.errors[role as usize]
    }
}
