//! The event loop: one thread that ties programs' unix sockets to the stack's PCBs and the stack
//! to a link.
//!
//! It knows sessions (RPC channels), the table of sockets and the data path between them. It does
//! not know policy: a HELLO is handed out as an [`Event`] and answered by a command. How and why:
//! docs/internals/engine.md.
#![forbid(unsafe_code)]

mod accept;
mod busy_poll;
mod channels;
pub mod client;
mod command;
mod config;
mod connect;
mod datagrams;
mod direct;
mod engine;
mod error;
mod interfaces;
mod links;
mod members;
mod native;
mod open;
mod options;
mod questions;
mod readopt;
mod ready;
mod reap;
mod records;
mod rpc;
mod sessions;
mod show;
mod sockopts;
mod stream;
mod table;
mod tcp_info;
mod token;

pub use command::{Command, Handle};
pub use config::{Config, Fault, TapConfig, TapReport};
pub use engine::{Engine, Event};
pub use error::OpenError;
pub use netcon_link::Faults;
pub use netcon_stack::{Algorithm, SenderInfo, Span};
pub use netcon_wire::{Family, SockAddr, SocketKind};
pub use questions::AskedQuestion;
pub use sessions::{Hello, SessionId};
pub use show::{SessionRow, SocketRow, Status};
