//! What apps say of themselves: a socket for each that may, at which the monitor listens (sd_notify(3)).
//!
//! An app may say little (see [`AppMessage`]), and only so much in a second: beyond that its socket is not read, and it
//! waits. Descriptors that it sends along are closed unseen by the kernel, as nobody asks for them: so a barrier ends when
//! what was sent before it has been read.

use std::fs::{DirBuilder, Permissions, set_permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use pod::AppName;
use pod::manifest::{MountOption, PodManifest};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, bind, recv, socket_with,
};
use systemd::AppMessage;
use systemd::from_app::{Alive, Change, MESSAGE_MAX};

use super::budget::Budget;
use crate::failure::{StartFailure, one_line};
use crate::mounts::of_opened;

/// The directory of these sockets, in the pod's runtime directory.
const DIRECTORY: &str = "notify";
/// What a message costs beside its reading, in bytes of the budget that an app has for its output: some hundred in a second
/// are more than any app has to say.
const COST: usize = 56 << 10;
/// Most messages of an app that are read at once.
const AT_ONCE: usize = 16;

/// A mount of the socket of an app, attached to nothing. Nothing but the socket is seen by it.
///
/// # Errors
/// If the kernel makes none.
pub(crate) fn socket_of(run_dir: &Path, app: &AppName) -> Result<OwnedFd, StartFailure> {
    let path = run_dir.join(DIRECTORY).join(app.as_str());
    let options = [
        MountOption::Ro,
        MountOption::Nosuid,
        MountOption::Nodev,
        MountOption::Noexec,
    ];
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(CWD, &path, flags, Mode::empty());
    let made = opened.and_then(|socket| of_opened(&socket, &options));
    made.map_err(StartFailure::os(format_args!(
        "let app {app} say something of itself"
    )))
}

/// How long an app may take to say that it reads its configuration again. Not each that is ready says so.
const RELOAD_ANSWER: Duration = Duration::from_secs(2);

/// Where apps say something of themselves.
#[derive(Debug, Default)]
pub(super) struct AppNotify(Vec<Speaker>);

/// An app that may.
#[derive(Debug)]
struct Speaker {
    app: AppName,
    socket: OwnedFd,
    budget: Budget,
    /// What it says that it does.
    status: Option<String>,
    change: Option<Change>,
    /// Until when it is waited for, to say that it reads its configuration again, or has done so.
    answers_until: Option<Instant>,
    /// When it has said last that it is alive, if it ever has.
    alive_at: Option<Instant>,
    is_dead: bool,
    errno: Option<i32>,
}

impl AppNotify {
    /// Listens for all apps of a pod that are to speak.
    ///
    /// # Errors
    /// If a socket can't be made.
    pub(super) fn listen(manifest: &PodManifest, run_dir: &Path) -> Result<Self, StartFailure> {
        let apps = manifest.apps.iter().filter(|app| app.notifies());
        let mut apps = apps.peekable();
        if apps.peek().is_none() {
            return Ok(Self::default());
        }
        let directory = run_dir.join(DIRECTORY);
        let failed = |error: io::Error| {
            StartFailure::os(format_args!("listen in {}", directory.display()))(error)
        };
        let made = DirBuilder::new().mode(0o700).create(&directory);
        made.map_err(failed)?;
        let now = Instant::now();
        let speakers = apps.map(|app| {
            Ok(Speaker {
                socket: socket_in(&directory, &app.name)?,
                app: app.name.clone(),
                budget: Budget::new(&manifest.bounds, now),
                status: None,
                change: None,
                answers_until: None,
                alive_at: None,
                is_dead: false,
                errno: None,
            })
        });
        let speakers: io::Result<_> = speakers.collect();
        Ok(Self(speakers.map_err(failed)?))
    }

    /// What to wait for, before [`AppNotify::read`]; nothing of an app that has said too much.
    pub(super) fn interests(&self) -> Vec<BorrowedFd<'_>> {
        let heard = self.0.iter().filter(|speaker| !speaker.budget.rests());
        heard.map(|speaker| speaker.socket.as_fd()).collect()
    }

    /// When to go on listening to an app that has said too much, or to wait no longer for one.
    pub(super) fn due(&self) -> Option<Instant> {
        let rests = self.0.iter().filter_map(|one| one.budget.rests_until());
        let answers = self.0.iter().filter_map(|one| one.answers_until);
        rests.chain(answers).min()
    }

    /// The apps have been told to read their configuration again. Those that have said that they are ready may say so of that.
    pub(super) fn reload(&mut self, now: Instant) {
        for speaker in &mut self.0 {
            if speaker.change == Some(Change::Ready) {
                speaker.answers_until = now.checked_add(RELOAD_ANSWER);
            }
        }
    }

    /// Reads what apps say: `ready` answers [`AppNotify::interests`] one by one. The result is who has said that it is
    /// ready.
    pub(super) fn read(&mut self, ready: &[bool], now: Instant) -> Vec<AppName> {
        let mut ready = ready.iter();
        let mut are_ready = Vec::new();
        for speaker in &mut self.0 {
            speaker.answers_until = speaker.answers_until.filter(|until| now < *until);
            if speaker.budget.rests() {
                speaker.budget.wake(now);
                continue;
            }
            if ready.next() != Some(&true) {
                continue;
            }
            if speaker.read(now) {
                are_ready.push(speaker.app.clone());
            }
        }
        are_ready
    }

    /// An app starts anew, and has said nothing yet.
    pub(super) fn forget(&mut self, app: &AppName) {
        if let Some(speaker) = self.0.iter_mut().find(|speaker| speaker.app == *app) {
            // What its last run has said, and nobody has read.
            speaker.read(Instant::now());
            speaker.status = None;
            speaker.change = None;
            speaker.answers_until = None;
            speaker.alive_at = None;
            speaker.is_dead = false;
        }
    }

    /// What apps say that they do, for people.
    pub(super) fn statuses(&self) -> String {
        let has_others = self.0.len() > 1;
        let said = self.0.iter().filter_map(|speaker| {
            let status = speaker.status.as_ref()?;
            Some(match has_others {
                true => format!("{}: {status}", speaker.app),
                false => status.clone(),
            })
        });
        said.collect::<Vec<_>>().join("; ")
    }

    /// Whether one of them reads its configuration again, or is about to.
    pub(super) fn are_reloading(&self) -> bool {
        let mut all = self.0.iter();
        all.any(|speaker| {
            speaker.change == Some(Change::Reloading) || speaker.answers_until.is_some()
        })
    }

    /// Whether all of them say that they begin to end.
    pub(super) fn are_stopping(&self) -> bool {
        let stops = |speaker: &Speaker| speaker.change == Some(Change::Stopping);
        !self.0.is_empty() && self.0.iter().all(stops)
    }

    /// Whether one of them says that it is dead.
    pub(super) fn are_dead(&self) -> bool {
        self.0.iter().any(|speaker| speaker.is_dead)
    }

    /// Whether one that has said within some time that it is alive has stopped to do so.
    pub(super) fn are_silent(&self, time: Duration, now: Instant) -> bool {
        let is_late = |at: Instant| now.saturating_duration_since(at) > time;
        let mut all = self.0.iter();
        all.any(|speaker| speaker.alive_at.is_some_and(is_late))
    }

    /// Why an app ends, as it says itself, as a number of errno(3).
    pub(super) fn errno(&self) -> Option<i32> {
        self.0.iter().find_map(|speaker| speaker.errno)
    }
}

impl Speaker {
    /// Reads what is there, but not too much of it. Whether the app has said that it is ready.
    fn read(&mut self, now: Instant) -> bool {
        // One more than a message may have shows one that is too long.
        let mut datagram = [0; MESSAGE_MAX + 1];
        let mut is_ready = false;
        for _ in 0..AT_ONCE {
            match recv(&self.socket, &mut datagram, RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    self.budget
                        .pay_for_logging(COST.saturating_add(length), now);
                    let datagram = datagram.get(..length).unwrap_or_default();
                    let message = AppMessage::parse(datagram);
                    is_ready |= message.change == Some(Change::Ready);
                    self.take(message, now);
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
            if self.budget.rests() {
                break;
            }
        }
        is_ready
    }

    fn take(&mut self, message: AppMessage, now: Instant) {
        if let Some(status) = message.status {
            let length = status.floor_char_boundary(systemd::message::STATUS_MAX);
            let status = one_line(status.get(..length).unwrap_or_default());
            self.status = Some(status).filter(|status| !status.is_empty());
        }
        if message.change.is_some() {
            self.answers_until = None;
        }
        self.change = message.change.or(self.change);
        self.errno = message.errno.or(self.errno);
        match message.alive {
            Some(Alive::Yes) => {
                self.alive_at = Some(now);
                self.is_dead = false;
            }
            Some(Alive::No) => self.is_dead = true,
            None => {}
        }
    }
}

/// A socket that everybody may send to who gets to it.
fn socket_in(directory: &Path, app: &AppName) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(CWD, directory, flags, Mode::empty())?;
    // A path that is short enough for an address, however long that of the directory is.
    let path = format!("/proc/self/fd/{}/{app}", opened.as_raw_fd());
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    set_permissions(directory.join(app.as_str()), Permissions::from_mode(0o666))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::manifest::Bounds;
    use std::os::unix::net::UnixDatagram;

    /// A pod of two apps, both of which speak.
    fn listening() -> (tempfile::TempDir, AppNotify, [UnixDatagram; 2]) {
        let dir = tempfile::tempdir().unwrap();
        let now = Instant::now();
        let speakers = ["a", "b"].map(|name| {
            let app: AppName = name.parse().unwrap();
            Speaker {
                socket: socket_in(dir.path(), &app).unwrap(),
                app,
                budget: Budget::new(&Bounds::default(), now),
                status: None,
                change: None,
                answers_until: None,
                alive_at: None,
                is_dead: false,
                errno: None,
            }
        });
        let senders = ["a", "b"].map(|name| {
            let sender = UnixDatagram::unbound().unwrap();
            sender.connect(dir.path().join(name)).unwrap();
            sender.set_nonblocking(true).unwrap();
            sender
        });
        (dir, AppNotify(speakers.into()), senders)
    }

    #[test]
    fn who_says_what_is_kept_apart() {
        let (_dir, mut all, [a, b]) = listening();
        let now = Instant::now();
        a.send(b"STATUS=one\nRELOADING=1").unwrap();
        b.send(b"READY=1\nSTATUS=two").unwrap();
        let ready = all.read(&[true, true], now);
        assert_eq!(ready, ["b".parse().unwrap()]);
        assert_eq!(all.statuses(), "a: one; b: two");
        assert!(all.are_reloading() && !all.are_stopping());
        a.send(b"READY=1\nSTATUS=").unwrap();
        assert_eq!(all.read(&[true, false], now), ["a".parse().unwrap()]);
        assert_eq!(all.statuses(), "b: two");
        assert!(!all.are_reloading());
    }

    #[test]
    fn who_was_ready_is_waited_for_when_all_are_told_to_reload_but_not_for_ever() {
        let (_dir, mut all, [a, b]) = listening();
        let now = Instant::now();
        // One that has never said anything is not expected to.
        a.send(b"READY=1").unwrap();
        all.read(&[true, true], now);
        all.reload(now);
        assert!(all.are_reloading());
        a.send(b"RELOADING=1").unwrap();
        all.read(&[true, true], now);
        assert_eq!(all.due(), None);
        assert!(all.are_reloading());
        a.send(b"READY=1").unwrap();
        b.send(b"READY=1").unwrap();
        all.read(&[true, true], now);
        assert!(!all.are_reloading());
        all.reload(now);
        let late = all.due().unwrap();
        assert!(late > now && all.are_reloading());
        all.read(&[false, false], late);
        assert!(!all.are_reloading() && all.due().is_none());
    }

    #[test]
    fn a_flood_is_read_in_doses_and_the_other_app_is_heard() {
        let (_dir, mut all, [a, b]) = listening();
        let begin = Instant::now();
        let mut read = 0;
        for step in 0..1000 {
            while a.send(b"STATUS=flood").is_ok() {}
            let now = begin + Duration::from_millis(step);
            read += usize::from(!all.0.first().unwrap().budget.rests());
            let interests = all.interests().len();
            all.read(&vec![true; interests], now);
        }
        // Within a second, in doses of what the kernel keeps of one sender.
        assert!(read < 200, "{read}");
        b.send(b"READY=1").unwrap();
        let interests = vec![true; all.interests().len()];
        let ready = all.read(&interests, begin + Duration::from_secs(1));
        assert_eq!(ready, ["b".parse().unwrap()]);
    }

    #[test]
    fn a_message_that_is_too_long_says_nothing() {
        let (_dir, mut all, [a, _]) = listening();
        let long = [b"READY=1\n".as_slice(), &vec![b'x'; 8000]].concat();
        a.send(&long).unwrap();
        assert!(all.read(&[true, true], Instant::now()).is_empty());
    }

    #[test]
    fn who_has_said_that_it_lives_has_to_go_on() {
        let (_dir, mut all, [a, _]) = listening();
        let now = Instant::now();
        let time = Duration::from_secs(3);
        assert!(!all.are_silent(time, now + time * 2));
        a.send(b"WATCHDOG=1").unwrap();
        all.read(&[true, true], now);
        assert!(!all.are_silent(time, now + time));
        assert!(all.are_silent(time, now + time * 2));
        a.send(b"WATCHDOG=trigger").unwrap();
        all.read(&[true, true], now);
        assert!(all.are_dead());
        all.forget(&"a".parse().unwrap());
        assert!(!all.are_dead() && !all.are_silent(time, now + time * 2));
    }
}
