use core::sync::atomic::{AtomicU32, Ordering};

use super::{Held, Step, WAITERS, WORD, on_held};

#[test]
fn word_of_another_process_is_stolen() {
    assert_eq!(on_held(7, 8), Step::Steal);
    assert_eq!(on_held(7 | WAITERS, 8), Step::Steal);
}

#[test]
fn word_of_this_process_is_waited_for() {
    assert_eq!(on_held(8, 8), Step::Announce(8 | WAITERS));
    assert_eq!(on_held(8 | WAITERS, 8), Step::Sleep);
}

#[test]
fn threads_exclude_each_other() {
    static INSIDE: AtomicU32 = AtomicU32::new(0);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                for _ in 0..20_000 {
                    let _held = Held::take();
                    assert_eq!(INSIDE.fetch_add(1, Ordering::Relaxed), 0);
                    INSIDE.fetch_sub(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread saw another inside");
    }
    assert_eq!(WORD.load(Ordering::Relaxed), 0);
}
