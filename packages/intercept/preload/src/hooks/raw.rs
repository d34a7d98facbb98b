//! syscall(2) as a function of libc: the same numbers meet the same operations.

use core::ffi::{c_char, c_int, c_long, c_void};

use super::{data, exec, fds, socket, uring};
use crate::errno;
use crate::sys::{self, nr};

#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let args = [a, b, c, d, e, f];
    let Ok(number) = usize::try_from(number) else {
        // SAFETY: the kernel answers ENOSYS.
        return finish(sys::check(unsafe { sys::syscall6(usize::MAX, args) }));
    };
    // SAFETY: the program's own call.
    match unsafe { routed(number, args) } {
        Some(result) => result as c_long,
        // SAFETY: the program's own call.
        None => finish(sys::check(unsafe { sys::syscall6(number, args) })),
    }
}

fn finish(result: Result<isize, errno::Errno>) -> c_long {
    match result {
        Ok(value) => value as c_long,
        Err(errno) => {
            errno::set(errno);
            -1
        }
    }
}

/// An argument that the call defines as an int: the lower half of the register.
#[allow(clippy::cast_possible_truncation)]
const fn low(value: usize) -> c_int {
    value as c_int
}

#[allow(clippy::cast_possible_truncation)]
const fn unsigned(value: usize) -> u32 {
    value as u32
}

/// The hook for that number; `None` if there is none.
unsafe fn routed(number: usize, args: [usize; 6]) -> Option<isize> {
    let [a, b, c, d, e, f] = args;
    let fd = low(a);
    // SAFETY: each hook gets the arguments that the system call of that number has.
    Some(unsafe {
        match number {
            nr::SOCKET => socket::socket(fd, low(b), low(c)) as isize,
            nr::BIND => socket::bind(fd, b as *const c_void, unsigned(c)) as isize,
            nr::LISTEN => socket::listen(fd, low(b)) as isize,
            nr::CONNECT => socket::connect(fd, b as *const c_void, unsigned(c)) as isize,
            nr::ACCEPT => socket::accept(fd, b as *mut c_void, c as *mut u32) as isize,
            nr::ACCEPT4 => socket::accept4(fd, b as *mut c_void, c as *mut u32, low(d)) as isize,
            nr::GETSOCKNAME => socket::getsockname(fd, b as *mut c_void, c as *mut u32) as isize,
            nr::GETPEERNAME => socket::getpeername(fd, b as *mut c_void, c as *mut u32) as isize,
            nr::GETSOCKOPT => {
                socket::getsockopt(fd, low(b), low(c), d as *mut c_void, e as *mut u32) as isize
            }
            nr::SETSOCKOPT => {
                socket::setsockopt(fd, low(b), low(c), d as *const c_void, unsigned(e)) as isize
            }
            nr::SHUTDOWN => socket::shutdown(fd, low(b)) as isize,
            nr::READ => data::read(fd, b as *mut c_void, c),
            nr::READV => data::readv(fd, b as *const c_void, low(c)),
            nr::RECVFROM => data::recvfrom(
                fd,
                b as *mut c_void,
                c,
                low(d),
                e as *mut c_void,
                f as *mut u32,
            ),
            nr::RECVMSG => data::recvmsg(fd, b as *mut _, low(c)),
            nr::RECVMMSG => {
                data::recvmmsg(fd, b as *mut _, unsigned(c), low(d), e as *mut c_void) as isize
            }
            nr::WRITE => data::write(fd, b as *const c_void, c),
            nr::WRITEV => data::writev(fd, b as *const c_void, low(c)),
            nr::SENDTO => data::sendto(
                fd,
                b as *const c_void,
                c,
                low(d),
                e as *const c_void,
                unsigned(f),
            ),
            nr::SENDMSG => data::sendmsg(fd, b as *const _, low(c)),
            nr::SENDMMSG => data::sendmmsg(fd, b as *mut _, unsigned(c), low(d)) as isize,
            nr::SENDFILE => data::sendfile(fd, low(b), c as *mut i64, d),
            nr::CLOSE => fds::close(fd) as isize,
            #[cfg(target_arch = "x86_64")]
            nr::DUP2 => fds::dup2(fd, low(b)) as isize,
            nr::DUP3 => fds::dup3(fd, low(b), low(c)) as isize,
            nr::CLOSE_RANGE => fds::close_range(unsigned(a), unsigned(b), low(c)) as isize,
            nr::FCNTL => fds::fcntl(fd, low(b), c) as isize,
            nr::IOCTL => fds::ioctl(fd, b, c) as isize,
            nr::IO_URING_SETUP => uring::setup(unsigned(a), b) as isize,
            nr::EXECVE => exec::execve(a as *const c_char, b as *const _, c as *const _) as isize,
            nr::EXECVEAT => {
                exec::execveat(fd, b as *const c_char, c as *const _, d as *const _, low(e))
                    as isize
            }
            nr::SECCOMP => match fds::sandboxing(true, nr::SECCOMP, args) {
                Ok(value) => value as isize,
                Err(errno) => {
                    errno::set(errno);
                    -1
                }
            },
            _ => return None,
        }
    })
}
