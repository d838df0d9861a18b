//! What an app may do with devices. Version 1 has a hierarchy for that; on version 2 the kernel asks a program.
//!
//! An app that has no devices of its own is in need of neither: it can make no nodes, and those of images and volumes don't
//! open.

mod program;

use std::os::fd::OwnedFd;
use std::path::Path;

use pod::manifest::{DeviceAccess, DeviceKind, DeviceRule};

use super::directory;
use super::error::CgroupError;
use crate::sys;

use self::program::assemble;

const ALL: DeviceAccess = DeviceAccess {
    read: true,
    write: true,
    mknod: true,
};

/// What every app may use, as docker and podman have it: nodes of all kinds may be made by who may make nodes at all, and
/// these devices be used: memory, terminals.
const USUAL: [(Option<u32>, Option<u32>); 9] = [
    (Some(1), Some(3)),
    (Some(1), Some(5)),
    (Some(1), Some(7)),
    (Some(1), Some(8)),
    (Some(1), Some(9)),
    (Some(5), Some(0)),
    (Some(5), Some(1)),
    (Some(5), Some(2)),
    (Some(136), None),
];

/// All rules of an app. Those about the same devices are one.
pub(super) fn with_usual(own: &[DeviceRule]) -> Vec<DeviceRule> {
    let nodes = DeviceRule {
        kind: None,
        major: None,
        minor: None,
        access: DeviceAccess {
            read: false,
            write: false,
            mknod: true,
        },
    };
    let usual = USUAL.iter().map(|(major, minor)| DeviceRule {
        kind: Some(DeviceKind::Character),
        major: *major,
        minor: *minor,
        access: ALL,
    });
    let mut rules: Vec<DeviceRule> = Vec::new();
    for rule in [nodes].into_iter().chain(usual).chain(own.iter().copied()) {
        let same = |other: &&mut DeviceRule| {
            (other.kind, other.major, other.minor) == (rule.kind, rule.major, rule.minor)
        };
        match rules.iter_mut().find(same) {
            Some(other) => {
                other.access.read |= rule.access.read;
                other.access.write |= rule.access.write;
                other.access.mknod |= rule.access.mknod;
            }
            None => rules.push(rule),
        }
    }
    rules
}

/// Forbids a cgroup of version 1 everything but this.
pub(super) fn restrict_v1(folder: &Path, rules: &[DeviceRule]) -> Result<(), CgroupError> {
    directory::write(&folder.join("devices.deny"), "a")?;
    let allow = folder.join("devices.allow");
    lines(rules)
        .iter()
        .try_for_each(|line| directory::write(&allow, line))
}

/// As version 1 takes them: a rule about both kinds is two, since one of `a` would be of everything.
fn lines(rules: &[DeviceRule]) -> Vec<String> {
    let number = |number: Option<u32>| number.map_or("*".to_owned(), |n| n.to_string());
    let mut lines = Vec::new();
    for rule in rules {
        let kinds = match rule.kind {
            Some(DeviceKind::Character) => "c",
            Some(DeviceKind::Block) => "b",
            None => "bc",
        };
        for kind in kinds.chars() {
            let (major, minor) = (number(rule.major), number(rule.minor));
            lines.push(format!(
                "{kind} {major}:{minor} {}",
                String::from(rule.access)
            ));
        }
    }
    lines
}

/// Has the kernel ask a program what a cgroup of version 2 may do.
pub(super) fn restrict_v2(
    folder: &Path,
    cgroup: &OwnedFd,
    rules: &[DeviceRule],
) -> Result<(), CgroupError> {
    let program = assemble(rules);
    sys::attach_device_program(cgroup, &program)
        .map_err(CgroupError::io("restrict the devices of", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_lines_of_version_1_and_those_of_one_device_are_one() {
        let own = |access: &str| DeviceRule {
            kind: Some(DeviceKind::Block),
            major: Some(8),
            minor: None,
            access: DeviceAccess::try_from(access.to_owned()).unwrap(),
        };
        let lines = lines(&with_usual(&[own("r"), own("w")]));
        assert_eq!(lines[..3], ["b *:* m", "c *:* m", "c 1:3 rwm"]);
        assert_eq!(lines.last().unwrap(), "b 8:* rw");
        assert_eq!(lines.len(), 12);
    }
}
