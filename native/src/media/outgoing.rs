//! The sending half of a session's audio: one RTP stream for audio and telephone events.

use bytes::Bytes;
use clearline_core::media::{Level, ReceptionReport, SenderPolicy};
use clearline_core::{Instant, MediaError};
use rtc::rtp;

use super::codec::{Encoder, Format};
use super::description::Sending;
use super::telephone_event::{EventSender, Turn};
use crate::audio::FRAME;

/// Frames of 20 ms into packets. The far end's reports decide how they are encoded.
pub(super) struct Outgoing {
    ssrc: u32,
    encoder: Option<(Sending, Encoder)>,
    policy: SenderPolicy,
    events: EventSender,
    sequence: u16,
    timestamp: u32,
    /// Audio that waits for its packet to be full.
    waiting: Vec<i16>,
    /// Samples of the packet that is being filled.
    wanted: usize,
    /// The next audio packet begins a talk spurt (RFC 3551 section 4.1).
    spurt: bool,
    level: Level,
    packets: u64,
}

impl Outgoing {
    pub(super) fn new(ssrc: u32, now: Instant) -> Self {
        // The first numbers shall be unpredictable (RFC 3550 section 5.1); the SSRC is random already.
        let (sequence, timestamp) = ((ssrc.rotate_left(11) & 0x7fff) as u16, ssrc.rotate_left(19));
        Self {
            ssrc,
            encoder: None,
            policy: SenderPolicy::new(now),
            events: EventSender::default(),
            sequence,
            timestamp,
            waiting: Vec::new(),
            wanted: FRAME,
            spurt: true,
            level: Level::default(),
            packets: 0,
        }
    }

    /// Sends like this from now on.
    pub(super) fn agree(&mut self, send: Sending) -> Result<(), MediaError> {
        let is_known =
            |(known, _): &(Sending, Encoder)| (known.format, known.opus) == (send.format, send.opus);
        match self.encoder.take_if(|known| is_known(known)) {
            Some((_, encoder)) => self.encoder = Some((send, encoder)),
            None => {
                self.encoder = Some((send, Encoder::new(send.format, send.opus)?));
                self.waiting.clear();
                self.spurt = true;
            }
        }
        Ok(())
    }

    /// The far end reports how the stream arrives.
    pub(super) fn report(&mut self, now: Instant, report: &ReceptionReport) {
        self.policy.report(now, report);
    }

    /// Queues telephone events.
    pub(super) fn queue_events(&mut self, tones: &str, duration_ms: u32) {
        self.events.queue(tones, duration_ms);
    }

    /// Forgets the telephone events that are left.
    pub(super) fn clear_events(&mut self) {
        self.events.clear();
    }

    /// The packet that this frame completes, if it does.
    pub(super) fn packet(&mut self, frame: &[i16]) -> Option<rtp::Packet> {
        self.level.add(frame);
        let (send, _) = self.encoder.as_ref()?;
        let (send, now) = (*send, self.timestamp);
        self.timestamp = now.wrapping_add(send.format.frame_ticks());
        let turn = match send.events {
            // An event waits until the audio before it has left.
            Some(_) if self.waiting.is_empty() => self.events.turn(now, send.event_ticks),
            Some(_) | None => Turn::Audio,
        };
        match turn {
            Turn::Audio => self.audio(frame, now),
            Turn::Event(event) => {
                self.spurt = true;
                let payload = event.payload.to_vec();
                Some(self.rtp(send.events?, event.timestamp, event.marker, payload))
            }
            Turn::Quiet => None,
        }
    }

    /// Time passes without a packet.
    pub(super) fn skip(&mut self) {
        if let Some((send, _)) = &self.encoder {
            self.timestamp = self.timestamp.wrapping_add(send.format.frame_ticks());
        }
        self.waiting.clear();
        self.spurt = true;
    }

    /// RTP packets so far.
    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    /// The level of what has been sent since the last time.
    pub(super) fn take_level(&mut self) -> Level {
        std::mem::take(&mut self.level)
    }

    fn audio(&mut self, frame: &[i16], now: u32) -> Option<rtp::Packet> {
        if self.waiting.is_empty() {
            self.begin_packet();
        }
        self.waiting.extend_from_slice(frame);
        if self.waiting.len() < self.wanted {
            return None;
        }
        let (send, encoder) = self.encoder.as_mut()?;
        let payload = encoder.encode(&self.waiting);
        let earlier = (self.waiting.len() / FRAME - 1) as u32 * send.format.frame_ticks();
        let payload_type = send.payload_type;
        self.waiting.clear();
        // Nothing is sent in a pause (RFC 7587 section 3.1.3), or of what cannot be encoded.
        let Ok(Some(payload)) = payload else {
            self.spurt = true;
            return None;
        };
        let marker = std::mem::take(&mut self.spurt);
        Some(self.rtp(payload_type, now.wrapping_sub(earlier), marker, payload))
    }

    /// What has been decided since the last packet counts from the next one on.
    fn begin_packet(&mut self) {
        let Some((send, encoder)) = &mut self.encoder else {
            return;
        };
        let settings = self.policy.settings();
        self.wanted = FRAME;
        if send.format == Format::Opus {
            let frames = settings.frame.min(send.longest_packet).as_millis() as usize / 20;
            self.wanted = FRAME * frames.max(1);
            encoder.set(settings);
        }
    }

    fn rtp(&mut self, payload_type: u8, timestamp: u32, marker: bool, payload: Vec<u8>) -> rtp::Packet {
        let sequence_number = self.sequence;
        self.sequence = sequence_number.wrapping_add(1);
        self.packets += 1;
        let ssrc = self.ssrc;
        rtp::Packet {
            header: rtp::Header {
                version: 2,
                marker,
                payload_type,
                sequence_number,
                timestamp,
                ssrc,
                ..Default::default()
            },
            payload: Bytes::from(payload),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clearline_core::media::codec::g711::Law;

    use super::*;
    use crate::media::codec::OpusParameters;

    fn sending(format: Format, events: Option<u8>) -> Sending {
        Sending {
            format,
            payload_type: 0,
            events,
            event_ticks: format.frame_ticks(),
            opus: OpusParameters::read("useinbandfec=1"),
            longest_packet: Duration::from_millis(40),
        }
    }

    fn outgoing(send: Sending) -> Outgoing {
        let mut outgoing = Outgoing::new(1, Instant::ZERO);
        outgoing.agree(send).unwrap();
        outgoing
    }

    fn packets(outgoing: &mut Outgoing, frames: usize) -> Vec<rtp::Packet> {
        (0..frames).filter_map(|_| outgoing.packet(&[9; FRAME])).collect()
    }

    fn types(packets: &[rtp::Packet]) -> Vec<u8> {
        packets.iter().map(|packet| packet.header.payload_type).collect()
    }

    #[test]
    fn packets_count_on_and_a_digit_replaces_the_audio() {
        let mut outgoing = outgoing(sending(Format::G711(Law::Mu), Some(101)));
        outgoing.queue_events("1", 60);
        let packets = packets(&mut outgoing, 12);
        assert_eq!(types(&packets), [101, 101, 101, 101, 101, 0, 0, 0, 0]);
        let numbers = packets
            .windows(2)
            .map(|pair| (pair[0].header.sequence_number, pair[1].header.sequence_number));
        assert!(numbers.into_iter().all(|(one, next)| next == one.wrapping_add(1)));
        let elapsed = packets[8]
            .header
            .timestamp
            .wrapping_sub(packets[0].header.timestamp);
        assert_eq!(elapsed, 11 * 160, "time goes on through the digit and the gap");
        assert!(packets[0].header.marker && packets[5].header.marker && !packets[6].header.marker);
    }

    #[test]
    fn without_events_at_the_far_end_audio_goes_on() {
        let mut outgoing = outgoing(sending(Format::G711(Law::Mu), None));
        outgoing.queue_events("1", 60);
        assert_eq!(types(&packets(&mut outgoing, 1)), [0]);
    }

    /// Makes the far end report that a queue grows, until packets are as long as they become.
    fn congest(outgoing: &mut Outgoing) {
        for second in 0..20 {
            let round_trip = Some(Duration::from_millis(if second == 0 { 20 } else { 900 }));
            let report = ReceptionReport {
                round_trip,
                ..ReceptionReport::default()
            };
            outgoing.report(Instant::from_secs(second), &report);
        }
    }

    #[test]
    fn longer_packets_begin_where_their_audio_does_and_are_no_longer_than_the_far_end_takes() {
        let mut outgoing = outgoing(sending(Format::Opus, Some(101)));
        congest(&mut outgoing);
        let long = packets(&mut outgoing, 8);
        let times: Vec<u32> = long
            .iter()
            .map(|packet| packet.header.timestamp.wrapping_sub(long[0].header.timestamp))
            .collect();
        assert_eq!(times, [0, 1_920, 3_840, 5_760], "40 ms each, not 60");
        let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
        let mut samples = [0; 6 * FRAME];
        for packet in &long {
            assert_eq!(
                decoder.decode(&packet.payload, &mut samples, false).unwrap(),
                2 * FRAME
            );
        }
    }

    #[test]
    fn a_digit_waits_until_the_packet_before_it_is_full() {
        let mut outgoing = outgoing(sending(Format::Opus, Some(101)));
        congest(&mut outgoing);
        let first = packets(&mut outgoing, 3);
        outgoing.queue_events("1", 40);
        let then = packets(&mut outgoing, 10);
        assert_eq!(
            (types(&first), types(&then)),
            (vec![0], vec![0, 101, 101, 101, 101, 0])
        );
        assert_eq!(
            then[1].header.timestamp.wrapping_sub(then[0].header.timestamp),
            1_920
        );
    }

    #[test]
    fn g711_has_packets_of_20_ms_whatever_is_reported() {
        let mut outgoing = outgoing(sending(Format::G711(Law::A), None));
        congest(&mut outgoing);
        assert!(
            packets(&mut outgoing, 5)
                .iter()
                .all(|packet| packet.payload.len() == 160)
        );
    }

    #[test]
    fn another_agreement_of_the_same_format_goes_on_and_of_another_begins_anew() {
        let mut outgoing = outgoing(sending(Format::Opus, None));
        let before = packets(&mut outgoing, 2);
        outgoing.agree(sending(Format::Opus, Some(101))).unwrap();
        assert!(before[0].header.marker && !packets(&mut outgoing, 1)[0].header.marker);
        outgoing.agree(sending(Format::G722, Some(101))).unwrap();
        let wide = packets(&mut outgoing, 1);
        assert!(wide[0].header.marker);
        assert_eq!(wide[0].payload.len(), 160);
    }

    #[test]
    fn who_wants_pauses_gets_no_packets_of_silence_and_a_mark_after_them() {
        let mut send = sending(Format::Opus, None);
        send.opus = OpusParameters::read("usedtx=1");
        let mut outgoing = outgoing(send);
        let silent = (0..100).filter_map(|_| outgoing.packet(&[0; FRAME])).count();
        assert!(silent < 30, "{silent}");
        let loud: Vec<i16> = (0..FRAME)
            .map(|n| if n / 100 % 2 == 0 { 9_000 } else { -9_000 })
            .collect();
        let packet = std::iter::from_fn(|| Some(outgoing.packet(&loud)))
            .take(5)
            .flatten()
            .next()
            .unwrap();
        assert!(packet.header.marker);
        assert_eq!(
            packet
                .header
                .timestamp
                .wrapping_sub(Outgoing::new(1, Instant::ZERO).timestamp)
                % 960,
            0
        );
    }

    #[test]
    fn time_goes_on_while_nothing_is_sent() {
        let mut outgoing = outgoing(sending(Format::G722, None));
        let before = packets(&mut outgoing, 1);
        (0..10).for_each(|_| outgoing.skip());
        let after = packets(&mut outgoing, 1);
        assert_eq!(
            after[0].header.timestamp.wrapping_sub(before[0].header.timestamp),
            11 * 160
        );
        assert!(after[0].header.marker);
    }
}
