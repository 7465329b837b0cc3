//! Conferences on the platform: who is in one hears exactly the others, and who is not gets no further.

mod person;

use clearline_core::conference_info::{Conference, ConferenceInfo, Endpoint, EndpointStatus, Taken};
use clearline_server::{ConferenceOptions, Options, Server};

use crate::support::{Folder, cookie, demo, device, options};
use person::Person;

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
        server.stop().await;
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

    bobs.hang_up().await.unwrap();
    alice.hears(&[&carol], &all).await;
    call.hang_up().await.unwrap();
    carol.hears(&[], &all).await;
    server.stop().await;
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
    bobs.hold().await.unwrap();
    let held = [
        connected("alice"),
        ("bob", EndpointStatus::OnHold),
        connected("carol"),
    ];
    alice.is_told(&subscription, &held).await;
    // Neither bob nor the music he plays.
    alice.hears(&[&carol], &all).await;
    bobs.resume().await.unwrap();
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
    server.stop().await;
}
