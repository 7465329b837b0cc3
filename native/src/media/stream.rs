//! The audio of one session: a loop that every 20 ms sends one frame and plays one, asking for it in two halves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use clearline_core::media::ReceptionReport;
use clearline_core::{CallId, MediaErrorKind};
use rtc::rtp;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

use super::capture::{Capture, Outlet};
use super::conference::Chair;
use super::description::{Agreement, Receiving};
use super::incoming::{HALF, Incoming};
use super::outgoing::Outgoing;
use super::peer::RtpSender;
use super::statistics::StatisticsReader;
use crate::audio::{Audio, AudioSink, FRAME, Sound};
use crate::clock::Clock;

const TICK: Duration = Duration::from_millis(10);
/// A loop that is later than this starts afresh instead of catching up: the machine slept.
const LONGEST_CATCH_UP: Duration = Duration::from_millis(200);
/// Frames per report of levels: one second.
const REPORT_FRAMES: u32 = 50;

/// Something the stream has noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEvent {
    Tone(char),
    MicrophoneLost(MediaErrorKind),
    MicrophoneRestored,
}

/// What a stream starts with.
pub(crate) struct StreamParts {
    pub(crate) call: CallId,
    pub(crate) audio: Audio,
    pub(crate) sender: RtpSender,
    pub(crate) ssrc: u32,
    pub(crate) packets: mpsc::Receiver<rtp::Packet>,
    /// What the far end reports of what is sent.
    pub(crate) reports: mpsc::Receiver<ReceptionReport>,
    pub(crate) events: mpsc::UnboundedSender<StreamEvent>,
    pub(crate) statistics: StatisticsReader,
    /// For a party on hold; without one, the melody.
    pub(crate) hold_sound: Option<Sound>,
}

/// Handle of a running stream; dropping it ends the stream and releases its audio.
#[derive(Debug)]
pub(crate) struct Stream {
    switches: Arc<Switches>,
    commands: mpsc::UnboundedSender<Command>,
}

/// Switches that work at once, between two frames.
#[derive(Debug, Default)]
struct Switches {
    /// An [`Outlet`].
    outlet: AtomicU8,
    sending: AtomicBool,
    connected: AtomicBool,
}

impl Switches {
    fn outlet(&self) -> Outlet {
        let number = self.outlet.load(Ordering::Relaxed);
        let known = Outlet::ALL.into_iter().find(|outlet| *outlet as u8 == number);
        known.unwrap_or(Outlet::Silence)
    }
}

#[derive(Debug)]
enum Command {
    Agreed(Box<Agreement>),
    Conference(Option<Chair>),
    Tones { tones: String, duration_ms: u32 },
}

impl Stream {
    /// Starts a stream that is silent until both sides have agreed and the transport is connected.
    pub(crate) fn start(parts: StreamParts) -> Self {
        let switches = Arc::<Switches>::default();
        let (commands, queue) = mpsc::unbounded_channel();
        tokio::spawn(AudioLoop::new(parts, Arc::clone(&switches)).run(queue));
        Self { switches, commands }
    }

    /// Sends this from the next frame on.
    pub(crate) fn set_outlet(&self, outlet: Outlet) {
        self.switches.outlet.store(outlet as u8, Ordering::Relaxed);
    }

    /// Takes part in a conference, or in none.
    pub(crate) fn set_conference(&self, chair: Option<Chair>) {
        self.command(Command::Conference(chair));
    }

    /// Stops sending altogether from the next frame on, until the next agreement that says otherwise.
    pub(crate) fn stop_sending(&self) {
        self.switches.sending.store(false, Ordering::Relaxed);
    }

    /// The transport can carry packets.
    pub(crate) fn set_connected(&self) {
        self.switches.connected.store(true, Ordering::Relaxed);
    }

    /// From now on audio flows as agreed.
    pub(crate) fn agreed(&self, agreement: Agreement) {
        self.switches
            .sending
            .store(agreement.direction.sends(), Ordering::Relaxed);
        self.command(Command::Agreed(Box::new(agreement)));
    }

    /// Queues telephone events.
    pub(crate) fn send_tones(&self, tones: String, duration_ms: u32) {
        self.command(Command::Tones { tones, duration_ms });
    }

    fn command(&self, command: Command) {
        // The loop outlives every handle, so somebody listens.
        let _ = self.commands.send(command);
    }
}

struct AudioLoop {
    call: CallId,
    sender: RtpSender,
    packets: mpsc::Receiver<rtp::Packet>,
    reports: mpsc::Receiver<ReceptionReport>,
    events: mpsc::UnboundedSender<StreamEvent>,
    statistics: StatisticsReader,
    switches: Arc<Switches>,
    clock: Clock,
    agreement: Option<Agreement>,
    capture: Capture,
    outgoing: Outgoing,
    incoming: Incoming,
    /// The frame that is played next, and whether its first half is there.
    heard: [i16; FRAME],
    is_half: bool,
    sink: Box<dyn AudioSink>,
    conference: Option<Chair>,
    frames: u32,
}

impl AudioLoop {
    fn new(parts: StreamParts, switches: Arc<Switches>) -> Self {
        let clock = Clock::new();
        let Audio { source, sink } = parts.audio;
        Self {
            call: parts.call,
            sender: parts.sender,
            packets: parts.packets,
            reports: parts.reports,
            events: parts.events,
            statistics: parts.statistics,
            switches,
            clock,
            agreement: None,
            capture: Capture::new(source, parts.hold_sound),
            outgoing: Outgoing::new(parts.ssrc, clock.now()),
            incoming: Incoming::default(),
            heard: [0; FRAME],
            is_half: false,
            sink,
            conference: None,
            frames: 0,
        }
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                Some(packet) = self.packets.recv() => self.receive(packet),
                Some(report) = self.reports.recv() => self.reported(report),
                due = ticks.tick() => {
                    let is_late = start_afresh_if_late(&mut ticks, due);
                    let is_connected = self.switches.connected.load(Ordering::Relaxed);
                    // Nobody counts rounds while there is no connection: the first one is that of the others.
                    if (is_late || !is_connected) && let Some(chair) = &mut self.conference {
                        chair.resume();
                    }
                    if is_connected && self.hear(due) {
                        self.send_frame().await;
                        self.play_frame();
                        self.report();
                    }
                }
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Agreed(agreement) => self.agreed(*agreement),
            Command::Conference(chair) => self.conference = chair,
            Command::Tones { tones, duration_ms } => self.outgoing.queue_events(&tones, duration_ms),
        }
    }

    fn agreed(&mut self, agreement: Agreement) {
        if let Err(error) = self.outgoing.agree(agreement.send) {
            tracing::error!(error = error.detail, "no encoder");
        }
        if !agreement.direction.sends() {
            self.outgoing.clear_events();
        }
        let format = agreement.send.format.name();
        self.statistics
            .update(self.call, |figures| figures.format = format);
        self.agreement = Some(agreement);
    }

    fn reported(&mut self, report: ReceptionReport) {
        self.outgoing.report(self.clock.now(), &report);
        self.statistics
            .update(self.call, |figures| figures.reported = Some(report));
    }

    fn receive(&mut self, packet: rtp::Packet) {
        let Some(agreement) = &self.agreement else { return };
        let header = &packet.header;
        match agreement.receive.get(&header.payload_type) {
            Some(Receiving::Events) => {
                self.incoming.insert_other(self.clock.now(), &packet);
                if let Some(tone) = self.incoming.events.receive(&packet.payload, header.timestamp) {
                    let _ = self.events.send(StreamEvent::Tone(tone));
                }
            }
            Some(Receiving::Audio(format)) if agreement.direction.receives() => {
                self.incoming.insert(self.clock.now(), *format, &packet);
            }
            // What was not agreed on, or is not wanted while the call is held.
            Some(Receiving::Audio(_)) | None => {}
        }
    }

    async fn send_frame(&mut self) {
        let frame = self
            .capture
            .frame(self.switches.outlet(), self.conference.as_mut());
        if let Some(problem) = self.capture.news() {
            let event = problem.map_or(StreamEvent::MicrophoneRestored, StreamEvent::MicrophoneLost);
            let _ = self.events.send(event);
        }
        if !self.switches.sending.load(Ordering::Relaxed) {
            self.outgoing.skip();
        } else if let Some(packet) = self.outgoing.packet(&frame) {
            self.sender.send(packet).await;
        }
    }

    /// Gets the next half of a frame from what has come; whether the frame is whole.
    fn hear(&mut self, due: tokio::time::Instant) -> bool {
        // The engine keeps time by when it is asked, so a late loop must not look like a late network.
        let now = self.clock.now().saturating_sub(due.elapsed());
        let (first, second) = self.heard.split_at_mut(HALF);
        self.incoming.play(now, if self.is_half { second } else { first });
        self.is_half = !self.is_half;
        !self.is_half
    }

    fn play_frame(&mut self) {
        if let Some(chair) = &self.conference {
            chair.say(&self.heard);
        }
        self.sink.write(&self.heard);
    }

    fn report(&mut self) {
        self.frames += 1;
        if self.frames < REPORT_FRAMES {
            return;
        }
        self.frames = 0;
        let (sent, played) = (self.outgoing.take_level(), self.incoming.take_level());
        let received = self.incoming.statistics();
        let packets_sent = self.outgoing.packets();
        self.statistics.update(self.call, |figures| {
            figures.packets_sent = packets_sent;
            figures.received = received;
            figures.level_sent = sent.rms_dbfs();
            figures.level_received = played.rms_dbfs();
        });
    }
}

/// Whether it was late.
fn start_afresh_if_late(ticks: &mut Interval, due: tokio::time::Instant) -> bool {
    let is_late = due.elapsed() > LONGEST_CATCH_UP;
    if is_late {
        ticks.reset();
    }
    is_late
}
