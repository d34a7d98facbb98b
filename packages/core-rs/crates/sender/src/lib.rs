//! The sending half of TCP, without I/O: octets, acknowledgements and the time go in; segments to send and the
//! next deadline come out.
//!
//! A [`Sender`] keeps what a program has written until the peer has acknowledged it, and decides what leaves and
//! when: loss detection by RACK-TLP (RFC 8985) over a SACK scoreboard (RFC 2018, 2883, 6675), timeouts
//! (RFC 6298), proportional rate reduction (RFC 6937), retransmissions taken back (RFC 5682, DSACK), congestion
//! control ([`Algorithm`]), pacing, the peer's window and its probes (RFC 9293 3.8.6), Nagle's algorithm.
//!
//! It knows no header, no address, no state of the connection: the owner makes segments of what [`Sender::poll_transmit`]
//! gives. Positions count octets from the first one written; a FIN takes one more at the end. Why and how:
//! `docs/internals/recovery.md`.
#![forbid(unsafe_code)]

mod buffer;
mod cc;
mod info;
mod mtu;
mod number;
mod pacer;
mod prr;
mod rack;
mod rate;
mod rtt;
mod scoreboard;
mod sender;
mod time;

pub use cc::Algorithm;
pub use info::{Info, Stats};
pub use sender::{Ack, Handshake, Segment, Sender, Verdict};
pub use time::{Span, Time};
