//! Network namespaces.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, Mode, OFlags, openat, statfs};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::NetworkError;
use crate::netlink::link;
use crate::netlink::message::Batch;
use crate::netlink::rtnetlink::Rtnetlink;
use crate::sys;

/// The loopback is the first link of every namespace.
const LOOPBACK_INDEX: u32 = 1;

/// A network namespace that lives for as long as this descriptor or a process in it.
#[derive(Debug)]
pub struct Netns {
    fd: OwnedFd,
    /// Made inside, since that is where the thread is at that moment anyway.
    rtnetlink: Rtnetlink,
}

/// Whether there is a namespace at a path, and not just a file that one was mounted over elsewhere.
pub(crate) fn is_at(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.f_type == libc::NSFS_MAGIC)
}

const OWN: &str = "/proc/thread-self/ns/net";

fn open_at(path: &Path) -> Result<OwnedFd, NetworkError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).map_err(NetworkError::at(format!(
        "open the network namespace {}",
        path.display()
    )))
}

fn enter(fd: &OwnedFd) -> Result<(), NetworkError> {
    set(fd, "enter the pod's network namespace")
}

fn leave(host: &OwnedFd) -> Result<(), NetworkError> {
    set(host, "return to the host's network namespace")
}

fn set(fd: &OwnedFd, operation: &str) -> Result<(), NetworkError> {
    move_into_link_name_space(fd.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(NetworkError::at(operation))
}

/// Lets every user of the namespace that the thread is in do what takes a capability elsewhere, and harms nobody in a
/// namespace of its own: send echo requests (`ping_group_range`, icmp(7)), and listen at ports below 1024
/// (`ip_unprivileged_port_start`, ip(7)). Where a setting can't be changed, it takes the capability here too.
fn relax() {
    let _ = std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    let _ = std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
}

impl Netns {
    /// Makes a namespace that holds nothing but a loopback, which is up. It belongs to the user namespace `owner`, whose
    /// root may then change it, or to that of the calling process. The calling thread is in it for a moment and back
    /// when this returns.
    ///
    /// # Errors
    /// [`NetworkError`] if the kernel refuses. If even the way back fails, that is the error, and the thread
    /// must not go on as if it were on the host's network.
    pub fn with_loopback(owner: Option<BorrowedFd<'_>>) -> Result<Self, NetworkError> {
        const MAKE: &str = "make a network namespace";
        let host = open_at(Path::new(OWN))?;
        match owner {
            None => unshare(CloneFlags::CLONE_NEWNET).map_err(NetworkError::at(MAKE))?,
            Some(owner) => {
                let made = sys::network_namespace_of(owner).map_err(NetworkError::at(MAKE))?;
                enter(&made)?;
            }
        }
        let made = Self::of_this_thread();
        relax();
        leave(&host)?;
        let mut made = made?;
        made.bring_loopback_up()?;
        Ok(made)
    }

    /// Brings the loopback up.
    ///
    /// # Errors
    /// [`NetworkError`] if the kernel refuses.
    pub fn bring_loopback_up(&mut self) -> Result<(), NetworkError> {
        let mut batch = Batch::default();
        link::set_up(&mut batch, LOOPBACK_INDEX);
        self.rtnetlink
            .apply_all(&batch)
            .map_err(NetworkError::at("bring the loopback up"))?;
        Ok(())
    }

    /// The namespace that a path leads to: a process's, or one that is mounted.
    ///
    /// # Errors
    /// [`NetworkError`] if there is none, or it can't be entered.
    pub fn open(path: &Path) -> Result<Self, NetworkError> {
        let fd = open_at(path)?;
        let host = open_at(Path::new(OWN))?;
        enter(&fd)?;
        let rtnetlink = Rtnetlink::open();
        leave(&host)?;
        let rtnetlink = rtnetlink.map_err(NetworkError::at("open a netlink socket"))?;
        Ok(Self { fd, rtnetlink })
    }

    /// The namespace that the calling thread is in.
    ///
    /// # Errors
    /// [`NetworkError`] if the kernel refuses.
    pub fn of_this_thread() -> Result<Self, NetworkError> {
        let rtnetlink = Rtnetlink::open().map_err(NetworkError::at("open a netlink socket"))?;
        Ok(Self {
            fd: open_at(Path::new(OWN))?,
            rtnetlink,
        })
    }

    /// Does something inside. The calling thread is back when this returns.
    ///
    /// # Errors
    /// [`NetworkError`] if the way in or out fails.
    pub fn inside<T>(&self, action: impl FnOnce() -> T) -> Result<T, NetworkError> {
        let host = open_at(Path::new(OWN))?;
        enter(&self.fd)?;
        let value = action();
        leave(&host)?;
        Ok(value)
    }

    pub(crate) fn rtnetlink(&mut self) -> &mut Rtnetlink {
        &mut self.rtnetlink
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Netns> for OwnedFd {
    fn from(netns: Netns) -> Self {
        netns.fd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> std::path::PathBuf {
        std::fs::read_link(OWN).unwrap()
    }

    #[test]
    fn a_new_namespace_has_a_loopback_that_is_up_and_the_thread_is_back() {
        if !rustix::process::geteuid().is_root() {
            panic!("this test makes a network namespace and needs root");
        }
        let before = name();
        let netns = Netns::with_loopback(None).unwrap();
        assert_eq!(name(), before);
        std::thread::spawn(move || {
            enter(&netns.fd).unwrap();
            assert_ne!(name(), before);
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            assert!(std::net::TcpListener::bind("[::1]:0").is_ok());
        })
        .join()
        .unwrap();
    }

    /// A process in a user namespace of its own.
    struct Stranger(std::process::Child);

    impl Stranger {
        fn new() -> Self {
            let mut child = std::process::Command::new("unshare")
                .args([
                    "--user",
                    "--map-root-user",
                    "sh",
                    "-c",
                    "echo; exec sleep 1000",
                ])
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = [0];
            let said = child.stdout.as_mut().unwrap();
            std::io::Read::read_exact(said, &mut line).unwrap();
            Self(child)
        }

        fn user_namespace(&self) -> OwnedFd {
            open_at(Path::new(&format!("/proc/{}/ns/user", self.0.id()))).unwrap()
        }
    }

    impl Drop for Stranger {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    #[test]
    fn a_namespace_belongs_to_the_user_namespace_that_is_named() {
        let identity = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).unwrap().st_ino;
        let stranger = Stranger::new();
        let owner = stranger.user_namespace();
        let before = name();
        let netns = Netns::with_loopback(Some(owner.as_fd())).unwrap();
        assert_eq!(name(), before);
        let found = sys::user_namespace_of(netns.as_fd()).unwrap();
        assert_eq!(identity(found.as_fd()), identity(owner.as_fd()));
        let bound = netns.inside(|| std::net::TcpListener::bind("127.0.0.1:0").is_ok());
        assert!(bound.unwrap());

        let own = open_at(Path::new("/proc/self/ns/user")).unwrap();
        let netns = Netns::with_loopback(None).unwrap();
        let found = sys::user_namespace_of(netns.as_fd()).unwrap();
        assert_eq!(identity(found.as_fd()), identity(own.as_fd()));

        // What is no user namespace owns nothing, and no process is left.
        let refused = Netns::with_loopback(Some(netns.as_fd())).unwrap_err();
        assert!(
            refused.to_string().contains("make a network namespace"),
            "{refused}"
        );
    }

    #[test]
    fn what_is_done_inside_is_done_there_alone() {
        let before = name();
        let netns = Netns::with_loopback(None).unwrap();
        let inside = netns.inside(name).unwrap();
        assert_ne!(inside, before);
        assert_eq!(name(), before);
        let error = Netns::open(Path::new("/proc/self/ns/none")).map(|_| ());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("/proc/self/ns/none"), "{error}");
    }
}
