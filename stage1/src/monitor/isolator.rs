//! What only the isolator knows.

use std::os::fd::OwnedFd;
use std::time::Duration;

use pod::AppName;
use pod::control::{AppStats, NetworkUse, Usage};
use pod::feature::Feature;
use pod::manifest::{App, PodManifest, Resources};

use super::names::PodNetwork;
use crate::cgroup::Statistics;
use crate::failure::StartFailure;
use crate::link::{HandedOver, InitLink};

/// How long pod init has to end the pod beyond the grace period, before it is killed itself.
pub(super) const SLACK: Duration = Duration::from_secs(2);

/// Pod init, as the isolator has started it.
#[derive(Debug)]
pub struct StartedInit {
    /// The pidfd of the process that ends with the pod: pod init itself, or the machine that it runs in.
    pub process: OwnedFd,
    /// How to talk to it.
    pub link: Box<dyn InitLink>,
}

/// Another pod init in the place of one that was stuck before it had said a word.
#[derive(Debug)]
pub struct StartedAgain {
    /// As in [`StartedInit`].
    pub process: OwnedFd,
    /// The socket by which it speaks.
    pub socket: OwnedFd,
    /// What the user should be told.
    pub warning: String,
}

/// What only the isolator knows: where the pod runs.
///
/// The order of the calls is that of this list. It leaves room for a pod with a user namespace: pod init's process brings
/// that namespace with it, and only what is made afterwards can belong to it or be mapped by it.
pub trait Isolator {
    /// Starts pod init in the pod's namespaces and cgroups, which it makes. Everything of the pod must end when the monitor
    /// does.
    ///
    /// # Errors
    /// What failed, on what.
    fn start(&mut self, manifest: &PodManifest) -> Result<StartedInit, StartFailure>;

    /// What [`StartedInit::process`] is, for messages.
    fn init_process(&self) -> &'static str {
        "pod init"
    }

    /// How long pod init has to end the pod beyond the grace period, before its process is killed.
    fn slack(&self) -> Duration {
        SLACK
    }

    /// Looks at pod init's process, which has not said a word yet. One that is stuck is ended, and another one started: nothing
    /// of the pod has run. To be called every second.
    ///
    /// # Errors
    /// Why there can be no other.
    fn begin_again(&mut self) -> Result<Option<StartedAgain>, StartFailure> {
        Ok(None)
    }

    /// Pod init has said a word, or is not waited for: there will be no other.
    fn has_begun(&mut self) {}

    /// Processes without which the pod can't go on, by their pidfds: when one ends, pod init's process is killed. Asked after
    /// each start.
    fn companions(&self) -> Vec<OwnedFd> {
        Vec::new()
    }

    /// Whether pod init's process can be killed once all has been said and heard: there is nothing then that only its own
    /// end would bring to safety.
    fn is_done_when_all_is_said(&self) -> bool {
        false
    }

    /// Makes what an app stands on, where pod init doesn't make it itself: its root filesystem and its seat in its
    /// cgroup. `sockets` are what a service manager hands to it.
    ///
    /// # Errors
    /// What failed, for which app.
    fn hand_over(
        &mut self,
        manifest: &PodManifest,
        app: &App,
        sockets: Vec<OwnedFd>,
    ) -> Result<HandedOver, StartFailure>;

    /// What it can do: the features of its manifest.
    fn features(&self) -> &'static [Feature];

    /// Makes the directory of an app that joins the running pod.
    ///
    /// # Errors
    /// What failed, on what; nothing of it is left then.
    fn make_app(&mut self, manifest: &PodManifest, app: &App) -> Result<(), StartFailure>;

    /// Removes what [`Isolator::hand_over`] has made outside of the pod for an app that doesn't run: its cgroup. To be
    /// called before it is handed over again.
    ///
    /// # Errors
    /// What failed, for which app.
    fn take_back(&mut self, app: &AppName) -> Result<(), StartFailure>;

    /// The same for an app that leaves the pod: nothing of it is needed any more.
    ///
    /// # Errors
    /// What failed, for which app.
    fn remove_app(&mut self, app: &AppName) -> Result<(), StartFailure> {
        self.take_back(app)
    }

    /// Whether an app of the running pod can have these limits, as far as pod init can't tell.
    ///
    /// # Errors
    /// Why not.
    fn can_limit(&self, _app: &AppName, _resources: &Resources) -> Result<(), StartFailure> {
        Ok(())
    }

    /// Whether pod init has the cgroups of apps, in a machine of its own. Then it is asked for what an app uses, to change
    /// its limits and to freeze and thaw it, and the isolator for what is the whole machine's alone.
    fn asks_pod_init(&self) -> bool {
        false
    }

    /// Changes the limits of an app that runs, to all of these.
    ///
    /// # Errors
    /// Why that can't be; the limits are what they were then.
    fn update(&mut self, _app: &AppName, _resources: &Resources) -> Result<(), StartFailure> {
        Err(elsewhere())
    }

    /// Changes those limits of the running pod that are given.
    ///
    /// # Errors
    /// Why that can't be; the limits are what they were then.
    fn update_pod(&mut self, resources: &Resources) -> Result<(), StartFailure>;

    /// What an app uses.
    fn stats(&mut self, app: &AppName) -> AppStats {
        Statistics::default().of_app(app.clone())
    }

    /// What all apps use together.
    fn stats_of_pod(&mut self) -> Usage;

    /// What went through its network, where the pod's own processes don't tell.
    fn network_use(&mut self) -> Option<NetworkUse> {
        None
    }

    /// How many processes of an app the kernel has killed because memory was short; `None` where nobody counts. Each end of
    /// an app asks.
    fn oom_kills(&mut self, _app: &AppName) -> Option<u64> {
        None
    }

    /// Freezes all processes of an app.
    ///
    /// # Errors
    /// Why that can't be; none is frozen then.
    fn freeze(&mut self, _app: &AppName) -> Result<(), StartFailure> {
        Err(elsewhere())
    }

    /// Thaws them.
    ///
    /// # Errors
    /// Why that can't be.
    fn thaw(&mut self, _app: &AppName) -> Result<(), StartFailure> {
        Err(elsewhere())
    }

    /// Makes the pod's network and joins what it is to join.
    ///
    /// # Errors
    /// What failed, on what.
    fn network(&mut self, manifest: &PodManifest) -> Result<PodNetwork, StartFailure>;

    /// What the user should be told of how the pod was started, once.
    fn take_warning(&mut self) -> Option<String> {
        None
    }

    /// Ends what still runs of the pod, whose pod init is gone: where that takes everything with it, nothing.
    fn end_rest(&mut self, _manifest: &PodManifest) {}

    /// Why pod init's process ended before it was told everything, if the isolator knows. Asked once, when something else
    /// has failed.
    fn explain_early_end(&mut self) -> Option<StartFailure> {
        None
    }

    /// A failure because of which the pod is ended, with what the isolator knows of it.
    fn explain(&self, failure: StartFailure) -> StartFailure {
        failure
    }

    /// Why pod init's process ended before it said anything, from its exit code.
    fn explain_end(&self, exit_code: i32) -> StartFailure;

    /// Why the process of pod init, or of the machine that it is in, ended without pod init having said so.
    fn explain_kill(&self) -> StartFailure {
        StartFailure::other("pod init was killed")
    }

    /// Whether it was the kernel, because the host had no memory left for it. Asked once it has ended.
    fn was_out_of_memory(&self) -> bool {
        false
    }

    /// Removes what the isolator has made outside of the pod. Nothing of the pod runs any more.
    ///
    /// # Errors
    /// What failed, on what.
    fn clean_up(&mut self) -> Result<(), StartFailure>;
}

/// What who has no cgroups of apps answers.
fn elsewhere() -> StartFailure {
    StartFailure::other("the cgroups of apps are not on this host")
}
