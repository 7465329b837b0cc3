//! WAV files as microphone and as tape.

use std::fmt;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};
use tokio::sync::watch;

use super::{AudioSink, AudioSource, FRAME, SAMPLE_RATE};

/// The longest file that is loaded: an hour at 48 kHz.
const MAX_SAMPLES: u32 = 3_600 * SAMPLE_RATE;
/// Frames that may wait for the disk: 10 s.
const WRITE_QUEUE: usize = 500;

/// A sound in memory, ready to be played.
#[derive(Clone)]
pub struct Sound {
    samples: Arc<[i16]>,
}

impl Sound {
    /// Loads a WAV file of any rate, width and number of channels; the channels are mixed into one.
    ///
    /// # Errors
    /// When the file cannot be read, is not a WAV file of integer or float samples, or is longer than an hour.
    pub fn load(path: &Path) -> Result<Self, WavError> {
        let failed = |error: &dyn fmt::Display| WavError {
            path: path.to_owned(),
            detail: error.to_string(),
        };
        let reader = WavReader::open(path).map_err(|error| failed(&error))?;
        let spec = reader.spec();
        if reader.duration() > MAX_SAMPLES {
            return Err(failed(&"longer than an hour"));
        }
        let mono = read_mono(reader).map_err(|error| failed(&error))?;
        let samples = resample(mono, spec.sample_rate).map_err(|error| failed(&error))?;
        Ok(Self {
            samples: samples.into(),
        })
    }

    /// A sound of `samples` at 48 kHz.
    pub fn from_samples(samples: impl Into<Arc<[i16]>>) -> Self {
        Self {
            samples: samples.into(),
        }
    }

    /// The samples at 48 kHz.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// A source that plays this once and is silent afterwards.
    pub fn play(&self) -> SoundSource {
        SoundSource {
            sound: self.clone(),
            position: 0,
            finished: watch::Sender::new(false),
        }
    }
}

impl fmt::Debug for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sound({} samples)", self.samples.len())
    }
}

/// Plays a [`Sound`] once.
#[derive(Debug)]
pub struct SoundSource {
    sound: Sound,
    position: usize,
    finished: watch::Sender<bool>,
}

impl SoundSource {
    /// Becomes true when everything has been read; the channel closes if the source is dropped before.
    pub fn finished(&self) -> watch::Receiver<bool> {
        self.finished.subscribe()
    }
}

impl AudioSource for SoundSource {
    fn read(&mut self, frame: &mut [i16]) {
        let rest = self.sound.samples.get(self.position..).unwrap_or_default();
        let count = rest.len().min(frame.len());
        let (sounding, quiet) = frame.split_at_mut(count);
        sounding.copy_from_slice(&rest[..count]);
        quiet.fill(0);
        self.position += count;
        if self.position == self.sound.samples.len() {
            self.finished
                .send_if_modified(|finished| !std::mem::replace(finished, true));
        }
    }
}

/// Writes what it hears to a WAV file (48 kHz, mono, 16 bit). The disk is served by a thread of its own; the file is
/// complete when the recording is dropped, and readable up to the last second if the program dies.
#[derive(Debug)]
pub struct Recording {
    frames: Option<mpsc::SyncSender<Box<[i16]>>>,
    writer: Option<JoinHandle<()>>,
}

impl Recording {
    /// Starts a recording in `path`, replacing what was there.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, WavError> {
        let failed = |error: &dyn fmt::Display| WavError {
            path: path.to_owned(),
            detail: error.to_string(),
        };
        let spec = WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let file = WavWriter::create(path, spec).map_err(|error| failed(&error))?;
        let (frames, queue) = mpsc::sync_channel(WRITE_QUEUE);
        let writer = std::thread::Builder::new()
            .name("wav-writer".to_owned())
            .spawn(move || write_frames(file, &queue))
            .map_err(|error| failed(&error))?;
        Ok(Self {
            frames: Some(frames),
            writer: Some(writer),
        })
    }
}

impl AudioSink for Recording {
    fn write(&mut self, frame: &[i16]) {
        if let Some(frames) = &self.frames {
            // A disk that is ten seconds behind loses frames rather than holding up the call.
            let _ = frames.try_send(frame.into());
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        drop(self.frames.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// A WAV file that cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WavError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub detail: String,
}

impl fmt::Display for WavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.detail)
    }
}

impl std::error::Error for WavError {}

fn write_frames(mut file: WavWriter<BufWriter<std::fs::File>>, queue: &mpsc::Receiver<Box<[i16]>>) {
    let result = (|| -> Result<(), hound::Error> {
        for (number, frame) in queue.iter().enumerate() {
            for &sample in &frame {
                file.write_sample(sample)?;
            }
            if number % (SAMPLE_RATE as usize / FRAME) == 0 {
                file.flush()?;
            }
        }
        file.finalize()
    })();
    if let Err(error) = result {
        tracing::warn!(%error, "the recording is incomplete");
    }
}

pub(super) fn read_mono(mut reader: WavReader<impl std::io::Read>) -> Result<Vec<f32>, hound::Error> {
    let spec = reader.spec();
    let channels = usize::from(spec.channels.max(1));
    let interleaved: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
        SampleFormat::Int => {
            let full_scale = (1_u64 << (spec.bits_per_sample - 1)) as f32;
            reader
                .samples::<i32>()
                .map(|sample| Ok(sample? as f32 / full_scale))
                .collect::<Result<_, hound::Error>>()?
        }
    };
    Ok(interleaved
        .chunks_exact(channels)
        .map(|frame| frame.iter().sum::<f32>() / channels as f32)
        .collect())
}

pub(super) fn resample(mono: Vec<f32>, rate: u32) -> Result<Vec<i16>, Box<dyn std::error::Error>> {
    if rate == SAMPLE_RATE || mono.is_empty() {
        return Ok(mono.into_iter().map(to_sample).collect());
    }
    let mut resampler = Fft::<f32>::new(rate as usize, SAMPLE_RATE as usize, 1_024, 1, FixedSync::Both)?;
    let input = InterleavedSlice::new(&mono, 1, mono.len())?;
    let output = resampler.process_all(&input, mono.len(), None)?;
    Ok(output.take_data().into_iter().map(to_sample).collect())
}

fn to_sample(value: f32) -> i16 {
    (value * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    struct TempFile(PathBuf);

    impl TempFile {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("clearline-{}-{name}", std::process::id())))
        }
    }

    impl Drop for TempFile {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_recording_reads_back_as_it_was_heard() {
        let file = TempFile::new("recording.wav");
        let mut recording = Recording::create(&file.0).unwrap();
        recording.write(&[1; FRAME]);
        recording.write(&[-2; FRAME]);
        drop(recording);
        let sound = Sound::load(&file.0).unwrap();
        assert_eq!(sound.samples().len(), 2 * FRAME);
        assert_eq!((sound.samples()[0], sound.samples()[FRAME]), (1, -2));
    }

    #[test]
    fn other_rates_and_stereo_become_mono_at_48_khz() {
        let file = TempFile::new("stereo.wav");
        let spec = WavSpec {
            channels: 2,
            sample_rate: 8_000,
            bits_per_sample: 24,
            sample_format: SampleFormat::Int,
        };
        let mut writer = WavWriter::create(&file.0, spec).unwrap();
        for i in 0..8_000 {
            let sine = (f64::from(i) * 440.0 * std::f64::consts::TAU / 8_000.0).sin();
            writer.write_sample((sine * 4_000_000.0) as i32).unwrap();
            writer.write_sample(0).unwrap();
        }
        writer.finalize().unwrap();

        let sound = Sound::load(&file.0).unwrap();
        assert!(sound.samples().len().abs_diff(48_000) < 100, "{sound:?}");
        let crossings = sound
            .samples()
            .windows(2)
            .filter(|pair| pair[0] < 0 && pair[1] >= 0)
            .count();
        assert!(crossings.abs_diff(440) <= 2, "{crossings} periods in a second");
        let peak = sound.samples().iter().max().unwrap();
        assert!(
            (i32::from(*peak) - 7_812).abs() < 300,
            "half of each channel: {peak}"
        );
    }

    #[test]
    fn a_sound_ends_in_silence_and_says_so() {
        let mut source = Sound::from_samples(vec![5; FRAME + 1]).play();
        let finished = source.finished();
        let mut frame = [9; FRAME];
        source.read(&mut frame);
        assert!(frame == [5; FRAME] && !*finished.borrow());
        source.read(&mut frame);
        assert!(frame[0] == 5 && frame[1..].iter().all(|&sample| sample == 0) && *finished.borrow());
        source.read(&mut frame);
        assert_eq!(frame, [0; FRAME]);
    }

    #[test]
    fn what_is_no_wav_file_is_named_in_the_error() {
        let file = TempFile::new("nonsense.wav");
        std::fs::write(&file.0, b"RIFFnonsense").unwrap();
        let error = Sound::load(&file.0).unwrap_err();
        assert!(error.to_string().contains("nonsense.wav"));
        assert!(Sound::load(Path::new("/nonexistent/file.wav")).is_err());
        assert!(Recording::create(Path::new("/nonexistent/file.wav")).is_err());
    }
}
