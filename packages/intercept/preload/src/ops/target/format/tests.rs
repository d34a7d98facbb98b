use super::{Format, MACHINE, identify, is_interpreter};

fn elf(class: u8, machine: u16) -> Vec<u8> {
    let mut head = vec![0; 64];
    head[..4].copy_from_slice(b"\x7fELF");
    head[4] = class;
    head[5] = 1;
    head[18..20].copy_from_slice(&machine.to_le_bytes());
    head[32] = 64;
    head[54] = 56;
    head[56] = 3;
    head
}

#[test]
fn programs_are_told_apart() {
    let cases = [
        (
            elf(2, MACHINE),
            Format::Elf {
                table: 64,
                count: 3,
            },
            "of this machine",
        ),
        (elf(2, 22), Format::OtherMachine, "s390"),
        (elf(1, 3), Format::Elf32, "i386"),
        (elf(2, MACHINE)[..40].to_vec(), Format::Unknown, "cut off"),
        (
            b"\x7fEL".to_vec(),
            Format::Unknown,
            "shorter than its magic",
        ),
        (Vec::new(), Format::Unknown, "empty"),
        (b"echo\n".to_vec(), Format::Unknown, "text"),
    ];
    for (head, want, why) in cases {
        assert_eq!(identify(&head), want, "{why}");
    }
}

#[test]
fn the_interpreter_is_the_first_word() {
    let cases: [(&[u8], Format<'_>); 5] = [
        (b"#!/bin/sh\necho", Format::Script(b"/bin/sh")),
        (
            b"#! \t/usr/bin/env -S a b\n",
            Format::Script(b"/usr/bin/env"),
        ),
        (b"#!/bin/sh\r\n", Format::Script(b"/bin/sh")),
        (b"#!/bin/cut-o", Format::Script(b"/bin/cut-o")),
        (b"#!\n/bin/sh", Format::Unknown),
    ];
    for (head, want) in cases {
        assert_eq!(identify(head), want);
    }
}

#[test]
fn a_dynamic_linker_is_asked_for_by_a_header_of_its_own() {
    assert!(is_interpreter(&[3, 0, 0, 0, 4, 0]));
    assert!(!is_interpreter(&[1, 0, 0, 0]));
    assert!(!is_interpreter(&[3]));
}
