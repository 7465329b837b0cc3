//! System packages: what each command needs, how to see whether it is there, and how to get it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exec::{ask, on_path, run, step};
use crate::fail::Result;

/// What a command is about to do; each purpose needs its own packages and no more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Build the server and the app.
    Server,
    /// Build the terminal program with its sound devices.
    Devices,
    /// Run the browser scenarios.
    Browser,
    /// Run the cases against SIP software that others wrote.
    Interop,
    /// Count instructions.
    Bench,
    /// Replay speech through playout engines.
    Media,
    /// Play into sound devices that nobody hears.
    Sound,
}

struct Need {
    purpose: Purpose,
    present: fn() -> bool,
    apt: &'static str,
    brew: Option<&'static str>,
    why: &'static str,
}

const NEEDS: &[Need] = &[
    Need {
        purpose: Purpose::Server,
        // Rust brings a C linker along; Opus' build asks for a C++ compiler besides.
        present: || {
            on_path("cl").is_some()
                || (has_any(&["cc", "gcc", "clang"]) && has_any(&["c++", "g++", "clang++"]))
        },
        apt: "build-essential",
        brew: None,
        why: "C and C++ compilers for the Opus codec and SQLite",
    },
    Need {
        purpose: Purpose::Server,
        present: || on_path("cmake").is_some(),
        apt: "cmake",
        brew: Some("cmake"),
        why: "builds the Opus codec",
    },
    Need {
        purpose: Purpose::Server,
        present: || on_path("pkg-config").is_some() || !cfg!(target_os = "linux"),
        apt: "pkg-config",
        brew: None,
        why: "finds system libraries",
    },
    Need {
        purpose: Purpose::Devices,
        present: || has_library("alsa"),
        apt: "libasound2-dev",
        brew: None,
        why: "sound devices (ALSA)",
    },
    Need {
        purpose: Purpose::Devices,
        present: || has_library("libpulse"),
        apt: "libpulse-dev",
        brew: None,
        why: "sound devices (PulseAudio, PipeWire)",
    },
    Need {
        purpose: Purpose::Bench,
        // Elsewhere that column of the tables stays empty.
        present: || on_path("valgrind").is_some() || !cfg!(target_os = "linux"),
        apt: "valgrind",
        brew: None,
        why: "counts instructions",
    },
    Need {
        purpose: Purpose::Media,
        present: || on_path("espeak-ng").is_some(),
        apt: "espeak-ng",
        brew: Some("espeak-ng"),
        why: "the synthetic half of the speech",
    },
    Need {
        purpose: Purpose::Media,
        present: || Path::new("/usr/share/asterisk/sounds/en_US_f_Allison").is_dir(),
        apt: "asterisk-core-sounds-en-wav",
        brew: None,
        why: "the natural half of the speech",
    },
    Need {
        purpose: Purpose::Sound,
        present: || {
            ["pulseaudio", "pactl", "parec"]
                .iter()
                .all(|name| on_path(name).is_some())
                || !cfg!(target_os = "linux")
        },
        apt: "pulseaudio pulseaudio-utils",
        brew: None,
        why: "sound devices that nobody hears",
    },
    Need {
        purpose: Purpose::Browser,
        present: || browser().is_some(),
        apt: "chromium",
        brew: Some("--cask chromium"),
        why: "the browser of the end-to-end tests",
    },
    Need {
        purpose: Purpose::Browser,
        present: || on_path("espeak-ng").is_some(),
        apt: "espeak-ng",
        brew: Some("espeak-ng"),
        why: "speaks into the microphones of the end-to-end tests",
    },
    Need {
        purpose: Purpose::Browser,
        present: || has_kamailio_module("websocket") || !cfg!(target_os = "linux"),
        apt: "kamailio kamailio-websocket-modules",
        brew: None,
        why: "a telephony platform nobody here wrote, for one end-to-end test",
    },
    Need {
        purpose: Purpose::Browser,
        present: || {
            (on_path("turnserver").is_some() && on_path("openssl").is_some()) || !cfg!(target_os = "linux")
        },
        apt: "coturn openssl",
        brew: None,
        why: "a TURN server with a certificate, for calls through a relay",
    },
    Need {
        purpose: Purpose::Browser,
        present: || on_path("ip").is_some() || !cfg!(target_os = "linux"),
        apt: "iproute2",
        brew: None,
        why: "networks of their own, for calls whose network changes",
    },
    Need {
        purpose: Purpose::Interop,
        present: || {
            ["websocket", "tls", "outbound", "presence"]
                .iter()
                .all(|name| has_kamailio_module(name))
        },
        apt: "kamailio kamailio-websocket-modules kamailio-tls-modules kamailio-outbound-modules kamailio-presence-modules",
        brew: None,
        why: "a telephony platform that others wrote",
    },
    Need {
        purpose: Purpose::Interop,
        present: || on_path("sipp").is_some(),
        apt: "sip-tester",
        brew: None,
        why: "a far end that follows a script (SIPp)",
    },
    Need {
        purpose: Purpose::Interop,
        present: || on_path("rtpengine").is_some(),
        apt: "rtpengine-daemon",
        brew: None,
        why: "relays media between phones with and without WebRTC",
    },
    Need {
        purpose: Purpose::Interop,
        present: || on_path("baresip").is_some(),
        apt: "baresip-core",
        brew: None,
        why: "a phone without WebRTC that others wrote",
    },
];

/// Installs what is missing for `purposes` as root, or fails with the one line that does.
pub(crate) fn satisfy(purposes: &[Purpose]) -> Result<()> {
    let missing: Vec<&Need> = NEEDS
        .iter()
        .filter(|need| purposes.contains(&need.purpose) && !(need.present)())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("==> system packages are missing:");
    for need in &missing {
        println!("    {}: {}", need.apt, need.why);
    }
    if !has_apt() {
        return Err(advice_without_apt(&missing).into());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.apt.split(' ')).collect();
    if !is_root() {
        let line = format!(
            "sudo apt-get update && sudo apt-get install -y {}",
            packages.join(" ")
        );
        return Err(format!("run this line, then the same command again:\n  {line}").into());
    }
    step("apt-get install", || apt_install(&packages))
}

/// Whether Debian's packages can be had here: what [`Purpose::Interop`] needs is nowhere else known to work.
pub(crate) fn has_apt() -> bool {
    on_path("apt-get").is_some()
}

/// A browser the end-to-end tests can drive; `CLEARLINE_CHROMIUM` names another.
pub(crate) fn browser() -> Option<PathBuf> {
    let chosen = std::env::var_os("CLEARLINE_CHROMIUM").map(PathBuf::from);
    let installed = [
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    ];
    chosen
        .or_else(|| {
            ["chromium", "chromium-browser", "google-chrome"]
                .iter()
                .find_map(|name| on_path(name))
        })
        .or_else(|| installed.iter().map(PathBuf::from).find(|file| file.is_file()))
}

fn has_any(programs: &[&str]) -> bool {
    programs.iter().any(|name| on_path(name).is_some())
}

fn has_library(name: &str) -> bool {
    !cfg!(target_os = "linux") || ask(Command::new("pkg-config").args(["--exists", name])).is_some()
}

fn has_kamailio_module(name: &str) -> bool {
    let libraries = fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let module = |folder: &Path| {
        folder
            .join("kamailio")
            .join("modules")
            .join(format!("{name}.so"))
            .is_file()
    };
    on_path("kamailio").is_some()
        && libraries
            .chain([PathBuf::from("/usr/lib64")])
            .any(|folder| module(&folder))
}

fn is_root() -> bool {
    ask(Command::new("id").arg("-u")).as_deref() == Some("0")
}

fn advice_without_apt(missing: &[&Need]) -> String {
    let formulas: Vec<&str> = missing.iter().filter_map(|need| need.brew).collect();
    if cfg!(target_os = "macos") && formulas.len() == missing.len() {
        let lines: Vec<String> = formulas
            .iter()
            .map(|formula| format!("brew install {formula}"))
            .collect();
        return format!(
            "run this line, then the same command again:\n  {}",
            lines.join(" && ")
        );
    }
    let names: Vec<&str> = missing.iter().map(|need| need.apt).collect();
    format!(
        "install these (Debian's names) with your system's package manager, then try again: {}",
        names.join(", ")
    )
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let _quiet = NoServiceStart::new();
    let apt = || {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["-q", "-y", "-o", "Dpkg::Use-Pty=0"]);
        command
    };
    run(
        apt().arg("update"),
        "the package lists could not be fetched; check the network and try again",
    )?;
    run(
        apt().args(["install", "--no-install-recommends"]).args(packages),
        "the packages could not be installed; read apt's message above",
    )
}

/// While it lives, packages that bring a service (Kamailio) do not start it: a test tool must not open a port of
/// its own accord. An existing policy of the machine is left as it is.
struct NoServiceStart {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoServiceStart {
    fn new() -> Self {
        let ours = !Path::new(POLICY).exists()
            && fs::write(POLICY, "#!/bin/sh\nexit 101\n").is_ok()
            && Command::new("chmod")
                .args(["755", POLICY])
                .status()
                .is_ok_and(|status| status.success());
        NoServiceStart { ours }
    }
}

impl Drop for NoServiceStart {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(POLICY).is_err() {
            eprintln!("please remove {POLICY}: services would not start after installing packages");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_the_server_asks_for_no_test_tool() {
        let packages: Vec<&str> = NEEDS
            .iter()
            .filter(|need| need.purpose == Purpose::Server)
            .map(|need| need.apt)
            .collect();
        assert_eq!(packages, ["build-essential", "cmake", "pkg-config"]);
    }

    #[test]
    fn every_need_says_why() {
        assert!(
            NEEDS
                .iter()
                .all(|need| !need.apt.is_empty() && need.why.len() > 10)
        );
    }
}
