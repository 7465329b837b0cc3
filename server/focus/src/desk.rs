//! The requests that are not the agent's: they are answered and sent beside it, on the same connection to the platform. That
//! is in this process and loses nothing, so what is answered at once needs no transaction.

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
    /// `None` if nobody has answered.
    pub(crate) status: Option<u16>,
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
        let status = response.status().filter(|status| *status >= 200);
        Ok(status.map(|status| Outcome {
            transaction,
            status: Some(status),
        }))
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
    let failed = events.into_iter().filter_map(|event| match event {
        TransactionEvent::TimedOut(transaction) | TransactionEvent::TransportFailed(transaction) => {
            Some(transaction)
        }
        TransactionEvent::AckMissing(_) | TransactionEvent::Terminated(_) => None,
    });
    failed
        .map(|transaction| Outcome {
            transaction,
            status: None,
        })
        .collect()
}
