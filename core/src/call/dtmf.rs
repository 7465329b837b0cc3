//! Tones: by RTP (RFC 4733) where the far end takes them, else by INFO (`application/dtmf-relay`); pauses in between.

use std::collections::VecDeque;

use super::{
    Call, CallState, CommandError, Endpoint, MediaAction, MediaError, MediaOutcome, MediaRequestId, Message,
    OperationError, OperationId, Stage,
};
use crate::endpoint::Purpose;
use crate::sip::Method;
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;

/// How long a tone sounds. Receivers may ask for 40 ms, but what a browser plays of 100 ms was measured to be half of it.
const TONE_MS: u32 = 160;
const TONE: Duration = Duration::from_millis(TONE_MS as u64);
/// The silence between two tones.
const GAP: Duration = Duration::from_millis(70);
/// What `,` and `;` stand for.
const PAUSE: Duration = Duration::from_secs(2);

/// The sequence being sent, and those behind it.
#[derive(Clone, Debug, Default)]
pub(super) struct Dtmf {
    queue: VecDeque<Sequence>,
    /// When the next part of the first sequence is due.
    next_at: Option<Instant>,
    waiting_for: Option<Waiting>,
}

#[derive(Clone, Debug)]
struct Sequence {
    operation: OperationId,
    rest: VecDeque<char>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Media(MediaRequestId),
    Info(TransactionId),
}

impl Dtmf {
    pub(super) fn deadline(&self) -> Option<Instant> {
        // While an answer is awaited, time alone changes nothing.
        self.next_at.filter(|_| self.waiting_for.is_none())
    }
}

impl Call {
    /// Queues tones and pauses. Ends when the last one has been handed over.
    pub(crate) fn send_dtmf(
        &mut self,
        endpoint: &mut Endpoint,
        tones: &str,
    ) -> Result<OperationId, CommandError> {
        if self.info.state != CallState::Active {
            return Err(CommandError::WrongState);
        }
        let rest: VecDeque<_> = tones.chars().map(|tone| tone.to_ascii_uppercase()).collect();
        if rest.is_empty() || !rest.iter().all(|tone| is_tone(*tone) || is_pause(*tone)) {
            return Err(CommandError::InvalidTone);
        }
        let operation = endpoint.new_operation();
        self.dtmf.queue.push_back(Sequence { operation, rest });
        Ok(operation)
    }

    /// Sends what is due.
    pub(super) fn advance_dtmf(&mut self, endpoint: &mut Endpoint) {
        // A call that has been restored has no media yet to send them on.
        let is_ready = |call: &Self| matches!(call.stage, Stage::Established(_)) && call.session_open;
        while self.dtmf.waiting_for.is_none() && is_ready(self) {
            match self.dtmf.next_at {
                Some(at) if at > endpoint.now => return,
                Some(_) | None => self.dtmf.next_at = None,
            }
            let Some(sequence) = self.dtmf.queue.front_mut() else {
                return;
            };
            match sequence.rest.front().copied() {
                None => {
                    let operation = sequence.operation;
                    self.dtmf.queue.pop_front();
                    endpoint.finish(operation, Ok(()));
                }
                Some(pause) if is_pause(pause) => {
                    sequence.rest.pop_front();
                    self.dtmf.next_at = Some(endpoint.now + PAUSE);
                }
                Some(_) => self.send_tones(endpoint),
            }
        }
    }

    /// `true` if the media answer was for tones.
    pub(super) fn dtmf_sent(
        &mut self,
        endpoint: &mut Endpoint,
        request: MediaRequestId,
        result: &Result<MediaOutcome, MediaError>,
    ) -> bool {
        if self.dtmf.waiting_for != Some(Waiting::Media(request)) {
            return false;
        }
        match result {
            Ok(_) => self.dtmf.waiting_for = None,
            Err(error) => self.fail_dtmf(endpoint, &OperationError::Media(error.clone())),
        }
        true
    }

    /// A tone by INFO was answered with `status`, or not at all.
    pub(crate) fn info_done(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        status: Option<u16>,
    ) {
        if self.dtmf.waiting_for != Some(Waiting::Info(transaction)) {
            return;
        }
        match status {
            Some(100..=199) => {}
            Some(200..=299) => self.dtmf.waiting_for = None,
            Some(status) => {
                let reason = crate::sip::reason_phrase(status).to_owned();
                self.fail_dtmf(endpoint, &OperationError::Refused { status, reason });
                self.leave_lost_dialog(endpoint, status);
            }
            None if endpoint.is_connected() => self.fail_dtmf(endpoint, &OperationError::TimedOut),
            None => self.fail_dtmf(endpoint, &OperationError::Disconnected),
        }
    }

    /// The INFO was sent again with credentials.
    pub(crate) fn info_resent(&mut self, transaction: TransactionId) {
        if let Some(Waiting::Info(waiting)) = &mut self.dtmf.waiting_for {
            *waiting = transaction;
        }
    }

    /// Ends every sequence.
    pub(super) fn fail_dtmf(&mut self, endpoint: &mut Endpoint, error: &OperationError) {
        for sequence in std::mem::take(&mut self.dtmf).queue {
            endpoint.finish(sequence.operation, Err(error.clone()));
        }
    }

    /// All tones up to the next pause by RTP, or one by INFO.
    fn send_tones(&mut self, endpoint: &mut Endpoint) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let Some(sequence) = self.dtmf.queue.front_mut() else {
            return;
        };
        let by_rtp = self.remote_media.is_none_or(|media| media.telephone_event);
        let count = sequence.rest.iter().take_while(|tone| is_tone(**tone)).count();
        let count = if by_rtp { count } else { 1 };
        let tones: String = sequence.rest.drain(..count).collect();
        let duration = (TONE + GAP) * u32::try_from(count).unwrap_or(1);
        self.dtmf.next_at = Some(endpoint.now + duration);
        if by_rtp {
            let action = MediaAction::SendDtmf {
                tones,
                duration_ms: TONE_MS,
            };
            let request = self.request_media(endpoint, action);
            self.dtmf.waiting_for = Some(Waiting::Media(request));
            return;
        }
        let body = format!("Signal={tones}\r\nDuration={TONE_MS}\r\n");
        let info = established
            .dialog
            .request(Method::Info)
            .body("application/dtmf-relay", body.as_bytes());
        match endpoint.send(Purpose::Dtmf(self.info.id), info) {
            Ok(transaction) => self.dtmf.waiting_for = Some(Waiting::Info(transaction)),
            Err(_) => self.fail_dtmf(endpoint, &OperationError::Disconnected),
        }
    }
}

/// The tone in an INFO of either customary form.
pub(super) fn tone_in_info(info: &Message) -> Option<char> {
    let media_type = info.content_type()?;
    let body = std::str::from_utf8(info.body()).ok()?;
    let text = if media_type.is("application/dtmf-relay") {
        let signal = body
            .lines()
            .find_map(|line| line.split_once('=').filter(|(key, _)| key.trim() == "Signal"));
        signal?.1
    } else if media_type.is("application/dtmf") {
        body
    } else {
        return None;
    };
    let tone = text.trim().chars().next()?.to_ascii_uppercase();
    is_tone(tone).then_some(tone)
}

fn is_tone(tone: char) -> bool {
    matches!(tone, '0'..='9' | '*' | '#' | 'A'..='D')
}

fn is_pause(tone: char) -> bool {
    matches!(tone, ',' | ';')
}
