//! A client's channel, and replacing the process: what the launcher needs.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Mutex;

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use netcon_engine::client;

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
