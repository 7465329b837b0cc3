//! The sounds of `clearline phone`: ringing, call waiting, ringback and busy, where calls use sound devices.

use clap::{Args, ValueEnum};
use clearline_core::media::{RingTone, TonePlan};
use clearline_native::Phone;
use clearline_native::ringer::{Ringer, RingerSettings};

use super::audio::CallAudio;

/// What is heard of calls besides voices.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sounds")]
pub(crate) struct SoundArguments {
    /// How an incoming call sounds.
    #[arg(long, value_name = "MELODY", value_enum, default_value = "classic")]
    ring: Melody,
    /// Whose tones are heard, by the country's two letters; by the system's locale unless said otherwise.
    #[arg(long, value_name = "COUNTRY", env = "CLEARLINE_COUNTRY")]
    country: Option<String>,
    /// No sounds at all.
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Melody {
    Classic,
    Chime,
    Off,
}

/// Follows the phone, if its calls are heard through a device.
pub(crate) fn start(phone: &Phone, audio: &CallAudio, arguments: &SoundArguments) -> Option<Ringer> {
    let open = audio.sounds().filter(|_| !arguments.quiet)?;
    let country = arguments.country.clone().unwrap_or_else(locale_country);
    let settings = RingerSettings {
        ring: match arguments.ring {
            Melody::Classic => Some(RingTone::Classic),
            Melody::Chime => Some(RingTone::Chime),
            Melody::Off => None,
        },
        tones: TonePlan::of(&country),
    };
    Some(Ringer::start(phone, settings, open))
}

/// The country in the first locale that is set; none has the plan that all know.
fn locale_country() -> String {
    let names = ["LC_ALL", "LC_TELEPHONE", "LANG"];
    let mut set = names.iter().filter_map(|name| std::env::var(name).ok());
    let first = set.find(|value| !value.is_empty());
    first
        .as_deref()
        .and_then(country_of)
        .unwrap_or_default()
        .to_owned()
}

/// `de_AT.UTF-8` is Austria.
fn country_of(locale: &str) -> Option<&str> {
    let (_, rest) = locale.split_once('_')?;
    rest.split(['.', '@']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_names_the_country() {
        assert_eq!(country_of("de_AT.UTF-8"), Some("AT"));
        assert_eq!(country_of("en_GB@euro"), Some("GB"));
        assert_eq!((country_of("C.UTF-8"), country_of("POSIX")), (None, None));
    }
}
