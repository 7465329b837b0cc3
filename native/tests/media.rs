//! Two media backends wired together without signalling: what one says the other hears.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use clearline_core::media::{HoldMusic, Level, Melody};
use clearline_core::{
    CallId, ConferenceId, Direction, Input, MediaAction, MediaError, MediaErrorKind, MediaEvent,
    MediaOutcome, MediaRequestId, MediaSessionId, MediaTransport,
};
use clearline_native::audio::Sound;
use clearline_native::media::{MediaBackend as _, MediaJob, StatisticsReader, WebRtcMedia};
use support::{Person, similarity, voice};
use tokio::sync::mpsc;

const CALL: CallId = CallId(1);

/// One backend with one session, driven by hand.
struct End {
    backend: WebRtcMedia,
    reports: mpsc::UnboundedReceiver<Input>,
    reporter: mpsc::UnboundedSender<Input>,
    person: Person,
    statistics: StatisticsReader,
    events: Vec<MediaEvent>,
    requests: u64,
    session: u64,
}

impl End {
    fn new(person: Person) -> Self {
        Self::with(WebRtcMedia::new(person.clone()), person)
    }

    fn with(backend: WebRtcMedia, person: Person) -> Self {
        let (reporter, reports) = mpsc::unbounded_channel();
        let statistics = backend.statistics();
        Self {
            backend,
            reports,
            reporter,
            person,
            statistics,
            events: Vec::new(),
            requests: 0,
            session: 1,
        }
    }

    async fn request(&mut self, action: MediaAction) -> Result<MediaOutcome, MediaError> {
        self.requests += 1;
        let request = MediaRequestId(self.requests);
        let job = MediaJob {
            request,
            call: CALL,
            session: MediaSessionId(self.session),
            action,
        };
        self.backend.execute(job, &self.reporter);
        loop {
            match self.next().await {
                Input::MediaDone {
                    request: answered,
                    result,
                } => {
                    assert_eq!(answered, request, "answers come in order");
                    return result;
                }
                Input::Media { event, .. } => self.events.push(event),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    async fn describe(&mut self, action: MediaAction) -> String {
        match self.request(action).await {
            Ok(MediaOutcome::Description { sdp }) => sdp,
            other => panic!("no description but {other:?}"),
        }
    }

    async fn offer(&mut self, direction: Direction) -> String {
        self.describe(MediaAction::CreateOffer {
            direction,
            ice_restart: false,
        })
        .await
    }

    async fn answer(&mut self, offer: &str, direction: Direction) -> String {
        self.describe(MediaAction::CreateAnswer {
            offer: offer.to_owned(),
            direction,
        })
        .await
    }

    async fn apply(&mut self, answer: &str) {
        self.request(MediaAction::ApplyAnswer {
            answer: answer.to_owned(),
            provisional: false,
        })
        .await
        .unwrap();
    }

    async fn next(&mut self) -> Input {
        tokio::time::timeout(Duration::from_secs(10), self.reports.recv())
            .await
            .expect("a report")
            .unwrap()
    }

    async fn event(&mut self, wanted: impl Fn(&MediaEvent) -> bool) -> MediaEvent {
        loop {
            if let Some(index) = self.events.iter().position(&wanted) {
                return self.events.remove(index);
            }
            match self.next().await {
                Input::Media { event, .. } => self.events.push(event),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    async fn connected(&mut self) {
        let connected = MediaEvent::Transport {
            state: MediaTransport::Connected,
        };
        self.event(|event| *event == connected).await;
    }

    async fn tones(&mut self, count: usize) -> String {
        let mut tones = String::new();
        while tones.len() < count {
            let MediaEvent::DtmfReceived { tone } = self
                .event(|event| matches!(event, MediaEvent::DtmfReceived { .. }))
                .await
            else {
                unreachable!()
            };
            tones.push(tone);
        }
        tones
    }
}

async fn negotiate(from: &mut End, from_direction: Direction, to: &mut End, to_direction: Direction) {
    let offer = from.offer(from_direction).await;
    let answer = to.answer(&offer, to_direction).await;
    from.apply(&answer).await;
}

async fn call() -> (End, End) {
    let (mut alice, mut bob) = (
        End::new(Person::speaking(voice(1, 60))),
        End::new(Person::speaking(voice(2, 60))),
    );
    negotiate(&mut alice, Direction::SendRecv, &mut bob, Direction::SendRecv).await;
    alice.connected().await;
    bob.connected().await;
    (alice, bob)
}

fn loudness(samples: &[i16]) -> f64 {
    Level::of(samples).rms_dbfs()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_hears_the_other_and_nobody_else() {
    let (alice, bob) = call().await;
    bob.person.hear(4.0).await;
    // Comparing takes a while, in which the voices may end.
    let figures = alice.statistics.of(CALL).unwrap();
    let (at_bob, at_alice) = (bob.person.heard(), alice.person.heard());
    let (alice_said, bob_said) = (alice.person.said(), bob.person.said());
    let right = [
        similarity(alice_said, &at_bob, 0.6),
        similarity(bob_said, &at_alice, 0.6),
    ];
    let wrong = [
        similarity(bob_said, &at_bob, 0.6),
        similarity(alice_said, &at_alice, 0.6),
        similarity(alice_said, &vec![0; at_bob.len()], 0.6),
        similarity(voice(3, 10).samples(), &at_bob, 0.6),
    ];
    eprintln!("similarity to the right voice {right:.3?}, to wrong ones {wrong:.3?}");
    assert!(right.iter().all(|&score| score > 0.8));
    assert!(wrong.iter().all(|&score| score < 0.6));
    assert_eq!((figures.format, figures.received.lost), ("opus", 0));
    assert!(
        figures.packets_sent > 100 && figures.level_received > -40.0,
        "{figures:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn set_up_does_not_wait_for_timers() {
    let mut times = Vec::new();
    for _ in 0..5 {
        let (alice, _bob) = call().await;
        while alice
            .statistics
            .of(CALL)
            .and_then(|figures| figures.setup_ms)
            .is_none()
        {
            tokio::task::yield_now().await;
        }
        times.push(
            alice
                .statistics
                .of(CALL)
                .and_then(|figures| figures.setup_ms)
                .unwrap(),
        );
    }
    times.sort_unstable();
    eprintln!("answer applied -> transport connected: {times:?} ms");
    assert!(times[2] < 200, "median of {times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptions_carry_what_others_need() {
    let mut alice = End::new(Person::speaking(voice(1, 1)));
    let offer = alice.offer(Direction::SendRecv).await;
    for line in [
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
        "a=setup:actpass",
        "a=rtcp-mux",
        "a=sendrecv",
    ] {
        assert!(
            offer.contains(&format!("{line}\r\n")),
            "{line} is missing in\n{offer}"
        );
    }
    assert!(
        offer.contains("typ host") && !offer.contains("IN IP4 0.0.0.0\r\na="),
        "{offer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_arrive_once_each_in_both_directions() {
    let (mut alice, mut bob) = call().await;
    let send = |tones: &str| MediaAction::SendDtmf {
        tones: tones.to_owned(),
        duration_ms: 100,
    };
    alice.request(send("123")).await.unwrap();
    alice.request(send("#")).await.unwrap();
    bob.request(send("*0D")).await.unwrap();
    assert_eq!(bob.tones(4).await, "123#");
    assert_eq!(alice.tones(3).await, "*0D");
    let after = bob.person.hear(1.5).await;
    assert!(loudness(&after) > -40.0, "the voice goes on after the digits");
    assert!(
        !bob.events
            .iter()
            .any(|event| matches!(event, MediaEvent::DtmfReceived { .. }))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn muted_means_zeros_and_unmuted_means_the_voice() {
    let (mut alice, bob) = call().await;
    alice
        .request(MediaAction::SetMuted { muted: true })
        .await
        .unwrap();
    bob.person.hear(0.5).await;
    assert!(loudness(&bob.person.hear(2.0).await) < -80.0);
    assert_eq!(
        alice.statistics.of(CALL).unwrap().level_sent,
        f64::NEG_INFINITY,
        "exact zeros are encoded"
    );
    alice
        .request(MediaAction::SetMuted { muted: false })
        .await
        .unwrap();
    bob.person.hear(0.5).await;
    assert!(loudness(&bob.person.hear(0.5).await) > -40.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_far_end_reports_what_arrives_and_how_long_the_way_is() {
    let (alice, bob) = call().await;
    let reported = |end: &End| end.statistics.of(CALL).and_then(|figures| figures.reported);
    let both = async {
        for end in [&alice, &bob] {
            while reported(end).is_none_or(|report| report.round_trip.is_none()) {
                end.person.hear(0.2).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    let report = reported(&alice).unwrap();
    assert_eq!(
        (report.fraction_lost, report.lost),
        (0, 0),
        "nothing is lost on this machine"
    );
    assert!(report.round_trip.unwrap() < Duration::from_secs(1), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_stops_the_media_and_resume_brings_it_back() {
    let (mut alice, mut bob) = call().await;
    negotiate(&mut alice, Direction::SendOnly, &mut bob, Direction::SendRecv).await;
    alice.person.hear(0.5).await;
    assert!(
        Level::of(&alice.person.hear(0.5).await).is_silent(),
        "bob may not send"
    );
    let heard = bob.person.hear(3.0).await;
    assert!(loudness(&heard) > -40.0, "bob hears music");
    let voice = similarity(alice.person.said(), &heard, 5.0);
    assert!(voice < 0.6, "bob hears the room of who holds him: {voice}");

    negotiate(&mut alice, Direction::Inactive, &mut bob, Direction::SendRecv).await;
    let sent = alice.statistics.of(CALL).unwrap().packets_sent;
    bob.person.hear(0.5).await;
    assert!(
        Level::of(&bob.person.hear(1.0).await).is_silent(),
        "nobody may send"
    );
    alice.person.hear(1.2).await;
    assert!(
        alice.statistics.of(CALL).unwrap().packets_sent < sent + 60,
        "and nobody does"
    );

    negotiate(&mut alice, Direction::SendRecv, &mut bob, Direction::SendRecv).await;
    alice.person.hear(0.5).await;
    let (heard_alice, heard_bob) = (bob.person.hear(0.5).await, alice.person.hear(0.5).await);
    assert!(loudness(&heard_alice) > -40.0 && loudness(&heard_bob) > -40.0);
}

/// The share of the sound that is at `hertz` (Goertzel), in the best half second.
fn share_of_tone(samples: &[i16], hertz: f64) -> f64 {
    let share = |chunk: &[i16]| {
        let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 0.0);
        for (at, sample) in chunk.iter().enumerate() {
            let (sample, angle) = (
                f64::from(*sample),
                hertz * std::f64::consts::TAU * at as f64 / 48_000.0,
            );
            real += sample * angle.cos();
            imaginary += sample * angle.sin();
            energy += sample * sample;
        }
        2.0 * (real * real + imaginary * imaginary) / (energy * chunk.len() as f64).max(1.0)
    };
    samples.chunks_exact(4_800).map(share).fold(0.0, f64::max)
}

fn tone(hertz: f64, seconds: usize) -> Sound {
    let sine = |at: usize| (hertz * std::f64::consts::TAU * at as f64 / 48_000.0).sin();
    Sound::from_samples(
        (0..seconds * 48_000)
            .map(|at| (sine(at) * 6_000.0) as i16)
            .collect::<Vec<_>>(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_held_hears_the_melody_and_nobody_else() {
    // A tone that is no note of the melody, nor near one.
    let room = 1_500.0;
    let (mut alice, mut bob) = (
        End::new(Person::speaking(tone(room, 60))),
        End::new(Person::speaking(voice(2, 60))),
    );
    negotiate(&mut alice, Direction::SendRecv, &mut bob, Direction::SendRecv).await;
    alice.connected().await;
    bob.connected().await;
    bob.person.hear(0.5).await;
    assert!(
        share_of_tone(&bob.person.hear(0.5).await, room) > 0.5,
        "the room is heard"
    );
    // Muted or not makes no difference to the music.
    for muted in [false, true] {
        alice.request(MediaAction::SetMuted { muted }).await.unwrap();
        negotiate(&mut alice, Direction::SendOnly, &mut bob, Direction::SendRecv).await;
        bob.person.hear(0.5).await;
        let heard = bob.person.hear(3.0).await;
        assert!((-40.0..-20.0).contains(&loudness(&heard)), "{}", loudness(&heard));
        assert!(share_of_tone(&heard, room) < 0.01, "the room is not");
        let notes = Melody::frequencies().filter(|note| share_of_tone(&heard, f64::from(*note)) > 0.3);
        assert!(notes.count() >= 5, "its notes are");
        // Retrieved, and the far end not asked yet: silence at once.
        let offer = alice.offer(Direction::SendRecv).await;
        bob.person.hear(0.5).await;
        assert!(loudness(&bob.person.hear(0.5).await) < -80.0);
        let answer = bob.answer(&offer, Direction::SendRecv).await;
        alice.apply(&answer).await;
        bob.person.hear(0.5).await;
        let back = bob.person.hear(0.5).await;
        assert_eq!(share_of_tone(&back, room) > 0.5, !muted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_platform_plays_this_side_is_silent() {
    for hold_music in [HoldMusic::Platform, HoldMusic::None] {
        let person = Person::speaking(voice(1, 60));
        let backend = WebRtcMedia::builder(person.clone())
            .hold_music(hold_music)
            .build();
        let (mut alice, mut bob) = (
            End::with(backend, person),
            End::new(Person::speaking(voice(2, 60))),
        );
        negotiate(&mut alice, Direction::SendRecv, &mut bob, Direction::SendRecv).await;
        alice.connected().await;
        negotiate(&mut alice, Direction::SendOnly, &mut bob, Direction::SendRecv).await;
        bob.person.hear(0.5).await;
        let heard = loudness(&bob.person.hear(1.0).await);
        assert!(heard < -80.0, "{heard} dBFS");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_conference_each_hears_exactly_the_others() {
    let tones = [700.0, 1_100.0, 1_700.0];
    let [at_alice, at_bob, at_carol] = tones;
    let person = Person::speaking(tone(at_alice, 60));
    let mut alice = End::new(person);
    let (mut bob, mut carol) = (
        End::new(Person::speaking(tone(at_bob, 60))),
        End::new(Person::speaking(tone(at_carol, 60))),
    );
    for (session, other) in [(1, &mut bob), (2, &mut carol)] {
        alice.session = session;
        negotiate(&mut alice, Direction::SendRecv, other, Direction::SendRecv).await;
        alice.connected().await;
        other.connected().await;
    }
    let hears = |heard: &[i16]| tones.map(|tone| share_of_tone(heard, tone) > 0.1);
    bob.person.hear(0.5).await;
    assert_eq!(hears(&bob.person.hear(0.5).await), [true, false, false]);

    let conference = Some(ConferenceId(1));
    for session in [1, 2] {
        alice.session = session;
        alice
            .request(MediaAction::SetConference { conference })
            .await
            .unwrap();
    }
    bob.person.hear(1.0).await;
    let (heard_bob, heard_carol) = (bob.person.hear(1.0).await, carol.person.hear(1.0).await);
    assert_eq!(hears(&heard_bob), [true, false, true], "bob");
    assert_eq!(hears(&heard_carol), [true, true, false], "carol");

    // Muted, the one who mixes is not heard; the others are.
    for session in [1, 2] {
        alice.session = session;
        alice
            .request(MediaAction::SetMuted { muted: true })
            .await
            .unwrap();
    }
    bob.person.hear(1.0).await;
    assert_eq!(hears(&bob.person.hear(1.0).await), [false, false, true]);

    // Held, bob hears music and nothing of the conference.
    alice.session = 1;
    negotiate(&mut alice, Direction::SendOnly, &mut bob, Direction::SendRecv).await;
    bob.person.hear(1.0).await;
    let held = bob.person.hear(1.0).await;
    assert!(hears(&held)[1..] == [false, false] && loudness(&held) > -45.0);

    alice
        .request(MediaAction::SetConference { conference: None })
        .await
        .unwrap();
    carol.person.hear(1.0).await;
    assert_eq!(
        hears(&carol.person.hear(0.5).await),
        [false; 3],
        "nobody is left but alice, who is muted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_a_conference_before_the_connection_is_there_is_heard_when_it_is() {
    let [at_bob, at_carol] = [1_100.0, 1_700.0];
    let mut alice = End::new(Person::speaking(tone(700.0, 60)));
    let (mut bob, mut carol) = (
        End::new(Person::speaking(tone(at_bob, 60))),
        End::new(Person::speaking(tone(at_carol, 60))),
    );
    let join = MediaAction::SetConference {
        conference: Some(ConferenceId(1)),
    };
    alice.session = 1;
    negotiate(&mut alice, Direction::SendRecv, &mut carol, Direction::SendRecv).await;
    alice.request(join.clone()).await.unwrap();
    alice.connected().await;
    carol.connected().await;
    alice.session = 2;
    let offer = alice.offer(Direction::SendRecv).await;
    alice.request(join).await.unwrap();
    carol.person.hear(0.5).await;
    let answer = bob.answer(&offer, Direction::SendRecv).await;
    alice.apply(&answer).await;
    bob.connected().await;
    bob.person.hear(0.5).await;
    assert!(
        share_of_tone(&bob.person.hear(1.0).await, at_carol) > 0.1,
        "bob hears carol"
    );
    assert!(
        share_of_tone(&carol.person.hear(1.0).await, at_bob) > 0.1,
        "carol hears bob"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn both_can_hold_at_once_and_the_answerer_decides_too() {
    let (mut alice, mut bob) = call().await;
    let offer = alice.offer(Direction::SendOnly).await;
    assert!(offer.contains("a=sendonly"));
    let answer = bob.answer(&offer, Direction::SendOnly).await;
    assert!(answer.contains("a=inactive"), "{answer}");
    alice.apply(&answer).await;
    negotiate(&mut bob, Direction::SendRecv, &mut alice, Direction::SendRecv).await;
    alice.person.hear(0.5).await;
    assert!(loudness(&alice.person.hear(0.5).await) > -40.0);
    assert!(loudness(&bob.person.hear(0.5).await) > -40.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ice_restart_keeps_the_call() {
    let (mut alice, mut bob) = call().await;
    let restart = MediaAction::CreateOffer {
        direction: Direction::SendRecv,
        ice_restart: true,
    };
    let first = alice.describe(restart).await;
    let answer = bob.answer(&first, Direction::SendRecv).await;
    alice.apply(&answer).await;
    alice.person.hear(1.5).await;
    assert!(loudness(&alice.person.hear(0.5).await) > -40.0);
    assert!(loudness(&bob.person.hear(0.5).await) > -40.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_meets_glare_is_taken_back_and_the_others_is_answered() {
    let (mut alice, mut bob) = call().await;
    alice.offer(Direction::SendOnly).await;
    let offer = bob.offer(Direction::SendRecv).await;
    alice.request(MediaAction::Rollback).await.unwrap();
    let answer = alice.answer(&offer, Direction::SendRecv).await;
    bob.apply(&answer).await;
    alice.person.hear(0.5).await;
    assert!(loudness(&alice.person.hear(0.5).await) > -40.0);
    assert!(loudness(&bob.person.hear(0.5).await) > -40.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provisional_answer_plays_and_the_final_one_of_the_same_far_end_follows() {
    let (mut alice, mut bob) = (
        End::new(Person::speaking(voice(1, 60))),
        End::new(Person::speaking(voice(2, 60))),
    );
    let offer = alice.offer(Direction::SendRecv).await;
    let one_way = offer.replace("a=sendrecv", "a=recvonly");
    let early = bob.answer(&one_way, Direction::SendRecv).await;
    alice
        .request(MediaAction::ApplyAnswer {
            answer: early.clone(),
            provisional: true,
        })
        .await
        .unwrap();
    alice.connected().await;
    alice.person.hear(0.5).await;
    assert!(
        loudness(&alice.person.hear(0.5).await) > -40.0,
        "early media is heard"
    );

    let last = early.replace("a=sendonly", "a=sendrecv");
    alice.apply(&last).await;
    assert!(loudness(&alice.person.hear(0.5).await) > -40.0, "and goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_another_far_end_is_refused_for_the_same_connection() {
    let (mut alice, mut bob, mut carol) = (
        End::new(Person::speaking(voice(1, 5))),
        End::new(Person::speaking(voice(2, 5))),
        End::new(Person::speaking(voice(3, 5))),
    );
    let offer = alice.offer(Direction::SendRecv).await;
    let (early, winner) = (
        bob.answer(&offer, Direction::SendRecv).await,
        carol.answer(&offer, Direction::SendRecv).await,
    );
    alice
        .request(MediaAction::ApplyAnswer {
            answer: early,
            provisional: true,
        })
        .await
        .unwrap();
    let error = alice
        .request(MediaAction::ApplyAnswer {
            answer: winner,
            provisional: false,
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind, MediaErrorKind::DescriptionRejected);

    alice.request(MediaAction::Close).await.unwrap();
    alice.session += 1;
    negotiate(&mut alice, Direction::SendRecv, &mut carol, Direction::SendRecv).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_descriptions_are_refused_and_do_not_harm_the_session() {
    let (mut alice, mut bob) = (
        End::new(Person::speaking(voice(1, 60))),
        End::new(Person::speaking(voice(2, 60))),
    );
    let plain_rtp =
        "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    for offer in ["", "nonsense", "v=0\r\n", plain_rtp] {
        let action = MediaAction::CreateAnswer {
            offer: offer.to_owned(),
            direction: Direction::SendRecv,
        };
        let error = bob.request(action).await.unwrap_err();
        assert_eq!(
            error.kind,
            MediaErrorKind::DescriptionRejected,
            "{offer:?}: {}",
            error.detail
        );
    }
    let action = MediaAction::ApplyAnswer {
        answer: "v=0".to_owned(),
        provisional: false,
    };
    assert!(alice.request(action).await.is_err(), "there is no session yet");
    negotiate(&mut alice, Direction::SendRecv, &mut bob, Direction::SendRecv).await;
    bob.connected().await;
    alice.request(MediaAction::Close).await.unwrap();
    bob.request(MediaAction::Close).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browsers_offer_with_hidden_addresses_connects() {
    let (mut alice, mut bob) = (
        End::new(Person::speaking(voice(1, 60))),
        End::new(Person::speaking(voice(2, 60))),
    );
    let offer = alice.offer(Direction::SendRecv).await;
    // What a browser without microphone permission sends: a name only its own machine can resolve.
    let hidden: String = offer
        .lines()
        .map(|line| match line.split(' ').nth(4) {
            Some(address) if line.starts_with("a=candidate") => {
                line.replace(address, "0a1b2c3d-0000-4000-8000-000000000000.local") + "\r\n"
            }
            _ => format!("{line}\r\n"),
        })
        .collect();
    assert!(hidden.contains(".local"));
    let answer = bob.answer(&hidden, Direction::SendRecv).await;
    alice.apply(&answer).await;
    bob.connected().await;
    assert!(loudness(&bob.person.hear(2.0).await) > -40.0);
}

/// What rtpengine makes of a desk phone's plain RTP: no BUNDLE group, G.711 only, RTCP beside RTP if one cannot do without.
const GATEWAY: &str = "v=0\r\n\
    o=- 1491326882 283861072 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 30000 UDP/TLS/RTP/SAVPF 0 8 101\r\na=label:1\r\na=rtcp-rsize\r\n\
    a=ssrc:256238656 cname:sip:desk@clearline.localhost\r\na=minptime:20\r\na=mid:1\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n\
    a=rtcp:30001\r\na=rtcp-mux\r\na=setup:actpass\r\n\
    a=fingerprint:sha-256 08:A3:E0:EA:71:61:42:94:39:0C:D1:51:52:4C:B6:38:A4:F9:FD:A7:5A:EF:88:90:05:30:88:71:40:67:25:88\r\n\
    a=ptime:20\r\na=ice-ufrag:bmaA73aC\r\na=ice-pwd:TMtcRFMoDastvxyRHAQoUdTHxG\r\n\
    a=candidate:Bw7zffglITaP25zi 1 UDP 2130706431 127.0.0.1 30000 typ host\r\n\
    a=candidate:Bw7zffglITaP25zi 2 UDP 2130706430 127.0.0.1 30001 typ host\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_offer_of_a_gateway_is_answered() {
    let mut bob = End::new(Person::speaking(voice(2, 60)));
    let answer = bob.answer(GATEWAY, Direction::SendRecv).await;
    assert!(
        answer.contains(" UDP/TLS/RTP/SAVPF 0 8 101\r\n"),
        "audio is accepted: {answer}"
    );
    assert!(
        answer.contains("a=mid:1\r\n") && !answer.contains("BUNDLE"),
        "{answer}"
    );
}
