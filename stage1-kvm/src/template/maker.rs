//! Making a template: a machine without anything of a pod boots, and what it is then is kept.

use std::os::fd::{AsFd, OwnedFd};

use stage1::awakening::WAITING;
use stage1::failure::StartFailure;

use super::key::Key;
use super::memory;
use super::placeholder::template_mac;
use super::port::{Patience, Port};
use super::process::Process;
use super::store::{Kept, Making, Templates};
use crate::machine::{Origin, Parts, Starter};
use crate::output::Output;

/// The driver of disks, which has to be loaded by pod init in a copy. A kernel that has it built in knows the disks of a
/// template only.
const DISK_DRIVER: &[u8] = b"-virtio_blk.ko\0";

/// Makes the template for a machine with these parts.
///
/// # Errors
/// What failed.
pub(super) fn make(
    starter: &Starter<'_>,
    parts: &Parts,
    templates: &Templates,
    key: &Key,
) -> Result<Kept, StartFailure> {
    let Some(making) = templates.begin()? else {
        return Err(StartFailure::other(
            "another start makes the template just now",
        ));
    };
    let memory = boot(starter, parts, &making).map_err(|failure| StartFailure {
        message: format!("no template can be made: {}", failure.message),
        ..failure
    })?;
    templates.keep(key, &making, &memory)
}

fn boot(starter: &Starter<'_>, parts: &Parts, making: &Making) -> Result<OwnedFd, StartFailure> {
    expect_late_disks(parts)?;
    let asked = starter.asked();
    let bytes = parts.size.memory << 20;
    let memory = memory::make(bytes).map_err(StartFailure::os("make a template's memory"))?;
    let (output, console, errors) = Output::new()?;
    let duplicate = || StartFailure::os::<std::io::Error>("duplicate a descriptor");
    let boot = parts.boot.try_clone().map_err(duplicate())?;
    // Nothing reads them. Any file will do.
    let disk = |_| Ok(boot.initramfs.try_clone()?.into());
    let placeholders = Parts {
        console,
        errors,
        size: parts.size,
        disks: (0..parts.disks.len())
            .map(disk)
            .collect::<std::io::Result<_>>()
            .map_err(duplicate())?,
        checks_disks: false,
        interfaces: (0..parts.interfaces.len())
            .map(|number| (None, template_mac(number)))
            .collect(),
        shares: Vec::new(),
        tsc_khz: parts.tsc_khz,
        boot,
    };
    let origin = Origin::Template {
        memory: memory.try_clone().map_err(duplicate())?,
    };
    let started = starter.start(placeholders, origin)?;
    let process = Process::new(started.process);
    let patience = Patience::for_boot(asked.accelerator);
    let port = Port::new(&started.link, process.pidfd(), &patience)?;
    let saved = port.expect(WAITING).and_then(|()| {
        let control = started
            .control
            .ok_or_else(|| StartFailure::other("nobody can speak to its program"))?;
        starter.vmm.save(control, making.state()?.as_fd())
    });
    saved.map_err(|failure| match output.word_of_machine() {
        Some(reason) => StartFailure::other(reason),
        None => failure,
    })?;
    // Only then nobody has it mapped.
    drop(process);
    memory::seal(&memory).map_err(StartFailure::os("seal a template's memory"))?;
    Ok(memory)
}

fn expect_late_disks(parts: &Parts) -> Result<(), StartFailure> {
    let archive = parts.boot.read_initramfs()?;
    match archive
        .windows(DISK_DRIVER.len())
        .any(|part| part == DISK_DRIVER)
    {
        true => Ok(()),
        false => Err(StartFailure::other(
            "its kernel has the driver of disks built in",
        )),
    }
}
