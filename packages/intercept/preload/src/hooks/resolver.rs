//! res_query(3) and its relatives: glibc's make system calls past every hook, so they are the
//! library's own. A question is looked up by the service, as it stands or along the search list.

use core::ffi::{CStr, c_char, c_int, c_void};

use netcon_wire::{MAX_NAME_LEN, Question, Verdict};

use super::names::{self, is_bypassed};
use crate::errno::{self, Errno};
use crate::resolve;

/// The `tc` bit: byte 2 of the header (RFC 1035 4.1.1).
const TRUNCATED: u8 = 2;

/// A name as it is put together.
struct Name {
    bytes: [u8; MAX_NAME_LEN],
    len: usize,
}

impl Name {
    const EMPTY: Name = Name {
        bytes: [0; MAX_NAME_LEN],
        len: 0,
    };

    /// # Safety
    /// `text` is null or NUL-terminated.
    unsafe fn append(&mut self, text: *const c_char) {
        if !text.is_null() {
            // SAFETY: the caller's contract.
            self.push(unsafe { CStr::from_ptr(text) }.to_bytes());
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        resolve::store(&mut self.bytes, self.len, bytes);
        self.len = self.len.saturating_add(bytes.len());
    }

    /// A final dot keeps the search list out.
    fn make_absolute(&mut self) {
        let last = self.len.checked_sub(1).and_then(|i| self.bytes.get(i));
        if last != Some(&b'.') {
            self.push(b".");
        }
    }

    fn get(&self) -> Option<&[u8]> {
        self.bytes.get(..self.len)
    }
}

fn fail(verdict: Verdict, errno: Option<Errno>) -> c_int {
    names::set_h_errno(c_int::from(verdict as u8));
    if let Some(errno) = errno {
        errno::set(errno);
    }
    -1
}

/// The answer to a question, in the caller's buffer: its whole length, or -1 and h_errno.
///
/// # Safety
/// `answer` has room for `len` bytes.
unsafe fn settle(question: Question<'_>, answer: *mut u8, len: c_int) -> c_int {
    let room = usize::try_from(len).unwrap_or(0);
    let out: &mut [u8] = if room == 0 || answer.is_null() {
        &mut []
    } else {
        // SAFETY: the caller's contract.
        unsafe { core::slice::from_raw_parts_mut(answer, room) }
    };
    let mut verdict = None;
    let asked = resolve::ask(question, |at, bytes| match at.checked_sub(1) {
        Some(at) => resolve::store(out, at, bytes),
        None => {
            if let Some((first, rest)) = bytes.split_first() {
                verdict = Verdict::from_raw(*first);
                resolve::store(out, 0, rest);
            }
        }
    });
    let total = match asked {
        Ok(total) => total.saturating_sub(1),
        Err(_) => return fail(Verdict::TryAgain, Some(Errno::ECONNREFUSED)),
    };
    match verdict {
        Some(Verdict::Found) => {
            if total > out.len()
                && let Some(flags) = out.get_mut(2)
            {
                *flags |= TRUNCATED;
            }
            names::set_h_errno(0);
            c_int::try_from(total).unwrap_or(c_int::MAX)
        }
        Some(Verdict::TryAgain) => fail(Verdict::TryAgain, Some(Errno::ETIMEDOUT)),
        Some(verdict) => fail(verdict, None),
        None => fail(Verdict::NoRecovery, None),
    }
}

/// # Safety
/// As the functions below.
unsafe fn look_up(
    mut name: Name,
    absolute: bool,
    class: c_int,
    kind: c_int,
    answer: *mut u8,
    len: c_int,
) -> c_int {
    if absolute {
        name.make_absolute();
    }
    let (Some(name), Ok(class), Ok(kind)) = (name.get(), u16::try_from(class), u16::try_from(kind))
    else {
        return fail(Verdict::NoRecovery, Some(Errno::EMSGSIZE));
    };
    let question = Question::Search { class, kind, name };
    // SAFETY: the caller's contract.
    unsafe { settle(question, answer, len) }
}

/// # Safety
/// As res_query(3) has it.
unsafe fn query(
    name: *const c_char,
    absolute: bool,
    (class, kind): (c_int, c_int),
    answer: *mut u8,
    len: c_int,
) -> c_int {
    let mut whole = Name::EMPTY;
    // SAFETY: the caller's contract.
    unsafe { whole.append(name) };
    // SAFETY: the caller's contract.
    unsafe { look_up(whole, absolute, class, kind, answer, len) }
}

/// # Safety
/// As res_querydomain(3) has it.
unsafe fn query_domain(
    name: *const c_char,
    domain: *const c_char,
    (class, kind): (c_int, c_int),
    answer: *mut u8,
    len: c_int,
) -> c_int {
    let mut whole = Name::EMPTY;
    // SAFETY: the caller's contract.
    unsafe { whole.append(name) };
    if !domain.is_null() {
        whole.push(b".");
        // SAFETY: the caller's contract.
        unsafe { whole.append(domain) };
    }
    // SAFETY: the caller's contract.
    unsafe { look_up(whole, true, class, kind, answer, len) }
}

/// # Safety
/// As res_send(3) has it.
unsafe fn send(message: *const u8, message_len: c_int, answer: *mut u8, len: c_int) -> c_int {
    let room = usize::try_from(message_len).unwrap_or(0);
    if message.is_null() || room > netcon_wire::MAX_QUERY_LEN {
        return fail(Verdict::NoRecovery, Some(Errno::EMSGSIZE));
    }
    // SAFETY: the caller's contract.
    let message = unsafe { core::slice::from_raw_parts(message, room) };
    // SAFETY: the caller's contract.
    unsafe { settle(Question::Message(message), answer, len) }
}

/// Defines the functions under each of their names; the `n` forms have a state first. glibc's headers
/// rename some (resolv.h), so both names exist.
macro_rules! functions {
    ($($plain:ident $alias:ident $with_state:ident $state_alias:ident
        ($($arg:ident: $type:ty),*) $body:expr;)*) => {
        $(
            functions!(@ $plain ($($arg: $type),*) $body);
            functions!(@ $alias ($($arg: $type),*) $body);
            functions!(@ $with_state (_state: *mut c_void, $($arg: $type),*) $body);
            functions!(@ $state_alias (_state: *mut c_void, $($arg: $type),*) $body);
        )*
    };
    (@ $name:ident ($($arg:ident: $type:ty),*) $body:expr) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $type),*) -> c_int {
            if is_bypassed() {
                const NAME: &CStr = match CStr::from_bytes_with_nul(
                    concat!(stringify!($name), "\0").as_bytes(),
                ) {
                    Ok(name) => name,
                    Err(_) => c"",
                };
                let next = crate::real::next(NAME);
                if next.is_null() {
                    return fail(Verdict::NoRecovery, Some(Errno::ENOSYS));
                }
                // SAFETY: libc's function of that name has that type (resolv.h).
                let next = unsafe {
                    core::mem::transmute::<
                        *mut c_void,
                        unsafe extern "C" fn($($type),*) -> c_int,
                    >(next)
                };
                // SAFETY: the program's own arguments.
                return unsafe { next($($arg),*) };
            }
            // SAFETY: the program's own arguments.
            unsafe { $body }
        }
    };
}

functions! {
    res_query __res_query res_nquery __res_nquery
        (name: *const c_char, class: c_int, kind: c_int, answer: *mut u8, len: c_int)
        query(name, true, (class, kind), answer, len);
    res_search __res_search res_nsearch __res_nsearch
        (name: *const c_char, class: c_int, kind: c_int, answer: *mut u8, len: c_int)
        // musl's does not search.
        query(name, !crate::real::is_glibc(), (class, kind), answer, len);
    res_querydomain __res_querydomain res_nquerydomain __res_nquerydomain
        (name: *const c_char, domain: *const c_char, class: c_int, kind: c_int, answer: *mut u8,
         len: c_int)
        query_domain(name, domain, (class, kind), answer, len);
    res_send __res_send res_nsend __res_nsend
        (message: *const u8, message_len: c_int, answer: *mut u8, len: c_int)
        send(message, message_len, answer, len);
}
