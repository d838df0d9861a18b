//! From a profile to the instructions of a filter.

use std::collections::BTreeMap;

use pod::manifest::{
    SeccompAction, SeccompArch, SeccompArgument, SeccompFlag, SeccompOperator, SeccompProfile,
    SeccompRule,
};
use seccompiler::{
    BpfProgram, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, TargetArch,
    sock_filter,
};

use super::bpf::{JUMP, LOAD, NUMBER, RETURN, plain};
use super::tables::NUMBERS;
use super::tree::{Decision, joined, tree};

/// Most instructions of a filter that the kernel takes (`BPF_MAXINSNS`).
pub(crate) const PROGRAM_MAX: usize = 4096;
/// Most conditions of a rule: as many as there are arguments.
const CONDITIONS_MAX: usize = 6;
/// Above every number that a system call may get.
const NUMBERS_END: u32 = 1024;
/// From here on they are those of x32 on x86_64, which would lead around what the others are answered.
const X32: u32 = 0x4000_0000;
/// The highest error number that the kernel returns.
const ERRNO_MAX: u16 = 4095;

const KILL_PROCESS: u32 = 0x8000_0000;
const KILL_THREAD: u32 = 0;
const TRAP: u32 = 0x0003_0000;
const ERRNO: u32 = 0x0005_0000;
const LOG: u32 = 0x7ffc_0000;
const ALLOW: u32 = 0x7fff_0000;

/// What seccompiler's filters answer to calls whose conditions are met, until it is replaced.
const MET: seccompiler::SeccompAction = seccompiler::SeccompAction::Errno(1);

#[cfg(target_arch = "x86_64")]
const OWN: (TargetArch, SeccompArch) = (TargetArch::x86_64, SeccompArch::X8664);
#[cfg(target_arch = "aarch64")]
const OWN: (TargetArch, SeccompArch) = (TargetArch::aarch64, SeccompArch::Aarch64);

/// Why a profile can't be made a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeccompError {
    /// It is not for this machine.
    #[error("it is for other architectures than this machine's")]
    Architecture,
    /// An error number that the kernel doesn't return.
    #[error("{0} is no error number")]
    Errno(u16),
    /// A system call has no such argument.
    #[error("system calls have 6 arguments, from 0 to 5, and not a number {0}")]
    Argument(u8),
    /// One rule says more than there is to say.
    #[error("a rule has {0} conditions, and system calls have 6 arguments")]
    Conditions(usize),
    /// The kernel would not take the filter.
    #[error("it needs {0} instructions, and the kernel takes {PROGRAM_MAX}")]
    TooLong(usize),
    /// What the compiler says.
    #[error("{0}")]
    Compiler(String),
}

/// What is answered to one system call.
#[derive(Debug, Default)]
struct Call<'a> {
    /// Whatever its arguments are.
    always: Option<u32>,
    /// By its arguments; the first that is true counts.
    by_arguments: Vec<(u32, &'a [SeccompArgument])>,
}

/// The filter of a profile. System calls that are not known are passed over, as libseccomp does: nothing that they could
/// be answered would be asked for.
///
/// # Errors
/// [`SeccompError`].
pub fn compile(profile: &SeccompProfile) -> Result<Vec<sock_filter>, SeccompError> {
    let architectures = &profile.architectures;
    if !architectures.is_empty() && !architectures.contains(&OWN.1) {
        return Err(SeccompError::Architecture);
    }
    let default = answer(profile.default_action, profile.default_errno_ret)?;
    let calls = calls(&profile.syscalls, default)?;
    let mut blocks: Vec<Vec<sock_filter>> = Vec::new();
    let mut decisions = BTreeMap::new();
    let mut length = 0;
    for (&number, call) in &calls {
        let decision = match (call.always, call.by_arguments.is_empty()) {
            (Some(always), _) => Decision::Answer(always),
            (None, true) => continue,
            (None, false) => {
                let place = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
                let block = block(number, &call.by_arguments, default)?;
                length += block.len();
                if length > PROGRAM_MAX {
                    return Err(SeccompError::TooLong(length));
                }
                blocks.push(block);
                Decision::LookAtArguments(place)
            }
        };
        decisions.insert(number, decision);
    }
    let ranges = ranges(&decisions, default, calls.keys().last().copied());
    let mut filter = prologue()?;
    filter.push(plain(LOAD, NUMBER));
    filter.extend(joined(tree(&ranges), &blocks));
    match filter.len() {
        length if length > PROGRAM_MAX => Err(SeccompError::TooLong(length)),
        _ => Ok(filter),
    }
}

/// The flags of seccomp(2) that stand for those of a profile.
pub(crate) fn flags(profile: &SeccompProfile) -> u32 {
    let flags = profile.flags.iter().map(|flag| match flag {
        SeccompFlag::Tsync => libc::SECCOMP_FILTER_FLAG_TSYNC,
        SeccompFlag::Log => libc::SECCOMP_FILTER_FLAG_LOG,
        SeccompFlag::SpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    });
    let all = flags.fold(0, |all, flag| all | flag);
    u32::try_from(all).unwrap_or_default()
}

/// What is said of each call that this machine has. As in libseccomp, a rule without conditions is all there is of a call,
/// and the first of those; one that answers what all else is answered says nothing.
fn calls(rules: &[SeccompRule], default: u32) -> Result<BTreeMap<u32, Call<'_>>, SeccompError> {
    let mut calls: BTreeMap<u32, Call<'_>> = BTreeMap::new();
    for rule in rules {
        let answer = answer(rule.action, rule.errno_ret)?;
        if rule.args.len() > CONDITIONS_MAX {
            return Err(SeccompError::Conditions(rule.args.len()));
        }
        for number in rule.names.iter().filter_map(|name| number(name)) {
            let call = calls.entry(number).or_default();
            match rule.args.as_slice() {
                _ if answer == default => {}
                [] => call.always = call.always.or(Some(answer)),
                arguments => call.by_arguments.push((answer, arguments)),
            }
        }
    }
    Ok(calls)
}

/// The number of a system call, if this machine has it.
fn number(name: &str) -> Option<u32> {
    let place = NUMBERS.binary_search_by_key(&name, |(name, _)| name).ok()?;
    NUMBERS.get(place).map(|(_, number)| *number)
}

/// What the kernel is told by an answer.
fn answer(action: SeccompAction, errno: Option<u16>) -> Result<u32, SeccompError> {
    let errno = errno.unwrap_or(libc::EPERM as u16);
    Ok(match action {
        SeccompAction::KillProcess => KILL_PROCESS,
        SeccompAction::KillThread => KILL_THREAD,
        SeccompAction::Trap => TRAP,
        SeccompAction::Errno if errno > ERRNO_MAX => return Err(SeccompError::Errno(errno)),
        SeccompAction::Errno => ERRNO | u32::from(errno),
        SeccompAction::Log => LOG,
        SeccompAction::Allow => ALLOW,
    })
}

/// The answers by number. A call that came with a later kernel than the profile knows is one that isn't there, where the
/// profile refuses what it doesn't name: a C library then goes on with an older one.
fn ranges(
    decisions: &BTreeMap<u32, Decision>,
    default: u32,
    last_named: Option<u32>,
) -> Vec<(u32, Decision)> {
    let missing = Decision::Answer(ERRNO | libc::ENOSYS as u32);
    let beyond = match default {
        ALLOW | LOG => Decision::Answer(default),
        _ => missing,
    };
    let last_named = last_named.unwrap_or(NUMBERS_END);
    let mut ranges: Vec<(u32, Decision)> = Vec::new();
    for number in 0..=NUMBERS_END {
        let decision = decisions.get(&number).copied();
        let decision = decision.unwrap_or(match number > last_named {
            true => beyond,
            false => Decision::Answer(default),
        });
        if ranges.last().is_none_or(|&(_, last)| last != decision) {
            ranges.push((number, decision));
        }
    }
    if OWN.0 == TargetArch::x86_64 {
        ranges.push((X32, missing));
    }
    ranges
}

/// The check of the architecture, which is seccompiler's: processes of others are killed.
fn prologue() -> Result<Vec<sock_filter>, SeccompError> {
    let allow = seccompiler::SeccompAction::Allow;
    let nothing = SeccompFilter::new(BTreeMap::new(), allow, MET, OWN.0).map_err(failed)?;
    let mut program = BpfProgram::try_from(nothing).map_err(failed)?;
    // The answer to what has passed it.
    program.pop();
    Ok(program)
}

/// What looks at the arguments of one call: filters of seccompiler, one after the other.
fn block(
    number: u32,
    rules: &[(u32, &[SeccompArgument])],
    default: u32,
) -> Result<Vec<sock_filter>, SeccompError> {
    let allow = seccompiler::SeccompAction::Allow;
    let met = u32::from(MET);
    let mut all = Vec::new();
    for (answer, arguments) in rules {
        let conditions = arguments.iter().map(condition);
        let rule = seccompiler::SeccompRule::new(conditions.collect::<Result<_, _>>()?);
        let rules = BTreeMap::from([(i64::from(number), vec![rule.map_err(failed)?])]);
        let filter = SeccompFilter::new(rules, allow.clone(), MET, OWN.0).map_err(failed)?;
        let program = BpfProgram::try_from(filter).map_err(failed)?;
        let mut steps = program.into_iter();
        // The architecture has been looked at, and the number is still loaded.
        steps.find(|step| step.code == LOAD && step.k == NUMBER);
        let steps: Vec<_> = steps.collect();
        let length = steps.len();
        for (at, step) in steps.into_iter().enumerate() {
            all.push(match (step.code, step.k) {
                (RETURN, k) if k == met => plain(RETURN, *answer),
                (RETURN, _) => plain(JUMP, u32::try_from(length - at - 1).unwrap_or(u32::MAX)),
                _ => step,
            });
        }
        // What comes next begins by comparing it.
        all.push(plain(LOAD, NUMBER));
        if all.len() > PROGRAM_MAX {
            return Err(SeccompError::TooLong(all.len()));
        }
    }
    all.push(plain(RETURN, default));
    Ok(all)
}

fn condition(argument: &SeccompArgument) -> Result<SeccompCondition, SeccompError> {
    let value = argument.value;
    let (operator, value) = match argument.op {
        SeccompOperator::NotEqual => (SeccompCmpOp::Ne, value),
        SeccompOperator::Less => (SeccompCmpOp::Lt, value),
        SeccompOperator::LessOrEqual => (SeccompCmpOp::Le, value),
        SeccompOperator::Equal => (SeccompCmpOp::Eq, value),
        SeccompOperator::GreaterOrEqual => (SeccompCmpOp::Ge, value),
        SeccompOperator::Greater => (SeccompCmpOp::Gt, value),
        SeccompOperator::MaskedEqual => {
            let wanted = argument.value_two.unwrap_or_default();
            (SeccompCmpOp::MaskedEq(value), wanted & value)
        }
    };
    if argument.index > 5 {
        return Err(SeccompError::Argument(argument.index));
    }
    let length = SeccompCmpArgLen::Qword;
    SeccompCondition::new(argument.index, length, operator, value).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> SeccompError {
    SeccompError::Compiler(error.to_string())
}
