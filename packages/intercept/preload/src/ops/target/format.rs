//! The first bytes of an executable file (elf(5), execve(2)). Total: what is broken is unknown.

/// A `#!` line is at most this long (`BINPRM_BUF_SIZE`).
pub(super) const MAX_SHEBANG: usize = 256;
/// `sizeof(Elf64_Phdr)`
pub(super) const PROGRAM_HEADER: usize = 56;

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;
const PT_INTERP: u32 = 3;

/// What a file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Format<'a> {
    /// A 64-bit program of this machine: where its program headers are, and how many.
    Elf {
        table: u64,
        count: u16,
    },
    Elf32,
    OtherMachine,
    /// A script, with the path of its interpreter.
    Script(&'a [u8]),
    Unknown,
}

/// Judges the first bytes of a file.
pub(super) fn identify(head: &[u8]) -> Format<'_> {
    if let Some(line) = head.strip_prefix(b"#!") {
        return interpreter(line).map_or(Format::Unknown, Format::Script);
    }
    let class = head.get(4);
    if !head.starts_with(b"\x7fELF") {
        return Format::Unknown;
    }
    if class == Some(&1) {
        return Format::Elf32;
    }
    let fields = (
        number(head, 18),
        number(head, 32),
        number(head, 54),
        number(head, 56),
    );
    let (Some(machine), Some(table), Some(size), Some(count)) = fields else {
        return Format::Unknown;
    };
    if u16::from_le_bytes(machine) != MACHINE {
        return Format::OtherMachine;
    }
    if usize::from(u16::from_le_bytes(size)) != PROGRAM_HEADER {
        return Format::Unknown;
    }
    Format::Elf {
        table: u64::from_le_bytes(table),
        count: u16::from_le_bytes(count),
    }
}

/// The first word of a `#!` line.
fn interpreter(line: &[u8]) -> Option<&[u8]> {
    let line = line.split(|&byte| byte == b'\n').next()?;
    line.split(|&byte| matches!(byte, b' ' | b'\t' | b'\r'))
        .find(|word| !word.is_empty())
}

/// Whether a program header names a dynamic linker.
pub(super) fn is_interpreter(header: &[u8]) -> bool {
    number(header, 0).map(u32::from_le_bytes) == Some(PT_INTERP)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
