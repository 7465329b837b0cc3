//! Taking in: every packet to its place in the store, or to its end.

use super::store::{CAPACITY, Head, Kind, Waiting};
use super::timeline::transit;
use super::{Decoder, Playout, State, redundancy};
use crate::time::Instant;

impl<D: Decoder> Playout<D> {
    pub(super) fn begin_stream(&mut self, ssrc: u32, sequence: u16) -> i64 {
        let number = self.timeline.begin(ssrc, sequence);
        if self.state == State::Playing {
            self.fade_out();
        }
        self.store.clear();
        self.delay.restart();
        self.decoder.reset();
        self.state = State::Waiting { fresh: true };
        self.next = number;
        self.end = 0;
        self.played = 0;
        number
    }

    pub(super) fn insert_other(&mut self, now: Instant, number: i64, kind: Kind) {
        self.timeline.pass(number);
        self.make_way(number);
        let waiting = Waiting {
            number,
            position: 0,
            arrived: now,
            kind,
        };
        if number >= self.next && !self.store.put(waiting, &[]) {
            self.statistics.duplicates += 1;
        }
    }

    pub(super) fn insert_noise(&mut self, now: Instant, number: i64, timestamp: u32, payload: &[u8]) {
        if self.is_known(number) {
            self.statistics.duplicates += 1;
            return;
        }
        if let Some(position) = self.timeline.position(now, number, timestamp, self.packet) {
            self.put(now, number, position, Kind::ComfortNoise, payload);
        }
    }

    pub(super) fn insert_redundant(
        &mut self,
        now: Instant,
        number: i64,
        timestamp: u32,
        payload: &[u8],
        audio: u8,
    ) {
        let Some(blocks) = redundancy::blocks(payload) else {
            self.timeline.pass(number);
            self.statistics.undecodable += 1;
            return;
        };
        for (back, block) in (0_i64..).zip(blocks.rev()) {
            if block.payload_type != audio {
                continue;
            }
            if back == 0 {
                self.insert_audio(now, number, timestamp, block.payload);
            } else {
                self.insert_copy(
                    now,
                    number - back,
                    timestamp.wrapping_sub(block.offset),
                    block.payload,
                );
            }
        }
    }

    pub(super) fn insert_copy(&mut self, now: Instant, number: i64, timestamp: u32, payload: &[u8]) {
        let Some(duration) = self.duration(payload).filter(|_| !self.is_known(number)) else {
            return;
        };
        let Some(position) = self.timeline.position(now, number, timestamp, duration) else {
            return;
        };
        self.delay
            .overtaken(transit(now, position, self.rate), self.time(duration));
        if number >= self.next || self.is_fresh() {
            self.put(now, number, position, Kind::Copy, payload);
        }
    }

    pub(super) fn insert_audio(&mut self, now: Instant, number: i64, timestamp: u32, payload: &[u8]) {
        if self.is_known(number) {
            self.statistics.duplicates += 1;
            return;
        }
        let is_newest = number >= self.timeline.newest();
        let Some(duration) = self.duration(payload) else {
            self.timeline.pass(number);
            self.statistics.undecodable += 1;
            return;
        };
        let Some(position) = self.timeline.position(now, number, timestamp, duration) else {
            self.statistics.discarded += 1;
            return;
        };
        self.packet = duration;
        self.learn_delay(now, number, position, payload, is_newest);
        self.put(now, number, position, Kind::Audio, payload);
    }

    pub(super) fn learn_delay(
        &mut self,
        now: Instant,
        number: i64,
        position: i64,
        payload: &[u8],
        is_newest: bool,
    ) {
        let (came, duration) = (transit(now, position, self.rate), self.time(self.packet));
        if !is_newest {
            self.delay.overtaken(came, duration);
            return;
        }
        self.delay.arrived(now, came, duration);
        let is_gap = self.store.get(number - 1).is_none() && !self.is_fresh();
        if is_gap && self.decoder.has_copy_of_previous(payload) {
            let copy = came.saturating_add(self.micros(self.packet));
            self.delay.overtaken(copy, duration);
        }
    }

    pub(super) fn put(&mut self, now: Instant, number: i64, position: i64, kind: Kind, payload: &[u8]) {
        if self.is_fresh() {
            self.next = self.next.min(number);
        }
        let mut waiting = Waiting {
            number,
            position,
            arrived: now,
            kind,
        };
        if number < self.next {
            self.statistics.late += 1;
            self.statistics.lost = self.statistics.lost.saturating_sub(1);
            waiting.kind = Kind::Played;
            self.store.put(waiting, &[]);
            return;
        }
        self.make_way(number);
        if !self.store.put(waiting, payload) {
            self.statistics.discarded += 1;
        } else if kind == Kind::Audio {
            self.statistics.received += 1;
        }
    }

    /// The store holds only so many: what is too far behind a new number goes.
    pub(super) fn make_way(&mut self, number: i64) {
        let oldest = number - CAPACITY as i64 + 1;
        while self.next < oldest {
            let Some(head) = self.store.head(self.next, oldest - 1) else {
                self.next = oldest;
                return;
            };
            self.give_up(head);
        }
    }

    /// A packet that is there is not played.
    pub(super) fn give_up(&mut self, head: Head) {
        self.statistics.discarded += 1;
        self.statistics.lost += head.missing.unsigned_abs();
        self.store.played(head.waiting.number);
        self.next = head.waiting.number + 1;
    }

    pub(super) fn is_known(&self, number: i64) -> bool {
        self.store
            .get(number)
            .is_some_and(|(waiting, _)| waiting.kind != Kind::Copy)
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.state == State::Waiting { fresh: true }
    }

    pub(super) fn duration(&self, payload: &[u8]) -> Option<usize> {
        self.decoder
            .duration(payload)
            .filter(|&duration| duration > 0 && duration <= self.decoded.len())
    }
}
