//! A client's channel, the service's own sockets, and replacing the process.

use std::ffi::CString;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{AsyncTask, Buffer};
use napi::{Env, Task};
use napi_derive::napi;
use netcon_engine::client;
use netcon_engine::{Family, SockAddr, SocketKind};

use crate::convert::whole;
use crate::error::{Code, Result, failed, system};
use crate::objects::{BindingExecOptions, BindingPeer};

/// A channel to a service; calls wait at most five seconds.
#[napi]
#[derive(Debug)]
pub struct Channel {
    fd: Mutex<Option<OwnedFd>>,
}

#[napi]
impl Channel {
    /// Connects to the RPC socket at `path`.
    #[napi(factory)]
    #[allow(clippy::needless_pass_by_value)]
    pub fn connect(path: String) -> Result<Channel> {
        let fd = client::connect(Path::new(&path)).map_err(|e| system(&path, &e))?;
        Ok(Channel {
            fd: Mutex::new(Some(fd)),
        })
    }

    /// Sends one frame and waits for one.
    #[napi]
    #[allow(clippy::needless_pass_by_value)]
    pub fn call(&self, frame: Buffer) -> Result<Buffer> {
        self.with(|fd| client::call(fd.as_fd(), &frame).map_err(|e| system("RPC", &e)))
            .map(Buffer::from)
    }

    /// SO_PEERCRED: who listens there.
    #[napi]
    pub fn peer(&self) -> Result<BindingPeer> {
        let peer = self.with(|fd| client::peer(fd.as_fd()).map_err(|e| system("peer", &e)))?;
        Ok(BindingPeer {
            pid: peer.pid,
            uid: peer.uid,
            gid: peer.gid,
        })
    }

    /// Closes the channel.
    #[napi]
    pub fn close(&self) {
        if let Ok(mut fd) = self.fd.lock() {
            fd.take();
        }
    }

    fn with<T>(&self, act: impl FnOnce(&OwnedFd) -> Result<T>) -> Result<T> {
        let closed = || failed(Code("ENOTCONN"), "the channel is closed");
        let fd = self.fd.lock().map_err(|_| closed())?;
        act(fd.as_ref().ok_or_else(closed)?)
    }
}

/// Sockets of the stack's for the service itself. `join` first, and once.
#[napi]
#[derive(Debug)]
pub struct StackClient {
    channel: Arc<Mutex<OwnedFd>>,
    program: String,
}

#[napi]
impl StackClient {
    /// Connects to the RPC socket at `path`, as a program of that name.
    #[napi(factory)]
    #[allow(clippy::needless_pass_by_value)]
    pub fn connect(path: String, program: String) -> Result<StackClient> {
        let fd = client::connect(Path::new(&path)).map_err(|e| system(&path, &e))?;
        Ok(StackClient {
            channel: Arc::new(Mutex::new(fd)),
            program,
        })
    }

    /// HELLO, which is answered on the JavaScript thread.
    #[napi(ts_return_type = "Promise<number>")]
    pub fn join(&self) -> AsyncTask<Wait> {
        let program = self.program.clone();
        self.wait(move |channel| with(&channel, |fd| client::join(fd, &program)).map(|()| 0))
    }

    /// A UDP socket; the descriptor is the caller's.
    #[napi]
    pub fn datagram(&self, v6: bool) -> Result<i32> {
        let (family, kind) = (family(v6), SocketKind::Udp);
        with(&self.channel, |fd| client::socket(fd, family, kind))
            .map(IntoRawFd::into_raw_fd)
            .map_err(|e| system("socket", &e))
    }

    /// A connected TCP socket; the descriptor is the caller's.
    #[napi(ts_return_type = "Promise<number>")]
    #[allow(clippy::needless_pass_by_value)]
    pub fn stream(&self, ip: String, port: u16, timeout_ms: f64) -> Result<AsyncTask<Wait>> {
        let bad = |_| {
            failed(
                Code("NETCON_ADDRESS_INVALID"),
                format!("{ip:?} is not an address"),
            )
        };
        let ip: IpAddr = ip.parse().map_err(bad)?;
        let micros = i64::try_from(whole(timeout_ms * 1e3)).unwrap_or(i64::MAX);
        Ok(self.wait(move |channel| {
            let (family, kind) = (family(ip.is_ipv6()), SocketKind::Stream);
            let socket = with(&channel, |fd| client::socket(fd, family, kind))?;
            let addr = SockAddr::new(ip, port);
            // The answer comes on a socket of its own: nothing is held while it is waited for.
            let own = with(&channel, |fd| fd.try_clone_to_owned())?;
            client::connect_stream(own.as_fd(), socket.as_fd(), addr, micros)?;
            Ok(socket.into_raw_fd())
        }))
    }
}

impl StackClient {
    fn wait(
        &self,
        act: impl FnOnce(Arc<Mutex<OwnedFd>>) -> io::Result<i32> + Send + 'static,
    ) -> AsyncTask<Wait> {
        let channel = Arc::clone(&self.channel);
        AsyncTask::new(Wait {
            act: Some(Box::new(move || act(channel))),
        })
    }
}

fn family(v6: bool) -> Family {
    if v6 { Family::Inet6 } else { Family::Inet }
}

fn with<T>(
    channel: &Mutex<OwnedFd>,
    act: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>,
) -> io::Result<T> {
    // A panic of another thread leaves a channel that is still good.
    let fd = channel.lock().unwrap_or_else(PoisonError::into_inner);
    act(fd.as_fd())
}

type Act = Box<dyn FnOnce() -> io::Result<i32> + Send>;

/// A call that waits, off the JavaScript thread.
pub struct Wait {
    act: Option<Act>,
}

impl Task for Wait {
    type Output = i32;
    type JsValue = i32;

    fn compute(&mut self) -> napi::Result<i32> {
        let act = self
            .act
            .take()
            .ok_or_else(|| napi::Error::from_reason("EINVAL: asked twice"))?;
        act().map_err(|e| {
            let e = system("the stack", &e);
            napi::Error::from_reason(format!("{}: {}", e.status.as_ref(), e.reason))
        })
    }

    fn resolve(&mut self, _env: Env, output: i32) -> napi::Result<i32> {
        Ok(output)
    }
}

/// execve(2) in place of this process; returns only by throwing.
#[napi]
#[allow(clippy::needless_pass_by_value)]
pub fn exec_replace(
    file: String,
    argv: Vec<String>,
    env: Vec<String>,
    options: BindingExecOptions,
) -> Result<()> {
    let nofile_soft = options.nofile_soft.map(whole);
    // Without a channel the library opens one, or says why it cannot.
    let keep = options
        .channel
        .and_then(|path| client::open_for_exec(Path::new(&path), &file, nofile_soft).ok());
    let options = client::ExecOptions {
        nofile_soft,
        ignore_signals: options.ignore_signals,
        keep,
    };
    let text = |s: String| {
        CString::new(s).map_err(|_| failed(Code("EINVAL"), "an argument contains a NUL byte"))
    };
    let path = text(file.clone())?;
    let argv = argv.into_iter().map(text).collect::<Result<Vec<_>>>()?;
    let env = env.into_iter().map(text).collect::<Result<Vec<_>>>()?;
    Err(system(
        &file,
        &client::exec_replace(&path, &argv, &env, &options),
    ))
}

/// flock(2) without waiting: whether the lock on that fd is ours now.
#[napi]
pub fn try_lock(fd: i32) -> Result<bool> {
    client::try_lock(fd).map_err(|e| system("flock", &e))
}
