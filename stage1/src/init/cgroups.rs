//! What pod init does with the cgroups of apps for the monitor, where it has them itself.

use std::fs;
use std::io;
use std::path::Path;

use pod::AppName;
use pod::processes::{PodProcess, read};

use crate::cgroup::{CgroupError, PodCgroups};
use crate::protocol::{COMMAND_MAX, CgroupAnswer, CgroupRequest, PROCESSES_MAX};

const PROC: &str = "/proc";

/// Does what is asked. `cgroups` are those of the pod, if pod init has them.
pub(super) fn answer(cgroups: Option<&PodCgroups>, request: CgroupRequest) -> CgroupAnswer {
    let Some(cgroups) = cgroups else {
        return CgroupAnswer::Failed {
            reason: "pod init does not have the cgroups of its apps".to_owned(),
        };
    };
    let done = match request {
        CgroupRequest::Count { apps } => {
            cgroups.count_disks();
            let counted = apps.into_iter().map(|app| {
                let statistics = cgroups.statistics(&app);
                (app, statistics)
            });
            return CgroupAnswer::Counted {
                apps: counted.collect(),
            };
        }
        CgroupRequest::Limit { app, resources } => match app {
            Some(app) => cgroups.update_in_time(&app, &resources),
            None => cgroups.update_pod_in_time(&resources),
        },
        CgroupRequest::Processes => {
            return match processes(cgroups) {
                Ok(processes) => CgroupAnswer::Processes { processes },
                Err(error) => CgroupAnswer::Failed {
                    reason: format!("cannot read /proc: {error}"),
                },
            };
        }
        CgroupRequest::Freeze { apps } => freeze(cgroups, &apps),
        CgroupRequest::Thaw { apps } => apps.iter().try_for_each(|app| cgroups.thaw(app)),
    };
    match done {
        Ok(()) => CgroupAnswer::Done,
        Err(error) => CgroupAnswer::Failed {
            reason: error.to_string(),
        },
    }
}

/// The processes of apps, as this machine has them.
fn processes(cgroups: &PodCgroups) -> io::Result<Vec<PodProcess>> {
    let folder = cgroups.names();
    let mut numbers: Vec<u32> = fs::read_dir(PROC)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let all = numbers.into_iter().filter_map(|number| {
        let path = Path::new(PROC).join(number.to_string());
        let process = read(&path, &folder, 0)?;
        // The kernel's own, and pod init, are of no app.
        process.app.as_ref()?;
        let end = process.command.floor_char_boundary(COMMAND_MAX);
        Some(PodProcess {
            // It is none of the host's.
            pid: None,
            pid_in_pod: number,
            command: process.command.get(..end)?.to_owned(),
            ..process
        })
    });
    Ok(all.take(PROCESSES_MAX).collect())
}

/// Stops all of them, or none.
fn freeze(cgroups: &PodCgroups, apps: &[AppName]) -> Result<(), CgroupError> {
    for (count, app) in apps.iter().enumerate() {
        if let Err(error) = cgroups.freeze(app) {
            // The first failure is the one to tell of.
            for frozen in apps.iter().take(count) {
                let _ = cgroups.thaw(frozen);
            }
            return Err(error);
        }
    }
    Ok(())
}
