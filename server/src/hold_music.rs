//! The tenant's own music for whoever is put on hold: a file that is checked at start and handed to the phones, which play it
//! themselves, as audio between two phones never touches the server.

use std::fmt;
use std::path::Path;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use clearline_native::audio::{MAX_MUSIC_BYTES, MusicError, MusicFormat, Sound};

use crate::app::App;

/// Where it is fetched.
pub(crate) const PATH: &str = "/hold-music";

/// A file that can be played.
#[derive(Clone)]
pub(crate) struct HoldMusic {
    bytes: Bytes,
    format: MusicFormat,
}

impl HoldMusic {
    /// The file, if it is music; else one line says why the phones play their melody.
    pub(crate) fn load(path: &Path) -> Option<Self> {
        read(path)
            .inspect_err(|error| {
                tracing::warn!(file = %path.display(), %error, "phones play a melody to whoever is on hold, as the file cannot be used");
            })
            .ok()
    }
}

fn read(path: &Path) -> Result<HoldMusic, Unusable> {
    // What is too large is not read at all.
    if std::fs::metadata(path)?.len() > MAX_MUSIC_BYTES {
        return Err(MusicError::TooLarge.into());
    }
    let bytes = std::fs::read(path)?;
    Sound::music(&bytes)?;
    let format = MusicFormat::of(&bytes).ok_or(MusicError::UnknownFormat)?;
    Ok(HoldMusic {
        bytes: bytes.into(),
        format,
    })
}

/// Why a file is not handed out.
enum Unusable {
    Unreadable(std::io::Error),
    NoMusic(MusicError),
}

impl From<std::io::Error> for Unusable {
    fn from(error: std::io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl From<MusicError> for Unusable {
    fn from(error: MusicError) -> Self {
        Self::NoMusic(error)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::NoMusic(error) => error.fmt(f),
        }
    }
}

/// `GET /hold-music`.
pub(crate) async fn serve(State(app): State<App>) -> Response {
    let Some(music) = &app.hold_music else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, music.format.media_type()),
        (header::CACHE_CONTROL, "max-age=3600"),
    ];
    (headers, music.bytes.clone()).into_response()
}
