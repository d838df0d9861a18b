//! Sockets that an app is handed by a service manager (sd_listen_fds(3)).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use pod::activation::{FIRST_FD, LISTEN_FDNAMES, LISTEN_FDS, SocketName, names};
use rustix::io::fcntl_dupfd_cloexec;

use crate::failure::StartFailure;

/// The sockets of one app, under numbers above those that they will have in it, so that putting one into its
/// place overwrites no other.
#[derive(Debug, Default)]
pub(crate) struct AppSockets {
    names: Vec<SocketName>,
    fds: Vec<OwnedFd>,
}

impl AppSockets {
    /// Takes the descriptors that came for these names.
    pub(crate) fn new(names: Vec<SocketName>, fds: Vec<OwnedFd>) -> Result<Self, StartFailure> {
        if names.len() != fds.len() {
            return Err(StartFailure::other(format!(
                "{} sockets came, and {} were announced",
                fds.len(),
                names.len()
            )));
        }
        let mut sockets = Self {
            names,
            fds: Vec::new(),
        };
        let fds: Result<_, _> = fds.into_iter().map(|fd| sockets.raised(fd)).collect();
        sockets.fds = fds?;
        Ok(sockets)
    }

    /// The program that a process executes instead of one of the app's: its first descriptor.
    pub(crate) fn program(fd: OwnedFd) -> Result<Self, StartFailure> {
        let name = SocketName::try_from("program".to_owned());
        let name = name.map_err(StartFailure::os("name a program"))?;
        Self::new(vec![name], vec![fd])
    }

    /// The first number that no socket will have in the app.
    pub(crate) fn end(&self) -> i32 {
        FIRST_FD.saturating_add(i32::try_from(self.names.len()).unwrap_or(i32::MAX))
    }

    /// The same descriptor under a number beyond [`Self::end`], where something else has its place.
    pub(crate) fn raised(&self, fd: OwnedFd) -> Result<OwnedFd, StartFailure> {
        let first = self.end().saturating_add(1);
        if fd.as_raw_fd() >= first {
            return Ok(fd);
        }
        fcntl_dupfd_cloexec(&fd, first).map_err(StartFailure::os("make room for an app's sockets"))
    }

    /// The descriptors, in order.
    pub(crate) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.fds.iter().map(AsFd::as_fd).collect()
    }

    /// What tells the app of them, but for `LISTEN_PID`, which only the app's process knows.
    pub(crate) fn variables(&self) -> Vec<String> {
        if self.names.is_empty() {
            return Vec::new();
        }
        vec![
            format!("{LISTEN_FDS}={}", self.names.len()),
            format!("{LISTEN_FDNAMES}={}", names(self.names.iter())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_out_of_the_way_of_their_places() {
        let name = |name: &str| SocketName::try_from(name.to_owned()).unwrap();
        let open = || OwnedFd::from(tempfile::tempfile().unwrap());
        let all: Vec<_> = (0..40).map(|_| open()).collect();
        let sockets = AppSockets::new(vec![name("a"); 40], all).unwrap();
        assert_eq!(sockets.end(), 43);
        assert!(sockets.fds.iter().all(|fd| fd.as_raw_fd() > 43));
        assert!(sockets.raised(open()).unwrap().as_raw_fd() > 43);
        let none = AppSockets::default();
        assert!(none.variables().is_empty());
        let two = AppSockets::new(vec![name("a"), name("b")], vec![open(), open()]).unwrap();
        assert_eq!(two.variables(), ["LISTEN_FDS=2", "LISTEN_FDNAMES=a:b"]);
        let error = AppSockets::new(vec![name("a")], Vec::new()).map(|_| ());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("0 sockets came, and 1"), "{error}");
    }
}
