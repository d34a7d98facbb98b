//! Every system call of the service.
//!
//! The only crate below the addon that may use `unsafe`. Each module wraps one kernel interface,
//! takes and returns owned or borrowed fds, and turns -1 into [`std::io::Error`]. It decides
//! nothing.

mod call;

pub mod census;
pub mod clock;
pub mod diag;
pub mod epoll;
pub mod heap;
pub mod netlink;
pub mod netns;
pub mod peer;
pub mod proc_net;
pub mod process;
pub mod slab;
pub mod sockopt;
pub mod tap;
pub mod unix;

#[cfg(test)]
#[path = "../test-support/namespace.rs"]
mod testing;
