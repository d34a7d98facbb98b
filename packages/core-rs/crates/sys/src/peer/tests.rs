use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use super::{peer_description, poison};
use crate::diag::socket_inode;

#[test]
fn close_after_poison_is_a_reset_for_the_program() {
    let (service, mut program) = Program::start(READ_AND_REPORT);
    assert!(poison(service.as_fd(), [program.pid()].into_iter()));
    drop(service);
    assert_eq!(program.report(), "ECONNRESET");
}

#[test]
fn close_without_poison_is_an_end_of_file() {
    let (service, mut program) = Program::start(READ_AND_REPORT);
    drop(service);
    assert_eq!(program.report(), "0");
}

#[test]
fn data_before_the_reset_is_still_read() {
    let (mut service, mut program) = Program::start("cat <&3 2>&1 >/dev/null | grep -o reset");
    service.write_all(b"the last words").expect("written");
    assert!(poison(service.as_fd(), [program.pid()].into_iter()));
    drop(service);
    assert_eq!(program.report(), "reset");
}

#[test]
fn unread_data_needs_no_poison() {
    let (service, mut other) = UnixStream::pair().expect("a pair");
    other.write_all(b"unread").expect("written");
    assert!(poison(service.as_fd(), std::iter::empty()));
    drop(service);
    let error = other.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn poison_without_the_holder_is_refused() {
    let (service, mut program) = Program::start(READ_AND_REPORT);
    // Init holds no end of this pair; the last number is no process.
    assert!(!poison(service.as_fd(), [1, u32::MAX].into_iter()));
    drop(service);
    assert_eq!(program.report(), "0");
}

#[test]
fn poison_after_the_programs_shutdown_is_refused() {
    let (service, other) = UnixStream::pair().expect("a pair");
    other
        .shutdown(std::net::Shutdown::Write)
        .expect("shut down");
    assert!(!poison(service.as_fd(), [std::process::id()].into_iter()));
}

#[test]
fn description_is_the_programs_own() {
    let (service, program) = Program::start(READ_AND_REPORT);
    let found = peer_description(service.as_fd(), [1, program.pid()].into_iter()).expect("found");
    assert_eq!(
        socket_inode(found.as_fd()).expect("an inode"),
        program.inode
    );
}

/// bash reads from fd 3 and says how the read ended.
const READ_AND_REPORT: &str = "
    exec 2>&1
    if out=$(dd bs=1 count=1 <&3 2>&1); then echo 0; else case $out in
    *reset*) echo ECONNRESET;; *) echo \"$out\";; esac; fi";

/// A child that holds the program's end as fd 3.
struct Program {
    child: Child,
    inode: u32,
}

impl Program {
    fn start(script: &str) -> (UnixStream, Self) {
        let (service, program) = UnixStream::pair().expect("a pair");
        let inode = socket_inode(program.as_fd()).expect("an inode");
        // As stdin, which Command passes on; the shell keeps it as 3.
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec 3<&0 </dev/null; echo ready; {script}")])
            .env("LC_ALL", "C")
            .stdin(Stdio::from(OwnedFd::from(program)))
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let mut ready = [0; 6];
        let out = child.stdout.as_mut().expect("piped");
        out.read_exact(&mut ready).expect("the shell holds fd 3");
        (service, Self { child, inode })
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn report(&mut self) -> String {
        let mut text = String::new();
        let mut out = self.child.stdout.take().expect("piped");
        out.read_to_string(&mut text).expect("read");
        self.child.wait().expect("waited for");
        text.trim().to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
