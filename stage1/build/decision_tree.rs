//! One filter out of three, as a binary search over system call numbers.
//!
//! A filter as seccompiler makes it compares one number after the other. When a filter is installed the
//! kernel runs it for every system call there is, to learn which answers don't depend on arguments: with
//! hundreds of comparisons each that takes over a millisecond, which here would be a fifth of a pod's start.

use seccompiler::sock_filter;

use crate::bpf::{self, JUMP, JUMP_AT_LEAST, LOAD, NUMBER, RETURN, answer, plain};

/// Above every system call number that there is.
const NUMBERS: u32 = 1024;
/// `SECCOMP_RET_ALLOW`.
const ALLOW: u32 = 0x7fff_0000;
/// No instruction may be further away from a conditional jump.
const REACH: usize = u8::MAX as usize;

/// What to do with a range of numbers.
#[derive(Clone, Copy, PartialEq)]
enum Decision {
    Answer(u32),
    /// By the filter at this place among those that look at arguments, and those after it.
    LookAtArguments(usize),
}

/// `denied` and `known` decide by number alone, and both must allow, and so do the numbers `later`, which they can't
/// name. For numbers that one of `conditional` knows, these decide by arguments: all must allow.
pub(crate) fn merge(
    denied: &[sock_filter],
    known: &[sock_filter],
    later: &[u32],
    conditional: &[Vec<sock_filter>],
) -> Result<Vec<sock_filter>, String> {
    let architecture = bpf::architecture(known)?;
    let decide = |number: u32| -> Result<Decision, String> {
        for (place, filter) in conditional.iter().enumerate() {
            match answer(filter, number, architecture) {
                Ok(ALLOW) => {}
                Ok(other) => return Err(format!("a condition answers {other:#x} to {number}")),
                Err(_) => return Ok(Decision::LookAtArguments(place)),
            }
        }
        if later.contains(&number) {
            return Ok(Decision::Answer(ALLOW));
        }
        Ok(Decision::Answer(
            match answer(denied, number, architecture)? {
                ALLOW => answer(known, number, architecture)?,
                refusal => refusal,
            },
        ))
    };
    let mut ranges: Vec<(u32, Decision)> = Vec::new();
    for number in 0..=NUMBERS {
        let decision = decide(number)?;
        if ranges.last().is_none_or(|&(_, last)| last != decision) {
            ranges.push((number, decision));
        }
    }
    let mut filter: Vec<sock_filter> = Vec::new();
    // The check of the architecture is the same in each; it ends where the number is loaded.
    let prologue = known
        .iter()
        .take_while(|step| !(step.code == LOAD && step.k == NUMBER));
    filter.extend(prologue.cloned());
    filter.push(plain(LOAD, NUMBER));
    let tree = tree(&ranges)?;
    let length = tree.len();
    for (at, mut step) in tree.into_iter().enumerate() {
        if step.code == JUMP {
            // To one of the conditional filters, which follow the tree.
            let before = conditional.iter().take(step.k as usize).map(Vec::len);
            let target = length + before.sum::<usize>();
            step.k = u32::try_from(target - at - 1).map_err(|e| e.to_string())?;
        }
        filter.push(step);
    }
    for (place, steps) in conditional.iter().enumerate() {
        let is_last = place + 1 == conditional.len();
        for (at, step) in steps.iter().enumerate() {
            let goes_on = step.code == RETURN && step.k == ALLOW && !is_last;
            let to_next = u32::try_from(steps.len() - at - 1).map_err(|e| e.to_string())?;
            filter.push(match goes_on {
                true => plain(JUMP, to_next),
                false => step.clone(),
            });
        }
    }
    for number in 0..=NUMBERS {
        let merged = answer(&filter, number, architecture);
        match (decide(number)?, merged) {
            (Decision::Answer(wanted), Ok(got)) if wanted == got => {}
            (Decision::LookAtArguments(_), Err(_)) => {}
            (_, got) => return Err(format!("the merged filter answers {got:?} to {number}")),
        }
    }
    Ok(filter)
}

fn tree(ranges: &[(u32, Decision)]) -> Result<Vec<sock_filter>, String> {
    match ranges {
        [] => Err("there is nothing to decide".into()),
        [(_, Decision::Answer(value))] => Ok(vec![plain(RETURN, *value)]),
        [(_, Decision::LookAtArguments(place))] => Ok(vec![plain(
            JUMP,
            u32::try_from(*place).map_err(|e| e.to_string())?,
        )]),
        _ => {
            let (below, above) = ranges.split_at(ranges.len() / 2);
            let first_above = above.first().ok_or("an empty half")?.0;
            let below = tree(below)?;
            let jt = u8::try_from(below.len())
                .map_err(|_| format!("a branch is longer than {REACH} instructions"))?;
            let mut all = vec![sock_filter {
                code: JUMP_AT_LEAST,
                jt,
                jf: 0,
                k: first_above,
            }];
            all.extend(below);
            all.extend(tree(above)?);
            Ok(all)
        }
    }
}
