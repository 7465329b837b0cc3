//! The audio of one session: a loop that every 20 ms sends one frame and plays one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clearline_core::media::{JitterBuffer, Level, Melody, Playout};
use clearline_core::{CallId, Instant, MediaError, MediaErrorKind};
use rtc::rtp;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

use super::codec::{Decoder, Encoder, Format};
use super::conference::Chair;
use super::description::{Agreement, Receiving, Sending};
use super::peer::RtpSender;
use super::statistics::StatisticsReader;
use super::telephone_event::{EventReceiver, EventSender, Turn};
use crate::audio::{Audio, FRAME, SAMPLE_RATE};
use crate::clock::Clock;

const TICK: Duration = Duration::from_millis(20);
/// A loop that is later than this starts afresh instead of catching up: the machine slept.
const LONGEST_CATCH_UP: Duration = Duration::from_millis(200);
/// A frame below this many dB is quiet enough to be left out when too much is waiting.
const QUIET_DBFS: f64 = -45.0;
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
    pub(crate) events: mpsc::UnboundedSender<StreamEvent>,
    pub(crate) statistics: StatisticsReader,
}

/// Handle of a running stream; dropping it ends the stream and releases its audio.
#[derive(Debug)]
pub(crate) struct Stream {
    switches: Arc<Switches>,
    commands: mpsc::UnboundedSender<Command>,
}

/// What leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Outlet {
    /// The microphone and the conference, if there is one.
    #[default]
    Microphone,
    /// The conference alone.
    Muted,
    /// Music, for a party on hold.
    Music,
    /// Exact zeros.
    Silence,
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
        let all = [Outlet::Microphone, Outlet::Muted, Outlet::Music];
        let known = all.into_iter().find(|outlet| *outlet as u8 == number);
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
    parts: StreamParts,
    switches: Arc<Switches>,
    clock: Clock,
    agreement: Option<Agreement>,
    outgoing: Outgoing,
    incoming: Incoming,
    microphone_problem: Option<MediaErrorKind>,
    conference: Option<Chair>,
    /// For a party on hold, while it plays.
    music: Option<Melody>,
    frames: u32,
}

impl AudioLoop {
    fn new(parts: StreamParts, switches: Arc<Switches>) -> Self {
        let outgoing = Outgoing::new(parts.ssrc);
        Self {
            parts,
            switches,
            clock: Clock::new(),
            agreement: None,
            outgoing,
            incoming: Incoming::default(),
            microphone_problem: None,
            conference: None,
            music: None,
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
                Some(packet) = self.parts.packets.recv() => self.receive(packet),
                due = ticks.tick() => {
                    let is_late = start_afresh_if_late(&mut ticks, due);
                    let is_connected = self.switches.connected.load(Ordering::Relaxed);
                    // Nobody counts rounds while there is no connection: the first one is that of the others.
                    if (is_late || !is_connected) && let Some(chair) = &mut self.conference {
                        chair.resume();
                    }
                    if is_connected {
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
            Command::Agreed(agreement) => {
                if let Err(error) = self.outgoing.use_format(agreement.send.format) {
                    tracing::error!(error = error.detail, "no encoder");
                }
                let format = agreement.send.format.name();
                self.parts
                    .statistics
                    .update(self.parts.call, |figures| figures.format = format);
                if !agreement.direction.sends() {
                    self.outgoing.events.clear();
                }
                self.agreement = Some(*agreement);
            }
            Command::Conference(chair) => self.conference = chair,
            Command::Tones { tones, duration_ms } => self.outgoing.events.queue(&tones, duration_ms),
        }
    }

    fn receive(&mut self, packet: rtp::Packet) {
        let Some(agreement) = &self.agreement else { return };
        let header = &packet.header;
        match agreement.receive.get(&header.payload_type) {
            Some(Receiving::Events) => {
                self.incoming
                    .insert_other(self.clock.now(), header.sequence_number, header.timestamp);
                if let Some(tone) = self.incoming.events.receive(&packet.payload, header.timestamp) {
                    let _ = self.parts.events.send(StreamEvent::Tone(tone));
                }
            }
            Some(Receiving::Audio(format)) if agreement.direction.receives() => {
                self.incoming.insert(self.clock.now(), *format, packet);
            }
            // What was not agreed on, or is not wanted while the call is held.
            Some(Receiving::Audio(_)) | None => {}
        }
    }

    async fn send_frame(&mut self) {
        let mut frame = [0; FRAME];
        // The microphone is always read, so that nothing stale comes out after hold or mute.
        self.parts.audio.source.read(&mut frame);
        self.watch_microphone();
        self.replace_microphone(&mut frame);
        let Some(send) = self.agreement.as_ref().map(|agreement| agreement.send) else {
            return;
        };
        let sending = self.switches.sending.load(Ordering::Relaxed);
        if sending && let Some(packet) = self.outgoing.packet(&frame, send) {
            self.parts.sender.send(packet).await;
        }
        if !sending {
            self.outgoing.skip(send);
        }
    }

    /// What leaves besides the microphone, or instead of it.
    fn replace_microphone(&mut self, frame: &mut [i16; FRAME]) {
        let outlet = self.switches.outlet();
        if outlet != Outlet::Microphone {
            frame.fill(0);
        }
        let mut others = [0; FRAME];
        if let Some(chair) = &mut self.conference {
            let talks = matches!(outlet, Outlet::Microphone | Outlet::Muted);
            // A round begins whether its sound is wanted or not.
            chair.hear(if talks { frame } else { &mut others });
        }
        if outlet == Outlet::Music {
            let melody = self.music.get_or_insert_with(|| Melody::new(SAMPLE_RATE));
            melody.fill(frame);
        } else if let Some(mut melody) = self.music.take() {
            melody.release(frame);
        }
    }

    fn play_frame(&mut self) {
        let frame = self.incoming.frame();
        if let Some(chair) = &self.conference {
            chair.say(&frame);
        }
        self.parts.audio.sink.write(&frame);
    }

    fn watch_microphone(&mut self) {
        let problem = self.parts.audio.source.problem();
        if problem != self.microphone_problem {
            self.microphone_problem = problem;
            let event = problem.map_or(StreamEvent::MicrophoneRestored, StreamEvent::MicrophoneLost);
            let _ = self.parts.events.send(event);
        }
    }

    fn report(&mut self) {
        self.frames += 1;
        if self.frames < REPORT_FRAMES {
            return;
        }
        self.frames = 0;
        let (sent, played) = (
            std::mem::take(&mut self.outgoing.level),
            std::mem::take(&mut self.incoming.level),
        );
        let received = self.incoming.statistics();
        let packets_sent = self.outgoing.packets;
        self.parts.statistics.update(self.parts.call, |figures| {
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

/// The sending half: one RTP stream for audio and events.
struct Outgoing {
    ssrc: u32,
    encoder: Option<(Format, Encoder)>,
    events: EventSender,
    sequence: u16,
    timestamp: u32,
    /// The next audio packet begins a talk spurt (RFC 3551 section 4.1).
    spurt: bool,
    level: Level,
    packets: u64,
}

impl Outgoing {
    fn new(ssrc: u32) -> Self {
        // The first numbers shall be unpredictable (RFC 3550 section 5.1); the SSRC is random already.
        let (sequence, timestamp) = ((ssrc.rotate_left(11) & 0x7fff) as u16, ssrc.rotate_left(19));
        Self {
            ssrc,
            encoder: None,
            events: EventSender::default(),
            sequence,
            timestamp,
            spurt: true,
            level: Level::default(),
            packets: 0,
        }
    }

    fn use_format(&mut self, format: Format) -> Result<(), MediaError> {
        if self
            .encoder
            .as_ref()
            .is_none_or(|(current, _)| *current != format)
        {
            self.encoder = Some((format, Encoder::new(format)?));
            self.spurt = true;
        }
        Ok(())
    }

    /// The packet for this frame, if there is one.
    fn packet(&mut self, frame: &[i16], send: Sending) -> Option<rtp::Packet> {
        self.level.add(frame);
        let now = self.timestamp;
        self.timestamp = now.wrapping_add(send.format.frame_ticks());
        let turn = match send.events {
            Some(_) => self.events.turn(now, send.event_ticks),
            None => Turn::Audio,
        };
        match turn {
            Turn::Audio => {
                let (_, encoder) = self.encoder.as_mut()?;
                let payload = encoder.encode(frame).ok()?;
                let marker = std::mem::take(&mut self.spurt);
                Some(self.rtp(send.payload_type, now, marker, payload))
            }
            Turn::Event(event) => {
                self.spurt = true;
                let payload = event.payload.to_vec();
                Some(self.rtp(send.events?, event.timestamp, event.marker, payload))
            }
            Turn::Quiet => None,
        }
    }

    /// Time passes without a packet.
    fn skip(&mut self, send: Sending) {
        self.timestamp = self.timestamp.wrapping_add(send.format.frame_ticks());
        self.spurt = true;
    }

    fn rtp(&mut self, payload_type: u8, timestamp: u32, marker: bool, payload: Vec<u8>) -> rtp::Packet {
        let sequence_number = self.sequence;
        self.sequence = sequence_number.wrapping_add(1);
        self.packets += 1;
        let ssrc = self.ssrc;
        rtp::Packet {
            header: rtp::Header {
                version: 2,
                marker,
                payload_type,
                sequence_number,
                timestamp,
                ssrc,
                ..Default::default()
            },
            payload: Bytes::from(payload),
        }
    }
}

/// The receiving half: jitter buffer, decoder and the samples decoded but not yet played.
#[derive(Default)]
struct Incoming {
    line: Option<Line>,
    events: EventReceiver,
    samples: Vec<i16>,
    level: Level,
    /// Counters of streams that have been replaced.
    ssrc: Option<u32>,
}

struct Line {
    format: Format,
    decoder: Decoder,
    buffer: JitterBuffer,
}

impl Incoming {
    fn insert(&mut self, now: Instant, format: Format, packet: rtp::Packet) {
        let other_stream = self.ssrc.replace(packet.header.ssrc) != Some(packet.header.ssrc);
        if other_stream || self.line.as_ref().is_none_or(|line| line.format != format) {
            let Ok(decoder) = Decoder::new(format) else { return };
            self.line = Some(Line {
                format,
                decoder,
                buffer: JitterBuffer::new(format.clock_rate()),
            });
        }
        if let Some(line) = &mut self.line {
            let rtp::Packet { header, payload } = packet;
            line.buffer
                .insert(now, header.sequence_number, header.timestamp, payload.to_vec());
        }
    }

    fn insert_other(&mut self, now: Instant, sequence: u16, timestamp: u32) {
        if let Some(line) = &mut self.line {
            line.buffer.insert_other(now, sequence, timestamp);
        }
    }

    /// The next 20 ms.
    fn frame(&mut self) -> Vec<i16> {
        if let Some(line) = &mut self.line {
            while self.samples.len() < FRAME {
                line.append(&mut self.samples);
            }
        } else {
            self.samples.resize(FRAME, 0);
        }
        let frame: Vec<i16> = self.samples.drain(..FRAME).collect();
        self.level.add(&frame);
        frame
    }

    fn statistics(&self) -> clearline_core::media::JitterStatistics {
        self.line
            .as_ref()
            .map(|line| line.buffer.statistics())
            .unwrap_or_default()
    }
}

impl Line {
    /// Appends at least one sample for the next packet's worth of time, unless a surplus packet was left out.
    fn append(&mut self, samples: &mut Vec<i16>) {
        let duration = self.buffer.packet_duration().as_micros() as usize * SAMPLE_RATE as usize / 1_000_000;
        match self.buffer.pull() {
            Playout::Frame { payload, surplus } => {
                let before = samples.len();
                self.decoder.decode(&payload, samples);
                if surplus && Level::of(&samples[before..]).rms_dbfs() < QUIET_DBFS {
                    samples.truncate(before);
                }
            }
            Playout::Lost { next } => self.decoder.conceal(next.as_deref(), duration, samples),
            Playout::Late => self.decoder.conceal(None, duration, samples),
            Playout::Silence => samples.resize(samples.len() + duration.max(1), 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clearline_core::media::codec::g711::Law;

    fn sending(events: Option<u8>) -> Sending {
        Sending {
            format: Format::G711(Law::Mu),
            payload_type: 0,
            events,
            event_ticks: 160,
        }
    }

    #[test]
    fn packets_count_on_and_a_digit_replaces_the_audio() {
        let mut outgoing = Outgoing::new(1);
        outgoing.use_format(Format::G711(Law::Mu)).unwrap();
        outgoing.events.queue("1", 60);
        let packets: Vec<rtp::Packet> = (0..12)
            .filter_map(|_| outgoing.packet(&[0; FRAME], sending(Some(101))))
            .collect();
        let types: Vec<u8> = packets.iter().map(|packet| packet.header.payload_type).collect();
        assert_eq!(types, [101, 101, 101, 101, 101, 0, 0, 0, 0]);
        let numbers: Vec<u16> = packets
            .iter()
            .map(|packet| packet.header.sequence_number)
            .collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
        let elapsed = packets[8]
            .header
            .timestamp
            .wrapping_sub(packets[0].header.timestamp);
        assert_eq!(elapsed, 11 * 160, "time goes on through the digit and the gap");
        assert!(packets[0].header.marker && packets[5].header.marker && !packets[6].header.marker);
    }

    #[test]
    fn without_events_at_the_far_end_audio_goes_on() {
        let mut outgoing = Outgoing::new(1);
        outgoing.use_format(Format::G711(Law::Mu)).unwrap();
        outgoing.events.queue("1", 60);
        assert_eq!(
            outgoing
                .packet(&[0; FRAME], sending(None))
                .unwrap()
                .header
                .payload_type,
            0
        );
    }

    #[test]
    fn frames_come_out_whole_whatever_the_packet_length() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.frame(), [0; FRAME]);
        let mut timestamp = 0;
        for number in 0..10_u16 {
            let header = rtp::Header {
                sequence_number: number,
                timestamp,
                ssrc: 5,
                ..Default::default()
            };
            let packet = rtp::Packet {
                header,
                payload: Bytes::from(vec![0x10; 240]),
            };
            let now = Instant::from_millis(30 * u64::from(number));
            incoming.insert(now, Format::G711(Law::Mu), packet);
            timestamp += 240;
        }
        let loud = (0..10)
            .filter(|_| !Level::of(&incoming.frame()).is_silent())
            .count();
        assert_eq!(loud, 10);
    }
}
