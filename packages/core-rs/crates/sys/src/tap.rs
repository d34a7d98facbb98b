//! A TAP device: whole Ethernet frames, each with a virtio-net header before it.
//!
//! The header (virtio 1.2, 5.1.6; `IFF_VNET_HDR` in tun.rst) lets the kernel and the stack leave
//! checksums to each other and exchange TCP super-frames. This module moves header and frame; what
//! the header says is the link's business.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::call::{check, check_len, retry};

/// Bytes of the virtio-net header in front of each frame (`struct virtio_net_hdr`, no `num_buffers`).
pub const HEADER_LEN: usize = 10;

/// An open TAP device. The interface goes with it, unless it was made persistent by somebody else.
#[derive(Debug)]
pub struct Tap {
    fd: OwnedFd,
}

/// What the kernel gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapInfo {
    /// The interface's name.
    pub name: String,
    /// Checksums and TCP segmentation are left to whoever needs them, both ways.
    pub offload: bool,
    /// Why `offload` is off although it was asked for.
    pub reason: Option<String>,
}

/// Why there is no TAP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TapError {
    /// `/dev/net/tun` is missing, or the kernel has no driver behind it.
    NoDevice,
    /// The caller may neither create an interface nor attach to this one (`EPERM`, `EACCES`).
    Denied,
    /// The name is in use: a tap that another program holds, or an interface of another kind.
    Busy,
    /// No interface can have this name.
    BadName,
    /// Anything else.
    Other {
        /// The errno.
        errno: i32,
        /// The call that failed.
        what: &'static str,
    },
}

impl Tap {
    /// Creates the interface `name`, or attaches to the persistent tap of that name.
    ///
    /// Asks for checksum and TCP segmentation offload if `offload` is set, and goes on without where
    /// the kernel refuses.
    ///
    /// # Errors
    ///
    /// See [`TapError`].
    pub fn open(name: &str, offload: bool) -> Result<(Self, TapInfo), TapError> {
        if !is_interface_name(name) {
            return Err(TapError::BadName);
        }
        Self::attach(open_device()?, name, libc::IFF_TAP, offload)
    }

    /// A TUN device: bare IP packets instead of frames, no offload. `device` is an open
    /// `/dev/net/tun`; the interface is made in the namespace in which that was opened.
    ///
    /// # Errors
    ///
    /// See [`TapError`].
    pub fn over_tun(device: OwnedFd, name: &str) -> Result<Self, TapError> {
        Self::attach(device, name, libc::IFF_TUN, false).map(|(tun, _)| tun)
    }

    fn attach(
        fd: OwnedFd,
        name: &str,
        kind: libc::c_int,
        offload: bool,
    ) -> Result<(Self, TapInfo), TapError> {
        let mut request = named_request(name)?;
        // IFF_NO_PI: no protocol word in front of the frame (tun.rst 3.2).
        request.ifr_ifru.ifru_flags = flags_of(kind | libc::IFF_NO_PI | libc::IFF_VNET_HDR);
        // SAFETY: TUNSETIFF reads and writes a `struct ifreq` (tun.rst 1.2); `request` is one, alive
        // during the call.
        check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })
            .map_err(|e| attach_error(&e))?;
        let header_len: libc::c_int = 10;
        // SAFETY: TUNSETVNETHDRSZ reads an int through the pointer (drivers/net/tun.c).
        check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETVNETHDRSZ, &raw const header_len) })
            .map_err(|e| other(&e, "TUNSETVNETHDRSZ"))?;
        let (offload, reason) = set_offload(&fd, offload)?;
        let info = TapInfo {
            name: name.to_owned(),
            offload,
            reason,
        };
        Ok((Self { fd }, info))
    }

    /// Receives one frame; the header into `header`, the frame into `frame`: its length is returned.
    ///
    /// The kernel cuts off what does not fit without a word: have room for a super-frame and a byte
    /// more than is believed.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if no frame waits, also while the interface is down. `EBADFD` after it was deleted:
    /// then the descriptor reports `EPOLLERR` for ever, so stop watching it.
    pub fn recv(&self, header: &mut [u8; HEADER_LEN], frame: &mut [u8]) -> io::Result<usize> {
        let parts = [
            libc::iovec {
                iov_base: header.as_mut_ptr().cast(),
                iov_len: HEADER_LEN,
            },
            libc::iovec {
                iov_base: frame.as_mut_ptr().cast(),
                iov_len: frame.len(),
            },
        ];
        let n = retry(|| {
            // SAFETY: readv(2) writes into two buffers that are exclusively borrowed here, at most
            // their lengths.
            check_len(unsafe { libc::readv(self.fd.as_raw_fd(), parts.as_ptr(), 2) })
        })?;
        // The driver always delivers a whole header (tun_put_user in drivers/net/tun.c).
        Ok(n.saturating_sub(HEADER_LEN))
    }

    /// Sends one frame, given in parts; returns its length.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a header that contradicts the frame, `EIO` while the interface is down,
    /// `WouldBlock` if the kernel is short of buffers. The frame is gone in each case.
    pub fn send(&self, header: &[u8; HEADER_LEN], frame: [&[u8]; 3]) -> io::Result<usize> {
        let [headers, first, second] = frame;
        let parts = [header, headers, first, second].map(|part: &[u8]| libc::iovec {
            iov_base: part.as_ptr().cast_mut().cast(),
            iov_len: part.len(),
        });
        let n = retry(|| {
            // SAFETY: writev(2) only reads from the four buffers, which are borrowed here.
            check_len(unsafe { libc::writev(self.fd.as_raw_fd(), parts.as_ptr(), 4) })
        })?;
        Ok(n.saturating_sub(HEADER_LEN))
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl fmt::Display for TapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDevice => f.write_str("/dev/net/tun is missing"),
            Self::Denied => f.write_str("no permission to open a tap"),
            Self::Busy => f.write_str("the name is in use"),
            Self::BadName => f.write_str("not a name for an interface"),
            Self::Other { errno, what } => {
                write!(f, "{what}: {}", io::Error::from_raw_os_error(*errno))
            }
        }
    }
}

impl std::error::Error for TapError {}

fn named_request(name: &str) -> Result<libc::ifreq, TapError> {
    if !is_interface_name(name) {
        return Err(TapError::BadName);
    }
    // SAFETY: `ifreq` is plain data for which all zeroes is a value (netdevice(7)).
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *slot = byte.cast_signed();
    }
    Ok(request)
}

/// The kernel's own rule (`dev_valid_name`), without `%`, which asks it to choose a number.
fn is_interface_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() < libc::IFNAMSIZ
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b':' | b'%'))
}

fn flags_of(flags: libc::c_int) -> libc::c_short {
    // ifr_flags is 16 bits wide; the three flags lie below bit 15.
    libc::c_short::try_from(flags).unwrap_or_default()
}

fn open_device() -> Result<OwnedFd, TapError> {
    let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: open(2) with a NUL-terminated path.
    let fd = retry(|| check(unsafe { libc::open(c"/dev/net/tun".as_ptr(), flags) })).map_err(
        |e| match e.raw_os_error() {
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => TapError::NoDevice,
            Some(libc::EPERM | libc::EACCES) => TapError::Denied,
            _ => other(&e, "open /dev/net/tun"),
        },
    )?;
    // SAFETY: open(2) returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn attach_error(e: &io::Error) -> TapError {
    match e.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => TapError::Denied,
        // EINVAL, the name being valid: an interface that is no tap (tun_set_iff).
        Some(libc::EBUSY | libc::EINVAL | libc::EEXIST) => TapError::Busy,
        _ => other(e, "TUNSETIFF"),
    }
}

fn set_offload(fd: &OwnedFd, wanted: bool) -> Result<(bool, Option<String>), TapError> {
    let all = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6;
    if wanted {
        match offload_flags(fd, all) {
            Ok(()) => return Ok((true, None)),
            Err(e) => {
                offload_flags(fd, 0).map_err(|e| other(&e, "TUNSETOFFLOAD"))?;
                return Ok((false, Some(format!("TUNSETOFFLOAD: {e}"))));
            }
        }
    }
    // A persistent tap may still have what its last holder asked for.
    offload_flags(fd, 0).map_err(|e| other(&e, "TUNSETOFFLOAD"))?;
    Ok((false, None))
}

fn offload_flags(fd: &OwnedFd, flags: libc::c_uint) -> io::Result<()> {
    let flags = libc::c_ulong::from(flags);
    // SAFETY: TUNSETOFFLOAD takes its flags by value (drivers/net/tun.c).
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETOFFLOAD, flags) }).map(|_| ())
}

fn other(e: &io::Error, what: &'static str) -> TapError {
    TapError::Other {
        errno: e.raw_os_error().unwrap_or(0),
        what,
    }
}

#[cfg(test)]
mod tests;
