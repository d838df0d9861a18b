//! A service manager for one test: Debian's systemd, as process 1 of namespaces of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::command::FairingCommand;
use crate::deadline::{eventually, wait_until};
use crate::host::Host;
use crate::process::kill;

/// What the namespaces are made of: a `/run`, an `/etc`, units and cgroups of their own; all else is the machine's.
const BOOT: &str = r#"
set -eu
name=$1 base=$2
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/etc/upper /run/etc/work /run/keep
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work overlay /etc
units=$(readlink -f /lib/systemd/system)
for unit in systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket; do
    cp "$units/$unit" /run/keep/
done
mount -t tmpfs tmpfs "$units"
cp /run/keep/* "$units/"
rm -rf /etc/systemd/system/* /etc/systemd/system-generators
mkdir -p /etc/systemd/system /etc/systemd/system-generators /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\n' > /etc/systemd/journald.conf.d/test.conf
printf '[Manager]\nDefaultTimeoutStopSec=20s\nDefaultTimeoutStartSec=20s\n' > /etc/systemd/system.conf
for target in sysinit basic shutdown umount final sockets multi-user network-online test; do
    printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$target" > "/etc/systemd/system/$target.target"
done
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
    all=$(ls -d /sys/fs/cgroup/*/)
    umount -R /sys/fs/cgroup
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    for one in $all; do
        one=${one%/} one=${one##*/}
        mkdir "/sys/fs/cgroup/$one"
        case $one in
            systemd) mount -t cgroup -o none,name=systemd cgroup "/sys/fs/cgroup/$one" ;;
            unified) mount -t cgroup2 cgroup2 "/sys/fs/cgroup/$one" ;;
            *) mount -t cgroup -o "$one" cgroup "/sys/fs/cgroup/$one" ;;
        esac
    done
fi
for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    if [ -e "$hierarchy/cgroup.procs" ]; then
        mkdir -p "$hierarchy/$name"
        echo 0 > "$hierarchy/$name/cgroup.procs"
    fi
done
# As systemd itself does it where it is not in a container: it hands credentials over by mounts.
mount --make-rshared /
cd /
exec env -i container=fairing-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=test.target > "$base/systemd.log" 2>&1
"#;

/// A systemd that runs services for one test. When it is dropped, all that it has started is killed.
pub struct Systemd {
    parent: Child,
    pid: u32,
    name: String,
    log: PathBuf,
}

impl Systemd {
    /// Boots one, and waits until it takes orders. Its services see the machine's files as they are.
    ///
    /// # Panics
    /// If it doesn't come up.
    pub fn boot(host: &Host) -> Self {
        let base = host.base().display().to_string();
        let name = base.trim_start_matches('/').replace('/', "-");
        let parent = Command::new("unshare")
            .args(["--mount", "--pid", "--ipc", "--uts", "--fork"])
            .args(["--kill-child=KILL", "--propagation=private"])
            .args(["sh", "-c", BOOT, "boot", &name, &base])
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare");
        let limit = Duration::from_secs(20);
        let children = format!("/proc/{0}/task/{0}/children", parent.id());
        let pid = wait_until("the namespaces", limit, || {
            let text = fs::read_to_string(&children).ok()?;
            text.split_whitespace().next()?.parse().ok()
        });
        let systemd = Self {
            parent,
            pid,
            name,
            log: host.base().join("systemd.log"),
        };
        let is_up = eventually(limit, || {
            let answer = systemd.run("systemctl is-system-running");
            matches!(answer.1.trim(), "running" | "degraded").then_some(())
        });
        let log = fs::read_to_string(&systemd.log).unwrap_or_default();
        assert!(is_up.is_some(), "systemd does not come up\n{log}");
        systemd
    }

    /// Runs a script beside the services; whether it has succeeded, and what it has written.
    pub fn run(&self, script: &str) -> (bool, String) {
        let output = Command::new("nsenter")
            .arg(format!("--target={}", self.pid))
            .args(["--mount", "--pid", "--ipc", "--uts"])
            .args(["sh", "-c", &format!("exec 2>&1; {script}")])
            .stdin(Stdio::null())
            .output()
            .expect("nsenter");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), text)
    }

    /// The command as one of its processes would run it.
    pub fn inside(&self, command: FairingCommand) -> FairingCommand {
        let target = format!("--target={}", self.pid);
        command.through("nsenter", [&*target, "--mount", "--pid", "--ipc", "--uts"])
    }

    /// The same for one that has to succeed.
    ///
    /// # Panics
    /// If it doesn't.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        let (succeeded, text) = self.run(script);
        assert!(succeeded, "{script}\n{text}");
        text
    }

    /// Writes a unit, and has the units read again.
    #[track_caller]
    pub fn unit(&self, name: &str, text: &str) {
        self.write(&Path::new("/etc/systemd/system").join(name), text);
        self.sh("systemctl daemon-reload");
    }

    /// Writes a file of its `/etc` or `/run`.
    pub fn write(&self, path: &Path, text: &str) {
        let inside = PathBuf::from(format!("/proc/{}/root{}", self.pid, path.display()));
        fs::create_dir_all(inside.parent().expect("below the root")).unwrap();
        fs::write(inside, text).unwrap();
    }

    /// A property of a unit.
    #[track_caller]
    pub fn property(&self, unit: &str, property: &str) -> String {
        let text = self.sh(&format!("systemctl show --value -p {property} {unit}"));
        text.trim().to_owned()
    }

    /// Waits until a property of a unit is this.
    ///
    /// # Panics
    /// If it does not become so.
    #[track_caller]
    pub fn wait_property(&self, unit: &str, property: &str, value: &str) {
        let mut last = String::new();
        let became = eventually(Duration::from_secs(30), || {
            last = self.property(unit, property);
            (last == value).then_some(())
        });
        let status = || self.run(&format!("systemctl status {unit}")).1;
        assert!(
            became.is_some(),
            "{unit}: {property} is {last} and not {value}\n{}",
            status()
        );
    }

    /// The lines of a service by which this command is its main process.
    pub fn service(command: &FairingCommand) -> String {
        let (words, variables) = command.parts();
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let variables: Vec<String> = variables
            .iter()
            .map(|(name, value)| format!("Environment={}\n", quoted(&format!("{name}={value}"))))
            .collect();
        format!("ExecStart={}\n{}", words.join(" "), variables.concat())
    }
}

/// A word as units have it, systemd.syntax(7) and systemd.service(5).
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '%' | '$' => text.extend([c, c]),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

impl Drop for Systemd {
    fn drop(&mut self) {
        kill(self.pid, Signal::KILL);
        let _ = self.parent.wait();
        // The kernel takes its time for the processes that have gone with it.
        eventually(Duration::from_secs(10), || {
            let mut left = Vec::new();
            find(Path::new("/sys/fs/cgroup"), &self.name, 0, &mut left);
            for directory in &left {
                remove(directory);
            }
            left.is_empty().then_some(())
        });
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// The cgroups of this name in all hierarchies.
fn find(directory: &Path, name: &str, depth: usize, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name().to_str() == Some(name) {
            found.push(entry.path());
        } else if depth < 3 {
            find(&entry.path(), name, depth + 1, found);
        }
    }
}

/// Removes a cgroup with those below it.
fn remove(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(directory);
}
