//! What an exec is about to start, and whether the library can follow it there.
//!
//! Read-only: the kernel has the last word, and what cannot be looked at counts as fine. Scripts are
//! followed to their interpreter; binfmt_misc(5) is not known.

mod format;

use core::ffi::{CStr, c_char, c_int};

use self::format::Format;
use crate::abi;
use crate::env;
use crate::sys::{self, files};
use crate::text::Line;

/// Why the library is not loaded into a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// No dynamic linker runs.
    Static,
    /// ld.so(8), secure-execution mode: it ignores `LD_PRELOAD`.
    SetId,
    /// The same, by file capabilities (capabilities(7)).
    Capabilities,
    /// The library is a 64-bit one.
    Bits32,
    /// The library is for this machine.
    Machine,
}

impl Obstacle {
    /// The word in the trace.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Obstacle::Static => "static",
            Obstacle::SetId => "set-id",
            Obstacle::Capabilities => "capabilities",
            Obstacle::Bits32 => "32-bit",
            Obstacle::Machine => "machine",
        }
    }

    /// What the program is, for its user.
    pub(crate) const fn text(self) -> &'static [u8] {
        match self {
            Obstacle::Static => b"statically linked",
            Obstacle::SetId => b"a set-id program",
            Obstacle::Capabilities => b"a program with file capabilities",
            Obstacle::Bits32 => b"a 32-bit program",
            Obstacle::Machine => b"built for another machine",
        }
    }
}

/// Interpreters that are scripts themselves (binfmt_script; deeper is ELOOP).
const MAX_SCRIPTS: usize = 4;
/// Program headers that are looked at; programs have about 13.
const MAX_HEADERS: u16 = 128;
const S_IFMT: u16 = 0o170_000;
const S_IFREG: u16 = 0o100_000;
const S_ISUID: u16 = 0o4000;
/// Set-gid without group execution is something else (mandatory locking).
const S_ISGID_AND_XGRP: u16 = 0o2010;

enum Found {
    /// The library goes along, or the kernel will refuse it, or nobody can tell.
    Fine,
    Obstacle(Obstacle),
    /// A script; its interpreter has been written out.
    Script,
}

/// What keeps the library out of the file that execveat(2) would run with these arguments.
///
/// # Safety
/// `path` is the program's own argument.
pub(crate) unsafe fn obstacle(dir: c_int, path: *const c_char, flags: c_int) -> Option<Obstacle> {
    let mut interpreter = [0; format::MAX_SHEBANG];
    // SAFETY: the caller's contract.
    let mut found = unsafe { look(dir, path, flags, &mut interpreter) };
    for _ in 0..MAX_SCRIPTS {
        let script = interpreter;
        match found {
            Found::Fine => return None,
            Found::Obstacle(obstacle) => return Some(obstacle),
            Found::Script => {
                let path = script.as_ptr().cast();
                // SAFETY: the interpreter's path ends with a NUL: it is shorter than the buffer.
                found = unsafe { look(abi::AT_FDCWD, path, 0, &mut interpreter) };
            }
        }
    }
    None
}

unsafe fn look(
    dir: c_int,
    path: *const c_char,
    flags: c_int,
    interpreter: &mut [u8; format::MAX_SHEBANG],
) -> Found {
    // SAFETY: the caller's contract.
    let Ok(status) = (unsafe { files::status(dir, path, flags) }) else {
        return Found::Fine;
    };
    if status.mode & S_IFMT != S_IFREG {
        return Found::Fine;
    }
    // SAFETY: the kernel has just read the path.
    let path = unsafe { CStr::from_ptr(path) };
    // SAFETY: as above.
    let fd = match unsafe { open(dir, path) } {
        Ok(fd) => fd,
        // Executable, but not readable: scripts are not, so it is a program.
        Err(_) if raises(&status) => return Found::Obstacle(Obstacle::SetId),
        Err(_) => return Found::Fine,
    };
    let found = examine(fd, path, &status, interpreter);
    let _ = sys::close(fd);
    found
}

/// Opens what is to be executed: the path, or the fd that stands for it (fexecve(3)).
unsafe fn open(dir: c_int, path: &CStr) -> Result<c_int, crate::errno::Errno> {
    if !path.is_empty() {
        // SAFETY: a path.
        return unsafe { files::open(dir, path.as_ptr(), 0) };
    }
    let mut name: Line<32> = Line::new();
    name.str("/proc/self/fd/").int(i64::from(dir)).bytes(b"\0");
    sys::open(name.as_bytes(), abi::O_CLOEXEC | abi::O_NONBLOCK, 0)
}

fn examine(
    fd: c_int,
    path: &CStr,
    status: &files::Status,
    interpreter: &mut [u8; format::MAX_SHEBANG],
) -> Found {
    let mut head = [0; format::MAX_SHEBANG];
    let len = files::read_at(fd, &mut head, 0).unwrap_or(0);
    let obstacle = match format::identify(head.get(..len).unwrap_or(&[])) {
        Format::Unknown => return Found::Fine,
        Format::Script(path) => return script(path, interpreter),
        Format::Elf32 => Obstacle::Bits32,
        Format::OtherMachine => Obstacle::Machine,
        Format::Elf { table, count } if is_static(fd, path, table, count) => Obstacle::Static,
        Format::Elf { .. } if raises(status) && !files::is_nosuid(fd) => Obstacle::SetId,
        Format::Elf { .. } if gains_capabilities(fd) => Obstacle::Capabilities,
        Format::Elf { .. } => return Found::Fine,
    };
    Found::Obstacle(obstacle)
}

fn script(path: &[u8], interpreter: &mut [u8; format::MAX_SHEBANG]) -> Found {
    *interpreter = [0; format::MAX_SHEBANG];
    for (to, from) in interpreter.iter_mut().zip(path) {
        *to = *from;
    }
    Found::Script
}

/// Without `PT_INTERP` no dynamic linker runs, unless the file is the dynamic linker itself.
fn is_static(fd: c_int, path: &CStr, table: u64, count: u16) -> bool {
    let name = path.to_bytes().rsplit(|&byte| byte == b'/').next();
    if name.is_some_and(|name| name.starts_with(b"ld-") || name.starts_with(b"ld.")) {
        return false;
    }
    let mut header = [0; format::PROGRAM_HEADER];
    for n in 0..count.min(MAX_HEADERS) {
        let at = table.saturating_add(u64::from(n) * format::PROGRAM_HEADER as u64);
        let Ok(format::PROGRAM_HEADER) = files::read_at(fd, &mut header, at) else {
            return false;
        };
        if format::is_interpreter(&header) {
            return false;
        }
    }
    true
}

/// Whether the set-id bits change an id (execve(2)).
fn raises(status: &files::Status) -> bool {
    let uid = status.mode & S_ISUID != 0 && status.uid != sys::geteuid();
    let gid = status.mode & S_ISGID_AND_XGRP == S_ISGID_AND_XGRP && status.gid != files::getegid();
    (uid || gid) && !files::no_new_privileges()
}

/// Whether file capabilities take effect; root has them all already (capabilities(7)).
fn gains_capabilities(fd: c_int) -> bool {
    files::getuid() != 0
        && files::has_attribute(fd, c"security.capability")
        && !files::no_new_privileges()
        && !files::is_nosuid(fd)
}

/// The longest path that is put together (limits.h: `PATH_MAX`).
pub(crate) type Path = Line<4096>;

/// The path, with a NUL, that execvp(3) would run for a name; the first that may be executed.
pub(crate) fn in_path(name: &CStr, out: &mut Path) -> bool {
    // execvp(3): what is searched where PATH is unset.
    let path = env::lookup(b"PATH=").unwrap_or(b"/bin:/usr/bin");
    for dir in path.split(|&byte| byte == b':') {
        *out = Line::new();
        if !dir.is_empty() {
            out.bytes(dir).str("/");
        }
        out.bytes(name.to_bytes()).bytes(b"\0");
        if let Ok(file) = CStr::from_bytes_with_nul(out.as_bytes())
            && files::is_executable(file)
        {
            return true;
        }
    }
    false
}
