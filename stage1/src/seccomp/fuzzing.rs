//! Bodies of the fuzz targets.

use std::collections::BTreeSet;

use pod::containers_seccomp::parse;
use pod::manifest::Capability;

use super::compile::{PROGRAM_MAX, compile};

/// Profiles as users write them, and the filters that they become: those end, and the kernel takes them.
pub fn seccomp_profile(data: &[u8]) {
    let bounding = BTreeSet::from(Capability::DEFAULT);
    let Ok(profile) = parse(data, &bounding) else {
        return;
    };
    let Ok(program) = compile(&profile) else {
        return;
    };
    assert!(program.len() <= PROGRAM_MAX);
    let jumps = |code: u16| code & 0x07 == 0x05;
    for (at, step) in program.iter().enumerate() {
        let rest = program.len() - at - 1;
        let far = match step.code {
            0x05 => step.k as usize,
            code if jumps(code) => usize::from(step.jt.max(step.jf)),
            0x06 => continue,
            _ => 0,
        };
        assert!(far < rest, "instruction {at} leads {far} on, of {rest}");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn profiles() {
        replay::replay("seccomp_profile", 20_000, super::seccomp_profile);
    }
}
