//! What a machine says by its port before the link begins.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use pod::exit::FailureKind;
use pod::manifest::Accelerator;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read, write};
use stage1::failure::StartFailure;
use stage1::monitor::ending_signals;

/// How long is waited in all.
pub(super) struct Patience(Duration);

impl Patience {
    /// For a machine that boots. A translated one takes seconds, and many times that where many are started at once.
    pub(super) fn for_boot(accelerator: Accelerator) -> Self {
        Self(Duration::from_secs(match accelerator {
            Accelerator::Kvm => 20,
            Accelerator::Tcg => 60,
        }))
    }

    /// For one that goes on.
    pub(super) fn for_copy(accelerator: Accelerator) -> Self {
        Self(Duration::from_secs(match accelerator {
            Accelerator::Kvm => 5,
            Accelerator::Tcg => 20,
        }))
    }
}

/// The port of a machine that runs in this process.
pub(super) struct Port<'a> {
    link: &'a OwnedFd,
    process: &'a OwnedFd,
    signals: SignalFd,
    until: Option<Instant>,
}

impl<'a> Port<'a> {
    pub(super) fn new(
        link: &'a OwnedFd,
        process: &'a OwnedFd,
        patience: &Patience,
    ) -> Result<Self, StartFailure> {
        Ok(Self {
            link,
            process,
            signals: ending_signals().map_err(StartFailure::os("listen for signals"))?,
            until: Instant::now().checked_add(patience.0),
        })
    }

    /// Says something, which is little enough never to block.
    pub(super) fn say(&self, bytes: &[u8]) -> Result<(), StartFailure> {
        let written = write(self.link, bytes).map_err(StartFailure::os("speak to the machine"))?;
        match written == bytes.len() {
            true => Ok(()),
            false => Err(StartFailure::other("the machine does not listen")),
        }
    }

    /// Waits until the machine has said just this.
    ///
    /// # Errors
    /// If it says something else, ends, takes too long, or nobody wants to wait any longer.
    pub(super) fn expect(&self, word: &[u8]) -> Result<(), StartFailure> {
        let mut heard = Vec::new();
        while heard.len() < word.len() {
            self.wait()?;
            let mut buffer = vec![0; word.len() - heard.len()];
            match read(self.link, &mut buffer) {
                Ok(0) | Err(Errno::CONNRESET) => return Err(ended()),
                Ok(count) => heard.extend(buffer.into_iter().take(count)),
                Err(errno) => return Err(StartFailure::os("hear the machine")(errno)),
            }
        }
        match heard == word {
            true => Ok(()),
            false => Err(StartFailure::other(
                "the machine says something else than it should",
            )),
        }
    }

    fn wait(&self) -> Result<(), StartFailure> {
        loop {
            let left = self
                .until
                .map(|until| until.saturating_duration_since(Instant::now()));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut all = [
                PollFd::new(self.link, PollFlags::IN),
                PollFd::new(self.process, PollFlags::IN),
                PollFd::new(&self.signals, PollFlags::IN),
            ];
            match poll(&mut all, left.as_ref()) {
                Ok(0) => return Err(StartFailure::other("the machine takes too long")),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(StartFailure::os("wait for the machine")(errno)),
            }
            let [link, _, signals] = all.map(|one| !one.revents().is_empty());
            return match (link, signals) {
                // It stays for who ends the pod by it.
                (_, true) => Err(StartFailure {
                    kind: FailureKind::Interrupted {
                        signal: Signal::SIGTERM as i32,
                    },
                    message: "the pod is to end".to_owned(),
                }),
                (true, false) => Ok(()),
                (false, false) => Err(ended()),
            };
        }
    }
}

fn ended() -> StartFailure {
    StartFailure::other("the machine has ended")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use rustix::process::{PidfdFlags, getpid, pidfd_open};

    use super::*;

    fn expect(said: &[u8], closes: bool) -> Result<(), String> {
        let (mut machine, link) = UnixStream::pair().unwrap();
        machine.write_all(said).unwrap();
        let machine = (!closes).then_some(machine);
        let (link, process) = (
            OwnedFd::from(link),
            pidfd_open(getpid(), PidfdFlags::empty()).unwrap(),
        );
        let patience = Patience(Duration::from_millis(20));
        let port = Port::new(&link, &process, &patience).unwrap();
        let result = port.expect(b"word").map_err(|failure| failure.message);
        drop(machine);
        result
    }

    #[test]
    fn a_machine_that_says_nothing_or_something_else_or_ends_is_not_waited_for() {
        assert_eq!(expect(b"word and more", false), Ok(()));
        for (said, closes, reason) in [
            (&b"wor"[..], false, "takes too long"),
            (b"", false, "takes too long"),
            (b"wor", true, "has ended"),
            (b"noise", false, "something else"),
        ] {
            let error = expect(said, closes).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
