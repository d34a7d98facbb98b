//! execve(2) and its kin, posix_spawn(3): the environment keeps netcon.
//!
//! The execl family is variadic without a bound, which stable Rust cannot define: a trampoline puts
//! the arguments in registers in front of those on the stack, where they form the argv that execv
//! takes.

use core::ffi::{c_char, c_int, c_void};

use crate::abi;
use crate::env;
use crate::errno::{self, Errno};
use crate::ops::exec::{Environment, check, check_in_path, with_environment};
use crate::real;
use crate::sys::{self, int, nr};

type Arguments = *const *const c_char;

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn execve(
    path: *const c_char,
    argv: Arguments,
    envp: Environment,
) -> c_int {
    // SAFETY: the program's own arguments.
    finish(unsafe { check(abi::AT_FDCWD, path, 0) }.and_then(|()| {
        // SAFETY: as above.
        unsafe {
            with_environment(envp, |envp| {
                let args = [path as usize, argv as usize, envp as usize, 0, 0, 0];
                sys::call(nr::EXECVE, args)
            })
        }
    }))
}

fn finish(result: Result<c_int, Errno>) -> c_int {
    match result {
        Ok(value) => value,
        Err(errno) => {
            errno::set(errno);
            -1
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execv(path: *const c_char, argv: Arguments) -> c_int {
    // SAFETY: execv(3) is execve with the process's environment.
    unsafe { execve(path, argv, env::environ_pointer()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execvp(file: *const c_char, argv: Arguments) -> c_int {
    // SAFETY: execvp(3) is execvpe with the process's environment.
    unsafe { execvpe(file, argv, env::environ_pointer()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execvpe(file: *const c_char, argv: Arguments, envp: Environment) -> c_int {
    type Function = unsafe extern "C" fn(*const c_char, Arguments, Environment) -> c_int;
    let next = real::next(c"execvpe");
    if next.is_null() {
        errno::set(Errno::ENOSYS);
        return -1;
    }
    // SAFETY: the program's own arguments.
    if let Err(errno) = unsafe { check_in_path(file) } {
        errno::set(errno);
        return -1;
    }
    // SAFETY: libc's execvpe(3).
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(next) };
    // SAFETY: the program's own arguments.
    unsafe { with_environment(envp, |envp| next(file, argv, envp)) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn execveat(
    dir: c_int,
    path: *const c_char,
    argv: Arguments,
    envp: Environment,
    flags: c_int,
) -> c_int {
    // SAFETY: the program's own arguments.
    finish(unsafe { check(dir, path, flags) }.and_then(|()| {
        // SAFETY: as above.
        unsafe {
            with_environment(envp, |envp| {
                let args = [
                    int(dir),
                    path as usize,
                    argv as usize,
                    envp as usize,
                    int(flags),
                    0,
                ];
                sys::call(nr::EXECVEAT, args)
            })
        }
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fexecve(fd: c_int, argv: Arguments, envp: Environment) -> c_int {
    // fexecve(3), as glibc does since Linux 3.19; it checks its arguments first.
    if fd < 0 || argv.is_null() || envp.is_null() {
        errno::set(Errno::EINVAL);
        return -1;
    }
    // SAFETY: the program's own arguments.
    unsafe { execveat(fd, c"".as_ptr(), argv, envp, abi::AT_EMPTY_PATH) }
}

/// execl(3): what its trampoline calls.
unsafe extern "C" fn list(path: *const c_char, argv: Arguments) -> c_int {
    // SAFETY: execl(3) is execv of the list of its arguments.
    unsafe { execv(path, argv) }
}

/// execlp(3): what its trampoline calls.
unsafe extern "C" fn list_in_path(file: *const c_char, argv: Arguments) -> c_int {
    // SAFETY: execlp(3) is execvp of the list of its arguments.
    unsafe { execvp(file, argv) }
}

/// execle(3): what its trampoline calls. The environment follows the list's null.
unsafe extern "C" fn list_with_environment(path: *const c_char, argv: Arguments) -> c_int {
    let mut end = argv;
    // SAFETY: the caller ends the list with a null pointer.
    while unsafe { !(*end).is_null() } {
        // SAFETY: not past the null.
        end = unsafe { end.add(1) };
    }
    // SAFETY: execle(3): one more argument behind the null, the environment.
    let envp = unsafe { *end.add(1) }.cast::<*const c_char>();
    // SAFETY: execle(3) is execve of the list of its arguments.
    unsafe { execve(path, argv, envp) }
}

/// Defines a function `(const char *, const char *arg, ..., NULL[, envp])`, which calls
/// `$target(first, argv)`.
// System V psABI 3.2.3: the first six arguments are in registers, the others above the return
// address. The return address moves below the array, and back before the return.
#[cfg(target_arch = "x86_64")]
macro_rules! list_of_arguments {
    ($name:ident => $target:ident) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                "pop rax",
                "push r9",
                "push r8",
                "push rcx",
                "push rdx",
                "push rsi",
                "mov rsi, rsp",
                "push rax",
                "call {target}",
                "pop rcx",
                "add rsp, 40",
                "push rcx",
                "ret",
                target = sym $target,
            )
        }
    };
}

// AAPCS64 6.4.2: the first eight arguments are in registers, the others at the stack pointer.
#[cfg(target_arch = "aarch64")]
macro_rules! list_of_arguments {
    ($name:ident => $target:ident) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                "stp x29, x30, [sp, #-80]!",
                "mov x29, sp",
                "str x1, [sp, #24]",
                "stp x2, x3, [sp, #32]",
                "stp x4, x5, [sp, #48]",
                "stp x6, x7, [sp, #64]",
                "add x1, sp, #24",
                "bl {target}",
                "ldp x29, x30, [sp], #80",
                "ret",
                target = sym $target,
            )
        }
    };
}

list_of_arguments!(execl => list);
list_of_arguments!(execlp => list_in_path);
list_of_arguments!(execle => list_with_environment);

type Spawn = unsafe extern "C" fn(
    *mut c_int,
    *const c_char,
    *const c_void,
    *const c_void,
    Arguments,
    Environment,
) -> c_int;

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_spawn(
    pid: *mut c_int,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: Arguments,
    envp: Environment,
) -> c_int {
    let Some(next) = spawn_function(c"posix_spawn") else {
        return Errno::ENOSYS.0;
    };
    // SAFETY: the program's own arguments.
    if let Err(errno) = unsafe { check(abi::AT_FDCWD, path, 0) } {
        return errno.0;
    }
    // SAFETY: the program's own arguments.
    unsafe {
        with_environment(envp, |envp| {
            next(pid, path, actions, attributes, argv, envp)
        })
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_spawnp(
    pid: *mut c_int,
    file: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: Arguments,
    envp: Environment,
) -> c_int {
    let Some(next) = spawn_function(c"posix_spawnp") else {
        return Errno::ENOSYS.0;
    };
    // SAFETY: the program's own arguments.
    if let Err(errno) = unsafe { check_in_path(file) } {
        return errno.0;
    }
    // SAFETY: the program's own arguments.
    unsafe {
        with_environment(envp, |envp| {
            next(pid, file, actions, attributes, argv, envp)
        })
    }
}

fn spawn_function(name: &core::ffi::CStr) -> Option<Spawn> {
    let next = real::next(name);
    if next.is_null() {
        return None;
    }
    // SAFETY: libc's posix_spawn(3) or posix_spawnp(3), of the same type.
    Some(unsafe { core::mem::transmute::<*mut c_void, Spawn>(next) })
}
