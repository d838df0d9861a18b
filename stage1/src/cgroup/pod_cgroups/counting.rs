//! What the kernel counts of a pod.

use std::collections::BTreeSet;

use pod::AppName;

use super::PodCgroups;
use crate::cgroup::placement::Version;
use crate::cgroup::statistics::{LimitHits, Statistics};

impl PodCgroups {
    /// Lets what goes through disks be counted from now on, where that takes nothing but to say so: on version 2.
    pub fn count_disks(&self) {
        if self.placement.version == Version::V2 {
            let io = BTreeSet::from(["io"]);
            // Without it there is one figure less.
            let _ = self.further.for_pod(&self.placement, &self.folders, &io);
        }
    }

    /// What the pod uses: its apps together, and pod init.
    pub fn statistics_of_pod(&self) -> Statistics {
        let main = self.placement.hierarchies.iter().zip(&self.folders);
        let places = main.map(|(hierarchy, folder)| (hierarchy, folder.clone()));
        Statistics::read(self.placement.version, &places.collect::<Vec<_>>())
    }

    /// What an app uses. All is absent if it has no cgroup.
    pub fn statistics(&self, app: &AppName) -> Statistics {
        Statistics::read(self.placement.version, &self.places(app))
    }

    /// What counts how often the limit of all apps together was hit, on version 2.
    pub(crate) fn limit_hits(&self) -> Option<LimitHits> {
        let folder = self.folders.first();
        let folder = folder.filter(|_| self.placement.version == Version::V2);
        folder.map(|folder| LimitHits::of(folder))
    }

    /// How many processes of the pod the kernel has killed because memory was short. `None` if nobody counts that.
    pub fn oom_kills_of_pod(&self) -> Option<u64> {
        let main = self.placement.hierarchies.iter().zip(&self.folders);
        let places: Vec<_> = main.map(|(h, folder)| (h, folder.clone())).collect();
        Statistics::oom_kills(self.placement.version, &places)
    }

    /// How many processes of an app the kernel has killed because memory was short. `None` if nobody counts that.
    pub fn oom_kills(&self, app: &AppName) -> Option<u64> {
        Statistics::oom_kills(self.placement.version, &self.places(app))
    }
}
