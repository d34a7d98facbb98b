use std::fs;
use std::path::PathBuf;

use super::*;

fn dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("netcon-records-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir).unwrap();
    dir
}

fn record(cookie: u64) -> Record {
    Record::Socket(socket(cookie))
}

fn socket(cookie: u64) -> SocketRecord {
    SocketRecord {
        cookie,
        token: !cookie,
        slot: 7,
        pid: 4711,
        backlog: -1,
        family: Family::Inet6,
        bound: SockAddr {
            ip: "fe80::1".parse().unwrap(),
            port: 80,
            scope: 3,
        },
        options: vec![(1, 2, vec![1, 0, 0, 0]), (1, 20, Vec::new())],
    }
}

#[test]
fn what_is_put_is_found_by_the_next_and_what_is_cleared_is_not() {
    let dir = dir("put");
    let (mut first, found) = Records::open(&dir, 10).unwrap();
    assert!(found.is_empty());
    let v4 = Record::Socket(SocketRecord {
        bound: SockAddr::new("10.77.0.2".parse().unwrap(), 1),
        ..socket(1)
    });
    let member = Record::Member(Member {
        pid: 1,
        started: 1 << 40,
    });
    let indices = [&record(1), &record(2), &member].map(|r| first.put(None, r).unwrap());
    first.clear(indices[1]);
    assert_eq!(first.put(Some(indices[0]), &v4).unwrap(), indices[0]);
    let (mut second, found) = Records::open(&dir, 10).unwrap();
    assert_eq!(found, [(indices[0], v4), (indices[2], member)]);
    assert_eq!(second.instance, first.instance.wrapping_add(1));
    // The slot that was cleared is used before the file grows.
    assert_eq!(second.put(None, &record(4)).unwrap(), indices[1]);
    assert_eq!(
        Records::open(&dir, 1).unwrap().1.len(),
        1,
        "no more than asked for"
    );
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn damaged_slot_is_no_record_and_another_boots_file_has_none() {
    let dir = dir("damage");
    let (mut records, _) = Records::open(&dir, 10).unwrap();
    let index = records.put(None, &record(1)).unwrap();
    records.put(None, &record(2)).unwrap();
    let path = dir.join(FILE);
    let whole = fs::read(&path).unwrap();
    let at = index as usize * SLOT;
    for change in [at, at + 8, at + PREFIX, at + PREFIX + 20] {
        let mut bytes = whole.clone();
        bytes[change] ^= 0x40;
        fs::write(&path, bytes).unwrap();
        let (_, found) = Records::open(&dir, 10).unwrap();
        assert_eq!(found.len(), 1, "byte {change}");
        assert_eq!(found[0].1, record(2));
    }
    let mut other = whole.clone();
    other[HEAD.len() + 2] ^= 1;
    for bytes in [&other[..], &[0; 5000], &whole[..20], b""] {
        fs::write(&path, bytes).unwrap();
        assert!(Records::open(&dir, 10).unwrap().1.is_empty());
    }
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn more_options_than_fit_leave_a_record() {
    let mut big = socket(1);
    big.options = vec![(1, 1, vec![0; 200]); 10];
    let bytes = encode(&Record::Socket(big.clone()));
    assert!(bytes.len() <= SLOT);
    big.options.truncate(4);
    assert_eq!(decode(&bytes), Some(Record::Socket(big)));
}
