//! Putting a machine together, and starting the program that runs it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cni_glue::mac::Mac;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use pod::manifest::{Accelerator, PodManifest, VirtualMachine};
use stage1::cgroup::PodCgroups;
use stage1::failure::StartFailure;
use stage1::first_root::{FirstWords, Purpose};
use stage1::link::Share;

use crate::boot_files::BootFiles;
use crate::launcher::{self, FIRST, Identity, Program};
use crate::size::Size;
use crate::vmm::{Backing, Beginning, Boot, Machine, Vmm};

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
    /// Taps, with the hardware addresses that the machine sees. Those of a template lead nowhere.
    pub(crate) interfaces: Vec<(Option<OwnedFd>, Mac)>,
    /// Where those listen to it who share files with it.
    pub(crate) shares: Vec<(Share, OwnedFd)>,
    /// How fast time goes, where its kernel has to be told.
    pub(crate) tsc_khz: Option<u64>,
}

impl Parts {
    /// What its kernel needs modules for.
    fn purposes(&self) -> Vec<Purpose> {
        let wanted = [
            (Purpose::Disks, !self.disks.is_empty()),
            (Purpose::Checks, self.checks_disks),
            (Purpose::Interfaces, !self.interfaces.is_empty()),
            (Purpose::Shares, !self.shares.is_empty()),
        ];
        let wanted = wanted.into_iter().filter(|(_, is_wanted)| *is_wanted);
        wanted.map(|(purpose, _)| purpose).collect()
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        let disks = self.disks.iter().map(OwnedFd::try_clone);
        let interfaces = self.interfaces.iter().map(|(tap, mac)| {
            let tap = tap.as_ref().map(OwnedFd::try_clone);
            Ok((tap.transpose()?, *mac))
        });
        let shares = self.shares.iter();
        let shares = shares.map(|(share, socket)| Ok((*share, socket.try_clone()?)));
        Ok(Self {
            console: self.console.try_clone()?,
            errors: self.errors.try_clone()?,
            size: self.size,
            boot: self.boot.try_clone()?,
            disks: disks.collect::<io::Result<_>>()?,
            checks_disks: self.checks_disks,
            interfaces: interfaces.collect::<io::Result<_>>()?,
            shares: shares.collect::<io::Result<_>>()?,
            tsc_khz: self.tsc_khz,
        })
    }
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

/// What a machine begins from, with what that takes.
#[derive(Debug)]
pub(crate) enum Origin {
    /// It boots.
    Boot,
    /// It boots to be copied.
    Template {
        /// Its memory, a file of that size.
        memory: OwnedFd,
    },
    /// It is a copy of a template.
    Copy {
        /// The template's memory, of which only the size counts until the copy is told to go on.
        memory: OwnedFd,
        /// The template's state, read from its beginning.
        state: OwnedFd,
    },
}

/// A machine whose program has been started.
#[derive(Debug)]
pub(crate) struct Started {
    /// The pidfd of who runs it.
    pub(crate) process: OwnedFd,
    /// The end of the serial port by which pod init speaks.
    pub(crate) link: OwnedFd,
    /// Where the program of a template or a copy is told what to do.
    pub(crate) control: Option<OwnedFd>,
    /// What is to be written there once a copy's memory is what it should be.
    pub(crate) requests: Vec<u8>,
}

/// Who starts machines, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Starter<'a> {
    pub(crate) vmm: &'a dyn Vmm,
    pub(crate) program: &'a Path,
    pub(crate) manifest: &'a PodManifest,
    pub(crate) cgroups: &'a PodCgroups,
    /// The user as whom the program runs: nobody but this pod has it.
    pub(crate) user: u32,
}

impl Starter<'_> {
    /// Starts the machine of a pod, in its cgroup.
    ///
    /// # Errors
    /// What failed.
    pub(crate) fn start(&self, parts: Parts, origin: Origin) -> Result<Started, StartFailure> {
        self.expect_room(&parts)?;
        let asked = self.asked();
        let mut given = Given::default();
        let (link, port) = sockets()?;
        let purposes = parts.purposes();
        let (control, of_program) = match origin {
            Origin::Boot => (None, None),
            Origin::Template { .. } | Origin::Copy { .. } => {
                let (ours, theirs) = sockets()?;
                (Some(ours), Some(given.add(theirs)))
            }
        };
        let BootFiles {
            kernel, initramfs, ..
        } = parts.boot;
        let boot = |is_template| Boot {
            kernel: given.add(kernel.into()),
            initramfs: given.add(initramfs.into()),
            kernel_words: kernel_words(
                asked.accelerator,
                parts.tsc_khz,
                &FirstWords {
                    is_template,
                    purposes,
                },
            ),
        };
        let mut requests = Vec::new();
        let beginning = match (origin, of_program) {
            (Origin::Template { memory }, Some(control)) => {
                let boot = boot(true);
                let memory = given.add(memory);
                Beginning::Template(boot, Backing { memory, control })
            }
            (Origin::Copy { memory, state }, Some(of_program)) => {
                let memory = given.add(memory);
                requests = self.vmm.begin_copy(given.add(state));
                let control = of_program;
                Beginning::Copy(Backing { memory, control })
            }
            _ => Beginning::Boot(boot(false)),
        };
        let machine = Machine {
            size: parts.size,
            accelerator: asked.accelerator,
            beginning,
            console: given.add(parts.console),
            port: given.add(port),
            disks: parts
                .disks
                .into_iter()
                .map(|disk| given.add(disk))
                .collect(),
            interfaces: parts
                .interfaces
                .into_iter()
                .map(|(tap, mac)| (tap.map(|tap| given.add(tap)), mac))
                .collect(),
            shares: parts
                .shares
                .into_iter()
                .map(|(share, socket)| (share, given.add(socket)))
                .collect(),
        };
        let program = Program {
            path: self.program,
            arguments: &self.vmm.arguments(&machine),
            errors: parts.errors,
            descriptors: given.0,
            identity: Identity::User {
                id: self.user,
                groups: &groups(asked.accelerator)?,
            },
        };
        Ok(Started {
            process: launcher::start(&program, self.cgroups)?,
            link,
            control,
            requests,
        })
    }

    /// What the user asks of the machine.
    pub(crate) fn asked(&self) -> VirtualMachine {
        self.manifest.virtual_machine.clone().unwrap_or_default()
    }

    fn expect_room(&self, parts: &Parts) -> Result<(), StartFailure> {
        let (disks, interfaces) = (parts.disks.len(), parts.interfaces.len());
        let most = self.vmm.devices_max().saturating_sub(parts.shares.len());
        match disks + interfaces > most {
            true => Err(StartFailure::other(format!(
                "the pod has apps of {disks} images and {interfaces} network interfaces, and a virtual machine has \
                 place for {most} of both"
            ))),
            false => Ok(()),
        }
    }
}

/// What a program is given, in the order of the numbers that it has there.
#[derive(Debug, Default)]
struct Given(Vec<OwnedFd>);

impl Given {
    fn add(&mut self, descriptor: OwnedFd) -> i32 {
        // A machine has room for a few devices.
        let number = i32::try_from(self.0.len()).unwrap_or(i32::MAX);
        self.0.push(descriptor);
        FIRST.saturating_add(number)
    }
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

/// The words for a machine's kernel. The last ones are for pod init.
fn kernel_words(accelerator: Accelerator, tsc_khz: Option<u64>, first: &FirstWords) -> String {
    let tsc = match (accelerator, tsc_khz) {
        // KVM tells it by itself.
        (Accelerator::Kvm, _) | (_, None) => String::new(),
        // It would be judged by how often a timer comes, which is how often the host lets it.
        (Accelerator::Tcg, Some(figure)) => format!(" tsc=reliable tsc_early_khz={figure}"),
    };
    let initrd = match accelerator {
        Accelerator::Kvm => "",
        // The archive is overwritten before its memory is used again: translated, that takes longer than it is worth.
        Accelerator::Tcg => " retain_initrd",
    };
    let first = first.to_text();
    format!(
        "console=ttyS0 quiet reboot=t panic=-1 cryptomgr.notests noreplace-smp{initrd}{tsc} -- {first}"
    )
}

/// A connected socket: this program's end, and the other one.
fn sockets() -> Result<(OwnedFd, OwnedFd), StartFailure> {
    let make = StartFailure::os::<nix::errno::Errno>("make a socket for a machine");
    let (family, kind) = (AddressFamily::Unix, SockType::Stream);
    socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC).map_err(make)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_is_given_has_numbers_in_order() {
        let mut given = Given::default();
        let file = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        assert_eq!(
            [(); 3].map(|()| given.add(file())),
            [FIRST, FIRST + 1, FIRST + 2]
        );
    }

    #[test]
    fn a_translated_kernel_is_told_how_fast_time_goes_and_another_knows() {
        let first = FirstWords {
            is_template: false,
            purposes: vec![Purpose::Disks],
        };
        let words = kernel_words(Accelerator::Tcg, Some(2_600_000), &first);
        let expected = " tsc=reliable tsc_early_khz=2600000 -- first disks";
        assert!(words.ends_with(expected), "{words}");
        for words in [
            kernel_words(Accelerator::Kvm, Some(1), &first),
            kernel_words(Accelerator::Tcg, None, &first),
        ] {
            assert!(!words.contains("tsc"), "{words}");
        }
    }
}
