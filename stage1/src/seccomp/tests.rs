//! What filters answer, by a model of the kernel that runs them.

use pod::manifest::{
    Capability, SeccompAction, SeccompArch, SeccompArgument, SeccompOperator, SeccompProfile,
    SeccompRule,
};
use proptest::prelude::*;

use super::compile::{SeccompError, compile};
use super::{DEFAULT, NUMBERS, for_capabilities, pack, unpack};

const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const OWN: u32 = match cfg!(target_arch = "x86_64") {
    true => 0xc000_003e,
    false => 0xc000_00b7,
};

fn errno(number: i32) -> u32 {
    0x0005_0000 | number as u32
}

/// What the kernel answers to a system call by a filter.
fn run(program: &[libc::sock_filter], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let word = |offset: u32| match offset {
        0 => number,
        4 => architecture,
        _ => {
            let at = (offset - 16) as usize;
            let argument = arguments[at / 8];
            let half = at % 8 / 4;
            (argument >> (32 * half)) as u32
        }
    };
    let (mut at, mut loaded) = (0, 0);
    loop {
        let step = program[at];
        at += 1;
        let branch = |taken: bool| usize::from(if taken { step.jt } else { step.jf });
        match step.code {
            0x20 => loaded = word(step.k),
            0x54 => loaded &= step.k,
            0x05 => at += step.k as usize,
            0x15 => at += branch(loaded == step.k),
            0x25 => at += branch(loaded > step.k),
            0x35 => at += branch(loaded >= step.k),
            0x06 => return step.k,
            code => panic!("instruction {code:#x}"),
        }
    }
}

fn rule(names: &[&str], action: SeccompAction, args: Vec<SeccompArgument>) -> SeccompRule {
    SeccompRule {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        action,
        errno_ret: None,
        args,
    }
}

fn argument(index: u8, op: SeccompOperator, value: u64, value_two: Option<u64>) -> SeccompArgument {
    SeccompArgument {
        index,
        value,
        value_two,
        op,
    }
}

fn profile(default: SeccompAction, syscalls: Vec<SeccompRule>) -> SeccompProfile {
    SeccompProfile {
        default_action: default,
        default_errno_ret: None,
        architectures: Vec::new(),
        flags: Vec::new(),
        syscalls,
    }
}

fn number(name: &str) -> u32 {
    NUMBERS.iter().find(|(known, _)| *known == name).unwrap().1
}

struct Compiled(Vec<libc::sock_filter>);

impl Compiled {
    fn of(profile: &SeccompProfile) -> Self {
        let program = compile(profile).unwrap();
        Self(program.iter().map(pack).map(unpack).collect())
    }

    fn answer(&self, name: &str, arguments: [u64; 6]) -> u32 {
        run(&self.0, OWN, number(name), arguments)
    }
}

const NONE: [u64; 6] = [0; 6];

#[test]
fn calls_are_answered_by_name_and_all_others_by_default() {
    let rules = vec![
        rule(
            &["read", "write", "no_such_call"],
            SeccompAction::Allow,
            vec![],
        ),
        rule(&["reboot"], SeccompAction::KillProcess, vec![]),
        // The first without conditions counts.
        rule(&["write"], SeccompAction::KillThread, vec![]),
    ];
    let filter = Compiled::of(&profile(SeccompAction::Errno, rules));
    assert_eq!(filter.answer("read", NONE), ALLOW);
    assert_eq!(filter.answer("write", NONE), ALLOW);
    assert_eq!(filter.answer("reboot", NONE), KILL_PROCESS);
    assert_eq!(filter.answer("mount", NONE), errno(libc::EPERM));
}

#[test]
fn calls_that_the_profile_is_too_old_for_are_not_there() {
    let rules = vec![rule(&["read", "openat2"], SeccompAction::Allow, vec![])];
    let filter = Compiled::of(&profile(SeccompAction::Errno, rules.clone()));
    assert_eq!(filter.answer("faccessat2", NONE), errno(libc::ENOSYS));
    assert_eq!(filter.answer("clone3", NONE), errno(libc::EPERM));
    let filter = Compiled::of(&profile(SeccompAction::Allow, rules));
    assert_eq!(filter.answer("faccessat2", NONE), ALLOW);
}

#[test]
fn nobody_gets_around_by_another_architecture_or_x32() {
    let filter = Compiled::of(&profile(SeccompAction::Allow, vec![]));
    assert_eq!(run(&filter.0, OWN, number("mount"), NONE), ALLOW);
    assert_eq!(run(&filter.0, 0x4000_0003, 21, NONE), KILL_PROCESS);
    if cfg!(target_arch = "x86_64") {
        let x32 = run(&filter.0, OWN, 0x4000_0000 | 165, NONE);
        assert_eq!(x32, errno(libc::ENOSYS));
    }
}

#[test]
fn each_operator_compares_all_of_an_argument() {
    use SeccompOperator::{
        Equal, Greater, GreaterOrEqual, Less, LessOrEqual, MaskedEqual, NotEqual,
    };
    let big = 1 << 40;
    for (op, value, two, is_true, is_false) in [
        (Equal, big + 7, None, big + 7, 7),
        (NotEqual, big + 7, None, 7, big + 7),
        (Less, big, None, big - 1, big),
        (LessOrEqual, big, None, big, big + 1),
        (Greater, big, None, big + 1, big),
        (GreaterOrEqual, big, None, big, big - 1),
        (MaskedEqual, 0xf0, Some(0x30), 0x35, 0x45),
        // Nothing but the bits of the mask counts.
        (MaskedEqual, 0xf0, Some(0x3f), 0x35, 0x45),
        (MaskedEqual, big, None, 1, big),
    ] {
        let rules = vec![rule(
            &["socket"],
            SeccompAction::Allow,
            vec![argument(2, op, value, two)],
        )];
        let filter = Compiled::of(&profile(SeccompAction::Errno, rules));
        let with = |value| filter.answer("socket", [9, 9, value, 9, 9, 9]);
        assert_eq!(with(is_true), ALLOW, "{op:?} {value:#x} {is_true:#x}");
        assert_eq!(with(is_false), errno(libc::EPERM), "{op:?} {is_false:#x}");
    }
}

#[test]
fn conditions_of_a_rule_must_all_hold_and_of_rules_one() {
    use SeccompOperator::Equal;
    let rules = vec![
        rule(
            &["socket"],
            SeccompAction::Allow,
            vec![argument(0, Equal, 1, None), argument(1, Equal, 2, None)],
        ),
        rule(
            &["socket"],
            SeccompAction::KillProcess,
            vec![argument(0, Equal, 3, None)],
        ),
        rule(
            &["bind"],
            SeccompAction::Allow,
            vec![argument(0, Equal, 1, None)],
        ),
        // All there is of it: the condition says nothing more.
        rule(&["bind"], SeccompAction::KillProcess, vec![]),
    ];
    let filter = Compiled::of(&profile(SeccompAction::Errno, rules));
    assert_eq!(filter.answer("socket", [1, 2, 0, 0, 0, 0]), ALLOW);
    assert_eq!(
        filter.answer("socket", [1, 3, 0, 0, 0, 0]),
        errno(libc::EPERM)
    );
    assert_eq!(filter.answer("socket", [3, 0, 0, 0, 0, 0]), KILL_PROCESS);
    assert_eq!(filter.answer("bind", [1, 0, 0, 0, 0, 0]), KILL_PROCESS);
}

#[test]
fn what_no_filter_can_be_is_refused() {
    let with = |rule| compile(&profile(SeccompAction::Allow, vec![rule])).unwrap_err();
    let mut wrong = rule(&["read"], SeccompAction::Errno, vec![]);
    wrong.errno_ret = Some(4096);
    assert_eq!(with(wrong), SeccompError::Errno(4096));
    let one = |index| argument(index, SeccompOperator::Equal, 1, None);
    let sixth = rule(&["read"], SeccompAction::Errno, vec![one(6)]);
    assert_eq!(with(sixth), SeccompError::Argument(6));
    let many = rule(&["read"], SeccompAction::Errno, vec![one(0); 7]);
    assert_eq!(with(many), SeccompError::Conditions(7));
    let mut foreign = profile(SeccompAction::Allow, vec![]);
    foreign.architectures = vec![SeccompArch::S390x];
    assert_eq!(compile(&foreign).unwrap_err(), SeccompError::Architecture);
    let rules = vec![rule(&["read"], SeccompAction::Errno, vec![one(0)]); 1000];
    let long = compile(&profile(SeccompAction::Allow, rules)).unwrap_err();
    assert!(matches!(long, SeccompError::TooLong(_)), "{long}");
}

#[test]
fn instructions_are_the_same_after_packing() {
    let step = |step: &libc::sock_filter| (step.code, step.jt, step.jf, step.k);
    for instruction in &DEFAULT {
        let (code, jt, jf, k) = step(instruction);
        let packed = pack(&seccompiler::sock_filter { code, jt, jf, k });
        assert_eq!(step(&unpack(packed)), (code, jt, jf, k));
    }
}

#[test]
fn capabilities_lift_what_is_refused_for_want_of_them() {
    let default = DEFAULT.to_vec();
    let mask = |set: &[Capability]| set.iter().fold(0, |all, one| all | one.bit());
    assert_eq!(for_capabilities(mask(&Capability::DEFAULT)), None);
    for (capability, lifted) in [
        (Capability::SysAdmin, "mount"),
        (Capability::SysTime, "clock_settime"),
        (Capability::SysModule, "init_module"),
        (Capability::Syslog, "syslog"),
    ] {
        let filter = for_capabilities(mask(&[Capability::Chown, capability])).unwrap();
        let program: Vec<_> = filter.program.into_iter().map(unpack).collect();
        for (name, number) in &NUMBERS {
            let (usual, own) = (
                run(&default, OWN, *number, NONE),
                run(&program, OWN, *number, NONE),
            );
            match own == usual {
                true => assert!(usual == ALLOW || *name != lifted, "{name}"),
                false => assert_eq!(own, ALLOW, "{name}"),
            }
        }
        // Nothing but what is lifted.
        assert_eq!(
            run(&program, OWN, number("kexec_load"), NONE),
            errno(libc::EPERM)
        );
        assert_eq!(run(&program, 0x4000_0003, 21, NONE), KILL_PROCESS);
    }
}

fn any_action() -> impl Strategy<Value = SeccompAction> {
    prop_oneof![
        Just(SeccompAction::Allow),
        Just(SeccompAction::Errno),
        Just(SeccompAction::KillProcess),
        Just(SeccompAction::Log),
    ]
}

fn any_argument() -> impl Strategy<Value = SeccompArgument> {
    use SeccompOperator::{
        Equal, Greater, GreaterOrEqual, Less, LessOrEqual, MaskedEqual, NotEqual,
    };
    let operators = vec![
        Equal,
        NotEqual,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual,
        MaskedEqual,
    ];
    let value = || prop_oneof![0u64..4, Just(1 << 32), Just(u64::MAX)];
    let op = proptest::sample::select(operators);
    (0u8..3, op, value(), proptest::option::of(value()))
        .prop_map(|(index, op, value, two)| argument(index, op, value, two))
}

fn any_rule() -> impl Strategy<Value = SeccompRule> {
    let names = proptest::collection::vec(0..NUMBERS.len(), 1..4);
    let arguments = proptest::collection::vec(any_argument(), 0..3);
    (names, any_action(), arguments).prop_map(|(places, action, args)| {
        let names: Vec<&str> = places.iter().map(|place| NUMBERS[*place].0).collect();
        rule(&names, action, args)
    })
}

fn holds(argument: &SeccompArgument, arguments: [u64; 6]) -> bool {
    let (given, value) = (arguments[usize::from(argument.index)], argument.value);
    match argument.op {
        SeccompOperator::NotEqual => given != value,
        SeccompOperator::Less => given < value,
        SeccompOperator::LessOrEqual => given <= value,
        SeccompOperator::Equal => given == value,
        SeccompOperator::GreaterOrEqual => given >= value,
        SeccompOperator::Greater => given > value,
        SeccompOperator::MaskedEqual => {
            given & value == argument.value_two.unwrap_or_default() & value
        }
    }
}

fn in_kernel(action: SeccompAction) -> u32 {
    match action {
        SeccompAction::Allow => ALLOW,
        SeccompAction::Errno => errno(libc::EPERM),
        SeccompAction::KillProcess => KILL_PROCESS,
        SeccompAction::Log => 0x7ffc_0000,
        SeccompAction::KillThread | SeccompAction::Trap => unreachable!(),
    }
}

/// What a profile says, read as it is written.
fn said(profile: &SeccompProfile, name: &str, arguments: [u64; 6]) -> u32 {
    let default = profile.default_action;
    let rules = profile.syscalls.iter();
    let of_call = rules.filter(|rule| rule.names.iter().any(|one| one == name));
    let of_call: Vec<_> = of_call.filter(|rule| rule.action != default).collect();
    let always = of_call.iter().find(|rule| rule.args.is_empty());
    let holding = || {
        let mut rules = of_call.iter();
        rules.find(|rule| rule.args.iter().all(|argument| holds(argument, arguments)))
    };
    if let Some(rule) = always.or_else(holding) {
        return in_kernel(rule.action);
    }
    let named = profile.syscalls.iter().flat_map(|rule| &rule.names);
    let last = named.map(|name| number(name)).max();
    let is_later = last.is_some_and(|last| number(name) > last);
    match default {
        SeccompAction::Errno | SeccompAction::KillProcess if is_later => errno(libc::ENOSYS),
        _ => in_kernel(default),
    }
}

proptest! {
    #[test]
    fn a_filter_answers_what_its_profile_says(
        default in any_action(),
        rules in proptest::collection::vec(any_rule(), 0..24),
        values in proptest::array::uniform6(prop_oneof![0u64..4, Just(1 << 32), Just(u64::MAX)]),
    ) {
        let profile = profile(default, rules);
        let filter = Compiled::of(&profile);
        for (name, _) in &NUMBERS {
            prop_assert_eq!(filter.answer(name, values), said(&profile, name, values), "{}", name);
        }
    }
}
