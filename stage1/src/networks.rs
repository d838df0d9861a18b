//! A pod's places in networks: taken when it starts, given back when it has ended or was killed.

use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use crate::failure::StartFailure;
use crate::monitor::{PodNetwork, ending_signals};
use cni_glue::attach::{AttachRequest, Attacher};
use cni_glue::id::ContainerId;
use cni_glue::ports::HeldPorts;
use cni_glue::runtime::PluginFailure;
use cni_glue::{Netns, NetworkError};
use pod::control::NetworkUse;
use pod::exit::{FailureKind, PodExit};
use pod::manifest::{CRI_ANNOTATION, CRI_UP_FILE, MANIFEST_FILE, Network, PodManifest};
use pod::network::{CniFolders, HUNG_FILE, NETWORK_FILE, attacher, container, is_live};
use pod::stage1::{ENV_DIR, ENV_LOCAL_CONFIG, ENV_RUN, ENV_RUN_DIR, ENV_SYSTEM_CONFIG};
use pod::{PodError, PodUuid, PodsDir, record};

use crate::environment::variable;

/// What a pod has of networks.
#[derive(Debug)]
pub struct PodNetworks {
    attacher: Attacher,
    container: ContainerId,
    pods: PodsDir,
    /// The pod's namespace, while its monitor lives.
    namespace: Option<Netns>,
    /// Keeps other programs away from the pod's ports.
    _ports: Option<HeldPorts>,
    /// Whether nothing is left to do at the end.
    left: bool,
}

/// The failure that a network is.
pub fn failed(error: NetworkError) -> StartFailure {
    StartFailure {
        kind: match error.is_full() {
            true => FailureKind::NoSpace,
            false => FailureKind::Other,
        },
        message: advised(&error),
    }
}

/// The error as who has started the pod is told of it: this program's words go to a shell as they are.
fn advised(error: &NetworkError) -> String {
    match pod::network::remedy(error) {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    }
}

impl PodNetworks {
    /// The pod's namespace, once it has joined.
    pub fn namespace(&mut self) -> Option<&mut Netns> {
        self.namespace.as_mut()
    }

    /// A path to it for others, while the monitor lives.
    pub fn namespace_path(&self) -> Option<PathBuf> {
        let descriptor = self.namespace.as_ref()?.as_fd().as_raw_fd();
        Some(PathBuf::from(format!(
            "/proc/{}/fd/{descriptor}",
            std::process::id()
        )))
    }

    /// What went through the interfaces that these networks gave the pod, where it has joined some.
    pub fn usage(&self, is_the_pods: impl Fn(&str) -> bool) -> Option<NetworkUse> {
        let read = || std::fs::read_to_string("/proc/thread-self/net/dev");
        let text = self.namespace.as_ref()?.inside(read).ok()?.ok()?;
        Some(NetworkUse::counted(&text, is_the_pods))
    }

    /// Of that pod, joined or not. The environment says where networks are.
    ///
    /// # Errors
    /// If the environment does not say so.
    pub fn of(uuid: PodUuid) -> Result<Self, StartFailure> {
        let folder = |name| variable(name).map(PathBuf::from);
        Ok(Self {
            attacher: attacher(
                &folder(ENV_LOCAL_CONFIG)?,
                &folder(ENV_SYSTEM_CONFIG)?,
                &folder(ENV_RUN)?,
                &CniFolders::from_variables(std::env::var_os),
            ),
            container: container(uuid)?,
            pods: PodsDir::new(&folder(ENV_DIR)?),
            namespace: None,
            _ports: None,
            left: false,
        })
    }

    /// Joins the pod's networks in its namespace. What came of it is written to the pod's directory, which is the working
    /// directory.
    ///
    /// # Errors
    /// What failed, on which network.
    pub fn join(
        &mut self,
        manifest: &PodManifest,
        mut netns: Netns,
        cgroup: Option<&str>,
    ) -> Result<PodNetwork, StartFailure> {
        let signals = ending_signals().map_err(StartFailure::os("listen for signals"))?;
        let request = AttachRequest {
            container: &self.container,
            name: manifest.name.as_ref().map(pod::PodName::as_str),
            selection: &manifest.network,
            ports: &manifest.ports,
            dns: &manifest.dns,
            bandwidth: manifest.bandwidth,
            cgroup_path: cgroup,
            interrupt: Some(signals.as_fd()),
        };
        let pods = &self.pods;
        let attached = self
            .attacher
            .attach(&request, &mut netns, &|other| is_live(pods, other))
            .map_err(|error| {
                // All was taken back that can be; the rest is for gc. Of a sandbox, which its kubelet ends again and
                // again, it is tried at each end.
                let is_sandbox = manifest.annotations.contains_key(CRI_ANNOTATION);
                self.left = !(is_sandbox && matches!(error, NetworkError::NotUndone { .. }));
                let failure = failed(error);
                // Who interrupts a plugin that hangs wants the pod to end, not to read of the plugin's failure.
                match signals.read_signal() {
                    Ok(Some(info)) => StartFailure::interrupted(info.ssi_signo, &failure),
                    _ => failure,
                }
            })?;
        self.namespace = Some(netns);
        self._ports = Some(attached.held);
        record::create(Path::new(NETWORK_FILE), &attached.status)?;
        let peers = self
            .attacher
            .peers(&attached.status, &self.container)
            .map_err(failed)?;
        Ok(PodNetwork {
            peers,
            status: attached.status,
            interfaces: None,
        })
    }

    /// Takes the pod out of its networks. Nothing of it runs any more.
    ///
    /// # Errors
    /// What failed, on which network.
    pub fn leave(&mut self) -> Result<(), StartFailure> {
        if self.left {
            return Ok(());
        }
        let netns = self.namespace.as_mut();
        self.attacher
            .detach(&self.container, netns)
            .map_err(|error| {
                note_hung(&error);
                failed(error)
            })?;
        self.namespace = None;
        Ok(())
    }
}

/// Leaves word of a plugin that hung.
fn note_hung(error: &NetworkError) {
    if let NetworkError::Plugin(plugin) = error
        && let PluginFailure::Timeout(_) = plugin.failure
        && let Ok(run_dir) = variable(ENV_RUN_DIR)
    {
        // Without it, the plugin is asked once more.
        let _ = std::fs::write(Path::new(&run_dir).join(HUNG_FILE), advised(error));
    }
}

/// Takes the pod in the working directory out of its networks, whatever became of its monitor. A pod whose manifest can't be
/// understood may have joined any. Where nothing is remembered of one that was killed, and its runtime directory `run_dir` is
/// gone, the machine was booted since; a loss of power may have left any of its records empty, or taken it, and none of them
/// keeps the pod from being taken out.
///
/// # Errors
/// What failed, on what.
pub fn leave(run_dir: &Path) -> Result<(), StartFailure> {
    let folder = std::env::current_dir().map_err(StartFailure::os("find the pod's directory"))?;
    let record = folder.join(NETWORK_FILE);
    let selection = match PodManifest::load(&folder) {
        Ok(manifest) => manifest.network,
        Err(_) if folder.join(MANIFEST_FILE).exists() || record.exists() => Network::All,
        Err(_) => return Ok(()),
    };
    if matches!(selection, Network::None | Network::Host) {
        return Ok(());
    }
    let uuid: Option<PodUuid> = folder
        .file_name()
        .and_then(|name| name.to_str()?.parse().ok());
    let uuid =
        uuid.ok_or_else(|| StartFailure::other("the name of the pod's directory is not a UUID"))?;
    let mut networks = PodNetworks::of(uuid)?;
    let remembered = networks.attacher.not_left(&networks.container);
    // What is damaged is seen to now.
    let is_remembered = remembered.map_or(true, |networks| !networks.is_empty());
    networks.leave()?;
    if PodExit::load_if_whole(&folder)?.is_some() {
        return Ok(());
    }
    let joined = match pod::network::load(&folder) {
        Ok(None) if run_dir.exists() || !was_started(&folder) => {
            // It was killed while it joined.
            let left = networks.attacher.detach_interrupted(&networks.container);
            return left.map_err(failed);
        }
        Ok(joined) => joined,
        Err(PodError::Damaged { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if !is_remembered {
        let left =
            networks
                .attacher
                .detach_forgotten(&networks.container, &selection, joined.as_ref());
        left.map_err(failed)?;
    }
    // It is in none any more, and whoever comes next need not ask plugins for nothing.
    Ok(pod::network::forget(&folder)?)
}

/// Whether there has been a monitor: it takes room for the pod's last record, and marks sandboxes that are up.
fn was_started(folder: &Path) -> bool {
    PodExit::is_expected(folder) || folder.join(CRI_UP_FILE).exists()
}
