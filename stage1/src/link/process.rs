//! Processes as the monitor sees them.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// A process that pod init has started.
#[derive(Debug)]
pub struct Process(Option<OwnedFd>);

impl Process {
    /// One of this host, by its pidfd.
    pub fn of_host(pidfd: OwnedFd) -> Self {
        Self(Some(pidfd))
    }

    /// One of another kernel, where the host's process IDs mean nothing.
    pub fn elsewhere() -> Self {
        Self(None)
    }

    /// Its process ID on the host, while it runs there.
    pub fn pid(&self) -> Option<i32> {
        pid_of(self.0.as_ref()?)
    }
}

/// The process ID in this process's own pid namespace that a pidfd stands for.
pub fn pid_of(pidfd: &impl AsFd) -> Option<i32> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_fd().as_raw_fd());
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    line.trim().parse().ok().filter(|&pid| pid > 0)
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;

    #[test]
    fn a_process_has_a_number_while_it_runs_on_this_host() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        let process = Process::of_host(pidfd_open(pid, PidfdFlags::empty()).unwrap());
        assert_eq!(process.pid(), Some(pid.as_raw_nonzero().get()));
        child.kill().unwrap();
        child.wait().unwrap();
        // Its number may be another's by now.
        assert_eq!(process.pid(), None);
        assert_eq!(Process::elsewhere().pid(), None);
        let file = std::fs::File::open("/proc/self/status").unwrap();
        assert_eq!(pid_of(&file), None);
    }
}
