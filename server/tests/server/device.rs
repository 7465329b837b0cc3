//! Device credentials, ICE servers, directory.

use clearline_server::{IceOptions, Options, Server};
use hyper::StatusCode;

use crate::support::{Folder, OURS, SipClient, cookie, demo, device, get, options, request, sign_in};

const DOMAIN: &str = "clearline.localhost";
const INSTANCE: &str = "urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF";

async fn register(server: &Server, auth_user: &str, password: &str) -> u16 {
    SipClient::connect(server.address())
        .await
        .register("alice", DOMAIN, auth_user, password)
        .await
}

#[tokio::test]
async fn a_device_registers_with_its_own_secret() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let at = server.address();
    assert_eq!(
        device(at, "alice", "", INSTANCE).await.status,
        StatusCode::UNAUTHORIZED
    );
    let cookie = cookie(at, "alice").await;
    let device = device(at, "alice", &cookie, INSTANCE).await.json();
    assert_eq!(device["addressOfRecord"], "sip:alice@clearline.localhost");
    assert_eq!(device["servers"], serde_json::json!([format!("ws://{at}/sip")]));
    assert_eq!(
        (&device["iceServers"], &device["iceServersExpireAt"]),
        (&serde_json::json!([]), &serde_json::Value::Null)
    );

    let (auth_user, password) = (
        device["authUser"].as_str().unwrap(),
        device["password"].as_str().unwrap(),
    );
    assert_eq!(register(&server, auth_user, password).await, 200);
    assert_ne!(register(&server, auth_user, "demo").await, 200);
    assert_ne!(register(&server, "alice", password).await, 200);
}

#[tokio::test]
async fn credentials_last_over_a_restart_and_end_with_the_session() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let cookie = cookie(server.address(), "alice").await;
    let device = device(server.address(), "alice", &cookie, INSTANCE).await.json();
    let (auth_user, password) = (
        device["authUser"].as_str().unwrap(),
        device["password"].as_str().unwrap(),
    );
    server.stop().await;

    let server = demo(&folder).await;
    assert_eq!(register(&server, auth_user, password).await, 200);
    request(
        server.address(),
        "DELETE",
        "/u/alice/api/session",
        &[OURS, ("cookie", &cookie)],
        "",
    )
    .await;
    assert_ne!(register(&server, auth_user, password).await, 200);
}

#[tokio::test]
async fn the_secret_before_the_newest_stays_valid() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let cookie = cookie(server.address(), "alice").await;
    let mut secrets = Vec::new();
    for _ in 0..3 {
        let device = device(server.address(), "alice", &cookie, INSTANCE).await.json();
        let text = |name: &str| device[name].as_str().unwrap().to_owned();
        secrets.push((text("authUser"), text("password")));
    }
    let mut statuses = Vec::new();
    for (auth_user, password) in &secrets {
        statuses.push(register(&server, auth_user, password).await == 200);
    }
    assert_eq!(statuses, [false, true, true]);
}

#[tokio::test]
async fn instance_ids_are_checked() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let cookie = cookie(server.address(), "alice").await;
    for bad in ["", "alice", "urn:uuid:x\r\nContact: <sip:x>", "urn:<x>"] {
        let answer = device(server.address(), "alice", &cookie, bad).await;
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (StatusCode::BAD_REQUEST, "bad-request"),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn turn_credentials_expire() {
    let folder = Folder::new();
    let ice = IceOptions {
        stun_urls: vec!["stun:stun.example.com".into()],
        turn_urls: vec!["turn:turn.example.com?transport=udp".into()],
        turn_secret_file: Some(folder.write("secret", "north\n")),
    };
    let server = Server::start(Options {
        ice,
        ..options(&folder)
    })
    .await
    .unwrap();
    let cookie = cookie(server.address(), "alice").await;
    let list = get(
        server.address(),
        "/u/alice/api/ice-servers",
        &[("cookie", &cookie)],
    )
    .await
    .json();
    assert_eq!(
        list["iceServers"][0],
        serde_json::json!({ "urls": ["stun:stun.example.com"] })
    );
    let expire_at = list["expireAt"].as_i64().unwrap();
    let user = list["iceServers"][1]["username"].as_str().unwrap();
    assert_eq!(user, format!("{}:alice", expire_at / 1_000));
    assert!(!list["iceServers"][1]["credential"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn the_directory_lists_who_can_be_called() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let cookie = sign_in(server.address(), "bob", "demo").await.cookie();
    let list = get(server.address(), "/u/bob/api/directory", &[("cookie", &cookie)])
        .await
        .json();
    assert_eq!(
        list[0],
        serde_json::json!({ "id": "alice", "number": "101", "displayName": "Alice Meyer" })
    );
    let ids: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["alice", "bob", "carol"]);
}
