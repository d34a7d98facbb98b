use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};

use super::{
    live_unix_inodes, live_unix_sockets, peer_inode, proc_inodes, socket_inode, unix_socket,
    unix_sockets,
};

#[test]
fn dump_has_each_open_socket_under_its_cookie() {
    let (a, b) = UnixStream::pair().expect("a pair");
    let all = live_unix_sockets().expect("unix_diag");
    assert_eq!(all.get(&cookie(a.as_fd())), Some(&inode(&a)));
    assert_eq!(all.get(&cookie(b.as_fd())), Some(&inode(&b)));
    let gone = cookie(a.as_fd());
    drop((a, b));
    let all = live_unix_sockets().expect("unix_diag");
    assert!(!all.contains_key(&gone), "closed everywhere");
}

#[test]
fn inodes_are_the_same_from_proc() {
    let (a, _b) = UnixStream::pair().expect("a pair");
    assert!(live_unix_inodes().expect("listed").contains(&inode(&a)));
    let text = std::fs::read_to_string("/proc/thread-self/net/unix").expect("procfs");
    assert!(proc_inodes(&text).contains(&inode(&a)));
}

#[test]
fn proc_net_unix_lines_are_parsed() {
    let text = "Num       RefCount Protocol Flags    Type St Inode Path\n\
        0000000000000000: 00000002 00000000 00010000 0001 01 20551 @/tmp/.X11-unix/X0\n\
        0000000000000000: 00000003 00000000 00000000 0001 03 31337\n\
        nonsense\n";
    let mut got: Vec<_> = proc_inodes(text).into_iter().collect();
    got.sort_unstable();
    assert_eq!(got, [20551, 31337]);
}

#[test]
fn peer_is_the_other_end() {
    let (a, b) = UnixStream::pair().expect("a pair");
    assert_eq!(peer_inode(a.as_fd()).expect("a peer"), inode(&b));
    assert_eq!(peer_inode(b.as_fd()).expect("a peer"), inode(&a));
}

#[test]
fn peer_that_is_closed_is_not_connected() {
    let (a, b) = UnixStream::pair().expect("a pair");
    drop(b);
    let error = peer_inode(a.as_fd()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTCONN));
}

#[test]
fn file_is_no_socket() {
    let file = std::fs::File::open("/dev/null").expect("opened");
    let error = socket_inode(file.as_fd()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
}

fn inode(stream: &UnixStream) -> u32 {
    socket_inode(stream.as_fd()).expect("an inode")
}

fn cookie(fd: BorrowedFd<'_>) -> u64 {
    let mut cookie = 0u64;
    let mut len: libc::socklen_t = 8;
    // SAFETY: SO_COOKIE writes 8 bytes (socket(7)); both places are ours.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut len,
        )
    };
    assert_eq!(result, 0);
    cookie
}

#[test]
fn what_is_told_of_a_socket_tells_it_from_another() {
    let path = std::env::temp_dir().join(format!("netcon-diag-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a listener");
    let (stream, _peer) = UnixStream::pair().expect("a pair");
    let all = unix_sockets().expect("unix_diag");
    // SAFETY: geteuid(2) always succeeds.
    let uid = unsafe { libc::geteuid() };
    let file = std::fs::metadata(&path).expect("the file").ino();
    let found = all[&cookie(listener.as_fd())];
    assert!(found.is_listening && found.is_stream);
    assert_eq!(
        (found.uid, found.file.map(u64::from)),
        (uid, Some(file & 0xffff_ffff))
    );
    assert_eq!(
        unix_socket(listener.as_fd()).expect("told"),
        (cookie(listener.as_fd()), found)
    );
    let found = all[&cookie(stream.as_fd())];
    assert!(!found.is_listening);
    assert_eq!((found.uid, found.file), (uid, None));
    assert_eq!(found.inode, inode(&stream));
    std::fs::remove_file(&path).expect("removed");
}
