//! Reads the import section of a WebAssembly module (core specification 5.5.5): enough to prove what it needs.

use std::fs;

use crate::build;
use crate::exec::run_watched;
use crate::fail::Result;
use crate::setup;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The suite `module`: nothing may be imported from `env`, where C libraries and forgotten clocks look for an
/// operating system.
pub(crate) fn check(workspace: &Workspace) -> Result<Tally> {
    let path = build::raw_module(workspace)?;
    let bytes = fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let imports = imports(&bytes).ok_or("the module cannot be read: its import section is damaged")?;
    let foreign: Vec<&Import> = imports.iter().filter(|import| import.module == "env").collect();
    for import in &foreign {
        println!(
            "    imports env.{}: no dependency of the core may need an operating system",
            import.name
        );
    }
    println!("    {} imports, {} from `env`", imports.len(), foreign.len());
    Ok(Tally::check(foreign.is_empty()))
}

/// The suite `wasm`: the core's own tests, compiled to wasm32 and run in Node.js.
pub(crate) fn core_tests(workspace: &Workspace) -> Result<Tally> {
    setup::wasm_target()?;
    let runner = setup::Bindings::install(workspace)?.test_runner();
    let mut command = workspace.cargo("test");
    command.args([
        "-p",
        "clearline-core",
        "--target",
        setup::WASM_TARGET,
        "--lib",
        "--tests",
    ]);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner);
    let mut tally = Tally::default();
    let status = run_watched(&mut command, |line| tally.read(line))?;
    Ok(tally.finished(status.success()))
}

#[derive(Debug, PartialEq, Eq)]
struct Import {
    module: String,
    name: String,
}

const IMPORT_SECTION: u8 = 2;

/// `None` if the bytes are no well-formed module up to its import section; no import section means no imports.
fn imports(module: &[u8]) -> Option<Vec<Import>> {
    let mut reader = Reader(module.strip_prefix(b"\0asm\x01\0\0\0")?);
    while !reader.0.is_empty() {
        let id = reader.byte()?;
        let length = reader.number()?;
        let body = reader.bytes(length)?;
        if id == IMPORT_SECTION {
            return Reader(body).imports();
        }
    }
    Some(Vec::new())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn imports(&mut self) -> Option<Vec<Import>> {
        let count = self.number()?;
        (0..count).map(|_| self.import()).collect()
    }

    fn import(&mut self) -> Option<Import> {
        let import = Import {
            module: self.name()?,
            name: self.name()?,
        };
        match self.byte()? {
            0 => self.number().map(drop)?,
            1 => {
                self.byte()?;
                self.limits()?;
            }
            2 => self.limits()?,
            3 => self.bytes(2).map(drop)?,
            4 => {
                self.byte()?;
                self.number()?;
            }
            _ => return None,
        }
        Some(import)
    }

    fn limits(&mut self) -> Option<()> {
        let has_maximum = self.byte()? & 1 == 1;
        self.number()?;
        if has_maximum {
            self.number()?;
        }
        Some(())
    }

    fn name(&mut self) -> Option<String> {
        let length = self.number()?;
        String::from_utf8(self.bytes(length)?.to_vec()).ok()
    }

    /// An unsigned LEB128 number of at most 32 bits.
    fn number(&mut self) -> Option<usize> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).ok();
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A type section, then imports `env.now` (function), `wbg.memory` (memory 1..2).
    const MODULE: &[u8] =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x1a\x02\x03env\x03now\0\0\x03wbg\x06memory\x02\x01\x01\x02";

    #[test]
    fn imports_are_listed_with_their_module() {
        let found = imports(MODULE).expect("a module");
        let names: Vec<String> = found
            .iter()
            .map(|import| format!("{}.{}", import.module, import.name))
            .collect();
        assert_eq!(names, ["env.now", "wbg.memory"]);
    }

    #[test]
    fn a_module_cut_anywhere_is_damaged_or_empty_but_never_a_panic() {
        for length in 0..MODULE.len() {
            let found = imports(&MODULE[..length]);
            assert!(found.is_none_or(|imports| imports.is_empty()), "{length} bytes");
        }
    }
}
