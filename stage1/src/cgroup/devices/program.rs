//! A program for the kernel (`BPF_PROG_TYPE_CGROUP_DEVICE`) that knows rules about devices.
//!
//! It is asked with the kind of device and of access, and with the device's numbers; it answers 1, or 0 to refuse.

use pod::manifest::{DeviceAccess, DeviceKind, DeviceRule};

use crate::sys::Instruction;

// linux/bpf_common.h, linux/bpf.h.
const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const AND: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const JUMP_IF_NOT_EQUAL: u8 = 0x55;
const EXIT: u8 = 0x95;

// Who is asked with what: `struct bpf_cgroup_dev_ctx`.
const KIND_AND_ACCESS: i16 = 0;
const MAJOR: i16 = 4;
const MINOR: i16 = 8;
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;
const MKNOD: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;

/// The registers: the answer, what is asked with, and its parts.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR_NUMBER: u8 = 4;
const MINOR_NUMBER: u8 = 5;
const SCRATCH: u8 = 6;

fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction {
        code,
        registers: to | from << 4,
        offset,
        immediate,
    }
}

/// A program that allows what these rules allow, and nothing else.
pub(crate) fn assemble(rules: &[DeviceRule]) -> Vec<Instruction> {
    let mut program = vec![
        instruction(LOAD_WORD, KIND, CONTEXT, KIND_AND_ACCESS, 0),
        instruction(MOVE_REGISTER, ACCESS, KIND, 0, 0),
        instruction(AND, KIND, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        instruction(LOAD_WORD, MAJOR_NUMBER, CONTEXT, MAJOR, 0),
        instruction(LOAD_WORD, MINOR_NUMBER, CONTEXT, MINOR, 0),
    ];
    for rule in rules {
        program.extend(of_rule(rule));
    }
    program.extend([
        instruction(MOVE, ANSWER, 0, 0, 0),
        instruction(EXIT, 0, 0, 0, 0),
    ]);
    program
}

/// Answers, if the rule is about what is asked; else goes on behind it.
fn of_rule(rule: &DeviceRule) -> Vec<Instruction> {
    // What has to be equal, each with what comes before the comparison.
    let mut conditions: Vec<(Vec<Instruction>, u8, i32)> = Vec::new();
    if let Some(kind) = rule.kind {
        let kind = match kind {
            DeviceKind::Block => BLOCK,
            DeviceKind::Character => CHARACTER,
        };
        conditions.push((Vec::new(), KIND, kind));
    }
    let refused = (MKNOD | READ | WRITE) & !bits(rule.access);
    if refused != 0 {
        let rest = vec![
            instruction(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0),
            instruction(AND, SCRATCH, 0, 0, refused),
        ];
        conditions.push((rest, SCRATCH, 0));
    }
    for (number, register) in [(rule.major, MAJOR_NUMBER), (rule.minor, MINOR_NUMBER)] {
        // A number that the kernel can't have is no device's.
        let number = number.map(|number| i32::try_from(number).unwrap_or(i32::MAX));
        conditions.extend(number.map(|number| (Vec::new(), register, number)));
    }
    let mut program = vec![
        instruction(MOVE, ANSWER, 0, 0, 1),
        instruction(EXIT, 0, 0, 0, 0),
    ];
    for (before, register, wanted) in conditions.into_iter().rev() {
        let over = i16::try_from(program.len()).unwrap_or(i16::MAX);
        let mut with = before;
        with.push(instruction(JUMP_IF_NOT_EQUAL, register, 0, over, wanted));
        with.append(&mut program);
        program = with;
    }
    program
}

fn bits(access: DeviceAccess) -> i32 {
    let mut bits = 0;
    for (may, bit) in [
        (access.read, READ),
        (access.write, WRITE),
        (access.mknod, MKNOD),
    ] {
        if may {
            bits |= bit;
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the program answers: the few instructions that it has, as the kernel would run them.
    fn run(program: &[Instruction], kind: u32, access: u32, major: u32, minor: u32) -> u64 {
        let context = [kind | access << 16, major, minor];
        let mut registers = [0_u64; 11];
        let mut at = 0;
        for _ in 0..=program.len() {
            let now = program[at];
            let (to, from) = (
                usize::from(now.registers & 15),
                usize::from(now.registers >> 4),
            );
            let immediate = i64::from(now.immediate) as u64;
            at += 1;
            match now.code {
                LOAD_WORD => registers[to] = context[now.offset as usize / 4].into(),
                MOVE => registers[to] = immediate,
                MOVE_REGISTER => registers[to] = registers[from],
                AND => registers[to] &= immediate,
                SHIFT_RIGHT => registers[to] >>= immediate,
                JUMP_IF_NOT_EQUAL if registers[to] != immediate => at += now.offset as usize,
                JUMP_IF_NOT_EQUAL => {}
                EXIT => return registers[0],
                code => panic!("unknown instruction {code:#x}"),
            }
        }
        panic!("it does not end");
    }

    fn rules() -> impl Strategy<Value = Vec<DeviceRule>> {
        let number = || proptest::option::of(0..4_u32);
        let kind = proptest::option::of(prop_oneof![
            Just(DeviceKind::Block),
            Just(DeviceKind::Character)
        ]);
        let rule = (kind, number(), number(), any::<[bool; 3]>());
        let rule = rule.prop_map(|(kind, major, minor, [read, write, mknod])| DeviceRule {
            kind,
            major,
            minor,
            access: DeviceAccess { read, write, mknod },
        });
        proptest::collection::vec(rule, 0..6)
    }

    proptest! {
        #[test]
        fn the_program_allows_what_a_rule_allows_and_nothing_else(
            rules in rules(),
            kind in 1..=2_u32,
            access in 1..8_u32,
            major in 0..5_u32,
            minor in 0..5_u32,
        ) {
            let is_kind = |rule: &DeviceRule| match rule.kind {
                None => true,
                Some(DeviceKind::Block) => kind == 1,
                Some(DeviceKind::Character) => kind == 2,
            };
            let allowed = rules.iter().any(|rule| {
                is_kind(rule)
                    && rule.major.is_none_or(|number| number == major)
                    && rule.minor.is_none_or(|number| number == minor)
                    && access & !(bits(rule.access) as u32) == 0
            });
            prop_assert_eq!(run(&assemble(&rules), kind, access, major, minor), u64::from(allowed));
        }
    }
}
