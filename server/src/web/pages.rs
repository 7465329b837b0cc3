//! The few pages the server makes itself: start, not found, not built. They have no script.

use std::fmt::Write as _;
use std::path::Path;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

use crate::app::ShownUser;

/// Nothing but the page's own style, and its form.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Lists the demo's accounts; where users are real, asks for the name instead of showing who there is.
pub(super) fn start(users: &[ShownUser]) -> Response {
    let mut body = String::from("<h1>Clearline</h1>");
    if users.is_empty() {
        body.push_str(
            "<form action=\"/u\"><label>Your user name \
             <input name=\"user\" autocomplete=\"username\" autocapitalize=\"none\" required></label>\
             <button>Open the phone</button></form>",
        );
    } else {
        body.push_str("<p>Open two of these in two windows and call each other. The password is <code>demo</code>.</p><ul>");
        for user in users {
            let (id, name, number) = (escape(&user.id), escape(&user.display_name), escape(&user.number));
            let _infallible = write!(
                body,
                "<li><a href=\"/u/{id}/\">{name}</a> <small>{number}</small></li>"
            );
        }
        body.push_str("</ul><p>Alone? Call <strong>600</strong>: it sends back what it hears.</p>");
    }
    page(StatusCode::OK, "Clearline", &body)
}

/// 404.
pub(super) fn not_found() -> Response {
    page(
        StatusCode::NOT_FOUND,
        "Not found",
        "<h1>Not found</h1><p><a href=\"/\">To the start</a></p>",
    )
}

/// The build of the phone is missing.
pub(super) fn not_built(folder: &Path) -> Response {
    let body = format!(
        "<h1>The phone has not been built</h1>\
         <p>There is no <code>index.html</code> in <code>{}</code>.</p>\
         <p><code>cargo xtask run</code> builds everything and starts the server; \
         or give the folder of a build with <code>--web-dir</code>. \
         SIP clients can use this server meanwhile.</p>",
        escape(&folder.display().to_string())
    );
    page(StatusCode::SERVICE_UNAVAILABLE, "Not built", &body)
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style>\
         <main>{body}</main></html>"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, Html(html)).into_response()
}

const STYLE: &str = ":root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}\
    main{max-inline-size:34rem;margin:12vh auto;padding-inline:1rem}\
    li{margin-block:.5rem;font-size:1.15rem}small{opacity:.7}\
    input,button{font:inherit;padding:.5rem .75rem;margin-inline-end:.5rem}label{display:block;margin-block-end:1rem}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text() {
        assert_eq!(
            escape("<b>\"Tom\" & Jerry</b>"),
            "&lt;b&gt;&quot;Tom&quot; &amp; Jerry&lt;/b&gt;"
        );
    }
}
