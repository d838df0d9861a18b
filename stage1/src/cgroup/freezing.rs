//! Apps of a pod that are stopped for a while.

use pod::AppName;

use super::directory;
use super::error::CgroupError;
use super::freezer;
use super::placement::Version;
use super::pod_cgroups::PodCgroups;

impl PodCgroups {
    /// Stops all processes of an app, and waits for a moment until they have. Has to be undone by
    /// [`Self::thaw`] before the app is sent signals: on version 1 it takes none, not even SIGKILL.
    ///
    /// # Errors
    /// If the host can't do that, or a process does not stop. The app then runs on.
    pub fn freeze(&self, app: &AppName) -> Result<(), CgroupError> {
        let places = self.places(app);
        let (_, seat) = places.first().ok_or(CgroupError::NotMounted)?;
        if self.placement.version == Version::V2 {
            return freezer::freeze_v2(seat);
        }
        let pod = self
            .freezer
            .as_ref()
            .ok_or(CgroupError::NoController("freezer"))?;
        let own = pod.join(app.as_str());
        directory::make(pod)?;
        directory::make(&own)?;
        freezer::freeze_v1(&own, seat)
    }

    /// Lets an app that was stopped go on.
    ///
    /// # Errors
    /// If the app has no cgroup, or on version 1 was never stopped.
    pub fn thaw(&self, app: &AppName) -> Result<(), CgroupError> {
        match (self.placement.version, &self.freezer) {
            (Version::None, _) => Err(CgroupError::NotMounted),
            (Version::V1, Some(pod)) => freezer::thaw_v1(&pod.join(app.as_str())),
            (Version::V1, None) => Err(CgroupError::NoController("freezer")),
            (Version::V2, _) => {
                let places = self.places(app);
                let (_, seat) = places.first().ok_or(CgroupError::NotMounted)?;
                freezer::thaw_v2(seat)
            }
        }
    }
}
