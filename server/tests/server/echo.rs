//! The echo service: callers hear themselves, a second later, and every call ends.

use std::f32::consts::TAU;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clearline_core::sip::UriBuf;
use clearline_core::{CallId, CallState, Config, EndCause, MediaError, MediaTransport, Secret};
use clearline_native::audio::{Audio, AudioProvider, AudioSink, AudioSource, SAMPLE_RATE};
use clearline_native::{Call, Phone};
use clearline_server::{Options, Server};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::{Folder, PATIENCE, cookie, get, options};

/// Somebody who says one short word when asked to, and notes when the first sound comes back.
#[derive(Clone)]
struct Caller {
    word: Arc<Mutex<Word>>,
    heard: watch::Sender<Option<Instant>>,
}

#[derive(Default)]
struct Word {
    samples_left: u32,
    spoken_at: Option<Instant>,
}

impl Caller {
    fn new() -> Self {
        Self {
            word: Arc::default(),
            heard: watch::Sender::new(None),
        }
    }

    fn speak(&self) {
        self.word.lock().unwrap().samples_left = SAMPLE_RATE / 2;
    }

    /// How long the word took to come back.
    async fn delay(&self) -> Duration {
        let mut heard = self.heard.subscribe();
        let at = timeout(PATIENCE, heard.wait_for(Option::is_some))
            .await
            .expect("nothing comes back")
            .unwrap()
            .unwrap();
        at - self
            .word
            .lock()
            .unwrap()
            .spoken_at
            .expect("heard before anything was said")
    }
}

impl AudioProvider for Caller {
    fn open(&self, _: CallId) -> Result<Audio, MediaError> {
        Ok(Audio {
            source: Box::new(self.clone()),
            sink: Box::new(self.clone()),
        })
    }
}

impl AudioSource for Caller {
    fn read(&mut self, frame: &mut [i16]) {
        let mut word = self.word.lock().unwrap();
        for (index, sample) in frame.iter_mut().enumerate() {
            let is_speaking = word.samples_left > 0;
            let phase = index as f32 / SAMPLE_RATE as f32 * 400.0 * TAU;
            *sample = if is_speaking {
                (phase.sin() * 12_000.0) as i16
            } else {
                0
            };
            word.samples_left = word.samples_left.saturating_sub(1);
            if is_speaking && word.spoken_at.is_none() {
                word.spoken_at = Some(Instant::now());
            }
        }
    }
}

impl AudioSink for Caller {
    fn write(&mut self, frame: &[i16]) {
        let is_loud = frame.iter().any(|sample| sample.unsigned_abs() > 4_000);
        if is_loud {
            self.heard
                .send_if_modified(|heard| heard.replace(heard.unwrap_or_else(Instant::now)).is_none());
        }
    }
}

async fn start(folder: &Folder) -> Server {
    Server::start(Options {
        echo: true,
        ..options(folder)
    })
    .await
    .unwrap()
}

async fn phone(at: SocketAddr, user: &str, caller: &Caller) -> Phone {
    let address = UriBuf::parse(format!("sip:{user}@clearline.localhost")).unwrap();
    let mut config = Config::new(address, format!("ws://{at}/sip"), format!("urn:uuid:{user}"));
    config.password = Secret::new("demo");
    let phone = Phone::builder(config).audio(caller.clone()).start().unwrap();
    timeout(PATIENCE, phone.registered()).await.unwrap().unwrap();
    phone
}

/// Calls 600 as soon as the service is there, and waits until audio can flow.
async fn call_echo(phone: &Phone) -> Call {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let call = phone.call("600").await.unwrap();
        let mut state = phone.watch();
        timeout(PATIENCE, state.wait_for(|state| state.call(call.id()).is_some()))
            .await
            .unwrap()
            .unwrap();
        let info = timeout(
            PATIENCE,
            call.when(|info| info.media == MediaTransport::Connected),
        )
        .await
        .unwrap()
        .unwrap();
        if info.state == CallState::Active || info.state == CallState::Answering {
            return call;
        }
        let cause = info.end.map(|end| end.cause);
        assert!(
            cause == Some(EndCause::Unavailable) && Instant::now() < deadline,
            "{cause:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_hear_themselves_a_second_later() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let caller = Caller::new();
    let phone = phone(server.address(), "alice", &caller).await;
    let call = call_echo(&phone).await;
    caller.speak();
    let delay = caller.delay().await;
    assert!(
        (Duration::from_millis(900)..Duration::from_secs(4)).contains(&delay),
        "{delay:?}"
    );
    call.hang_up().await.unwrap();
    assert_eq!(
        call.ended().await.unwrap().end.unwrap().cause,
        EndCause::LocalHangUp
    );
    phone.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_a_time_and_one_after_the_other() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let callers = [Caller::new(), Caller::new()];
    let alice = phone(server.address(), "alice", &callers[0]).await;
    let bob = phone(server.address(), "bob", &callers[1]).await;
    for _ in 0..3 {
        let (one, two) = tokio::join!(call_echo(&alice), call_echo(&bob));
        let (one, two) = tokio::join!(one.hang_up(), two.hang_up());
        assert_eq!((one, two), (Ok(()), Ok(())));
    }
    let call = call_echo(&bob).await;
    callers[1].speak();
    callers[1].delay().await;
    assert!(callers[0].heard.borrow().is_none(), "nobody hears somebody else");
    call.hang_up().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_calls_properly() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let phone = phone(server.address(), "alice", &Caller::new()).await;
    let call = call_echo(&phone).await;
    server.stop().await;
    let end = timeout(PATIENCE, call.ended())
        .await
        .unwrap()
        .unwrap()
        .end
        .unwrap();
    assert_eq!(end.cause, EndCause::RemoteHangUp);
}

#[tokio::test]
async fn the_service_stands_in_the_directory() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let cookie = cookie(server.address(), "alice").await;
    let list = get(server.address(), "/u/alice/api/directory", &[("cookie", &cookie)])
        .await
        .json();
    let entry = serde_json::json!({ "id": "echo", "number": "600", "displayName": "Echo" });
    assert!(list.as_array().unwrap().contains(&entry), "{list}");
}
