//! What pods in virtual machines need. Most pods are in none, so all of it is a note.

use engine::machine::{Availability, GuestKernel, Machine};

use super::area::Area;
use super::area::Severity::Note;

/// By what frames go from a pod's network into its machine and back.
const REDIRECTION: [(&str, &str); 2] = [("cls_u32", "tc-u32"), ("act_mirred", "tc-mirred")];

/// Where the virtiofsd in C is, how many files it would have open, and what it takes to be given that.
const VIRTIOFSD_IN_C: &str = "/usr/lib/qemu";
const OPEN_MAX: u64 = 1_000_000;
const SYS_RESOURCE: u64 = 1 << 24;

pub(super) fn checks(machine: &Machine) -> Area {
    let mut area = Area::new("virtual machines");
    let parts = &machine.virtual_machines;
    match &parts.qemu {
        Some(path) => area.fine("QEMU", path.display().to_string()),
        None => area.lacks(
            "QEMU",
            Note,
            "none",
            "no pod runs with --stage1=kvm; Debian has it as qemu-system-x86",
        ),
    }
    match &parts.kernel {
        Ok(kernel) => of_kernel(&mut area, kernel),
        Err(why) => area.lacks(
            "guest kernel",
            Note,
            why.clone(),
            "pods in virtual machines have to name one with --kvm-kernel",
        ),
    }
    let devices = machine.kernel.devices;
    let (kvm, meaning) = match (devices.kvm, devices.kvm_opens, devices.virtualizes) {
        (true, true, true) => ("usable", None),
        (true, true, false) => (
            "it opens, and the processor has neither vmx nor svm",
            Some("a program translates the instructions of virtual machines, which is slow"),
        ),
        (true, false, _) => (
            "it can't be opened",
            Some("a program translates the instructions of virtual machines, which is slow"),
        ),
        (false, ..) => (
            "none",
            Some("a program translates the instructions of virtual machines, which is slow"),
        ),
    };
    match meaning {
        None => area.fine("/dev/kvm", kvm),
        Some(meaning) => area.lacks("/dev/kvm", Note, kvm, meaning),
    }
    area.either(
        "/dev/net/tun",
        devices.tun,
        Note,
        "pods in virtual machines can't join networks; tunnels need it, too",
    );
    for (module, subject) in REDIRECTION {
        match machine.modules.get(module) {
            Availability::Present => area.fine(subject, "in the kernel"),
            Availability::Loadable => {
                area.fine(subject, "a module that is loaded when it is needed");
            }
            Availability::Unseen => area.lacks(
                subject,
                Note,
                "nothing is seen of it",
                "pods in virtual machines can't join networks",
            ),
        }
    }
    match &parts.virtiofsd {
        Some(path) if path.starts_with(VIRTIOFSD_IN_C) && !may_open_all(machine) => {
            let most = machine.process.descriptors.unwrap_or_default();
            area.lacks(
                "virtiofsd",
                Note,
                format!("{}, with {most} open files at most", path.display()),
                "it keeps each file of volumes open that a virtual machine knows, and finds no more than that; the program in \
                 Rust doesn't, or raise the hard limit of open files (LimitNOFILE=, ulimit -Hn)",
            );
        }
        Some(path) => area.fine("virtiofsd", path.display().to_string()),
        None => area.lacks(
            "virtiofsd",
            Note,
            "none",
            "in virtual machines there are no volumes, and no pods without --rm; Debian has it as virtiofsd, or in \
             qemu-system-common before Debian 13",
        ),
    }
    area
}

/// Whether a virtiofsd can have as many files open as it would.
fn may_open_all(machine: &Machine) -> bool {
    let process = &machine.process;
    let may_raise = process
        .capabilities
        .is_some_and(|all| all & SYS_RESOURCE != 0);
    may_raise || process.descriptors.is_none_or(|most| most >= OPEN_MAX)
}

fn of_kernel(area: &mut Area, kernel: &GuestKernel) {
    let shown = kernel.image.display().to_string();
    match kernel.missing.as_slice() {
        [] => area.fine("guest kernel", shown),
        missing => area.lacks(
            "guest kernel",
            Note,
            format!("{shown}, without {}", missing.join(", ")),
            "no pod runs in it; name another with --kvm-kernel",
        ),
    }
    area.either(
        "dm-verity in guests",
        kernel.checks_disks,
        Note,
        "what is changed of an image while a virtual machine runs is not found by integrity = \"full\"",
    );
    area.either(
        "virtiofs in guests",
        kernel.shares_files,
        Note,
        "in virtual machines there are no volumes, and no pods without --rm",
    );
}
