//! Sockets that a service manager hands over: the protocol of sd_listen_fds(3), as it arrives and as it
//! is passed on.

use std::ffi::OsString;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use crate::id::AppName;
use crate::sys;

#[cfg(test)]
mod tests;

/// Environment variable: the process that the sockets are for.
pub const LISTEN_PID: &str = "LISTEN_PID";
/// Environment variable: how many there are.
pub const LISTEN_FDS: &str = "LISTEN_FDS";
/// Environment variable: their names, with colons between them.
pub const LISTEN_FDNAMES: &str = "LISTEN_FDNAMES";
/// Environment variable: the inode of that process in pidfs, which unlike a process ID is never used again
/// (service managers from systemd 258 on).
pub const LISTEN_PIDFDID: &str = "LISTEN_PIDFDID";
/// All variables of the protocol. None of them reaches an app but those that were made for it.
pub const VARIABLES: [&str; 4] = [LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PIDFDID];

/// The number of the first socket (`SD_LISTEN_FDS_START`).
pub const FIRST_FD: RawFd = 3;
/// Most sockets that a pod is handed.
pub const SOCKETS_MAX: usize = 256;
/// Longest name of a socket, in bytes (`FDNAME_MAX` of systemd).
pub const SOCKET_NAME_MAX: usize = 255;
/// What sockets without a name are called.
const UNNAMED: &str = "unknown";

/// Why sockets can't be taken over.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// A variable doesn't say what it should.
    #[error("{variable}={value:?} makes no sense: {reason}")]
    Variable {
        /// Which.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A descriptor is not what was announced.
    #[error("descriptor {number}, which {LISTEN_FDS} announces as {name:?}, {reason}")]
    Descriptor {
        /// Its number.
        number: RawFd,
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn nonsense(variable: &'static str, value: &str, reason: impl Into<String>) -> ActivationError {
    ActivationError::Variable {
        variable,
        value: value.to_owned(),
        reason: reason.into(),
    }
}

/// The name of a socket, `FileDescriptorName=` in systemd.socket(5): ASCII without control characters and
/// colons, and not longer than [`SOCKET_NAME_MAX`]. It need not differ from others, and may be empty.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SocketName(String);

impl SocketName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SocketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SocketName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() > SOCKET_NAME_MAX {
            Err("a name is longer than 255 characters")
        } else if !text
            .bytes()
            .all(|byte| (b' '..0x7f).contains(&byte) && byte != b':')
        {
            Err("a name holds a control character, a colon, or anything but ASCII")
        } else {
            Ok(Self(text))
        }
    }
}

impl From<SocketName> for String {
    fn from(name: SocketName) -> Self {
        name.0
    }
}

/// What the environment announces to this process: the names of its sockets, in order.
#[derive(Debug, PartialEq, Eq)]
struct Announcement(Vec<SocketName>);

impl Announcement {
    /// Reads it; empty if there is none, or if it is for another process. `own_inode` is asked for this process's
    /// own only where the environment names one.
    fn parse(
        variable: impl Fn(&'static str) -> Option<OsString>,
        own_pid: u32,
        own_inode: impl FnOnce() -> Option<u64>,
    ) -> Result<Self, ActivationError> {
        let text = |name| variable(name).map(|value| value.to_string_lossy().into_owned());
        let nobody = || Ok(Self(Vec::new()));
        let Some(pid) = text(LISTEN_PID) else {
            return nobody();
        };
        if number(LISTEN_PID, &pid)? != u64::from(own_pid) {
            return nobody();
        }
        if let Some(inode) = text(LISTEN_PIDFDID) {
            let inode = number(LISTEN_PIDFDID, &inode)?;
            if own_inode().is_some_and(|own| own != inode) {
                return nobody();
            }
        }
        let Some(count_text) = text(LISTEN_FDS) else {
            return nobody();
        };
        let count = usize::try_from(number(LISTEN_FDS, &count_text)?).unwrap_or(usize::MAX);
        if count > SOCKETS_MAX {
            let reason = format!("a pod takes at most {SOCKETS_MAX} sockets");
            return Err(nonsense(LISTEN_FDS, &count_text, reason));
        }
        let Some(names) = text(LISTEN_FDNAMES).filter(|_| count > 0) else {
            return Ok(Self(vec![SocketName(UNNAMED.to_owned()); count]));
        };
        let parsed: Vec<SocketName> = names
            .split(':')
            .map(|name| SocketName::try_from(name.to_owned()))
            .collect::<Result<_, _>>()
            .map_err(|reason| nonsense(LISTEN_FDNAMES, &shortened(&names), reason))?;
        if parsed.len() != count {
            let reason = format!("{} names, and {LISTEN_FDS} says {count}", parsed.len());
            return Err(nonsense(LISTEN_FDNAMES, &shortened(&names), reason));
        }
        Ok(Self(parsed))
    }
}

fn number(variable: &'static str, text: &str) -> Result<u64, ActivationError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(number),
        _ => Err(nonsense(variable, &shortened(text), "it is not a number")),
    }
}

/// As much of a value as fits a message.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// A socket, or whatever else may be handed over: a FIFO, a message queue, a file.
#[derive(Debug)]
pub struct ActivationSocket {
    /// Its name; more than one may have the same.
    pub name: SocketName,
    /// Its descriptor, close-on-exec.
    pub fd: OwnedFd,
}

/// The sockets that this process was handed, in order, under the numbers from [`FIRST_FD`] on.
#[derive(Debug, Default)]
pub struct ActivationSockets(Vec<ActivationSocket>);

impl ActivationSockets {
    /// Takes over what the environment announces to this process: nothing, if it is for another one. To be called
    /// once, before anything else opens descriptors.
    ///
    /// # Errors
    /// If the announcement makes no sense, or a descriptor is not open or not fit for an app.
    pub fn from_environment() -> Result<Self, ActivationError> {
        let own_inode = || inode_of_own_process().ok();
        let Announcement(names) =
            Announcement::parse(std::env::var_os, std::process::id(), own_inode)?;
        (FIRST_FD..)
            .zip(names)
            .map(|(number, name)| adopt(number, name))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sockets, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, ActivationSocket> {
        self.0.iter()
    }

    /// What the environment of the program that this process becomes has to say of the sockets: nothing, if there are
    /// none. They stay close-on-exec: whoever executes the program lets it inherit them.
    pub fn announcement(&self) -> Vec<(&'static str, String)> {
        if self.is_empty() {
            return Vec::new();
        }
        vec![
            (LISTEN_PID, std::process::id().to_string()),
            (LISTEN_FDS, self.0.len().to_string()),
            (LISTEN_FDNAMES, names(self.0.iter().map(|s| &s.name))),
        ]
    }

    /// Which sockets go to which app, in the order of `apps`: one that has the name of an app to that app, all others
    /// to the first.
    pub fn assign(self, apps: &[&AppName]) -> Vec<Vec<ActivationSocket>> {
        let mut assigned: Vec<Vec<ActivationSocket>> = apps.iter().map(|_| Vec::new()).collect();
        for socket in self.0 {
            if let Some(app) = assigned.get_mut(app_of(&socket.name, apps)) {
                app.push(socket);
            }
        }
        assigned
    }
}

/// The place among `apps` of the one that gets a socket of that name.
pub fn app_of(socket: &SocketName, apps: &[&AppName]) -> usize {
    apps.iter()
        .position(|app| app.as_str() == socket.as_str())
        .unwrap_or_default()
}

/// The value of [`LISTEN_FDNAMES`] for these names.
pub fn names<'a>(names: impl Iterator<Item = &'a SocketName>) -> String {
    let names: Vec<&str> = names.map(SocketName::as_str).collect();
    names.join(":")
}

/// The inode of this process in pidfs, which no other process ever has. Before Linux 6.9 all have the same.
fn inode_of_own_process() -> Result<u64, Errno> {
    Ok(fstat(pidfd_open(getpid(), PidfdFlags::empty())?)?.st_ino)
}

fn unfit(number: RawFd, name: &SocketName) -> impl Fn(Errno) -> ActivationError + '_ {
    move |errno| ActivationError::Descriptor {
        number,
        name: name.to_string(),
        reason: format!("can't be taken over: {errno}"),
    }
}

fn adopt(number: RawFd, name: SocketName) -> Result<ActivationSocket, ActivationError> {
    let fd = sys::adopt_fd(number).map_err(unfit(number, &name))?;
    match is_a_way_out(fd.as_fd()).map_err(unfit(number, &name))? {
        false => Ok(ActivationSocket { name, fd }),
        true => Err(ActivationError::Descriptor {
            number,
            name: name.to_string(),
            reason:
                "is a directory or a mere path, through which an app would reach the host's files"
                    .to_owned(),
        }),
    }
}

/// Whether more can be reached by a descriptor than what it is: a directory's entries and those above it, or
/// whatever it stands for.
fn is_a_way_out(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    let kind = FileType::from_raw_mode(fstat(fd)?.st_mode);
    Ok(kind == FileType::Directory || fcntl_getfl(fd)?.contains(OFlags::PATH))
}
