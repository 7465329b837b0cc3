//! The way between a device and the platform: what it does to what travels on it.
//!
//! A [`Link`] has two directions, each a chain of [`Effect`]s that apply one after the other, and is either a
//! [`Hop::Stream`], which keeps order and turns loss into delay, or a [`Hop::Datagram`], which loses, repeats and
//! reorders. All chance comes from the seed of the world.

use clearline_core::{ConnectionId, Duration, Instant, Rng};

use crate::device::DeviceId;

/// The shortest time after which a stream sends a lost segment again (RFC 6298 section 2.4 allows less than a second).
const SHORTEST_RETRANSMISSION: Duration = Duration::from_millis(200);
/// A segment lost so often in a row breaks its stream.
const MOST_LOSSES: u32 = 8;

/// Something a direction of a link does to every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Each takes this long.
    Delay(Duration),
    /// Each takes up to this much longer.
    Jitter(Duration),
    /// So many of a hundred are lost; a stream sends them again, which takes time, and breaks in the end.
    Loss(u8),
    /// So many of a hundred come later by this much, and are overtaken. Datagrams only.
    Reorder(u8, Duration),
    /// So many of a hundred come twice. Datagrams only.
    Duplicate(u8),
}

/// What kind of transport carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// In order and whole, or broken: TCP, TLS, WebSocket.
    Stream,
    /// Each on its own: a UDP hop behind a gateway.
    Datagram,
}

/// What happens to an attempt to open a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It succeeds as soon as the delays allow.
    Accepted,
    /// It is refused.
    Refused,
    /// It succeeds after this time.
    Slow(Duration),
}

/// Seen from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the platform.
    Up,
    /// To the device.
    Down,
}

/// What a device's network is like.
///
/// ```
/// use clearline_core::Duration;
/// use clearline_sim::{Effect, Hop, Link};
///
/// let mobile = Link::new()
///     .with(Effect::Delay(Duration::from_millis(60)))
///     .with(Effect::Jitter(Duration::from_millis(40)))
///     .with(Effect::Loss(2));
/// let gateway = Link::new().over(Hop::Datagram).with(Effect::Duplicate(20));
/// # let _ = (mobile, gateway);
/// ```
#[derive(Clone, Debug)]
pub struct Link {
    up: Path,
    down: Path,
    hop: Hop,
    pub(crate) opening: Opening,
}

/// One direction.
#[derive(Clone, Debug, Default)]
struct Path {
    effects: Vec<Effect>,
    /// Everything vanishes without a trace, and nobody is told.
    is_dead: bool,
}

/// What becomes of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives once at each of these moments: usually one, none if it is lost.
    Arrives(Vec<Instant>),
    /// The stream gives up at this moment; both ends are told.
    Breaks(Instant),
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

impl Link {
    /// A stream without delay.
    pub fn new() -> Self {
        Self {
            up: Path::default(),
            down: Path::default(),
            hop: Hop::Stream,
            opening: Opening::Accepted,
        }
    }

    /// The network of an office: 10 ms each way.
    pub fn office() -> Self {
        Self::new().with(Effect::Delay(Duration::from_millis(10)))
    }

    /// Adds an effect in both directions.
    #[must_use]
    pub fn with(self, effect: Effect) -> Self {
        self.with_on(Way::Up, effect).with_on(Way::Down, effect)
    }

    /// Adds an effect in one direction.
    #[must_use]
    pub fn with_on(mut self, way: Way, effect: Effect) -> Self {
        self.path_mut(way).effects.push(effect);
        self
    }

    /// Over another kind of transport.
    #[must_use]
    pub fn over(mut self, hop: Hop) -> Self {
        self.hop = hop;
        self
    }

    /// Attempts to open a connection end like this.
    #[must_use]
    pub fn opening(mut self, opening: Opening) -> Self {
        self.opening = opening;
        self
    }

    /// Lets one direction swallow everything, or stops it doing so.
    #[must_use]
    pub fn dead(mut self, way: Way, is_dead: bool) -> Self {
        self.path_mut(way).is_dead = is_dead;
        self
    }

    pub(crate) fn is_alive(&self, way: Way) -> bool {
        let path = match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        };
        !path.is_dead
    }

    /// What becomes of a message sent at `now`, if the one before it arrives at `previous`.
    pub(crate) fn carry(&self, rng: &mut Rng, way: Way, now: Instant, previous: Instant) -> Fate {
        let path = match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        };
        match self.hop {
            Hop::Stream => path.carry_in_order(rng, now, previous),
            Hop::Datagram => path.carry_alone(rng, now),
        }
    }

    fn path_mut(&mut self, way: Way) -> &mut Path {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}

impl Path {
    fn carry_in_order(&self, rng: &mut Rng, now: Instant, previous: Instant) -> Fate {
        let mut arrival = now;
        let mut lost = 0;
        for effect in &self.effects {
            match *effect {
                Effect::Delay(delay) => arrival += delay,
                Effect::Jitter(most) => arrival += rng.between(Duration::ZERO, most),
                Effect::Loss(percent) => {
                    while lost < MOST_LOSSES && happens(rng, percent) {
                        lost += 1;
                    }
                }
                // A stream puts them right.
                Effect::Reorder(..) | Effect::Duplicate(_) => {}
            }
        }
        // Each retransmission takes twice as long as the one before (RFC 6298 section 5.5).
        let first = SHORTEST_RETRANSMISSION.max((arrival - now) * 3);
        arrival += first * (2_u32.pow(lost) - 1);
        // What was sent before arrives before.
        let arrival = arrival.max(previous);
        if lost == MOST_LOSSES {
            Fate::Breaks(arrival)
        } else {
            Fate::Arrives(vec![arrival])
        }
    }

    fn carry_alone(&self, rng: &mut Rng, now: Instant) -> Fate {
        let mut arrivals = vec![now];
        for effect in &self.effects {
            match *effect {
                Effect::Delay(delay) => arrivals.iter_mut().for_each(|at| *at += delay),
                Effect::Jitter(most) => arrivals
                    .iter_mut()
                    .for_each(|at| *at += rng.between(Duration::ZERO, most)),
                Effect::Loss(percent) => arrivals.retain(|_| !happens(rng, percent)),
                Effect::Reorder(percent, by) => arrivals
                    .iter_mut()
                    .filter(|_| happens(rng, percent))
                    .for_each(|at| *at += by),
                Effect::Duplicate(percent) => {
                    let copies: Vec<_> = arrivals
                        .iter()
                        .copied()
                        .filter(|_| happens(rng, percent))
                        .collect();
                    arrivals.extend(copies);
                }
            }
        }
        Fate::Arrives(arrivals)
    }
}

fn happens(rng: &mut Rng, percent: u8) -> bool {
    rng.next_u64() % 100 < u64::from(percent)
}

/// One connection, seen from both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) device: DeviceId,
    /// The device's name for it.
    pub(crate) local: ConnectionId,
    /// Whether it is open at the platform's end.
    pub(crate) platform_open: bool,
    /// Whether it is open at the device's end.
    pub(crate) device_open: bool,
    /// When the last message towards the platform arrives.
    pub(crate) last_up: Instant,
    /// When the last message towards the device arrives.
    pub(crate) last_down: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn arrivals(link: &Link, messages: u64) -> Vec<Vec<Instant>> {
        let mut rng = Rng::new([3; 32]);
        let mut previous = Instant::ZERO;
        let mut all = Vec::new();
        for sent in 0..messages {
            match link.carry(&mut rng, Way::Up, at(sent), previous) {
                Fate::Arrives(times) => {
                    previous = times.last().copied().unwrap_or(previous);
                    all.push(times);
                }
                Fate::Breaks(_) => break,
            }
        }
        all
    }

    #[test]
    fn effects_add_up() {
        let link = Link::new()
            .with(Effect::Delay(10 * MS))
            .with_on(Way::Up, Effect::Delay(5 * MS));
        assert_eq!(arrivals(&link, 1), [[at(15)]]);
    }

    #[test]
    fn a_stream_keeps_order_and_loses_nothing() {
        let link = Link::new()
            .with(Effect::Jitter(500 * MS))
            .with(Effect::Loss(20))
            .with(Effect::Reorder(50, 900 * MS))
            .with(Effect::Duplicate(50));
        let all = arrivals(&link, 200);
        assert_eq!(all.len(), 200);
        assert!(all.iter().all(|times| times.len() == 1));
        assert!(all.is_sorted());
        assert!(all.concat()[199] > at(200), "loss costs time");
    }

    #[test]
    fn a_stream_that_loses_everything_breaks() {
        let link = Link::new().with(Effect::Loss(100));
        assert!(arrivals(&link, 5).is_empty());
    }

    #[test]
    fn datagrams_are_lost_repeated_and_overtaken() {
        let link = Link::office().over(Hop::Datagram);
        let lossy = link.clone().with(Effect::Loss(30));
        let lost = arrivals(&lossy, 200)
            .iter()
            .filter(|times| times.is_empty())
            .count();
        assert!((30..90).contains(&lost), "{lost} of 200");
        let doubling = link.clone().with(Effect::Duplicate(30));
        assert!(arrivals(&doubling, 200).iter().any(|times| times.len() == 2));
        let reordering = link.with(Effect::Reorder(30, 50 * MS));
        assert!(!arrivals(&reordering, 200).concat().is_sorted());
    }
}
