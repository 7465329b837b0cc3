//! A packet trace: when each packet of a call was sent and when, if at all, it arrived.

use std::error::Error;
use std::fmt;

use clearline_core::{Duration, Instant};

/// The first line of a trace as text.
pub const HEADER: &str = "sequence,rtp_timestamp,sent_us,arrived_us";

/// Packets a trace may have: five and a half hours of 20 ms.
const MAX_PACKETS: usize = 1_000_000;
/// Bytes a line may have; the longest sensible one has 62.
const MAX_LINE: usize = 128;

/// The packets of one RTP stream in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// In order of sending.
    pub packets: Vec<Passage>,
}

/// One packet on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// When it left the sender, on the receiver's clock.
    pub sent: Instant,
    /// When it reached the receiver; `None` if it was lost.
    pub arrived: Option<Instant>,
}

impl Passage {
    /// Time on the way.
    pub fn delay(&self) -> Option<Duration> {
        self.arrived.map(|arrived| arrived - self.sent)
    }
}

/// What a trace does to packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Share of the packets that never arrive, in per cent.
    pub lost: f64,
    /// Mean delay of those that do, in ms.
    pub mean: f64,
    /// 95th percentile of it.
    pub p95: f64,
    /// The longest delay.
    pub max: f64,
}

impl Trace {
    /// The figures of the packets from number `lead` on.
    pub fn figures(&self, lead: usize) -> Figures {
        let window = self.packets.get(lead..).unwrap_or_default();
        let mut delays: Vec<f64> = window
            .iter()
            .filter_map(Passage::delay)
            .map(|delay| delay.as_secs_f64() * 1e3)
            .collect();
        delays.sort_by(f64::total_cmp);
        Figures {
            lost: percentage(window.len() - delays.len(), window.len()),
            mean: mean(&delays),
            p95: percentile(&delays, 95),
            max: delays.last().copied().unwrap_or(0.0),
        }
    }

    /// Reads what [`Display`](fmt::Display) writes; the header may be missing.
    ///
    /// # Errors
    /// Names the first line that is not a packet, or says that there are too many.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut packets = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || index == 0 && line.starts_with("sequence,") {
                continue;
            }
            let malformed = TraceError::Malformed { line: index + 1 };
            if packets.len() == MAX_PACKETS {
                return Err(TraceError::TooLong);
            }
            packets.push(passage(line).ok_or(malformed)?);
        }
        Ok(Self { packets })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        for packet in &self.packets {
            let Passage {
                sequence,
                timestamp,
                sent,
                arrived,
            } = packet;
            write!(f, "{sequence},{timestamp},{},", sent.as_micros())?;
            match arrived {
                Some(arrived) => writeln!(f, "{}", arrived.as_micros())?,
                None => writeln!(f, "lost")?,
            }
        }
        Ok(())
    }
}

/// Why a text is no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceError {
    /// This line, counted from 1, is not `sequence,rtp_timestamp,sent_us,arrived_us|lost`.
    Malformed {
        /// Its number.
        line: usize,
    },
    /// More than a million packets.
    TooLong,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line } => write!(
                f,
                "line {line} is not `{HEADER}`, with `lost` for what never arrived"
            ),
            Self::TooLong => write!(f, "more than {MAX_PACKETS} packets"),
        }
    }
}

impl Error for TraceError {}

fn passage(line: &str) -> Option<Passage> {
    if line.len() > MAX_LINE {
        return None;
    }
    let mut fields = line.split(',');
    let sequence = fields.next()?.parse().ok()?;
    let timestamp = fields.next()?.parse().ok()?;
    let sent = Instant::from_micros(fields.next()?.parse().ok()?);
    let arrived = match fields.next()? {
        "lost" => None,
        micros => Some(Instant::from_micros(micros.parse().ok()?)),
    };
    fields.next().is_none().then_some(Passage {
        sequence,
        timestamp,
        sent,
        arrived,
    })
}

/// `part` of `whole` in per cent; 0 of nothing.
pub fn percentage(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// The mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The value that `percent` of these ascending values do not exceed; 0 of nothing.
pub fn percentile(ascending: &[f64], percent: usize) -> f64 {
    let index = (ascending.len() * percent).div_ceil(100).saturating_sub(1);
    ascending.get(index).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "sequence,rtp_timestamp,sent_us,arrived_us\n65535,4294967295,0,20000\n0,959,20000,lost\n1,1919,40000,40000\n";

    #[test]
    fn what_is_written_is_read_again() {
        let trace = Trace::parse(TEXT).unwrap();
        assert_eq!(trace.packets.len(), 3);
        assert_eq!(trace.packets[1].arrived, None);
        assert_eq!(trace.packets[0].delay(), Some(Duration::from_millis(20)));
        assert_eq!(trace.to_string(), TEXT);
        assert_eq!(
            Trace::parse(TEXT.split_once('\n').unwrap().1),
            Ok(trace),
            "without the header"
        );
    }

    #[test]
    fn figures_are_those_of_the_window() {
        let trace = Trace::parse(TEXT).unwrap();
        let Figures { lost, mean, p95, max } = trace.figures(0);
        assert!((lost - 100.0 / 3.0).abs() < 1e-9);
        assert_eq!((mean, p95, max), (10.0, 20.0, 20.0));
        assert_eq!(trace.figures(1).lost, 50.0);
        assert_eq!(trace.figures(9).lost, 0.0, "of nothing");
    }

    #[test]
    fn a_line_that_is_no_packet_is_named() {
        for (bad, line) in [
            ("1,2,3", 1),
            ("1,2,3,4,5", 1),
            ("65536,2,3,4", 1),
            ("1,2,3,4\n1,2,-3,4", 2),
            ("1,2,3,Lost", 1),
            ("\n\nnonsense", 3),
        ] {
            assert_eq!(Trace::parse(bad), Err(TraceError::Malformed { line }), "{bad}");
        }
        let long = format!("1,2,3,{}4", "0".repeat(200));
        assert_eq!(Trace::parse(&long), Err(TraceError::Malformed { line: 1 }));
    }
}
