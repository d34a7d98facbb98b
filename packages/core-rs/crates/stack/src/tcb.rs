//! One connection's smoltcp socket in a set of its own, with the ring it borrows: what has come. What is to
//! be sent it never sees, see [`sending`](crate::stack): its sending ring is empty.
//!
//! smoltcp's sockets borrow their buffers. Holding both in one cell keeps the borrow safe and lets
//! the rings go back to where they came from when the connection ends.

use self_cell::{MutBorrow, self_cell};
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;

use crate::device::Exchange;
use crate::ring::Ring;

pub(crate) struct Sockets<'a> {
    set: SocketSet<'a>,
    handle: SocketHandle,
}

self_cell!(
    struct Cell {
        owner: MutBorrow<Ring>,

        #[not_covariant]
        dependent: Sockets,
    }
);

/// A socket with its rings.
pub(crate) struct Tcb(Cell);

impl Tcb {
    pub(crate) fn new(ring: Ring) -> Tcb {
        Tcb(Cell::new(MutBorrow::new(ring), |ring| {
            let mut socket = tcp::Socket::new(
                tcp::SocketBuffer::new(ring.borrow_mut().as_mut()),
                tcp::SocketBuffer::new(&mut [][..]),
            );
            // When an acknowledgement leaves is decided in `sending`.
            socket.set_ack_delay(None);
            // SYNs have a place for timestamps; `sending` writes them.
            socket.set_tsval_generator(Some(|| 0));
            let mut set = SocketSet::new(Vec::with_capacity(1));
            let handle = set.add(socket);
            Sockets { set, handle }
        }))
    }

    /// Reads from the socket.
    pub(crate) fn get<R>(&self, f: impl FnOnce(&tcp::Socket<'_>) -> R) -> R {
        self.0
            .with_dependent(|_, sockets| f(sockets.set.get(sockets.handle)))
    }

    /// Acts on the socket.
    pub(crate) fn act<R>(&mut self, f: impl FnOnce(&mut tcp::Socket<'_>) -> R) -> R {
        self.0
            .with_dependent_mut(|_, sockets| f(sockets.set.get_mut(sockets.handle)))
    }

    pub(crate) fn state(&self) -> tcp::State {
        self.get(|socket| socket.state())
    }

    /// Feeds the exchange's packet.
    pub(crate) fn ingress(&mut self, iface: &mut Interface, now: Instant, io: &mut Exchange<'_>) {
        self.0.with_dependent_mut(|_, sockets| {
            iface.poll_ingress_single(now, io, &mut sockets.set);
        });
    }

    /// Makes at most one packet.
    pub(crate) fn egress(&mut self, iface: &mut Interface, now: Instant, io: &mut Exchange<'_>) {
        self.0.with_dependent_mut(|_, sockets| {
            iface.poll_egress(now, io, &mut sockets.set);
        });
    }

    /// When smoltcp wants to be polled; the past means now.
    pub(crate) fn poll_at(&mut self, iface: &mut Interface, now: Instant) -> Option<Instant> {
        self.0
            .with_dependent_mut(|_, sockets| iface.poll_at(now, &sockets.set))
    }

    pub(crate) fn into_ring(self) -> Ring {
        self.0.into_owner().into_inner()
    }
}
