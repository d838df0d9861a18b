//! Network namespaces.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use nix::sys::statfs::{NSFS_MAGIC, statfs};

use crate::error::NetworkError;
use crate::netlink::link;
use crate::netlink::message::Batch;
use crate::netlink::rtnetlink::Rtnetlink;

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
    statfs(path).is_ok_and(|found| found.filesystem_type() == NSFS_MAGIC)
}

const OWN: &str = "/proc/thread-self/ns/net";

fn open_at(path: &Path) -> Result<OwnedFd, NetworkError> {
    open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).map_err(NetworkError::at(
        format!("open the network namespace {}", path.display()),
    ))
}

fn enter(fd: &OwnedFd) -> Result<(), NetworkError> {
    setns(fd, CloneFlags::CLONE_NEWNET)
        .map_err(NetworkError::at("enter the pod's network namespace"))
}

fn leave(host: &OwnedFd) -> Result<(), NetworkError> {
    setns(host, CloneFlags::CLONE_NEWNET)
        .map_err(NetworkError::at("return to the host's network namespace"))
}

impl Netns {
    /// Makes a namespace that holds nothing but a loopback, which is up.
    /// The calling thread is in it for a moment and back when this returns.
    ///
    /// # Errors
    /// [`NetworkError`] if the kernel refuses. If even the way back fails, that is the error, and the thread
    /// must not go on as if it were on the host's network.
    pub fn with_loopback() -> Result<Self, NetworkError> {
        let host = open_at(Path::new(OWN))?;
        unshare(CloneFlags::CLONE_NEWNET).map_err(NetworkError::at("make a network namespace"))?;
        let made = Self::of_this_thread();
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
        if !nix::unistd::geteuid().is_root() {
            panic!("this test makes a network namespace and needs root");
        }
        let before = name();
        let netns = Netns::with_loopback().unwrap();
        assert_eq!(name(), before);
        std::thread::spawn(move || {
            setns(&netns, CloneFlags::CLONE_NEWNET).unwrap();
            assert_ne!(name(), before);
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            assert!(std::net::TcpListener::bind("[::1]:0").is_ok());
        })
        .join()
        .unwrap();
    }

    #[test]
    fn what_is_done_inside_is_done_there_alone() {
        let before = name();
        let netns = Netns::with_loopback().unwrap();
        let inside = netns.inside(name).unwrap();
        assert_ne!(inside, before);
        assert_eq!(name(), before);
        assert!(Netns::open(Path::new("/proc/self/ns/none")).is_err());
    }
}
