//! From the arguments to a registered phone.

use std::fs::File;
use std::io::{Error, IsTerminal as _, Write as _};
use std::path::Path;

use clearline_core::recording::Record;
use clearline_core::sip::UriBuf;
use clearline_core::{Config, Secret, TransferPolicy};
use clearline_native::media::{IceServer, StatisticsReader, WebRtcMedia};
use clearline_native::transport::WebSocketTransport;
use clearline_native::{Phone, RegistrationError};
use tokio::sync::watch;

use super::args::AccountArguments;
use super::audio::CallAudio;
use super::exit::{Exit, Failure};
use super::interrupt::interrupted;

/// A phone that is registered, and the figures of its calls.
pub(crate) struct Line {
    pub(crate) phone: Phone,
    pub(crate) figures: StatisticsReader,
}

/// Starts the phone, for so many calls at once, and waits until it is registered.
pub(crate) async fn sign_in(
    arguments: &AccountArguments,
    audio: CallAudio,
    lines: usize,
    interrupt: &mut watch::Receiver<bool>,
) -> Result<Line, Failure> {
    sign_in_with(arguments, audio, lines, None, interrupt).await
}

/// The same on a platform that makes conferences at `conference_factory`, a name or an address.
pub(crate) async fn sign_in_with(
    arguments: &AccountArguments,
    audio: CallAudio,
    lines: usize,
    conference_factory: Option<&str>,
    interrupt: &mut watch::Receiver<bool>,
) -> Result<Line, Failure> {
    let transport = transport(arguments)?;
    let mut config = config(arguments, lines)?;
    config.conference_factory = conference_factory
        .map(|text| factory(text, &arguments.domain))
        .transpose()?;
    let servers = arguments.stun.iter().map(|url| IceServer {
        urls: vec![url.clone()],
        ..Default::default()
    });
    let (hold_music, hold_sound) = audio.hold();
    let media = WebRtcMedia::builder(audio)
        .ice_servers(servers.collect())
        .hold_music(hold_music);
    let media = match hold_sound {
        Some(sound) => media.hold_sound(sound),
        None => media,
    };
    let media = media.build();
    let figures = media.statistics();
    let mut phone = Phone::builder(config).transport(transport).media(media);
    if let Some(path) = &arguments.record_log {
        phone = phone.record(log_writer(path)?);
    }
    let phone = phone.start();
    let phone = phone.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let outcome = tokio::select! {
        outcome = phone.registered() => outcome.map_err(|error| not_registered(&error)),
        () = interrupted(interrupt) => Err(Failure::new(Exit::Interrupted, "interrupted")),
    };
    if let Err(failure) = outcome {
        phone.stop().await;
        return Err(failure);
    }
    Ok(Line { phone, figures })
}

/// Writes one JSON object per line. A log that cannot be written any more ends there; the call goes on.
fn log_writer(path: &Path) -> Result<impl FnMut(&Record) + Send + use<>, Failure> {
    let cannot = |error| Failure::usage(format!("{} cannot be written: {error}", path.display()));
    let mut file = Some(File::create(path).map_err(cannot)?);
    let shown = path.display().to_string();
    Ok(move |record: &Record| {
        let Some(open) = &mut file else { return };
        let written = serde_json::to_string(record)
            .map_err(Error::from)
            .and_then(|line| writeln!(open, "{line}"));
        if let Err(error) = written {
            tracing::warn!(%error, "{shown} ends here");
            file = None;
        }
    })
}

fn config(arguments: &AccountArguments, lines: usize) -> Result<Config, Failure> {
    let address = format!("sip:{}@{}", arguments.user, arguments.domain);
    let address = UriBuf::parse(address).map_err(|_| {
        Failure::usage("--user and --domain do not make an address: use plain names without spaces")
    })?;
    let mut config = Config::new(address, &arguments.server, instance_id()?);
    config.password = password(arguments)?;
    config.display_name.clone_from(&arguments.display_name);
    config.device_name.clone_from(&arguments.device_name);
    config.max_calls = lines;
    if lines == 1 {
        // There is no second line on which to call whom the far end might send this phone to.
        config.transfer_policy = TransferPolicy::Never;
    } else {
        config.remote_calls = true;
    }
    Ok(config)
}

fn factory(text: &str, domain: &str) -> Result<UriBuf, Failure> {
    let address = match text {
        uri if uri.starts_with("sip") && uri.contains(':') => uri.to_owned(),
        address if address.contains('@') => format!("sip:{address}"),
        name => format!("sip:{name}@{domain}"),
    };
    UriBuf::parse(address).map_err(|_| Failure::usage("--conference-factory is not an address"))
}

fn password(arguments: &AccountArguments) -> Result<Secret, Failure> {
    if let Some(file) = &arguments.password_file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
        return Ok(Secret::new(text.lines().next().unwrap_or_default()));
    }
    if let Ok(password) = std::env::var("CLEARLINE_PASSWORD") {
        return Ok(Secret::new(password));
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "no password: set CLEARLINE_PASSWORD or use --password-file",
        ));
    }
    rpassword::prompt_password(format!("Password of {}: ", arguments.user))
        .map(Secret::new)
        .map_err(|error| Failure::usage(format!("no password: {error}")))
}

fn transport(arguments: &AccountArguments) -> Result<WebSocketTransport, Failure> {
    let builder = WebSocketTransport::builder();
    let builder = match &arguments.ca_file {
        Some(file) => builder
            .trust_file(file)
            .map_err(|error| Failure::usage(format!("cannot use {}: {error}", file.display())))?,
        None => builder,
    };
    Ok(builder.build())
}

/// A name for this run (RFC 9562 section 5.4): the program un-registers when it ends, so there is nothing to recognise.
fn instance_id() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    ))
}

fn not_registered(error: &RegistrationError) -> Failure {
    Failure::new(Exit::NotRegistered, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factory_is_named_or_has_an_address() {
        for (text, uri) in [
            ("conference", "sip:conference@example.com"),
            ("rooms@other.org", "sip:rooms@other.org"),
            ("sip:rooms@other.org", "sip:rooms@other.org"),
            ("sipfactory", "sip:sipfactory@example.com"),
        ] {
            let factory = factory(text, "example.com").ok();
            assert_eq!(factory.as_ref().map(UriBuf::as_str), Some(uri));
        }
        assert!(factory("no such thing", "example.com").is_err());
    }
}
