//! Copies of a template: the machine goes on, and is told all that has to differ from other copies.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use rustix::io::write;
use stage1::awakening::{ASKED, AWAKE, Awakening, HostTime, SEED};
use stage1::failure::StartFailure;

use super::placeholder::template_mac;
use super::port::{Patience, Port};
use super::process::Process;
use crate::machine::{Origin, Parts, Starter};

const RANDOM: &str = "/dev/urandom";

/// A copy that is awake.
pub(super) struct Copied {
    pub(super) process: OwnedFd,
    pub(super) link: OwnedFd,
}

/// Starts a copy and awakes it. While its program starts, its memory is filled.
///
/// # Errors
/// What failed; nothing of it runs then.
pub(super) fn start(
    starter: &Starter<'_>,
    parts: &Parts,
    memory: &OwnedFd,
    state: OwnedFd,
    fill: impl FnOnce() -> Result<(), StartFailure>,
) -> Result<Copied, StartFailure> {
    let duplicate = || StartFailure::os::<std::io::Error>("duplicate a descriptor");
    let mut state = File::from(state);
    state
        .rewind()
        .map_err(StartFailure::os("read a template's state"))?;
    let origin = Origin::Copy {
        memory: memory.try_clone().map_err(duplicate())?,
        state: state.into(),
    };
    let awakening = Awakening {
        seed: seed()?,
        interfaces: (0..)
            .zip(&parts.interfaces)
            .map(|(number, (_, mac))| (template_mac(number), *mac))
            .collect(),
    };
    let started = starter.start(parts.try_clone().map_err(duplicate())?, origin)?;
    let process = Process::new(started.process);
    fill()?;
    started
        .control
        .as_ref()
        .map_or(Ok(0), |control| write(control, &started.requests))
        .map_err(StartFailure::os("tell a machine to go on"))?;
    let patience = Patience::for_copy(starter.asked().accelerator);
    let port = Port::new(&started.link, process.pidfd(), &patience)?;
    port.say(&awakening.to_bytes())?;
    for _ in 0..ASKED {
        port.expect(AWAKE)?;
        port.say(&now()?.to_bytes())?;
    }
    // From here on nobody tells its program anything.
    drop(started.control);
    Ok(Copied {
        process: process.keep()?,
        link: started.link,
    })
}

fn seed() -> Result<[u8; SEED], StartFailure> {
    let mut seed = [0; SEED];
    File::open(RANDOM)
        .and_then(|mut random| random.read_exact(&mut seed))
        .map_err(StartFailure::os(format_args!("read {RANDOM}")))?;
    Ok(seed)
}

fn now() -> Result<HostTime, StartFailure> {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    time.map(HostTime)
        .map_err(StartFailure::os("tell the time"))
}
