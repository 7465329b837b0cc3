//! The JSON API of an account, under `/u/{user}/api/`: signing in, device credentials, ICE servers, directory.
//!
//! The cookie's path is the account, so one browser can be signed in to several. Errors are
//! `{"error": {"code", "message"}}`.

mod error;
mod extract;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use clearline_core::Secret;
use serde::{Deserialize, Serialize};

use crate::accounts::{SESSION_LIFETIME, SessionToken, unix_now};
use crate::app::App;
use crate::ice::{IceServer, IceServerList};
use crate::listener::Peer;
use crate::origin::{Site, client_address};
use crate::storage::User;
use crate::{conference, echo, hold_music};
use error::ApiError;
use extract::{Guarded, JsonBody, SignedIn, UserId, session_cookie};

type Result<T> = std::result::Result<T, ApiError>;

/// The name of the session cookie.
const COOKIE: &str = "clearline_session";

/// The routes below `/u/{user}/api`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/session", post(sign_in).get(session).delete(sign_out))
        .route("/device", post(device))
        .route("/ice-servers", get(ice_servers))
        .route("/directory", get(directory))
        .route("/{*other}", any(|| async { ApiError::not_found() }))
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
}

/// `GET /healthz`.
pub(crate) async fn health(State(app): State<App>) -> Json<Health> {
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: app.started.elapsed().as_secs(),
        connections: app.places.count(),
        phone_built: app.assets.is_built().await,
    })
}

/// How the server is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Health {
    status: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    /// Open SIP WebSockets.
    connections: usize,
    phone_built: bool,
}

/// What the phone shows of its own account.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    id: String,
    number: String,
    display_name: String,
    domain: String,
}

impl Account {
    fn new(user: User, app: &App) -> Self {
        Self {
            id: user.id,
            number: user.number,
            display_name: user.display_name,
            domain: app.domain.clone(),
        }
    }
}

#[derive(Deserialize)]
struct SignIn {
    password: Secret,
}

/// Longer ones are refused before they are hashed.
const MAX_PASSWORD_BYTES: usize = 1_024;

/// `POST session`: opens a session.
async fn sign_in(
    State(app): State<App>,
    UserId(user_id): UserId,
    Extension(peer): Extension<Peer>,
    Extension(site): Extension<Site>,
    _guard: Guarded,
    headers: HeaderMap,
    JsonBody(SignIn { password }): JsonBody<SignIn>,
) -> Result<Response> {
    if password.expose().len() > MAX_PASSWORD_BYTES {
        return Err(ApiError::bad_request("the password is too long"));
    }
    let address = client_address(&app.origins, peer.address, &headers);
    let current = session_cookie(&headers);
    match app.accounts.sign_in(&user_id, password, address, current).await {
        Ok((user, token)) => {
            let cookie = set_cookie(&user.id, &site, Some(&token));
            Ok((
                AppendHeaders([(header::SET_COOKIE, cookie)]),
                no_store(Account::new(user, &app)),
            )
                .into_response())
        }
        Err(error) => {
            tracing::info!("a sign-in was refused");
            tracing::debug!(%address, %user_id, ?error, "a sign-in was refused");
            Err(error.into())
        }
    }
}

/// `GET session`: who is signed in. The cookie lives on from now.
async fn session(State(app): State<App>, Extension(site): Extension<Site>, signed_in: SignedIn) -> Response {
    let cookie = set_cookie(&signed_in.user.id, &site, Some(&signed_in.token));
    (
        AppendHeaders([(header::SET_COOKIE, cookie)]),
        no_store(Account::new(signed_in.user, &app)),
    )
        .into_response()
}

/// `DELETE session`: signs out, and revokes what the session's devices hold. Signing out twice is fine.
async fn sign_out(
    State(app): State<App>,
    UserId(user_id): UserId,
    Extension(site): Extension<Site>,
    _guard: Guarded,
    headers: HeaderMap,
) -> Result<Response> {
    if let Some(token) = session_cookie(&headers)
        && let Some((_, session)) = app.accounts.session(&user_id, &token).await?
    {
        let ended = app.accounts.sign_out(&session).await?;
        app.switch.remove_credentials(ended).await;
    }
    let cookie = set_cookie(&user_id, &site, None);
    Ok((
        StatusCode::NO_CONTENT,
        AppendHeaders([(header::SET_COOKIE, cookie)]),
    )
        .into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceRequest {
    instance_id: String,
}

/// All a device needs to register.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    address_of_record: String,
    auth_user: String,
    password: Secret,
    servers: Vec<String>,
    ice_servers: Vec<IceServer>,
    ice_servers_expire_at: Option<i64>,
    /// Whom to call for a conference that is mixed on the platform (RFC 4579 section 5.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    conference_factory: Option<String>,
    /// What to play to whoever is put on hold: a path on this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_music: Option<&'static str>,
}

/// `POST device`: a fresh SIP secret for one device.
async fn device(
    State(app): State<App>,
    Extension(site): Extension<Site>,
    _guard: Guarded,
    SignedIn { user, session, .. }: SignedIn,
    JsonBody(DeviceRequest { instance_id }): JsonBody<DeviceRequest>,
) -> Result<Response> {
    if !is_instance_id(&instance_id) {
        return Err(ApiError::bad_request(
            "instanceId must be a URN such as urn:uuid:..., at most 128 characters",
        ));
    }
    let (secret, ended) = app.accounts.add_device(&user, &session, &instance_id).await?;
    app.switch
        .add_credential(user.id.clone(), secret.auth_user.clone(), secret.ha1)
        .await;
    app.switch.remove_credentials(ended).await;
    let IceServerList {
        ice_servers,
        expire_at,
    } = app.ice.list(&user.id, unix_now());
    Ok(no_store(Device {
        address_of_record: format!("sip:{}@{}", user.id, app.domain),
        auth_user: secret.auth_user,
        password: secret.password,
        servers: vec![site.sip_url()],
        ice_servers,
        ice_servers_expire_at: expire_at,
        conference_factory: app.has_conferences.then(|| conference::factory(&app.domain)),
        hold_music: app.hold_music.as_ref().map(|_| hold_music::PATH),
    }))
}

/// A URN (RFC 8141 section 2) as `+sip.instance` takes it (RFC 5626 section 4.1).
fn is_instance_id(text: &str) -> bool {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'.' | b'_');
    text.len() <= 128
        && text
            .strip_prefix("urn:")
            .is_some_and(|name| name.len() > 2 && name.bytes().all(is_name))
}

/// `GET ice-servers`: the list anew, before its credentials expire.
async fn ice_servers(State(app): State<App>, SignedIn { user, .. }: SignedIn) -> Response {
    no_store(app.ice.list(&user.id, unix_now()))
}

/// Somebody or something that can be called.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DirectoryEntry {
    id: String,
    number: String,
    display_name: String,
}

/// `GET directory`: who can be called here.
async fn directory(State(app): State<App>, _: SignedIn) -> Result<Response> {
    let users = app
        .accounts
        .users()
        .await?
        .into_iter()
        .map(|user| DirectoryEntry {
            id: user.id,
            number: user.number,
            display_name: user.display_name,
        });
    let echo = app.has_echo.then(|| DirectoryEntry {
        id: echo::USER.into(),
        number: echo::NUMBER.into(),
        display_name: echo::DISPLAY_NAME.into(),
    });
    Ok(no_store(users.chain(echo).collect::<Vec<_>>()))
}

fn no_store(body: impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// The cookie for `token`, or the one that removes it.
fn set_cookie(user_id: &str, site: &Site, token: Option<&SessionToken>) -> HeaderValue {
    let (value, max_age) = token.map_or(("", 0), |token| (token.expose(), SESSION_LIFETIME.as_secs()));
    let secure = if site.tls { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={value}; Path=/u/{user_id}/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
    // All parts are plain ASCII: the id was checked, a token that came from a client was found in the database.
    HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instance_ids_are_urns() {
        assert!(is_instance_id("urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF"));
        for bad in [
            "",
            "urn:",
            "uuid:1",
            "urn:uuid:a b",
            "urn:uuid:\"x\"",
            "urn:uuid:<x>",
            "urn:uuid:x\r\ny",
        ] {
            assert!(!is_instance_id(bad), "{bad}");
        }
        assert!(!is_instance_id(&format!("urn:{}", "x".repeat(200))));
    }
}
