//! `cargo xtask size`: what a browser downloads, raw and compressed, against the budget.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::build::{self, APP_DIST, WASM_OUT};
use crate::exec::ask;
use crate::fail::Result;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Brotli bytes of the core module and its bindings.
const CORE_BUDGET: u64 = 195_000;
/// Brotli bytes of everything between typing the address and being able to sign in and register.
const FIRST_LOAD_BUDGET: u64 = 272_000;

/// `cargo xtask size`.
pub(crate) fn command(workspace: &Workspace) -> Result<ExitCode> {
    let tally = suite(workspace)?;
    Ok(if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The suite `size`: two checks.
pub(crate) fn suite(workspace: &Workspace) -> Result<Tally> {
    build::app(workspace)?;
    let out = workspace.path(WASM_OUT);
    let core = [out.join("clearline_wasm_bg.wasm"), out.join("clearline_wasm.js")];
    let dist = workspace.path(APP_DIST);
    let first_load: Vec<PathBuf> = first_load(&dist)?.into_iter().collect();
    println!("{:>52} {:>9} {:>9} {:>9}", "file", "raw", "gzip", "brotli");
    let mut tally = group("core module and bindings", &core, CORE_BUDGET)?;
    tally += group("first load of the app", &first_load, FIRST_LOAD_BUDGET)?;
    Ok(tally)
}

fn group(name: &str, files: &[PathBuf], budget: u64) -> Result<Tally> {
    let mut total = Sizes::default();
    for (file, sizes) in files.iter().zip(measure(files)?) {
        let short = file.file_name().unwrap_or_default().to_string_lossy();
        println!(
            "{:>52} {:>9} {:>9} {:>9}",
            short, sizes.raw, sizes.gzip, sizes.brotli
        );
        total = Sizes {
            raw: total.raw + sizes.raw,
            gzip: total.gzip + sizes.gzip,
            brotli: total.brotli + sizes.brotli,
        };
    }
    let holds = total.brotli <= budget;
    let verdict = if holds { "within" } else { "OVER" };
    println!(
        "{name:>52} {:>9} {:>9} {:>9}  {verdict} the budget of {budget}",
        total.raw, total.gzip, total.brotli
    );
    Ok(Tally::check(holds))
}

#[derive(Clone, Copy, Default)]
struct Sizes {
    raw: u64,
    gzip: u64,
    brotli: u64,
}

/// Node.js brings both compressors, at the levels a web server uses for files compressed ahead of time.
const MEASURE: &str = "const z=require('zlib'),fs=require('fs');for(const f of process.argv.slice(1)){\
    const b=fs.readFileSync(f);console.log(b.length,z.gzipSync(b,{level:9}).length,z.brotliCompressSync(b).length)}";

fn measure(files: &[PathBuf]) -> Result<Vec<Sizes>> {
    let text = ask(Command::new("node").args(["-e", MEASURE, "--"]).args(files));
    let text =
        text.ok_or_else(|| format!("cannot measure {files:?}: is Node.js installed and the app built?"))?;
    let sizes: Option<Vec<Sizes>> = text.lines().map(parse_sizes).collect();
    sizes
        .filter(|sizes| sizes.len() == files.len())
        .ok_or_else(|| "Node.js printed no sizes".into())
}

fn parse_sizes(line: &str) -> Option<Sizes> {
    let mut numbers = line.split(' ').map(|word| word.parse().ok());
    Some(Sizes {
        raw: numbers.next()??,
        gzip: numbers.next()??,
        brotli: numbers.next()??,
    })
}

/// The page, what it names, what those scripts import at once, the worker and the module; not what is only loaded
/// later (`import()`).
fn first_load(dist: &Path) -> Result<BTreeSet<PathBuf>> {
    let files = all_files(dist);
    let page = dist.join("index.html");
    if !files.contains(&page) {
        return Err(format!(
            "{} has no index.html: the app's build must put it there",
            dist.display()
        )
        .into());
    }
    let mut loaded = BTreeSet::new();
    let mut open = vec![page];
    while let Some(file) = open.pop() {
        if !loaded.insert(file.clone()) {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap_or_default()).into_owned();
        let is_page = file.extension().is_some_and(|kind| kind == "html");
        open.extend(
            files
                .iter()
                .filter(|other| loads(&text, is_page, &name_of(other)))
                .cloned(),
        );
    }
    Ok(loaded)
}

/// Whether a page or script loads the file of that name before anyone signs in.
fn loads(text: &str, is_page: bool, name: &str) -> bool {
    let anywhere =
        is_page || name.ends_with(".wasm") || (name.contains("worker") && !name.contains("service"));
    if name.ends_with(".map") || name.ends_with(".html") {
        return false;
    }
    // One language is loaded before the first word can be shown: English stands for it.
    if name.starts_with("en-") {
        return text.contains(&format!("./{name}"));
    }
    if anywhere {
        let quoted = |end: &str| text.contains(&format!("/{name}{end}"));
        return ["\"", "'", "`", "?"].iter().any(|end| quoted(end));
    }
    [
        "from\"./",
        "from \"./",
        "from'./",
        "import\"./",
        "import \"./",
        "import'./",
    ]
    .iter()
    .any(|before| text.contains(&format!("{before}{name}")))
}

fn name_of(file: &Path) -> String {
    file.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn all_files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                all_files(&path)
            } else {
                BTreeSet::from([path])
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_count_and_later_imports_do_not() {
        let script = r#"import{a}from"./base-1.js";const b=()=>import("./settings-2.js");"#;
        assert!(loads(script, false, "base-1.js"));
        assert!(!loads(script, false, "settings-2.js"));
    }

    #[test]
    fn the_worker_and_the_module_count_wherever_they_are_named() {
        let script =
            r#"new SharedWorker("/phone-worker.js",{type:"module"});new URL("/assets/core-3.wasm","x")"#;
        assert!(loads(script, false, "phone-worker.js"));
        assert!(loads(script, false, "core-3.wasm"));
        assert!(!loads(script, false, "service-worker.js"));
    }

    #[test]
    fn all_that_the_page_names_counts() {
        let page = r#"<link rel="stylesheet" href="/assets/app-4.css"><script src="/assets/app-5.js">"#;
        assert!(loads(page, true, "app-4.css") && loads(page, true, "app-5.js"));
        assert!(!loads(page, true, "other-6.js"));
    }

    #[test]
    fn sizes_are_read_as_node_prints_them() {
        let sizes = parse_sizes("300 200 100").expect("three numbers");
        assert_eq!((sizes.raw, sizes.gzip, sizes.brotli), (300, 200, 100));
        assert!(parse_sizes("300 200").is_none());
    }
}
