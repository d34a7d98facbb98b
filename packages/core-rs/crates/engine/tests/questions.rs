//! Questions about names: handed to the owner, answered on the socket that came along.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod support;

use std::os::fd::{AsFd, OwnedFd};

use netcon_sys::unix::{self, Kind};
use netcon_wire::{MAX_PART, Question, Request};
use support::{Got, Program, SILENT, Service, receive};

const EAGAIN: u32 = 11;
const EINVAL: u32 = 22;
const EPROTO: u32 = 71;

fn ask(program: &Program, name: &[u8]) -> OwnedFd {
    let (mine, theirs) = unix::pair(Kind::SeqPacket).unwrap();
    let question = Question::Addresses { family: None, name };
    program.send(&Request::Resolve(question), &[&theirs]);
    mine
}

#[test]
fn a_long_answer_comes_in_parts_in_order() {
    let service = Service::start();
    let program = service.program();
    let mine = ask(&program, b"long");
    let mut answer = Vec::new();
    loop {
        let (status, got, _) = receive(&mine);
        let Got::Part(more, bytes) = got else {
            panic!("{got:?}")
        };
        assert_eq!(status, 0);
        assert!(bytes.len() <= MAX_PART);
        answer.extend(bytes);
        if !more {
            break;
        }
    }
    assert_eq!(answer, support::long_answer());
}

#[test]
fn a_refused_question_gets_its_errno_where_the_answer_would_come() {
    let service = Service::start();
    let program = service.program();
    assert_eq!(receive(&ask(&program, b"bad")).0, EPROTO);
}

#[test]
fn a_question_without_a_socket_is_refused_on_the_channel() {
    let service = Service::start();
    let program = service.program();
    let (status, _, _) = program.ask(&Request::Resolve(Question::Families), &[]);
    assert_eq!(status, EINVAL);
}

#[test]
fn more_questions_than_a_program_may_have_are_refused_and_others_are_served() {
    let service = Service::start();
    let (program, other) = (service.program(), service.program());
    let open: Vec<OwnedFd> = (0..256).map(|_| ask(&program, SILENT)).collect();
    let refused = ask(&program, SILENT);
    // On the channel, for the answer's socket is closed.
    assert_eq!(receive(&program.channel).0, EAGAIN);
    assert_eq!(unix::recv_wait(refused.as_fd(), &mut [0; 8]).unwrap(), 0);
    assert!(matches!(
        receive(&ask(&other, b"short")).1,
        Got::Part(false, _)
    ));
    drop(open);
}

#[test]
fn the_end_of_the_service_ends_a_wait() {
    let service = Service::start();
    let program = service.program();
    let mine = ask(&program, SILENT);
    // Served in order: the question has been taken when the next one is answered.
    receive(&ask(&program, b"short"));
    drop(service);
    assert_eq!(unix::recv_wait(mine.as_fd(), &mut [0; 8]).unwrap(), 0);
}
