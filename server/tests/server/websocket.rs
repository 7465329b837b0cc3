//! SIP over WebSocket: who may connect, who may register, and what bad clients come to.

use clearline_server::{Options, Server};
use hyper::StatusCode;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::{Folder, SipClient, demo, get, options};

const DOMAIN: &str = "clearline.localhost";
const SIP: (&str, &str) = ("sec-websocket-protocol", "sip");

#[tokio::test]
async fn any_sip_client_signs_in_with_the_account_password() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let mut client = SipClient::connect(server.address()).await;
    assert_eq!(client.register("alice", DOMAIN, "alice", "demo").await, 200);
    let mut other_name = SipClient::connect(server.address()).await;
    assert_eq!(
        other_name.register("bob", "127.0.0.1", "bob", "demo").await,
        200,
        "the own address is an alias"
    );
    let mut wrong = SipClient::connect(server.address()).await;
    assert_ne!(wrong.register("alice", DOMAIN, "alice", "wrong").await, 200);
    let mut other_user = SipClient::connect(server.address()).await;
    assert_ne!(other_user.register("alice", DOMAIN, "bob", "demo").await, 200);
}

#[tokio::test]
async fn clients_that_keep_the_last_challenge_only_find_md5() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let challenge = SipClient::connect(server.address())
        .await
        .challenge("alice", DOMAIN)
        .await;
    let algorithms: Vec<_> = challenge
        .challenges()
        .map(|challenge| challenge.unwrap().param("algorithm").unwrap().into_owned())
        .collect();
    assert_eq!(algorithms, ["SHA-256", "MD5"]);
}

#[tokio::test]
async fn the_subprotocol_is_required() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let status = async |headers: &[(&'static str, &str)]| {
        SipClient::connect_with(server.address(), headers).await.err()
    };
    assert_eq!(status(&[]).await, Some(StatusCode::BAD_REQUEST));
    assert_eq!(
        status(&[("sec-websocket-protocol", "xmpp")]).await,
        Some(StatusCode::BAD_REQUEST)
    );
    assert_eq!(
        get(server.address(), "/sip", &[]).await.status,
        StatusCode::UPGRADE_REQUIRED
    );
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_unless_allowed() {
    let folder = Folder::new();
    let allowed = vec!["https://crm.example.com".parse().unwrap()];
    let server = Server::start(Options {
        allowed_origins: allowed,
        ..options(&folder)
    })
    .await
    .unwrap();
    let from = async |origin: &str| {
        SipClient::connect_with(server.address(), &[SIP, ("origin", origin)])
            .await
            .err()
    };
    assert_eq!(from("http://evil.example").await, Some(StatusCode::FORBIDDEN));
    assert_eq!(from("null").await, Some(StatusCode::FORBIDDEN));
    assert_eq!(
        from(&format!("https://{}", server.address())).await,
        Some(StatusCode::FORBIDDEN)
    );
    assert_eq!(from(&format!("http://{}", server.address())).await, None);
    assert_eq!(from("https://crm.example.com").await, None);
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_the_connection() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let mut client = SipClient::connect(server.address()).await;
    client.try_send(Frame::text("x".repeat(64 * 1024 + 1))).await;
    assert_eq!(client.close_code().await, 1009);
    let mut in_pieces = SipClient::connect(server.address()).await;
    for (index, last) in [(0, false), (1, true)] {
        let kind = OpCode::Data(if index == 0 { Data::Text } else { Data::Continue });
        let piece = RawFrame::message(vec![b'x'; 40 * 1024], kind, last);
        in_pieces.try_send(Frame::Frame(piece)).await;
    }
    assert_eq!(in_pieces.close_code().await, 1009);
}

#[tokio::test]
async fn garbage_closes_its_own_connection_only() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let mut neighbour = SipClient::connect(server.address()).await;
    assert_eq!(neighbour.register("bob", DOMAIN, "bob", "demo").await, 200);

    let mut flooder = SipClient::connect(server.address()).await;
    let flood = async {
        for index in 0_u32..100_000 {
            let garbage = index.to_be_bytes().repeat(100);
            if !flooder.try_send(Frame::binary(garbage)).await {
                break;
            }
        }
    };
    let calm = async {
        for _ in 0..20 {
            assert_eq!(neighbour.register("bob", DOMAIN, "bob", "demo").await, 200);
        }
    };
    tokio::join!(flood, calm);
    let code = flooder.close_code().await;
    assert!(
        matches!(code, 1008 | 1006),
        "{code}: a reset may overtake the close frame"
    );
    assert_eq!(neighbour.register("bob", DOMAIN, "bob", "demo").await, 200);
}

/// More than is read at once, but not more than a client may send: it waits, and everything is answered.
#[tokio::test]
async fn what_comes_too_fast_is_answered_later_and_holds_nobody_up() {
    const MANY: usize = 330;
    let folder = Folder::new();
    let server = demo(&folder).await;
    let mut hasty = SipClient::connect(server.address()).await;
    for number in 0..MANY {
        let options = format!(
            "OPTIONS sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/WS h.invalid;branch=z9hG4bK{number}\r\n\
             From: <sip:h@h.invalid>;tag=h\r\nTo: <sip:{DOMAIN}>\r\nCall-ID: h\r\nCSeq: 1 OPTIONS\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        hasty.send(Frame::text(options)).await;
    }
    let mut neighbour = SipClient::connect(server.address()).await;
    assert_eq!(neighbour.register("bob", DOMAIN, "bob", "demo").await, 200);
    for _ in 0..MANY {
        assert_eq!(hasty.message().await.status(), Some(200));
    }
}

#[tokio::test]
async fn text_that_is_not_utf_8_closes_the_connection() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let mut client = SipClient::connect(server.address()).await;
    let broken = RawFrame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    client.send(Frame::Frame(broken)).await;
    assert_eq!(client.close_code().await, 1002);
}

#[tokio::test]
async fn half_a_message_holds_nobody_up() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let mut slow = SipClient::connect(server.address()).await;
    let half = RawFrame::message(
        b"REGISTER sip:x SIP/2.0\r\n".to_vec(),
        OpCode::Data(Data::Text),
        false,
    );
    slow.send(Frame::Frame(half)).await;
    let mut client = SipClient::connect(server.address()).await;
    assert_eq!(client.register("alice", DOMAIN, "alice", "demo").await, 200);
}

#[tokio::test]
async fn a_stop_says_going_away() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let mut client = SipClient::connect(server.address()).await;
    assert_eq!(client.register("alice", DOMAIN, "alice", "demo").await, 200);
    let (code, ()) = tokio::join!(client.close_code(), server.stop());
    assert_eq!(code, 1001);
}
