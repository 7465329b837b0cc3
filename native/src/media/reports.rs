//! What the far end reports of the audio sent to it: read from RTCP on its way through the connection.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use clearline_core::media::ReceptionReport;
use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport as Block;
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use tokio::sync::mpsc;

/// Sender reports whose echo may still come: ten seconds of them.
const REMEMBERED: usize = 10;
/// Reports that may wait for whoever takes them; they come once a second.
const QUEUE: usize = 8;

/// The queue between a [`ReportReader`] and the stream.
pub(crate) fn queue() -> (mpsc::Sender<ReceptionReport>, mpsc::Receiver<ReceptionReport>) {
    mpsc::channel(QUEUE)
}

/// Looks at the packets of a connection, and lets all of them pass.
pub(super) struct ReportReader {
    /// The stream that is sent.
    ssrc: u32,
    reports: mpsc::Sender<ReceptionReport>,
    /// When which sender report left, by the middle of its NTP time.
    sent: VecDeque<(u32, Instant)>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl ReportReader {
    pub(super) fn new(ssrc: u32, reports: mpsc::Sender<ReceptionReport>) -> Self {
        Self {
            ssrc,
            reports,
            sent: VecDeque::new(),
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
        }
    }

    fn read(&self, packet: &dyn rtcp::Packet, now: Instant) {
        // Whoever sends audio itself reports in its sender reports (RFC 3550 section 6.4).
        let packet = packet.as_any();
        let in_sender_report = || Some(&packet.downcast_ref::<SenderReport>()?.reports);
        let blocks = packet
            .downcast_ref::<ReceiverReport>()
            .map(|report| &report.reports);
        let blocks = blocks.or_else(in_sender_report).into_iter().flatten();
        for block in blocks.filter(|block| block.ssrc == self.ssrc) {
            // Whoever is that far behind needs no more of them.
            let _ = self.reports.try_send(self.report(block, now));
        }
    }

    fn report(&self, block: &Block, now: Instant) -> ReceptionReport {
        // A number of 24 bits with a sign.
        let lost = (block.total_lost << 8).cast_signed() >> 8;
        ReceptionReport {
            fraction_lost: block.fraction_lost,
            lost,
            highest_sequence: block.last_sequence_number,
            jitter: block.jitter,
            round_trip: self.round_trip(block, now),
        }
    }

    /// From a sender report to its echo, less the time it lay at the far end (RFC 3550 section 6.4.1).
    fn round_trip(&self, block: &Block, now: Instant) -> Option<Duration> {
        let (_, sent) = self
            .sent
            .iter()
            .find(|(time, _)| *time == block.last_sender_report)?;
        let delay = Duration::from_secs_f64(f64::from(block.delay) / 65_536.0);
        now.saturating_duration_since(*sent).checked_sub(delay)
    }

    fn remember(&mut self, packet: &dyn rtcp::Packet, now: Instant) {
        if let Some(report) = packet.as_any().downcast_ref::<SenderReport>() {
            self.sent.truncate(REMEMBERED - 1);
            self.sent.push_front(((report.ntp_time >> 16) as u32, now));
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for ReportReader {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(parts) = &packet.message.packet {
            parts.iter().for_each(|part| self.read(part.as_ref(), packet.now));
        }
        self.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(parts) = &packet.message.packet {
            parts
                .iter()
                .for_each(|part| self.remember(part.as_ref(), packet.now));
        }
        self.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }

    fn handle_timeout(&mut self, _now: Instant) -> Result<(), Error> {
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        None
    }
}

impl Interceptor for ReportReader {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use rtc::interceptor::AttributedPacket;
    use rtc::shared::TransportContext;
    use rtc::shared::marshal::Marshal as _;

    use super::*;

    const SSRC: u32 = 7;

    fn packet(part: impl rtcp::Packet + 'static, now: Instant) -> TaggedPacket {
        TaggedPacket {
            now,
            transport: TransportContext::default(),
            message: AttributedPacket::new(Packet::Rtcp(vec![Box::new(part)])),
        }
    }

    fn block(last_sender_report: u32, delay: u32) -> Block {
        Block {
            ssrc: SSRC,
            fraction_lost: 25,
            total_lost: 0x00ff_fffe,
            last_sequence_number: 70_000,
            jitter: 960,
            last_sender_report,
            delay,
        }
    }

    fn sender_report(reports: Vec<Block>) -> SenderReport {
        SenderReport {
            ntp_time: 0x1111_2222_3333_4444,
            reports,
            ..Default::default()
        }
    }

    fn receiver_report(reports: Vec<Block>) -> ReceiverReport {
        ReceiverReport {
            reports,
            ..Default::default()
        }
    }

    #[test]
    fn a_report_tells_of_loss_and_of_the_time_there_and_back() {
        let (sender, mut reports) = queue();
        let mut reader = ReportReader::new(SSRC, sender);
        let begin = Instant::now();
        reader.handle_write(packet(sender_report(vec![]), begin)).unwrap();
        assert!(reader.poll_write().is_some() && reader.poll_write().is_none());
        // The far end has kept it for half a second.
        let now = begin + Duration::from_millis(580);
        let echo = block(0x2222_3333, 0x8000);
        reader
            .handle_read(packet(receiver_report(vec![echo]), now))
            .unwrap();
        assert!(reader.poll_read().is_some());
        let report = reports.try_recv().unwrap();
        assert_eq!((report.fraction_lost, report.lost, report.jitter), (25, -2, 960));
        assert_eq!(report.round_trip, Some(Duration::from_millis(80)));
    }

    #[test]
    fn whoever_sends_too_reports_in_sender_reports_and_others_are_not_meant() {
        let (sender, mut reports) = queue();
        let mut reader = ReportReader::new(SSRC, sender);
        let other = Block {
            ssrc: 8,
            ..block(0, 0)
        };
        let part = sender_report(vec![other, block(0, 0)]);
        reader.handle_read(packet(part, Instant::now())).unwrap();
        assert_eq!(reports.try_recv().unwrap().highest_sequence, 70_000);
        assert!(reports.try_recv().is_err());
    }

    #[test]
    fn an_echo_of_nothing_or_from_the_future_has_no_round_trip() {
        let (sender, mut reports) = queue();
        let mut reader = ReportReader::new(SSRC, sender);
        let now = Instant::now();
        reader.handle_write(packet(sender_report(vec![]), now)).unwrap();
        for echo in [block(0, 0), block(0x9999, 0), block(0x2222_3333, u32::MAX)] {
            reader
                .handle_read(packet(receiver_report(vec![echo]), now))
                .unwrap();
            assert_eq!(reports.try_recv().unwrap().round_trip, None);
        }
    }

    #[test]
    fn a_storm_of_reports_is_kept_out_and_old_ones_are_forgotten() {
        let (sender, mut reports) = queue();
        let mut reader = ReportReader::new(SSRC, sender);
        let now = Instant::now();
        for _ in 0..100 {
            reader.handle_write(packet(sender_report(vec![]), now)).unwrap();
            let storm = receiver_report(vec![block(0, 0); 31]);
            reader.handle_read(packet(storm, now)).unwrap();
            while reader.poll_read().is_some() || reader.poll_write().is_some() {}
        }
        assert_eq!(reader.sent.len(), REMEMBERED);
        assert_eq!(std::iter::from_fn(|| reports.try_recv().ok()).count(), QUEUE);
    }
    proptest! {
        /// Any bytes are RTCP or not, and RTCP that was tampered with says something or nothing.
        #[test]
        fn whatever_comes_as_rtcp_breaks_nothing(
            noise in prop::collection::vec(any::<u8>(), 0..300),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut: prop::sample::Index,
        ) {
            let mut valid = receiver_report(vec![block(1, 2); 3]).marshal().unwrap().to_vec();
            valid.extend(sender_report(vec![block(3, 4)]).marshal().unwrap());
            for (place, byte) in changes {
                let place = place.index(valid.len());
                valid[place] = byte;
            }
            let cut = cut.index(valid.len());
            for bytes in [&noise[..], &valid, &valid[..cut], &valid[cut..]] {
                let (sender, mut reports) = queue();
                let mut reader = ReportReader::new(SSRC, sender);
                let Ok(parts) = rtcp::packet::unmarshal(&mut Bytes::copy_from_slice(bytes)) else { continue };
                let packet = || TaggedPacket {
                    now: Instant::now(),
                    transport: TransportContext::default(),
                    message: AttributedPacket::new(Packet::Rtcp(parts.clone())),
                };
                reader.handle_write(packet()).unwrap();
                reader.handle_read(packet()).unwrap();
                while reports.try_recv().is_ok() {}
            }
        }
    }
}
