//! `SO_LINGER` {1, 0} on an end of a direct connection: the kernel's close(2) of a unix socket knows of no reset, so
//! the service has to make one just before.

use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, Ordering};

use netcon_wire::{LEVEL_NETCON, NETCON_RESET};

use super::tell;
use crate::abi;
use crate::{identity, sys};

/// Such an option was set in this process: until then close(2) costs nothing more.
static SET: AtomicBool = AtomicBool::new(false);

const RESETS: [u8; 8] = {
    let [a, b, c, d] = 1_i32.to_ne_bytes();
    [a, b, c, d, 0, 0, 0, 0]
};

/// `SO_LINGER` is being set on a direct connection.
pub(crate) fn noted(value: &[u8]) {
    if value.starts_with(&RESETS) {
        SET.store(true, Ordering::Relaxed);
    }
}

/// The program is about to close that descriptor.
pub(crate) fn before_close(fd: c_int) {
    if !SET.load(Ordering::Relaxed) {
        return;
    }
    let direct = identity::socket(fd).is_ok_and(|socket| socket.direct.is_some());
    let linger = sys::getsockopt::<[u8; 8]>(fd, abi::SOL_SOCKET, abi::SO_LINGER);
    if direct && linger == Ok(RESETS) {
        // Without a service, or without its right to do so, it is an end of file.
        let _ = tell(fd, LEVEL_NETCON, NETCON_RESET, &[], true);
    }
}
