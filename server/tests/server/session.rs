//! Signing in, staying signed in, signing out; and who may not.

use hyper::StatusCode;

use crate::support::{Folder, OURS, cookie, demo, get, options, request, sign_in};
use clearline_server::{Server, Users};

const SESSION: &str = "/u/alice/api/session";

#[tokio::test]
async fn sign_in_stay_signed_in_sign_out() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let at = server.address();
    assert_eq!(get(at, SESSION, &[]).await.error_code(), "not-signed-in");

    let answer = sign_in(at, "alice", "demo").await;
    assert_eq!(answer.status, StatusCode::OK);
    let account = serde_json::json!({
        "id": "alice", "number": "101", "displayName": "Alice Meyer", "domain": "clearline.localhost"
    });
    assert_eq!(answer.json(), account);
    let set = answer.header("set-cookie");
    assert!(set.starts_with("clearline_session="), "{set}");
    assert!(
        set.ends_with("; Path=/u/alice/; Max-Age=2592000; HttpOnly; SameSite=Strict"),
        "{set}"
    );

    let cookie = answer.cookie();
    let signed_in = get(at, SESSION, &[("cookie", &cookie)]).await;
    assert_eq!((signed_in.json(), signed_in.cookie()), (account, cookie.clone()));

    let out = request(at, "DELETE", SESSION, &[OURS, ("cookie", &cookie)], "").await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(
        get(at, SESSION, &[("cookie", &cookie)]).await.status,
        StatusCode::UNAUTHORIZED
    );
    let again = request(at, "DELETE", SESSION, &[OURS, ("cookie", &cookie)], "").await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_session_is_for_its_own_account_only() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let cookie = cookie(server.address(), "alice").await;
    for path in [
        "/u/bob/api/session",
        "/u/bob/api/directory",
        "/u/nobody/api/session",
    ] {
        let answer = get(server.address(), path, &[("cookie", &cookie)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn wrong_passwords_are_slowed_down() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let at = server.address();
    let unknown = sign_in(at, "nobody", "demo").await;
    assert_eq!(
        (unknown.status, unknown.error_code().as_str()),
        (StatusCode::UNAUTHORIZED, "wrong-password")
    );
    for _ in 0..5 {
        assert_eq!(sign_in(at, "alice", "wrong").await.error_code(), "wrong-password");
    }
    let slowed = sign_in(at, "alice", "demo").await;
    assert_eq!(
        (slowed.status, slowed.error_code().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "too-many-attempts")
    );
    let wait: u64 = slowed.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(sign_in(at, "bob", "demo").await.status, StatusCode::OK);
}

#[tokio::test]
async fn foreign_pages_change_nothing() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let at = server.address();
    let own_origin = format!("http://{at}");
    let body = r#"{"password":"demo"}"#;
    let post = async |headers: &[(&str, &str)]| request(at, "POST", SESSION, headers, body).await.status;
    assert_eq!(post(&[]).await, StatusCode::FORBIDDEN);
    assert_eq!(
        post(&[("origin", "http://evil.example")]).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        post(&[("origin", "http://evil.example"), OURS]).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(post(&[("origin", "null"), OURS]).await, StatusCode::FORBIDDEN);
    assert_eq!(post(&[("origin", &own_origin)]).await, StatusCode::OK);
    assert_eq!(post(&[OURS]).await, StatusCode::OK);
    let rebound = get(at, SESSION, &[("host", "evil.example")]).await;
    assert_eq!(rebound.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn bad_bodies_are_refused_without_being_quoted() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let at = server.address();
    let post = async |body: &str| request(at, "POST", SESSION, &[OURS], body).await;
    for body in ["", "{", "[]", r#"{"password":5}"#, r#"{"pass":"hunter2"}"#] {
        let answer = post(body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
    }
    assert_eq!(
        post(&format!(r#"{{"password":"{}"}}"#, "x".repeat(2_000)))
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(post(&"x".repeat(20_000)).await.error_code(), "too-large");
    assert_eq!(
        request(at, "PUT", SESSION, &[OURS], "{}").await.error_code(),
        "method-not-allowed"
    );
    assert_eq!(
        get(at, "/u/alice/api/nothing", &[]).await.error_code(),
        "not-found"
    );
    assert_eq!(
        get(at, "/u/Al%20ice/api/session", &[]).await.error_code(),
        "not-found"
    );
}

#[tokio::test]
async fn a_restart_keeps_sessions() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let cookie = cookie(server.address(), "alice").await;
    server.stop().await;
    let server = demo(&folder).await;
    assert_eq!(
        get(server.address(), SESSION, &[("cookie", &cookie)])
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_users_file_replaces_the_demo() {
    let folder = Folder::new();
    let users = |password: &str| {
        let text = format!("[[users]]\nid = \"dora\"\nnumber = \"201\"\npassword = \"{password}\"\n");
        Users::File(folder.write("users.toml", &text))
    };
    let start = async |users| {
        Server::start(clearline_server::Options {
            users,
            ..options(&folder)
        })
        .await
        .unwrap()
    };
    let server = start(users("correct horse")).await;
    let answer = sign_in(server.address(), "dora", "correct horse").await;
    assert_eq!(answer.json()["number"], "201");
    assert_eq!(
        sign_in(server.address(), "alice", "demo").await.status,
        StatusCode::UNAUTHORIZED
    );
    let page = get(server.address(), "/", &[]).await;
    assert!(
        !String::from_utf8_lossy(&page.body).contains("dora"),
        "who has an account is nobody's business"
    );
    server.stop().await;

    let server = start(users("changed since")).await;
    let session = get(
        server.address(),
        "/u/dora/api/session",
        &[("cookie", &answer.cookie())],
    )
    .await;
    assert_eq!(
        session.status,
        StatusCode::UNAUTHORIZED,
        "a changed password signs out"
    );
}
