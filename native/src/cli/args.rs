//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

use super::order::ORDERS;
use super::ringer::SoundArguments;

const EXIT_CODES: &str = "\
Exit codes:
  0    the call was answered and has ended (answer: all calls have)
  1    an unexpected failure
  2    wrong arguments, or a file that cannot be used
  3    cannot connect or register
  4    busy or declined
  5    no answer, or not reachable now
  6    no such number
  7    no audio: device, codec or network path
  8    refused or failed for another reason
  130  interrupted; the call was hung up properly

The password is taken from the environment variable CLEARLINE_PASSWORD, from --password-file, or asked for; never from the
command line, where others could read it.";

/// Make and take calls from a terminal or a script.
#[derive(Debug, Parser)]
#[command(name = "clearline", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Print one JSON object per line and event instead of sentences.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log more to standard error; up to three times.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Call somebody.
    Call(CallArguments),
    /// Wait for calls and answer them.
    Answer(AnswerArguments),
    /// Several calls, ordered about by lines on standard input.
    #[command(after_help = format!("Orders:\n{ORDERS}"))]
    Phone(PhoneArguments),
    /// List microphones and speakers.
    Devices,
}

#[derive(Debug, Args)]
pub(crate) struct CallArguments {
    /// Whom: a number, a name, or a SIP or tel URI.
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) account: AccountArguments,
    #[command(flatten)]
    pub(crate) audio: AudioArguments,
    #[command(flatten)]
    pub(crate) conduct: ConductArguments,
}

#[derive(Debug, Args)]
pub(crate) struct AnswerArguments {
    /// Stop after so many calls instead of going on for ever.
    #[arg(long, value_name = "N")]
    pub(crate) times: Option<u32>,
    #[command(flatten)]
    pub(crate) account: AccountArguments,
    #[command(flatten)]
    pub(crate) audio: AudioArguments,
    #[command(flatten)]
    pub(crate) conduct: ConductArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PhoneArguments {
    #[command(flatten)]
    pub(crate) account: AccountArguments,
    #[command(flatten)]
    pub(crate) audio: AudioArguments,
    #[command(flatten)]
    pub(crate) sounds: SoundArguments,
    /// Where the platform makes conferences, a name or an address, for example `conference`. Without it they are mixed here.
    #[arg(long, value_name = "ADDRESS", env = "CLEARLINE_CONFERENCE_FACTORY")]
    pub(crate) conference_factory: Option<String>,
}

/// Who calls, and through which platform.
#[derive(Debug, Args)]
#[command(next_help_heading = "Account")]
pub(crate) struct AccountArguments {
    /// The platform's WebSocket: ws://host:port/path or wss://...
    #[arg(long, value_name = "URL", env = "CLEARLINE_SERVER")]
    pub(crate) server: String,
    /// The account's name.
    #[arg(long, value_name = "NAME", env = "CLEARLINE_USER")]
    pub(crate) user: String,
    /// The part of the address after the @.
    #[arg(long, value_name = "DOMAIN", default_value = "clearline.localhost")]
    pub(crate) domain: String,
    /// Read the password from the first line of FILE.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// The name those who are called see.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) display_name: String,
    /// What this device is called on your other devices.
    #[arg(long, value_name = "NAME", default_value = "clearline")]
    pub(crate) device_name: String,
    /// Trust the certificates in FILE (PEM) too, for wss.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Write a log of the session to FILE, to be replayed by developers. Names, numbers and addresses in it are replaced
    /// by others of the same shape, and there is no password.
    #[arg(long, value_name = "FILE")]
    pub(crate) record_log: Option<PathBuf>,
    /// A STUN server (stun:host:port); may be given several times.
    #[arg(long, value_name = "URL")]
    pub(crate) stun: Vec<String>,
}

/// What is said and what becomes of what is heard. With files, no device is opened unless it is named.
#[derive(Debug, Args)]
#[command(next_help_heading = "Audio")]
pub(crate) struct AudioArguments {
    /// Say what is in FILE (WAV). `call` and `answer` hang up after it unless --duration says otherwise.
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    pub(crate) play: Option<PathBuf>,
    /// What whoever is on hold hears: `melody`, `none`, `platform` (it plays as soon as it sees that), or a file (WAV, Ogg Opus).
    #[arg(long, value_name = "MUSIC", default_value = "melody")]
    pub(crate) hold_music: String,
    /// Write what is heard to FILE (WAV, 48 kHz); the second call of `answer` to FILE-2, and so on.
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    pub(crate) record: Option<PathBuf>,
    /// The microphone, by its id in `clearline devices`.
    #[arg(long, value_name = "ID")]
    pub(crate) input: Option<String>,
    /// The speaker, by its id in `clearline devices`.
    #[arg(long, value_name = "ID")]
    pub(crate) output: Option<String>,
    /// Where `phone` rings, by its id in `clearline devices`; the speaker is for the calls.
    #[arg(long, value_name = "ID")]
    pub(crate) ringer: Option<String>,
    /// Send the microphone's sound as it is.
    #[arg(long)]
    pub(crate) no_voice_processing: bool,
    /// Leave in it what the speaker plays; enough with a headset.
    #[arg(long)]
    pub(crate) no_echo_cancellation: bool,
    /// Leave noise in it.
    #[arg(long)]
    pub(crate) no_noise_suppression: bool,
    /// Leave it as loud or quiet as it is.
    #[arg(long)]
    pub(crate) no_gain_control: bool,
}

/// What happens once somebody has answered.
#[derive(Debug, Args)]
#[command(next_help_heading = "During the call")]
pub(crate) struct ConductArguments {
    /// Hang up so many seconds after the answer.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<std::time::Duration>,
    /// Send these tones after the answer: 0-9 * # A-D, comma and semicolon for pauses.
    #[arg(long, value_name = "TONES")]
    pub(crate) dtmf: Option<String>,
    /// Put the far end on hold so many seconds after the answer.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) hold_after: Option<std::time::Duration>,
    /// Resume so many seconds after that.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "hold_after")]
    pub(crate) hold_for: Option<std::time::Duration>,
}

fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    std::time::Duration::try_from_secs_f64(seconds).map_err(|_| "not a number of seconds".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }

    #[test]
    fn there_is_no_way_to_give_a_password_on_the_command_line() {
        let words = [
            "clearline",
            "call",
            "600",
            "--server",
            "ws://x/",
            "--user",
            "a",
            "--password",
            "p",
        ];
        assert!(Arguments::try_parse_from(words).is_err());
    }

    #[test]
    fn seconds_may_have_a_fraction_but_not_a_sign() {
        assert_eq!(seconds("1.5"), Ok(std::time::Duration::from_millis(1_500)));
        assert!(seconds("-1").is_err() && seconds("NaN").is_err() && seconds("").is_err());
    }
}
