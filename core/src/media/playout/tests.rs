//! Ladders: at a time, this packet in, that audio out. The codec is 16-bit PCM at 16 kHz.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

const RATE: u32 = 16_000;
/// Samples per 20 ms and per 10 ms.
const PACKET: usize = 320;
const PULLED: usize = 160;

/// 16-bit PCM, most significant byte first (RFC 3551 section 4.5.11); a packet of odd length is none.
#[derive(Clone, Debug, Default)]
struct Pcm {
    /// The first byte of a payload that also holds a copy of the packet before it.
    copies: bool,
    /// Whether it makes up audio, samples of 7, instead of leaving that to the engine.
    conceals: bool,
}

impl Decoder for Pcm {
    fn clock_rate(&self) -> u32 {
        RATE
    }

    fn sample_rate(&self) -> u32 {
        RATE
    }

    fn duration(&self, payload: &[u8]) -> Option<usize> {
        let length = if self.copies {
            payload.len() / 2
        } else {
            payload.len()
        };
        (length % 2 == 0).then_some(length / 2)
    }

    fn decode(&mut self, payload: &[u8], output: &mut [i16]) -> Result<usize, Undecodable> {
        let count = self.duration(payload).ok_or(Undecodable)?;
        fill(output.get_mut(..count).ok_or(Undecodable)?, payload);
        Ok(count)
    }

    fn has_copy_of_previous(&self, _: &[u8]) -> bool {
        self.copies
    }

    fn recover(&mut self, next: &[u8], output: &mut [i16]) -> bool {
        fill(output, &next[next.len() / 2..]);
        true
    }

    fn conceal(&mut self, output: &mut [i16]) -> bool {
        output.fill(7);
        self.conceals
    }

    fn reset(&mut self) {}
}

fn fill(output: &mut [i16], payload: &[u8]) {
    for (sample, bytes) in output.iter_mut().zip(payload.chunks_exact(2)) {
        *sample = i16::from_be_bytes([bytes[0], bytes[1]]);
    }
}

/// A voice: a tone of 200 Hz with overtones, at this sample.
fn voice(n: i64) -> i16 {
    let tone = |harmonic: f32| {
        let angle = (n.rem_euclid(80) as f32 / 80.0) * harmonic * std::f32::consts::TAU;
        angle.sin() / harmonic
    };
    ((tone(1.0) + tone(2.0) + tone(3.0)) * 6_000.0) as i16
}

/// A sender and a player of one stream, the clock of both, and the way between them.
struct Line20 {
    playout: Playout<Pcm>,
    heard: Vec<i16>,
    operations: Vec<Operation>,
    positions: Vec<i64>,
    sequence: u16,
    timestamp: u32,
    pulled: u64,
}

/// The first pull.
const START: u64 = 1_000_000;

impl Line20 {
    fn new() -> Self {
        Self::with(Pcm::default())
    }

    fn with(codec: Pcm) -> Self {
        Self {
            playout: Playout::new(codec),
            heard: Vec::new(),
            operations: Vec::new(),
            positions: Vec::new(),
            sequence: 65_530,
            timestamp: u32::MAX - 3_000,
            pulled: 0,
        }
    }

    fn payload(&self, packet: i64) -> Vec<u8> {
        let samples = |packet: i64| {
            let begin = packet * PACKET as i64;
            (begin..begin + PACKET as i64).flat_map(|n| voice(n).to_be_bytes())
        };
        let mut payload: Vec<u8> = samples(packet).collect();
        if self.playout.decoder().copies {
            payload.extend(samples(packet - 1));
        }
        payload
    }

    fn packet<'a>(&self, packet: i64, content: Content<'a>) -> Packet<'a> {
        Packet {
            ssrc: 1,
            sequence: self.sequence.wrapping_add(packet as u16),
            timestamp: self.timestamp.wrapping_add((packet * PACKET as i64) as u32),
            content,
        }
    }

    /// Packet number `packet`, spoken at 20 ms times that, comes `late` milliseconds later.
    fn comes(&mut self, packet: i64, late: f64) {
        let now = START as f64 + packet as f64 * 20_000.0 + late * 1_000.0;
        self.pull_until(now as u64);
        let payload = self.payload(packet);
        let packet = self.packet(packet, Content::Audio(&payload));
        self.playout.insert(Instant::from_micros(now as u64), packet);
    }

    fn pull_until(&mut self, now: u64) {
        while START + self.pulled * 10_000 < now {
            let now = Instant::from_micros(START + self.pulled * 10_000);
            self.pulled += 1;
            let pulled = self.playout.pull(now);
            assert_eq!(pulled.samples.len(), PULLED);
            self.heard.extend_from_slice(pulled.samples);
            self.operations.push(pulled.operation);
            self.positions.push(pulled.position);
        }
    }

    /// Goes on until `packet` would be spoken.
    fn until(&mut self, packet: i64) {
        self.pull_until(START + packet as u64 * 20_000);
    }

    /// The milliseconds between speaking and hearing, of the last pull.
    fn delay(&self) -> i64 {
        let first = i64::from(self.timestamp);
        let spoken = (self.positions.last().copied().unwrap_or(first) - first) * 1_000 / i64::from(RATE);
        (self.pulled as i64 - 1) * 10 - spoken
    }

    fn statistics(&self) -> Statistics {
        self.playout.statistics()
    }
}

#[test]
fn a_clean_call_is_played_as_sent_within_thirty_milliseconds() {
    let mut line = Line20::new();
    for packet in 0..500 {
        line.comes(packet, 0.0);
    }
    let statistics = line.statistics();
    assert_eq!(
        (statistics.lost, statistics.late, statistics.concealed),
        (0, 0, 0)
    );
    assert!(
        statistics.mean_delay() <= Duration::from_millis(30),
        "{statistics:?}"
    );
    let silence = line
        .operations
        .iter()
        .filter(|operation| **operation == Operation::Silence);
    assert!(silence.count() <= 4);
    assert_eq!(line.operations.last(), Some(&Operation::Normal));
}

#[test]
fn reordered_doubled_and_wrapping_packets_are_played_once_and_in_order() {
    let mut line = Line20::new();
    for pair in 0..100 {
        line.comes(2 * pair, 0.0);
        line.comes(2 * pair + 2, 0.0);
        line.comes(2 * pair + 1, 21.0);
        line.comes(2 * pair + 1, 21.0);
    }
    let statistics = line.statistics();
    assert_eq!(statistics.received + statistics.late, 201);
    assert!(statistics.duplicates >= 99, "{statistics:?}");
    assert!(
        statistics.lost <= 3,
        "only until the delay has been learned: {statistics:?}"
    );
    assert!(line.positions.is_sorted());
}

#[test]
fn a_lost_packet_is_made_up_for_and_costs_no_delay() {
    let mut line = Line20::new();
    for packet in (0..200).filter(|packet| packet % 50 != 49) {
        line.comes(packet, 0.0);
    }
    let statistics = line.statistics();
    assert_eq!((statistics.lost, statistics.late), (3, 0));
    assert!(statistics.concealed <= 4 * PACKET as u64, "{statistics:?}");
    assert!(line.delay() <= 30, "{}", line.delay());
    assert!(statistics.count(Operation::Merge) >= 3);
}

#[test]
fn a_copy_in_the_next_packet_is_used_as_soon_as_losses_make_it_worth_its_delay() {
    let mut line = Line20::with(Pcm {
        copies: true,
        ..Pcm::default()
    });
    for packet in (0..500).filter(|packet| packet % 10 != 9) {
        line.comes(packet, 0.0);
    }
    let statistics = line.statistics();
    assert!(statistics.recovered >= 45, "{statistics:?}");
    assert!(statistics.concealed < 1_600, "{statistics:?}");
    assert!(
        statistics.mean_delay() <= Duration::from_millis(45),
        "{statistics:?}"
    );
}

#[test]
fn redundant_packets_fill_the_gaps_of_lost_ones() {
    let mut line = Line20::new();
    for packet in (1..500).filter(|packet| packet % 10 != 9) {
        let now = START + packet as u64 * 20_000;
        line.pull_until(now);
        let (before, own) = (line.payload(packet - 1), line.payload(packet));
        // One block of type 97, 320 ticks earlier, 640 bytes; then type 97.
        let header = [
            0x80 | 97,
            (320_u32 >> 6) as u8,
            ((320 & 63) << 2) as u8 | 2,
            0x80,
            97,
        ];
        let payload = [&header[..], &before, &own].concat();
        let content = Content::Redundant {
            payload: &payload,
            audio: 97,
        };
        line.playout
            .insert(Instant::from_micros(now), line.packet(packet, content));
    }
    let statistics = line.statistics();
    assert!(statistics.recovered >= 45, "{statistics:?}");
    assert!(statistics.concealed < 1_600, "{statistics:?}");
}

#[test]
fn late_audio_is_waited_for_and_the_delay_taken_back_within_two_seconds() {
    let mut line = Line20::new();
    for packet in 0..100 {
        line.comes(packet, 0.0);
    }
    let before = line.delay();
    for packet in 100..115 {
        line.comes(packet, 300.0 - (packet - 100) as f64 * 20.0);
    }
    for packet in 115..120 {
        line.comes(packet, 0.0);
    }
    assert!(line.delay() > before + 200, "{}", line.delay());
    for packet in 120..215 {
        line.comes(packet, 0.0);
    }
    assert!(line.delay() <= before + 20, "{} {before}", line.delay());
    let statistics = line.statistics();
    assert_eq!(
        (statistics.lost, statistics.discarded),
        (0, 0),
        "nothing is left out"
    );
    assert!(statistics.concealed <= 30 * PULLED as u64, "{statistics:?}");
}

#[test]
fn a_sender_that_stops_fades_to_silence_and_comes_back() {
    let mut line = Line20::new();
    for packet in 0..50 {
        line.comes(packet, 0.0);
    }
    line.until(150);
    assert_eq!(line.operations.last(), Some(&Operation::Silence));
    assert!(
        line.heard[line.heard.len() - PULLED..]
            .iter()
            .all(|&sample| sample == 0)
    );
    for packet in 150..200 {
        line.comes(packet, 0.0);
    }
    assert_eq!(line.operations.last(), Some(&Operation::Normal));
    assert!(line.delay() <= 40);
}

#[test]
fn another_source_takes_over_and_a_stray_packet_does_not() {
    let mut line = Line20::new();
    for packet in 0..50 {
        line.comes(packet, 0.0);
    }
    let payload = line.payload(0);
    let stray = Packet {
        ssrc: 9,
        ..line.packet(0, Content::Audio(&payload))
    };
    line.playout
        .insert(Instant::from_micros(START + 1_000_000), stray);
    for packet in 50..100 {
        line.comes(packet, 0.0);
    }
    assert_eq!(line.statistics().discarded, 1);
    assert_eq!(line.statistics().concealed, 0);
    for packet in 0..50 {
        let now = START + 2_000_000 + packet as u64 * 20_000;
        line.pull_until(now);
        let other = Packet {
            ssrc: 9,
            ..line.packet(packet, Content::Audio(&payload))
        };
        line.playout.insert(Instant::from_micros(now), other);
    }
    assert_eq!(line.statistics().received, 149, "the first one decides nothing");
    assert_eq!(line.operations.last(), Some(&Operation::Normal));
}

#[test]
fn padding_is_neither_audio_nor_a_loss() {
    let mut line = Line20::new();
    let mut ahead = 0;
    for packet in 0..200 {
        if packet % 3 == 0 {
            let padding = Packet {
                timestamp: line.timestamp,
                ..line.packet(packet, Content::Audio(&[]))
            };
            let now = Instant::from_micros(START + packet as u64 * 20_000);
            line.playout.insert(now, padding);
            line.sequence = line.sequence.wrapping_add(1);
            ahead += 1;
        }
        line.comes(packet, 0.0);
    }
    let statistics = line.statistics();
    assert!(ahead > 60);
    assert_eq!(
        (statistics.received, statistics.lost, statistics.concealed),
        (200, 0, 0)
    );
    assert!(
        statistics.mean_delay() <= Duration::from_millis(30),
        "{statistics:?}"
    );
}

#[test]
fn a_pause_with_comfort_noise_has_the_level_that_was_told_and_ends_in_time() {
    let mut line = Line20::new();
    for packet in 0..50 {
        line.comes(packet, 0.0);
    }
    // 60 dB below full scale: an amplitude of 33.
    let now = Instant::from_micros(START + 1_000_000);
    line.pull_until(START + 1_000_000);
    line.playout
        .insert(now, line.packet(50, Content::ComfortNoise(&[60])));
    line.until(99);
    assert_eq!(line.operations.last(), Some(&Operation::ComfortNoise));
    let level = similarity::power(&line.heard[line.heard.len() - 4 * PULLED..]).sqrt();
    assert!((20.0..50.0).contains(&level), "{level}");
    line.sequence = line.sequence.wrapping_sub(49);
    for packet in 100..150 {
        line.comes(packet, 0.0);
    }
    let statistics = line.statistics();
    assert_eq!((statistics.lost, statistics.concealed), (0, 0), "{statistics:?}");
    assert!(line.delay() <= 30, "{}", line.delay());
}

#[test]
fn a_telephone_event_is_a_pause() {
    let mut line = Line20::new();
    for packet in 0..50 {
        line.comes(packet, 0.0);
    }
    for packet in 50..60 {
        let now = START + packet as u64 * 20_000;
        line.pull_until(now);
        line.playout
            .insert(Instant::from_micros(now), line.packet(packet, Content::Other));
    }
    for packet in 60..100 {
        line.comes(packet, 0.0);
    }
    let statistics = line.statistics();
    assert_eq!((statistics.lost, statistics.concealed), (0, 0), "{statistics:?}");
    assert!(line.delay() <= 30, "{}", line.delay());
}

#[test]
fn garbage_is_counted_and_concealed() {
    let mut line = Line20::new();
    for packet in 0..100 {
        line.comes(packet, 0.0);
        if packet % 10 == 9 {
            let now = Instant::from_micros(START + packet as u64 * 20_000);
            let garbage = line.packet(packet + 1, Content::Audio(&[1; 333]));
            line.playout.insert(now, garbage);
            let huge = vec![1; 65_507 - 1];
            line.playout
                .insert(now, line.packet(packet + 1, Content::Audio(&huge)));
            line.sequence = line.sequence.wrapping_add(1);
        }
    }
    let statistics = line.statistics();
    assert_eq!(statistics.undecodable, 20, "{statistics:?}");
    assert_eq!(statistics.received, 100);
}

#[test]
fn clocks_that_drift_apart_are_followed_both_ways() {
    for drift in [-100e-6, 100e-6] {
        let mut line = Line20::new();
        // Ten minutes: 60 ms in all.
        for packet in 0..30_000 {
            line.comes(packet, packet as f64 * 20.0 * drift + 70.0);
        }
        let statistics = line.statistics();
        let late = 29_999.0 * 20.0 * drift + 70.0;
        assert!(
            (0.0..=30.0).contains(&(line.delay() as f64 - late)),
            "{drift}: {}",
            line.delay()
        );
        assert!(statistics.concealed < 1_600, "{drift}: {statistics:?}");
        let changed = if drift > 0.0 {
            statistics.expanded
        } else {
            statistics.accelerated
        };
        assert!((700..1_600).contains(&changed), "{drift}: {statistics:?}");
    }
}

/// A generator of nonsense (the step of a linear congruential generator, Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn nonsense_neither_panics_nor_goes_back_in_time() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let codec = Pcm {
            copies: random.below(2) == 0,
            conceals: random.below(2) == 0,
        };
        let mut playout = Playout::new(codec);
        let (mut now, mut sequence, mut timestamp, mut position) = (0_u64, 0_u16, 0_u32, i64::MIN);
        let payload = [3; 4_000];
        for _ in 0..4_000 {
            now = match random.below(100) {
                0 => now + random.below(10_000_000),
                1 => random.below(1 << 31) << random.below(33),
                _ => now + random.below(20_000),
            };
            sequence = sequence.wrapping_add(match random.below(50) {
                0 => random.below(65_536) as u16,
                1 => random.below(200) as u16,
                2 => random.below(8) as u16 ^ 0xffff,
                _ => 1,
            });
            timestamp = timestamp.wrapping_add(match random.below(50) {
                0 => random.below(1 << 31) as u32 * 2,
                1 => 0,
                2 => random.below(40_000) as u32,
                _ => 320,
            });
            let length = [0, 1, 2, 80, 640, 1_280, 3_840, 4_000][random.below(8) as usize];
            let audio = &payload[..length];
            let content = match random.below(12) {
                0 => Content::Redundant {
                    payload: audio,
                    audio: 3,
                },
                1 => Content::ComfortNoise(&audio[..length.min(1)]),
                2 => Content::Other,
                _ => Content::Audio(audio),
            };
            let ssrc = u32::from(random.below(100) == 0);
            let packet = Packet {
                ssrc,
                sequence,
                timestamp,
                content,
            };
            playout.insert(Instant::from_micros(now), packet);
            for _ in 0..random.below(4) {
                let fresh = playout.is_fresh();
                let pulled = playout.pull(Instant::from_micros(now));
                assert!(fresh || pulled.position >= position);
                position = pulled.position;
            }
            if playout.is_fresh() {
                position = i64::MIN;
            }
        }
        let statistics = playout.statistics();
        assert_eq!(
            statistics.samples,
            PULLED as u64 * statistics.operations.iter().sum::<u64>()
        );
    }
}
