//! QEMU, whose machine `microvm` has nothing but what a pod needs.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use pod::machine_parts::{QEMU, installed};
use pod::manifest::Accelerator;
use stage1::failure::StartFailure;

use crate::qmp;
use crate::vmm::{Backing, Beginning, Machine, Vmm};

/// The machine has places for 24 devices, of which the last must be free; one is the serial port's.
const DEVICES_MAX: usize = 22;
/// System calls that it makes no more once it has begun.
const SANDBOX: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// QEMU.
#[derive(Debug)]
pub(crate) struct Qemu;

impl Vmm for Qemu {
    fn program(&self) -> Option<PathBuf> {
        installed(&QEMU)
    }

    fn name(&self) -> &'static str {
        "QEMU"
    }

    fn devices_max(&self) -> usize {
        DEVICES_MAX
    }

    fn arguments(&self, machine: &Machine) -> Vec<String> {
        let (accelerator, processor) = match machine.accelerator {
            Accelerator::Kvm => ("kvm", "host"),
            // Where moving and filling of memory byte by byte is said to be fast, the kernel does that; translated, it is not.
            Accelerator::Tcg => ("tcg", "max,-erms,-fsrm"),
        };
        let size = machine.size;
        let mut arguments: Vec<String> = ["-nodefaults", "-no-user-config", "-no-reboot"]
            .map(str::to_owned)
            .into();
        let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        add("-display", "none".to_owned());
        let backend = memory_backend(machine);
        let memory = match backend {
            Some(_) => ",memory-backend=memory",
            None => "",
        };
        add("-machine", format!("microvm,pit=off{memory}"));
        add("-accel", accelerator.to_owned());
        add("-cpu", processor.to_owned());
        add("-smp", size.cpus.to_string());
        add("-m", size.memory.to_string());
        add("-global", "virtio-mmio.force-legacy=false".to_owned());
        if let Some(backend) = backend {
            add("-object", backend);
        }
        match &machine.beginning {
            Beginning::Boot(boot) | Beginning::Template(boot, _) => {
                add("-kernel", path(boot.kernel));
                add("-initrd", path(boot.initramfs));
                add("-append", boot.kernel_words.clone());
            }
            // They are in its memory.
            Beginning::Copy(_) => add("-incoming", "defer".to_owned()),
        }
        if let Beginning::Template(_, backing) | Beginning::Copy(backing) = &machine.beginning {
            let control = backing.control;
            add("-chardev", format!("socket,id=control,fd={control}"));
            add("-mon", "chardev=control,mode=control".to_owned());
        }
        // Not a socket, which takes a few hundred bytes where each is sent by itself.
        let console = path(machine.console);
        add("-chardev", format!("file,id=console,path={console}"));
        add("-serial", "chardev:console".to_owned());
        add("-device", "virtio-serial-device".to_owned());
        add("-chardev", format!("socket,id=port,fd={}", machine.port));
        add(
            "-device",
            "virtserialport,chardev=port,name=fairing".to_owned(),
        );
        for (number, disk) in machine.disks.iter().enumerate() {
            add("-add-fd", format!("fd={disk},set={number}"));
            let file = format!("file=/dev/fdset/{number},format=raw,readonly=on,file.locking=off");
            add("-drive", format!("if=none,id=disk{number},{file}"));
            add("-device", format!("virtio-blk-device,drive=disk{number}"));
        }
        for (number, (tap, mac)) in machine.interfaces.iter().enumerate() {
            let netdev = match tap {
                Some(tap) => format!("tap,id=net{number},fd={tap}"),
                None => format!("hubport,id=net{number},hubid={number}"),
            };
            add("-netdev", netdev);
            add(
                "-device",
                format!("virtio-net-device,netdev=net{number},mac={mac}"),
            );
        }
        for (share, socket) in &machine.shares {
            let tag = share.tag();
            add("-chardev", format!("socket,id={tag},fd={socket}"));
            let device = format!("vhost-user-fs-device,chardev={tag},tag={tag}");
            add("-device", device);
        }
        add("-sandbox", SANDBOX.to_owned());
        arguments
    }

    fn begin_copy(&self, state: i32) -> Vec<u8> {
        qmp::begin_copy(state)
    }

    fn save(&self, control: OwnedFd, state: BorrowedFd<'_>) -> Result<(), StartFailure> {
        qmp::save(control, state)
    }
}

/// What the machine's memory is, where it isn't the program's alone.
fn memory_backend(machine: &Machine) -> Option<String> {
    let size = machine.size.memory;
    let of_file = |backing: &Backing, share: &str| {
        let file = path(backing.memory);
        format!("memory-backend-file,id=memory,size={size}M,mem-path={file},share={share}")
    };
    match &machine.beginning {
        Beginning::Template(_, backing) => Some(of_file(backing, "on")),
        Beginning::Copy(backing) => Some(of_file(backing, "off")),
        // Who shares files with it reads and writes its memory.
        Beginning::Boot(_) => (!machine.shares.is_empty())
            .then(|| format!("memory-backend-memfd,id=memory,size={size}M,share=on")),
    }
}

/// A file that is open by this number.
fn path(number: i32) -> String {
    format!("/proc/self/fd/{number}")
}

#[cfg(test)]
mod tests {
    use stage1::link::Share;

    use crate::size::Size;
    use crate::vmm::Boot;

    use super::*;

    #[test]
    fn a_machine_has_its_disks_in_order_and_no_device_that_nobody_asked_for() {
        let machine = |accelerator| Machine {
            size: Size {
                memory: 300,
                cpus: 2,
            },
            accelerator,
            beginning: Beginning::Boot(Boot {
                kernel: 5,
                initramfs: 6,
                kernel_words: "quiet -- first".to_owned(),
            }),
            console: 3,
            port: 4,
            disks: vec![7, 8],
            interfaces: vec![(Some(9), "02:00:00:00:00:07".parse().unwrap())],
            shares: vec![(Share::Host, 10)],
        };
        let words = |accelerator| Qemu.arguments(&machine(accelerator)).join(" ");
        let translated = words(Accelerator::Tcg);
        for part in [
            "-nodefaults ",
            "-accel tcg -cpu max,-erms,-fsrm -smp 2 -m 300 ",
            "-append quiet -- first ",
            "-add-fd fd=7,set=0 -drive if=none,id=disk0,file=/dev/fdset/0,",
            "-add-fd fd=8,set=1 -drive if=none,id=disk1,file=/dev/fdset/1,",
            "-netdev tap,id=net0,fd=9 -device virtio-net-device,netdev=net0,mac=02:00:00:00:00:07 ",
            "-machine microvm,pit=off,memory-backend=memory ",
            "-object memory-backend-memfd,id=memory,size=300M,share=on ",
            "-chardev socket,id=fairing-host,fd=10 ",
            "-device vhost-user-fs-device,chardev=fairing-host,tag=fairing-host ",
            "spawn=deny",
        ] {
            assert!(translated.contains(part), "{translated}");
        }
        assert_eq!(translated.matches(" -device ").count(), 6);
        assert!(words(Accelerator::Kvm).contains("-accel kvm -cpu host "));
    }
}
