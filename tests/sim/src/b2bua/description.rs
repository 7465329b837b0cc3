//! Session descriptions as a platform passes them on.

use clearline_core::Direction;
use clearline_core::session_description::SessionDescription;

/// A media address of the platform, towards one telephone.
#[derive(Clone, Debug)]
pub(super) struct Anchor {
    pub(super) ufrag: String,
    pub(super) session: u64,
    pub(super) version: u64,
}

impl Anchor {
    /// `sdp` with this address in the place of its own.
    pub(super) fn apply(&mut self, sdp: &str) -> String {
        self.version += 1;
        let Self {
            ufrag,
            session,
            version,
        } = self;
        lines(sdp, |line| {
            if line.starts_with("o=") {
                Some(format!("o=platform {session} {version} IN IP4 192.0.2.200"))
            } else if line.starts_with("a=ice-ufrag:") {
                Some(format!("a=ice-ufrag:{ufrag}"))
            } else if line.starts_with("a=ice-pwd:") {
                Some(format!("a=ice-pwd:{ufrag}0123456789abcdef"))
            } else {
                None
            }
        })
    }
}

/// `sdp` with another direction.
pub(super) fn with_direction(sdp: &str, direction: Direction) -> String {
    let all = [
        Direction::SendRecv,
        Direction::SendOnly,
        Direction::RecvOnly,
        Direction::Inactive,
    ];
    lines(sdp, |line| {
        let is_direction = all.iter().any(|it| line.strip_prefix("a=") == Some(it.as_str()));
        is_direction.then(|| format!("a={}", direction.as_str()))
    })
}

/// The direction of the audio.
pub(super) fn direction(sdp: &str) -> Direction {
    audio(sdp, |media| media.direction()).unwrap_or(Direction::Inactive)
}

/// The media credentials that name the sender.
pub(super) fn ufrag(sdp: &str) -> Option<String> {
    audio(sdp, |media| media.ice_ufrag().map(str::to_owned))?
}

fn audio<T>(
    sdp: &str,
    read: impl Fn(clearline_core::session_description::MediaDescription<'_>) -> T,
) -> Option<T> {
    let description = SessionDescription::parse(sdp).ok()?;
    description
        .media()
        .find(|media| media.kind() == "audio")
        .map(read)
}

fn lines(sdp: &str, replace: impl Fn(&str) -> Option<String>) -> String {
    sdp.lines()
        .map(|line| replace(line).unwrap_or_else(|| line.to_owned()) + "\r\n")
        .collect()
}
