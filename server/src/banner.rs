//! What the terminal shows after the start.

use std::fmt::Write as _;

use clearline_server::users_file::DEMO_PASSWORD;
use clearline_server::{Summary, echo};

/// Users listed; an office has more.
const SHOWN: usize = 10;

/// The text.
pub(crate) fn text(summary: &Summary) -> String {
    let mut text = format!("Clearline is ready: {}\n\n", summary.url);
    let width = summary
        .users
        .iter()
        .map(|user| user.id.len())
        .max()
        .unwrap_or_default();
    for user in summary.users.iter().take(SHOWN) {
        line(
            &mut text,
            &format!(
                "  {}/u/{:<width$}  {:>4}  {}",
                summary.url, user.id, user.number, user.display_name
            ),
        );
    }
    if let Some(more) = summary.users.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        line(&mut text, &format!("  and {more} more"));
    }
    if summary.has_echo {
        let width = summary.url.len() + "/u/".len() + width;
        line(
            &mut text,
            &format!(
                "  {:<width$}  {:>4}  sends back what it hears",
                "echo",
                echo::NUMBER
            ),
        );
    }
    if summary.is_demo {
        line(&mut text, &format!("\n  password: {DEMO_PASSWORD}"));
    }
    line(
        &mut text,
        &format!(
            "\nAny SIP client over WebSocket: {}, domain {}",
            summary.sip_url, summary.domain
        ),
    );
    if !summary.phone_built {
        let folder = summary.web_dir.display();
        line(
            &mut text,
            &format!(
                "\nThe phone has not been built ({folder} has no index.html): `cargo xtask run` builds it."
            ),
        );
    }
    if let Some(ca) = &summary.local_ca {
        line(&mut text, &format!("\n{}", ca.instructions()));
    }
    text.push_str("\nStop with Ctrl-C.");
    text
}

fn line(text: &mut String, line: &str) {
    let _infallible = writeln!(text, "{line}");
}
