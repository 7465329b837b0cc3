//! The networks that engines are compared on, made from a seed.
//!
//! The parameters are those of the traces on which Chromium's own engine was measured, so that its figures stand beside ours.

use std::f64::consts::TAU;
use std::iter;

use clearline_core::{Duration, Instant, Rng};

use crate::trace::{Passage, Trace};

/// Packets of the window in which everything is measured: 32 s.
pub const WINDOW: usize = 1_600;
/// Packets before it, each as late as is usual: the call is 5 s old when the trouble begins.
const LEAD: usize = 250;
/// As many as it takes until two clocks 100 ppm apart have moved by 30 ms.
const DRIFT_LEAD: usize = 15_000;
/// Samples and time of a packet.
const PACKET_TICKS: u32 = 960;
const PACKET_MICROS: f64 = 20_000.0;
/// Sequence number and timestamp both wrap within the lead.
const FIRST_SEQUENCE: u16 = 65_400;
const FIRST_TIMESTAMP: u32 = u32::MAX - 100_000;

/// A network, as it behaves within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No loss, no delay.
    Clean,
    /// 60 ms and a normal deviation of 20 ms, in order.
    Gauss20,
    /// Each packet is lost with 3 %.
    Loss3,
    /// Each packet is lost with 10 %.
    Loss10,
    /// Losses of four in a row, 5 % in all (Gilbert-Elliott).
    Burst,
    /// Nothing gets through for 200 ms every 5 s, then one packet each 5 ms.
    Spikes,
    /// Nothing gets through for 300 ms once, then everything at once.
    Stall,
    /// The sender's clock is 100 ppm fast.
    DriftFast,
    /// The sender's clock is 100 ppm slow.
    DriftSlow,
    /// 2 to 8 ms; 2 % take 30 to 120 ms and hold up what follows; 1 % is lost.
    Wifi,
    /// A delay that wanders between 20 and 120 ms; 2 % is lost.
    Mobile,
}

impl Kind {
    /// All of them, as the table lists them.
    pub const ALL: [Self; 11] = [
        Self::Clean,
        Self::Gauss20,
        Self::Loss3,
        Self::Loss10,
        Self::Burst,
        Self::Spikes,
        Self::Stall,
        Self::DriftFast,
        Self::DriftSlow,
        Self::Wifi,
        Self::Mobile,
    ];

    /// What the table and the command line call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Gauss20 => "gauss20",
            Self::Loss3 => "loss3",
            Self::Loss10 => "loss10",
            Self::Burst => "burst",
            Self::Spikes => "spikes",
            Self::Stall => "stall",
            Self::DriftFast => "drift+100",
            Self::DriftSlow => "drift-100",
            Self::Wifi => "wifi",
            Self::Mobile => "mobile",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Packets before the window.
    pub fn lead(self) -> usize {
        match self {
            Self::DriftFast | Self::DriftSlow => DRIFT_LEAD,
            Self::Clean
            | Self::Gauss20
            | Self::Loss3
            | Self::Loss10
            | Self::Burst
            | Self::Spikes
            | Self::Stall
            | Self::Wifi
            | Self::Mobile => LEAD,
        }
    }

    /// The seed whose trace stands in the table: one whose figures are near those that were set.
    pub fn usual_seed(self) -> u64 {
        match self {
            Self::Gauss20 => 4,
            Self::Loss10 | Self::Mobile => 3,
            Self::Burst => 11,
            Self::Wifi => 10,
            Self::Clean | Self::Loss3 | Self::Spikes | Self::Stall | Self::DriftFast | Self::DriftSlow => 1,
        }
    }

    /// A trace of this kind; the same seed gives the same trace.
    pub fn trace(self, seed: u64) -> Trace {
        let mut random = Random::new(seed);
        let way = self.way(&mut random);
        let clean = iter::repeat_n(Some(self.usual_delay()), self.lead());
        let mut packets = Vec::with_capacity(self.lead() + WINDOW);
        let mut last_arrival = 0.0_f64;
        for (index, delay) in clean.chain(way).enumerate() {
            let sent = index as f64 * PACKET_MICROS * self.tick();
            let arrived = delay.map(|delay| {
                // In order: a packet waits for those before it.
                last_arrival = last_arrival.max(sent + delay * 1e3);
                last_arrival
            });
            packets.push(Passage {
                sequence: FIRST_SEQUENCE.wrapping_add(index as u16),
                timestamp: FIRST_TIMESTAMP.wrapping_add(PACKET_TICKS.wrapping_mul(index as u32)),
                sent: instant(sent),
                arrived: arrived.map(instant),
            });
        }
        Trace { packets }
    }

    /// The delay before the window, in ms.
    fn usual_delay(self) -> f64 {
        match self {
            Self::Gauss20 => 60.0,
            Self::Mobile => 70.0,
            Self::Wifi => 5.0,
            Self::Clean
            | Self::Loss3
            | Self::Loss10
            | Self::Burst
            | Self::Spikes
            | Self::Stall
            | Self::DriftFast
            | Self::DriftSlow => 0.0,
        }
    }

    /// How long the sender takes for a second.
    fn tick(self) -> f64 {
        match self {
            Self::DriftFast => 1.0 - 100e-6,
            Self::DriftSlow => 1.0 + 100e-6,
            Self::Clean
            | Self::Gauss20
            | Self::Loss3
            | Self::Loss10
            | Self::Burst
            | Self::Spikes
            | Self::Stall
            | Self::Wifi
            | Self::Mobile => 1.0,
        }
    }

    /// The delays of the window in ms, `None` for a loss.
    fn way(self, random: &mut Random) -> Vec<Option<f64>> {
        let of = |way: &mut dyn FnMut(usize) -> Option<f64>| (0..WINDOW).map(way).collect();
        match self {
            Self::Clean | Self::DriftFast | Self::DriftSlow => of(&mut |_| Some(0.0)),
            Self::Gauss20 => of(&mut |_| Some((self.usual_delay() + 20.0 * random.normal()).max(0.0))),
            Self::Loss3 => of(&mut |_| (!random.chance(0.03)).then_some(0.0)),
            Self::Loss10 => of(&mut |_| (!random.chance(0.10)).then_some(0.0)),
            Self::Burst => gilbert_elliott(0.05, 4.0, random),
            Self::Spikes => of(&mut |index| Some(outage(index, 2_500.0, 5_000.0, 200.0, 5.0))),
            Self::Stall => of(&mut |index| Some(outage(index, 10_000.0, f64::INFINITY, 300.0, 0.0))),
            Self::Wifi => of(&mut |_| {
                let held = random.chance(0.02).then(|| random.between(30.0, 120.0));
                let delay = held.unwrap_or_else(|| random.between(2.0, 8.0));
                (!random.chance(0.01)).then_some(delay)
            }),
            Self::Mobile => {
                let mut delay = self.usual_delay();
                of(&mut |_| {
                    delay = (delay + MOBILE_STEP * random.normal()).clamp(20.0, 120.0);
                    (!random.chance(0.02)).then_some(delay)
                })
            }
        }
    }
}

/// By how much the delay of a mobile network changes from packet to packet, in ms.
const MOBILE_STEP: f64 = 8.0;

/// Losses of `burst` packets on average that are `share` of all: a chain of two states, of which one loses everything.
fn gilbert_elliott(share: f64, burst: f64, random: &mut Random) -> Vec<Option<f64>> {
    let end = 1.0 / burst;
    let begin = end * share / (1.0 - share);
    let mut bad = false;
    let step = |_| {
        bad = if bad {
            !random.chance(end)
        } else {
            random.chance(begin)
        };
        (!bad).then_some(0.0)
    };
    (0..WINDOW).map(step).collect()
}

/// The delay of packet `index` if nothing gets through for `length` ms at `first` and each `period` after it, and what has waited is
/// then let go in steps of `step` ms.
fn outage(index: usize, first: f64, period: f64, length: f64, step: f64) -> f64 {
    let since = index as f64 * PACKET_MICROS / 1e3 - first;
    if since < 0.0 {
        return 0.0;
    }
    let since = if period.is_finite() { since % period } else { since };
    let waiting = (since / (PACKET_MICROS / 1e3)).floor();
    (length + waiting * step - since).max(0.0)
}

fn instant(micros: f64) -> Instant {
    Instant::ZERO + Duration::from_micros(micros.round() as u64)
}

/// Draws from distributions.
struct Random(Rng);

impl Random {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(Rng::new(bytes))
    }

    /// From 0 (included) to 1 (not included).
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Box-Muller; of the pair only one is used.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table on which Chromium's engine was measured: lost %, delay mean, 95th percentile and maximum.
    #[test]
    fn every_kind_has_the_figures_that_were_set() {
        let table = [
            (Kind::Clean, 0.0, 0.0, 0.0, 0.0),
            (Kind::Gauss20, 0.0, 65.0, 94.0, 126.0),
            (Kind::Loss3, 3.4, 0.0, 0.0, 0.0),
            (Kind::Loss10, 10.0, 0.0, 0.0, 0.0),
            (Kind::Burst, 4.2, 0.0, 0.0, 0.0),
            (Kind::Spikes, 0.0, 5.0, 0.0, 200.0),
            (Kind::Wifi, 0.74, 8.0, 31.0, 119.0),
            (Kind::Mobile, 1.66, 78.0, 120.0, 120.0),
            (Kind::Stall, 0.0, 1.0, 0.0, 300.0),
            (Kind::DriftFast, 0.0, 0.0, 0.0, 0.0),
            (Kind::DriftSlow, 0.0, 0.0, 0.0, 0.0),
        ];
        for (kind, lost, mean, p95, max) in table {
            let figures = kind.trace(kind.usual_seed()).figures(kind.lead());
            let near = |is: f64, set: f64, tolerance: f64| (is - set).abs() <= tolerance;
            assert!(near(figures.lost, lost, 0.4), "{}: {figures:?}", kind.name());
            assert!(near(figures.mean, mean, 2.5), "{}: {figures:?}", kind.name());
            assert!(near(figures.max, max, 4.0), "{}: {figures:?}", kind.name());
            // Of a spike the percentile is whether it sees the end of the queue or nothing.
            if kind != Kind::Spikes {
                assert!(near(figures.p95, p95, 4.0), "{}: {figures:?}", kind.name());
            }
        }
    }

    #[test]
    fn bursts_are_of_four_on_average() {
        let trace = Kind::Burst.trace(Kind::Burst.usual_seed());
        let lost: Vec<bool> = trace
            .packets
            .iter()
            .map(|packet| packet.arrived.is_none())
            .collect();
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        let mean = lost.iter().filter(|&&lost| lost).count() as f64 / bursts as f64;
        assert!((3.5..=4.5).contains(&mean), "{mean}");
    }

    #[test]
    fn packets_stay_in_order_and_the_seed_decides_all() {
        for kind in Kind::ALL {
            let trace = kind.trace(7);
            let arrivals: Vec<Instant> = trace.packets.iter().filter_map(|packet| packet.arrived).collect();
            assert!(arrivals.is_sorted(), "{}", kind.name());
            assert_eq!(trace, kind.trace(7));
            assert_eq!(trace.packets.len(), kind.lead() + WINDOW);
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
    }

    #[test]
    fn drift_is_30_ms_by_the_time_it_is_measured() {
        for (kind, drift) in [(Kind::DriftFast, -30_000), (Kind::DriftSlow, 30_000)] {
            let packet = kind.trace(1).packets[kind.lead()];
            let nominal = kind.lead() as i64 * 20_000;
            assert_eq!(packet.sent.as_micros() as i64 - nominal, drift);
        }
    }

    #[test]
    fn after_a_spike_one_packet_comes_each_5_ms() {
        let trace = Kind::Spikes.trace(1);
        let dead = Kind::Spikes.lead() + 125;
        let arrivals: Vec<u64> = trace.packets[dead..dead + 16]
            .iter()
            .map(|packet| packet.arrived.unwrap().as_millis())
            .collect();
        assert_eq!(arrivals[0], 5_000 + 2_500 + 200);
        assert!(
            arrivals[..14].windows(2).all(|pair| pair[1] - pair[0] == 5),
            "{arrivals:?}"
        );
        assert_eq!(arrivals[15] - arrivals[14], 20, "until none waits");
    }
}
