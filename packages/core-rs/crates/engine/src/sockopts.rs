//! GETSOCKOPT and SETSOCKOPT: an entry's options, and what the stack knows of its connection.

use std::os::fd::OwnedFd;

use netcon_wire::Interface;

use crate::engine::Engine;
use crate::options::{Facts, SO_ERROR, TCP_INFO, level};
use crate::rpc::Failure;
use crate::rpc::errno::EIO;
use crate::table::{Socket, SocketKey};

impl Engine {
    /// GETSOCKOPT.
    pub(crate) fn get_option(
        &mut self,
        key: SocketKey,
        level: i32,
        name: i32,
        room: usize,
    ) -> Result<Vec<u8>, Failure> {
        let info = self
            .table
            .get(key)
            .and_then(|s| s.pcb)
            .and_then(|p| self.stack.info(p));
        let mtu = self.config.tap.as_ref().map_or(u16::MAX, |t| t.mtu);
        let socket = self.table.get_mut(key).ok_or(Failure(EIO))?;
        if (level, name) == (level::SOCKET, SO_ERROR) {
            let error = socket.error.take().unwrap_or(0);
            return Ok(error.to_ne_bytes().to_vec());
        }
        if (level, name) == (level::TCP, TCP_INFO) {
            return Ok(crate::show::tcp_info(info.as_ref()));
        }
        let facts = Facts {
            mss: info.map_or(536, |i| i.mss),
            mtu,
            room,
            ..facts(socket, &self.interfaces)
        };
        socket
            .options
            .get(socket.family, level, name, facts)
            .map_err(Failure)
    }

    /// SETSOCKOPT; `program` is the description, whose mark says whether accept copies options.
    pub(crate) fn set_option(
        &mut self,
        key: SocketKey,
        program: &OwnedFd,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Failure> {
        let socket = self.table.get_mut(key).ok_or(Failure(EIO))?;
        let facts = facts(socket, &self.interfaces);
        let inherited = socket.options.inherits();
        socket
            .options
            .set(socket.family, level, name, value, facts)
            .map_err(Failure)?;
        let (options, state) = (socket.options.for_stack(), socket.state);
        let inherits = socket.options.inherits();
        if let Some(pcb) = socket.pcb {
            self.stack.set_options(pcb, options);
        }
        if inherits != inherited {
            self.set_state(key, state, Some(program));
        }
        if self.table.get(key).is_some_and(|s| s.record.is_some()) {
            self.note(key);
        }
        Ok(())
    }
}

/// What the options of a socket depend on; its segment size and MTU are left to who knows them.
pub(crate) fn facts<'a>(socket: &Socket, interfaces: &'a [Interface; 2]) -> Facts<'a> {
    let [lo, link] = interfaces;
    Facts {
        state: socket.state,
        bound: socket.bound.is_some(),
        mss: 0,
        mtu: 0,
        room: 0,
        interfaces: [lo.name(), link.name()],
    }
}
