//! Who has ring memory, and when it goes back.

use std::sync::{Arc, Mutex};

use smoltcp::time::Duration;

use super::*;
use crate::ring::{Ring, RingBytes, RingPages, RingSource};

const RING: usize = 2 << 20;
/// More than quiet connections may keep.
const MUCH: usize = 600 << 10;
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn send_ring_has_memory_only_while_octets_wait() {
    let (mut puppet, mut talk, books) = established();
    assert_eq!(books.get(|b| b.lent), 1, "that of the receive ring");
    write(&mut puppet, &talk, b"hello").expect("written");
    assert_eq!(books.get(|b| b.lent), 2);
    talk.ack = talk.ack.plus(4);
    puppet.packet(&talk.segment(ACK, b""));
    assert_eq!(books.get(|b| b.lent), 2, "an octet waits");
    talk.ack = talk.ack.plus(1);
    puppet.packet(&talk.segment(ACK, b""));
    assert_eq!(books.get(|b| (b.lent, b.touched)), (1, 5));
    write(&mut puppet, &talk, b"again").expect("written");
    assert_eq!(books.get(|b| b.lent), 2);
}

#[test]
fn write_of_nothing_takes_no_memory() {
    let (mut puppet, talk, books) = established();
    write(&mut puppet, &talk, b"").expect("written");
    assert_eq!(books.get(|b| b.lent), 1);
}

#[test]
fn write_without_memory_fails_and_says_so() {
    let (mut puppet, talk, books) = established();
    books.change(|b| b.short = true);
    assert_eq!(
        write(&mut puppet, &talk, b"hello"),
        Err(IoError::NoMemory),
        "an empty slice would look like a full ring"
    );
    books.change(|b| b.short = false);
    assert_eq!(write(&mut puppet, &talk, b"hello"), Ok(5));
}

#[test]
fn end_of_a_connection_gives_both_rings_back() {
    let (mut puppet, mut talk, books) = established();
    receive(&mut puppet, &mut talk, 10_000);
    read(&mut puppet, &talk);
    write(&mut puppet, &talk, b"hello").expect("written");
    puppet.stack.abort(talk.pcb());
    puppet.turn();
    assert_eq!(books.get(|b| (b.lent, b.touched)), (0, 10_005));
}

#[test]
fn receive_ring_that_is_quiet_gives_its_pages_back() {
    let (mut puppet, mut talk, books) = established();
    receive(&mut puppet, &mut talk, MUCH);
    read(&mut puppet, &talk);
    puppet.turn();
    let wake = puppet
        .stack
        .poll_timeout()
        .expect("something is to be done");
    assert!(wake <= puppet.now + SECOND);
    puppet.pass(SECOND);
    assert_eq!(books.get(|b| b.given_back), 1);
    assert_eq!(puppet.stack.poll_timeout(), None, "and nothing after it");
    // It is usable as before, and goes back again only when it was.
    puppet.pass(SECOND);
    receive(&mut puppet, &mut talk, MUCH);
    read(&mut puppet, &talk);
    puppet.pass(SECOND);
    assert_eq!(books.get(|b| b.given_back), 2);
}

#[test]
fn receive_ring_in_use_keeps_its_pages() {
    let (mut puppet, mut talk, books) = established();
    receive(&mut puppet, &mut talk, MUCH);
    for _ in 0..20 {
        read(&mut puppet, &talk);
        puppet.pass(Duration::from_millis(100));
        receive(&mut puppet, &mut talk, 1000);
    }
    assert_eq!(books.get(|b| b.given_back), 0);
}

#[test]
fn large_ring_in_use_gives_its_pages_back_where_all_have_much() {
    let (mut puppet, mut talk, books) = established();
    puppet.stack.warm.much = MUCH / 2;
    for round in 1..4 {
        receive(&mut puppet, &mut talk, MUCH);
        puppet.pass(Duration::from_millis(1));
        assert_eq!(books.get(|b| b.given_back), round - 1, "octets wait in it");
        read(&mut puppet, &talk);
        puppet.pass(Duration::from_millis(1));
        assert_eq!(books.get(|b| b.given_back), round);
    }
    for _ in 0..20 {
        receive(&mut puppet, &mut talk, 1000);
        read(&mut puppet, &talk);
        puppet.pass(Duration::from_millis(1));
    }
    assert_eq!(books.get(|b| b.given_back), 3, "not for so little");
}

#[test]
fn few_pages_stay_and_cost_no_wake_up() {
    let (mut puppet, mut talk, books) = established();
    receive(&mut puppet, &mut talk, 100 << 10);
    read(&mut puppet, &talk);
    puppet.pass(SECOND);
    assert_eq!(books.get(|b| b.given_back), 0);
    assert_eq!(puppet.stack.poll_timeout(), None);
}

#[test]
fn receive_ring_with_unread_octets_keeps_them_without_a_wake_up() {
    let (mut puppet, mut talk, books) = established();
    receive(&mut puppet, &mut talk, MUCH);
    puppet.pass(SECOND);
    assert_eq!(books.get(|b| b.given_back), 0);
    assert_eq!(puppet.stack.poll_timeout(), None);
    read(&mut puppet, &talk);
    puppet.pass(SECOND);
    assert_eq!(books.get(|b| b.given_back), 1);
}

#[test]
fn receive_ring_with_octets_out_of_order_keeps_them() {
    let (mut puppet, mut talk, books) = established();
    receive(&mut puppet, &mut talk, MUCH);
    read(&mut puppet, &talk);
    puppet.packet(&talk.at(talk.seq.plus(3), ACK, b"lo"));
    puppet.pass(SECOND);
    assert_eq!(
        books.get(|b| b.given_back),
        0,
        "two octets lie behind a gap"
    );
    puppet.packet(&talk.segment(ACK, b"hel"));
    talk.seq = talk.seq.plus(5);
    assert_eq!(read(&mut puppet, &talk), b"hello");
    puppet.pass(SECOND);
    assert_eq!(books.get(|b| b.given_back), 1);
}

#[test]
fn free_memory_in_excess_is_let_go_once_it_is_quiet() {
    let (mut puppet, mut talk, books) = established();
    books.change(|b| b.excess = true);
    write(&mut puppet, &talk, b"hello").expect("written");
    talk.ack = talk.ack.plus(5);
    puppet.packet(&talk.segment(ACK, b""));
    puppet.pass(Duration::from_millis(300));
    assert!(books.get(|b| b.excess), "it was in use just now");
    puppet.pass(SECOND);
    assert!(!books.get(|b| b.excess));
    assert_eq!(puppet.stack.poll_timeout(), None);
}

#[test]
fn list_of_quiet_rings_does_not_grow_with_connections_that_have_ended() {
    let (mut puppet, mut talk, _) = established();
    puppet.listen(Family::Inet, 81);
    for port in 5000..6000 {
        receive(&mut puppet, &mut talk, 1);
        read(&mut puppet, &talk);
        let mut short = Conversation::new(Family::Inet, port, 81);
        puppet.packet(&short.syn());
        let syn_ack = puppet.segments().pop().expect("SYN-ACK");
        (short.seq, short.ack) = (short.seq.plus(1), syn_ack.seq.plus(1));
        puppet.packet(&short.segment(ACK, b"x"));
        puppet.stack.abort(puppet.incoming().expect("accepted"));
        puppet.turn();
        puppet.events.clear();
        puppet.pass(Duration::from_millis(1));
    }
    assert!(puppet.stack.warm.len() < 200);
}

/// What became of the memory.
#[derive(Default)]
struct Books {
    lent: usize,
    /// As the stack says when it gives a ring back, in all.
    touched: usize,
    given_back: usize,
    short: bool,
    excess: bool,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Books>>);

impl Shared {
    fn get<R>(&self, look: impl FnOnce(&Books) -> R) -> R {
        look(&self.0.lock().expect("books"))
    }

    fn change(&self, change: impl FnOnce(&mut Books)) {
        change(&mut self.0.lock().expect("books"));
    }
}

struct Accounted(Vec<u8>, Shared);

impl RingBytes for Accounted {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn pages(&self) -> Option<Box<dyn RingPages>> {
        Some(Box::new(self.1.clone()))
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any + Send> {
        self
    }
}

impl RingPages for Shared {
    fn give_back(&self) {
        self.change(|books| books.given_back += 1);
    }
}

impl RingSource for Shared {
    fn take(&mut self, len: usize) -> Option<Ring> {
        if self.get(|books| books.short) {
            return None;
        }
        self.change(|books| books.lent += 1);
        Some(Ring::new(Accounted(vec![0; len], self.clone())))
    }

    fn give(&mut self, ring: Ring, touched: usize) {
        drop(ring);
        self.change(|books| {
            books.lent -= 1;
            books.touched += touched;
        });
    }

    fn excess(&self) -> bool {
        self.get(|books| books.excess)
    }

    fn trim(&mut self) {
        self.change(|books| books.excess = false);
    }
}

fn established() -> (Puppet, Conversation, Shared) {
    let books = Shared::default();
    let mut puppet = Puppet::with_rings(Box::new(books.clone()), |config| config.ring = RING);
    let talk = puppet.established(Family::Inet);
    (puppet, talk, books)
}

/// That many octets come, and stay unread.
fn receive(puppet: &mut Puppet, talk: &mut Conversation, len: usize) {
    let payload = vec![b'x'; len];
    for piece in payload.chunks(1400) {
        puppet.packet(&talk.segment(ACK, piece));
        talk.seq = talk.seq.plus(u32::try_from(piece.len()).expect("a piece"));
    }
    puppet.sent.clear();
}

fn read(puppet: &mut Puppet, talk: &Conversation) -> Vec<u8> {
    let mut all = Vec::new();
    while puppet.stack.recv_queue(talk.pcb()) > 0 {
        let piece = puppet
            .stack
            .read_with(talk.pcb(), |data| (data.len(), data.to_vec()))
            .expect("readable");
        all.extend(piece);
    }
    all
}

fn write(puppet: &mut Puppet, talk: &Conversation, data: &[u8]) -> Result<usize, IoError> {
    let wrote = puppet.stack.write_with(talk.pcb(), |free| {
        let len = data.len().min(free.len());
        free[..len].copy_from_slice(&data[..len]);
        (len, len)
    });
    puppet.turn();
    wrote
}
