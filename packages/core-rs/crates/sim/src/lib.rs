//! A virtual network for tests of the stack: a clock that jumps, links that lose, delay, reorder
//! and duplicate by a seed, and pairs of stacks back to back.
//!
//! Nothing sleeps: [`Pair::step`] moves the clock to the next thing that happens. A run is a
//! function of its seeds.
#![forbid(unsafe_code)]

mod link;
mod pair;
mod rng;
mod segment;
mod transfer;

pub use link::{Fault, Link};
pub use pair::{Host, Pair, Side, config, v4, v6};
pub use rng::Rng;
pub use segment::cut;
pub use transfer::{Pattern, Transfer};
