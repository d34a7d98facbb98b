//! What each call means for netcon's sockets.
//!
//! An operation takes what the program passed and returns a [`crate::detour::Detour`]. It never
//! touches errno. Pointers are the program's and are only followed through [`crate::user`] or by
//! the kernel.

pub(crate) mod accept;
pub(crate) mod bind;
pub(crate) mod bypass;
pub(crate) mod connect;
pub(crate) mod data;
pub(crate) mod datagrams;
pub(crate) mod exec;
pub(crate) mod fds;
pub(crate) mod interfaces;
pub(crate) mod message;
pub(crate) mod names;
pub(crate) mod options;
pub(crate) mod queues;
pub(crate) mod shutdown;
pub(crate) mod socket;
pub(crate) mod target;
