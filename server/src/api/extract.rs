//! What handlers take from a request: the account, who is signed in, the body, and the guard against foreign pages.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::COOKIE;
use super::error::ApiError;
use crate::accounts::SessionToken;
use crate::app::App;
use crate::origin::{OriginPolicy, Site};
use crate::storage::{Session, User};
use crate::users_file::is_user_id;

/// Bodies are short; one that takes longer is sent by nobody with a good intention.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The account in the path. It need not exist.
pub(super) struct UserId(pub(super) String);

impl FromRequestParts<App> for UserId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        struct Segments {
            user: String,
        }
        let segments = Path::<Segments>::from_request_parts(parts, app).await;
        match segments {
            Ok(Path(Segments { user })) if is_user_id(&user) => Ok(Self(user)),
            Ok(_) | Err(_) => Err(ApiError::not_found()),
        }
    }
}

/// The user of the path, signed in.
pub(super) struct SignedIn {
    pub(super) user: User,
    pub(super) session: Session,
    pub(super) token: SessionToken,
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let UserId(user_id) = UserId::from_request_parts(parts, app).await?;
        let token = session_cookie(&parts.headers).ok_or_else(ApiError::not_signed_in)?;
        let found = app.accounts.session(&user_id, &token).await?;
        let (user, session) = found.ok_or_else(ApiError::not_signed_in)?;
        Ok(Self { user, session, token })
    }
}

/// A request that no foreign page can have sent: it says that it comes from a page of this site, or it has a header that
/// a page cannot send to another site unasked (and this server never says yes when asked, Fetch section 3.3).
pub(super) struct Guarded;

impl FromRequestParts<App> for Guarded {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let site = parts
            .extensions
            .get::<Site>()
            .ok_or_else(ApiError::foreign_page)?;
        let is_marked = parts.headers.get("x-clearline").is_some_and(|value| value == "1");
        let is_own_page = OriginPolicy::same_origin(site, &parts.headers) == Some(true);
        if is_own_page || (is_marked && app.origins.may_connect(site, &parts.headers)) {
            return Ok(Self);
        }
        Err(ApiError::foreign_page())
    }
}

/// A JSON body, whatever its content type says: the guard does not hang on it.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let body = timeout(BODY_TIMEOUT, Bytes::from_request(request, app)).await;
        let body = body
            .map_err(|_elapsed| ApiError::too_slow())?
            .map_err(|rejection| body_error(&rejection))?;
        // serde's words may quote the value, which may be a password.
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|_| ApiError::bad_request("the body is not the expected JSON"))
    }
}

fn body_error(rejection: &BytesRejection) -> ApiError {
    let is_too_large = matches!(
        rejection,
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_))
    );
    if is_too_large {
        ApiError::too_large()
    } else {
        ApiError::bad_request("the body could not be read")
    }
}

/// The session token in the request's cookies (RFC 6265 section 5.4).
pub(super) fn session_cookie(headers: &HeaderMap) -> Option<SessionToken> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies
        .flat_map(|list| list.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, token) = pairs.find(|(name, token)| *name == COOKIE && !token.is_empty())?;
    Some(SessionToken::from_client(token))
}
