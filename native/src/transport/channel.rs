//! The in-process transport: how a service agent talks to a platform in the same program.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{Connection, Transport, TransportError};

/// Connects a phone to a [`ChannelListener`] in the same process. The URL is not looked at.
#[derive(Clone, Debug)]
pub struct ChannelTransport {
    connections: mpsc::Sender<Connection>,
}

/// The platform's side of a [`ChannelTransport`].
#[derive(Debug)]
pub struct ChannelListener {
    connections: mpsc::Receiver<Connection>,
}

impl ChannelTransport {
    /// A transport and the listener it connects to.
    pub fn new() -> (Self, ChannelListener) {
        let (connections, listener) = mpsc::channel(16);
        (
            Self { connections },
            ChannelListener {
                connections: listener,
            },
        )
    }
}

impl ChannelListener {
    /// The platform's end of the next connection; `None` when no phone can connect any more.
    pub async fn accept(&mut self) -> Option<Connection> {
        self.connections.recv().await
    }
}

#[async_trait]
impl Transport for ChannelTransport {
    async fn connect(&self, _url: &str) -> Result<Connection, TransportError> {
        let (phone, platform) = Connection::pair();
        let gone = |_| TransportError::Unreachable("the platform has stopped".to_owned());
        self.connections.send(platform).await.map_err(gone)?;
        Ok(phone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_pass_both_ways_and_dropping_one_end_closes_the_other() {
        let (transport, mut listener) = ChannelTransport::new();
        let mut phone = transport.connect("ws://anything/sip").await.unwrap();
        let mut platform = listener.accept().await.unwrap();

        phone.outgoing.send(b"REGISTER".to_vec()).await.unwrap();
        assert_eq!(platform.incoming.recv().await.unwrap(), b"REGISTER");
        platform.outgoing.send(b"SIP/2.0 200".to_vec()).await.unwrap();
        assert_eq!(phone.incoming.recv().await.unwrap(), b"SIP/2.0 200");

        platform.close_reason.set("going down");
        drop(platform);
        assert_eq!(phone.incoming.recv().await, None);
        assert_eq!(phone.close_reason.get(), Some("going down"));
    }

    #[tokio::test]
    async fn without_a_listener_connecting_fails() {
        let (transport, listener) = ChannelTransport::new();
        drop(listener);
        assert!(matches!(
            transport.connect("ws://x/").await,
            Err(TransportError::Unreachable(_))
        ));
    }
}
