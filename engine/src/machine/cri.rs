//! What kubelets would find: the table `[cri]`, and whether somebody listens for them.

use std::fs;
use std::path::{Path, PathBuf};

use cni_glue::config::{ConfigFolder, Networks, Selection, Source};
use cri_streaming::TlsFiles;
use systemd::manager::is_booted;

use crate::config::cri::{CgroupDriver, Cri as Settings};
use crate::config::files::Config;
use crate::engine::Engine;
use crate::isolators::find::find;
use crate::networks::settings::networks;

/// Where the socket of the service is, below the directory of what ends with the machine.
const SOCKET: &str = "cri.sock";
/// What systemd makes when the socket's unit is enabled.
const ENABLED: &str = "/etc/systemd/system/sockets.target.wants/fairing-cri.socket";
/// How the kernel marks sockets that somebody listens on, in /proc/net/unix.
const LISTENING: &str = "00010000";

/// What the shim for kubelets is set up to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cri {
    /// The network of sandboxes, or why there is none.
    pub network: Result<String, String>,
    /// Files that are passed over where the network was looked for.
    pub broken: Vec<String>,
    /// Handlers whose isolators are not installed, each with why.
    pub handlers: Vec<(String, String)>,
    /// How streams are served, or why they can't be.
    pub streams: Result<&'static str, String>,
    /// Why nobody makes cgroups of pods.
    pub cgroup_lack: Option<&'static str>,
    /// The socket.
    pub socket: PathBuf,
    /// Whether somebody listens on it.
    pub is_listening: bool,
    /// Whether its unit is enabled.
    pub is_enabled: bool,
}

impl Cri {
    /// `None` where no kubelet is meant to come, or the configuration can't be read, which is told otherwise.
    pub(super) fn read(engine: &Engine) -> Option<Self> {
        let config = Config::read(&engine.directories).ok()?;
        let settings = config.cri();
        let socket = engine.directories.run.join(SOCKET);
        let is_listening = is_listened_on(&socket);
        let is_enabled = Path::new(ENABLED).exists();
        if !is_listening && !is_enabled && *settings == Settings::default() {
            return None;
        }
        let (network, broken) = network(engine, settings);
        let handlers = settings.runtime_handlers.iter();
        let handlers = handlers.filter_map(|(handler, isolator)| {
            let error = find(isolator, &engine.directories).err()?;
            Some((handler.clone(), error.to_string()))
        });
        Some(Self {
            network,
            broken,
            handlers: handlers.collect(),
            streams: streams(settings),
            cgroup_lack: cgroup_lack(settings.cgroup_driver),
            socket,
            is_listening,
            is_enabled,
        })
    }
}

/// Why pods can't have cgroups by that driver here, if they can't.
pub fn cgroup_lack(driver: Option<CgroupDriver>) -> Option<&'static str> {
    let is_wrong = driver == Some(CgroupDriver::Systemd) && !is_booted();
    is_wrong
        .then_some("[cri] cgroup-driver is \"systemd\", and this machine is not managed by systemd")
}

fn network(engine: &Engine, settings: &Settings) -> (Result<String, String>, Vec<String>) {
    if let Some(words) = &settings.network {
        return (configured(engine, words), Vec::new());
    }
    let path = engine.cni.config.clone();
    let none = format!("no network is configured in {}", path.display());
    match Networks::load(&[ConfigFolder { path, own: false }]) {
        Err(error) => (Err(error.to_string()), Vec::new()),
        Ok(networks) => {
            let mut lists = networks.lists().iter();
            let first = lists.find(|list| list.source != Source::BuiltIn);
            let broken = networks.broken().iter().map(ToString::to_string).collect();
            (first.map(|list| list.name.to_string()).ok_or(none), broken)
        }
    }
}

fn configured(engine: &Engine, words: &str) -> Result<String, String> {
    let selection = Selection::parse([words]).map_err(|error| error.to_string())?;
    match selection {
        Selection::Host => Err("it is the host's, which sandboxes get only if they ask".to_owned()),
        Selection::None => Ok(words.to_owned()),
        Selection::All | Selection::Named(_) => {
            let networks = networks(engine).map_err(|error| error.to_string())?;
            let chosen = networks.select(&selection);
            chosen.map_err(|error| error.to_string())?;
            Ok(words.to_owned())
        }
    }
}

fn streams(settings: &Settings) -> Result<&'static str, String> {
    let Some(files) = settings.stream_files()? else {
        return Ok("without TLS");
    };
    let files = TlsFiles {
        certificate: files.certificate.to_owned(),
        key: files.key.to_owned(),
        client_authorities: files.client_ca.map(Path::to_owned),
    };
    let loaded = files.load().map(|_| "by TLS");
    loaded.map_err(|error| error.to_string())
}

/// Whether somebody listens, by what the kernel tells: to connect would start the service.
fn is_listened_on(socket: &Path) -> bool {
    let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    sockets.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.nth(3) == Some(LISTENING) && words.nth(3).map(Path::new) == Some(socket)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_who_listens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cri.sock");
        assert!(!is_listened_on(&path));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(is_listened_on(&path));
        drop(listener);
        assert!(!is_listened_on(&path));
    }

    #[test]
    fn files_of_streams_go_together_and_are_read() {
        let read = |text: &str| toml::from_str::<Settings>(text).unwrap();
        assert_eq!(streams(&read("")), Ok("without TLS"));
        for half in ["stream-key", "stream-certificate", "stream-client-ca"] {
            streams(&read(&format!("{half} = '/x'"))).unwrap_err();
        }
        let missing = "stream-certificate = '/none/c.pem'\nstream-key = '/none/k.pem'";
        let why = streams(&read(missing)).unwrap_err();
        assert!(why.contains("/none/c.pem"), "{why}");
    }
}
