//! The processes of a running pod, as the host sees them, or the virtual machine that they are in.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use pod::control::{Request, Response};
use pod::manifest::{HostNamespace, PodManifest};
pub use pod::processes::PodProcess;
use pod::processes::{PodCgroup, read};
use pod::{AppName, PodEntry, State};

use super::connection::{ask, connect_when_up, live_status, unexpected};
use crate::config::directories::Directories;
use crate::error::Error;

/// The processes of a pod, without pod init.
///
/// # Errors
/// If the pod doesn't run, or its monitor can't be asked.
pub fn processes(entry: &PodEntry, directories: &Directories) -> Result<Vec<PodProcess>, Error> {
    let not_running = |state| Error::State {
        uuid: entry.uuid,
        operation: "looked into",
        state,
    };
    match entry.state()? {
        State::Running => {}
        state => return Err(not_running(state)),
    }
    let live = live_status(entry, directories)?.ok_or_else(|| not_running(State::Exited))?;
    let manifest = PodManifest::load(&entry.path)?;
    if manifest.virtual_machine.is_some() {
        let connection =
            connect_when_up(entry, directories)?.ok_or_else(|| not_running(State::Exited))?;
        return match ask(&connection, &Request::Processes)? {
            Some(Response::Processes { processes }) => Ok(processes),
            None => Err(not_running(State::Exited)),
            Some(other) => Err(unexpected(&other)),
        };
    }
    let cgroups = PodCgroup {
        pod: format!("fairing-{}", entry.uuid),
        apps: manifest.apps.iter().map(|app| app.name.clone()).collect(),
    };
    let is_among_others = manifest.host_namespaces.contains(&HostNamespace::Pid);
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid"));
    let failed = |error: io::Error| Error::io("read", "/proc")(error);
    let own = namespace(&live.init_pid.to_string()).map_err(failed)?;
    // An app that is systemd has a namespace of its own below the pod's.
    let mains: BTreeMap<u32, &AppName> = live
        .apps
        .iter()
        .filter_map(|app| Some((u32::try_from(app.pid?).ok()?, &app.name)))
        .collect();
    let below: Vec<_> = mains
        .keys()
        .filter_map(|pid| namespace(&pid.to_string()).ok())
        .filter(|other| *other != own)
        .collect();
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").map_err(failed)? {
        let name = process.map_err(failed)?.file_name();
        let Some(number) = name.to_str().filter(|name| name.parse::<u32>().is_ok()) else {
            continue;
        };
        // One that ends meanwhile is none.
        let depth = match namespace(number) {
            Ok(other) if other == own => 0,
            Ok(other) if below.contains(&other) => 1,
            _ => continue,
        };
        let Some(mut process) = read(Path::new("/proc").join(number).as_path(), &cgroups, depth)
        else {
            continue;
        };
        // Where an isolator makes no cgroups, the first process of an app can still be told; it may be pid 1.
        let main = process.pid.and_then(|pid| mains.get(&pid));
        process.app = process.app.or_else(|| main.map(|name| (*name).clone()));
        if (process.pid_in_pod != 1 || main.is_some())
            && (process.app.is_some() || !is_among_others)
        {
            found.push(process);
        }
    }
    found.sort_by_key(|process| process.pid_in_pod);
    Ok(found)
}
