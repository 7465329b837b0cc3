//! Keeps the directions of dependencies of ARCHITECTURE.md true: inside the core, between crates, between packages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the modules of the core may use besides each other's foundations; a module that is not listed is a
/// foundation (time, ids, events ...), which may name the protocol's nouns but never whoever acts on them.
const CORE: &[(&str, &[&str])] = &[
    ("sip", &[]),
    ("session_description", &[]),
    ("media", &[]),
    ("xml", &[]),
    ("transaction", &["sip"]),
    ("endpoint", &["sip", "transaction", "dialog"]),
    ("dialog", &["sip", "transaction"]),
    (
        "call",
        &[
            "sip",
            "transaction",
            "endpoint",
            "dialog",
            "session_description",
            // The subscription that REFER implies (RFC 3515).
            "subscription",
        ],
    ),
    ("registration", &["sip", "transaction", "endpoint", "dialog"]),
    (
        "subscription",
        &["sip", "transaction", "endpoint", "dialog", "xml"],
    ),
    ("publication", &["sip", "transaction", "endpoint", "dialog"]),
    ("service", &["sip", "transaction", "endpoint", "dialog"]),
    ("cti", &["sip", "transaction", "endpoint", "dialog"]),
    (
        "user_agent",
        &[
            "sip",
            "transaction",
            "endpoint",
            "dialog",
            "session_description",
            "call",
            "registration",
            "subscription",
            "publication",
            "service",
            "cti",
        ],
    ),
    (
        "recording",
        &["sip", "session_description", "call", "subscription", "user_agent"],
    ),
];

/// The crates of this workspace a crate may depend on; those under `tests/` may use all.
const CRATES: &[(&str, &[&str])] = &[
    ("clearline-core", &[]),
    ("clearline-wasm", &["clearline-core"]),
    ("clearline-native", &["clearline-core"]),
    ("clearline-pbx", &["clearline-core", "clearline-native"]),
    ("clearline-focus", &["clearline-core"]),
    (
        "clearline-server",
        &[
            "clearline-core",
            "clearline-native",
            "clearline-focus",
            "clearline-pbx",
        ],
    ),
    ("xtask", &[]),
];

/// What the sources in a folder of `web/` must not mention.
const WEB: &[(&str, &[&str])] = &[
    (
        "web/packages/phone/src",
        &["@clearline/app", "../../../app/", "../../app/"],
    ),
    ("web/app/src", &["wasm-out", "clearline_wasm"]),
];

#[test]
fn modules_of_the_core_use_only_what_is_below_them() {
    let source = root().join("core").join("src");
    let mut wrong = Vec::new();
    for file in files(&source, "rs") {
        let module = module_of(&source, &file);
        let text = fs::read_to_string(&file).expect("a source file");
        wrong.extend(
            forbidden_in_core(&module, &text)
                .into_iter()
                .map(|used| format!("{} uses {used}", file.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn crates_depend_only_on_what_is_below_them() {
    let mut wrong = Vec::new();
    for manifest in manifests() {
        let text = fs::read_to_string(&manifest).expect("a manifest");
        let name = package_name(&text).expect("a package name");
        if manifest.starts_with(root().join("tests")) || manifest.starts_with(root().join("examples")) {
            continue;
        }
        let allowed = CRATES
            .iter()
            .find(|(krate, _)| *krate == name)
            .map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            panic!("say in dependency_arrows.rs what {name} may depend on")
        };
        let used = own_dependencies(&text);
        wrong.extend(
            used.iter()
                .filter(|used| !allowed.contains(&used.as_str()))
                .map(|used| format!("{name} -> {used}")),
        );
        if name.starts_with("clearline-server") || name == "clearline-pbx" {
            assert!(
                !uses_devices(&text),
                "{name} must use clearline-native without its feature `devices`"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn packages_of_the_web_use_only_what_is_below_them() {
    let mut wrong = Vec::new();
    for (folder, forbidden) in WEB {
        for file in files(
            &folder.split('/').fold(root(), |path, part| path.join(part)),
            "ts",
        ) {
            let text = fs::read_to_string(&file).expect("a source file");
            let imports = text
                .lines()
                .filter(|line| line.contains("from ") || line.contains("import"));
            let found = imports.filter(|line| forbidden.iter().any(|word| line.contains(word)));
            wrong.extend(found.map(|line| format!("{}: {}", file.display(), line.trim())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_check_sees_a_wrong_arrow_in_every_spelling() {
    for text in [
        "use crate::user_agent::UserAgent;",
        "use crate::{sip::Uri, user_agent::{self, UserAgent}};",
        "use crate::{\n    time::Instant,\n    user_agent,\n};",
        "fn f(agent: &crate::user_agent::UserAgent) {}",
    ] {
        assert_eq!(forbidden_in_core("dialog", text), ["user_agent"], "{text}");
    }
    assert!(
        forbidden_in_core(
            "dialog",
            "use crate::{sip::Uri, transaction::Key, time::Instant};"
        )
        .is_empty()
    );
    assert_eq!(forbidden_in_core("media", "use crate::sip::Uri;"), ["sip"]);
    assert_eq!(forbidden_in_core("time", "use crate::call::Call;"), ["call"]);
    assert!(forbidden_in_core("event", "use crate::sip::UriBuf;").is_empty());
    assert_eq!(
        own_dependencies("[dependencies]\nclearline-native = { path = \"x\" }\nserde = \"1\"\n"),
        ["clearline-native"]
    );
    assert!(own_dependencies("[dev-dependencies]\nclearline-native = { path = \"x\" }\n").is_empty());
    assert!(uses_devices(
        "[dependencies]\nclearline-native = { workspace = true, features = [\"devices\"] }\n"
    ));
}

/// The modules `text`, a part of `module`, uses although they are not below it. Comments do not count.
fn forbidden_in_core(module: &str, text: &str) -> Vec<String> {
    let code: Vec<&str> = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect();
    let code = code.join("\n");
    let allowed = CORE
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, allowed)| *allowed);
    // Foundations may name what travels through them, for instance a URI in an event.
    let allowed = allowed.unwrap_or(&["sip", "session_description"]);
    let listed = |used: &String| CORE.iter().any(|(name, _)| name == used);
    let used = code
        .split("crate::")
        .skip(1)
        .flat_map(first_names)
        .collect::<BTreeSet<String>>();
    used.into_iter()
        .filter(|used| listed(used) && used != module && !allowed.contains(&used.as_str()))
        .collect()
}

/// The names directly behind `crate::`: one, or those of a group in braces.
fn first_names(after: &str) -> Vec<String> {
    let Some(group) = after.strip_prefix('{') else {
        return vec![identifier(after)];
    };
    let mut depth = 0_i32;
    let mut names = vec![identifier(group.trim_start())];
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(identifier(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

fn module_of(source: &Path, file: &Path) -> String {
    let first = file
        .strip_prefix(source)
        .expect("below")
        .components()
        .next()
        .expect("a name");
    let name = Path::new(first.as_os_str())
        .file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    // The root of the crate names everything.
    if name == "lib" {
        "user_agent".to_owned()
    } else {
        name
    }
}

fn package_name(manifest: &str) -> Option<String> {
    let line = manifest.lines().find(|line| line.starts_with("name = "))?;
    Some(line.split('"').nth(1)?.to_owned())
}

fn own_dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let is_dependency = section.ends_with("dependencies]") && !section.contains("dev-dependencies");
        if is_dependency && line.starts_with("clearline-") {
            found.push(line.split([' ', '.', '=']).next().unwrap_or_default().to_owned());
        }
    }
    found
}

fn uses_devices(manifest: &str) -> bool {
    manifest
        .lines()
        .any(|line| line.starts_with("clearline-native") && line.contains("\"devices\""))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

fn manifests() -> Vec<PathBuf> {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace manifest");
    let list = text
        .split("members = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .expect("members");
    let members = list.split('"').skip(1).step_by(2);
    members
        .map(|member| {
            member
                .split('/')
                .fold(root(), |path, part| path.join(part))
                .join("Cargo.toml")
        })
        .collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path, extension)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|kind| kind == extension))
        .collect()
}
