//! Installs what the commands need besides system packages: Rust's wasm target, the bindings generator, npm packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exec::{ask, npm, on_path, run, step};
use crate::fail::Result;
use crate::needs::{self, Purpose};
use crate::workspace::Workspace;

/// The target of the module a browser runs.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Everything any command needs.
pub(crate) fn everything(workspace: &Workspace) -> Result<()> {
    needs::satisfy(&[
        Purpose::Server,
        Purpose::Devices,
        Purpose::Sound,
        Purpose::Browser,
    ])?;
    if needs::has_apt() {
        needs::satisfy(&[Purpose::Interop])?;
    }
    wasm_target()?;
    component("clippy")?;
    component("rustfmt")?;
    Bindings::install(workspace)?;
    npm_packages(&workspace.path("web"))?;
    npm_packages(&workspace.path("tests/e2e"))?;
    println!("everything is installed; next: `cargo xtask run` or `cargo xtask test`");
    Ok(())
}

/// Rust's standard library for wasm32.
pub(crate) fn wasm_target() -> Result<()> {
    if has_wasm_target() {
        return Ok(());
    }
    if on_path("rustup").is_none() {
        return Err(WASM_WITHOUT_RUSTUP.into());
    }
    step("rustup target add wasm32-unknown-unknown", || {
        run(
            Command::new("rustup").args(["target", "add", WASM_TARGET]),
            "the target could not be installed; check the network",
        )
    })?;
    if has_wasm_target() {
        Ok(())
    } else {
        Err(WASM_WITHOUT_RUSTUP.into())
    }
}

const WASM_WITHOUT_RUSTUP: &str = "this Rust cannot build for wasm32-unknown-unknown. With rustup: \
     `rustup target add wasm32-unknown-unknown`. With a distribution's Rust of at least 1.95: its package of that \
     target (Debian: rustc-web or libstd-rust-dev-wasm32). Then try again";

fn has_wasm_target() -> bool {
    let sysroot = ask(Command::new("rustc").args(["--print", "sysroot"])).map(PathBuf::from);
    sysroot.is_some_and(|root| {
        root.join("lib")
            .join("rustlib")
            .join(WASM_TARGET)
            .join("lib")
            .is_dir()
    })
}

/// A part of the toolchain that rustup's minimal profile leaves out.
pub(crate) fn component(name: &str) -> Result<()> {
    let subcommand = if name == "rustfmt" { "fmt" } else { name };
    if ask(Command::new("cargo").args([subcommand, "--version"])).is_some() {
        return Ok(());
    }
    step(&format!("rustup component add {name}"), || {
        run(
            Command::new("rustup").args(["component", "add", name]),
            "the component could not be installed; check the network",
        )
    })
}

/// The bindings generator; it must have the very version of the `wasm-bindgen` crate.
pub(crate) struct Bindings {
    folder: PathBuf,
}

impl Bindings {
    /// Finds or compiles the pinned version.
    pub(crate) fn install(workspace: &Workspace) -> Result<Self> {
        let version = workspace.locked_version("wasm-bindgen")?;
        let root = workspace
            .cache
            .join("tools")
            .join(format!("wasm-bindgen-{version}"));
        let bindings = Bindings {
            folder: root.join("bin"),
        };
        let wanted = format!("wasm-bindgen {version}");
        let installed = || ask(Command::new(bindings.generator()).arg("--version"));
        if installed().as_deref() == Some(wanted.as_str()) && bindings.test_runner().is_file() {
            return Ok(bindings);
        }
        step(
            &format!("wasm-bindgen-cli {version} (compiled once, some minutes)"),
            || {
                let mut install = Command::new("cargo");
                install
                    .args([
                        "install",
                        "wasm-bindgen-cli",
                        "--quiet",
                        "--force",
                        "--version",
                        &version,
                        "--root",
                    ])
                    .arg(&root);
                // Not --locked: its published lock file names versions that a registry mirror may lack.
                install.env("CARGO_TARGET_DIR", workspace.cache.join("tools").join("build"));
                run(
                    &mut install,
                    "the bindings generator could not be built; check the network and try again",
                )
            },
        )?;
        // Some hundred megabytes that nothing reads again; a leftover does no harm.
        let _ = fs::remove_dir_all(workspace.cache.join("tools").join("build"));
        Ok(bindings)
    }

    /// Makes JavaScript bindings for a module.
    pub(crate) fn generator(&self) -> PathBuf {
        self.program("wasm-bindgen")
    }

    /// Runs wasm tests in Node.js; cargo calls it.
    pub(crate) fn test_runner(&self) -> PathBuf {
        self.program("wasm-bindgen-test-runner")
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }
}

/// The locked npm packages of `folder`; at once if they are those of the lock file already.
pub(crate) fn npm_packages(folder: &Path) -> Result<()> {
    node()?;
    let shown = folder.display();
    let lock = fs::read(folder.join("package-lock.json"))
        .map_err(|e| format!("{shown} has no package-lock.json ({e}): is this checkout complete?"))?;
    let stamp = folder.join("node_modules").join(".clearline-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    step(&format!("npm ci ({name})"), || {
        let mut command = npm(folder);
        command.args([
            "ci",
            "--prefer-offline",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]);
        run(
            &mut command,
            "the npm packages could not be installed; check the network and try again",
        )
    })?;
    fs::write(&stamp, lock).map_err(|e| format!("cannot write {}: {e}", stamp.display()).into())
}

fn node() -> Result<()> {
    let version = ask(Command::new("node").arg("--version"));
    match version.as_deref().and_then(major_version) {
        Some(20..) => Ok(()),
        Some(old) => {
            Err(format!("Node.js {old} is too old: install Node.js 20 or newer and try again").into())
        }
        None => Err("Node.js was not found: install Node.js 20 or newer and try again".into()),
    }
}

fn major_version(text: &str) -> Option<u32> {
    text.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_read() {
        assert_eq!(major_version("v20.20.2"), Some(20));
        assert_eq!(major_version("v9.1.0"), Some(9));
        assert_eq!(major_version("node"), None);
    }
}
