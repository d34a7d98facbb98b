use super::{LEAST, SendBuffer};

fn lent(all: usize) -> SendBuffer<Vec<u8>> {
    let mut buffer = SendBuffer::new(all);
    buffer.lend(vec![0; all]).expect("it has none");
    buffer
}

fn filled(len: usize, from: u8) -> Vec<u8> {
    (0..=250u8)
        .cycle()
        .map(|n| from.wrapping_add(n))
        .take(len)
        .collect()
}

fn write_all(buffer: &mut SendBuffer<Vec<u8>>, data: &[u8]) -> usize {
    let mut done = 0;
    loop {
        let (wrote, ()) = buffer.write(|free| {
            let len = free.len().min(data.len() - done);
            free[..len].copy_from_slice(&data[done..done + len]);
            (len, ())
        });
        if wrote == 0 {
            return done;
        }
        done += wrote;
    }
}

fn read(buffer: &SendBuffer<Vec<u8>>, at: u64, len: usize) -> Vec<u8> {
    let (a, b) = buffer.read(at, len);
    [a, b].concat()
}

#[test]
fn small_memory_is_used_to_its_last_octet_and_wraps() {
    let mut buffer = lent(100);
    assert_eq!(write_all(&mut buffer, &filled(120, 0)), 100);
    buffer.release(70);
    assert_eq!(write_all(&mut buffer, &filled(50, 9)), 50);
    assert_eq!(buffer.end(), 150);
    let want = [&filled(120, 0)[70..100], &filled(50, 9)[..]].concat();
    assert_eq!(read(&buffer, 70, 80), want);
    assert_eq!(read(&buffer, 95, 20), want[25..45]);
}

#[test]
fn ring_grows_when_the_limit_does_and_keeps_what_waits() {
    let mut buffer = lent(4 * LEAST);
    let data = filled(LEAST, 3);
    assert_eq!(
        write_all(&mut buffer, &data),
        LEAST,
        "the limit, not the memory"
    );
    buffer.release(10);
    buffer.set_limit(3 * LEAST as u64);
    assert_eq!(buffer.capacity(), 3 * LEAST);
    assert_eq!(write_all(&mut buffer, &filled(LEAST, 7)), LEAST);
    assert_eq!(read(&buffer, 10, LEAST - 10), data[10..]);
    assert_eq!(read(&buffer, LEAST as u64, LEAST), filled(LEAST, 7));
}

#[test]
fn ring_that_lies_across_its_end_grows_when_it_no_longer_does() {
    let mut buffer = lent(4 * LEAST);
    write_all(&mut buffer, &filled(LEAST, 0));
    buffer.release(1000);
    assert_eq!(
        write_all(&mut buffer, &filled(1000, 50)),
        1000,
        "across the end"
    );
    buffer.set_limit(2 * LEAST as u64);
    assert_eq!(buffer.free(), 0, "no room before it is straight");
    buffer.release(LEAST as u64 + 10);
    buffer.set_limit(2 * LEAST as u64);
    assert_eq!(buffer.capacity(), 2 * LEAST);
    assert_eq!(
        read(&buffer, LEAST as u64 + 10, 990),
        filled(1000, 50)[10..]
    );
}

#[test]
fn empty_ring_begins_at_its_start_again() {
    let mut buffer = lent(64);
    write_all(&mut buffer, &filled(40, 0));
    buffer.release(40);
    let ((), contiguous) = (
        (),
        buffer.write(|free| {
            let len = free.len();
            (0, len)
        }),
    );
    assert_eq!(contiguous.1, 64);
    assert_eq!(buffer.end(), 40, "positions go on");
}

#[test]
fn ring_without_memory_has_room_and_offers_none() {
    let mut buffer = SendBuffer::<Vec<u8>>::new(64);
    assert_eq!(buffer.free(), 64);
    assert_eq!(write_all(&mut buffer, &[1; 10]), 0);
    assert!(buffer.lend(vec![0; 63]).is_err(), "not what was said");
    buffer.lend(vec![0; 64]).expect("it has none");
    assert!(buffer.lend(vec![0; 64]).is_err(), "it has some");
    assert_eq!(write_all(&mut buffer, &[1; 10]), 10);
}

#[test]
fn empty_ring_gives_its_memory_back_and_says_how_much_was_written() {
    let mut buffer = lent(64);
    write_all(&mut buffer, &filled(40, 0));
    buffer.release(39);
    assert!(buffer.reclaim().is_none(), "an octet waits");
    buffer.release(40);
    let (memory, touched) = buffer.reclaim().expect("empty");
    assert_eq!(touched, 40);
    assert_eq!(buffer.read(40, 0), (&[][..], &[][..]));
    buffer.lend(memory).expect("it has none");
    write_all(&mut buffer, &filled(10, 5));
    assert_eq!(read(&buffer, 40, 10), filled(10, 5), "positions go on");
}
