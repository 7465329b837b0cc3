//! A transport that keeps what passes, so that a case can look at it, and shows it when the case fails.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use clearline_core::sip::{HeaderName, Message, Method};
use clearline_native::transport::{Connection, Transport, TransportError};

/// Which way a message went, from the device's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// To the platform.
    Sent,
    /// From the platform.
    Received,
}

/// Everything a device has sent and received.
#[derive(Clone, Debug)]
pub struct Wire {
    device: String,
    start: Instant,
    messages: Arc<Mutex<Vec<(Duration, Flow, Message)>>>,
}

impl Wire {
    pub(crate) fn new(device: &str) -> Self {
        Self {
            device: device.to_owned(),
            start: Instant::now(),
            messages: Arc::default(),
        }
    }

    /// Requests of that method, in order.
    pub fn requests(&self, flow: Flow, method: Method<'_>) -> Vec<Message> {
        self.select(flow, |message| message.is_request() && message.method() == method)
    }

    /// Responses with that status to requests of that method, in order.
    pub fn responses(&self, flow: Flow, method: Method<'_>, status: u16) -> Vec<Message> {
        self.select(flow, |message| {
            message.status() == Some(status) && message.cseq().is_ok_and(|cseq| cseq.method == method)
        })
    }

    /// Waits for the `count`th request of that method and returns it.
    pub async fn request(&self, flow: Flow, method: Method<'_>, count: usize) -> Message {
        let what = format!("{}: {count} {method:?} {flow:?}", self.device);
        crate::eventually(10, &what, || self.requests(flow, method).len() >= count).await;
        self.requests(flow, method).swap_remove(count - 1)
    }

    /// Waits for the `count`th such response and returns it.
    pub async fn response(&self, flow: Flow, method: Method<'_>, status: u16, count: usize) -> Message {
        self.response_within(10, flow, method, status, count).await
    }

    /// The same, within so many seconds.
    pub async fn response_within(
        &self,
        seconds: u64,
        flow: Flow,
        method: Method<'_>,
        status: u16,
        count: usize,
    ) -> Message {
        let what = format!("{}: {count} times {status} to {method:?} {flow:?}", self.device);
        let found = || self.responses(flow, method, status);
        crate::eventually(seconds, &what, || found().len() >= count).await;
        found().swap_remove(count - 1)
    }

    fn select(&self, flow: Flow, wanted: impl Fn(&Message) -> bool) -> Vec<Message> {
        let messages = self.messages.lock().unwrap();
        let matching = messages
            .iter()
            .filter(|(_, way, message)| *way == flow && wanted(message));
        matching.map(|(_, _, message)| message.clone()).collect()
    }

    fn keep(&self, flow: Flow, bytes: &[u8]) {
        // Keep-alives are no messages.
        if let Ok(message) = Message::parse(bytes.to_vec()) {
            self.messages
                .lock()
                .unwrap()
                .push((self.start.elapsed(), flow, message));
        }
    }

    /// One line per message.
    pub fn ladder(&self) -> String {
        let mut text = String::new();
        for (at, flow, message) in self.messages.lock().unwrap().iter() {
            let arrow = match flow {
                Flow::Sent => "-->",
                Flow::Received => "<--",
            };
            let bytes = String::from_utf8_lossy(message.as_bytes());
            let cseq = message.header(HeaderName::CSeq).unwrap_or_default();
            let first = bytes.lines().next().unwrap_or_default();
            let _ = writeln!(
                text,
                "{:8.3} {} {arrow} {first}  [{cseq}]",
                at.as_secs_f64(),
                self.device
            );
        }
        text
    }
}

/// Shows the ladder if the case fails.
#[derive(Debug)]
pub(crate) struct ShownOnFailure(pub(crate) Wire);

impl Drop for ShownOnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}", self.0.device, self.0.ladder());
        }
    }
}

/// A transport with a [`Wire`].
pub(crate) struct Recorded<T> {
    pub(crate) inner: T,
    pub(crate) wire: Wire,
}

#[async_trait]
impl<T: Transport> Transport for Recorded<T> {
    async fn connect(&self, url: &str) -> Result<Connection, TransportError> {
        let far = self.inner.connect(url).await?;
        let (near, device) = Connection::pair();
        tokio::spawn(carry(near, far, self.wire.clone()));
        Ok(device)
    }
}

async fn carry(mut near: Connection, mut far: Connection, wire: Wire) {
    loop {
        tokio::select! {
            message = near.incoming.recv() => {
                let Some(message) = message else { return };
                wire.keep(Flow::Sent, &message);
                if far.outgoing.send(message).await.is_err() {
                    return;
                }
            }
            message = far.incoming.recv() => {
                let Some(message) = message else {
                    return near.close_reason.set(far.close_reason.get().unwrap_or("closed"));
                };
                wire.keep(Flow::Received, &message);
                if near.outgoing.send(message).await.is_err() {
                    return;
                }
            }
        }
    }
}
