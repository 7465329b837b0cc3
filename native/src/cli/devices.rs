//! `clearline devices`: what `--input` and `--output` can name.

use super::exit::{Exit, Failure};
use super::output::Output;

/// Lists the sound devices.
#[cfg(feature = "devices")]
pub(crate) fn run(output: &Output) -> Result<Exit, Failure> {
    let devices = clearline_native::audio::devices::list()
        .map_err(|error| Failure::new(Exit::NoAudio, format!("no sound devices: {}", error.detail)))?;
    for device in devices {
        let kinds = [
            (device.input, "microphone", device.default_input),
            (device.output, "speaker", device.default_output),
        ];
        for (_, kind, default) in kinds.into_iter().filter(|(present, ..)| *present) {
            let mark = if default { "*" } else { " " };
            let sentence = format!("{mark} {kind:<10}  {}  ({})", device.id, device.name);
            let details =
                serde_json::json!({ "kind": kind, "id": device.id, "name": device.name, "default": default });
            output.event("device", &sentence, details);
        }
    }
    Ok(Exit::Done)
}

/// There are none in this build.
#[cfg(not(feature = "devices"))]
pub(crate) fn run(_output: &Output) -> Result<Exit, Failure> {
    Err(Failure::usage("this program was built without sound devices"))
}
