//! Scopes: units of systemd around processes that it did not start (systemd.scope(5)).

use std::path::Path;
use std::time::Duration;

use super::connection::{BusError, Connection};
use super::message::{self, Received, Value, Writer};

/// Where systemd listens for root, whether there is a bus or not.
const SOCKET: &str = "/run/systemd/private";
const MANAGER: [&str; 3] = [
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
];
const SERIAL: u32 = 1;

/// A scope that is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeRequest<'a> {
    /// Its name, which ends in `.scope`.
    pub name: &'a str,
    /// What it is to people.
    pub description: &'a str,
    /// The slice that it lies in, which systemd makes if it is missing.
    pub slice: &'a str,
    /// The process that it begins with.
    pub pid: u32,
}

/// Why there is no scope.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    /// systemd could not be asked.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// It has refused.
    #[error("systemd does not make the scope {name}: {reason}")]
    Refused {
        /// The scope.
        name: String,
        /// What it says.
        reason: String,
    },
}

/// Has systemd make a scope whose cgroups are delegated, and waits until the process is in it.
///
/// # Errors
/// Why there is none.
pub fn make_scope(request: ScopeRequest<'_>, patience: Duration) -> Result<(), ScopeError> {
    make_scope_at(Path::new(SOCKET), request, patience)
}

pub(super) fn make_scope_at(
    socket: &Path,
    request: ScopeRequest<'_>,
    patience: Duration,
) -> Result<(), ScopeError> {
    let mut connection = Connection::open(socket, patience)?;
    connection.send(&call(request))?;
    let refused = |reason: String| ScopeError::Refused {
        name: request.name.to_owned(),
        reason,
    };
    let mut job = None;
    loop {
        match connection.receive()? {
            Received::Failed {
                to: SERIAL,
                name,
                text,
            } => {
                return Err(refused(match text.is_empty() {
                    true => name,
                    false => text,
                }));
            }
            Received::Returned { to: SERIAL, values } => match values.into_iter().next() {
                Some(Value::Text(path)) => job = Some(path),
                _ => return Err(BusError::Senseless.into()),
            },
            // Its number, its path, the unit, how it went. It may have ended before the method has returned.
            Received::Signal { member, values } if member == "JobRemoved" => {
                let [_, Value::Text(path), Value::Text(unit), Value::Text(result)] =
                    values.as_slice()
                else {
                    continue;
                };
                if unit != request.name || job.as_ref().is_some_and(|job| job != path) {
                    continue;
                }
                return match result.as_str() {
                    "done" => Ok(()),
                    other => Err(refused(format!("its job is {other}"))),
                };
            }
            _ => {}
        }
    }
}

/// `StartTransientUnit` (org.freedesktop.systemd1(5)).
fn call(request: ScopeRequest<'_>) -> Vec<u8> {
    let mut body = Writer::default();
    body.string(request.name);
    // Nobody else has made one of this name.
    body.string("fail");
    body.array(8, |properties| {
        let begin = |properties: &mut Writer, name: &str, kind: &str| {
            properties.structure();
            properties.string(name);
            properties.signature(kind);
        };
        begin(properties, "Description", "s");
        properties.string(request.description);
        begin(properties, "Slice", "s");
        properties.string(request.slice);
        begin(properties, "Delegate", "b");
        properties.bool(true);
        begin(properties, "PIDs", "au");
        properties.array(4, |pids| pids.u32(request.pid));
        // Its end is the pod's, of which pods have records of their own.
        begin(properties, "CollectMode", "s");
        properties.string("inactive-or-failed");
    });
    // Units that come with it: none.
    body.array(8, |_| {});
    let [destination, path, interface] = MANAGER;
    message::call(
        SERIAL,
        [destination, path, interface, "StartTransientUnit"],
        "ssa(sv)a(sa(sv))",
        &body.into_bytes(),
    )
}
