//! DTMF as telephone events (RFC 4733): digits travel as named events beside the audio, not as sound.

use std::collections::VecDeque;

/// The events 0 to 15 in their order.
const TONES: &[u8; 16] = b"0123456789*#ABCD";
/// Silence between two tones, in frames of 20 ms: 60 ms.
const GAP_FRAMES: u32 = 3;
/// How often the end of an event is said (section 2.5.1.4).
const END_PACKETS: u32 = 3;
/// Power of the tone the event stands for, in -dBm0 (section 2.3.4).
const VOLUME: u8 = 10;
/// The end bit.
const END: u8 = 0x80;
/// A duration field that is full; the event goes on with a new timestamp (section 2.5.1.3).
const FULL: u32 = 0xffff;
/// A packet this many ticks older than the newest (2 s or more) is no straggler: the far end's clock has begun anew.
const REORDERED: i32 = 96_000;

/// Queue and state of outgoing tones.
///
/// ```text
/// Idle --tone queued--> Sounding --duration reached--> Ending (3 packets) --> Gap (60 ms) --> Idle
/// ```
#[derive(Clone, Debug, Default)]
pub(crate) struct EventSender {
    queue: VecDeque<(u8, u32)>,
    state: SendState,
}

#[derive(Clone, Copy, Debug, Default)]
enum SendState {
    #[default]
    Idle,
    Sounding {
        event: u8,
        started: u32,
        frames: u32,
        left: u32,
    },
    Ending {
        event: u8,
        started: u32,
        duration: u32,
        left: u32,
    },
    Gap {
        left: u32,
    },
}

/// What takes the place of an audio packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventPacket {
    pub(crate) payload: [u8; 4],
    /// The beginning of the event, whatever the time now.
    pub(crate) timestamp: u32,
    /// The first packet of the event.
    pub(crate) marker: bool,
}

/// What to send in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// No event is under way: send audio.
    Audio,
    /// This, and no audio.
    Event(EventPacket),
    /// Nothing: the silence between two tones.
    Quiet,
}

impl EventSender {
    /// Queues `tones` of `duration_ms` each; characters that are no tones are left out.
    pub(crate) fn queue(&mut self, tones: &str, duration_ms: u32) {
        let frames = (duration_ms / 20).clamp(2, 300);
        let events = tones
            .bytes()
            .filter_map(|tone| event_of(tone.to_ascii_uppercase()));
        self.queue.extend(events.map(|event| (event, frames)));
    }

    /// Forgets everything, also what is sounding.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// One step of 20 ms at RTP time `now`, where a frame has `ticks` ticks.
    pub(crate) fn turn(&mut self, now: u32, ticks: u32) -> Turn {
        match self.state {
            SendState::Idle => self.begin(now, ticks),
            SendState::Sounding {
                event,
                started,
                frames,
                left,
            } => self.sound(event, started, frames, left, ticks),
            SendState::Ending {
                event,
                started,
                duration,
                left,
            } => {
                self.state = match left {
                    0 | 1 => SendState::Gap { left: GAP_FRAMES },
                    left => SendState::Ending {
                        event,
                        started,
                        duration,
                        left: left - 1,
                    },
                };
                packet(event, END, duration, started, false)
            }
            SendState::Gap { left } => {
                self.state = if left <= 1 {
                    SendState::Idle
                } else {
                    SendState::Gap { left: left - 1 }
                };
                Turn::Quiet
            }
        }
    }

    fn begin(&mut self, now: u32, ticks: u32) -> Turn {
        let Some((event, frames)) = self.queue.pop_front() else {
            return Turn::Audio;
        };
        self.state = SendState::Sounding {
            event,
            started: now,
            frames: 1,
            left: frames - 1,
        };
        packet(event, 0, ticks, now, true)
    }

    fn sound(&mut self, event: u8, mut started: u32, mut frames: u32, left: u32, ticks: u32) -> Turn {
        if (frames + 1) * ticks > FULL {
            started = started.wrapping_add(frames * ticks);
            frames = 0;
        }
        frames += 1;
        let duration = frames * ticks;
        if left > 1 {
            self.state = SendState::Sounding {
                event,
                started,
                frames,
                left: left - 1,
            };
            return packet(event, 0, duration, started, false);
        }
        self.state = SendState::Ending {
            event,
            started,
            duration,
            left: END_PACKETS - 1,
        };
        packet(event, END, duration, started, false)
    }
}

/// Turns received event packets into tones, one per key press.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventReceiver {
    last: Option<Received>,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    event: u8,
    timestamp: u32,
    duration: u32,
    ended: bool,
}

impl EventReceiver {
    /// Takes a packet; the tone if it is the first of a new one.
    pub(crate) fn receive(&mut self, payload: &[u8], timestamp: u32) -> Option<char> {
        let &[event, flags, high, low, ..] = payload else {
            return None;
        };
        let tone = char::from(*TONES.get(usize::from(event))?);
        let duration = u32::from(u16::from_be_bytes([high, low]));
        let received = Received {
            event,
            timestamp,
            duration,
            ended: flags & END != 0,
        };
        let Some(last) = self.last else {
            self.last = Some(received);
            return Some(tone);
        };
        let age = timestamp.wrapping_sub(last.timestamp).cast_signed();
        if (-REORDERED..0).contains(&age) {
            return None;
        }
        if age == 0 {
            self.last = Some(Received {
                duration: duration.max(last.duration),
                ended: received.ended || last.ended,
                ..last
            });
            return None;
        }
        self.last = Some(received);
        // A long event goes on with a new timestamp once its duration field is full.
        let segment = !last.ended
            && last.event == event
            && (0..=FULL.cast_signed()).contains(&age)
            && last.duration + 2_000 > FULL;
        (!segment).then_some(tone)
    }
}

fn event_of(tone: u8) -> Option<u8> {
    TONES
        .iter()
        .position(|&known| known == tone)
        .map(|index| index as u8)
}

fn packet(event: u8, end: u8, duration: u32, timestamp: u32, marker: bool) -> Turn {
    let [high, low] = (duration.min(FULL) as u16).to_be_bytes();
    Turn::Event(EventPacket {
        payload: [event, end | VOLUME, high, low],
        timestamp,
        marker,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICKS: u32 = 960;

    /// The turns of `frames` frames, with the RTP time of each.
    fn run(sender: &mut EventSender, frames: u32) -> Vec<Turn> {
        (0..frames)
            .map(|frame| sender.turn(1_000 + frame * TICKS, TICKS))
            .collect()
    }

    fn event(turn: Turn) -> EventPacket {
        match turn {
            Turn::Event(packet) => packet,
            other @ (Turn::Audio | Turn::Quiet) => panic!("no event but {other:?}"),
        }
    }

    #[test]
    fn a_tone_has_one_marker_one_timestamp_a_growing_duration_and_three_ends() {
        let mut sender = EventSender::default();
        sender.queue("5", 100);
        let turns = run(&mut sender, 12);
        let packets: Vec<EventPacket> = turns[..7].iter().copied().map(event).collect();
        assert!(
            packets
                .iter()
                .all(|packet| packet.payload[0] == 5 && packet.timestamp == 1_000)
        );
        assert_eq!(packets.iter().filter(|packet| packet.marker).count(), 1);
        assert!(packets[0].marker);
        let durations: Vec<u16> = packets
            .iter()
            .map(|packet| u16::from_be_bytes([packet.payload[2], packet.payload[3]]))
            .collect();
        assert_eq!(durations, [960, 1_920, 2_880, 3_840, 4_800, 4_800, 4_800]);
        let ends: Vec<bool> = packets
            .iter()
            .map(|packet| packet.payload[1] & END != 0)
            .collect();
        assert_eq!(ends, [false, false, false, false, true, true, true]);
        assert_eq!(turns[7..10], [Turn::Quiet; 3]);
        assert_eq!(turns[10..], [Turn::Audio; 2]);
    }

    #[test]
    fn tones_queue_and_arrive_once_each_despite_loss_and_reordering() {
        let mut sender = EventSender::default();
        sender.queue("1", 100);
        sender.queue("1#d", 60);
        let turns = run(&mut sender, 60);
        let mut packets: Vec<EventPacket> = turns
            .into_iter()
            .filter(|turn| matches!(turn, Turn::Event(_)))
            .map(event)
            .collect();
        packets.swap(3, 4);
        let heard = |packets: &[EventPacket]| -> String {
            let mut receiver = EventReceiver::default();
            packets
                .iter()
                .filter_map(|packet| receiver.receive(&packet.payload, packet.timestamp))
                .collect()
        };
        assert_eq!(heard(&packets), "11#D");
        let only_ends: Vec<EventPacket> = packets
            .into_iter()
            .filter(|packet| packet.payload[1] & END != 0)
            .collect();
        assert_eq!(heard(&only_ends), "11#D", "the end alone tells the tone");
    }

    #[test]
    fn a_tone_too_long_for_one_duration_field_is_still_one_tone() {
        let mut sender = EventSender::default();
        sender.queue("9", 4_000);
        let mut receiver = EventReceiver::default();
        let heard: Vec<char> = run(&mut sender, 250)
            .into_iter()
            .filter(|turn| matches!(turn, Turn::Event(_)))
            .map(event)
            .filter_map(|packet| receiver.receive(&packet.payload, packet.timestamp))
            .collect();
        assert_eq!(heard, ['9']);
    }

    #[test]
    fn a_far_end_whose_clock_begins_anew_is_heard() {
        let mut receiver = EventReceiver::default();
        assert_eq!(receiver.receive(&[1, 0, 0, 160], 4_000_000_000), Some('1'));
        assert_eq!(
            receiver.receive(&[2, 0, 0, 160], 4_000_000_000 - 960),
            None,
            "a straggler"
        );
        assert_eq!(receiver.receive(&[3, 0, 0, 160], 3_000_000_000), Some('3'));
        assert_eq!(receiver.receive(&[4, 0, 0, 160], 3_000_000_960), Some('4'));
    }

    #[test]
    fn an_event_that_never_ends_is_one_tone() {
        let mut receiver = EventReceiver::default();
        // For an hour at 8 kHz: a new timestamp whenever the duration is full.
        let ticks = (160_u32..28_800_000).step_by(160);
        let heard = ticks.filter_map(|now| {
            let segment = (now - 160) / 65_440;
            let [high, low] = ((now - segment * 65_440) as u16).to_be_bytes();
            receiver.receive(&[7, VOLUME, high, low], segment * 65_440)
        });
        assert_eq!(heard.collect::<String>(), "7");
    }

    proptest! {
        /// Whatever is dialled arrives, if of each tone a packet does, however often and in whatever order those come.
        #[test]
        fn what_is_dialled_arrives(
            tones in "[0-9*#A-D]{1,6}",
            duration in 0_u32..1_000,
            ticks in prop::sample::select(vec![160_u32, 960]),
            keep in prop::collection::vec(0_u8..4, 60),
            begin: u32,
        ) {
            let mut sender = EventSender::default();
            sender.queue(&tones, duration);
            let turns: Vec<Turn> = (0..400).map(|at| sender.turn(begin.wrapping_add(at * ticks), ticks)).collect();
            let mut events: Vec<Vec<EventPacket>> = Vec::new();
            for turn in &turns {
                let Turn::Event(packet) = turn else { continue };
                if packet.marker {
                    events.push(Vec::new());
                }
                events.last_mut().unwrap().push(*packet);
            }
            prop_assert_eq!(events.len(), tones.len());
            let mut receiver = EventReceiver::default();
            let mut heard = String::new();
            let mut fates = keep.into_iter().cycle();
            for packets in &events {
                let flags = |packet: &EventPacket| packet.payload[1] & END != 0;
                let length = |packet: &EventPacket| u32::from(u16::from_be_bytes([packet.payload[2], packet.payload[3]]));
                prop_assert!(packets.iter().all(|it| it.timestamp == packets[0].timestamp));
                prop_assert_eq!(packets.iter().filter(|it| flags(it)).count(), 3);
                let (sounding, ends) = packets.split_at(packets.len() - 3);
                prop_assert!(ends.iter().all(|it| flags(it) && length(it) == length(&ends[0])));
                let growing = sounding.iter().chain(&ends[..1]).zip(1..);
                prop_assert!(growing.into_iter().all(|(it, count)| length(it) == count * ticks));
                prop_assert!(length(&ends[0]) >= duration.max(40) / 20 * ticks);
                let mut arrived: Vec<EventPacket> = packets.iter().filter(|_| fates.next() != Some(0)).copied().collect();
                arrived.push(packets[0]);
                let count = arrived.len();
                arrived.rotate_left(usize::from(fates.next().unwrap_or_default()) % count);
                heard.extend(arrived.iter().filter_map(|it| receiver.receive(&it.payload, it.timestamp)));
            }
            prop_assert_eq!(heard, tones);
            prop_assert!(turns.last() == Some(&Turn::Audio), "audio goes on");
        }

        #[test]
        fn whatever_comes_is_at_most_a_tone_each(packets in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..8), any::<u32>()), 0..50)) {
            let mut receiver = EventReceiver::default();
            for (payload, timestamp) in packets {
                let tone = receiver.receive(&payload, timestamp);
                prop_assert!(tone.is_none_or(|tone| TONES.contains(&(tone as u8))));
                prop_assert_eq!(receiver.receive(&payload, timestamp), None, "a repetition is no tone");
            }
        }
    }

    #[test]
    fn short_packets_and_unknown_events_are_ignored() {
        let mut receiver = EventReceiver::default();
        assert_eq!(receiver.receive(&[1, 0, 0], 0), None);
        assert_eq!(receiver.receive(&[16, 0, 0, 1], 0), None);
        assert_eq!(receiver.receive(&[15, 0, 0, 1, 99], 0), Some('D'));
    }
}
