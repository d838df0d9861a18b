//! What pods use: asked of their monitors, and read from the networks of those that have their own.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
pub use pod::control::{InterfaceUse, NetworkUse};
use pod::control::{LiveStatus, PodStats, Request, Response};

use pod::seqpacket::SeqPacket;
use pod::{PodEntry, PodUuid, State};

use super::connection::{connect_within, wait_readable};
use crate::config::directories::Directories;
use crate::error::Error;

/// How long monitors may take to answer, all together.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// The least that is waited for: the kernel takes no patience at all for unlimited.
const LEAST: Duration = Duration::from_millis(5);

/// What a pod uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// When that was.
    pub at: Instant,
    /// What its monitor has counted.
    pub stats: PodStats,
    /// What went through its network; absent if that is the host's.
    pub network: Option<NetworkUse>,
    /// The same for each of its interfaces, where a process of the host's is in its network.
    pub interfaces: Vec<InterfaceUse>,
}

/// What those of these pods use that run and say so within a moment; of others, why their isolator refuses to. All are
/// asked before the first is listened to.
pub fn measure(
    entries: &[PodEntry],
    directories: &Directories,
) -> (BTreeMap<PodUuid, Measured>, BTreeMap<PodUuid, Error>) {
    let deadline = Instant::now() + PATIENCE;
    let left = || {
        deadline
            .saturating_duration_since(Instant::now())
            .max(LEAST)
    };
    let running = entries
        .iter()
        .filter(|entry| matches!(entry.state(), Ok(State::Running)));
    let asked: Vec<(&PodEntry, SeqPacket)> = running
        .filter_map(|entry| {
            let connection = connect_within(entry, directories, left()).ok()??;
            connection.send(&Request::Status, &[]).ok()?;
            connection.send(&Request::Stats { app: None }, &[]).ok()?;
            Some((entry, connection))
        })
        .collect();
    let answer = |connection: &SeqPacket| {
        if !wait_readable(connection, Some(left())).ok()? {
            return None;
        }
        connection.recv::<Response>().ok()?
    };
    let (mut all, mut refused) = (BTreeMap::new(), BTreeMap::new());
    for (entry, connection) in asked {
        let (status, stats) = match (answer(&connection), answer(&connection)) {
            (Some((Response::Status(status), _)), Some((Response::Stats(stats), _))) => {
                (status, stats)
            }
            (_, Some((Response::Refused { kind, message }, _))) => {
                refused.insert(entry.uuid, Error::Refusing { kind, message });
                continue;
            }
            _ => continue,
        };
        let at = Instant::now();
        let counted = match stats.network {
            Some(_) => None,
            None => counted(&connection, &status),
        };
        let of_pod = counted.as_deref();
        let measured = Measured {
            at,
            network: stats
                .network
                .or_else(|| of_pod.map(|text| NetworkUse::counted(text, |_| true))),
            interfaces: of_pod.map(InterfaceUse::all).unwrap_or_default(),
            stats: *stats,
        };
        all.insert(entry.uuid, measured);
    }
    (all, refused)
}

/// What the kernel has counted of the pod's interfaces, if they are its own and not those that its monitor has.
fn counted(connection: &SeqPacket, status: &LiveStatus) -> Option<String> {
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let monitor = getsockopt(connection, PeerCredentials).ok()?.pid();
    if namespace(status.init_pid)? == namespace(monitor)? {
        return None;
    }
    fs::read_to_string(format!("/proc/{}/net/dev", status.init_pid)).ok()
}
