//! What all request handlers share, and the routes.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};

use crate::accounts::Accounts;
use crate::api;
use crate::hold_music::{self, HoldMusic};
use crate::ice::IceServers;
use crate::origin::OriginPolicy;
use crate::sip::{Places, Switch, websocket};
use crate::web::{self, Assets};

/// The server's parts; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// See [`App`].
pub(crate) struct Parts {
    pub(crate) domain: String,
    pub(crate) accounts: Accounts,
    pub(crate) assets: Assets,
    pub(crate) ice: IceServers,
    pub(crate) origins: OriginPolicy,
    pub(crate) switch: Switch,
    pub(crate) places: Places,
    /// The accounts of the demo; real users are shown to nobody.
    pub(crate) users_to_show: Vec<ShownUser>,
    pub(crate) has_echo: bool,
    pub(crate) has_conferences: bool,
    pub(crate) hold_music: Option<HoldMusic>,
    pub(crate) local_ca_certificate: Option<String>,
    pub(crate) started: Instant,
}

/// A user as the start page and the terminal show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownUser {
    /// As in `/u/alice`.
    pub id: String,
    /// What others dial.
    pub number: String,
    /// What others see.
    pub display_name: String,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The largest body of a request; the API has short ones only.
const MAX_BODY_BYTES: usize = 16 * 1024;

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// All routes.
    pub(crate) fn router(self) -> Router {
        let account = Router::new()
            .route("/", get(web::account))
            .route("/manifest.webmanifest", get(web::account_manifest))
            .nest("/api", api::router())
            .route("/{*view}", get(web::account));
        Router::new()
            .route("/", get(web::start))
            .route("/healthz", get(api::health))
            .route("/sip", any(websocket::upgrade))
            .route("/local-ca.crt", get(web::local_ca))
            .route(hold_music::PATH, get(hold_music::serve))
            .route("/u", get(web::choose))
            .route("/u/{user}", get(web::account_without_slash))
            .nest("/u/{user}/", account)
            .fallback(get(web::asset))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(from_fn_with_state(self.clone(), answer_to_own_names_only))
            .layer(from_fn(secure_headers))
            .with_state(self)
    }
}

/// Refuses requests under a foreign name and hands the site to the handlers.
async fn answer_to_own_names_only(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match app.origins.site(request.headers()) {
        Ok(site) => {
            request.extensions_mut().insert(site);
            next.run(request).await
        }
        Err(error) => (StatusCode::MISDIRECTED_REQUEST, error.to_string()).into_response(),
    }
}

/// What every answer tells the browser. Workers obey the policy of their own script, so it stands on everything.
const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; \
         media-src 'self' blob:; img-src 'self' data: blob:; font-src 'self' data:; style-src 'self'; \
         object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        HeaderName::from_static("permissions-policy"),
        "microphone=(self), autoplay=(self), hid=(self), camera=(), display-capture=(), geolocation=(), payment=(), usb=()",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

async fn secure_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in SECURITY_HEADERS {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}
