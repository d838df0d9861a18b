//! A decision by number as a binary search.
//!
//! A filter as seccompiler makes it compares one number after the other. When a filter is installed the
//! kernel runs it for every system call there is, to learn which answers don't depend on arguments: with
//! hundreds of comparisons each that takes over a millisecond, which would be a fifth of a pod's start.

use seccompiler::sock_filter;

use super::bpf::{JUMP, JUMP_AT_LEAST, RETURN, plain};

/// What to do with a range of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Decision {
    Answer(u32),
    /// By what looks at arguments, of which there are several: this one.
    LookAtArguments(u32),
}

/// The search among ranges, each from its first number on. It leaves by a [`JUMP`] whose operand is the number of what
/// looks at arguments.
pub(crate) fn tree(ranges: &[(u32, Decision)]) -> Vec<sock_filter> {
    match ranges {
        [] => Vec::new(),
        [(_, Decision::Answer(value))] => vec![plain(RETURN, *value)],
        [(_, Decision::LookAtArguments(place))] => vec![plain(LEAVE, *place)],
        _ => {
            let (below, above) = ranges.split_at(ranges.len() / 2);
            let first_above = above.first().map_or(0, |(first, _)| *first);
            let (below, above) = (tree(below), tree(above));
            let mut all = Vec::with_capacity(below.len() + above.len() + 2);
            let branch = |jt, jf| sock_filter {
                code: JUMP_AT_LEAST,
                jt,
                jf,
                k: first_above,
            };
            match u8::try_from(below.len()) {
                Ok(length) => all.push(branch(length, 0)),
                // Conditional jumps reach no further.
                Err(_) => {
                    let length = u32::try_from(below.len()).unwrap_or(u32::MAX);
                    all.extend([branch(0, 1), plain(JUMP, length)]);
                }
            }
            all.extend(below);
            all.extend(above);
            all
        }
    }
}

/// Stands for a [`JUMP`] out of the tree until it is known how far. The kernel knows no such instruction.
const LEAVE: u16 = u16::MAX;

/// Joins the tree and what looks at arguments, which follows it in this order.
pub(crate) fn joined(tree: Vec<sock_filter>, blocks: &[Vec<sock_filter>]) -> Vec<sock_filter> {
    let length = tree.len();
    let mut all = Vec::with_capacity(length + blocks.iter().map(Vec::len).sum::<usize>());
    for (at, step) in tree.into_iter().enumerate() {
        all.push(match step.code {
            LEAVE => {
                let before = blocks.iter().take(step.k as usize).map(Vec::len);
                let distance = length - at - 1 + before.sum::<usize>();
                plain(JUMP, u32::try_from(distance).unwrap_or(u32::MAX))
            }
            _ => step,
        });
    }
    all.extend(blocks.iter().flatten().cloned());
    all
}
