//! What comes over the network as audio: packets in any order and of any kind into the engine that plays, and reports of the
//! far end into the policy of the sender.
//!
//! The first byte chooses the codec. Then come steps of a byte, whose upper bits say what it is, and what belongs to them.

use std::time::Duration;

use clearline_core::Instant;
use clearline_core::media::codec::{g711, g722};
use clearline_core::media::playout::{Content, Decoder, Packet, Playout, Undecodable};
use clearline_core::media::{ReceptionReport, SenderPolicy};

/// So many steps tell everything; more only make the fuzzer slow.
const STEPS: usize = 600;
/// Payload types of redundant audio (RFC 2198) and of the audio in it.
const AUDIO: u8 = 111;

pub(crate) fn run(data: &[u8]) {
    let Some((&codec, script)) = data.split_first() else {
        return;
    };
    match codec % 5 {
        0 => play(g711::Law::A, script),
        1 => play(g722::Decoder::default(), script),
        2 => play(
            Pliant {
                rate: 8_000,
                ..Pliant::default()
            },
            script,
        ),
        3 => play(
            Pliant {
                rate: 44_000,
                ..Pliant::default()
            },
            script,
        ),
        _ => play(Pliant::default(), script),
    }
}

fn play(decoder: impl Decoder, script: &[u8]) {
    let per_pull = decoder.sample_rate() as usize / 100;
    let mut engine = Playout::new(decoder);
    let mut now = Instant::from_secs(1);
    let mut policy = SenderPolicy::new(now);
    let mut script = Script(script);
    let (mut ssrc, mut sequence, mut timestamp, mut samples) = (0_u32, 0_u16, 0_u32, 0_u64);
    for _ in 0..STEPS {
        let Some(step) = script.byte() else { break };
        match step >> 5 {
            0 => now += Duration::from_millis(u64::from(step) * 7),
            1 => ssrc = u32::from(step & 3),
            2 => timestamp = timestamp.wrapping_add_signed(script.number()),
            3 => policy.report(now, &report(&mut script)),
            4 => sequence = sequence.wrapping_add_signed(script.number() as i16),
            5 | 6 => {
                let content = content(step, &mut script);
                engine.insert(
                    now,
                    Packet {
                        ssrc,
                        sequence,
                        timestamp,
                        content,
                    },
                );
                sequence = sequence.wrapping_add(1);
                timestamp = timestamp.wrapping_add(160 * u32::from(step & 7));
            }
            _ => {
                for _ in 0..=step & 31 {
                    now += Duration::from_millis(10);
                    let pulled = engine.pull(now);
                    assert_eq!(pulled.samples.len(), per_pull);
                    samples += per_pull as u64;
                }
            }
        }
    }
    let statistics = engine.statistics();
    assert_eq!(statistics.samples, samples, "whatever comes, 10 ms are 10 ms");
    assert!(statistics.concealed_late <= statistics.concealed && statistics.concealed <= samples);
    let settings = policy.settings();
    assert!((16_000..=32_000).contains(&settings.bitrate) && (5..=25).contains(&settings.expected_loss));
}

fn report(script: &mut Script<'_>) -> ReceptionReport {
    let round_trip = Duration::from_micros(u64::from(script.number().unsigned_abs()) << 5);
    ReceptionReport {
        fraction_lost: script.byte().unwrap_or_default(),
        round_trip: Some(round_trip),
        ..ReceptionReport::default()
    }
}

fn content<'a>(step: u8, script: &mut Script<'a>) -> Content<'a> {
    let length = script.byte().unwrap_or_default();
    let payload = script.bytes(length.into());
    match (step >> 3) & 3 {
        0 | 1 => Content::Audio(payload),
        2 if step & 4 == 0 => Content::ComfortNoise(payload),
        2 => Content::Other,
        _ => Content::Redundant {
            payload,
            audio: AUDIO,
        },
    }
}

/// What is left of the input.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// As many bytes as there are, up to `count`.
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// Small ones and large ones of either sign.
    fn number(&mut self) -> i32 {
        let [high, low] = [self.byte(), self.byte()].map(Option::unwrap_or_default);
        i32::from(low as i8) << (high & 31)
    }
}

/// A codec that does whatever its payload says: packets of any length, copies, pauses, lies.
struct Pliant {
    rate: u32,
    sample: i16,
}

impl Default for Pliant {
    fn default() -> Self {
        Self {
            rate: 48_000,
            sample: 0,
        }
    }
}

impl Decoder for Pliant {
    fn clock_rate(&self) -> u32 {
        self.rate
    }

    fn sample_rate(&self) -> u32 {
        self.rate
    }

    fn duration(&self, payload: &[u8]) -> Option<usize> {
        let quarters = usize::from(payload.first()? >> 2);
        Some(quarters.min(48) * self.rate as usize / 400).filter(|samples| *samples > 0)
    }

    fn decode(&mut self, payload: &[u8], output: &mut [i16]) -> Result<usize, Undecodable> {
        let promised = self.duration(payload).ok_or(Undecodable)?;
        let [_, flags, level, ..] = payload else {
            return Err(Undecodable);
        };
        self.sample = i16::from(*level as i8) * 255;
        // Sometimes it is less, or more, than was promised.
        let samples = match flags & 3 {
            0 => promised / 2,
            1 => 2 * promised,
            _ => promised,
        };
        let samples = samples.min(output.len());
        output
            .iter_mut()
            .take(samples)
            .for_each(|sample| *sample = self.sample);
        Ok(samples)
    }

    fn has_copy_of_previous(&self, payload: &[u8]) -> bool {
        payload.get(1).is_some_and(|flags| flags & 4 != 0)
    }

    fn recover(&mut self, next: &[u8], output: &mut [i16]) -> bool {
        output.fill(self.sample);
        next.get(1).is_some_and(|flags| flags & 8 != 0)
    }

    fn conceal(&mut self, output: &mut [i16]) -> bool {
        output.fill(self.sample);
        self.sample % 2 == 0
    }

    fn is_pause(&self, payload: &[u8]) -> bool {
        payload.get(1).is_some_and(|flags| flags & 16 != 0)
    }

    fn reset(&mut self) {
        self.sample = 0;
    }
}

/// A minute of a call with all that may happen to it, for the fuzzer to start from.
pub(crate) fn seed(codec: u8, random: u32) -> Vec<u8> {
    let mut random = random;
    let mut next = |below: u32| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((random >> 16) % below) as u8
    };
    let mut script = vec![codec];
    for packet in 0..120 {
        // Every twentieth is lost, every thirtieth is redundant, comfort noise or an event.
        match next(30) {
            0 | 1 => script.extend([4 << 5, 0, 1]),
            2 => script.extend([
                5 << 5 | 3 << 3 | 1,
                9,
                0x80 | AUDIO,
                2,
                0x80,
                3,
                AUDIO,
                8 << 2,
                2,
                9,
                1,
            ]),
            3 => script.extend([5 << 5 | 2 << 3 | 1, 2, 40, 7]),
            4 => script.extend([5 << 5 | 2 << 3 | 5, 0]),
            5 => script.extend([2 << 5, 11, next(200)]),
            6 => script.extend([1 << 5 | next(4)]),
            7 => script.extend([3 << 5, 12, next(255), next(255)]),
            _ => {}
        }
        script.extend([5 << 5 | 1, 12, 8 << 2 | next(4), 2 | next(32) << 2, next(255)]);
        script.extend((0..9).map(|_| next(255)));
        script.push(7 << 5 | if packet % 10 == 0 { next(8) } else { 1 });
    }
    script
}
