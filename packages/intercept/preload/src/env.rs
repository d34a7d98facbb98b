//! What the environment asks for, read once.
//!
//! The values are copied: a program may overwrite its environment (setproctitle), and exec keeps
//! the library in a cleaned one ([`crate::ops::exec`]).

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char};
use core::net::IpAddr;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::cidr::Cidr;
use crate::sys;

/// The variables of netcon and the one that loads it, in the order of [`Config::kept`].
pub(crate) const NAMES: [&[u8]; 5] = [
    b"LD_PRELOAD=",
    b"NETCON_SOCKET=",
    b"NETCON_TRACE=",
    b"NETCON_BYPASS=",
    b"NETCON_STRICT=",
];
const SOCKET: usize = 1;
const TRACE: usize = 2;
const BYPASS: usize = 3;
const STRICT: usize = 4;

/// Longest `NAME=value` that is kept; longer ones count as unset.
const MAX_VARIABLE: usize = 1024;
const MAX_BLOCKS: usize = 16;

/// One variable, `NAME=value` and a NUL.
#[derive(Clone, Copy)]
pub(crate) struct Variable {
    bytes: [u8; MAX_VARIABLE],
    len: usize,
}

impl Variable {
    const UNSET: Variable = Variable {
        bytes: [0; MAX_VARIABLE],
        len: 0,
    };

    fn store(&mut self, entry: &[u8]) {
        // One byte is left for the NUL.
        if entry.len() >= MAX_VARIABLE {
            return;
        }
        for (to, from) in self.bytes.iter_mut().zip(entry) {
            *to = *from;
        }
        self.len = entry.len();
    }

    /// `NAME=value` with its NUL; `None` if unset.
    pub(crate) fn entry(&self) -> Option<&[u8]> {
        (self.len > 0).then(|| self.bytes.get(..=self.len))?
    }

    /// The value with its NUL; `None` if unset or empty.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        let entry = self.entry()?;
        let start = entry
            .iter()
            .position(|&byte| byte == b'=')?
            .checked_add(1)?;
        entry.get(start..).filter(|value| value.len() > 1)
    }
}

/// What `NETCON_BYPASS` lets go to the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bypass {
    /// `all`
    pub(crate) all: bool,
    blocks: [Option<Cidr>; MAX_BLOCKS],
}

impl Bypass {
    const NONE: Bypass = Bypass {
        all: false,
        blocks: [None; MAX_BLOCKS],
    };

    /// Reads `all` or a comma-separated list of blocks. What can't be read opens nothing.
    fn parse(text: &[u8]) -> Bypass {
        let mut bypass = Bypass::NONE;
        let mut slots = bypass.blocks.iter_mut();
        for word in text.split(|&byte| byte == b',') {
            if word == b"all" {
                bypass.all = true;
            } else if let Some(block) = Cidr::parse(word)
                && let Some(slot) = slots.next()
            {
                *slot = Some(block);
            }
        }
        bypass
    }

    /// Whether any hole is open.
    pub(crate) fn is_open(&self) -> bool {
        self.all || self.blocks.iter().any(Option::is_some)
    }

    /// Whether some networks are the kernel's and others are not.
    pub(crate) fn has_blocks(&self) -> bool {
        !self.all && self.blocks.iter().any(Option::is_some)
    }

    /// Whether a call to that address goes to the kernel.
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        self.all || self.blocks.iter().flatten().any(|block| block.contains(ip))
    }
}

/// The settings of the process.
pub(crate) struct Config {
    /// `LD_PRELOAD` and netcon's variables, to keep across exec.
    pub(crate) kept: [Variable; NAMES.len()],
    /// Holes opened on purpose.
    pub(crate) bypass: Bypass,
}

impl Config {
    const EMPTY: Config = Config {
        kept: [Variable::UNSET; NAMES.len()],
        bypass: Bypass::NONE,
    };

    fn variable(&self, index: usize) -> Option<&[u8]> {
        self.kept.get(index)?.value()
    }

    /// `NETCON_SOCKET`, with its NUL.
    pub(crate) fn socket(&self) -> Option<&[u8]> {
        self.variable(SOCKET)
    }

    /// `NETCON_TRACE`, with its NUL.
    pub(crate) fn trace(&self) -> Option<&[u8]> {
        self.variable(TRACE)
    }

    /// `NETCON_STRICT`: what cannot be followed is not executed.
    pub(crate) fn is_strict(&self) -> bool {
        self.variable(STRICT).is_some()
    }

    fn read<'a>(&mut self, entries: impl Iterator<Item = &'a [u8]>) {
        for entry in entries {
            let named = NAMES.iter().zip(&mut self.kept);
            for (name, variable) in named {
                if entry.starts_with(name) {
                    variable.store(entry);
                }
            }
        }
        let value = self.kept.get(BYPASS).and_then(Variable::value);
        let text = value.and_then(|value| value.split_last());
        self.bypass = text.map_or(Bypass::NONE, |(_, text)| Bypass::parse(text));
    }
}

struct Shared(UnsafeCell<Config>);
// SAFETY: written only between READING and READY by the thread that set READING, read only after.
unsafe impl Sync for Shared {}

static CONFIG: Shared = Shared(UnsafeCell::new(Config::EMPTY));
static STATE: AtomicU32 = AtomicU32::new(UNREAD);
const UNREAD: u32 = 0;
const READING: u32 = 1;
const READY: u32 = 2;

/// The settings; the first call reads the environment.
pub(crate) fn config() -> &'static Config {
    if STATE.load(Ordering::Acquire) != READY {
        initialise();
    }
    // SAFETY: READY is set, so nobody writes any more.
    unsafe { &*CONFIG.0.get() }
}

#[cold]
fn initialise() {
    let claim = STATE.compare_exchange(UNREAD, READING, Ordering::Acquire, Ordering::Acquire);
    if claim.is_ok() {
        // SAFETY: READING was set by this thread, so nobody else reads or writes.
        let config = unsafe { &mut *CONFIG.0.get() };
        config.read(environment());
        STATE.store(READY, Ordering::Release);
    }
    while STATE.load(Ordering::Acquire) != READY {
        sys::sched_yield();
    }
}

/// The first value of a variable in the process's environment as it is now.
pub(crate) fn lookup(name_and_equals: &[u8]) -> Option<&'static [u8]> {
    environment().find_map(|entry| entry.strip_prefix(name_and_equals))
}

#[cfg(not(test))]
unsafe extern "C" {
    // environ(7); the same name in glibc and musl.
    static environ: *const *const c_char;
}

/// The process's environment as it is now.
#[cfg(not(test))]
pub(crate) fn environ_pointer() -> *const *const c_char {
    // SAFETY: libc defines the variable; reading it is as safe as getenv(3).
    unsafe { environ }
}

#[cfg(test)]
pub(crate) fn environ_pointer() -> *const *const c_char {
    core::ptr::null()
}

fn environment() -> impl Iterator<Item = &'static [u8]> {
    // SAFETY: `environ` is null or a null-terminated array of strings (environ(7)).
    unsafe { entries(environ_pointer()) }
}

/// The strings of a null-terminated array, without their NULs.
///
/// # Safety
/// `array` is null or such an array, and stays unchanged while the iterator is used.
pub(crate) unsafe fn entries<'a>(
    mut array: *const *const c_char,
) -> impl Iterator<Item = &'a [u8]> {
    core::iter::from_fn(move || {
        if array.is_null() {
            return None;
        }
        // SAFETY: not past the null entry, where the iteration ends.
        let entry = unsafe { *array };
        if entry.is_null() {
            return None;
        }
        // SAFETY: the entry was not the last.
        array = unsafe { array.add(1) };
        // SAFETY: every entry is a NUL-terminated string.
        Some(unsafe { CStr::from_ptr(entry) }.to_bytes())
    })
}

#[cfg(test)]
mod tests;
