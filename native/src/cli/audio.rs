//! The audio of the program's calls: files, devices or silence, as the arguments say.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clearline_core::media::HoldMusic;
use clearline_core::{CallId, MediaError, MediaErrorKind};
#[cfg(feature = "devices")]
use clearline_native::audio::devices::{DeviceAudio, DeviceSettings, VoiceProcessing};
use clearline_native::audio::{
    Audio, AudioProvider, AudioSink, AudioSource, MAX_MUSIC_BYTES, MusicError, Recording, Silence, Sound,
};
use clearline_native::ringer::Output as SoundOutput;
use tokio::sync::watch;

use super::args::AudioArguments;
use super::exit::Failure;

/// An output for a sound, or why there is none.
type Opened = Result<Box<dyn AudioSink>, MediaError>;

/// Gives each call the source and sink the arguments ask for.
#[derive(Clone)]
pub(crate) struct CallAudio(Arc<Inner>);

struct Inner {
    source: Source,
    sink: Sink,
    #[cfg(feature = "devices")]
    devices: DeviceAudio,
    hold_music: HoldMusic,
    hold_sound: Option<Sound>,
    calls: AtomicU32,
    /// Tells when the sound of the newest call has been played.
    played: Mutex<Option<watch::Receiver<bool>>>,
}

enum Source {
    Sound(Sound),
    #[cfg(feature = "devices")]
    Microphone,
    Silence,
}

enum Sink {
    File(PathBuf),
    #[cfg(feature = "devices")]
    Speaker,
    Silence,
}

impl CallAudio {
    /// Reads and checks what the arguments name, so that a wrong file is known before anybody's telephone rings.
    pub(crate) fn new(arguments: &AudioArguments) -> Result<Self, Failure> {
        let with_files = arguments.play.is_some() || arguments.record.is_some();
        let source = match &arguments.play {
            Some(file) => {
                Source::Sound(Sound::load(file).map_err(|error| Failure::usage(error.to_string()))?)
            }
            None => microphone(arguments, with_files)?,
        };
        let sink = match &arguments.record {
            Some(file) => {
                // Creating it tells at once whether it can be written.
                Recording::create(file).map_err(|error| Failure::usage(error.to_string()))?;
                Sink::File(file.clone())
            }
            None => speaker(arguments, with_files)?,
        };
        let (hold_music, hold_sound) = hold(&arguments.hold_music)?;
        Ok(Self(Arc::new(Inner {
            source,
            sink,
            #[cfg(feature = "devices")]
            devices: DeviceAudio::new(settings(arguments)),
            hold_music,
            hold_sound,
            calls: AtomicU32::new(0),
            played: Mutex::default(),
        })))
    }

    /// Who plays to a party on hold, and what, if that is not the melody.
    pub(crate) fn hold(&self) -> (HoldMusic, Option<Sound>) {
        (self.0.hold_music, self.0.hold_sound.clone())
    }

    /// Resolves when the file of `--play` has been said; never without such a file.
    pub(crate) async fn played(&self) {
        let played = self
            .0
            .played
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(mut played) = played else {
            return std::future::pending().await;
        };
        // An error means that the call has ended, which others notice.
        if played.wait_for(|&played| played).await.is_err() {
            std::future::pending().await
        }
    }

    /// A person hears the calls.
    #[cfg(feature = "devices")]
    pub(crate) fn is_heard(&self) -> bool {
        matches!(self.0.sink, Sink::Speaker)
    }

    /// The sound devices, whether a call uses them or not.
    #[cfg(feature = "devices")]
    pub(crate) fn devices(&self) -> &DeviceAudio {
        &self.0.devices
    }

    /// Opens what sounds besides the calls are heard through, if those are heard through a device.
    #[cfg(feature = "devices")]
    pub(crate) fn sounds(&self) -> Option<impl Fn(SoundOutput) -> Opened + Send + Sync + 'static> {
        let devices = self.0.devices.clone();
        let open = move |output| match output {
            SoundOutput::Ringer => devices.open_ringer(),
            SoundOutput::Speaker => devices.open_sink(),
        };
        matches!(self.0.sink, Sink::Speaker).then_some(open)
    }

    /// Without devices there is nothing to hear them through.
    #[cfg(not(feature = "devices"))]
    pub(crate) fn sounds(&self) -> Option<fn(SoundOutput) -> Opened> {
        None
    }

    fn source(&self) -> Box<dyn AudioSource> {
        match &self.0.source {
            Source::Sound(sound) => {
                let source = sound.play();
                let played = source.finished();
                *self.0.played.lock().unwrap_or_else(PoisonError::into_inner) = Some(played);
                Box::new(source)
            }
            #[cfg(feature = "devices")]
            Source::Microphone => self.0.devices.source(),
            Source::Silence => Box::new(Silence),
        }
    }

    fn open_sink(&self, call: u32) -> Result<Box<dyn AudioSink>, MediaError> {
        match &self.0.sink {
            Sink::File(file) => {
                let recording = Recording::create(&numbered(file, call)).map_err(|error| MediaError {
                    kind: MediaErrorKind::DeviceFailed,
                    detail: error.to_string(),
                })?;
                Ok(Box::new(recording))
            }
            #[cfg(feature = "devices")]
            Sink::Speaker => self.0.devices.open_sink(),
            Sink::Silence => Ok(Box::new(Silence)),
        }
    }
}

/// A word, or a file that is read and checked.
fn hold(wish: &str) -> Result<(HoldMusic, Option<Sound>), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::usage(format!("--hold-music {wish}: {error}"));
    match wish {
        "melody" => Ok((HoldMusic::Generated, None)),
        "none" => Ok((HoldMusic::None, None)),
        "platform" => Ok((HoldMusic::Platform, None)),
        file => {
            let size = std::fs::metadata(file).map_err(|error| failed(&error))?.len();
            if size > MAX_MUSIC_BYTES {
                return Err(failed(&MusicError::TooLarge));
            }
            let bytes = std::fs::read(file).map_err(|error| failed(&error))?;
            let sound = Sound::music(&bytes).map_err(|error| failed(&error))?;
            Ok((HoldMusic::Generated, Some(sound)))
        }
    }
}

impl AudioProvider for CallAudio {
    fn open(&self, _call: CallId) -> Result<Audio, MediaError> {
        let call = self.0.calls.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Audio {
            source: self.source(),
            sink: self.open_sink(call)?,
        })
    }
}

#[cfg(feature = "devices")]
fn settings(arguments: &AudioArguments) -> DeviceSettings {
    let wanted = |off: bool| !off && !arguments.no_voice_processing;
    DeviceSettings {
        microphone: arguments.input.clone(),
        speaker: arguments.output.clone(),
        ringer: arguments.ringer.clone(),
        voice: VoiceProcessing {
            echo_cancellation: wanted(arguments.no_echo_cancellation),
            noise_suppression: wanted(arguments.no_noise_suppression),
            gain_control: wanted(arguments.no_gain_control),
        },
    }
}

#[cfg(feature = "devices")]
#[expect(clippy::unnecessary_wraps, reason = "without devices it can fail")]
fn microphone(arguments: &AudioArguments, with_files: bool) -> Result<Source, Failure> {
    Ok(if arguments.input.is_none() && with_files {
        Source::Silence
    } else {
        Source::Microphone
    })
}

#[cfg(feature = "devices")]
#[expect(clippy::unnecessary_wraps, reason = "without devices it can fail")]
fn speaker(arguments: &AudioArguments, with_files: bool) -> Result<Sink, Failure> {
    Ok(if arguments.output.is_none() && with_files {
        Sink::Silence
    } else {
        Sink::Speaker
    })
}

#[cfg(not(feature = "devices"))]
fn microphone(arguments: &AudioArguments, with_files: bool) -> Result<Source, Failure> {
    without_devices(arguments.input.is_none() && with_files).map(|()| Source::Silence)
}

#[cfg(not(feature = "devices"))]
fn speaker(arguments: &AudioArguments, with_files: bool) -> Result<Sink, Failure> {
    without_devices(arguments.output.is_none() && with_files).map(|()| Sink::Silence)
}

#[cfg(not(feature = "devices"))]
fn without_devices(are_not_needed: bool) -> Result<(), Failure> {
    if are_not_needed {
        return Ok(());
    }
    Err(Failure::usage(
        "this program was built without sound devices: use --play or --record",
    ))
}

/// `file` for the first call, then `name-2.wav` and so on.
fn numbered(file: &Path, call: u32) -> PathBuf {
    if call == 1 {
        return file.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file
        .extension()
        .map(|extension| format!(".{}", extension.to_string_lossy()))
        .unwrap_or_default();
    file.with_file_name(format!("{stem}-{call}{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_recordings_do_not_replace_the_first() {
        let file = Path::new("dir/call.wav");
        assert_eq!(numbered(file, 1), file);
        assert_eq!(numbered(file, 2), Path::new("dir/call-2.wav"));
        assert_eq!(numbered(Path::new("tape"), 3), Path::new("tape-3"));
    }
}
