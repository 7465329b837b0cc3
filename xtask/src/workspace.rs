//! Where things are: the tree, the user's cache, and the build results.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fail::Result;

/// Paths every command needs, found once.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// What outlives a clone: tools, generated speech, and in CI the build results.
    pub(crate) cache: PathBuf,
    /// Where cargo puts build results.
    pub(crate) target: PathBuf,
    /// Whether this is an unattended run in a fresh clone.
    pub(crate) ci: bool,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let manifest = manifest.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        let root = manifest
            .parent()
            .ok_or("xtask must be one folder below the workspace")?
            .to_owned();
        let ci = env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
        let cache = cache_folder()?;
        let target = target_folder(&root, &cache, ci);
        fs::create_dir_all(&cache).map_err(|e| {
            format!(
                "cannot create {}: {e}; set CLEARLINE_CACHE to a folder you own",
                cache.display()
            )
        })?;
        Ok(Workspace {
            root,
            cache,
            target,
            ci,
        })
    }

    /// `root` joined with a path written with forward slashes.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        relative
            .split('/')
            .fold(self.root.clone(), |path, part| path.join(part))
    }

    /// A `cargo` command that builds into [`Self::target`]; in CI the lock file is law.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .arg(subcommand)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        if self.ci {
            command.env("CARGO_INCREMENTAL", "0");
            if subcommand != "fmt" {
                command.arg("--locked");
            }
        }
        command
    }

    /// The path of a program cargo built, `profile` being `debug` or `release`.
    pub(crate) fn program(&self, profile: &str, name: &str) -> PathBuf {
        self.target
            .join(profile)
            .join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }

    /// The version of `package` in `Cargo.lock`.
    pub(crate) fn locked_version(&self, package: &str) -> Result<String> {
        let lock = fs::read_to_string(self.path("Cargo.lock"))
            .map_err(|e| format!("cannot read Cargo.lock ({e}): run `cargo generate-lockfile`"))?;
        version_in_lock(&lock, package).ok_or_else(|| {
            format!("Cargo.lock has no {package}: is the wasm crate a workspace member?").into()
        })
    }
}

/// Fresh clones share their build results, else each CI run would compile every dependency again; a person's own
/// checkout keeps cargo's default, where editors and `cargo` itself find them.
fn target_folder(root: &Path, cache: &Path, ci: bool) -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(chosen) if !chosen.is_empty() => root.join(chosen),
        _ if ci => cache.join("target"),
        _ => root.join("target"),
    }
}

fn cache_folder() -> Result<PathBuf> {
    let from = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(chosen) = from("CLEARLINE_CACHE") {
        return Ok(chosen);
    }
    let base = if cfg!(windows) {
        from("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        from("HOME").map(|home| home.join("Library").join("Caches"))
    } else {
        from("XDG_CACHE_HOME").or_else(|| from("HOME").map(|home| home.join(".cache")))
    };
    let base =
        base.ok_or("no home folder is set: set CLEARLINE_CACHE to a folder for tools and build results")?;
    Ok(base.join("clearline"))
}

fn version_in_lock(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_that_of_the_very_package() {
        let lock = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"9.9.9\"\n\n[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(version_in_lock(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in_lock(lock, "wasm"), None);
    }
}
