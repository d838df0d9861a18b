//! One filter out of three.

use seccompiler::sock_filter;

use crate::answers::{answer, architecture};
use crate::bpf::{JUMP, LOAD, NUMBER, RETURN, plain};
use crate::tree::{Decision, joined, tree};

/// Above every system call number that there is.
const NUMBERS: u32 = 1024;
/// `SECCOMP_RET_ALLOW`.
const ALLOW: u32 = 0x7fff_0000;

/// `denied` and `known` decide by number alone, and both must allow, and so do the numbers `later`, which they can't
/// name. For numbers that one of `conditional` knows, these decide by arguments: all must allow.
pub(crate) fn merge(
    denied: &[sock_filter],
    known: &[sock_filter],
    later: &[u32],
    conditional: &[Vec<sock_filter>],
) -> Result<Vec<sock_filter>, String> {
    let architecture = architecture(known)?;
    let decide = |number: u32| -> Result<Decision, String> {
        for (place, filter) in conditional.iter().enumerate() {
            match answer(filter, number, architecture) {
                Ok(ALLOW) => {}
                Ok(other) => return Err(format!("a condition answers {other:#x} to {number}")),
                Err(_) => {
                    let place = u32::try_from(place).map_err(|e| e.to_string())?;
                    return Ok(Decision::LookAtArguments(place));
                }
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
    // The check of the architecture is the same in each; it ends where the number is loaded.
    let prologue = known
        .iter()
        .take_while(|step| !(step.code == LOAD && step.k == NUMBER));
    let mut filter: Vec<sock_filter> = prologue.cloned().collect();
    filter.push(plain(LOAD, NUMBER));
    let mut blocks = Vec::with_capacity(conditional.len());
    for (place, steps) in conditional.iter().enumerate() {
        let is_last = place + 1 == conditional.len();
        let mut block = Vec::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            let goes_on = step.code == RETURN && step.k == ALLOW && !is_last;
            let to_next = u32::try_from(steps.len() - at - 1).map_err(|e| e.to_string())?;
            block.push(match goes_on {
                true => plain(JUMP, to_next),
                false => step.clone(),
            });
        }
        blocks.push(block);
    }
    filter.extend(joined(tree(&ranges), &blocks));
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
