//! Where a pod's networks are configured, where their state is kept, and what a running pod has of them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cni_glue::NetworkError;
use cni_glue::attach::Attacher;
use cni_glue::config::ConfigFolder;
use cni_glue::id::ContainerId;
use cni_glue::runtime::{PluginFolders, Runtime};
use cni_glue::status::{NetworkStatus, STATUS_VERSION};

use crate::error::PodError;
use crate::id::PodUuid;
use crate::phase::State;
use crate::pods_dir::PodsDir;
use crate::record;

/// The record of a pod's networks in its directory.
pub const NETWORK_FILE: &str = "network.json";

/// The file in a pod's runtime directory that says which plugin hung when the pod's monitor took it out of its networks: who
/// has waited for that need not wait for the same once more.
pub const HUNG_FILE: &str = "hung-plugin";

/// Where every runtime of CNI looks, unless [`ENV_SHARED_CONFIG`] says otherwise.
const SHARED_CONFIG: &str = "/etc/cni/net.d";
/// The variable by which CNI's own tool is told of that directory.
const ENV_SHARED_CONFIG: &str = "NETCONFPATH";
/// Directories of plugins, unless `CNI_PATH` says otherwise.
const PLUGINS: [&str; 3] = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];
/// The variable by which CNI names the directories of plugins.
const ENV_PLUGINS: &str = "CNI_PATH";
/// How long one call of a plugin may take.
const PLUGIN_TIMEOUT: Duration = Duration::from_secs(60);
/// How long plugins may take to take a pod out of all its networks.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(30);
/// The variable that says otherwise, in seconds.
const ENV_REMOVAL_TIMEOUT: &str = "FAIRING_CNI_DEL_TIMEOUT";

/// What helps, in words for a person at a shell. It is here because both the command and the isolator, whose words go to
/// that person as they are, tell of networks.
pub fn remedy(error: &NetworkError) -> Option<&'static str> {
    match error {
        NetworkError::Exhausted { .. } => Some("`fairing gc` frees those of pods that are gone"),
        NetworkError::NotUndone { .. } => Some(
            "`fairing gc` tries again, once the cause is removed; \
                 `fairing network gc --force` gives it up",
        ),
        NetworkError::DamagedNetwork { .. } => Some(
            "stop the pods that are in the network, then `fairing network gc` removes what is left \
             of it, and the next pod creates it again",
        ),
        // Whoever removed it by hand has left the rest to the kernel, which keeps it until somebody removes that, too.
        NetworkError::OtherFairing {
            owner: Some(owner), ..
        } if !Path::new(owner).exists() => Some(
            "that directory is gone: if none of its pods runs any more, `nft delete table inet fairing` and \
             `ip link delete fairing0` remove what it has left",
        ),
        NetworkError::OtherFairing { .. } => Some(
            "start pods from another network namespace (`ip netns exec`, `unshare --net`), or with `--net=host`, \
             `--net=none` or a macvlan network; or end the other's pods and let it `fairing gc`",
        ),
        _ => None,
    }
}

/// Where CNI's own configuration and plugins are, for all of its runtimes.
#[derive(Debug, Clone)]
pub struct CniFolders {
    /// Configuration.
    pub config: PathBuf,
    /// Plugins, in order of precedence.
    pub plugins: Vec<PathBuf>,
    /// How long these may take to take a pod out of all its networks.
    pub removal: Duration,
}

impl Default for CniFolders {
    fn default() -> Self {
        Self {
            config: SHARED_CONFIG.into(),
            plugins: PLUGINS.iter().map(PathBuf::from).collect(),
            removal: REMOVAL_TIMEOUT,
        }
    }
}

impl CniFolders {
    /// Where the variables `NETCONFPATH` and `CNI_PATH` say, else where they usually are; and with the limit that
    /// `FAIRING_CNI_DEL_TIMEOUT` says, if that is a number of seconds.
    pub fn from_variables(variable: impl Fn(&'static str) -> Option<OsString>) -> Self {
        let usual = Self::default();
        Self {
            config: variable(ENV_SHARED_CONFIG).map_or(usual.config, PathBuf::from),
            plugins: variable(ENV_PLUGINS).map_or(usual.plugins, |paths| {
                std::env::split_paths(&paths).collect()
            }),
            removal: variable(ENV_REMOVAL_TIMEOUT)
                .and_then(|text| text.to_str()?.parse().ok())
                .map_or(usual.removal, Duration::from_secs),
        }
    }
}

/// What puts pods into networks. `run` is the directory of what lives until the next boot.
pub fn attacher(
    local_config: &Path,
    system_config: &Path,
    run: &Path,
    cni: &CniFolders,
) -> Attacher {
    let folder = |path: PathBuf, own| ConfigFolder { path, own };
    Attacher {
        // In order of precedence.
        folders: vec![
            folder(local_config.join("net.d"), true),
            folder(system_config.join("net.d"), true),
            folder(cni.config.clone(), false),
        ],
        runtime: Runtime::new(
            PluginFolders(cni.plugins.clone()),
            run.join("cni"),
            PLUGIN_TIMEOUT,
            cni.removal,
        ),
    }
}

/// What CNI calls a pod.
///
/// # Errors
/// None for a UUID; [`PodError::Protocol`] stands for it.
pub fn container(uuid: PodUuid) -> Result<ContainerId, PodError> {
    uuid.to_string()
        .parse()
        .map_err(|error: cni_glue::id::InvalidName| PodError::Protocol(error.to_string()))
}

/// Whether what a container has of the networks must stay: it is a pod that somebody holds, or one that can't be
/// looked at. Containers of other runtimes are none of these; `cni-glue` leaves them alone by itself.
pub fn is_live(pods: &PodsDir, container: &ContainerId) -> bool {
    let Ok(uuid) = container.as_str().parse::<PodUuid>() else {
        return false;
    };
    let state = || match pods.by_uuid(uuid)? {
        // It may have moved on meanwhile: who starts a pod moves it from one phase to the next.
        None => pods.by_uuid(uuid)?.map(|entry| entry.state()).transpose(),
        Some(entry) => entry.state().map(Some),
    };
    match state() {
        Ok(None) => false,
        Ok(Some(state)) => matches!(state, State::Preparing | State::Running | State::Deleting),
        Err(_) => true,
    }
}

/// The networks of the pod in `folder`; `None` if it has joined none.
///
/// # Errors
/// As [`record::read`].
pub fn load(folder: &Path) -> Result<Option<NetworkStatus>, PodError> {
    record::read_if_there(&folder.join(NETWORK_FILE), STATUS_VERSION)
}

/// Writes down of a pod that was killed that it is in no network any more. Without a record, nobody could tell: it may be lost.
///
/// # Errors
/// As [`record::replace`].
pub fn forget(folder: &Path) -> Result<(), PodError> {
    let file = folder.join(NETWORK_FILE);
    match record::replace(&file, &NetworkStatus::default()) {
        // Plugins are asked once more.
        Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(PodError::io("remove", file)(error))
                }
                _ => Ok(()),
            }
        }
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fairing_left_whose_directory_is_gone_is_for_people_to_remove() {
        let helps = |owner: &Path| {
            let error = NetworkError::OtherFairing {
                what: "the firewall rules of pods".to_owned(),
                owner: Some(owner.display().to_string()),
            };
            remedy(&error).unwrap()
        };
        let there = tempfile::tempdir().unwrap();
        assert!(helps(there.path()).contains("another network namespace"));
        let gone = helps(&there.path().join("gone"));
        assert!(gone.contains("nft delete table inet fairing"), "{gone}");
    }

    #[test]
    fn containers_of_other_runtimes_share_the_state_of_pods() {
        let folders = ["/etc/fairing", "/usr/lib/fairing", "/run/fairing"].map(Path::new);
        let [local_config, system_config, run] = folders;
        let state = attacher(local_config, system_config, run, &CniFolders::default())
            .runtime
            .state;
        assert_eq!(state, Path::new(cni_glue::plugin::STATE));
    }

    #[test]
    fn an_administrator_s_networks_come_before_a_vendor_s_and_those_before_everybody_s() {
        let cni = CniFolders::from_variables(|_| None);
        let attacher = attacher("/local".as_ref(), "/system".as_ref(), "/run".as_ref(), &cni);
        let folders: Vec<_> = attacher
            .folders
            .iter()
            .map(|folder| (folder.path.to_str().unwrap(), folder.own))
            .collect();
        let expected = [
            ("/local/net.d", true),
            ("/system/net.d", true),
            ("/etc/cni/net.d", false),
        ];
        assert_eq!(folders, expected);
        let plugins = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];
        assert_eq!(attacher.runtime.plugins.0, plugins.map(PathBuf::from));
    }

    #[test]
    fn what_gc_mends_says_so() {
        let exhausted = || NetworkError::Exhausted {
            network: "default".into(),
            subnet: "10.0.0.0/24".parse().unwrap(),
        };
        let not_undone = NetworkError::NotUndone {
            error: Box::new(exhausted()),
            undoing: Box::new(exhausted()),
        };
        let damaged = NetworkError::DamagedNetwork {
            network: "default".into(),
            path: "/run".into(),
            reason: "torn".into(),
        };
        for (error, helps) in [
            (exhausted(), "`fairing gc` frees"),
            (not_undone, "`fairing gc` tries again"),
            (damaged, "`fairing network gc` removes"),
        ] {
            let told = remedy(&error).unwrap();
            assert!(told.contains(helps), "{told}");
        }
        let taken = NetworkError::AddressTaken {
            network: "default".into(),
            address: "10.0.0.2".parse().unwrap(),
            holder: "pod".parse().unwrap(),
        };
        assert_eq!(remedy(&taken), None);
    }

    #[test]
    fn the_variables_of_cni_say_where_its_configuration_and_its_plugins_are() {
        let named = |name| {
            CniFolders::from_variables(move |asked| {
                (asked == name).then(|| OsString::from("/a:/b"))
            })
        };
        let usual = CniFolders::default();
        let config = named("NETCONFPATH");
        assert_eq!(config.config, Path::new("/a:/b"));
        assert_eq!(config.plugins, usual.plugins);
        let plugins = named("CNI_PATH");
        assert_eq!(plugins.config, usual.config);
        assert_eq!(plugins.plugins, ["/a", "/b"].map(PathBuf::from));
        assert_eq!(plugins.removal, usual.removal);
        let seconds = |text: &'static str| {
            let said = move |asked| (asked == ENV_REMOVAL_TIMEOUT).then(|| OsString::from(text));
            CniFolders::from_variables(said).removal
        };
        assert_eq!(seconds("3"), Duration::from_secs(3));
        assert_eq!(seconds("soon"), usual.removal);
    }

    #[test]
    fn a_pod_in_each_phase_keeps_its_addresses_while_somebody_holds_it() {
        use crate::phase::Phase;

        let dir = tempfile::tempdir().unwrap();
        let pods = PodsDir::new(dir.path());
        for phase in Phase::ALL {
            let mut pod = pods.create(PodUuid::random()).unwrap();
            let own = container(pod.uuid()).unwrap();
            pod.move_to(phase).unwrap();
            // One that is prepared has not joined any network yet.
            assert_eq!(is_live(&pods, &own), phase != Phase::Prepared, "{phase:?}");
            drop(pod);
            assert!(!is_live(&pods, &own), "{phase:?}");
        }
    }

    #[test]
    fn a_pod_is_live_while_somebody_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let pods = PodsDir::new(folder.path());
        let pod = pods.create(PodUuid::random()).unwrap();
        let id = container(pod.uuid()).unwrap();
        assert!(is_live(&pods, &id));
        drop(pod);
        assert!(!is_live(&pods, &id));
        assert!(!is_live(&pods, &container(PodUuid::random()).unwrap()));
        // A part of the name of an unfinished file, such as gc asks about, is no pod.
        assert!(!is_live(&pods, &"0123abc".parse().unwrap()));
    }

    #[test]
    fn a_pod_is_in_its_networks_while_somebody_has_it() {
        use crate::phase::Phase;

        let dir = tempfile::tempdir().unwrap();
        let pods = PodsDir::new(dir.path());
        let mut pod = pods.create(PodUuid::random()).unwrap();
        let own = container(pod.uuid()).unwrap();
        assert_eq!(own.as_str(), pod.uuid().to_string());
        assert!(is_live(&pods, &own));
        pod.move_to(Phase::Run).unwrap();
        assert!(is_live(&pods, &own));
        drop(pod);
        assert!(!is_live(&pods, &own));
        for gone in [container(PodUuid::random()).unwrap(), "x".parse().unwrap()] {
            assert!(!is_live(&pods, &gone), "{gone}");
        }
        // Of what can't be looked at nothing is taken away.
        std::fs::remove_dir_all(dir.path().join("pods/prepare")).unwrap();
        std::fs::write(dir.path().join("pods/prepare"), "").unwrap();
        assert!(is_live(&pods, &own));
    }

    #[test]
    fn what_a_pod_has_of_networks_is_read_where_it_has_any() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()).unwrap(), None);
        let status = NetworkStatus::default();
        record::create(&dir.path().join(NETWORK_FILE), &status).unwrap();
        assert_eq!(load(dir.path()).unwrap(), Some(status));
    }
}
