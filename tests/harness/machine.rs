//! A virtual machine of its own for one test: another kernel, and a host that nothing else uses.

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::guest_kernel::GuestKernel;
use crate::initramfs::Initramfs;
use crate::output::Output;
use crate::running::Running;

/// What is shown of the command that starts a machine.
const SHOWN: &str = "qemu-system-x86_64";
/// What the machine's own files are below, before its init makes them the root.
const ROOT: &str = "root-image";

/// A machine that is being put together. It has busybox, `/proc`, `/sys`, `/dev` and a tmpfs as
/// its root, and it is emulated, so that it is the same on every machine the tests run on.
#[derive(Debug)]
pub struct Machine {
    initramfs: Initramfs,
    modules: Vec<String>,
    /// Arguments of qemu for devices that not every machine has.
    devices: Vec<String>,
    memory: u32,
    /// Words of the kernel's command line.
    kernel_words: String,
}

impl Machine {
    /// A machine that runs this shell script with busybox, and is off when that has ended.
    ///
    /// The script's output is the machine's console.
    pub fn new(script: &str) -> Self {
        Self::with_init(START).file("/script", script)
    }

    /// A machine whose pid 1 is this shell script, or what that executes. It has `/bin/busybox` and empty directories for
    /// `/proc`, `/sys` and `/dev`.
    pub fn with_init(script: &str) -> Self {
        let mut initramfs = Initramfs::default();
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .expect("busybox-static is not installed: run tests/prepare-machine");
        for path in ["bin/busybox", &format!("{ROOT}/bin/busybox")] {
            initramfs.copy(Path::new(busybox), path).expect("busybox");
        }
        for folder in ["proc", "sys", "dev", "new"] {
            initramfs.folder(folder);
        }
        for folder in ["proc", "sys", "dev", "tmp", "run", "root", "sbin"] {
            initramfs.folder(&format!("{ROOT}/{folder}"));
        }
        initramfs.file("init", INIT.as_bytes(), 0o755);
        initramfs.file(&format!("{ROOT}/sbin/start"), script.as_bytes(), 0o755);
        Self {
            initramfs,
            modules: Vec::new(),
            devices: Vec::new(),
            memory: 1024,
            kernel_words: "console=ttyS0 quiet panic=-1 cryptomgr.notests".to_owned(),
        }
    }

    /// A copy of a file, or a directory with all that is in it, at this absolute path.
    pub fn copy(mut self, source: &Path, path: &str) -> Self {
        self.initramfs
            .copy(source, &format!("{ROOT}{path}"))
            .unwrap_or_else(|error| panic!("copy {}: {error}", source.display()));
        self
    }

    /// A file with this content at this absolute path.
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.initramfs
            .file(&format!("{ROOT}{path}"), content.as_ref(), 0o644);
        self
    }

    /// The libraries of a program and its loader, where they are on this machine.
    pub fn libraries_of(mut self, program: &Path) -> Self {
        let output = Command::new("ldd").arg(program).output().expect("ldd");
        for word in String::from_utf8_lossy(&output.stdout).split_whitespace() {
            if word.starts_with('/') && !word.ends_with(':') {
                let content = fs::read(word).expect("read a library");
                self.initramfs
                    .file(&format!("{ROOT}{word}"), &content, 0o755);
            }
        }
        self
    }

    /// Loads a module of the kernel, and those it needs, before the script starts.
    pub fn module(mut self, name: &str) -> Self {
        self.modules.push(name.to_owned());
        self
    }

    /// Starts the kernel with these words too.
    pub fn kernel_words(mut self, words: &str) -> Self {
        self.kernel_words.push(' ');
        self.kernel_words.push_str(words);
        self
    }

    /// Gives it so much memory, in MiB, instead of 1024.
    pub fn memory(mut self, mebibytes: u32) -> Self {
        self.memory = mebibytes;
        self
    }

    /// A disk with the content of this file, which can't be written: `/dev/vda` is the first. It needs the modules
    /// `virtio_pci` and `virtio_blk`.
    pub fn disk(mut self, image: &Path) -> Self {
        let drive = format!("file={},format=raw,if=virtio,readonly=on", image.display());
        self.devices.extend(["-drive".to_owned(), drive]);
        self
    }

    /// A disk as [`Self::disk`] gives one, which can be written.
    pub fn writable_disk(mut self, image: &Path) -> Self {
        let drive = format!("file={},format=raw,if=virtio", image.display());
        self.devices.extend(["-drive".to_owned(), drive]);
        self
    }

    /// A network interface with this hardware address, behind which nobody is but the emulator: 10.0.2.2. It needs the
    /// modules `virtio_pci` and `virtio_net`.
    pub fn interface(mut self, mac: &str) -> Self {
        let device = format!("user,restrict=on,model=virtio-net-pci,mac={mac}");
        self.devices.extend(["-nic".to_owned(), device]);
        self
    }

    /// Starts the machine, and waits until it is off.
    ///
    /// # Panics
    /// If it is not off after `limit`; the message holds what it has written so far.
    pub fn run(self, limit: Duration) -> Output {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let command = self.command(folder.path());
        Running::start(command, SHOWN.to_owned(), limit, None, [None, None]).wait()
    }

    /// Starts the machine with a serial port, `/dev/vport0p1`, does something at the port's other end, and waits until the
    /// machine is off. It needs the modules `virtio_pci` and `virtio_console`.
    ///
    /// # Panics
    /// As [`Self::run`]; if the machine does not start.
    pub fn run_with_port(self, limit: Duration, talk: impl FnOnce(UnixStream)) -> Output {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("port");
        let listener = UnixListener::bind(&socket).expect("listen for the machine");
        let mut command = self.command(folder.path());
        let port = format!("socket,id=port,path={}", socket.display());
        command
            .args(["-device", "virtio-serial-pci", "-chardev", &port])
            .args(["-device", "virtserialport,chardev=port,name=fairing"]);
        let running = Running::start(command, SHOWN.to_owned(), limit, None, [None, None]);
        // The machine connects before it boots.
        let (port, _) = listener.accept().expect("the machine connects");
        talk(port);
        running.wait()
    }

    /// The command that starts the machine, whose files are in `folder`.
    fn command(mut self, folder: &Path) -> Command {
        let kernel = GuestKernel::find();
        let mut files = Vec::new();
        for module in &self.modules {
            for file in kernel.module(module) {
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        for (number, file) in files.iter().enumerate() {
            let path = format!("modules/{number:03}.ko");
            self.initramfs.copy(file, &path).expect("a kernel module");
        }
        let initramfs = folder.join("initramfs");
        fs::write(&initramfs, self.initramfs.finish()).expect("write the initramfs");
        let mut command = Command::new("qemu-system-x86_64");
        command
            // The machine type `microvm` starts sooner, but hangs now and then where the host
            // is busy: it has no timer but the one it cannot measure.
            .args(["-machine", "q35", "-accel", "tcg", "-cpu", "max"])
            .args(["-smp", "2", "-m", &self.memory.to_string()])
            .args(["-nodefaults", "-no-user-config", "-display", "none"])
            .args(["-no-reboot", "-serial", "stdio", "-kernel"])
            .arg(kernel.image())
            .arg("-initrd")
            .arg(&initramfs)
            .args(["-append", &self.kernel_words])
            .args(&self.devices)
            .stdin(Stdio::null());
        command
    }
}

/// The first program: goes over to a root that `pivot_root` takes, which the kernel's first one
/// is not.
const INIT: &str = "#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
for module in /modules/*.ko; do [ -e \"$module\" ] && insmod \"$module\"; done
umount /proc
mount -t tmpfs -o size=75% root /new
cp -a /root-image/. /new/
exec switch_root /new /bin/busybox sh /sbin/start
";

/// The init: the shell waits for the script, and for each process whose parent has died. Mounts are shared, as systemd
/// makes them.
const START: &str = "export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
/bin/busybox --install -s /bin
chmod 1777 /tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=0666 devpts /dev/pts
mount -t tmpfs tmpfs /run
mount --make-rshared /
ifconfig lo up
sh /script < /dev/null > /dev/console 2>&1 &
wait $!
poweroff -f
";
