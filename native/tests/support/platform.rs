//! The embedded platform in the same process, driven over channels.

use std::collections::BTreeMap;
use std::time::Duration;

use clearline_core::sip::digest::{Algorithm, Ha1};
use clearline_core::{ConnectionId, Secret};
use clearline_native::Clock;
use clearline_native::transport::{ChannelListener, ChannelTransport, Connection, Transport as _};
use clearline_pbx::{Config, Input, Key, Output, Platform, Transport, User, UserId};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// The domain all users are in.
pub(crate) const DOMAIN: &str = "clearline.localhost";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "demo";

/// Starts a platform with `users` (name and number).
pub(crate) fn start(users: &[(&str, &str)]) -> ChannelTransport {
    let mut platform = Platform::new(Config::new(DOMAIN, Key::new([1; 32])), [2; 32]);
    for (name, number) in users {
        let id = UserId::new(*name);
        platform.set_user(User::new(*name).with_number(*number)).unwrap();
        let ha1 = Ha1::new(
            Algorithm::Sha256,
            name,
            &platform.config().realm,
            &Secret::new(PASSWORD),
        );
        platform.add_credential(&id, *name, ha1);
    }
    let (transport, listener) = ChannelTransport::new();
    tokio::spawn(run(platform, listener));
    transport
}

async fn run(mut platform: Platform, mut listener: ChannelListener) {
    let clock = Clock::new();
    let (received, mut messages) = mpsc::channel::<(ConnectionId, Option<Vec<u8>>)>(64);
    let mut lines: BTreeMap<ConnectionId, mpsc::Sender<Vec<u8>>> = BTreeMap::new();
    let mut count = 0;
    loop {
        let wake_at = loop {
            match platform.poll_output() {
                Output::Transmit { connection, message } => {
                    if let Some(line) = lines.get(&connection) {
                        let _ = line.send(message).await;
                    }
                }
                Output::Disconnect { connection, .. } => drop(lines.remove(&connection)),
                Output::Event(_) => {}
                Output::Idle(deadline) => break deadline,
            }
        };
        let sleep = wake_at.map_or(Duration::from_secs(3_600), |deadline| deadline.at - clock.now());
        let input = tokio::select! {
            Some(accepted) = listener.accept() => {
                count += 1;
                let connection = ConnectionId(count);
                lines.insert(connection, forward(connection, accepted, received.clone()));
                Input::Connected { connection, transport: Transport::Ws, peer: None }
            }
            Some((connection, message)) = messages.recv() => match message {
                Some(message) => Input::Received { connection, message },
                None => {
                    lines.remove(&connection);
                    Input::Disconnected { connection }
                }
            },
            () = tokio::time::sleep(sleep) => Input::Wake,
        };
        platform.handle_input(clock.now(), input);
    }
}

fn forward(
    id: ConnectionId,
    connection: Connection,
    received: mpsc::Sender<(ConnectionId, Option<Vec<u8>>)>,
) -> mpsc::Sender<Vec<u8>> {
    let Connection {
        mut incoming,
        outgoing,
        ..
    } = connection;
    tokio::spawn(async move {
        while let Some(message) = incoming.recv().await {
            let _ = received.send((id, Some(message))).await;
        }
        let _ = received.send((id, None)).await;
    });
    outgoing
}

/// Opens a WebSocket to the platform behind `transport` and returns its URL.
pub(crate) async fn listen(transport: ChannelTransport) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(bridge(stream, transport.clone()));
        }
    });
    format!("ws://{address}/sip")
}

async fn bridge(stream: TcpStream, transport: ChannelTransport) {
    #[expect(clippy::result_large_err, reason = "the library's signature")]
    let speak_sip = |_: &Request, mut response: Response| {
        response
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", HeaderValue::from_static("sip"));
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, speak_sip).await else {
        return;
    };
    let mut line = transport.connect("").await.unwrap();
    loop {
        tokio::select! {
            frame = socket.next() => match frame {
                Some(Ok(frame)) if frame.is_text() => line.outgoing.send(frame.into_data().to_vec()).await.unwrap(),
                Some(Ok(frame)) if !frame.is_close() => {}
                _ => return,
            },
            message = line.incoming.recv() => match message {
                Some(message) => {
                    let text = String::from_utf8(message).unwrap();
                    if socket.send(Message::text(text)).await.is_err() {
                        return;
                    }
                }
                None => return,
            },
        }
    }
}
