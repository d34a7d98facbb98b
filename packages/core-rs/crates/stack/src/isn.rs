//! Initial sequence numbers by RFC 6528: a clock of 4 us plus a keyed hash of the four-tuple.
//!
//! smoltcp takes a connection's number from the PCG32 generator of its [`Interface`]: predictable
//! after a few samples, and with no way to choose. The generator is invertible, though, and an
//! `Interface` is a few hundred bytes without heap: for each handshake a throw-away one is made
//! whose seed makes it draw exactly the number we want. That ties us to smoltcp =0.14.0; a test
//! fails when its generator changes.

use smoltcp::iface::{Config, Interface};
use smoltcp::phy::Device;
use smoltcp::time::Instant;
use smoltcp::wire::HardwareAddress;

use crate::flow::FlowKey;
use crate::hash::SipKey;
use crate::seq::Seq;

/// smoltcp's generator: `state = state * MUL + ADD`, output `state >> (29 - (state >> 61))`.
const MUL: u64 = 0xbb2e_fcec_3c39_611d;
const ADD: u64 = 0x7590_ef39;
/// The inverse of `MUL` modulo 2^64.
const INVERSE: u64 = inverse(MUL);

/// The number for a connection at a time (RFC 6528 section 3).
pub(crate) fn initial(key: &SipKey, flow: &FlowKey, now: Instant) -> Seq {
    #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32 on purpose")]
    #[expect(clippy::cast_sign_loss, reason = "modulo 2^32 on purpose")]
    let clock = (now.total_micros() / 4) as u32;
    #[expect(clippy::cast_possible_truncation, reason = "32 bits of the hash")]
    let offset = key.hash(&flow.words()) as u32;
    Seq(clock.wrapping_add(offset))
}

/// An interface whose next connection starts at `isn`. It knows no address and takes packets for
/// any: what is for us was decided before.
pub(crate) fn interface(isn: Seq, device: &mut impl Device, now: Instant) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = seed(isn);
    let mut iface = Interface::new(config, device, now);
    iface.set_any_ip(true);
    iface
}

/// The seed after which the second draw is `isn`; the first goes to the IPv4 identification.
fn seed(isn: Seq) -> u64 {
    let mut low = 0u64;
    loop {
        // The top three bits are zero, so the output is shifted by 29: low bits are free.
        let second = u64::from(isn.0) << 29 | low;
        let first = step_back(second);
        // smoltcp draws again while the identification is zero; avoid that (1 seed in 65,536).
        if identification(first) != 0 {
            return step_back(first);
        }
        low += 1;
    }
}

const fn step_back(state: u64) -> u64 {
    state.wrapping_sub(ADD).wrapping_mul(INVERSE)
}

fn identification(state: u64) -> u32 {
    let shift = 29 - (state >> 61);
    let draw = state >> shift & 0xffff_ffff;
    u32::try_from((draw ^ draw >> 16) & 0xffff).unwrap_or(0)
}

/// Newton's iteration: each round doubles the number of right bits.
const fn inverse(odd: u64) -> u64 {
    let mut x = odd;
    let mut round = 0;
    while round < 6 {
        x = x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x)));
        round += 1;
    }
    x
}

#[cfg(test)]
mod tests;
