//! SIP over WebSocket (RFC 7118): one message per frame, subprotocol `sip`.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, error::UrlError};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::{CloseReason, Connection, QUEUE, Transport, TransportError};

/// The largest message taken from a server, in bytes; a larger one ends the connection. SIP messages are a few kilobytes, and
/// what the core finds too large it refuses in words (513), which a call survives.
const MAX_MESSAGE: usize = 2 * 1024 * 1024;
/// How long closing may take before the socket is simply dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens `ws:` and `wss:` connections. TLS trusts the certificates the operating system trusts, and those added.
#[derive(Clone)]
pub struct WebSocketTransport {
    tls: Arc<ClientConfig>,
}

/// Settings of a [`WebSocketTransport`].
#[derive(Debug, Default)]
pub struct WebSocketTransportBuilder {
    extra: Vec<CertificateDer<'static>>,
}

impl WebSocketTransport {
    /// A transport with the operating system's certificates.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A transport with settings of its own.
    pub fn builder() -> WebSocketTransportBuilder {
        WebSocketTransportBuilder::default()
    }
}

impl WebSocketTransportBuilder {
    /// Trusts the certificates in `file` (PEM) too, for example a company's own authority.
    ///
    /// # Errors
    /// When the file cannot be read or contains no certificate.
    pub fn trust_file(mut self, file: &Path) -> io::Result<Self> {
        let invalid = |detail: String| io::Error::new(io::ErrorKind::InvalidData, detail);
        let before = self.extra.len();
        let pem = std::fs::read(file)?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            self.extra
                .push(certificate.map_err(|error| invalid(error.to_string()))?);
        }
        if self.extra.len() == before {
            return Err(invalid(format!("no certificate in {}", file.display())));
        }
        Ok(self)
    }

    /// The transport. Certificates of the operating system that cannot be read are left out and logged.
    pub fn build(self) -> WebSocketTransport {
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            tracing::warn!(%error, "a trusted certificate of the operating system cannot be read");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(native.certs.into_iter().chain(self.extra));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|_| unreachable!("ring supports the default TLS versions"))
            .with_root_certificates(roots)
            .with_no_client_auth();
        WebSocketTransport { tls: Arc::new(tls) }
    }
}

impl Default for WebSocketTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WebSocketTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocketTransport")
    }
}

#[async_trait]
impl Transport for WebSocketTransport {
    async fn connect(&self, url: &str) -> Result<Connection, TransportError> {
        let mut request = url.into_client_request().map_err(transport_error)?;
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", HeaderValue::from_static("sip"));
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let connector = Connector::Rustls(Arc::clone(&self.tls));
        // Signalling is small messages that must not wait for each other: no Nagle.
        let (socket, response) = connect_async_tls_with_config(request, Some(limits), true, Some(connector))
            .await
            .map_err(transport_error)?;
        let protocol = response.headers().get("Sec-WebSocket-Protocol");
        if protocol.is_none_or(|protocol| !protocol.as_bytes().eq_ignore_ascii_case(b"sip")) {
            return Err(TransportError::Refused(
                "the WebSocket does not speak SIP".to_owned(),
            ));
        }
        Ok(spawn_pump(socket))
    }
}

fn spawn_pump(socket: Socket) -> Connection {
    let (to_phone, incoming) = mpsc::channel(QUEUE);
    let (outgoing, from_phone) = mpsc::channel(QUEUE);
    let close_reason = CloseReason::default();
    tokio::spawn(pump(socket, to_phone, from_phone, close_reason.clone()));
    Connection {
        incoming,
        outgoing,
        close_reason,
    }
}

/// Carries messages until either side closes. Reading and writing share one task, so a peer that does not read cannot
/// make this side buffer more than the channel holds.
async fn pump(
    mut socket: Socket,
    to_phone: mpsc::Sender<Vec<u8>>,
    mut from_phone: mpsc::Receiver<Vec<u8>>,
    reason: CloseReason,
) {
    loop {
        tokio::select! {
            message = from_phone.recv() => {
                let Some(message) = message else {
                    let _ = tokio::time::timeout(CLOSE_TIMEOUT, socket.close(None)).await;
                    return;
                };
                if let Err(error) = socket.send(frame(message)).await {
                    return reason.set(error.to_string());
                }
            }
            received = socket.next() => {
                let payload = match received {
                    Some(Ok(Message::Text(text))) => Vec::from(text.as_bytes()),
                    Some(Ok(Message::Binary(bytes))) => Vec::from(bytes),
                    Some(Ok(Message::Close(frame))) => {
                        reason.set(frame.map_or_else(
                            || "closed by the server".to_owned(),
                            |frame| format!("{} {}", u16::from(frame.code), frame.reason),
                        ));
                        continue;
                    }
                    // Pings are answered by the library while it is polled.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                    Some(Err(error)) => return reason.set(error.to_string()),
                    None => return reason.set("1006 the connection broke"),
                };
                if to_phone.send(payload).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// RFC 7118 section 5: text frames where the message is UTF-8, as most servers log those better; binary ones otherwise.
fn frame(message: Vec<u8>) -> Message {
    match String::from_utf8(message) {
        Ok(text) => Message::text(text),
        Err(error) => Message::binary(error.into_bytes()),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's error type is large and grows; the rest is 'unreachable'"
)]
fn transport_error(error: Error) -> TransportError {
    let detail = error.to_string();
    match error {
        Error::Url(UrlError::UnableToConnect(_)) => TransportError::Unreachable(detail),
        Error::Url(_) | Error::HttpFormat(_) => TransportError::InvalidUrl(detail),
        Error::Tls(_) => TransportError::Tls(detail),
        Error::Io(error) if is_tls(&error) => TransportError::Tls(detail),
        Error::Http(response) => TransportError::Refused(format!("HTTP status {}", response.status())),
        Error::Protocol(_) => TransportError::Refused(detail),
        _ => TransportError::Unreachable(detail),
    }
}

fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_hdr_async;
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

    use super::*;

    async fn server(protocol: Option<&'static str>) -> (String, TcpListener, Option<&'static str>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        (
            format!("ws://{}/sip", listener.local_addr().unwrap()),
            listener,
            protocol,
        )
    }

    async fn accept(listener: TcpListener, protocol: Option<&'static str>) -> WebSocketStream<TcpStream> {
        let (stream, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the library's signature")]
        let negotiate = |request: &Request, mut response: Response| {
            assert_eq!(request.headers()["Sec-WebSocket-Protocol"], "sip");
            if let Some(protocol) = protocol {
                response
                    .headers_mut()
                    .insert("Sec-WebSocket-Protocol", HeaderValue::from_static(protocol));
            }
            Ok(response)
        };
        accept_hdr_async(stream, negotiate).await.unwrap()
    }

    #[tokio::test]
    async fn carries_text_and_binary_both_ways_and_tells_why_it_closed() {
        let (url, listener, protocol) = server(Some("sip")).await;
        let peer = tokio::spawn(async move {
            let mut socket = accept(listener, protocol).await;
            assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("OPTIONS"));
            assert_eq!(socket.next().await.unwrap().unwrap(), Message::binary(vec![0xff]));
            socket.send(Message::text("SIP/2.0 200 OK")).await.unwrap();
            socket.send(Message::binary(vec![0xfe])).await.unwrap();
            socket.close(None).await.unwrap();
        });
        let mut connection = WebSocketTransport::new().connect(&url).await.unwrap();
        connection.outgoing.send(b"OPTIONS".to_vec()).await.unwrap();
        connection.outgoing.send(vec![0xff]).await.unwrap();
        assert_eq!(connection.incoming.recv().await.unwrap(), b"SIP/2.0 200 OK");
        assert_eq!(connection.incoming.recv().await.unwrap(), [0xfe]);
        assert_eq!(connection.incoming.recv().await, None);
        assert_eq!(connection.close_reason.get(), Some("closed by the server"));
        peer.await.unwrap();
    }

    #[tokio::test]
    async fn dropping_the_sender_closes_the_socket_in_order() {
        let (url, listener, protocol) = server(Some("sip")).await;
        let peer = tokio::spawn(async move { accept(listener, protocol).await.next().await });
        let connection = WebSocketTransport::new().connect(&url).await.unwrap();
        drop(connection.outgoing);
        assert!(matches!(peer.await.unwrap(), Some(Ok(Message::Close(_)))));
    }

    #[tokio::test]
    async fn a_server_that_does_not_speak_sip_is_refused() {
        let (url, listener, protocol) = server(None).await;
        let peer = tokio::spawn(async move { accept(listener, protocol).await });
        let error = WebSocketTransport::new().connect(&url).await.unwrap_err();
        assert!(matches!(error, TransportError::Refused(_)), "{error:?}");
        peer.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_there_and_nonsense_are_told_apart() {
        let transport = WebSocketTransport::new();
        let closed = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let error = transport
            .connect(&format!("ws://{closed}/sip"))
            .await
            .unwrap_err();
        assert!(matches!(error, TransportError::Unreachable(_)), "{error:?}");
        let error = transport.connect("http://example.invalid/").await.unwrap_err();
        assert!(matches!(error, TransportError::InvalidUrl(_)), "{error:?}");
    }

    #[test]
    fn a_file_without_a_certificate_is_an_error() {
        let file = std::env::temp_dir().join(format!("clearline-no-certificate-{}", std::process::id()));
        std::fs::write(&file, "nothing here").unwrap();
        assert!(WebSocketTransport::builder().trust_file(&file).is_err());
        std::fs::remove_file(file).unwrap();
    }
}
