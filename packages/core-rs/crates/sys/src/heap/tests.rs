use super::trim;

#[test]
fn trim_gives_back_what_lies_free_below_something_in_use() {
    let mut small: Vec<Vec<u8>> = (0..64 << 10).map(|_| vec![1; 1 << 10]).collect();
    let last = small.pop();
    drop(small);
    let before = resident();
    trim();
    let after = resident();
    assert!(before - after > 32 << 20, "{before} {after}");
    drop(last);
}

/// Bytes of the process in memory, proc_pid_statm(5).
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("proc");
    let pages = text.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
    pages.expect("a number") * 4096
}
