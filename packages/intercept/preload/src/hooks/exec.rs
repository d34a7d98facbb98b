//! execve(2) and its kin, posix_spawn(3): the environment keeps netcon.

use core::ffi::{c_char, c_int, c_void};

use crate::env;
use crate::errno::{self, Errno};
use crate::ops::exec::{Environment, with_environment};
use crate::real;
use crate::sys::{self, nr};

type Arguments = *const *const c_char;

#[unsafe(no_mangle)]
unsafe extern "C" fn execve(path: *const c_char, argv: Arguments, envp: Environment) -> c_int {
    // SAFETY: the program's own arguments.
    let result = unsafe {
        with_environment(envp, |envp| {
            let args = [path as usize, argv as usize, envp as usize, 0, 0, 0];
            sys::call(nr::EXECVE, args)
        })
    };
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
    // SAFETY: libc's execvpe(3).
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(next) };
    // SAFETY: the program's own arguments.
    unsafe { with_environment(envp, |envp| next(file, argv, envp)) }
}

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
