use super::{SlabPool, page_size};

const MIB: usize = 1 << 20;

#[test]
fn fresh_slab_is_zero_and_writable_to_its_end() {
    let mut pool = SlabPool::new(MIB, 1);
    let mut slab = pool.take().expect("memory");
    assert_eq!(slab.len(), MIB);
    assert!(slab.iter().all(|&b| b == 0));
    slab[MIB - 1] = 7;
    assert_eq!(slab[MIB - 1], 7);
}

#[test]
fn length_is_rounded_to_pages() {
    let pool = SlabPool::new(1, 1);
    assert_eq!(pool.slab_len(), page_size());
}

#[test]
fn untouched_pages_cost_nothing() {
    let mut pool = SlabPool::new(64 * MIB, 0);
    let mut slab = pool.take().expect("memory");
    slab[0] = 1;
    slab[32 * MIB] = 1;
    assert_eq!(resident_pages(&slab), 2, "no huge pages either");
}

#[test]
fn slabs_beyond_the_warm_ones_return_their_pages() {
    let mut pool = SlabPool::new(MIB, 1);
    let mut first = pool.take().expect("memory");
    let mut second = pool.take().expect("memory");
    first.fill(1);
    second.fill(2);
    pool.give(first);
    pool.give(second);
    let warm = pool.take().expect("memory");
    assert_eq!(warm[0], 1, "kept as it was");
    let cold = pool.take().expect("memory");
    assert_eq!(resident_pages(&cold), 0);
    assert_eq!(cold[0], 0, "the kernel took the old bytes (MADV_DONTNEED)");
}

#[test]
fn slab_of_another_pool_is_not_kept() {
    let mut large = SlabPool::new(2 * MIB, 1);
    let mut small = SlabPool::new(MIB, 1);
    small.give(large.take().expect("memory"));
    assert_eq!(small.take().expect("memory").len(), MIB);
}

#[test]
fn slab_moves_between_threads() {
    let mut slab = SlabPool::new(MIB, 1).take().expect("memory");
    slab[0] = 1;
    let back = std::thread::spawn(move || slab[0]).join().expect("joined");
    assert_eq!(back, 1);
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
