use super::{Keep, SlabPool, page_size};

const MIB: usize = 1 << 20;

#[test]
fn fresh_slab_is_zero_and_writable_to_its_end() {
    let mut pool = SlabPool::new(MIB, keep(MIB, MIB));
    let mut slab = pool.take().expect("memory");
    assert_eq!(slab.len(), MIB);
    assert!(slab.iter().all(|&b| b == 0));
    slab[MIB - 1] = 7;
    assert_eq!(slab[MIB - 1], 7);
}

#[test]
fn length_is_rounded_to_pages() {
    let pool = SlabPool::new(1, keep(0, 0));
    assert_eq!(pool.slab_len(), page_size());
}

#[test]
fn untouched_pages_cost_nothing() {
    let mut pool = SlabPool::new(64 * MIB, keep(0, 0));
    let mut slab = pool.take().expect("memory");
    slab[0] = 1;
    slab[32 * MIB] = 1;
    assert_eq!(resident_pages(&slab), 2, "no huge pages either");
}

#[test]
fn give_keeps_touched_pages_up_to_the_limit_and_the_newest_first() {
    let mut pool = SlabPool::new(MIB, keep(MIB, 0));
    let (mut first, mut second) = (pool.take().expect("memory"), pool.take().expect("memory"));
    first.fill(1);
    second.fill(2);
    pool.give(first, MIB);
    pool.give(second, MIB);
    let warm = pool.take().expect("memory");
    assert_eq!(warm[0], 2, "kept as it was");
    let cold = pool.take().expect("memory");
    assert_eq!(resident_pages(&cold), 0);
    assert_eq!(cold[0], 0, "the kernel took the old bytes (MADV_DONTNEED)");
}

#[test]
fn give_of_many_slabs_with_a_page_each_keeps_them_all() {
    let mut pool = SlabPool::new(MIB, keep(64 * page_size(), 0));
    let slabs: Vec<_> = (0..64).map(|_| pool.take().expect("memory")).collect();
    for mut slab in slabs {
        slab[0] = 1;
        pool.give(slab, 1);
    }
    for _ in 0..64 {
        assert_eq!(pool.take().expect("memory")[0], 1);
    }
}

#[test]
fn trim_leaves_what_a_quiet_pool_keeps() {
    let mut pool = SlabPool::new(MIB, keep(64 * MIB, page_size()));
    let (mut large, mut small) = (pool.take().expect("memory"), pool.take().expect("memory"));
    large.fill(1);
    small[0] = 2;
    pool.give(large, MIB);
    pool.give(small, 1);
    assert!(pool.excess());
    pool.trim();
    assert!(!pool.excess());
    assert_eq!(pool.take().expect("memory")[0], 2, "a page is kept");
    assert_eq!(resident_pages(&pool.take().expect("memory")), 0);
}

#[test]
fn slab_says_what_an_earlier_owner_has_left() {
    let mut pool = SlabPool::new(MIB, keep(64 * MIB, MIB / 2));
    let mut slab = pool.take().expect("memory");
    assert_eq!(slab.touched(), 0);
    slab.fill(1);
    pool.give(slab, MIB - 1);
    assert_eq!(pool.take().expect("memory").touched(), MIB);
}

#[test]
fn pages_of_a_slab_in_use_can_be_given_back() {
    let mut pool = SlabPool::new(MIB, keep(0, 0));
    let mut slab = pool.take().expect("memory");
    slab.fill(1);
    slab.pages().give_back().expect("madvise");
    assert_eq!(resident_pages(&slab), 0);
    slab[MIB - 1] = 1;
    assert_eq!(resident_pages(&slab), 1, "and it is usable as before");
}

#[test]
fn pages_outlive_their_slab() {
    let mut pool = SlabPool::new(MIB, keep(0, 0));
    let pages = pool.take().expect("memory").pages();
    drop(pool);
    pages
        .give_back()
        .expect("the range is mapped until both are gone");
}

#[test]
fn slab_of_another_pool_is_not_kept() {
    let mut large = SlabPool::new(2 * MIB, keep(MIB, MIB));
    let mut small = SlabPool::new(MIB, keep(MIB, MIB));
    small.give(large.take().expect("memory"), 0);
    assert_eq!(small.take().expect("memory").len(), MIB);
}

#[test]
fn slab_moves_between_threads() {
    let mut slab = SlabPool::new(MIB, keep(MIB, MIB)).take().expect("memory");
    slab[0] = 1;
    let back = std::thread::spawn(move || slab[0]).join().expect("joined");
    assert_eq!(back, 1);
}

fn keep(busy: usize, quiet: usize) -> Keep {
    Keep { busy, quiet }
}

fn resident_pages(slab: &[u8]) -> usize {
    let mut pages = vec![0u8; slab.len() / page_size()];
    // SAFETY: mincore(2) reads no memory; it writes one byte a page into `pages`, which is as long.
    let result = unsafe {
        libc::mincore(
            slab.as_ptr().cast_mut().cast(),
            slab.len(),
            pages.as_mut_ptr(),
        )
    };
    assert_eq!(result, 0);
    pages.iter().filter(|&&page| page & 1 != 0).count()
}
