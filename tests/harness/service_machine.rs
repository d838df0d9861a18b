//! A virtual machine with Debian's systemd as its service manager, cgroups of version 2 alone and
//! a current kernel. It is emulated, so it is the same wherever the tests run.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::binaries::repository;
use crate::initramfs::Initramfs;
use crate::output::Output;
use crate::running::Running;

/// What is shown of the command that starts a machine.
const SHOWN: &str = "qemu-system-x86_64";
/// How long a machine may take to boot, and a script to run. Machines are emulated, beside other
/// tests.
const LIMIT: Duration = Duration::from_secs(300);

/// The first program: mounts the disks and goes over to systemd.
const FIRST: &str = "#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do insmod \"$module\"; done
until [ -e /dev/vdb ]; do usleep 1000; done
mount -t ext4 -o noatime /dev/vda /new
mount -t erofs -o ro /dev/vdb /new/media/test
exec switch_root /new /lib/systemd/systemd
";

/// A machine that runs. It ends when it is dropped, and nothing of its disk stays.
pub struct ServiceMachine {
    port: BufReader<UnixStream>,
    monitor: BufReader<UnixStream>,
    /// Its output is the console. Before the directory with its sockets.
    emulator: Running,
    _folder: TempDir,
}

impl ServiceMachine {
    /// Boots a machine on which the files of this directory are at `/media/test`.
    ///
    /// # Panics
    /// If it can't be made, or doesn't boot.
    pub fn boot(media: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| folder.path().join(name);
        let status = Command::new("mkfs.erofs")
            .args(["--quiet", "--all-root"])
            .args([&path("media"), media])
            .status();
        let status = status.expect("mkfs.erofs is not installed: run tests/prepare-machine");
        assert!(status.success(), "mkfs.erofs: {status}");
        let files = machine_files();
        fs::write(path("initramfs"), first_root(&files)).expect("write the first root");
        let [port, monitor] =
            ["port", "monitor"].map(|name| UnixListener::bind(path(name)).expect("listen"));
        let drive = |file: &Path, more: &str| {
            format!("file={},format=raw,if=virtio,{more}", file.display())
        };
        let socket = |name: &str| format!("socket,id={name},path={}", path(name).display());
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-machine", "q35", "-accel", "tcg", "-cpu", "max"])
            .args(["-smp", "2", "-m", "1024"])
            .args(["-nodefaults", "-no-user-config", "-display", "none"])
            .args(["-serial", "stdio", "-kernel"])
            .arg(files.join("vmlinux"))
            .arg("-initrd")
            .arg(path("initramfs"))
            .args(["-append", "console=ttyS0 quiet panic=-1 cryptomgr.notests"])
            // What is written goes to a file without a name, which lives as long as the emulator.
            .args([
                "-drive",
                &drive(&files.join("root.ext4"), "snapshot=on,cache=unsafe"),
            ])
            .args(["-drive", &drive(&path("media"), "readonly=on")])
            .args(["-device", "virtio-serial-pci", "-chardev", &socket("port")])
            .args(["-device", "virtserialport,chardev=port,name=test"])
            .args(["-chardev", &socket("monitor"), "-qmp", "chardev:monitor"])
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null());
        let emulator = Running::start(command, SHOWN.to_owned(), LIMIT, None, [None, None]);
        // The emulator connects before the machine boots.
        let [port, monitor] = [port, monitor].map(|listener| {
            let (stream, _) = listener.accept().expect("the emulator connects");
            stream.set_read_timeout(Some(LIMIT)).expect("a limit");
            BufReader::new(stream)
        });
        let mut machine = Self {
            port,
            monitor,
            emulator,
            _folder: folder,
        };
        machine.await_boot();
        machine
    }

    /// Runs a script of bash as root, with `set -eu`. What it writes comes as standard output, on
    /// whichever stream it wrote it.
    ///
    /// # Panics
    /// If it does not end in time; the message holds the console.
    pub fn run(&mut self, script: &str) -> Output {
        let started = Instant::now();
        let sent = self.send(script);
        let answer = self.line();
        let numbers = answer.trim_end().split_once(' ');
        let numbers =
            numbers.and_then(|(code, length)| Some((code.parse().ok()?, length.parse().ok()?)));
        let (Ok(()), Some((code, length))) = (sent, numbers) else {
            self.fail(&format!("answered {answer:?} to the script\n{script}"));
        };
        let mut output: Vec<u8> = vec![0; length];
        if let Err(error) = self.port.read_exact(&mut output) {
            self.fail(&format!(
                "output ended early ({error}) of the script\n{script}"
            ));
        }
        Output {
            command: script.to_owned(),
            code: Some(code),
            signal: None,
            stdout: String::from_utf8_lossy(&output).into_owned(),
            stderr: String::new(),
            elapsed: started.elapsed(),
        }
    }

    /// Stops all services in order, and boots again.
    ///
    /// # Panics
    /// If it doesn't boot.
    pub fn reboot(&mut self) {
        // Who would answer may have been stopped before.
        self.send("systemctl --no-block reboot")
            .expect("tell the machine");
        self.await_boot();
    }

    /// Boots again, as after a loss of power: nothing was stopped, and nothing told.
    ///
    /// # Panics
    /// If it doesn't boot.
    pub fn reset(&mut self) {
        let commands = b"{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"system_reset\"}\n";
        let sent = self.monitor.get_mut().write_all(commands);
        sent.expect("tell the emulator");
        self.await_boot();
    }

    fn send(&mut self, script: &str) -> io::Result<()> {
        let message = format!("{}\n{script}", script.len());
        self.port.get_mut().write_all(message.as_bytes())
    }

    /// The line that comes once a boot is done; what came before it is of the boot before.
    fn await_boot(&mut self) {
        while !self.line().starts_with("BOOTED ") {}
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        match self.port.read_line(&mut line) {
            Ok(length) if length > 0 => line,
            Ok(_) => self.fail("ended"),
            Err(error) => self.fail(&format!("said nothing more: {error}")),
        }
    }

    fn fail(&self, what: &str) -> ! {
        let (console, errors) = (self.emulator.stdout(), self.emulator.stderr());
        panic!("the machine {what}\n--- console\n{console}\n--- emulator\n{errors}");
    }
}

/// The directory that `tests/images/debian-machine` makes, on first use, and which is kept.
fn machine_files() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let script = repository().join("tests/images/debian-machine");
        // The script takes a lock, so that only the first of several tests makes it.
        let output = Command::new(script).output().expect("start debian-machine");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "debian-machine failed\n{errors}");
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    };
    FOLDER.get_or_init(make).clone()
}

fn first_root(files: &Path) -> Vec<u8> {
    let mut root = Initramfs::default();
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
    let busybox = busybox.into_iter().find(|path| path.exists());
    let busybox = busybox.expect("busybox-static is not installed: run tests/prepare-machine");
    root.copy(busybox, "bin/busybox").expect("copy busybox");
    root.copy(&files.join("modules"), "modules")
        .expect("copy modules");
    for folder in ["dev", "new"] {
        root.folder(folder);
    }
    root.file("init", FIRST.as_bytes(), 0o755);
    root.finish()
}
