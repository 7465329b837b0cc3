//! Time for those who ask the operating system for it.
//!
//! The `neteq` crate reads the monotonic clock by itself. Under a clock of ours it can be replayed, faster than in real time and the
//! same on each run: the linker takes this `clock_gettime` for the one of the C library.

use std::sync::atomic::{AtomicU64, Ordering};

use clearline_core::Instant;

static MICROS: AtomicU64 = AtomicU64::new(0);

/// What the monotonic clock shows from now on.
pub(crate) fn set(now: Instant) {
    MICROS.store(now.as_micros(), Ordering::Relaxed);
}

#[cfg(target_os = "linux")]
mod interposed {
    use std::ffi::{c_int, c_long};
    use std::sync::atomic::Ordering;

    use rustix::time::{ClockId, clock_gettime as system_time};

    const CLOCK_MONOTONIC: c_int = 1;

    #[repr(C)]
    struct Timespec {
        seconds: c_long,
        nanoseconds: c_long,
    }

    /// Virtual for the monotonic clock, the system's for the wall clock (which nothing measured here asks for).
    #[unsafe(no_mangle)]
    extern "C" fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int {
        let (seconds, nanoseconds) = if clock == CLOCK_MONOTONIC {
            let micros = super::MICROS.load(Ordering::Relaxed);
            (micros / 1_000_000, micros % 1_000_000 * 1_000)
        } else {
            let time = system_time(ClockId::Realtime);
            (time.tv_sec as u64, time.tv_nsec as u64)
        };
        // SAFETY: as with the C library's, the caller gives a place for the result.
        unsafe {
            time.write(Timespec {
                seconds: seconds as c_long,
                nanoseconds: nanoseconds as c_long,
            })
        };
        0
    }
}
