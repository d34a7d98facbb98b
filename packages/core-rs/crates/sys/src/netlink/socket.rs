//! A netlink socket that asks the kernel one thing at a time.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::message::{Request, messages};
use crate::call::{check, check_len, retry};

/// The kernel fills at most 32 KiB in one go (`NLMSG_GOODSIZE`, af_netlink.c).
const BUFFER: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct NetlinkSocket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl NetlinkSocket {
    pub(crate) fn open(protocol: libc::c_int) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: socket(2) takes no pointers.
        let fd = check(unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) })?;
        // SAFETY: socket(2) returned a new descriptor that nobody else owns.
        Self::over(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// Over a netlink socket that somebody else has made, in a namespace of his.
    pub(crate) fn over(fd: OwnedFd) -> io::Result<Self> {
        connect_to_kernel(&fd)?;
        Ok(Self {
            fd,
            sequence: 0,
            buffer: vec![0; BUFFER],
        })
    }

    /// Sends the request and gives each answer to `each`, until the acknowledgement or the end of the dump.
    pub(crate) fn ask(
        &mut self,
        request: Request,
        each: &mut dyn FnMut(u16, &[u8]),
    ) -> io::Result<()> {
        let dump = request.is_dump();
        self.sequence = self.sequence.wrapping_add(1);
        self.send(&request.finish(self.sequence))?;
        loop {
            let len = self.receive()?;
            for message in messages(&self.buffer[..len]) {
                if message.sequence != self.sequence {
                    continue;
                }
                match libc::c_int::from(message.kind) {
                    libc::NLMSG_ERROR => {
                        // `struct nlmsgerr`: a negative errno, or 0 for an acknowledgement.
                        return result_of(message.body);
                    }
                    // A dump that failed half way says so here (netlink_dump in af_netlink.c).
                    libc::NLMSG_DONE if dump => return result_of(message.body),
                    _ => each(message.kind, message.body),
                }
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        retry(|| {
            // SAFETY: send(2) reads `bytes.len()` bytes of a borrowed slice.
            check_len(unsafe {
                libc::send(self.fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0)
            })
        })
        .map(|_| ())
    }

    fn receive(&mut self) -> io::Result<usize> {
        let len = retry(|| {
            // SAFETY: recv(2) writes at most the buffer's length into a buffer that is ours.
            check_len(unsafe {
                libc::recv(
                    self.fd.as_raw_fd(),
                    self.buffer.as_mut_ptr().cast(),
                    self.buffer.len(),
                    // The real length, even if longer (recv(2)).
                    libc::MSG_TRUNC,
                )
            })
        })?;
        if len == 0 || len > self.buffer.len() {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        Ok(len)
    }
}

/// Connected to port 0, the socket takes messages from the kernel only (netlink(7)).
fn connect_to_kernel(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: `sockaddr_nl` is plain data for which all zeroes is a value (netlink(7)).
    let mut kernel: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    kernel.nl_family = super::u16_of(libc::AF_NETLINK);
    // SAFETY: connect(2) reads a sockaddr_nl of the given length.
    check(unsafe {
        libc::connect(
            fd.as_raw_fd(),
            (&raw const kernel).cast(),
            libc::socklen_t::try_from(size_of::<libc::sockaddr_nl>()).unwrap_or_default(),
        )
    })
    .map(|_| ())
}

fn result_of(body: &[u8]) -> io::Result<()> {
    match super::u32_at(body, 0).map(u32::cast_signed) {
        Some(errno) if errno < 0 => Err(io::Error::from_raw_os_error(-errno)),
        _ => Ok(()),
    }
}
