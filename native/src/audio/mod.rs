//! Where a call's audio comes from and goes to: devices, files, an echo, silence.
//!
//! All audio is mono, 48 kHz, 16 bit, in frames of 20 ms ([`FRAME`] samples). A media session asks its [`AudioProvider`]
//! for an [`Audio`] when it is created, reads one frame from the source and writes one to the sink every 20 ms, and drops
//! both when it ends.

#[cfg(feature = "devices")]
pub mod devices;
mod echo;
mod file;
mod music;
mod silence;

use clearline_core::{CallId, Duration, MediaError, MediaErrorKind};

pub use echo::EchoAudio;
pub use file::{Recording, Sound, SoundSource, WavError};
pub use music::{MAX_MUSIC_BYTES, MusicError, MusicFormat};
pub use silence::Silence;

/// Samples per second of all audio in this crate.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples per frame: 20 ms.
pub const FRAME: usize = 960;

/// How many samples of each channel that is.
fn frames_per(time: Duration, rate: u32) -> usize {
    (time.as_secs_f64() * f64::from(rate)) as usize
}

/// Gives each media session its audio.
pub trait AudioProvider: Send + Sync + 'static {
    /// Opens source and sink for a session of `call`. May block for as long as opening a sound device takes.
    ///
    /// A missing microphone alone is no error: the call goes on with a source that reports the
    /// [`problem`](AudioSource::problem).
    ///
    /// # Errors
    /// Says why there is no audio at all, in the terms the user interface knows.
    fn open(&self, call: CallId) -> Result<Audio, MediaError>;
}

/// The two ends of one session's audio.
pub struct Audio {
    /// The microphone, or what stands for it.
    pub source: Box<dyn AudioSource>,
    /// The speaker, or what stands for it.
    pub sink: Box<dyn AudioSink>,
}

/// Where audio to the far end comes from.
pub trait AudioSource: Send {
    /// Fills `frame` with the next [`FRAME`] samples, with zeros where there are none. Never blocks.
    fn read(&mut self, frame: &mut [i16]);

    /// What is wrong with the device behind it, if silence is all there is.
    fn problem(&self) -> Option<MediaErrorKind> {
        None
    }
}

/// Where audio from the far end goes.
pub trait AudioSink: Send {
    /// Takes the next [`FRAME`] samples. Never blocks; what cannot be taken is dropped.
    fn write(&mut self, frame: &[i16]);
}

impl std::fmt::Debug for Audio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Audio")
    }
}

impl<F> AudioProvider for F
where
    F: Fn(CallId) -> Result<Audio, MediaError> + Send + Sync + 'static,
{
    fn open(&self, call: CallId) -> Result<Audio, MediaError> {
        self(call)
    }
}
