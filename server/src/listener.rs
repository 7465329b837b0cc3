//! The TCP listener: accepts, encrypts where configured, speaks HTTP/1.1, and stops in an orderly way.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use clearline_core::Rate;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use crate::per_address::PerAddress;

/// HTTP connections at the same time. Those that became WebSockets are counted where they went.
const MAX_CONNECTIONS: usize = 8_192;
/// Those of one address, and how fast it may open them: a browser opens six for a page, and a whole office may sit behind
/// one address and come back at once.
const MAX_CONNECTIONS_PER_ADDRESS: usize = MAX_CONNECTIONS / 2;
const NEW_CONNECTIONS: Rate = Rate::per_second(200, MAX_CONNECTIONS as u32 / 2);
/// What a request may still take when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// After a failed accept (out of file descriptors): time for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long clients may take.
#[derive(Clone, Copy)]
struct Patience {
    /// For the TLS handshake.
    handshake: Duration,
    /// For the head of a request, from the first byte or the end of the request before.
    header: Duration,
}

const PATIENCE: Patience = Patience {
    handshake: Duration::from_secs(10),
    header: Duration::from_secs(30),
};

/// How a request reached the server; an extension of every request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
}

/// What every connection needs.
#[derive(Clone)]
struct Service {
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    stop: watch::Receiver<bool>,
    patience: Patience,
}

/// Serves `router` until `stop` becomes true, then finishes the requests under way.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    let service = Service {
        tls,
        router,
        stop,
        patience: PATIENCE,
    };
    service.run(listener).await;
}

impl Service {
    async fn run(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let by_address = PerAddress::new(MAX_CONNECTIONS_PER_ADDRESS, NEW_CONNECTIONS);
        let mut connections = JoinSet::new();
        let mut stopping = self.stop.clone();
        loop {
            let accepted = tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => break,
                Some(_) = connections.join_next() => continue,
                accepted = accept(&listener, &places) => accepted,
            };
            let Some((stream, address, place)) = accepted else {
                continue;
            };
            let Ok(share) = by_address.take(address.ip()) else {
                tracing::debug!("a connection was refused: too many of one address");
                continue;
            };
            let service = self.clone();
            connections.spawn(async move {
                if let Err(error) = service.connection(stream, address).await {
                    tracing::debug!(%error, "a connection ended");
                }
                drop((place, share));
            });
        }
        drop(listener);
        let drained = timeout(DRAIN_TIMEOUT, async {
            while connections.join_next().await.is_some() {}
        })
        .await;
        if drained.is_err() {
            connections.shutdown().await;
        }
    }

    async fn connection(self, stream: TcpStream, address: SocketAddr) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let peer = Peer { address };
        let Some(tls) = self.tls.clone() else {
            return self.speak_http(stream, peer).await;
        };
        let shaken = timeout(self.patience.handshake, async {
            let mut stream = stream;
            if is_tls(&stream).await? {
                return TlsAcceptor::from(tls).accept(stream).await.map(Some);
            }
            stream.write_all(SPEAK_TLS).await?;
            stream.shutdown().await.map(|()| None)
        });
        match shaken.await?? {
            Some(stream) => self.speak_http(stream, peer).await,
            None => Ok(()),
        }
    }

    async fn speak_http<S>(self, stream: S, peer: Peer) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut stop = self.stop.clone();
        let service = hyper::service::service_fn(move |request| respond(self.router.clone(), peer, request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience.header)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(connection);
        tokio::select! {
            result = connection.as_mut() => return result.map_err(io::Error::other),
            _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
        }
        connection.await.map_err(io::Error::other)
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, address, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Whether the client begins with a TLS handshake record (RFC 8446 section 5.1).
async fn is_tls(stream: &TcpStream) -> io::Result<bool> {
    const HANDSHAKE: u8 = 22;
    let mut first = [0];
    Ok(stream.peek(&mut first).await? == 1 && first[0] == HANDSHAKE)
}

const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 62\r\nConnection: close\r\n\r\n\
    This server is encrypted: use https:// (or wss://) to open it.";

async fn respond(mut router: Router, peer: Peer, request: Request<Incoming>) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    router.call(request).await
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A listener that waits for no one long, and where it is.
    async fn impatient(tls: Option<Arc<ServerConfig>>) -> (SocketAddr, watch::Sender<bool>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let service = Service {
            tls,
            router: Router::new(),
            stop: stopping,
            patience: Patience {
                handshake: Duration::from_millis(1),
                header: Duration::from_millis(1),
            },
        };
        tokio::spawn(service.run(listener));
        (address, stop)
    }

    #[tokio::test]
    async fn half_a_request_is_not_waited_for() {
        let (address, _stop) = impatient(None).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /sip HTTP/1.1\r\nHost: x\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        // The end of the stream is what is waited for; a reset is one too.
        drop(stream.read_to_end(&mut answer).await);
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"),
            "{answer:?}"
        );
    }

    #[tokio::test]
    async fn half_a_tls_handshake_is_not_waited_for() {
        let certificates = rustls::server::ResolvesServerCertUsingSni::new();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(certificates));
        let (address, _stop) = impatient(Some(Arc::new(config))).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The first bytes of a handshake record, and nothing more.
        stream.write_all(&[22, 3, 1]).await.unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        assert!(answer.is_empty(), "{answer:?}");
    }
}
