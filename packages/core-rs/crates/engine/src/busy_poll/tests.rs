use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use netcon_sys::clock::monotonic_micros;
use netcon_sys::epoll::{Epoll, LEVEL_IN, Waker};

use super::{BusyPoll, MOST_PATIENCE};

fn watched() -> (Epoll, Waker) {
    let (epoll, waker) = (Epoll::new(4).unwrap(), Waker::new().unwrap());
    epoll.add(waker.as_fd(), LEVEL_IN, 1).unwrap();
    (epoll, waker)
}

/// What is ready at once makes it look again, up to a bound.
fn eager(epoll: &mut Epoll, waker: &Waker, longest: i64) -> BusyPoll {
    let mut poll = BusyPoll::new(longest);
    waker.wake();
    for _ in 0..3 * MOST_PATIENCE {
        assert_eq!(poll.wait(epoll, None).unwrap(), 1);
    }
    waker.reset();
    poll
}

#[test]
fn it_looks_first_while_that_pays_and_sleeps_at_once_when_it_did_not() {
    let (mut epoll, waker) = watched();
    let mut poll = eager(&mut epoll, &waker, 1_000_000);
    assert_eq!(poll.patience, MOST_PATIENCE);
    assert!(poll.found > 0);
    poll.longest_micros = 10;
    for left in (0..MOST_PATIENCE).rev() {
        assert_eq!(poll.wait(&mut epoll, Some(20)).unwrap(), 0);
        assert_eq!(poll.patience, left);
    }
    let found = poll.found;
    assert_eq!(poll.wait(&mut epoll, Some(20)).unwrap(), 0);
    assert_eq!((poll.patience, poll.found), (0, found));
}

#[test]
fn what_comes_meanwhile_is_found_and_no_timeout_is_overslept() {
    let (mut epoll, waker) = watched();
    let mut poll = eager(&mut epoll, &waker, 10_000_000);
    let waker = Arc::new(waker);
    let other = Arc::clone(&waker);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(5));
        other.wake();
    });
    let found = poll.found;
    assert_eq!(poll.wait(&mut epoll, None).unwrap(), 1);
    assert_eq!(poll.found, found + 1);
    thread.join().unwrap();
    waker.reset();
    let start = monotonic_micros();
    assert_eq!(poll.wait(&mut epoll, Some(3_000)).unwrap(), 0);
    let took = monotonic_micros() - start;
    assert!((3_000..5_000_000).contains(&took), "{took}");
}

#[test]
fn without_a_look_it_only_sleeps() {
    let (mut epoll, waker) = watched();
    let poll = eager(&mut epoll, &waker, 0);
    assert_eq!((poll.patience, poll.found), (0, 0));
}
