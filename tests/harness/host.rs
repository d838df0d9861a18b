//! A fairing of its own for one test.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use rustix::fs::inotify;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::binaries::fairing_binary;
use crate::command::FairingCommand;
use crate::deadline::eventually;
use crate::directory::names_in;
use crate::process::{Process, kill, mounts_of, processes};

/// The environment variable by which processes that a host's commands start are recognised.
pub(crate) const MARKER: &str = "FAIRING_TEST_HOST";

/// The environment variable by which all tests run their pods with other users: what `--userns` takes.
const USERS: &str = "FAIRING_TEST_USERNS";

mod leftovers;
#[cfg(test)]
mod tests;

/// An isolated fairing root: data, run and configuration directories below one temporary directory.
///
/// Dropping it kills what still runs, collects the garbage, and fails the test if anything of
/// this host is left on the machine.
pub struct Host {
    base: TempDir,
    data_mount: Option<PathBuf>,
    seen: Mutex<BTreeSet<String>>,
    prepared: OwnedFd,
    check_at_end: bool,
    binary: PathBuf,
    network: Option<String>,
}

/// What can be chosen before a [`Host`] is made.
#[derive(Default)]
pub struct HostBuilder {
    data_size: Option<String>,
    unchecked: bool,
    binary: Option<PathBuf>,
    network: Option<String>,
}

impl HostBuilder {
    /// Uses another `fairing` than the one that `make build` makes.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// Runs all commands on that computer. Without this, they run on the machine's own network, and pods that ask
    /// for no network get none.
    pub fn on(mut self, computer: &crate::Computer) -> Self {
        self.network = Some(computer.path());
        self
    }

    /// Puts the data directory on a tmpfs of this size (`16m`), to run out of space.
    pub fn data_size(mut self, size: impl Into<String>) -> Self {
        self.data_size = Some(size.into());
        self
    }

    /// Leaves the check at the end to the test, which calls [`Host::leftovers`] itself.
    pub fn unchecked(mut self) -> Self {
        self.unchecked = true;
        self
    }

    /// Makes the directories.
    pub fn build(self) -> Host {
        let base = tempfile::Builder::new()
            .prefix("fairing-test-")
            .tempdir()
            .expect("a temporary folder");
        fs::set_permissions(base.path(), Permissions::from_mode(0o755)).unwrap();
        for name in ["data", "run", "etc", "usr"] {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        let data = base.path().join("data");
        let data_mount = self.data_size.map(|size| {
            let options = format!("size={size},mode=0700");
            run(
                "mount",
                &["-t", "tmpfs", "-o", &options, "fairing-test", &text(&data)],
            );
            data.clone()
        });
        // The kernel notes every pod that is ever prepared here: a pod that comes and goes
        // within one command is known afterwards, and its cgroups can be looked for.
        let prepare = data.join("pods/prepare");
        fs::create_dir_all(&prepare).unwrap();
        for folder in [&data, &data.join("pods"), &prepare] {
            fs::set_permissions(folder, Permissions::from_mode(0o700)).unwrap();
        }
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let prepared = inotify::init(flags).expect("inotify");
        let events = inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
        inotify::add_watch(&prepared, &prepare, events).expect("inotify watch");
        Host {
            base,
            data_mount,
            seen: Mutex::default(),
            prepared,
            check_at_end: !self.unchecked,
            binary: self.binary.unwrap_or_else(fairing_binary),
            network: self.network,
        }
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// A host with empty directories.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A host with choices.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// A `fairing` command on this host: the global flags come first, then `arguments`.
    pub fn fairing<I, A>(&self, arguments: I) -> FairingCommand
    where
        I: IntoIterator<Item = A>,
        A: AsRef<OsStr>,
    {
        FairingCommand::new(self.command()).args(arguments)
    }

    fn command(&self) -> Command {
        let mut command = self.command_of(self.binary());
        if let Some(users) = std::env::var_os(USERS) {
            command.env("FAIRING_USERNS", users);
        }
        command
    }

    /// Another program of fairing's, which knows the same variables and flags.
    pub(crate) fn command_of(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match &self.network {
            None => {
                let mut command = Command::new(program);
                // The machine's own network is no affair of the tests.
                command.env_clear().env("FAIRING_NET", "none");
                command
            }
            Some(network) => {
                let mut command = Command::new("nsenter");
                command
                    .env_clear()
                    .arg(format!("--net={network}"))
                    .arg(program);
                command
            }
        };
        command
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("HOME", self.base())
            .env("LANG", "C.UTF-8")
            .env("TMPDIR", self.base())
            // What this machine says of registries is no affair of the tests.
            .env(
                "CONTAINERS_REGISTRIES_CONF",
                self.base().join("containers/registries.conf"),
            )
            .env("NETCONFPATH", self.base().join("cni"))
            .env(MARKER, self.marker())
            .arg("--dir")
            .arg(self.data_dir())
            .arg("--run-dir")
            .arg(self.run_dir())
            .arg("--local-config")
            .arg(self.local_config())
            .arg("--system-config")
            .arg(self.system_config())
            .current_dir(self.base());
        command
    }

    /// The directory of everything; tests put their own files here too.
    pub fn base(&self) -> &Path {
        self.base.path()
    }

    /// What is `/var/lib/fairing` on a real host.
    pub fn data_dir(&self) -> PathBuf {
        self.base().join("data")
    }

    /// What is `/run/fairing` on a real host.
    pub fn run_dir(&self) -> PathBuf {
        self.base().join("run")
    }

    /// What is `/etc/fairing` on a real host.
    pub fn local_config(&self) -> PathBuf {
        self.base().join("etc")
    }

    /// What is `/usr/lib/fairing` on a real host.
    pub fn system_config(&self) -> PathBuf {
        self.base().join("usr")
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    pub(crate) fn marker(&self) -> String {
        self.base().display().to_string()
    }

    /// Writes a file below the base directory, with the directories it needs.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.base().join(path);
        fs::create_dir_all(path.parent().expect("below the base")).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes a policy file into the local `trust.d`.
    pub fn write_policy(&self, name: &str, content: &str) -> PathBuf {
        self.write(Path::new("etc/trust.d").join(name), content)
    }

    /// Lets every image run without a signature, by a rule for `*`.
    pub fn accept_unsigned(&self) {
        self.write_policy(
            "tests.toml",
            "[[rule]]\nprefix = \"*\"\ntype = \"accept-unsigned\"\n",
        );
    }

    /// The directories of pods that exist now, as (phase, name of the directory).
    pub fn pod_folders(&self) -> Vec<(String, String)> {
        let mut folders = Vec::new();
        for phase in ["prepare", "prepared", "run", "garbage"] {
            for name in names_in(&self.data_dir().join("pods").join(phase)) {
                folders.push((phase.to_owned(), name));
            }
        }
        folders
    }

    /// The UUIDs of all pods that this host has, or has had.
    pub fn pod_uuids(&self) -> BTreeSet<String> {
        let mut seen = self.seen.lock().expect("no user panics");
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = inotify::Reader::new(&self.prepared, &mut buffer);
        while let Ok(event) = reader.next() {
            seen.extend(
                event
                    .file_name()
                    .and_then(|name| Some(name.to_str().ok()?.to_owned())),
            );
        }
        seen.extend(self.pod_folders().into_iter().map(|(_, name)| name));
        seen.extend(names_in(&self.run_dir().join("pods")));
        seen.retain(|name| is_uuid(name));
        seen.clone()
    }

    /// The processes that belong to this host's pods and commands, found by environment,
    /// arguments, working directory, cgroup and root file system. Zombies are not among them.
    pub fn processes(&self) -> Vec<Process> {
        let uuids = self.pod_uuids();
        let own = std::process::id();
        let mine = self.marker();
        processes()
            .into_iter()
            .filter(|process| process.pid != own && process.pid != 1 && process.state != 'Z')
            .filter(|process| {
                process
                    .environment
                    .iter()
                    .any(|entry| entry.ends_with(&mine))
                    || process.command_line.contains(&mine)
                    || process
                        .places
                        .iter()
                        .any(|place| place.starts_with(self.base()))
                    || uuids
                        .iter()
                        .any(|uuid| process.cgroups.contains(uuid.as_str()))
                    || root_mount_of(process.pid).contains(&mine)
            })
            .collect()
    }

    /// Those of [`Host::processes`] with this name in `/proc/PID/comm`.
    pub fn processes_named(&self, name: &str) -> Vec<Process> {
        self.processes()
            .into_iter()
            .filter(|process| process.name == name)
            .collect()
    }

    /// The processes of one pod: those in its cgroups, and the monitor, which works in its directory.
    pub fn pod_processes(&self, uuid: &str) -> Vec<Process> {
        self.processes()
            .into_iter()
            .filter(|process| {
                process.cgroups.contains(uuid)
                    || process.command_line.contains(uuid)
                    || process.places.iter().any(|place| place.ends_with(uuid))
            })
            .collect()
    }

    /// The cgroup directories of this host's pods, those of pods that are gone included.
    pub fn cgroups(&self) -> Vec<PathBuf> {
        let names: BTreeSet<String> = self
            .pod_uuids()
            .into_iter()
            .flat_map(|uuid| ["", "-monitor"].map(|end| format!("fairing-{uuid}{end}")))
            .collect();
        let mut found = Vec::new();
        find_folders(Path::new("/sys/fs/cgroup"), &names, &mut found);
        found
    }

    /// Collects all garbage, as the end of the host does, and expects success.
    #[track_caller]
    pub fn collect(&self) {
        self.fairing(["gc", "--grace-period=0s"]).run().ok();
    }

    /// Collects, and expects that nothing is left.
    #[track_caller]
    pub fn expect_clean(&self) {
        self.collect();
        let mut found = self.leftovers();
        // The kernel frees a dead pod's mounts and namespaces in its own time.
        eventually(Duration::from_secs(5), || {
            found = self.leftovers();
            found.is_empty().then_some(())
        });
        assert!(found.is_empty(), "left on the machine after gc:\n{found}");
    }

    /// Kills every process of this host with SIGKILL and waits until they are gone.
    pub fn kill_all(&self) {
        eventually(Duration::from_secs(10), || {
            let left = self.processes();
            for process in &left {
                kill(process.pid, Signal::KILL);
            }
            left.is_empty().then_some(())
        });
    }

    fn end(&mut self) {
        self.kill_all();
        let failing = std::thread::panicking();
        let mut report = String::new();
        if self.check_at_end {
            let collected = self.fairing(["gc", "--grace-period=0s"]).run();
            if collected.code != Some(0) {
                report = format!("gc at the end failed:\n{collected}");
            }
            let mut found = self.leftovers();
            eventually(Duration::from_secs(5), || {
                found = self.leftovers();
                found.is_empty().then_some(())
            });
            if !found.is_empty() {
                report.push_str(&format!(
                    "left on the machine at the end of the test:\n{found}"
                ));
                found.clear();
            }
        }
        if let Some(mount) = self.data_mount.take() {
            let _ = Command::new("umount").arg("-l").arg(mount).status();
        }
        if !report.is_empty() {
            assert!(failing, "{report}");
            eprintln!("{report}");
        }
        if failing && std::env::var_os("FAIRING_TEST_KEEP").is_some() {
            self.base.disable_cleanup(true);
            eprintln!("kept: {}", self.base().display());
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.end();
    }
}

/// What is mounted at a process's `/`: an app's is an overlay of the host's directories. Other mounts
/// say nothing, since they propagate to processes that have nothing to do with this host.
fn root_mount_of(pid: u32) -> String {
    let mounts = mounts_of(&pid.to_string());
    mounts
        .lines()
        .filter(|line| line.split(' ').nth(4) == Some("/"))
        .collect()
}

fn find_folders(folder: &Path, names: &BTreeSet<String>, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry
            .file_name()
            .to_str()
            .is_some_and(|name| names.contains(name))
        {
            found.push(entry.path());
        } else {
            find_folders(&entry.path(), names, found);
        }
    }
}

fn is_uuid(name: &str) -> bool {
    name.len() == 36
        && name
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn text(path: &Path) -> String {
    path.to_str()
        .expect("temporary folders have plain names")
        .to_owned()
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{program} {arguments:?} failed"
    );
}
