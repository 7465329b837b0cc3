//! Sounds that tell a user what becomes of calls: ringing, call waiting, ringback, busy. As the app does it (`ringer.ts`).
//!
//! [`Ringer`] follows a [`Phone`] and opens an output only while something is to be heard.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use clearline_core::media::tone::dtmf;
use clearline_core::media::{RingTone, Tone, TonePlan};
use clearline_core::{CallDirection, CallId, CallInfo, CallState, EndCause, Event, MediaError};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};

use crate::audio::{AudioSink, FRAME, SAMPLE_RATE};
use crate::phone::{Phone, PhoneState};

/// Where a sound is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Where it rings.
    Ringer,
    /// Where the voice is.
    Speaker,
}

/// What it sounds like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RingerSettings {
    /// Of an incoming call; `None` for silence.
    pub ring: Option<RingTone>,
    /// Of everything else.
    pub tones: TonePlan,
}

/// Plays the sounds of a phone until it is dropped or the phone has gone.
#[derive(Debug)]
pub struct Ringer {
    keys: mpsc::UnboundedSender<char>,
    task: JoinHandle<()>,
}

type Open = Arc<dyn Fn(Output) -> Result<Box<dyn AudioSink>, MediaError> + Send + Sync>;

const TICK: Duration = Duration::from_millis(20);
/// How long the tone after a failed call lasts, in frames: 3 s.
const END_FRAMES: u32 = 150;
/// A key sounds so long, and so long it is quiet after it, in ms and frames.
const KEY_MS: u32 = 100;
const KEY_FRAMES: u32 = 8;
/// Keys that may wait for their sound.
const KEYS: usize = 64;

impl Ringer {
    /// Follows `phone`. `open` opens an output and may block; a sound whose output cannot be opened is not heard.
    pub fn start(
        phone: &Phone,
        settings: RingerSettings,
        open: impl Fn(Output) -> Result<Box<dyn AudioSink>, MediaError> + Send + Sync + 'static,
    ) -> Self {
        let (keys, pressed) = mpsc::unbounded_channel();
        // Only what happens is looked at: a ringer does not keep the phone alive.
        let follower = Follower {
            events: phone.subscribe(),
            state: phone.watch(),
            keys: pressed,
            open: Arc::new(open),
            sink: None,
        };
        let task = tokio::spawn(follower.run(Sounds::new(settings)));
        Self { keys, task }
    }

    /// A key of the telephone is heard where the voice is (ITU-T Q.23).
    pub fn key(&self, key: char) {
        // After the phone has gone there is nobody to hear it.
        let _ = self.keys.send(key);
    }
}

impl Drop for Ringer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Looks at the phone and feeds an output.
struct Follower {
    events: broadcast::Receiver<Event>,
    state: watch::Receiver<Arc<PhoneState>>,
    keys: mpsc::UnboundedReceiver<char>,
    open: Open,
    /// The output in use; without a sink if it could not be opened.
    sink: Option<(Output, Option<Box<dyn AudioSink>>)>,
}

impl Follower {
    async fn run(mut self, mut sounds: Sounds) {
        sounds.follow(&self.state.borrow().calls);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            tokio::select! {
                biased;
                event = self.events.recv() => match event {
                    Ok(Event::Call(info)) => sounds.changed(&info, &self.state.borrow().calls),
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => sounds.follow(&self.state.borrow().calls),
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                Some(key) = self.keys.recv() => sounds.press(key),
                _ = ticks.tick(), if sounds.is_audible() => {
                    if let Some((output, frame)) = sounds.frame() {
                        self.play(output, &frame, &mut ticks).await;
                    }
                }
            }
            if !sounds.is_audible() {
                self.sink = None;
            }
        }
    }

    async fn play(&mut self, output: Output, frame: &[i16], ticks: &mut Interval) {
        if self.sink.as_ref().is_none_or(|(open, _)| *open != output) {
            self.sink = None;
            self.sink = Some((output, opened(&self.open, output).await));
            // What was not played meanwhile is not caught up with.
            ticks.reset();
        }
        if let Some((_, Some(sink))) = &mut self.sink {
            sink.write(frame);
        }
    }
}

async fn opened(open: &Open, output: Output) -> Option<Box<dyn AudioSink>> {
    let open = Arc::clone(open);
    let result = tokio::task::spawn_blocking(move || open(output)).await.ok()?;
    result
        .inspect_err(|error| tracing::warn!(error = error.detail, ?output, "a sound is not heard"))
        .ok()
}

/// Which sound when, 20 ms at a time.
struct Sounds {
    settings: RingerSettings,
    /// What the calls there are ask for.
    calls: Option<Sound>,
    /// What a call that has failed asks for, and for how many frames yet.
    ended: Option<(Sound, u32)>,
    playing: Option<(Sound, Tone)>,
    keys: VecDeque<char>,
    /// The key that sounds, and frames until the next one.
    key: Option<(Tone, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sound {
    Ring,
    Waiting,
    Ringback,
    Busy,
    Congestion,
}

impl Sound {
    fn output(self) -> Output {
        match self {
            Self::Ring => Output::Ringer,
            Self::Waiting | Self::Ringback | Self::Busy | Self::Congestion => Output::Speaker,
        }
    }
}

impl Sounds {
    fn new(settings: RingerSettings) -> Self {
        Self {
            settings,
            calls: None,
            ended: None,
            playing: None,
            keys: VecDeque::new(),
            key: None,
        }
    }

    /// A call has changed; `calls` are those that have not ended.
    fn changed(&mut self, info: &CallInfo, calls: &BTreeMap<CallId, CallInfo>) {
        self.follow(calls);
        let is_last = calls.keys().all(|id| *id == info.id);
        if is_last && let Some(sound) = after(info) {
            self.ended = Some((sound, END_FRAMES));
        }
    }

    fn follow(&mut self, calls: &BTreeMap<CallId, CallInfo>) {
        self.calls = during(calls);
        if !calls.is_empty() {
            self.ended = None;
        }
    }

    fn press(&mut self, key: char) {
        if self.keys.len() < KEYS {
            self.keys.push_back(key);
        }
    }

    /// Whether there is anything to hear, or yet to fade.
    fn is_audible(&self) -> bool {
        self.wanted().is_some() || self.playing.is_some() || self.key.is_some() || !self.keys.is_empty()
    }

    fn wanted(&self) -> Option<Sound> {
        let sound = self.calls.or(self.ended.map(|(sound, _)| sound))?;
        let is_quiet = sound == Sound::Ring && self.settings.ring.is_none();
        (!is_quiet).then_some(sound)
    }

    fn frame(&mut self) -> Option<(Output, [i16; FRAME])> {
        let mut frame = [0; FRAME];
        let output = self.fill(&mut frame);
        let is_pressed = output != Some(Output::Ringer) && self.fill_key(&mut frame);
        let output = output.or(is_pressed.then_some(Output::Speaker))?;
        Some((output, frame))
    }

    fn fill(&mut self, frame: &mut [i16; FRAME]) -> Option<Output> {
        let wanted = self.wanted();
        if let Some((sound, tone)) = self.playing.take_if(|(sound, _)| Some(*sound) != wanted) {
            tone.release(frame);
            return Some(sound.output());
        }
        let sound = wanted?;
        let (_, tone) = match &mut self.playing {
            Some(playing) => playing,
            none => none.insert((sound, self.settings.tone(sound)?)),
        };
        tone.fill(frame);
        if let Some((_, left)) = &mut self.ended {
            *left -= 1;
        }
        self.ended.take_if(|(_, left)| *left == 0);
        Some(sound.output())
    }

    fn fill_key(&mut self, frame: &mut [i16; FRAME]) -> bool {
        if self.key.is_none() {
            let tones = std::iter::from_fn(|| self.keys.pop_front());
            let pattern = tones.filter_map(|key| dtmf(key, KEY_MS)).next();
            self.key = pattern.map(|pattern| (Tone::new(pattern, SAMPLE_RATE), KEY_FRAMES));
        }
        let Some((tone, left)) = &mut self.key else {
            return false;
        };
        let mut sound = [0; FRAME];
        tone.fill(&mut sound);
        for (sample, more) in frame.iter_mut().zip(sound) {
            *sample = sample.saturating_add(more);
        }
        *left -= 1;
        self.key.take_if(|(_, left)| *left == 0);
        true
    }
}

impl RingerSettings {
    fn tone(&self, sound: Sound) -> Option<Tone> {
        let pattern = match sound {
            Sound::Ring => self.ring?.pattern(),
            Sound::Waiting => self.tones.waiting.into(),
            Sound::Ringback => self.tones.ringback.into(),
            Sound::Busy => self.tones.busy.into(),
            Sound::Congestion => self.tones.congestion.into(),
        };
        Some(Tone::new(pattern, SAMPLE_RATE))
    }
}

/// An incoming call above all, quietly while somebody talks; then one that rings elsewhere, if the platform plays nothing.
fn during(calls: &BTreeMap<CallId, CallInfo>) -> Option<Sound> {
    let calls = || calls.values();
    let talks = calls().any(|call| matches!(call.state, CallState::Active | CallState::Answering));
    let mut incoming = calls().filter(|call| call.state == CallState::Incoming);
    if let Some(call) = incoming.next() {
        return Some(if call.waiting || talks {
            Sound::Waiting
        } else {
            Sound::Ring
        });
    }
    let rings = calls().any(|call| call.state == CallState::Ringing && !call.early_media);
    (rings && !talks).then_some(Sound::Ringback)
}

/// The tone after a call of ours that has come to nothing, as a desk telephone gives it.
fn after(call: &CallInfo) -> Option<Sound> {
    let end = call.end.as_ref()?;
    if call.direction != CallDirection::Outgoing || call.answered_at.is_some() {
        return None;
    }
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the list grows; other ends make no sound"
    )]
    match end.cause {
        EndCause::Busy | EndCause::Declined | EndCause::Rejected => Some(Sound::Busy),
        EndCause::NotFound
        | EndCause::Unavailable
        | EndCause::Forbidden
        | EndCause::ServerFailed
        | EndCause::NetworkFailed => Some(Sound::Congestion),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clearline_core::media::Level;

    use super::*;

    fn sounds() -> Sounds {
        Sounds::new(RingerSettings {
            ring: Some(RingTone::Classic),
            tones: TonePlan::of("DE"),
        })
    }

    /// Where so many frames go, and how loud they are.
    fn frames(sounds: &mut Sounds, count: usize) -> (Vec<Option<Output>>, Level) {
        let mut level = Level::default();
        let outputs = (0..count).map(|_| {
            let (output, frame) = sounds.frame()?;
            level.add(&frame);
            Some(output)
        });
        (outputs.collect(), level)
    }

    #[test]
    fn it_rings_where_it_rings_and_fades_when_answered() {
        let mut sounds = sounds();
        assert!(!sounds.is_audible() && sounds.frame().is_none());
        sounds.calls = Some(Sound::Ring);
        let (outputs, level) = frames(&mut sounds, 20);
        assert_eq!(outputs, [Some(Output::Ringer); 20]);
        assert!(level.rms_dbfs() > -30.0, "{level:?}");
        sounds.calls = None;
        assert!(sounds.is_audible(), "it has yet to fade");
        let (output, last) = sounds.frame().unwrap();
        assert_eq!(output, Output::Ringer);
        assert!(Level::of(&last[480..]).is_silent());
        assert!(!sounds.is_audible() && sounds.frame().is_none());
    }

    #[test]
    fn one_sound_gives_way_to_another_and_to_another_output() {
        let mut sounds = sounds();
        sounds.calls = Some(Sound::Ring);
        frames(&mut sounds, 5);
        sounds.calls = Some(Sound::Waiting);
        let (outputs, _) = frames(&mut sounds, 3);
        assert_eq!(
            outputs,
            [Output::Ringer, Output::Speaker, Output::Speaker].map(Some)
        );
    }

    #[test]
    fn the_tone_after_a_failed_call_lasts_three_seconds() {
        let mut sounds = sounds();
        sounds.ended = Some((Sound::Busy, END_FRAMES));
        let (outputs, level) = frames(&mut sounds, 152);
        // One more, in which it fades.
        assert_eq!(outputs.iter().flatten().count(), 151);
        assert!(level.rms_dbfs() > -30.0);
        assert!(!sounds.is_audible());
    }

    #[test]
    fn keys_sound_one_after_the_other_beside_what_else_is_heard() {
        let mut sounds = sounds();
        "1x5".chars().for_each(|key| sounds.press(key));
        let (outputs, _) = frames(&mut sounds, 20);
        assert_eq!(
            outputs.iter().flatten().count(),
            2 * KEY_FRAMES as usize,
            "x is no key"
        );
        sounds.calls = Some(Sound::Ringback);
        let (_, alone) = frames(&mut sounds, 5);
        sounds.press('#');
        let (_, both) = frames(&mut sounds, 5);
        assert!(both.rms_dbfs() > alone.rms_dbfs() + 1.0);
        (0..1_000).for_each(|_| sounds.press('0'));
        assert!(sounds.keys.len() <= KEYS);
    }

    #[test]
    fn who_wants_no_ringing_gets_none_and_the_other_tones() {
        let mut sounds = sounds();
        sounds.settings.ring = None;
        sounds.calls = Some(Sound::Ring);
        assert!(!sounds.is_audible() && sounds.frame().is_none());
        sounds.calls = Some(Sound::Ringback);
        assert!(sounds.is_audible());
    }
}
