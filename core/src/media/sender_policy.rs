//! How audio is encoded on its way out: what the far end reports of its reception decides on bits, redundancy and the length
//! of packets. Sans-IO: reports in, settings out.
//!
//! Loss and congestion are two things. Loss is met with redundancy, at once and from the first packet on, as the far end
//! needs seconds to tell what it misses. Congestion, known by a queue that grows or by more loss than a radio makes, is met
//! with less traffic, rung by rung:
//!
//! ```text
//!  32 kbit/s, 20 ms  <-- calm for 10 s --  24 kbit/s, 20 ms  <--  20 kbit/s, 40 ms  <--  16 kbit/s, 60 ms
//!                     -- two reports of strain -->             -->                   -->
//! ```
//! Longer packets save more than fewer bits do: of each one 60 bytes are headers. A rung that does not hold is tried again
//! only after twice the time.

use crate::time::{Duration, Instant};

/// What the far end reports of the stream sent to it (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceptionReport {
    /// Packets lost since its last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all; fewer than none where packets came twice.
    pub lost: i32,
    /// The highest sequence number it has seen, the cycles of 65,536 above it.
    pub highest_sequence: u32,
    /// Variation of the times between packets, in RTP ticks.
    pub jitter: u32,
    /// Time there and back, if it can be told.
    pub round_trip: Option<Duration>,
}

/// How to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderSettings {
    /// Bits per second of payload.
    pub bitrate: u32,
    /// Loss to add redundancy for, in per cent.
    pub expected_loss: u8,
    /// Audio per packet.
    pub frame: Duration,
}

/// Decides on [`EncoderSettings`].
#[derive(Clone, Debug)]
pub struct SenderPolicy {
    rung: usize,
    /// Of packets, smoothed: rises at once and falls slowly.
    loss: f32,
    /// The round trip without a queue, as far as known.
    base: Option<Duration>,
    last_report: Option<Instant>,
    /// Reports of strain in a row.
    strained: u32,
    /// When the last step was made, and whether it was one up.
    changed: Instant,
    is_raised: bool,
    calm_since: Instant,
    /// How long it has to be calm before the next rung up.
    patience: Duration,
}

/// Bits and milliseconds per packet, the best first.
const RUNGS: [(u32, u64); 4] = [(32_000, 20), (24_000, 20), (20_000, 40), (16_000, 60)];
/// Redundancy for less than this would be there too late: the far end tells of the first loss after seconds.
const LEAST_EXPECTED: f32 = 0.05;
/// More redundancy than for this leaves too few bits for the audio itself.
const MOST_EXPECTED: f32 = 0.25;
/// How much of the way down the smoothed loss goes with a report.
const FORGETTING: f32 = 0.2;
/// More loss than this is a queue that overflows, whatever the delay.
const HEAVY_LOSS: f32 = 0.2;
/// Loss and a queue of this length together are strain too.
const SOME_LOSS: f32 = 0.05;
const SHORT_QUEUE: Duration = Duration::from_millis(60);
/// A queue of this length is strain without any loss.
const LONG_QUEUE: Duration = Duration::from_millis(200);
/// Reports of strain before a step down: one may be an accident.
const STRAINED_REPORTS: u32 = 2;
/// Between two steps: the effect of the first has to be seen.
const SETTLING: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_PATIENCE: Duration = Duration::from_secs(80);
/// Reports that come faster than this tell nothing more (RFC 3550 section 6.2: seconds, at most a few of them early).
const LEAST_INTERVAL: Duration = Duration::from_millis(100);
/// A longer round trip is nonsense.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(10);

impl SenderPolicy {
    /// The policy of a stream that begins now.
    pub fn new(now: Instant) -> Self {
        Self {
            rung: 0,
            loss: 0.0,
            base: None,
            last_report: None,
            strained: 0,
            changed: now,
            is_raised: false,
            calm_since: now,
            patience: PATIENCE,
        }
    }

    /// What to encode with.
    pub fn settings(&self) -> EncoderSettings {
        let (bitrate, milliseconds) = RUNGS.get(self.rung).copied().unwrap_or_default();
        let expected = self.loss.clamp(LEAST_EXPECTED, MOST_EXPECTED) * 100.0;
        EncoderSettings {
            bitrate,
            expected_loss: expected.round() as u8,
            frame: Duration::from_millis(milliseconds),
        }
    }

    /// A report has come. Ask for the [`settings`](Self::settings) afterwards.
    pub fn report(&mut self, now: Instant, report: &ReceptionReport) {
        let since = self.last_report.map(|last| now.saturating_since(last));
        if since.is_some_and(|since| since < LEAST_INTERVAL) {
            return;
        }
        self.last_report = Some(now);
        let lost = f32::from(report.fraction_lost) / 256.0;
        self.loss = lost.max(self.loss + (lost - self.loss) * FORGETTING);
        let queue = self.queue(report.round_trip);
        if lost >= HEAVY_LOSS || queue >= LONG_QUEUE || (lost >= SOME_LOSS && queue >= SHORT_QUEUE) {
            self.strain(now);
        } else {
            self.calm(now);
        }
    }

    /// How much longer the round trip is than it has to be.
    fn queue(&mut self, round_trip: Option<Duration>) -> Duration {
        let Some(round_trip) = round_trip.filter(|it| *it <= LONGEST_ROUND_TRIP) else {
            return Duration::ZERO;
        };
        // A way that has become longer for good is known as such after a minute.
        let base = self.base.map_or(round_trip, |base| {
            round_trip.min(base + round_trip.saturating_sub(base) / 32)
        });
        self.base = Some(base);
        round_trip - base
    }

    fn strain(&mut self, now: Instant) {
        self.calm_since = now;
        self.strained += 1;
        let since = now.saturating_since(self.changed);
        if self.strained < STRAINED_REPORTS || since < SETTLING || self.rung + 1 == RUNGS.len() {
            return;
        }
        if self.is_raised {
            // It did not hold, or for long enough to begin anew.
            let held = since >= self.patience;
            self.patience = if held {
                PATIENCE
            } else {
                MOST_PATIENCE.min(2 * self.patience)
            };
        }
        self.go_to(self.rung + 1, now);
    }

    fn calm(&mut self, now: Instant) {
        self.strained = 0;
        if self.rung > 0 && now.saturating_since(self.calm_since) >= self.patience {
            self.go_to(self.rung - 1, now);
        }
    }

    fn go_to(&mut self, rung: usize, now: Instant) {
        self.is_raised = rung < self.rung;
        self.rung = rung;
        self.strained = 0;
        self.changed = now;
        self.calm_since = now;
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// A stream whose far end reports every second.
    struct Stream {
        policy: SenderPolicy,
        now: Instant,
    }

    impl Stream {
        fn new() -> Self {
            let now = Instant::from_secs(100);
            let policy = SenderPolicy::new(now);
            Self { policy, now }
        }

        /// So many reports of so much loss, in per cent, and so long a round trip; what is left is the settings.
        fn reports(&mut self, count: u32, per_cent: u32, round_trip_ms: u64) -> (u32, u8, u128) {
            for _ in 0..count {
                self.now += Duration::from_secs(1);
                let report = ReceptionReport {
                    fraction_lost: (per_cent * 256 / 100).min(255) as u8,
                    round_trip: Some(Duration::from_millis(round_trip_ms)),
                    ..ReceptionReport::default()
                };
                self.policy.report(self.now, &report);
            }
            self.settings()
        }

        fn settings(&self) -> (u32, u8, u128) {
            let settings = self.policy.settings();
            (
                settings.bitrate,
                settings.expected_loss,
                settings.frame.as_millis(),
            )
        }
    }

    #[test]
    fn there_is_redundancy_before_anything_is_reported() {
        assert_eq!(Stream::new().settings(), (32_000, 5, 20));
        assert_eq!(Stream::new().reports(100, 0, 50), (32_000, 5, 20));
    }

    #[test]
    fn loss_is_met_at_once_with_redundancy_and_forgotten_slowly() {
        let mut stream = Stream::new();
        assert_eq!(stream.reports(1, 10, 50), (32_000, 10, 20));
        assert_eq!(stream.reports(1, 0, 50), (32_000, 8, 20));
        assert_eq!(stream.reports(10, 0, 50), (32_000, 5, 20));
    }

    #[test]
    fn what_a_radio_loses_never_costs_bits() {
        let mut stream = Stream::new();
        for _ in 0..60 {
            assert_eq!(stream.reports(1, 15, 80).0, 32_000);
        }
        assert_eq!(stream.settings(), (32_000, 15, 20));
    }

    #[test]
    fn a_queue_that_grows_is_left_rung_by_rung_and_climbed_again() {
        let mut stream = Stream::new();
        stream.reports(5, 0, 50);
        assert_eq!(
            stream.reports(1, 0, 400),
            (32_000, 5, 20),
            "one may be an accident"
        );
        assert_eq!(stream.reports(1, 0, 450), (24_000, 5, 20));
        assert_eq!(
            stream.reports(1, 0, 500),
            (24_000, 5, 20),
            "the effect has to be seen"
        );
        assert_eq!(stream.reports(1, 0, 550), (20_000, 5, 40));
        assert_eq!(stream.reports(2, 0, 700), (16_000, 5, 60));
        assert_eq!(
            stream.reports(2, 0, 700),
            (16_000, 5, 60),
            "there is no lower one"
        );
        assert_eq!(stream.reports(9, 0, 60), (16_000, 5, 60));
        assert_eq!(stream.reports(1, 0, 60), (20_000, 5, 40), "10 s of calm");
        assert_eq!(stream.reports(20, 0, 60), (32_000, 5, 20));
    }

    #[test]
    fn more_loss_than_a_radio_makes_is_congestion() {
        assert_eq!(Stream::new().reports(2, 30, 50), (24_000, 25, 20));
        let mut stream = Stream::new();
        stream.reports(1, 0, 50);
        assert_eq!(stream.reports(2, 6, 130).0, 24_000, "some loss and some queue");
    }

    #[test]
    fn a_rung_that_does_not_hold_is_tried_again_later() {
        let mut stream = Stream::new();
        stream.reports(3, 0, 50);
        let mut tries = Vec::new();
        for second in 0..120 {
            // More than 24 kbit/s is too much for this way.
            let is_too_much = stream.settings().0 > 24_000;
            let before = stream.settings().0;
            stream.reports(1, 0, if is_too_much { 500 } else { 50 });
            if stream.settings().0 > before {
                tries.push(second);
            }
        }
        let pauses: Vec<i32> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.windows(2).all(|pair| pair[1] > pair[0]), "{tries:?}");
        assert!(tries.len() <= 4, "{tries:?}");
    }

    #[test]
    fn a_long_way_is_no_queue() {
        let mut stream = Stream::new();
        assert_eq!(stream.reports(60, 0, 700), (32_000, 5, 20), "a satellite");
        let mut stream = Stream::new();
        stream.reports(5, 0, 50);
        stream.reports(60, 0, 400);
        assert_eq!(
            stream.reports(60, 0, 400),
            (32_000, 5, 20),
            "another way, for good"
        );
    }

    #[test]
    fn reports_without_a_round_trip_still_tell_of_loss() {
        let mut stream = Stream::new();
        for _ in 0..5 {
            stream.now += Duration::from_secs(1);
            let report = ReceptionReport {
                fraction_lost: 30,
                ..ReceptionReport::default()
            };
            stream.policy.report(stream.now, &report);
        }
        assert_eq!(stream.settings(), (32_000, 12, 20));
    }

    #[test]
    fn a_storm_of_reports_makes_no_more_than_a_step_in_two_seconds() {
        let mut stream = Stream::new();
        let before = stream.settings().0;
        for _ in 0..1_990 {
            stream.now += Duration::from_millis(1);
            let report = ReceptionReport {
                fraction_lost: 255,
                lost: i32::MIN,
                ..ReceptionReport::default()
            };
            stream.policy.report(stream.now, &report);
        }
        assert_eq!(stream.settings().0, before);
        stream.now += Duration::from_millis(200);
        let report = ReceptionReport {
            fraction_lost: 255,
            ..ReceptionReport::default()
        };
        stream.policy.report(stream.now, &report);
        assert_eq!(stream.settings().0, 24_000);
    }

    #[cfg(not(target_family = "wasm"))]
    proptest::proptest! {
        #[test]
        fn whatever_is_reported_it_stays_on_the_ladder(
            reports in proptest::collection::vec((0_u64..20_000, proptest::num::u8::ANY, 0_u64..u64::MAX), 0..200),
        ) {
            let mut policy = SenderPolicy::new(Instant::from_secs(1));
            let (mut now, mut changed) = (Instant::from_secs(1), Instant::from_secs(1));
            for (later, fraction_lost, micros) in reports {
                now += Duration::from_millis(later);
                let before = policy.settings();
                let round_trip = Some(Duration::from_micros(micros));
                policy.report(now, &ReceptionReport { fraction_lost, round_trip, ..ReceptionReport::default() });
                let after = policy.settings();
                proptest::prop_assert!((5..=25).contains(&after.expected_loss));
                let place = |settings: EncoderSettings| {
                    RUNGS.iter().position(|(bitrate, frame)| {
                        (*bitrate, u128::from(*frame)) == (settings.bitrate, settings.frame.as_millis())
                    })
                };
                let (Some(from), Some(to)) = (place(before), place(after)) else { panic!("off the ladder") };
                proptest::prop_assert!(from.abs_diff(to) <= 1);
                if from != to {
                    proptest::prop_assert!(now.saturating_since(changed) >= SETTLING);
                    changed = now;
                }
            }
        }
    }
}
