use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::{CaptureLink, PcapWriter};
use crate::testing::ScriptedLink;
use crate::{Link, TxOffload};

const FRAME: [u8; 60] = [0x11; 60];

#[test]
fn file_is_laid_out_as_pcap() {
    let mut pcap = PcapWriter::new(Vec::new()).expect("a vector takes all");
    pcap.write(1_700_000_000_000_123, b"abc").expect("written");
    let mut want = Vec::new();
    want.extend_from_slice(&0xa1b2_c3d4u32.to_ne_bytes());
    want.extend_from_slice(&2u16.to_ne_bytes());
    want.extend_from_slice(&4u16.to_ne_bytes());
    for word in [0u32, 0, 262_144, 1, 1_700_000_000, 123, 3, 3] {
        want.extend_from_slice(&word.to_ne_bytes());
    }
    want.extend_from_slice(b"abc");
    assert_eq!(pcap.into_inner(), want);
}

#[test]
fn both_directions_are_recorded_and_passed_on() {
    let file = std::env::temp_dir().join(format!("netcon-capture-{}", std::process::id()));
    let inner = ScriptedLink::default();
    let mut link = CaptureLink::create(inner.clone(), &file).expect("created");
    let mode = std::fs::metadata(&file)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "for its owner only");

    inner.receives(&FRAME);
    let mut buf = [0; 128];
    let (_, len) = link.recv(&mut buf).expect("received").expect("a frame");
    assert_eq!(buf[..len], FRAME);
    link.send(&TxOffload::default(), &FRAME).expect("sent");
    assert_eq!(inner.take_sent(), [FRAME]);
    assert_eq!(link.recv(&mut buf).expect("received"), None);
    let due = link.poll_timeout().expect("something to write");
    link.handle_timeout(due);
    assert_eq!(link.poll_timeout(), None, "all written");
    let len = std::fs::metadata(&file).expect("there").len();
    assert_eq!(len, 24 + 2 * (16 + 60), "header and two records");

    if let Ok(output) = Command::new("tcpdump").arg("-nr").arg(&file).output() {
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            text.lines()
                .filter(|l| l.contains("11:11:11:11:11:11"))
                .count(),
            2,
            "{text}"
        );
    }
    std::fs::remove_file(&file).expect("removed");
}

#[test]
fn records_reach_the_file_within_the_tenth_of_a_second() {
    let mut link = CaptureLink::new(ScriptedLink::default(), Vec::new(), || 0).expect("created");
    link.handle_timeout(1_000);
    assert_eq!(link.poll_timeout(), None, "idle");
    link.send(&TxOffload::default(), &FRAME).expect("sent");
    link.handle_timeout(50_000);
    link.send(&TxOffload::default(), &FRAME).expect("sent");
    assert_eq!(link.poll_timeout(), Some(101_000), "counted from the first");
    link.handle_timeout(101_000);
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn full_disk_stops_the_capture_and_not_the_link() {
    let inner = ScriptedLink::default();
    let mut link = CaptureLink::new(inner.clone(), Full { room: 30 }, || 0).expect("room so far");
    for _ in 0..2 {
        link.send(&TxOffload::default(), &FRAME).expect("sent");
    }
    assert_eq!(inner.take_sent().len(), 2);
    let warning = link.take_warning().expect("a warning");
    assert!(warning.starts_with("capture stopped: "), "{warning}");
    assert_eq!(link.take_warning(), None, "once");
}

struct Full {
    room: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
