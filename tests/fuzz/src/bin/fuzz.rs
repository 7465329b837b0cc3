//! The fuzzer: libFuzzer around the target that `CLEARLINE_FUZZ_TARGET` names. Started by `cargo xtask fuzz`.
#![no_main]

use std::sync::LazyLock;

use clearline_counting::Counting;
use clearline_fuzz::Target;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("CLEARLINE_FUZZ_TARGET").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| panic!("CLEARLINE_FUZZ_TARGET names no target: {name:?}"))
});

fuzz_target!(|data: &[u8]| TARGET.run(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match TARGET.mutate(&data[..size], max_size, seed) {
        Some(mutated) => {
            data[..mutated.len()].copy_from_slice(&mutated);
            mutated.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
});
