//! Network namespaces.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;

use crate::error::NetworkError;
use crate::loopback;

/// A network namespace that lives for as long as this descriptor or a process in it.
#[derive(Debug)]
pub struct Netns(OwnedFd);

const OWN: &str = "/proc/thread-self/ns/net";

fn open_own() -> Result<OwnedFd, NetworkError> {
    open(OWN, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(NetworkError::at("open the network namespace"))
}

impl Netns {
    /// Makes a namespace that holds nothing but a loopback, which is up.
    /// The calling thread is in it for a moment and back when this returns.
    ///
    /// # Errors
    /// [`NetworkError`] if the kernel refuses. If even the way back fails, that is the error, and the thread
    /// must not go on as if it were on the host's network.
    pub fn with_loopback() -> Result<Self, NetworkError> {
        let host = open_own()?;
        unshare(CloneFlags::CLONE_NEWNET).map_err(NetworkError::at("make a network namespace"))?;
        let made = loopback::up().and_then(|()| open_own());
        setns(&host, CloneFlags::CLONE_NEWNET)
            .map_err(NetworkError::at("return to the host's network namespace"))?;
        made.map(Self)
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Netns> for OwnedFd {
    fn from(netns: Netns) -> Self {
        netns.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_namespace_has_a_loopback_that_is_up_and_the_thread_is_back() {
        if !nix::unistd::geteuid().is_root() {
            panic!("this test makes a network namespace and needs root");
        }
        let name = || std::fs::read_link(OWN).unwrap();
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
}
