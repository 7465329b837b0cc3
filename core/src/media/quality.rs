//! How good a call is for those who talk, computed from what is known of it: the E-model of ITU-T G.107 (06/2015, narrow band) and
//! G.107.1 (06/2019, wide band).
//!
//! ```text
//! R  =  R0 (terminals, room, lines as by default)  -  Idd (delay)  -  Ie,eff (codec and loss)     --> MOS
//! ```
//! It is a model for planning: it knows nothing of what is said and of devices that are bad. Echo is taken for cancelled, as every
//! end point here does. A rating of one band says nothing beside one of the other, their MOS do.
//!
//! Not yet done: its constants and section numbers have been checked against published results (R = 93.2 by default, the values of G.711),
//! not against the text of the recommendations.

use crate::media::playout::Statistics;
use crate::time::Duration;

/// What frequencies a codec carries, and so which of the two models rates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// 300 to 3,400 Hz: G.107.
    Narrow,
    /// 50 to 7,000 Hz and more: G.107.1.
    Wide,
}

/// How a codec impairs speech, by itself and when packets are lost (G.113).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Codec {
    /// Which scale the values belong to.
    pub band: Band,
    /// Equipment impairment factor without loss: Ie, or Ie,WB.
    pub impairment: f64,
    /// Packet-loss robustness factor: Bpl.
    pub robustness: f64,
}

impl Codec {
    /// G.711, losses filled with silence or noise (G.113 appendix I, random loss, 10 ms).
    pub const G711: Self = Self {
        band: Band::Narrow,
        impairment: 0.0,
        robustness: 4.3,
    };
    /// G.711 with concealment as of its appendix I (G.113 appendix I).
    pub const G711_CONCEALED: Self = Self {
        robustness: 25.1,
        ..Self::G711
    };
    /// G.722 at 64 kbit/s: the impairment is that of G.113 appendix IV; as robustness stands the one of G.711 without concealment,
    /// which is on the safe side.
    pub const G722: Self = Self {
        band: Band::Wide,
        impairment: 13.0,
        robustness: 4.3,
    };
    /// Opus at 24 kbit/s and more. The ITU has no values for it: no impairment on the scale of wide band, which it exceeds, and a
    /// robustness between those of G.711 with and without concealment. An estimate, and to be shown as one.
    pub const OPUS: Self = Self {
        band: Band::Wide,
        impairment: 0.0,
        robustness: 10.0,
    };
}

/// What a call went through over some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// From mouth to ear, one way: half the round trip, both sound devices, a packet and the jitter buffer (Ta).
    pub delay: Duration,
    /// Share of the audio that had to be made up, 0 to 1: lost or too late, and not recovered from redundancy (Ppl, in per cent there).
    pub loss: f64,
    /// Mean number of packets lost in a row; what is below 1 means that it is not known.
    pub burst: f64,
}

impl Conditions {
    /// What was heard between two looks at a playout engine. `elsewhere` is the delay outside of it: half the round trip that RTCP
    /// tells (RFC 3550 section 6.4.1), a packet, and the sound devices of both ends.
    pub fn heard(before: &Statistics, now: &Statistics, elsewhere: Duration) -> Self {
        let since = |count: fn(&Statistics) -> u64| count(now).saturating_sub(count(before)) as f64;
        let waited = now.delay.saturating_sub(before.delay).as_secs_f64();
        let waited = Duration::from_secs_f64(waited / since(|statistics| statistics.played).max(1.0));
        Self {
            delay: elsewhere.saturating_add(waited),
            loss: since(|statistics| statistics.concealed) / since(|statistics| statistics.samples).max(1.0),
            burst: 0.0,
        }
    }

    /// How much longer bursts are than if each packet had been lost by itself (BurstR, G.107 section 7.5); 1 or more.
    fn burst_ratio(&self) -> f64 {
        let by_chance = 1.0 / (1.0 - self.loss()).max(f64::EPSILON);
        (self.burst / by_chance).max(1.0)
    }

    fn loss(&self) -> f64 {
        // Not a number is nothing that is known.
        if self.loss.is_nan() {
            0.0
        } else {
            self.loss.clamp(0.0, 1.0)
        }
    }
}

/// The transmission rating of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rating {
    band: Band,
    r: f64,
}

impl Rating {
    /// Rates a call with this codec under these conditions.
    pub fn of(codec: Codec, conditions: &Conditions) -> Self {
        let r =
            basic(codec.band) - delay_impairment(conditions.delay) - equipment_impairment(codec, conditions);
        Self { band: codec.band, r }
    }

    /// R: up to 93.2 in narrow band and 129 in wide band.
    pub fn r(self) -> f64 {
        self.r
    }

    /// The mean opinion score of a conversation that is to be expected, 1 (bad) to 4.5 (excellent): MOS-CQE.
    pub fn mos(self) -> f64 {
        match self.band {
            Band::Narrow => mean_opinion(self.r),
            // G.107.1 annex A: the same curve on a scale that is longer.
            Band::Wide => mean_opinion(self.r / 1.29),
        }
    }
}

/// What is left by everything but delay and loss if all else has its default value (G.107 section 7.7, G.107.1 section 7.7).
fn basic(band: Band) -> f64 {
    match band {
        Band::Narrow => 93.2,
        Band::Wide => 129.0,
    }
}

/// Idd (G.107 section 7.4, with the default sensitivity sT = 1 and mT = 100 ms; the same in G.107.1 section 7.4).
fn delay_impairment(delay: Duration) -> f64 {
    let hundreds = delay.as_secs_f64() * 10.0;
    if hundreds <= 1.0 {
        return 0.0;
    }
    let x = hundreds.log2();
    let root = |value: f64| (1.0 + value.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

/// Ie,eff (G.107 section 7.5). G.107.1 section 7.5 has the same for losses by chance; bursts are taken into account there as here.
fn equipment_impairment(codec: Codec, conditions: &Conditions) -> f64 {
    let loss = 100.0 * conditions.loss();
    let Codec {
        impairment,
        robustness,
        ..
    } = codec;
    impairment + (95.0 - impairment) * loss / (loss / conditions.burst_ratio() + robustness).max(f64::EPSILON)
}

/// G.107 annex B.
fn mean_opinion(r: f64) -> f64 {
    if r <= 0.0 {
        1.0
    } else if r >= 100.0 {
        4.5
    } else {
        // Just above 0 the curve dips below the scale.
        (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(is: f64, expected: f64, tolerance: f64) {
        assert!((is - expected).abs() <= tolerance, "{is} is not {expected}");
    }

    fn narrow(delay: u64, loss: f64, burst: f64) -> f64 {
        let conditions = Conditions {
            delay: Duration::from_millis(delay),
            loss,
            burst,
        };
        Rating::of(Codec::G711, &conditions).r()
    }

    /// G.107 table B.1: the limits between the classes of satisfaction.
    #[test]
    fn the_scores_of_the_standards_table() {
        for (r, mos) in [
            (90.0, 4.34),
            (80.0, 4.03),
            (70.0, 3.60),
            (60.0, 3.10),
            (50.0, 2.58),
        ] {
            // The table has 4.03 where its formula gives 4.024.
            near(mean_opinion(r), mos, 0.0065);
        }
        assert_eq!([-1.0, 0.5, 101.0].map(mean_opinion), [1.0, 1.0, 4.5]);
    }

    #[test]
    fn all_default_values() {
        let best = Rating::of(Codec::G711, &Conditions::default());
        near(best.r(), 93.2, 1e-9);
        near(best.mos(), 4.41, 0.005);
        let wide = Rating::of(Codec::OPUS, &Conditions::default());
        near(wide.r(), 129.0, 1e-9);
        near(wide.mos(), 4.5, 0.005);
    }

    /// The formula of section 7.4 worked out by hand.
    #[test]
    fn delay_is_free_up_to_100_ms_and_dear_from_200_on() {
        for (delay, impairment) in [(0, 0.0), (100, 0.0), (150, 0.16), (200, 3.04), (400, 24.07)] {
            near(93.2 - narrow(delay, 0.0, 0.0), impairment, 0.02);
        }
    }

    /// Ie,eff by hand: 95 * 2 / (2 / BurstR + 4.3).
    #[test]
    fn losses_impair_and_bursts_more() {
        near(93.2 - narrow(0, 0.02, 1.0), 95.0 * 2.0 / 6.3, 1e-9);
        near(93.2 - narrow(0, 0.02, 0.0), 95.0 * 2.0 / 6.3, 1e-9);
        near(93.2 - narrow(0, 0.02, 2.0 / 0.98), 95.0 * 2.0 / (1.0 + 4.3), 1e-9);
        let concealed = Rating::of(
            Codec::G711_CONCEALED,
            &Conditions {
                loss: 0.02,
                ..Conditions::default()
            },
        );
        near(93.2 - concealed.r(), 95.0 * 2.0 / 27.1, 1e-9);
    }

    #[test]
    fn a_playout_engine_says_what_was_heard() {
        let before = Statistics {
            samples: 48_000,
            concealed: 9_000,
            played: 39_000,
            delay: Duration::from_secs(39_000),
            ..Statistics::default()
        };
        let now = Statistics {
            samples: 96_000,
            concealed: 9_960,
            played: 87_000,
            delay: Duration::from_secs(39_000 + 48_000 / 20),
            ..Statistics::default()
        };
        let conditions = Conditions::heard(&before, &now, Duration::from_millis(60));
        assert_eq!(conditions.delay, Duration::from_millis(110));
        near(conditions.loss, 0.02, 1e-9);
        let nothing = Conditions::heard(&now, &now, Duration::ZERO);
        assert_eq!(nothing, Conditions::default());
        assert_eq!(
            Conditions::heard(&now, &before, Duration::ZERO),
            Conditions::default(),
            "another engine"
        );
    }

    #[test]
    fn whatever_is_measured_has_a_score() {
        for codec in [Codec::G711, Codec::G711_CONCEALED, Codec::G722, Codec::OPUS] {
            let mut last = f64::INFINITY;
            for loss in [0.0, 0.01, 0.1, 0.5, 1.0, 7.0] {
                let conditions = Conditions {
                    loss,
                    ..Conditions::default()
                };
                let mos = Rating::of(codec, &conditions).mos();
                assert!(
                    (1.0..=4.5).contains(&mos) && mos <= last,
                    "{codec:?} {loss}: {mos}"
                );
                last = mos;
            }
            for odd in [f64::NAN, f64::INFINITY, -1.0] {
                let conditions = Conditions {
                    delay: Duration::MAX,
                    loss: odd,
                    burst: odd,
                };
                let mos = Rating::of(codec, &conditions).mos();
                assert!((1.0..=4.5).contains(&mos), "{codec:?} {odd}: {mos}");
            }
        }
    }
}
