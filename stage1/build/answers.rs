//! What a filter answers.

use seccompiler::sock_filter;

use crate::bpf::{JUMP, JUMP_AT_LEAST, JUMP_EQUAL, LOAD, NUMBER, RETURN};

const JUMP_GREATER: u16 = 0x25;
/// Offset of the architecture in `struct seccomp_data`.
const ARCHITECTURE: u32 = 4;

/// What `filter` answers to a system call by its number alone.
pub(crate) fn answer(
    filter: &[sock_filter],
    number: u32,
    architecture: u32,
) -> Result<u32, String> {
    let mut loaded = 0;
    let mut at = 0;
    while let Some(step) = filter.get(at) {
        let branch = |taken: bool| usize::from(if taken { step.jt } else { step.jf });
        at += 1;
        match (step.code, step.k) {
            (LOAD, NUMBER) => loaded = number,
            (LOAD, ARCHITECTURE) => loaded = architecture,
            (JUMP, k) => at += k as usize,
            (JUMP_EQUAL, k) => at += branch(loaded == k),
            (JUMP_GREATER, k) => at += branch(loaded > k),
            (JUMP_AT_LEAST, k) => at += branch(loaded >= k),
            (RETURN, k) => return Ok(k),
            (code, k) => return Err(format!("instruction {code:#x} {k:#x} looks at arguments")),
        }
    }
    Err("the filter has no end".into())
}

/// The architecture that `filter` is for: the first word that it compares.
pub(crate) fn architecture(filter: &[sock_filter]) -> Result<u32, String> {
    let compared = filter.iter().find(|step| step.code == JUMP_EQUAL);
    compared
        .map(|step| step.k)
        .ok_or_else(|| "the filter compares nothing".into())
}
