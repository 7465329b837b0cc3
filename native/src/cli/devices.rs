//! Sound devices: what `--input`, `--output` and `--ringer` can name, and which of them are in use.

use super::audio::CallAudio;
use super::exit::{Exit, Failure};
use super::order::Device;
use super::output::Output;

#[cfg(feature = "devices")]
use clearline_core::media::{RingTone, TonePlan};
use clearline_native::Phone;
#[cfg(feature = "devices")]
use clearline_native::audio::devices::{DeviceInfo, DevicesInUse, Role, list};
use clearline_native::ringer::Ringer;
#[cfg(feature = "devices")]
use clearline_native::ringer::{self, RingerSettings};

/// `clearline devices`.
#[cfg(feature = "devices")]
pub(crate) fn run(output: &Output) -> Result<Exit, Failure> {
    let devices =
        list().map_err(|error| Failure::new(Exit::NoAudio, format!("no sound devices: {}", error.detail)))?;
    print(output, &devices, None);
    Ok(Exit::Done)
}

/// The order `sound`.
#[cfg(feature = "devices")]
pub(crate) async fn show(audio: &CallAudio, output: &Output) -> Result<(), String> {
    let devices = audio.devices().clone();
    let in_use = devices.in_use().borrow().clone();
    let found = tokio::task::spawn_blocking(move || devices.list()).await;
    let found = found.map_err(|error| error.to_string())?;
    print(output, &found.map_err(|error| error.detail)?, Some(&in_use));
    Ok(())
}

/// The orders `microphone`, `speaker` and `ringer`.
#[cfg(feature = "devices")]
pub(crate) async fn choose(audio: &CallAudio, device: Device, id: Option<String>) -> Result<(), String> {
    let devices = audio.devices().clone();
    let role = match device {
        Device::Microphone => Role::Microphone,
        Device::Speaker => Role::Speaker,
        Device::Ringer => Role::Ringer,
    };
    if let Some(id) = &id {
        let known = devices.clone();
        let known = tokio::task::spawn_blocking(move || known.list()).await;
        let known = known
            .map_err(|error| error.to_string())?
            .map_err(|error| error.detail)?;
        if !known.iter().any(|device| device.id == *id) {
            return Err(format!("there is no device {id:?} (`sound` lists them)"));
        }
    }
    devices.choose(role, id);
    Ok(())
}

/// Rings, and plays what tells the user how a call stands, unless the calls are heard by a file.
#[cfg(feature = "devices")]
pub(crate) fn ring(audio: &CallAudio, phone: &Phone) -> Option<Ringer> {
    if !audio.is_heard() {
        return None;
    }
    let devices = audio.devices().clone();
    let settings = RingerSettings {
        ring: Some(RingTone::default()),
        tones: TonePlan::of(""),
    };
    let open = move |output| match output {
        ringer::Output::Ringer => devices.open_ringer(),
        ringer::Output::Speaker => devices.open_sink(),
    };
    Some(Ringer::start(phone, settings, open))
}

/// Tells of devices that take over from others; never ends.
#[cfg(feature = "devices")]
pub(crate) async fn follow(audio: &CallAudio, output: &Output) {
    let mut in_use = audio.devices().in_use();
    let mut known = in_use.borrow_and_update().clone();
    while in_use.changed().await.is_ok() {
        let now = in_use.borrow_and_update().clone();
        for (role, before, after) in [
            ("microphone", &known.microphone, &now.microphone),
            ("speaker", &known.speaker, &now.speaker),
            ("ringer", &known.ringer, &now.ringer),
        ] {
            if before != after {
                let sentence = match after {
                    Some(id) => format!("{role}: {id}"),
                    None => format!("{role}: none"),
                };
                let details = serde_json::json!({ "kind": role, "id": after });
                output.event("device-in-use", &sentence, details);
            }
        }
        known = now;
    }
    std::future::pending().await
}

#[cfg(feature = "devices")]
fn print(output: &Output, devices: &[DeviceInfo], in_use: Option<&DevicesInUse>) {
    for device in devices {
        let is = |id: fn(&DevicesInUse) -> &Option<String>| {
            in_use.is_some_and(|in_use| id(in_use).as_ref() == Some(&device.id))
        };
        let kinds = [
            (
                device.input,
                "microphone",
                device.default_input,
                is(|it| &it.microphone),
            ),
            (
                device.output,
                "speaker",
                device.default_output,
                is(|it| &it.speaker),
            ),
        ];
        for (_, kind, default, used) in kinds.into_iter().filter(|(present, ..)| *present) {
            let mark = match (used, default) {
                (true, _) => ">",
                (false, true) => "*",
                (false, false) => " ",
            };
            let sentence = format!("{mark} {kind:<10}  {}  ({})", device.id, device.name);
            let rings = is(|it| &it.ringer) && device.output && kind == "speaker";
            let details = serde_json::json!({
                "kind": kind, "id": device.id, "name": device.name, "default": default, "inUse": used, "rings": rings,
            });
            output.event("device", &sentence, details);
        }
    }
}

/// There are none in this build.
#[cfg(not(feature = "devices"))]
pub(crate) fn run(_output: &Output) -> Result<Exit, Failure> {
    Err(Failure::usage(NONE))
}

/// There are none in this build.
#[cfg(not(feature = "devices"))]
pub(crate) async fn show(_audio: &CallAudio, _output: &Output) -> Result<(), String> {
    Err(NONE.to_owned())
}

/// There are none in this build.
#[cfg(not(feature = "devices"))]
pub(crate) async fn choose(_audio: &CallAudio, _device: Device, _id: Option<String>) -> Result<(), String> {
    Err(NONE.to_owned())
}

/// There are none in this build.
#[cfg(not(feature = "devices"))]
pub(crate) fn ring(_audio: &CallAudio, _phone: &Phone) -> Option<Ringer> {
    None
}

/// There are none in this build.
#[cfg(not(feature = "devices"))]
pub(crate) async fn follow(_audio: &CallAudio, _output: &Output) {
    std::future::pending().await
}

#[cfg(not(feature = "devices"))]
const NONE: &str = "this program was built without sound devices";
