//! Putting a machine together, and starting the program that runs it.

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cni_glue::mac::Mac;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use pod::PodUuid;
use pod::manifest::{Accelerator, PodManifest};
use stage1::cgroup::PodCgroups;
use stage1::failure::StartFailure;
use stage1::link::Share;

use crate::boot_files::BootFiles;
use crate::launcher::{self, FIRST, Identity, Program};
use crate::size::Size;
use crate::vmm::{Machine, Vmm};

/// The users as whom machines run: one of these for each pod.
const USERS: u32 = 0x7000_0000;
const USERS_MASK: u32 = 0x0fff_ffff;
const KVM: &str = "/dev/kvm";

/// What a machine is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Where it and the program that runs it write what they have to say ([`crate::output::Output`]).
    pub(crate) console: OwnedFd,
    pub(crate) errors: OwnedFd,
    pub(crate) size: Size,
    pub(crate) boot: BootFiles,
    pub(crate) disks: Vec<OwnedFd>,
    /// Whether its kernel is to check what it reads of them.
    pub(crate) checks_disks: bool,
    /// Taps, with the hardware addresses that the machine sees.
    pub(crate) interfaces: Vec<(OwnedFd, Mac)>,
    /// Where those listen to it who share files with it.
    pub(crate) shares: Vec<(Share, OwnedFd)>,
    /// How fast time goes, where its kernel has to be told.
    pub(crate) tsc_khz: Option<u64>,
}

/// Where the program is that runs machines.
///
/// # Errors
/// If it isn't installed.
pub(crate) fn program(vmm: &dyn Vmm) -> Result<PathBuf, StartFailure> {
    vmm.program().ok_or_else(|| {
        StartFailure::other(format!(
            "there is no {}, which runs virtual machines; install it, such as Debian's qemu-system-x86",
            vmm.name()
        ))
    })
}

/// Starts the machine of a pod, in its cgroup. The result is the pidfd of who runs it, and the end of the serial port by
/// which pod init speaks.
///
/// # Errors
/// What failed.
pub(crate) fn start(
    vmm: &dyn Vmm,
    program: &Path,
    manifest: &PodManifest,
    parts: Parts,
    cgroups: &PodCgroups,
) -> Result<(OwnedFd, OwnedFd), StartFailure> {
    let (taps, macs): (Vec<_>, Vec<_>) = parts.interfaces.into_iter().unzip();
    let disks = parts.disks;
    let most = vmm.devices_max();
    let (shares, sockets_of_shares): (Vec<_>, Vec<_>) = parts.shares.into_iter().unzip();
    if disks.len() + taps.len() + shares.len() > most {
        return Err(StartFailure::other(format!(
            "the pod has apps of {} images and {} network interfaces, and a virtual machine has place for {} of both",
            disks.len(),
            taps.len(),
            most - shares.len()
        )));
    }
    let asked = manifest.virtual_machine.clone().unwrap_or_default();
    let (link, port) = sockets()?;
    let mut numbers = FIRST + 4..;
    let machine = Machine {
        size: parts.size,
        accelerator: asked.accelerator,
        console: FIRST,
        port: FIRST + 1,
        kernel: FIRST + 2,
        initramfs: FIRST + 3,
        kernel_words: kernel_words(asked.accelerator, parts.tsc_khz, parts.checks_disks),
        disks: numbers.by_ref().take(disks.len()).collect(),
        interfaces: macs
            .into_iter()
            .zip(numbers.by_ref())
            .map(|(mac, number)| (number, mac))
            .collect(),
        shares: shares.into_iter().zip(numbers).collect(),
    };
    let BootFiles {
        kernel,
        initramfs,
        record,
    } = parts.boot;
    // The working directory is the pod's.
    record
        .of_machine(&machine, parts.checks_disks)
        .store(Path::new("."))?;
    let given = [parts.console, port, kernel.into(), initramfs.into()];
    let program = Program {
        path: program,
        arguments: &vmm.arguments(&machine),
        errors: parts.errors,
        descriptors: given
            .into_iter()
            .chain(disks)
            .chain(taps)
            .chain(sockets_of_shares)
            .collect(),
        identity: Identity::User {
            id: user_of(manifest.uuid),
            groups: &groups(asked.accelerator)?,
        },
    };
    Ok((launcher::start(&program, cgroups)?, link))
}

/// The groups who may use what the machine is accelerated by.
fn groups(accelerator: Accelerator) -> Result<Vec<u32>, StartFailure> {
    match accelerator {
        Accelerator::Kvm => {
            let device = std::fs::metadata(KVM);
            let device = device.map_err(StartFailure::os(format_args!("look at {KVM}")))?;
            Ok(vec![device.gid()])
        }
        Accelerator::Tcg => Ok(Vec::new()),
    }
}

/// The words for a machine's kernel.
fn kernel_words(accelerator: Accelerator, tsc_khz: Option<u64>, checks_disks: bool) -> String {
    let tsc = match (accelerator, tsc_khz) {
        // KVM tells it by itself.
        (Accelerator::Kvm, _) | (_, None) => String::new(),
        (Accelerator::Tcg, Some(figure)) => format!(" tsc_early_khz={figure}"),
    };
    // Behind the dashes are pod init's own.
    let own = match checks_disks {
        true => "first checks-disks",
        false => "first",
    };
    format!("console=ttyS0 quiet reboot=t panic=-1 cryptomgr.notests noreplace-smp{tsc} -- {own}")
}

/// A connected socket: this program's end, and the other one.
fn sockets() -> Result<(OwnedFd, OwnedFd), StartFailure> {
    let make = StartFailure::os::<nix::errno::Errno>("make a socket for a machine");
    let (family, kind) = (AddressFamily::Unix, SockType::Stream);
    socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC).map_err(make)
}

/// The user as whom the machine of a pod runs: no process of another pod can reach it.
fn user_of(uuid: PodUuid) -> u32 {
    let text = uuid.to_string();
    let digits = text.chars().filter(char::is_ascii_hexdigit).take(8);
    let number = u32::from_str_radix(&digits.collect::<String>(), 16).unwrap_or(0);
    USERS | (number & USERS_MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_translated_kernel_is_told_how_fast_time_goes_and_another_knows() {
        let words = kernel_words(Accelerator::Tcg, Some(2_600_000), false);
        assert!(words.contains(" tsc_early_khz=2600000 -- first"), "{words}");
        for words in [
            kernel_words(Accelerator::Kvm, Some(1), true),
            kernel_words(Accelerator::Tcg, None, true),
        ] {
            assert!(!words.contains("tsc"), "{words}");
            assert!(words.ends_with(" -- first checks-disks"), "{words}");
        }
    }

    #[test]
    fn a_machine_runs_as_a_user_of_its_pod_alone() {
        let user = |uuid: &str| user_of(uuid.parse().unwrap());
        let one = user("fedcba98-0000-4000-8000-000000000000");
        assert_eq!(one, 0x7edc_ba98);
        assert_ne!(one, user("fedcba99-0000-4000-8000-000000000000"));
    }
}
