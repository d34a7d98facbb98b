//! /etc/hosts (hosts(5)), for a libc that cannot be told to look there and then ask netcon (musl).
//!
//! Knows lines, and nothing of look-ups. See docs/internals/names.md.

use core::net::IpAddr;

use crate::abi;
use crate::cidr;
use crate::errno::Errno;
use crate::sys;

/// Longest line that is read, bytes; longer ones are left out.
const MAX_LINE: usize = 1024;

/// A line: an address and its names, the canonical one first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) ip: IpAddr,
    names: &'a [u8],
}

impl<'a> Entry<'a> {
    fn parse(line: &'a [u8]) -> Option<Entry<'a>> {
        let line = line.split(|&byte| byte == b'#').next()?.trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace)?;
        let (address, names) = line.split_at_checked(end)?;
        Some(Entry {
            ip: cidr::address(address)?,
            names,
        })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let words = self.names.split(u8::is_ascii_whitespace);
        words.filter(|word| !word.is_empty())
    }
}

/// Shows every line of the program's /etc/hosts.
pub(crate) fn each(visit: impl FnMut(&Entry<'_>)) {
    let Ok(fd) = sys::open(b"/etc/hosts\0", abi::O_CLOEXEC, 0) else {
        return;
    };
    each_of(|block| read(fd, block), visit);
    let _ = sys::close(fd);
}

fn read(fd: core::ffi::c_int, block: &mut [u8]) -> usize {
    loop {
        match sys::read(fd, block) {
            Err(Errno::EINTR) => {}
            read => return read.unwrap_or(0),
        }
    }
}

/// [`each`], of what `read` gives until it gives nothing.
fn each_of(mut read: impl FnMut(&mut [u8]) -> usize, mut visit: impl FnMut(&Entry<'_>)) {
    let mut block = [0; 1024];
    let mut line = [0; MAX_LINE];
    let mut len: usize = 0;
    let mut finish = |line: &[u8], len: usize| {
        if let Some(entry) = line.get(..len).and_then(Entry::parse) {
            visit(&entry);
        }
    };
    loop {
        let count = read(&mut block);
        if count == 0 {
            return finish(&line, len);
        }
        for &byte in block.get(..count).unwrap_or(&[]) {
            if byte == b'\n' {
                finish(&line, len);
                len = 0;
                continue;
            }
            if let Some(slot) = line.get_mut(len) {
                *slot = byte;
            }
            // Over the end: the line is not one that `finish` can take.
            len = len.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests;
