//! The process's heap.

/// Gives what is free in it back to the kernel, malloc_trim(3). Only the GNU C library has it; others keep less.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) takes a number, may be called at any time (MT-Safe), and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(all(test, target_env = "gnu"))]
mod tests;
