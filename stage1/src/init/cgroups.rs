//! What pod init does with the cgroups of apps for the monitor, where it has them itself.

use pod::AppName;

use crate::cgroup::{CgroupError, PodCgroups};
use crate::protocol::{CgroupAnswer, CgroupRequest};

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
