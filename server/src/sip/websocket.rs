//! SIP over WebSocket (RFC 7118): the handshake with its checks, and one task per connection.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use clearline_pbx::Transport;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::places::Place;
use super::read_budget::ReadBudget;
use super::{CloseReason, Line};
use crate::app::App;
use crate::listener::Peer;
use crate::origin::{Site, client_address};
use crate::per_address::Crowded;

/// The largest message and frame; SIP with a long session description has a few kilobytes.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Half the time between two pings: a ping is sent at one beat, the answer is due at the next.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A connection on which nobody has signed in by then is closed.
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(60);
/// A client that takes longer to take one message is disconnected.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// What a client may take for the closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// `GET /sip`: the handshake (RFC 6455 section 4.2, RFC 7118 section 4).
pub(crate) async fn upgrade(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    Extension(site): Extension<Site>,
    mut request: Request,
) -> Response {
    let key = match check(&app, &site, request.method(), request.headers()) {
        Ok(key) => key,
        Err(refusal) => return refusal,
    };
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return refuse(StatusCode::UPGRADE_REQUIRED, "The SIP WebSocket needs HTTP/1.1.");
    };
    let address = client_address(&app.origins, peer.address, request.headers());
    let place = match app.places.take(address) {
        Ok(place) => place,
        Err(why) => return refuse_crowded(why),
    };
    let transport = if site.tls { Transport::Wss } else { Transport::Ws };
    let peer = SocketAddr::new(address, peer.address.port());
    tokio::spawn(run(app, upgrade, transport, peer, place));
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("sip")),
        (header::SEC_WEBSOCKET_ACCEPT, key),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Returns the value of Sec-WebSocket-Accept, or the refusal.
#[expect(clippy::result_large_err, reason = "the error is the response that is sent")]
fn check(app: &App, site: &Site, method: &Method, headers: &HeaderMap) -> Result<HeaderValue, Response> {
    let is_websocket =
        lists(headers, header::CONNECTION, "upgrade") && lists(headers, header::UPGRADE, "websocket");
    if !is_websocket || method != Method::GET {
        let words = "This is the SIP WebSocket: connect with a SIP client, subprotocol sip.";
        return Err(refuse(StatusCode::UPGRADE_REQUIRED, words));
    }
    if !lists(headers, header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(refuse(
            StatusCode::UPGRADE_REQUIRED,
            "Only WebSocket version 13 is spoken here.",
        ));
    }
    if !lists(headers, header::SEC_WEBSOCKET_PROTOCOL, "sip") {
        return Err(refuse(
            StatusCode::BAD_REQUEST,
            "The WebSocket subprotocol must be sip (RFC 7118).",
        ));
    }
    if !app.origins.may_connect(site, headers) {
        tracing::warn!("a WebSocket was refused: page of a foreign origin; --allow-origin lets it in");
        return Err(refuse(
            StatusCode::FORBIDDEN,
            "Pages of this origin may not connect (--allow-origin).",
        ));
    }
    let accept = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .map(|key| derive_accept_key(key.as_bytes()));
    accept
        .and_then(|accept| HeaderValue::from_str(&accept).ok())
        .ok_or_else(|| refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is missing."))
}

fn lists(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let lines = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(token))
}

fn refuse(status: StatusCode, words: &'static str) -> Response {
    let mut response = (status, words).into_response();
    let headers = response.headers_mut();
    if status == StatusCode::UPGRADE_REQUIRED {
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    response
}

fn refuse_crowded(why: Crowded) -> Response {
    let (words, seconds) = match why {
        Crowded::TooMany => ("Too many connections, try again later.", 30),
        Crowded::TooFast(wait) => ("Too many new connections, try again soon.", wait.as_secs() + 1),
    };
    // Whoever is refused decides how often: no warning for each.
    tracing::debug!("a WebSocket was refused: {words}");
    let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, words);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

async fn run(app: App, upgrade: OnUpgrade, transport: Transport, peer: SocketAddr, place: Place) {
    let Ok(upgraded) = upgrade.await else { return };
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
        .read_buffer_size(8 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MAX_MESSAGE_BYTES);
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let line = app.switch.open(transport, Some(peer)).await;
    tracing::debug!(connection = %line.id, %peer, "a WebSocket is open");
    let mut conversation = Conversation {
        socket,
        line,
        place,
        budget: ReadBudget::new(),
        opened: Instant::now(),
        was_heard: true,
    };
    let reason = conversation.run().await;
    tracing::debug!(connection = %conversation.line.id, ?reason, "a WebSocket is closed");
    conversation.close(reason).await;
}

struct Conversation {
    socket: Socket,
    line: Line,
    place: Place,
    budget: ReadBudget,
    opened: Instant,
    /// Something came since the last ping.
    was_heard: bool,
}

impl Conversation {
    async fn run(&mut self) -> CloseReason {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping_is_due = true;
        loop {
            let step = tokio::select! {
                outgoing = self.line.receive() => match outgoing {
                    Some(message) => self.send(frame(message)).await,
                    None => Err(self.line.close_reason().unwrap_or(CloseReason::GoingAway)),
                },
                incoming = next(&mut self.socket, &self.budget) => self.take(incoming).await,
                _ = heartbeat.tick() => {
                    ping_is_due = !ping_is_due;
                    self.beat(ping_is_due).await
                }
            };
            if let Err(reason) = step {
                return reason;
            }
            if self.line.is_signed_in() {
                self.place.signed_in();
            }
        }
    }

    async fn take(&mut self, incoming: Option<Result<Message, Error>>) -> Result<(), CloseReason> {
        self.was_heard = true;
        if let Some(Ok(frame)) = &incoming {
            self.budget.spend(frame.len());
        }
        let message = match incoming {
            Some(Ok(Message::Text(text))) => text.as_bytes().to_vec(),
            Some(Ok(Message::Binary(bytes))) => bytes.to_vec(),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(()),
            Some(Ok(Message::Close(_))) | None => return Err(CloseReason::Gone),
            Some(Err(error)) => return Err(fault(&error)),
        };
        if self.line.send(message).await {
            Ok(())
        } else {
            Err(CloseReason::GoingAway)
        }
    }

    async fn beat(&mut self, ping_is_due: bool) -> Result<(), CloseReason> {
        if !self.line.is_signed_in() && self.opened.elapsed() > SIGN_IN_TIMEOUT {
            return Err(CloseReason::NotSignedIn);
        }
        if ping_is_due {
            self.was_heard = false;
            return self.send(Message::Ping(Bytes::new())).await;
        }
        if self.was_heard {
            Ok(())
        } else {
            Err(CloseReason::Dead)
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), CloseReason> {
        let mut state = self.line.state.clone();
        let sent = tokio::select! {
            sent = timeout(WRITE_TIMEOUT, self.socket.send(message)) => sent,
            _ = state.wait_for(|state| state.close == Some(CloseReason::SlowReader)) => {
                return Err(CloseReason::SlowReader);
            }
        };
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(fault(&error)),
            Err(_elapsed) => Err(CloseReason::SlowReader),
        }
    }

    /// Sends what is still queued and the close frame, and gives the client a moment to answer.
    async fn close(mut self, reason: CloseReason) {
        let Some((code, words)) = reason.frame() else {
            return;
        };
        let farewell = async {
            while let Ok(message) = self.line.messages.try_recv() {
                self.socket.send(frame(message)).await?;
            }
            self.socket
                .close(Some(CloseFrame {
                    code: code.into(),
                    reason: words.into(),
                }))
                .await?;
            // The peer's own close frame ends the stream; what it sent before that is of no interest any more, but a flood
            // is not read faster than before.
            while let Some(Ok(frame)) = next(&mut self.socket, &self.budget).await {
                self.budget.spend(frame.len());
            }
            Ok::<_, Error>(())
        };
        if !matches!(timeout(CLOSE_TIMEOUT, farewell).await, Ok(Ok(()))) {
            tracing::debug!("a client did not wait for the close");
        }
    }
}

/// The next frame, once it may be read: what a client sends too fast waits in the network.
async fn next(socket: &mut Socket, budget: &ReadBudget) -> Option<Result<Message, Error>> {
    budget.ready().await;
    socket.next().await
}

/// Text where it can be (RFC 7118 section 5.2): a body need not be UTF-8.
fn frame(message: Vec<u8>) -> Message {
    match String::from_utf8(message) {
        Ok(text) => Message::Text(text.into()),
        Err(error) => Message::Binary(error.into_bytes().into()),
    }
}

fn fault(error: &Error) -> CloseReason {
    if matches!(error, Error::Capacity(_)) {
        return CloseReason::TooLarge;
    }
    if matches!(error, Error::Protocol(_) | Error::Utf8(_) | Error::AttackAttempt) {
        return CloseReason::ProtocolError;
    }
    CloseReason::Gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_is_told_when_to_come_again() {
        let after = |why| {
            let response = refuse_crowded(why);
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            response.headers()[header::RETRY_AFTER].clone()
        };
        assert_eq!(after(Crowded::TooMany), "30");
        assert_eq!(after(Crowded::TooFast(Duration::from_millis(20))), "1");
        assert_eq!(after(Crowded::TooFast(Duration::from_millis(2_100))), "3");
    }

    #[test]
    fn header_lists_are_read_whatever_their_case() {
        let headers = HeaderMap::from_iter([(header::CONNECTION, "keep-alive, Upgrade".parse().unwrap())]);
        assert!(lists(&headers, header::CONNECTION, "upgrade"));
        assert!(!lists(&headers, header::CONNECTION, "up"));
    }
}
