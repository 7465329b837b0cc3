//! The phone's files, each account's page and manifest, and the pages around them.

use hyper::StatusCode;

use crate::support::{Folder, demo, get};

fn with_build() -> Folder {
    let folder = Folder::new();
    folder.write("web/index.html", "<!doctype html><title>phone</title>");
    folder.write("web/sw.js", "self.x = 1;");
    folder.write(
        "web/assets/index-BX3f_9aQ.js",
        &"export const x = 1;\n".repeat(500),
    );
    folder.write(
        "web/manifest.webmanifest",
        r#"{"name":"Phone","icons":[{"src":"icons/a.png"}]}"#,
    );
    folder
}

#[tokio::test]
async fn accounts_and_their_views_are_the_phone() {
    let folder = with_build();
    let server = demo(&folder).await;
    let at = server.address();
    let without_slash = get(at, "/u/alice?dial=102", &[]).await;
    assert_eq!(without_slash.header("location"), "/u/alice/?dial=102");
    for path in ["/u/alice/", "/u/alice/history", "/u/nobody/call/1"] {
        let page = get(at, path, &[]).await;
        assert_eq!(
            (page.status, page.header("cache-control")),
            (StatusCode::OK, "no-cache"),
            "{path}"
        );
        assert!(page.body.starts_with(b"<!doctype html><title>phone"));
    }
    for path in ["/u/Alice%20Meyer/", "/u/alice/assets/x.js", "/u/.alice/"] {
        assert_eq!(get(at, path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn files_are_cached_as_long_as_they_are_true() {
    let folder = with_build();
    let server = demo(&folder).await;
    let at = server.address();
    let script = get(at, "/assets/index-BX3f_9aQ.js", &[]).await;
    assert_eq!(
        script.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    let worker = get(at, "/sw.js", &[]).await;
    assert_eq!(worker.header("cache-control"), "no-cache");
    let unchanged = get(at, "/sw.js", &[("if-none-match", worker.header("etag"))]).await;
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn large_texts_are_sent_compressed() {
    let folder = with_build();
    let server = demo(&folder).await;
    let fetch = || {
        get(
            server.address(),
            "/assets/index-BX3f_9aQ.js",
            &[("accept-encoding", "gzip, br")],
        )
    };
    // Compression runs in the background; until it is done the plain file is sent.
    let mut script = fetch().await;
    while script.header("content-encoding") != "br" {
        script = fetch().await;
    }
    assert!(script.body.len() < 500);
}

#[tokio::test]
async fn every_account_is_an_app_of_its_own() {
    let folder = with_build();
    let server = demo(&folder).await;
    let manifest = get(server.address(), "/u/bob/manifest.webmanifest", &[]).await;
    assert_eq!(manifest.header("content-type"), "application/manifest+json");
    let json = manifest.json();
    assert_eq!(
        (&json["id"], &json["scope"]),
        (&"/u/bob/".into(), &"/u/bob/".into())
    );
    assert_eq!(
        (&json["name"], &json["icons"][0]["src"]),
        (&"Phone".into(), &"/icons/a.png".into())
    );
}

#[tokio::test]
async fn everything_has_security_headers() {
    let folder = with_build();
    let server = demo(&folder).await;
    for path in [
        "/u/alice/",
        "/sw.js",
        "/u/alice/api/session",
        "/nothing",
        "/healthz",
    ] {
        let answer = get(server.address(), path, &[]).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline")
                || path == "/nothing"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(
            answer.header("cross-origin-opener-policy"),
            "same-origin",
            "{path}"
        );
        assert!(
            answer.header("permissions-policy").contains("microphone=(self)"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_start_page_lists_the_demo_and_leads_to_accounts() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let page = String::from_utf8(get(server.address(), "/", &[]).await.body.to_vec()).unwrap();
    for part in ["href=\"/u/alice/\"", "Bob Kramer", "103", "demo"] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(
        get(server.address(), "/u?user=%20Bob", &[])
            .await
            .header("location"),
        "/u/bob/"
    );
    assert_eq!(
        get(server.address(), "/u?user=//evil.example", &[])
            .await
            .header("location"),
        "/"
    );
}

#[tokio::test]
async fn a_missing_build_says_how_to_build() {
    let folder = Folder::new();
    let server = demo(&folder).await;
    let page = get(server.address(), "/u/alice/", &[]).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8_lossy(&page.body).contains("cargo xtask run"));
    assert_eq!(
        get(server.address(), "/healthz", &[]).await.json()["phoneBuilt"],
        false
    );
    folder.write("web/index.html", "<!doctype html>");
    assert_eq!(
        get(server.address(), "/u/alice/", &[]).await.status,
        StatusCode::OK,
        "no restart is needed"
    );
}
