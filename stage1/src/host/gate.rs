//! Numbers that the monitor and the process that becomes pod init tell each other, before that one executes its program.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::{Errno, read, retry_on_intr, write};

/// A number that one process waits for and another one tells, once.
///
/// It is no pipe: the kernel takes who writes to a pipe for one who is about to sleep, and lets the reader begin only
/// then, on the same processor. These two have work for two.
#[derive(Debug)]
pub(super) struct Gate(OwnedFd);

impl Gate {
    /// A gate that is shut.
    pub(super) fn new() -> Result<Self, Errno> {
        eventfd(0, EventfdFlags::CLOEXEC).map(Self)
    }

    /// Tells the number, which is not 0, to whoever waits or will. For a process between clone and exec, too.
    pub(super) fn tell(&self, number: u64) -> Result<(), Errno> {
        write(&self.0, &number.to_ne_bytes()).map(drop)
    }

    /// Waits for the number; none comes if the process ends first that this pidfd is of. For a process between clone and
    /// exec, too.
    pub(super) fn wait(&self, teller: BorrowedFd<'_>) -> Result<Option<u64>, Errno> {
        let mut sources = [
            PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(teller, PollFlags::IN),
        ];
        retry_on_intr(|| poll(&mut sources, None))?;
        let [gate, _] = &sources;
        if !gate.revents().contains(PollFlags::IN) {
            return Ok(None);
        }
        let mut number = [0; size_of::<u64>()];
        read(&self.0, &mut number)?;
        Ok(Some(u64::from_ne_bytes(number)))
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};

    use super::*;

    #[test]
    fn what_was_told_is_heard() {
        let gate = Gate::new().unwrap();
        gate.tell(7).unwrap();
        let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        assert_eq!(gate.wait(own.as_fd()), Ok(Some(7)));
    }

    #[test]
    fn nobody_waits_for_a_process_that_has_ended_but_hears_what_it_said() {
        let mut process = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(process.id().cast_signed()).unwrap();
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let gate = Gate::new().unwrap();
        drop(process.stdin.take());
        assert_eq!(gate.wait(pidfd.as_fd()), Ok(None));
        gate.tell(1).unwrap();
        assert_eq!(gate.wait(pidfd.as_fd()), Ok(Some(1)));
        process.wait().unwrap();
    }
}
