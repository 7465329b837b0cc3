//! Plays a trace to an engine under a virtual clock.

use clearline_core::{Duration, Instant};

use crate::engine::{Engine, Packet, Statistics};
use crate::trace::{Passage, Trace};
use crate::{PULL, SAMPLE_RATE};

/// Between packets that arrive on whole milliseconds, a sound card asks at some other time.
const PHASE: Duration = Duration::from_millis(5);
const PERIOD: Duration = Duration::from_millis(10);
/// How long is played on after the last packet, which is not counted.
const TAIL: Duration = Duration::from_millis(500);

/// What was heard.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// At 48 kHz, from [`Recording::start`] on.
    pub samples: Vec<i16>,
    /// What the engine did until the last packet was sent.
    pub statistics: Statistics,
    /// When the first sample was played.
    pub start: Instant,
}

impl Recording {
    /// When sample `index` was played.
    pub fn played(&self, index: usize) -> Instant {
        self.start + Duration::from_micros(index as u64 * 1_000_000 / u64::from(SAMPLE_RATE))
    }
}

/// Plays `trace` with these payloads to `engine` and records from packet `lead` on.
pub fn replay(trace: &Trace, payloads: &[Vec<u8>], lead: usize, engine: &mut dyn Engine) -> Recording {
    let sent = |packet: Option<&Passage>| packet.map_or(Instant::ZERO, |packet| packet.sent);
    let (from, to) = (sent(trace.packets.get(lead)), sent(trace.packets.last()));
    play(&arrivals(trace, payloads), from, to, engine)
}

/// Plays packets in the order in which they arrive, and records; what is done between `from` and `to` is counted.
pub fn play(
    arrivals: &[(Instant, Packet<'_>)],
    from: Instant,
    to: Instant,
    engine: &mut dyn Engine,
) -> Recording {
    let mut arrivals = arrivals.iter().peekable();
    let mut recording = Recording::default();
    let mut before = Statistics::default();
    let mut now = Instant::ZERO + PHASE;
    while now < to + TAIL {
        while let Some((arrived, packet)) = arrivals.next_if(|(arrived, _)| *arrived <= now) {
            engine.insert(*arrived, packet);
        }
        if recording.samples.is_empty() && now >= from {
            (recording.start, before) = (now, engine.statistics());
        }
        let mut output = [0; PULL];
        engine.pull(now, &mut output);
        if now >= from {
            recording.samples.extend_from_slice(&output);
        }
        if now <= to {
            recording.statistics = engine.statistics().since(before);
        }
        now += PERIOD;
    }
    recording
}

/// What arrives, in the order in which it does.
pub fn arrivals<'a>(trace: &Trace, payloads: &'a [Vec<u8>]) -> Vec<(Instant, Packet<'a>)> {
    let packet = |(passage, payload): (&Passage, &'a Vec<u8>)| {
        let Passage {
            sequence,
            timestamp,
            arrived,
            ..
        } = *passage;
        Some((
            arrived?,
            Packet {
                sequence,
                timestamp,
                payload,
            },
        ))
    };
    let mut arrivals: Vec<_> = trace.packets.iter().zip(payloads).filter_map(packet).collect();
    arrivals.sort_by_key(|(arrived, _)| *arrived);
    arrivals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Make;
    use crate::kind::Kind;
    use crate::speech::babble;
    use crate::stream::{Redundancy, Stream};
    use crate::trace::percentage;

    /// In the first eight seconds of the window.
    fn concealed(kind: Kind, engine: Make, redundancy: Redundancy) -> f64 {
        let mut trace = kind.trace(kind.usual_seed());
        trace.packets.truncate(kind.lead() + 400);
        let stream = Stream::encode(babble(trace.packets.len()), redundancy).unwrap();
        let mut engine = engine.start().unwrap();
        let recording = replay(&trace, &stream.payloads, kind.lead(), engine.as_mut());
        percentage(recording.statistics.concealed as usize, 400 * crate::FRAME)
    }

    #[test]
    fn a_clean_trace_is_played_whole() {
        for engine in Make::ALL {
            assert_eq!(
                concealed(Kind::Clean, engine, Redundancy::InBand),
                0.0,
                "{}",
                engine.name()
            );
        }
    }

    #[test]
    fn losses_are_concealed_and_redundancy_makes_up_for_most() {
        let without = concealed(Kind::Loss10, Make::Fixed, Redundancy::Without);
        let with = concealed(Kind::Loss10, Make::Fixed, Redundancy::InBand);
        assert!((8.0..13.0).contains(&without), "{without}");
        assert!(with < without / 2.0, "{with} of {without}");
    }
}
