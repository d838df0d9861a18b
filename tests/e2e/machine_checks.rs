//! Checks that a shell makes in a virtual machine.

use std::path::Path;
use std::time::Duration;

use harness::{Machine, dist_dir, fairing_binary};

const POLICY: &str = "[[rule]]\nprefix = \"*\"\ntype = \"accept-unsigned\"\n";

/// A machine with the built tree and a layout of images, which all run on it. It makes the checks of a script, which are its
/// functions `check_NAME`, in this order.
pub(crate) fn machine(script: &str, checks: &[&str], images: &Path) -> Machine {
    let script = [
        include_str!("machine_checks/functions.sh"),
        script,
        include_str!("machine_checks/end.sh"),
    ]
    .concat();
    let list: String = checks.iter().map(|name| format!("{name}\n")).collect();
    Machine::new(&script)
        .file("/checks", list)
        .file("/etc/fairing/trust.d/all.toml", POLICY)
        .copy(&dist_dir(), "/usr")
        .copy(images, "/images")
        .libraries_of(&fairing_binary())
}

/// Runs the machine, and fails the test with what it wrote if a check failed.
pub(crate) fn expect_all(machine: Machine, checks: &[&str]) {
    let output = machine.run(Duration::from_secs(240));
    // A serial console ends its lines with a carriage return, too.
    let lines: Vec<&str> = output.stdout.lines().map(str::trim_end).collect();
    assert!(lines.contains(&"DONE"), "the machine ended early\n{output}");
    let failed: Vec<&&str> = checks
        .iter()
        .filter(|name| !lines.contains(&format!("CHECK {name} ok").as_str()))
        .collect();
    assert!(failed.is_empty(), "failed: {failed:?}\n{output}");
}
