//! A server on a free port with an empty data folder, and small clients for HTTP and SIP over WebSocket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clearline_core::Secret;
use clearline_core::sip::digest::ClientChallengeState;
use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder, UriBuf};
use clearline_server::{Options, Server};
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Nothing here takes that long; a test that waits for it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A folder for one test, gone afterwards.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("clearline-server-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The demo's options on a free port, without services.
pub(crate) fn options(folder: &Folder) -> Options {
    let demo = Options::demo(folder.path().join("data"), folder.path().join("web"));
    Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        echo: false,
        conferences: None,
        ..demo
    }
}

/// A running demo.
pub(crate) async fn demo(folder: &Folder) -> Server {
    Server::start(options(folder)).await.unwrap()
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of an API error.
    pub(crate) fn error_code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }

    /// The cookie this answer sets, as a later request sends it.
    pub(crate) fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

/// Sends one request over a connection of its own. Headers given here replace the usual ones.
pub(crate) async fn request(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let stream = TcpStream::connect(at).await.unwrap();
    request_over(stream, &at.to_string(), method, path, headers, body).await
}

pub(crate) async fn request_over<S>(
    stream: S,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header("host", host);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap();
    let response = timeout(PATIENCE, sender.send_request(request))
        .await
        .unwrap()
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = timeout(PATIENCE, body.collect())
        .await
        .unwrap()
        .unwrap()
        .to_bytes();
    connection.abort();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

pub(crate) async fn get(at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(at, "GET", path, headers, "").await
}

/// The header that shows that no foreign page sends the request.
pub(crate) const OURS: (&str, &str) = ("x-clearline", "1");

pub(crate) async fn sign_in(at: SocketAddr, user: &str, password: &str) -> Answer {
    let body = serde_json::json!({ "password": password }).to_string();
    request(at, "POST", &format!("/u/{user}/api/session"), &[OURS], &body).await
}

/// Signs in with the demo's password and returns the cookie.
pub(crate) async fn cookie(at: SocketAddr, user: &str) -> String {
    let answer = sign_in(at, user, "demo").await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.cookie()
}

pub(crate) async fn device(at: SocketAddr, user: &str, cookie: &str, instance: &str) -> Answer {
    let body = serde_json::json!({ "instanceId": instance }).to_string();
    request(
        at,
        "POST",
        &format!("/u/{user}/api/device"),
        &[OURS, ("cookie", cookie)],
        &body,
    )
    .await
}

/// A SIP client on a WebSocket.
pub(crate) struct SipClient<S = TcpStream> {
    socket: WebSocketStream<S>,
    /// Makes Call-IDs and branches of this client differ from those of others.
    name: u32,
    cseq: u32,
}

impl SipClient {
    /// Connects as a native client does.
    pub(crate) async fn connect(at: SocketAddr) -> Self {
        Self::connect_with(at, &[("sec-websocket-protocol", "sip")])
            .await
            .unwrap()
    }

    /// Connects with these headers; a refusal gives its status.
    pub(crate) async fn connect_with(
        at: SocketAddr,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, StatusCode> {
        let stream = TcpStream::connect(at).await.unwrap();
        SipClient::connect_over(stream, &at.to_string(), "ws", headers).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> SipClient<S> {
    pub(crate) async fn connect_over(
        stream: S,
        host: &str,
        scheme: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, StatusCode> {
        let mut request = format!("{scheme}://{host}/sip").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match timeout(PATIENCE, client_async(request, stream)).await.unwrap() {
            Ok((socket, _)) => {
                static NAMES: AtomicU32 = AtomicU32::new(0);
                Ok(Self {
                    socket,
                    name: NAMES.fetch_add(1, Ordering::Relaxed),
                    cseq: 0,
                })
            }
            Err(Error::Http(response)) => Err(response.status()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn send(&mut self, frame: Frame) {
        self.socket.send(frame).await.unwrap();
    }

    /// Sends although the server may close meanwhile; `false` when it has.
    pub(crate) async fn try_send(&mut self, frame: Frame) -> bool {
        self.socket.send(frame).await.is_ok()
    }

    /// The next frame; `None` when the connection is gone.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        timeout(PATIENCE, self.socket.next())
            .await
            .expect("no frame in time")
            .and_then(Result::ok)
    }

    /// Reads until the server closes; returns the close code, 1006 if there was none.
    pub(crate) async fn close_code(&mut self) -> u16 {
        let mut code = 1006;
        // Reading on after the close frame sends the answer to it.
        while let Some(frame) = self.frame().await {
            if let Frame::Close(close) = frame {
                code = close.map_or(1005, |close| close.code.into());
            }
        }
        code
    }

    /// The next SIP message.
    pub(crate) async fn message(&mut self) -> Message {
        loop {
            let frame = self.frame().await.expect("the connection is gone");
            if frame.is_text() || frame.is_binary() {
                return Message::parse(frame.into_data().to_vec()).unwrap();
            }
        }
    }

    /// The answer to a REGISTER without credentials.
    pub(crate) async fn challenge(&mut self, user: &str, domain: &str) -> Message {
        let register = self.register_request(user, domain);
        self.send(Frame::text(text(&register))).await;
        self.message().await
    }

    /// Registers `user` with the given credentials, answering one challenge; returns the final status.
    pub(crate) async fn register(
        &mut self,
        user: &str,
        domain: &str,
        auth_user: &str,
        password: &str,
    ) -> u16 {
        let mut challenge = ClientChallengeState::default();
        let response = self.challenge(user, domain).await;
        if response.status() != Some(401) {
            return response.status().unwrap();
        }
        challenge.take_challenges(&response);
        let register = self.register_request(user, domain);
        let mut retry = register.edit();
        for (name, value) in challenge.authorize(&register, auth_user, &Secret::new(password), "c0ffee") {
            retry = retry.append(name, value);
        }
        self.send(Frame::text(text(&retry.build()))).await;
        self.message().await.status().unwrap()
    }

    fn register_request(&mut self, user: &str, domain: &str) -> Message {
        self.cseq += 1;
        let registrar = UriBuf::parse(format!("sip:{domain}")).unwrap();
        RequestBuilder::new(Method::Register, registrar.as_uri())
            .header(
                HeaderName::Via,
                format!(
                    "SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK{}x{}",
                    self.cseq, self.name
                ),
            )
            .header(HeaderName::MaxForwards, 70)
            .header(
                HeaderName::From,
                format!("<sip:{user}@{domain}>;tag=t{}", self.cseq),
            )
            .header(HeaderName::To, format!("<sip:{user}@{domain}>"))
            .header(HeaderName::CallId, format!("call-{}", self.name))
            .header(HeaderName::CSeq, format!("{} REGISTER", self.cseq))
            .header(
                HeaderName::Contact,
                format!("<sip:{user}@d{}.invalid;transport=ws>;expires=600", self.name),
            )
            .build()
    }
}

pub(crate) fn text(message: &Message) -> String {
    String::from_utf8(message.as_bytes().to_vec()).unwrap()
}
