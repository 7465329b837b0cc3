//! What went over the wire, for diagnostics and scripts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use clearline_core::CallId;
use clearline_core::media::ReceptionReport;
use clearline_core::media::playout::Statistics;

/// Calls whose figures are kept.
const KEPT: usize = 64;

/// Figures of one call's audio so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MediaStatistics {
    /// RTP packets sent, telephone events included.
    pub packets_sent: u64,
    /// RTP packets received and how they fared.
    pub received: Statistics,
    /// What the far end has last reported of what was sent, if it does.
    pub reported: Option<ReceptionReport>,
    /// Level of the audio sent in the last second, in dB relative to full scale; -infinity for silence.
    pub level_sent: f64,
    /// Level of the audio played in the last second.
    pub level_received: f64,
    /// What the audio is encoded as, `opus` for example; empty before the first agreement.
    pub format: &'static str,
    /// Milliseconds from the first complete pair of descriptions to the connected transport.
    pub setup_ms: Option<u64>,
}

/// Reads the figures of the calls of one [`WebRtcMedia`](super::WebRtcMedia). Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct StatisticsReader(Arc<Mutex<BTreeMap<CallId, MediaStatistics>>>);

impl StatisticsReader {
    /// The figures of a call; those of the last calls are kept after their end.
    pub fn of(&self, call: CallId) -> Option<MediaStatistics> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&call)
            .copied()
    }

    pub(super) fn update(&self, call: CallId, change: impl FnOnce(&mut MediaStatistics)) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() >= KEPT && !calls.contains_key(&call) {
            calls.pop_first();
        }
        change(calls.entry(call).or_default());
    }
}
