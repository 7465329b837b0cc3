//! A PulseAudio of one's own, with sinks that swallow what is played and let it be recorded.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Runs until it is dropped.
pub(crate) struct Pulse {
    server: Child,
    folder: PathBuf,
}

impl Pulse {
    /// Starts it with a null sink for each of `sinks`; `None` where PulseAudio is not installed.
    pub(crate) fn start(sinks: &[&str]) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("clearline-pulse-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the socket");
        let socket = folder.join("native");
        let mut command = Command::new("pulseaudio");
        command
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"])
            // Neither a session nor another sound system of this machine is to be touched.
            .env("HOME", &folder)
            .env("XDG_RUNTIME_DIR", &folder)
            .env("PULSE_RUNTIME_PATH", folder.join("runtime"))
            .env_remove("PULSE_SERVER")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.arg(format!(
            "--load=module-native-protocol-unix socket={} auth-anonymous=1",
            socket.display()
        ));
        for sink in sinks {
            command.arg(format!("--load=module-null-sink {}", arguments(sink)));
        }
        let server = command.spawn().ok()?;
        let pulse = Self { server, folder };
        let begun = Instant::now();
        while !socket.exists() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "PulseAudio does not start"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(pulse)
    }

    /// Takes a sink away, with its monitor.
    pub(crate) fn unplug(&self, sink: &str) {
        let modules = self.control(&["list", "short", "modules"]);
        let meant = modules
            .lines()
            .find(|line| line.contains(&format!("sink_name={sink} ")));
        let number = meant.and_then(|line| line.split_whitespace().next());
        self.control(&["unload-module", number.expect("the sink is there")]);
    }

    /// Adds one.
    pub(crate) fn plug(&self, sink: &str) {
        let arguments = arguments(sink);
        let words = ["load-module", "module-null-sink"];
        let words: Vec<_> = words.into_iter().chain(arguments.split(' ')).collect();
        self.control(&words);
    }

    fn control(&self, words: &[&str]) -> String {
        let output = Command::new("pactl")
            .args(words)
            .env("PULSE_SERVER", self.address())
            .output();
        let output = output.expect("pactl is installed");
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The value of `PULSE_SERVER` for whoever is to use it.
    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.folder.join("native").display())
    }
}

/// Without rewinds a sink is awake after 50 ms instead of two seconds.
fn arguments(sink: &str) -> String {
    format!("sink_name={sink} rate=48000 channels=1 channel_map=mono norewinds=1")
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
