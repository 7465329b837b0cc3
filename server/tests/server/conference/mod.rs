//! Conferences on the platform: who is in one hears exactly the others, and who is not gets no further.

mod person;

use std::time::Duration;

use clearline_core::conference_info::{Conference, ConferenceInfo, Endpoint, EndpointStatus, Taken};
use clearline_core::{CallInfo, CallState, EndCause, ParticipantState};
use clearline_server::{ConferenceOptions, Options, Server};

use tokio::time::{Instant, timeout};

use crate::support::{Folder, PATIENCE, cookie, demo, device, options};
use person::{Person, within};

async fn start(folder: &Folder) -> Server {
    start_with(folder, ConferenceOptions::default()).await
}

async fn start_with(folder: &Folder, conferences: ConferenceOptions) -> Server {
    let options = Options {
        conferences: Some(conferences),
        ..options(folder)
    };
    Server::start(options).await.unwrap()
}

async fn people(server: &Server) -> [Person; 3] {
    let at = server.address();
    [
        Person::new(at, "alice", 500.0).await,
        Person::new(at, "bob", 800.0).await,
        Person::new(at, "carol", 1_300.0).await,
    ]
}

#[tokio::test]
async fn the_phone_is_told_where_conferences_come_from() {
    let folder = Folder::new();
    for (server, factory) in [
        (
            start(&folder).await,
            serde_json::json!("sip:conference@clearline.localhost"),
        ),
        (demo(&folder).await, serde_json::Value::Null),
    ] {
        let cookie = cookie(server.address(), "alice").await;
        let device = device(server.address(), "alice", &cookie, "urn:uuid:one").await;
        assert_eq!(device.json()["conferenceFactory"], factory);
        within("the server stops", server.stop()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_who_dial_in_hear_each_other() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let [alice, bob, carol] = people(&server).await;
    let (call, conference) = alice.confer().await;
    let bobs = bob.call(&conference).await;
    alice.hears(&[&bob], &[&alice, &bob, &carol]).await;
    carol.call(&conference).await;
    let all = [&alice, &bob, &carol];
    alice.hears(&[&bob, &carol], &all).await;
    bob.hears(&[&alice, &carol], &all).await;
    carol.hears(&[&alice, &bob], &all).await;

    within("hang up", bobs.hang_up()).await.unwrap();
    alice.hears(&[&carol], &all).await;
    within("hang up", call.hang_up()).await.unwrap();
    carol.hears(&[], &all).await;
    within("the server stops", server.stop()).await;
}

/// What a subscription adds up to.
fn told(notifications: &[String]) -> Conference {
    let mut conference = Conference::default();
    for document in notifications.iter().filter(|document| !document.is_empty()) {
        let info = ConferenceInfo::read(document.as_bytes()).unwrap();
        assert_eq!(conference.take(info), Taken::InOrder);
    }
    conference
}

/// Who is there, and how.
fn attendance(conference: &Conference) -> Vec<(String, EndpointStatus)> {
    let users = conference.users.iter();
    users
        .flat_map(|user| {
            let status = |endpoint: &Endpoint| (user.entity.clone(), endpoint.status.unwrap());
            user.endpoints.iter().map(status)
        })
        .collect()
}

fn entity(name: &str) -> String {
    format!("sip:{name}@clearline.localhost")
}

const EVENT: &str = "Event: conference\r\nAccept: application/conference-info+xml\r\nExpires: 600\r\n";

impl Person {
    /// Follows the conference; the subscription's name.
    async fn subscribe(&self, conference: &str) -> String {
        let (subscription, status) = self.tap.ask(self.name, "SUBSCRIBE", conference, EVENT).await;
        assert_eq!(status, 200);
        subscription
    }

    /// Waits until the subscription tells of exactly these.
    async fn is_told(&self, subscription: &str, expected: &[(&str, EndpointStatus)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, status)| (entity(name), *status))
            .collect();
        self.tap
            .is_told(subscription, |documents| attendance(&told(documents)) == expected)
            .await;
    }

    /// Asks the focus for something; the final answer to the REFER.
    async fn refer(&self, conference: &str, refer_to: &str) -> (String, u16) {
        let headers = format!("Refer-To: <{refer_to}>\r\n");
        self.tap.ask(self.name, "REFER", conference, &headers).await
    }

    /// Waits until the focus has said what became of it.
    async fn learns(&self, referral: &str, status: u16) {
        let line = format!("SIP/2.0 {status} ");
        let is_said = |told: &[String]| told.last().is_some_and(|body| body.starts_with(&line));
        self.tap.is_told(referral, is_said).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_invited_told_of_and_removed() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let [alice, bob, carol] = people(&server).await;
    let all = [&alice, &bob, &carol];
    let (_call, conference) = alice.confer().await;
    let subscription = alice.subscribe(&conference).await;
    alice
        .is_told(&subscription, &[("alice", EndpointStatus::Connected)])
        .await;

    for name in ["bob", "carol"] {
        let (referral, status) = alice.refer(&conference, &entity(name)).await;
        assert_eq!(status, 202);
        alice.learns(&referral, 200).await;
    }
    alice.hears(&[&bob, &carol], &all).await;
    bob.hears(&[&alice, &carol], &all).await;
    carol.hears(&[&alice, &bob], &all).await;
    let connected = |name| (name, EndpointStatus::Connected);
    let everybody = ["alice", "bob", "carol"].map(connected);
    alice.is_told(&subscription, &everybody).await;
    let of_bob = bob.subscribe(&conference).await;
    bob.is_told(&of_bob, &everybody).await;

    let bobs = bob.incoming().await;
    within("hold", bobs.hold()).await.unwrap();
    let held = [
        connected("alice"),
        ("bob", EndpointStatus::OnHold),
        connected("carol"),
    ];
    alice.is_told(&subscription, &held).await;
    // Neither bob nor the music he plays.
    alice.hears(&[&carol], &all).await;
    within("resume", bobs.resume()).await.unwrap();
    carol.hears(&[&alice, &bob], &all).await;

    let (referral, status) = alice
        .refer(&conference, &format!("{};method=BYE", entity("carol")))
        .await;
    assert_eq!(status, 202);
    alice.learns(&referral, 200).await;
    alice
        .is_told(&subscription, &["alice", "bob"].map(connected))
        .await;
    alice.hears(&[&bob], &all).await;
    within("the server stops", server.stop()).await;
}

/// Who takes part, as the telephone has it.
fn participants(call: &CallInfo) -> Vec<(String, ParticipantState)> {
    let all = call.participants.iter();
    all.map(|it| (it.identity.user.clone(), it.state)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_calls_are_merged_and_their_owner_leaves() {
    let folder = Folder::new();
    let mut options = ConferenceOptions::default();
    options.limits.alone = Duration::from_secs(1);
    let server = start_with(&folder, options).await;
    let [alice, bob, carol] = people(&server).await;
    let all = [&alice, &bob, &carol];
    let with_bob = alice.call("bob").await;
    within("hold", with_bob.hold()).await.unwrap();
    let with_carol = alice.call("carol").await;
    let merged = timeout(PATIENCE, with_bob.merge(with_carol.id())).await;
    assert_eq!(merged, Ok(Ok(())), "{:#?}", alice.phone.state());
    for ended in [with_bob, with_carol] {
        let info = timeout(PATIENCE, ended.ended()).await.unwrap().unwrap();
        assert_eq!(info.end.unwrap().cause, EndCause::MovedToConference);
    }
    alice.hears(&[&bob, &carol], &all).await;
    bob.hears(&[&alice, &carol], &all).await;
    carol.hears(&[&alice, &bob], &all).await;

    let conference = alice.incoming().await;
    let everybody = ["alice", "bob", "carol"].map(|name| (name.to_owned(), ParticipantState::Connected));
    let is_complete = |info: &CallInfo| {
        let mut there = participants(info);
        there.sort();
        there == everybody
    };
    let info = timeout(PATIENCE, conference.when(is_complete)).await;
    assert!(is_complete(&info.expect("not told of all").unwrap()));

    // Who has made it leaves; it goes on.
    within("hang up", conference.hang_up()).await.unwrap();
    bob.hears(&[&carol], &all).await;
    carol.hears(&[&bob], &all).await;
    // The last one is not left alone.
    bob.incoming().await.hang_up().await.unwrap();
    let last = carol.incoming().await;
    let end = timeout(PATIENCE, last.ended())
        .await
        .expect("it goes on")
        .unwrap()
        .end;
    assert_eq!(end.unwrap().cause, EndCause::AloneInConference);
    within("the server stops", server.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conference_that_is_over_is_nowhere() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let [alice, bob, _carol] = people(&server).await;
    let (call, conference) = alice.confer().await;
    within("hang up", call.hang_up()).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let call = bob.phone.call(&conference).await.unwrap();
        let end = timeout(PATIENCE, call.ended())
            .await
            .unwrap()
            .unwrap()
            .end
            .unwrap();
        // The focus takes its leave first.
        if end.sip_status == Some(404) && end.cause == EndCause::NotFound {
            break;
        }
        assert!(Instant::now() < deadline, "{end:?}");
    }
    within("the server stops", server.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_learn_and_change_nothing() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let [alice, bob, carol] = people(&server).await;
    let (_call, conference) = alice.confer().await;
    assert_eq!(bob.tap.ask("bob", "SUBSCRIBE", &conference, EVENT).await.1, 403);
    assert_eq!(bob.refer(&conference, &entity("carol")).await.1, 403);
    bob.call(&conference).await;
    // In it, but not whose it is.
    assert_eq!(bob.refer(&conference, &entity("carol")).await.1, 403);
    let removal = format!("{};method=BYE", entity("alice"));
    assert_eq!(bob.refer(&conference, &removal).await.1, 403);
    // Nobody can speak for another.
    let headers = format!("Refer-To: <{}>\r\n", entity("carol"));
    let (_, status) = bob.tap.ask("alice", "REFER", &conference, &headers).await;
    assert!(matches!(status, 403 | 407), "{status}");
    assert!(carol.phone.state().calls.is_empty());
    within("the server stops", server.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_has_so_many() {
    let folder = Folder::new();
    let limits = ConferenceOptions {
        per_user: 1,
        at_once: 2,
        ..ConferenceOptions::default()
    };
    let server = start_with(&folder, limits).await;
    let [alice, bob, carol] = people(&server).await;
    let (_first, _) = alice.confer().await;
    let (_second, _) = bob.confer().await;
    for (person, status) in [(&alice, 486), (&carol, 480)] {
        let call = person
            .phone
            .call("sip:conference@clearline.localhost")
            .await
            .unwrap();
        // At once, and not when the factory has something else to do.
        let ended = timeout(Duration::from_secs(5), call.ended()).await;
        let end = ended.expect("no answer").unwrap().end.unwrap();
        assert_eq!(end.sip_status, Some(status), "{}", person.name);
    }
    within("the server stops", server.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_left_alone_hears_and_sees_the_end_coming() {
    let folder = Folder::new();
    let mut limits = ConferenceOptions::default();
    limits.limits.alone = Duration::from_secs(3);
    let server = start_with(&folder, limits).await;
    let [alice, bob, _carol] = people(&server).await;
    let (call, conference) = alice.confer().await;
    let bobs = bob.call(&conference).await;
    alice.hears(&[&bob], &[&alice, &bob]).await;
    within("hang-up", bobs.hang_up()).await.unwrap();
    alice.hears(&[], &[&alice, &bob]).await;
    alice.hears_tone(425.0).await;
    let end = within("the end", call.ended()).await.unwrap().end.unwrap();
    assert_eq!(end.cause, EndCause::AloneInConference);
    within("the server stops", server.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_can_have_another_at_once() {
    let folder = Folder::new();
    let limits = ConferenceOptions {
        per_user: 1,
        ..ConferenceOptions::default()
    };
    let server = start_with(&folder, limits).await;
    let [alice, _bob, _carol] = people(&server).await;
    // There is a factory.
    let (first, _) = alice.confer().await;
    within("hang-up", first.hang_up()).await.unwrap();
    let begun = Instant::now();
    for _ in 0..4 {
        // Wherever it is on its way then: with the factory, or with the conference already.
        let call = alice
            .phone
            .call("sip:conference@clearline.localhost")
            .await
            .unwrap();
        let calling = call.when(|info| info.state == CallState::Calling);
        within("the INVITE is out", calling).await;
        within("hang-up", call.hang_up()).await.unwrap();
        within("the end", call.ended()).await;
    }
    alice.confer().await;
    // None of them has been held for its thirty seconds.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    within("the server stops", server.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_conferences_properly() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let [alice, _bob, _carol] = people(&server).await;
    let (call, _) = alice.confer().await;
    within("the server stops", server.stop()).await;
    let end = timeout(PATIENCE, call.ended())
        .await
        .unwrap()
        .unwrap()
        .end
        .unwrap();
    assert_eq!(end.cause, EndCause::RemoteHangUp);
}
