//! The service manager that has started this command, if one has, and what it is told before there is a monitor.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use systemd::{Message, NotifySocket, ServiceManager};

use crate::console::output;

/// What the environment has said, which is of this process as a whole.
static MANAGER: OnceLock<ServiceManager> = OnceLock::new();

/// How long a fetch may be silent before it counts as hung: from what has come last on.
const SILENCE: Duration = Duration::from_secs(60);
/// Time between two messages about a fetch.
const PERIOD: Duration = Duration::from_secs(1);

/// Takes what the environment says of a service manager, so that no other program is handed it. To be called while there is
/// one thread.
pub(crate) fn take() {
    let manager = MANAGER.get_or_init(ServiceManager::take);
    if let (Err(error), Some(text)) = (manager.notify(), &manager.notify_socket) {
        output::warn(&format!(
            "the service manager is told nothing: NOTIFY_SOCKET={}: {error}",
            text.display()
        ));
    }
}

/// The service manager, if there is one that has been asked for.
pub(crate) fn manager() -> Option<&'static ServiceManager> {
    MANAGER.get()
}

/// Tells the service manager something, if it listens.
pub(crate) fn tell(message: impl FnOnce() -> Message) {
    let socket = manager().and_then(|manager| manager.notify().ok()?);
    if let Some(socket) = socket {
        // Who doesn't take it can't be told.
        let _ = socket.send(&message());
    }
}

/// Tells that this pod is up, whose monitor is the service's main process from now on.
pub(crate) fn hand_over_to(monitor: Pid) {
    let pid = u32::try_from(monitor.as_raw()).unwrap_or_default();
    tell(|| Message::new().main_pid(pid).ready().status("running"));
}

/// Whether one has started this very process, and waits for it.
pub(crate) fn has_started_this() -> bool {
    manager().is_some_and(|manager| manager.is_main)
}

/// Tells that this registry is asked again after a pause: the start is not hung.
pub(crate) fn waits_for(registry: &str, pause: Duration) {
    tell(|| {
        Message::new()
            .extend_timeout(SILENCE.saturating_add(pause))
            .status(&format!("waiting for registry {registry}"))
    });
}

/// Tells why this command fails.
pub(crate) fn failed(line: &str, exit_code: u8) {
    tell(|| {
        Message::new()
            .status(line)
            .exit_status(i32::from(exit_code))
    });
}

/// A fetch, which takes its time: a service manager does not give the start up while something comes.
#[derive(Debug)]
pub(crate) struct Fetching {
    socket: Option<NotifySocket>,
    told: Cell<Option<Instant>>,
}

impl Fetching {
    /// One that begins.
    pub(crate) fn begin() -> Self {
        Self {
            socket: manager().and_then(|manager| manager.notify().ok()?),
            told: Cell::new(None),
        }
    }

    /// Something has come of this image: so much of so much, in bytes, if that is known.
    pub(crate) fn goes_on(&self, name: &str, amounts: Option<(u64, u64)>) {
        let Some(socket) = &self.socket else {
            return;
        };
        let now = Instant::now();
        if self.told.get().is_some_and(|told| now - told < PERIOD) {
            return;
        }
        self.told.set(Some(now));
        let message = Message::new()
            .extend_timeout(SILENCE)
            .status(&status(name, amounts));
        // The next one follows.
        let _ = socket.send(&message);
    }
}

fn status(name: &str, amounts: Option<(u64, u64)>) -> String {
    const MIB: u64 = 1 << 20;
    match amounts {
        Some((come, all)) if all > 0 => format!(
            "fetching {name}: {} of {} MiB",
            come / MIB,
            all.div_ceil(MIB)
        ),
        _ => format!("fetching {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_is_told_in_units_that_people_read() {
        assert_eq!(
            status("a:1", Some((3 << 20, (10 << 20) + 1))),
            "fetching a:1: 3 of 11 MiB"
        );
        assert_eq!(status("a:1", None), "fetching a:1");
        assert_eq!(status("a:1", Some((0, 0))), "fetching a:1");
    }
}
