//! CLOCK_MONOTONIC, clock_gettime(2).

/// Microseconds since an arbitrary start; never goes back.
pub fn monotonic_micros() -> i64 {
    let mut ts = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: clock_gettime(2) writes one timespec to the pointer, which is valid and exclusive.
    // CLOCK_MONOTONIC cannot fail on Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut ts) };
    ts.tv_sec * 1_000_000 + ts.tv_nsec / 1_000
}
