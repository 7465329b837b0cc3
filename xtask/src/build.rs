//! Builds the module, the app, the server and the terminal program, and starts the server.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::exec::{npm, run as execute, step};
use crate::fail::Result;
use crate::needs::{self, Purpose};
use crate::setup::{self, Bindings, WASM_TARGET};
use crate::workspace::Workspace;

/// Where the phone package expects the module and its bindings.
pub(crate) const WASM_OUT: &str = "web/packages/phone/wasm-out";
/// Where the app's build puts what the server serves.
pub(crate) const APP_DIST: &str = "web/app/dist";

/// What Rust emits for wasm32 today, said to wasm-opt so that it neither refuses nor adds anything newer.
const WASM_FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// What is downloaded counts, compressed, and that is another aim than the shortest module. One body in another or one
/// value computed once make the code shorter but each place of it unlike the others: inlining what has one caller costs
/// 17 kB of 215, common subexpressions 1 kB. Cutting the data at its zeros costs half a kilobyte more than the zeros do.
/// By name the instances of one generic function stand side by side, which saves more than a kilobyte.
const WASM_OPTIMISATION: &[&str] = &[
    "-Oz",
    "--one-caller-inline-max-function-size=10",
    "--skip-pass=local-cse",
    "--skip-pass=memory-packing",
    "--reorder-functions-by-name",
];

/// How the server is compiled. `Quick` is the default: every dependency is optimised (`profile.dev.package`), so
/// media runs in real time, and a first build takes minutes less than an optimised one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Quick,
    Release,
}

impl Mode {
    fn folder(self) -> &'static str {
        match self {
            Mode::Quick => "debug",
            Mode::Release => "release",
        }
    }
}

/// `cargo xtask run`.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let mode = if arguments.iter().any(|word| word == "--release") {
        Mode::Release
    } else {
        Mode::Quick
    };
    needs::satisfy(&[Purpose::Server])?;
    app(workspace)?;
    let program = server(workspace, mode)?;
    let mut command = Command::new(program);
    if std::env::var_os("CLEARLINE_WEB_DIR").is_none() {
        command.env("CLEARLINE_WEB_DIR", workspace.path(APP_DIST));
    }
    command.args(arguments.iter().filter(|word| *word != "--release"));
    become_program(command)
}

/// `cargo xtask build`.
pub(crate) fn everything(workspace: &Workspace) -> Result<()> {
    needs::satisfy(&[Purpose::Server, Purpose::Devices])?;
    app(workspace)?;
    server(workspace, Mode::Quick)?;
    terminal_program(workspace)?;
    Ok(())
}

/// `cargo xtask wasm`.
pub(crate) fn wasm_only(workspace: &Workspace) -> Result<()> {
    setup::npm_packages(&workspace.path("web"))?;
    wasm(workspace)?;
    println!("the module and its bindings are in {WASM_OUT}");
    Ok(())
}

/// The app with the module inside, in [`APP_DIST`].
pub(crate) fn app(workspace: &Workspace) -> Result<()> {
    let web = workspace.path("web");
    setup::npm_packages(&web)?;
    wasm(workspace)?;
    let stamp = workspace.path(APP_DIST).join(".built");
    if modified(&stamp).is_some_and(|built| newest_source(&web) < Some(built)) {
        return Ok(());
    }
    step("web app", || {
        execute(
            npm(&web).args(["run", "build"]),
            "the app does not build; read the message above",
        )
    })?;
    fs::write(&stamp, "").map_err(|e| format!("the app's build left no {APP_DIST} ({e})").into())
}

/// The server program.
pub(crate) fn server(workspace: &Workspace, mode: Mode) -> Result<PathBuf> {
    rust_program(workspace, mode, "clearline-server", "clearline-server")
}

/// The terminal program `clearline`.
pub(crate) fn terminal_program(workspace: &Workspace) -> Result<PathBuf> {
    rust_program(workspace, Mode::Quick, "clearline-native", "clearline")
}

/// A program of `tests/quality`.
pub(crate) fn quality_program(workspace: &Workspace, program: &str) -> Result<PathBuf> {
    rust_program(workspace, Mode::Quick, "clearline-quality", program)
}

fn rust_program(workspace: &Workspace, mode: Mode, package: &str, program: &str) -> Result<PathBuf> {
    step(program, || {
        let mut command = workspace.cargo("build");
        command.args(["-p", package, "--bin", program]);
        if mode == Mode::Release {
            command.arg("--release");
        }
        execute(&mut command, "it does not compile; read the message above")
    })?;
    Ok(workspace.program(mode.folder(), program))
}

/// The compiled module as cargo leaves it, before bindings.
pub(crate) fn raw_module(workspace: &Workspace) -> Result<PathBuf> {
    setup::wasm_target()?;
    let mut command = workspace.cargo("build");
    command.args([
        "-p",
        "clearline-wasm",
        "--target",
        WASM_TARGET,
        "--profile",
        "wasm",
    ]);
    execute(
        &mut command,
        "the wasm crate does not compile; read the message above",
    )?;
    Ok(workspace
        .target
        .join(WASM_TARGET)
        .join("wasm")
        .join("clearline_wasm.wasm"))
}

/// The module and its bindings in [`WASM_OUT`]; npm packages of `web` must be there.
fn wasm(workspace: &Workspace) -> Result<()> {
    let bindings = Bindings::install(workspace)?;
    step("WebAssembly module", || {
        let raw = raw_module(workspace)?;
        let out = workspace.path(WASM_OUT);
        let stamp = out.join(".built-from");
        let fingerprint = fingerprint(&raw, &workspace.locked_version("wasm-bindgen")?)?;
        if fs::read_to_string(&stamp).is_ok_and(|built_from| built_from == fingerprint) {
            return Ok(());
        }
        // A stamp must never outlive the files it speaks of.
        let _ = fs::remove_file(&stamp);
        let mut generate = Command::new(bindings.generator());
        generate
            .args(["--target", "web", "--out-dir"])
            .arg(&out)
            .arg(&raw);
        execute(&mut generate, "the bindings could not be made")?;
        optimise(workspace, &out.join("clearline_wasm_bg.wasm"))?;
        fs::write(&stamp, fingerprint).map_err(|e| format!("cannot write {}: {e}", stamp.display()).into())
    })
}

fn optimise(workspace: &Workspace, module: &Path) -> Result<()> {
    let tool = workspace.path("web/node_modules/binaryen/bin/wasm-opt");
    if !tool.is_file() {
        return Err("wasm-opt is not in web/node_modules: web/package.json must name `binaryen`".into());
    }
    let small = module.with_extension("small");
    let mut command = Command::new("node");
    command
        .arg(tool)
        .args(WASM_OPTIMISATION)
        .args(WASM_FEATURES)
        .arg(module)
        .arg("-o")
        .arg(&small);
    execute(&mut command, "wasm-opt refused the module")?;
    fs::rename(&small, module).map_err(|e| format!("cannot replace {}: {e}", module.display()).into())
}

fn fingerprint(module: &Path, bindings: &str) -> Result<String> {
    let bytes = fs::read(module).map_err(|e| format!("cannot read {}: {e}", module.display()))?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(format!(
        "{:016x} {bindings} {} {}",
        hasher.finish(),
        WASM_OPTIMISATION.join(" "),
        WASM_FEATURES.join(" ")
    ))
}

/// The time of the last change below `folder`, but for what is installed or built.
fn newest_source(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?;
    let kept = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| !is_product(path));
    let times = kept.map(|path| {
        if path.is_dir() {
            newest_source(&path)
        } else {
            modified(&path)
        }
    });
    times.chain([modified(folder)]).max().flatten()
}

fn is_product(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name == "node_modules" || name == "dist" || name == ".built-from")
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// Gives the terminal to the server, so that Ctrl-C reaches it and this program does not outlive it.
#[cfg(unix)]
fn become_program(mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    Err(format!("{} could not be started: {error}", crate::exec::shown(&command)).into())
}

#[cfg(not(unix))]
fn become_program(mut command: Command) -> Result<()> {
    execute(
        &mut command,
        "the server ended with an error; read its message above",
    )
}
