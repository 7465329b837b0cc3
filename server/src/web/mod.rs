//! Serves the phone: the files Vite has built, each account's page and manifest, and the pages around them.

mod assets;
mod manifest;
mod pages;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use crate::app::App;
use crate::users_file::is_user_id;

pub(crate) use assets::Assets;

/// `GET /`: whom one can be.
pub(crate) async fn start(State(app): State<App>) -> Response {
    pages::start(&app.users_to_show)
}

/// What the form of the start page sends.
#[derive(Deserialize)]
pub(crate) struct Chosen {
    #[serde(default)]
    user: String,
}

/// `GET /u?user=alice`: the start page's form leads to the account.
pub(crate) async fn choose(Query(chosen): Query<Chosen>) -> Response {
    let user = chosen.user.trim().to_ascii_lowercase();
    let target = if is_user_id(&user) {
        format!("/u/{user}/")
    } else {
        "/".to_owned()
    };
    Redirect::to(&target).into_response()
}

/// `GET /u/alice`: the account's scope ends with a slash.
pub(crate) async fn account_without_slash(Path(user): Path<String>, uri: Uri) -> Response {
    if !is_user_id(&user) {
        return pages::not_found();
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Redirect::temporary(&format!("/u/{user}/{query}")).into_response()
}

/// `GET /u/alice/` and its views: the phone. Who is no user learns so when signing in, not here.
pub(crate) async fn account(
    State(app): State<App>,
    Path(path): Path<AccountPath>,
    headers: HeaderMap,
) -> Response {
    let looks_like_a_file = path
        .view
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains('.'));
    if !is_user_id(&path.user) || looks_like_a_file {
        return pages::not_found();
    }
    match app.assets.get("index.html").await {
        Some(index) => index.respond(&headers),
        None => pages::not_built(app.assets.folder()),
    }
}

/// The path of an account's page.
#[derive(Deserialize)]
pub(crate) struct AccountPath {
    user: String,
    #[serde(default)]
    view: String,
}

/// `GET /u/alice/manifest.webmanifest`.
pub(crate) async fn account_manifest(State(app): State<App>, Path(user): Path<String>) -> Response {
    if !is_user_id(&user) {
        return pages::not_found();
    }
    let base = app.assets.get("manifest.webmanifest").await;
    let manifest = manifest::for_account(base.as_ref().map(|file| file.bytes()), &user);
    (
        [
            (header::CONTENT_TYPE, "application/manifest+json"),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        manifest,
    )
        .into_response()
}

/// `GET /local-ca.crt`: for a device that shall trust this server.
pub(crate) async fn local_ca(State(app): State<App>) -> Response {
    match &app.local_ca_certificate {
        Some(pem) => (
            [(header::CONTENT_TYPE, "application/x-x509-ca-cert")],
            pem.clone(),
        )
            .into_response(),
        None => pages::not_found(),
    }
}

/// Everything else: a file of the build.
pub(crate) async fn asset(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    match app.assets.get(path).await {
        Some(file) => file.respond(&headers),
        None if path.starts_with("assets/") && !app.assets.is_built().await => {
            (StatusCode::NOT_FOUND, "the phone has not been built").into_response()
        }
        None => pages::not_found(),
    }
}
