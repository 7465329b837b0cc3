//! The receiving half of a stream: the playout engine, and its samples at the rate of all audio.

use clearline_core::Instant;
use clearline_core::media::playout::{Content, Packet, Playout, Statistics};
use clearline_core::media::{Interpolator, Level};
use rtc::rtp;

use super::codec::{Decoder, Format};
use super::telephone_event::EventReceiver;
use crate::audio::{FRAME, SAMPLE_RATE};

/// Samples of 10 ms, which is what the engine is asked for at a time.
pub(super) const HALF: usize = FRAME / 2;

/// What comes in, in whatever format it was agreed on last.
#[derive(Default)]
pub(super) struct Incoming {
    line: Option<Line>,
    pub(super) events: EventReceiver,
    level: Level,
}

struct Line {
    format: Format,
    playout: Playout<Decoder>,
    /// For formats of another rate.
    interpolator: Option<Interpolator>,
}

impl Incoming {
    /// Takes in a packet of audio.
    pub(super) fn insert(&mut self, now: Instant, format: Format, packet: &rtp::Packet) {
        if self.line.as_ref().is_none_or(|line| line.format != format) {
            self.line = Line::new(format);
        }
        self.insert_content(now, &packet.header, Content::Audio(&packet.payload));
    }

    /// Takes note of a packet that carries no audio, so that it is not taken for lost.
    pub(super) fn insert_other(&mut self, now: Instant, packet: &rtp::Packet) {
        self.insert_content(now, &packet.header, Content::Other);
    }

    /// The next 10 ms, which are played at `now`.
    pub(super) fn play(&mut self, now: Instant, half: &mut [i16]) {
        match &mut self.line {
            Some(line) => line.play(now, half),
            None => half.fill(0),
        }
        self.level.add(half);
    }

    /// The level of what has been played since it was asked for last.
    pub(super) fn take_level(&mut self) -> Level {
        std::mem::take(&mut self.level)
    }

    /// What happened to the packets so far, since the format changed last.
    pub(super) fn statistics(&self) -> Statistics {
        let line = self.line.as_ref();
        line.map(|line| line.playout.statistics()).unwrap_or_default()
    }

    fn insert_content(&mut self, now: Instant, header: &rtp::Header, content: Content<'_>) {
        let Some(line) = &mut self.line else { return };
        let packet = Packet {
            ssrc: header.ssrc,
            sequence: header.sequence_number,
            timestamp: header.timestamp,
            content,
        };
        line.playout.insert(now, packet);
    }
}

impl Line {
    fn new(format: Format) -> Option<Self> {
        let decoder = Decoder::new(format)
            .inspect_err(|error| tracing::error!(error = error.detail, "no decoder"))
            .ok()?;
        let ratio = SAMPLE_RATE / clearline_core::media::playout::Decoder::sample_rate(&decoder);
        Some(Self {
            format,
            playout: Playout::new(decoder),
            interpolator: (ratio > 1).then(|| Interpolator::new(ratio as usize)),
        })
    }

    fn play(&mut self, now: Instant, half: &mut [i16]) {
        let pulled = self.playout.pull(now);
        match &mut self.interpolator {
            Some(interpolator) => interpolator.run(pulled.samples, half),
            None => half.copy_from_slice(pulled.samples),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use clearline_core::media::SenderPolicy;

    use super::*;
    use crate::media::codec::{Encoder, OpusParameters};

    fn packet(number: u16, format: Format, payload: Vec<u8>) -> rtp::Packet {
        let header = rtp::Header {
            sequence_number: number,
            timestamp: u32::from(number) * format.frame_ticks(),
            ssrc: 5,
            ..Default::default()
        };
        rtp::Packet {
            header,
            payload: Bytes::from(payload),
        }
    }

    fn sine(frame: usize) -> Vec<i16> {
        (frame * FRAME..(frame + 1) * FRAME)
            .map(|n| ((n as f64 * 440.0 * std::f64::consts::TAU / 48_000.0).sin() * 8_000.0) as i16)
            .collect()
    }

    /// What is heard of 40 packets of a tone, and then of nothing for half a second, frame by frame.
    fn heard(format: Format) -> Vec<Level> {
        let mut encoder = Encoder::new(format, OpusParameters::default()).unwrap();
        encoder.set(SenderPolicy::new(Instant::ZERO).settings());
        let mut incoming = Incoming::default();
        let mut levels = Vec::new();
        for number in 0..65_u16 {
            let now = Instant::from_millis(20 * u64::from(number));
            if number < 40 {
                let payload = encoder.encode(&sine(usize::from(number))).unwrap().unwrap();
                incoming.insert(now, format, &packet(number, format, payload));
            }
            let mut frame = [0; FRAME];
            for (half, after) in frame.chunks_exact_mut(HALF).zip([0, 10]) {
                incoming.play(now + std::time::Duration::from_millis(after), half);
            }
            levels.push(Level::of(&frame));
        }
        levels
    }

    #[test]
    fn every_format_is_heard_at_its_level_and_fades_when_nothing_comes_any_more() {
        for (format, _) in Format::OFFERED {
            let levels = heard(format);
            let decibels = |frame: usize| levels[frame].rms_dbfs();
            assert!((decibels(30) + 15.3).abs() < 1.0, "{format:?}: {}", decibels(30));
            assert!(decibels(41) > -30.0, "{format:?} fills the gap: {}", decibels(41));
            assert!(
                decibels(60) < -50.0,
                "{format:?} does not hum for ever: {}",
                decibels(60)
            );
        }
    }

    #[test]
    fn packets_of_another_length_are_played_too() {
        let format = Format::G711(clearline_core::media::codec::g711::Law::Mu);
        let mut incoming = Incoming::default();
        let mut loud = 0;
        for time in 0..60_u16 {
            if time % 3 == 0 {
                let mut packet = packet(time / 3, format, vec![0x10; 240]);
                packet.header.timestamp = u32::from(time) * 80;
                incoming.insert(Instant::from_millis(10 * u64::from(time)), format, &packet);
            }
            let mut half = [0; HALF];
            incoming.play(Instant::from_millis(10 * u64::from(time)), &mut half);
            loud += usize::from(!Level::of(&half).is_silent());
        }
        assert!(loud >= 56, "{loud}");
        assert_eq!(incoming.statistics().concealed, 0);
    }
}
