//! The requests that are not the agent's: they are answered and sent beside it, on the same connection to the platform. That
//! is in this process and loses nothing, so what is answered at once needs no transaction; what is answered later can be
//! cancelled, and has one.

use std::time::Duration;

use clearline_core::sip::{HeaderName, Message, RequestBuilder, ResponseBuilder};
use clearline_core::transaction::{Flow, Outbox, Received, TransactionEvent, TransactionId, Transactions};
use clearline_core::{ConnectionId, Instant, Output, Rng};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Desk {
    transactions: Transactions,
    outbox: Outbox,
    pub(crate) rng: Rng,
    /// Sent-by of the requests that are sent here.
    host: String,
    /// The connection to the platform while there is one.
    connection: Option<ConnectionId>,
}

/// What has become of a request that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) transaction: TransactionId,
    pub(crate) end: End,
}

/// How a NOTIFY ends (RFC 6665 section 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It has come.
    Taken,
    /// It has not, or should not just now, and is worth another try after this time.
    Later(Duration),
    /// It was refused, or whoever should answer is silent.
    Failed,
}

/// How long a device that has lost its connection is given to come back.
const FLOW_PAUSE: Duration = Duration::from_secs(5);
/// No device puts anything off for longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl End {
    fn of(response: &Message) -> Option<Self> {
        let pause = response
            .retry_after()
            .map(|secs| Duration::from_secs(secs.into()));
        match (response.status()?, pause) {
            (..200, _) => None,
            (200..=299, _) => Some(Self::Taken),
            (_, Some(pause)) => Some(Self::Later(pause.min(LONGEST_PAUSE))),
            // RFC 5626 section 5.3: its connection is lost, which says nothing of the device.
            (430, None) => Some(Self::Later(FLOW_PAUSE)),
            (_, None) => Some(Self::Failed),
        }
    }
}

impl Desk {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let mut rng = Rng::new(seed);
        let host = format!("{}.invalid", rng.token(6));
        Self {
            transactions: Transactions::new(),
            outbox: Outbox::new(),
            rng,
            host,
            connection: None,
        }
    }

    pub(crate) fn connected(&mut self, connection: ConnectionId) {
        self.connection = Some(connection);
    }

    /// What was sent and not answered is lost.
    pub(crate) fn disconnected(&mut self, connection: ConnectionId) -> Vec<Outcome> {
        self.connection = self.connection.filter(|it| *it != connection);
        outcomes(self.transactions.connection_lost(connection))
    }

    /// The outcome that `response` tells, if it answers a request that was sent here; `Err` if it is the agent's.
    pub(crate) fn response(&mut self, now: Instant, response: Message) -> Result<Option<Outcome>, Message> {
        if !response.top_via().is_ok_and(|via| via.host == self.host) {
            return Err(response);
        }
        let Some(connection) = self.connection else {
            return Ok(None);
        };
        let flow = Flow::reliable(connection);
        let received = self.transactions.receive(now, flow, response, &mut self.outbox);
        let Received::Response {
            transaction,
            response,
        } = received
        else {
            return Ok(None);
        };
        Ok(End::of(&response).map(|end| Outcome { transaction, end }))
    }

    /// Takes in a request that is answered later, or belongs to one; `None` without a connection.
    pub(crate) fn receive(&mut self, now: Instant, request: Message) -> Option<Received> {
        let flow = Flow::reliable(self.connection?);
        Some(self.transactions.receive(now, flow, request, &mut self.outbox))
    }

    /// Answers such a request.
    pub(crate) fn respond_in(&mut self, now: Instant, transaction: TransactionId, response: Message) {
        self.transactions
            .respond(now, transaction, response, &mut self.outbox);
    }

    /// Such a request cannot be answered any more.
    pub(crate) fn abandon(&mut self, transaction: TransactionId) {
        self.transactions.abandon(transaction);
    }

    /// Begins the answer to a request that makes no dialog.
    pub(crate) fn answer(&mut self, request: &Message, status: u16) -> ResponseBuilder {
        let response = ResponseBuilder::for_request(request, status);
        match request.to().is_ok_and(|to| to.tag().is_none()) {
            true => response.to_tag(&self.rng.token(6)),
            false => response,
        }
    }

    pub(crate) fn respond(&mut self, response: Message) {
        if let Some(connection) = self.connection {
            self.outbox.push((connection, response));
        }
    }

    pub(crate) fn refuse(&mut self, request: &Message, status: u16) {
        let refusal = self.answer(request, status).build();
        self.respond(refusal);
    }

    /// Sends a request, to which Via is added; `None` without a connection.
    pub(crate) fn send(&mut self, now: Instant, request: RequestBuilder) -> Option<TransactionId> {
        let connection = self.connection?;
        let branch = self.rng.token(8);
        let via = format!("SIP/2.0/WS {};branch=z9hG4bK{branch}", self.host);
        let request = request.build().edit().prepend(HeaderName::Via, via).build();
        let flow = Flow::reliable(connection);
        self.transactions.send(now, flow, request, &mut self.outbox).ok()
    }

    pub(crate) fn wake(&mut self, now: Instant) -> Vec<Outcome> {
        outcomes(self.transactions.handle_timeout(now, &mut self.outbox))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.transactions.deadline()
    }

    /// What is to be transmitted.
    pub(crate) fn take_outputs(&mut self) -> impl Iterator<Item = Output> + use<> {
        let messages = std::mem::take(&mut self.outbox).into_iter();
        messages.map(|(connection, message)| Output::Transmit {
            connection,
            message: message.as_bytes().to_vec(),
        })
    }
}

fn outcomes(events: Vec<TransactionEvent>) -> Vec<Outcome> {
    let ended = events.into_iter().filter_map(|event| match event {
        TransactionEvent::TimedOut(transaction) => Some((transaction, End::Failed)),
        // The own connection: whether it has come nobody knows.
        TransactionEvent::TransportFailed(transaction) => Some((transaction, End::Later(Duration::ZERO))),
        TransactionEvent::AckMissing(_) | TransactionEvent::Terminated(_) => None,
    });
    ended
        .map(|(transaction, end)| Outcome { transaction, end })
        .collect()
}
