//! People with telephones: each speaks with a tone of their own, and what they hear is measured. A tap on the line of each
//! sends what the telephone cannot, and sees what it is sent.

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clearline_core::sip::{HeaderName, Message, UriBuf};
use clearline_core::{CallId, Config, MediaError, Secret};
use clearline_native::audio::{Audio, AudioProvider, AudioSink, AudioSource, SAMPLE_RATE};
use clearline_native::transport::{Connection, Transport, TransportError, WebSocketTransport};
use clearline_native::{Call, Phone};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::support::PATIENCE;

pub(crate) const DOMAIN: &str = "clearline.localhost";
/// Samples in which tones are looked for: 0.2 s.
const WINDOW: usize = 9_600;
/// Louder than this is there, quieter than a fifth of it is not. Everybody speaks with 6,000.
const THERE: f64 = 1_500.0;
/// Begins the Call-ID of what the tap sends.
const TAP: &str = "tap-";

/// Waits, but not for ever.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what}: it takes too long"))
}

pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) phone: Phone,
    pub(crate) tap: Tap,
    voice: Voice,
}

impl Person {
    /// Somebody whose telephone is registered.
    pub(crate) async fn new(at: SocketAddr, name: &'static str, hertz: f64) -> Self {
        let address = UriBuf::parse(format!("sip:{name}@{DOMAIN}")).unwrap();
        let instance = format!("urn:uuid:{name}-{hertz}");
        let mut config = Config::new(address, format!("ws://{at}/sip"), instance);
        config.password = Secret::new("demo");
        config.auto_answer = true;
        config.conference_factory = UriBuf::parse(format!("sip:conference@{DOMAIN}")).ok();
        let (tap, voice) = (Tap::default(), Voice::new(hertz));
        let phone = Phone::builder(config)
            .transport(tap.clone())
            .audio(voice.clone())
            .start()
            .unwrap();
        timeout(PATIENCE, phone.registered()).await.unwrap().unwrap();
        Self {
            name,
            phone,
            tap,
            voice,
        }
    }

    /// Calls somebody who answers.
    pub(crate) async fn call(&self, target: &str) -> Call {
        let call = within("call", self.phone.call(target)).await.unwrap();
        timeout(PATIENCE, call.answered())
            .await
            .unwrap()
            .expect("nobody answers");
        call
    }

    /// Calls a conference of their own; its URI.
    pub(crate) async fn confer(&self) -> (Call, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let call = self
                .phone
                .call(&format!("sip:conference@{DOMAIN}"))
                .await
                .unwrap();
            if let Some(info) = timeout(PATIENCE, call.answered()).await.unwrap() {
                let is_focus = timeout(PATIENCE, call.when(|info| info.focus)).await.unwrap();
                assert!(is_focus.is_some_and(|info| info.focus), "{info:?}");
                return (call, self.tap.conference().expect("no Contact"));
            }
            // It registers while the first telephone does.
            assert!(Instant::now() < deadline, "there is no factory");
        }
    }

    /// Waits until they hear a tone that nobody speaks with.
    pub(crate) async fn hears_tone(&self, hertz: f64) {
        let deadline = Instant::now() + PATIENCE;
        while self.voice.level(hertz) < THERE {
            assert!(Instant::now() < deadline, "{} hears no {hertz} Hz", self.name);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The call that has come in.
    pub(crate) async fn incoming(&self) -> Call {
        let mut state = self.phone.watch();
        let state = timeout(PATIENCE, state.wait_for(|state| !state.calls.is_empty())).await;
        let id = *state.expect("nobody calls").unwrap().calls.keys().next().unwrap();
        let call = self.phone.call_handle(id);
        timeout(PATIENCE, call.answered())
            .await
            .unwrap()
            .expect("it has ended");
        call
    }

    /// Waits until they hear exactly these people.
    pub(crate) async fn hears(&self, others: &[&Self], all: &[&Self]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let heard = self.voice.levels(all);
            let is_right = all.iter().zip(&heard).all(|(person, level)| {
                let is_meant = others.iter().any(|other| other.name == person.name);
                if is_meant {
                    *level > THERE
                } else {
                    *level < THERE / 5.0
                }
            });
            if is_right {
                return;
            }
            assert!(Instant::now() < deadline, "{} hears {heard:.0?}", self.name);
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[derive(Clone)]
struct Voice {
    hertz: f64,
    at: u64,
    heard: Arc<Mutex<VecDeque<i16>>>,
}

impl Voice {
    fn new(hertz: f64) -> Self {
        Self {
            hertz,
            at: 0,
            heard: Arc::default(),
        }
    }

    /// How loud each of these people has been of late.
    fn levels(&self, people: &[&Person]) -> Vec<f64> {
        people
            .iter()
            .map(|person| self.level(person.voice.hertz))
            .collect()
    }

    /// How loud a tone has been of late.
    fn level(&self, hertz: f64) -> f64 {
        let heard = self.heard.lock().unwrap();
        amplitude(heard.iter().copied(), hertz)
    }
}

/// The amplitude of a tone (Goertzel).
fn amplitude(samples: impl Iterator<Item = i16>, hertz: f64) -> f64 {
    let factor = 2.0 * (TAU * hertz / f64::from(SAMPLE_RATE)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        let next = f64::from(sample) + factor * last - before;
        (before, last) = (last, next);
    }
    let power: f64 = last * last + before * before - factor * last * before;
    power.max(0.0).sqrt() * 2.0 / WINDOW as f64
}

impl AudioProvider for Voice {
    fn open(&self, _: CallId) -> Result<Audio, MediaError> {
        Ok(Audio {
            source: Box::new(self.clone()),
            sink: Box::new(self.clone()),
        })
    }
}

impl AudioSource for Voice {
    fn read(&mut self, frame: &mut [i16]) {
        for sample in frame {
            let phase = TAU * self.hertz * self.at as f64 / f64::from(SAMPLE_RATE);
            *sample = (phase.sin() * 6_000.0) as i16;
            self.at += 1;
        }
    }
}

impl AudioSink for Voice {
    fn write(&mut self, frame: &[i16]) {
        let mut heard = self.heard.lock().unwrap();
        heard.extend(frame);
        let excess = heard.len().saturating_sub(WINDOW);
        heard.drain(..excess);
    }
}

/// See the module's documentation.
#[derive(Clone, Default)]
pub(crate) struct Tap(Arc<Tapped>);

#[derive(Default)]
struct Tapped {
    line: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    conference: Mutex<Option<String>>,
    /// What has come for the tap.
    received: watch::Sender<Vec<Message>>,
    sent: Mutex<u32>,
}

impl Tap {
    /// The conference that has answered last.
    fn conference(&self) -> Option<String> {
        self.0.conference.lock().unwrap().clone()
    }

    /// Sends a request outside of any dialog, as the telephone would; returns its Call-ID.
    pub(crate) async fn send(&self, user: &str, method: &str, target: &str, headers: &str) -> String {
        let number = {
            let mut sent = self.0.sent.lock().unwrap();
            *sent += 1;
            *sent
        };
        let call_id = format!("{TAP}{user}-{number}");
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/WS tap.invalid;branch=z9hG4bK{call_id}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@{DOMAIN}>;tag={call_id}\r\nTo: <{target}>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:{user}@tap.invalid;transport=ws;ob>\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        let line = self.0.line.lock().unwrap().clone().expect("not connected");
        line.send(text.into_bytes()).await.unwrap();
        call_id
    }

    /// Asks and waits for the final answer.
    pub(crate) async fn ask(&self, user: &str, method: &str, target: &str, headers: &str) -> (String, u16) {
        let call_id = self.send(user, method, target, headers).await;
        let status = |it: &Message| {
            it.status()
                .filter(|status| *status >= 200 && it.call_id() == Ok(&call_id))
        };
        let received = self
            .wait_until(|all| all.iter().any(|it| status(it).is_some()))
            .await;
        let status = received.iter().find_map(status).unwrap();
        (call_id, status)
    }

    /// Waits until what a REFER or SUBSCRIBE has been told is right.
    pub(crate) async fn is_told(&self, call_id: &str, is_right: impl Fn(&[String]) -> bool) {
        self.wait_until(|all| is_right(&notifications(all, call_id)))
            .await;
    }

    /// Waits until what has come for the tap is right; all of it.
    async fn wait_until(&self, is_right: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        let mut received = self.0.received.subscribe();
        let all = timeout(PATIENCE, received.wait_for(|all| is_right(all))).await;
        all.expect("it does not come").unwrap().clone()
    }

    /// Whether a message is the tap's; NOTIFYs are answered.
    fn takes(&self, bytes: &[u8], line: &mpsc::Sender<Vec<u8>>) -> bool {
        let Ok(message) = Message::parse(bytes) else {
            return false;
        };
        if message.is_response() {
            let contact = message.header(HeaderName::Contact).unwrap_or_default();
            if message.status() == Some(200) && contact.contains(";isfocus") {
                let uri = contact.trim_start_matches('<').split('>').next();
                *self.0.conference.lock().unwrap() = uri.map(str::to_owned);
            }
        }
        if !message.call_id().is_ok_and(|id| id.starts_with(TAP)) {
            return false;
        }
        if message.is_request() {
            let answer = clearline_core::sip::ResponseBuilder::for_request(&message, 200).build();
            let _ = line.try_send(answer.as_bytes().to_vec());
        }
        self.0.received.send_modify(|received| received.push(message));
        true
    }
}

fn notifications(all: &[Message], call_id: &str) -> Vec<String> {
    let notifications = all
        .iter()
        .filter(|it| it.is_request() && it.call_id() == Ok(call_id));
    notifications
        .map(|it| String::from_utf8_lossy(it.body()).into_owned())
        .collect()
}

#[async_trait::async_trait]
impl Transport for Tap {
    async fn connect(&self, url: &str) -> Result<Connection, TransportError> {
        let Connection {
            mut incoming,
            outgoing,
            close_reason,
        } = WebSocketTransport::new().connect(url).await?;
        *self.0.line.lock().unwrap() = Some(outgoing.clone());
        let (sender, tapped) = mpsc::channel(64);
        let (tap, line) = (self.clone(), outgoing.clone());
        tokio::spawn(async move {
            while let Some(message) = incoming.recv().await {
                if !tap.takes(&message, &line) && sender.send(message).await.is_err() {
                    return;
                }
            }
        });
        Ok(Connection {
            incoming: tapped,
            outgoing,
            close_reason,
        })
    }
}
