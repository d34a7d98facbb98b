use super::*;

#[test]
fn filled_socket_is_not_writable_until_released() {
    let bytes = find_fill().unwrap();
    let (program, end) = unix::pair(Kind::Stream).unwrap();
    let before = fill(program.as_fd(), bytes).unwrap();
    assert!(unix::send(program.as_fd(), b"x").is_err());
    release(Some((program.as_fd(), before)), end.as_fd(), bytes).unwrap();
    assert_eq!(sockopt::send_buffer(program.as_fd()).unwrap(), before);
    assert_eq!(unix::send(program.as_fd(), b"x").unwrap(), 1);
    assert_eq!(unix::peek(end.as_fd()).unwrap(), 1);
}

#[test]
fn probe_tells_a_live_listener_from_a_dead_one_and_leaves_its_queue_alone() {
    let dir = std::env::temp_dir().join(format!("netcon-native-{}", std::process::id()));
    let native = Native::new(&dir).unwrap();
    let path = native.listener_path(1, 2);
    let listener = unix::socket(Kind::Stream, true).unwrap();
    native.listen(listener.as_fd(), &path, 1).unwrap();
    assert!(native.is_alive(&path));
    assert!(unix::accept(listener.as_fd()).is_err());
    drop(listener);
    assert!(!native.is_alive(&path));
    native.cleanup();
}

#[test]
fn long_directory_is_named_by_its_descriptor() {
    let dir = std::env::temp_dir()
        .join(format!("netcon-native-long-{}", std::process::id()))
        .join("d".repeat(100));
    let native = Native::new(&dir).unwrap();
    let path = native.listener_path(u32::MAX, u64::MAX);
    let listener = unix::socket(Kind::Stream, true).unwrap();
    native.listen(listener.as_fd(), &path, 1).unwrap();
    assert!(native.is_alive(&path));
    fs::remove_dir_all(dir.parent().unwrap()).unwrap();
}

#[test]
fn connection_left_in_the_queue_is_not_taken_for_another() {
    let dir = std::env::temp_dir().join(format!("netcon-native-queue-{}", std::process::id()));
    let native = Native::new(&dir).unwrap();
    let left = unix::socket(Kind::Stream, true).unwrap();
    unix::connect(left.as_fd(), Name::Path(&native.private_path)).unwrap();
    let here = netcon_wire::SockAddr::unspecified(netcon_wire::Family::Inet);
    let identity = SocketName {
        id: 1,
        token: u64::from(std::process::id()),
        local: here,
        peer: here,
        direct: false,
    };
    let program = unix::socket(Kind::Stream, true).unwrap();
    let end = native.connect(program.as_fd(), &identity).unwrap();
    unix::send(program.as_fd(), b"mine").unwrap();
    assert_eq!(unix::peek(end.as_fd()).unwrap(), 1);
    native.cleanup();
}
