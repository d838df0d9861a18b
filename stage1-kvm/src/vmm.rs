//! Programs that run virtual machines.

use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use cni_glue::mac::Mac;
use pod::manifest::Accelerator;
use stage1::failure::StartFailure;
use stage1::link::Share;

use crate::size::Size;

/// A machine, as such a program is told of it. All files are open in the program, by these numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) size: Size,
    pub(crate) accelerator: Accelerator,
    pub(crate) beginning: Beginning,
    /// A pipe: the machine's console.
    pub(crate) console: i32,
    /// A connected socket: the serial port by which pod init speaks to the monitor.
    pub(crate) port: i32,
    /// Disks that can't be written, in the order in which the machine finds them.
    pub(crate) disks: Vec<i32>,
    /// Network interfaces: taps, with the hardware address that the machine sees. Those of a template lead nowhere.
    pub(crate) interfaces: Vec<(Option<i32>, Mac)>,
    /// Connected sockets that lead to those who share files with it.
    pub(crate) shares: Vec<(Share, i32)>,
}

/// How a machine begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// It boots.
    Boot(Boot),
    /// It boots, and what is in its memory then is kept to be copied.
    Template(Boot, Backing),
    /// It goes on where its template has stopped. What it changes of the memory is its own.
    Copy(Backing),
}

/// What a machine boots from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Boot {
    /// The kernel, as an ELF file.
    pub(crate) kernel: i32,
    /// The kernel's first root.
    pub(crate) initramfs: i32,
    /// What the kernel is told.
    pub(crate) kernel_words: String,
}

/// What is behind a template or a copy of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backing {
    /// The file that is the template's memory, of just that size.
    pub(crate) memory: i32,
    /// A connected socket by which the program is told what to do.
    pub(crate) control: i32,
}

/// A program that runs virtual machines.
pub(crate) trait Vmm: fmt::Debug {
    /// Where it is; `None` if it isn't installed.
    fn program(&self) -> Option<PathBuf>;

    /// What it is called, for messages.
    fn name(&self) -> &'static str;

    /// How many disks, network interfaces and sources of shared files a machine has at most.
    fn devices_max(&self) -> usize;

    /// Its arguments, its own name not counted.
    fn arguments(&self, machine: &Machine) -> Vec<String>;

    /// What a copy's program is sent so that the machine goes on, its template's state being open at this descriptor.
    fn begin_copy(&self, state: i32) -> Vec<u8>;

    /// Writes the state of a template that waits to a file, and ends its program, which is spoken to by `control`.
    ///
    /// # Errors
    /// What the program answers.
    fn save(&self, control: OwnedFd, state: BorrowedFd<'_>) -> Result<(), StartFailure>;
}
