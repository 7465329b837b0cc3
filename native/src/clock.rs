//! The clock the core is told the time by.

use clearline_core::Instant;

/// A monotonic clock that keeps running while the machine sleeps, so that what expired in the meantime is known to have.
///
/// On Linux this is `CLOCK_BOOTTIME`. Elsewhere it is the standard library's monotonic clock, which on some systems stands
/// still during sleep; what expired meanwhile is then noticed by its failing.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    #[cfg(not(target_os = "linux"))]
    origin: std::time::Instant,
}

impl Clock {
    /// The clock of this process.
    pub fn new() -> Self {
        Self {
            #[cfg(not(target_os = "linux"))]
            origin: std::time::Instant::now(),
        }
    }

    /// The present moment.
    #[cfg(target_os = "linux")]
    pub fn now(&self) -> Instant {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let micros = u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000;
        Instant::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros))
    }

    /// The present moment.
    #[cfg(not(target_os = "linux"))]
    pub fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_forward() {
        let clock = Clock::new();
        let before = clock.now();
        while clock.now() == before {}
        assert!(clock.now() > before);
    }
}
