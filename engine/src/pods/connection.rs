//! Connections to the control socket of a running pod.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::AddWatchFlags;
use pod::control::{LiveStatus, Request, Response, SOCKET_FILE};
use pod::lock::PodLock;
use pod::seqpacket::SeqPacket;
use pod::{PodEntry, PodError, PodUuid, State};

use super::stopped::stopped_peer;
use crate::changes::Changes;
use crate::config::directories::Directories;
use crate::error::{Error, MonitorError};

/// How long a pod may take to open its socket, and a monitor to take a connection and to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a place among the connections of a monitor is waited for by who can kill it.
const FORCED_PLACE: Duration = Duration::from_millis(500);
/// And how long a pod may take to open its socket.
const FORCED_START: Duration = Duration::from_secs(5);
/// How long a program may take to be executed in a pod, and a monitor to say so.
pub const START: Duration = Duration::from_secs(40);
/// How long a list of pods waits for what their monitors say, all together.
const GLANCE: Duration = Duration::from_millis(200);
/// Between two looks at a socket that is there and not listened to: the kernel tells nobody of listen(2).
const NOT_YET: Duration = Duration::from_millis(5);
/// After how long a monitor that doesn't answer is looked at.
const MAYBE_STOPPED: Duration = Duration::from_millis(500);
/// Between two looks at the lock of a pod that is starting: the kernel tells nobody of a release either.
const MAYBE_DEAD: Duration = Duration::from_millis(200);

/// Connects to a pod; `None` if nobody listens.
///
/// # Errors
/// If the socket is there and can't be used, or takes no connection for long.
pub fn connect(entry: &PodEntry, directories: &Directories) -> Result<Option<SeqPacket>, Error> {
    connect_within(entry, directories, PATIENCE)
}

pub(super) fn connect_within(
    entry: &PodEntry,
    directories: &Directories,
    patience: Duration,
) -> Result<Option<SeqPacket>, Error> {
    match SeqPacket::connect(&socket_path(entry, directories), patience) {
        Ok(connection) => Ok(Some(connection)),
        Err(PodError::Io { source, .. }) if is_absent(&source) => Ok(None),
        Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::WouldBlock => {
            Err(MonitorError::Busy {
                uuid: entry.uuid,
                patience,
            }
            .into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Connects to a pod, and waits while it is starting; `None` if it has ended.
///
/// # Errors
/// If it neither ends nor listens for long.
pub fn connect_when_up(
    entry: &PodEntry,
    directories: &Directories,
) -> Result<Option<SeqPacket>, Error> {
    connect_when_up_within(entry, directories, PATIENCE, PATIENCE)
}

/// As [`connect_when_up`], for who has other means to end a pod: whether its monitor is busy shows within a moment.
///
/// # Errors
/// As [`connect_when_up`].
pub(super) fn connect_briefly(
    entry: &PodEntry,
    directories: &Directories,
) -> Result<Option<SeqPacket>, Error> {
    connect_when_up_within(entry, directories, FORCED_PLACE, FORCED_START)
}

fn connect_when_up_within(
    entry: &PodEntry,
    directories: &Directories,
    place: Duration,
    start: Duration,
) -> Result<Option<SeqPacket>, Error> {
    let path = socket_path(entry, directories);
    let deadline = Instant::now() + start;
    loop {
        if let Some(connection) = connect_within(entry, directories, place)? {
            return Ok(Some(connection));
        }
        if !PodLock::is_held(&entry.path)? {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            return Err(MonitorError::Deaf(entry.uuid).into());
        }
        await_creation(&path)?;
    }
}

fn socket_path(entry: &PodEntry, directories: &Directories) -> PathBuf {
    directories.pod_run(entry.uuid).join(SOCKET_FILE)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}

/// Waits until something happens in the deepest directory above `path` that is there.
fn await_creation(path: &Path) -> Result<(), Error> {
    let failed = |errno| Error::errno("watch", path)(errno);
    let mut changes = Changes::new().map_err(failed)?;
    let events = AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF;
    let mut watched = None;
    for folder in path.ancestors().skip(1) {
        if changes.watch(folder, events).map_err(failed)? {
            watched = Some(folder);
            break;
        }
    }
    // What came between the last look and the watch is seen now.
    let next = path.ancestors().take_while(|p| Some(*p) != watched).last();
    let patience = match next.is_some_and(Path::exists) {
        true => NOT_YET,
        false => MAYBE_DEAD,
    };
    match changes.descriptor() {
        Some(descriptor) => wait_readable(descriptor, Some(patience)).map(drop),
        None => {
            std::thread::sleep(NOT_YET);
            Ok(())
        }
    }
}

/// Waits until a descriptor is readable or closed; false if the time is up.
///
/// # Errors
/// If the kernel can't tell.
pub fn wait_readable(descriptor: impl AsFd, patience: Option<Duration>) -> Result<bool, Error> {
    // Longer than the clock counts is for ever.
    let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
    loop {
        let mut descriptors = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
        match poll(&mut descriptors, timeout(deadline)) {
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                return Ok(false);
            }
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(MonitorError::Wait(errno.into()).into()),
        }
    }
}

/// Waits for what a monitor answers; false if the time is up.
///
/// # Errors
/// [`MonitorError::Stopped`] if it is found so after a moment, which nobody waits for the end of.
pub fn await_answer(connection: &SeqPacket, patience: Option<Duration>) -> Result<bool, Error> {
    let moment = patience.map_or(MAYBE_STOPPED, |patience| patience.min(MAYBE_STOPPED));
    if wait_readable(connection, Some(moment))? {
        return Ok(true);
    }
    match stopped_peer(connection) {
        Some(pid) => Err(MonitorError::Stopped(pid).into()),
        None => wait_readable(
            connection,
            patience.map(|patience| patience.saturating_sub(moment)),
        ),
    }
}

/// The time left until a deadline, for poll(2).
fn timeout(deadline: Option<Instant>) -> PollTimeout {
    match deadline {
        None => PollTimeout::NONE,
        // Rounded up, so that the last round doesn't spin.
        Some(deadline) => deadline
            .saturating_duration_since(Instant::now())
            .saturating_add(Duration::from_micros(999))
            .try_into()
            .unwrap_or(PollTimeout::MAX),
    }
}

/// Sends a request and receives the answer; `None` if the pod has ended meanwhile.
///
/// # Errors
/// If the monitor refuses, or does not answer.
pub fn ask(connection: &SeqPacket, request: &Request) -> Result<Option<Response>, Error> {
    ask_waiting(connection, request, await_answer)
}

/// As [`ask`], with another way to wait for the answer; one that gives false has waited long enough.
pub(super) fn ask_waiting<'a>(
    connection: &'a SeqPacket,
    request: &Request,
    wait: impl FnOnce(&'a SeqPacket, Option<Duration>) -> Result<bool, Error>,
) -> Result<Option<Response>, Error> {
    match connection.send(request, &[]) {
        Err(PodError::Ended) => return Ok(None),
        other => other?,
    }
    if !wait(connection, Some(PATIENCE))? {
        return Err(MonitorError::Mute(PATIENCE).into());
    }
    match connection.recv::<Response>()? {
        Some((Response::Refused { kind, message }, _)) => Err(Error::Refusing { kind, message }),
        Some((response, _)) => Ok(Some(response)),
        None => Ok(None),
    }
}

/// How a running pod is; `None` if it is starting or has ended.
///
/// # Errors
/// As [`ask`].
pub fn live_status(
    entry: &PodEntry,
    directories: &Directories,
) -> Result<Option<LiveStatus>, Error> {
    let Some(connection) = connect(entry, directories)? else {
        return Ok(None);
    };
    match ask(&connection, &Request::Status)? {
        Some(Response::Status(status)) => Ok(Some(status)),
        None => Ok(None),
        Some(other) => Err(unexpected(&other)),
    }
}

/// How those of these pods are that run and say so within a moment. All are asked before the first is listened to.
pub fn glance(entries: &[PodEntry], directories: &Directories) -> BTreeMap<PodUuid, LiveStatus> {
    let deadline = Instant::now() + GLANCE;
    // The kernel takes no patience at all for unlimited.
    let left = || {
        deadline
            .saturating_duration_since(Instant::now())
            .max(NOT_YET)
    };
    let running = entries
        .iter()
        .filter(|entry| matches!(entry.state(), Ok(State::Running)));
    let asked: Vec<(PodUuid, SeqPacket)> = running
        .filter_map(|entry| {
            let connection = SeqPacket::connect(&socket_path(entry, directories), left()).ok()?;
            connection.send(&Request::Status, &[]).ok()?;
            Some((entry.uuid, connection))
        })
        .collect();
    let answer = |(uuid, connection): (PodUuid, SeqPacket)| {
        if !wait_readable(&connection, Some(left())).ok()? {
            return None;
        }
        match connection.recv::<Response>() {
            Ok(Some((Response::Status(status), _))) => Some((uuid, status)),
            _ => None,
        }
    };
    asked.into_iter().filter_map(answer).collect()
}

/// An answer that does not fit the question.
pub fn unexpected(response: &Response) -> Error {
    PodError::Protocol(format!("{response:?}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::seqpacket::Listener;
    use pod::{Phase, PodsDir};

    fn directories(base: &Path) -> Directories {
        Directories {
            data: base.join("data"),
            run: base.join("run"),
            local_config: base.join("etc"),
            system_config: base.join("usr"),
            isolators: None,
        }
    }

    #[test]
    fn a_pod_that_is_starting_is_waited_for() {
        let base = tempfile::tempdir().unwrap();
        let directories = directories(base.path());
        let pods = PodsDir::new(&directories.data);
        let mut pod = pods.create(pod::PodUuid::random()).unwrap();
        pod.move_to(Phase::Run).unwrap();
        let entry = pods.by_uuid(pod.uuid()).unwrap().unwrap();
        let folder = directories.pod_run(entry.uuid);
        let monitor = std::thread::spawn(move || {
            std::fs::create_dir_all(&folder).unwrap();
            let listener = Listener::bind(&folder.join(SOCKET_FILE)).unwrap();
            listener.accept().unwrap()
        });
        assert!(connect_when_up(&entry, &directories).unwrap().is_some());
        drop(monitor.join().unwrap());
    }

    #[test]
    fn a_pod_that_has_ended_has_nobody_to_talk_to() {
        let base = tempfile::tempdir().unwrap();
        let directories = directories(base.path());
        let pods = PodsDir::new(&directories.data);
        let uuid = pods.create(pod::PodUuid::random()).unwrap().uuid();
        let entry = pods.by_uuid(uuid).unwrap().unwrap();
        assert!(connect_when_up(&entry, &directories).unwrap().is_none());
    }
}
