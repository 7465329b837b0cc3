//! A global allocator that counts: what a piece of code allocates, and what it keeps.
//!
//! ```
//! use clearline_counting::{Counting, count};
//!
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting;
//!
//! let (text, cost) = count(|| String::from("kept"));
//! assert_eq!((cost.allocations, cost.kept_bytes), (1, 4));
//! # drop(text);
//! ```
//!
//! The counters belong to the thread that allocates, so that tests running beside each other do not count each other's
//! allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The allocator; a program that counts makes it its global one.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

/// What some code did to the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Blocks asked for; one that grew or shrank counts again.
    pub allocations: u64,
    /// Bytes that were allocated and are still. Negative if more was given back than taken.
    pub kept_bytes: i64,
}

thread_local! {
    static COST: Cell<Cost> = const { Cell::new(Cost { allocations: 0, kept_bytes: 0 }) };
}

/// What this thread has done to the heap so far; zero for ever unless [`Counting`] is the global allocator.
pub fn so_far() -> Cost {
    COST.get()
}

/// Runs `work` and tells what it did to the heap, its result included.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let before = so_far();
    let result = work();
    let after = so_far();
    let cost = Cost {
        allocations: after.allocations - before.allocations,
        kept_bytes: after.kept_bytes - before.kept_bytes,
    };
    (result, cost)
}

fn add(allocations: u64, bytes: i64) {
    // A thread that is ending has no counter any more.
    let _ = COST.try_with(|cost| {
        let before = cost.get();
        cost.set(Cost {
            allocations: before.allocations + allocations,
            kept_bytes: before.kept_bytes + bytes,
        });
    });
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[expect(
    unsafe_code,
    reason = "the trait is unsafe; each call is passed on to the system's allocator as it came"
)]
// SAFETY: see the reason.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(1, signed(layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        add(0, -signed(layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(1, signed(size) - signed(layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(block, layout, size) }
    }
}
