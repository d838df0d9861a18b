//! Computers for tests: network namespaces, linked as the test wants, that go with the test.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};

/// A computer: a network namespace with a loopback that is up. What is made in it goes when the last
/// process and descriptor of it does.
pub struct Computer {
    namespace: File,
}

impl Default for Computer {
    fn default() -> Self {
        Self::new()
    }
}

impl Computer {
    /// A computer without any link.
    pub fn new() -> Self {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace, as root");
            File::open("/proc/thread-self/ns/net").expect("its descriptor")
        });
        let computer = Self {
            namespace: made.join().expect("the thread ends well"),
        };
        computer.sh("ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0");
        computer
    }

    /// The computer that a process is on: a pod, for one.
    pub fn of_process(pid: u32) -> Self {
        let path = format!("/proc/{pid}/ns/net");
        Self {
            namespace: File::open(path).expect("the namespace of a process that runs"),
        }
    }

    /// A path by which commands find the namespace while the test runs.
    pub fn path(&self) -> String {
        let fd = self.namespace.as_raw_fd();
        format!("/proc/{}/fd/{fd}", std::process::id())
    }

    /// A command that runs there.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).arg(program);
        command
    }

    /// Runs a script there and gives what it wrote; the test fails if it does.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        let output = self
            .command("/bin/sh")
            .args(["-ec", script])
            .output()
            .expect("nsenter");
        assert!(
            output.status.success(),
            "{script}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Does something there, in a thread of its own. Sockets that it makes stay there.
    pub fn within<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.namespace, CloneFlags::CLONE_NEWNET).expect("the namespace");
                action()
            });
            match thread.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Listens there.
    pub fn listen(&self, address: &str) -> TcpListener {
        self.within(|| TcpListener::bind(address).expect("listen"))
    }

    /// A socket for datagrams there, whose waiting ends.
    pub fn datagrams(&self, address: &str) -> UdpSocket {
        let socket = self.within(|| UdpSocket::bind(address).expect("bind"));
        let limit = Some(Duration::from_secs(20));
        socket.set_read_timeout(limit).expect("a limit");
        socket
    }

    /// Connects from there.
    pub fn connect(&self, address: &str) -> std::io::Result<TcpStream> {
        let address: SocketAddr = address.parse().expect("an address");
        let stream =
            self.within(|| TcpStream::connect_timeout(&address, Duration::from_secs(20)))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(stream)
    }

    /// Links this computer with another: both get an interface of that name and these addresses.
    pub fn link(&self, name: &str, own: &[&str], other: (&Computer, &str, &[&str])) {
        let (peer, peer_name, theirs) = other;
        // `ip` takes a process, and reads its namespace at once.
        let mut holder = peer.command("sleep").arg("1000").spawn().expect("nsenter");
        let pid = holder.id();
        let entered = format!("/proc/{pid}/ns/net");
        let wanted = std::fs::read_link(peer.path()).expect("the namespace's name");
        crate::eventually(Duration::from_secs(10), || {
            (std::fs::read_link(&entered).ok()? == wanted).then_some(())
        })
        .expect("nsenter enters");
        self.sh(&format!(
            "ip link add {name} type veth peer name {peer_name} netns {pid}"
        ));
        holder.kill().expect("kill");
        holder.wait().expect("wait");
        for (computer, name, addresses) in [(self, name, own), (peer, peer_name, theirs)] {
            for address in addresses {
                let nodad = if address.contains(':') { "nodad" } else { "" };
                computer.sh(&format!("ip addr add {address} dev {name} {nodad}"));
            }
            computer.sh(&format!("ip link set {name} up"));
        }
    }
}
