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
///
/// It is for one who is in a machine of the pod's own, too.
pub fn relax() {
    let _ = std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    let _ = std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
}

impl Netns {
    /// Makes a namespace that holds nothing but a loopback, which is up. The calling thread is in it for a moment and back
    /// when this returns.
    ///
    /// # Errors
    /// [`NetworkError`] if the kernel refuses. If even the way back fails, that is the error, and the thread
    /// must not go on as if it were on the host's network.
    pub fn with_loopback() -> Result<Self, NetworkError> {
        let host = open_at(Path::new(OWN))?;
        unshare(CloneFlags::CLONE_NEWNET).map_err(NetworkError::at("make a network namespace"))?;
        Self::furnished(&host)
    }

    /// A namespace that somebody has just made, with its loopback brought up. The calling thread is in it for a moment and
    /// back when this returns.
    ///
    /// # Errors
    /// As those of [`Netns::with_loopback`].
    pub fn made(fd: OwnedFd) -> Result<Self, NetworkError> {
        let host = open_at(Path::new(OWN))?;
        enter(&fd)?;
        Self::furnished(&host)
    }

    /// The new namespace that the thread is in, which goes back to the host's.
    fn furnished(host: &OwnedFd) -> Result<Self, NetworkError> {
        let made = Self::of_this_thread();
        relax();
        leave(host)?;
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
        let netns = Netns::with_loopback().unwrap();
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

    #[test]
    fn the_loopback_of_a_namespace_that_another_process_has_made_is_brought_up() {
        let before = name();
        let mut maker = std::process::Command::new("unshare")
            .args(["--user", "--map-root-user", "--net", "cat"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // It answers once it is there.
        let mut line = *b"x";
        std::io::Write::write_all(maker.stdin.as_mut().unwrap(), &line).unwrap();
        std::io::Read::read_exact(maker.stdout.as_mut().unwrap(), &mut line).unwrap();
        let namespace = open_at(Path::new(&format!("/proc/{}/ns/net", maker.id()))).unwrap();
        let netns = Netns::made(namespace).unwrap();
        assert_eq!(name(), before);
        let bound = netns.inside(|| std::net::TcpListener::bind("127.0.0.1:0").is_ok());
        assert!(bound.unwrap());
        drop(maker.stdin.take());
        maker.wait().unwrap();
    }

    #[test]
    fn what_is_done_inside_is_done_there_alone() {
        let before = name();
        let netns = Netns::with_loopback().unwrap();
        let inside = netns.inside(name).unwrap();
        assert_ne!(inside, before);
        assert_eq!(name(), before);
        let error = Netns::open(Path::new("/proc/self/ns/none")).map(|_| ());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("/proc/self/ns/none"), "{error}");
    }
}
