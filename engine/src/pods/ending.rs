//! Waiting for the end of a pod: for its connection to close, and then for its lock to be free.

use std::time::{Duration, Instant};

use pod::PodEntry;
use pod::control::Response;
use pod::seqpacket::SeqPacket;

use super::connection::wait_readable;
use crate::error::Error;

/// Waits until a pod has ended; false if `patience` ran out before.
///
/// # Errors
/// If the kernel can't tell.
pub fn wait(
    entry: &PodEntry,
    connection: SeqPacket,
    patience: Option<Duration>,
) -> Result<bool, Error> {
    wait_by(entry, connection, patience, |connection, patience| {
        wait_readable(connection, patience)
    })
}

/// As [`wait`], with another way to wait for what the monitor says; one that gives false has waited long enough.
pub(super) fn wait_by(
    entry: &PodEntry,
    connection: SeqPacket,
    patience: Option<Duration>,
    wait_for_word: impl Fn(&SeqPacket, Option<Duration>) -> Result<bool, Error>,
) -> Result<bool, Error> {
    // Opened while the pod is sure to be there: one that removes itself is moved before it ends.
    let watch = entry.watch()?;
    // Longer than the clock counts is for ever.
    let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if !wait_for_word(&connection, left)? {
            return Ok(false);
        }
        // A late answer tells nothing; the end of the stream tells all.
        match connection.recv::<Response>() {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    if let Some(watch) = watch {
        watch.wait()?;
    }
    Ok(true)
}

/// Waits until nobody holds the pod's lock.
///
/// # Errors
/// If the kernel can't tell.
pub fn wait_for_lock(entry: &PodEntry) -> Result<(), Error> {
    match entry.watch()? {
        Some(watch) => Ok(watch.wait()?),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::lock::PodLock;
    use pod::{Phase, PodUuid, PodsDir};

    #[test]
    fn the_end_is_the_connections_end_and_the_locks() {
        let dir = tempfile::tempdir().unwrap();
        let pods = PodsDir::new(dir.path());
        let mut pod = pods.create(PodUuid::random()).unwrap();
        pod.move_to(Phase::Run).unwrap();
        let entry = pods.by_uuid(pod.uuid()).unwrap().unwrap();
        let (client, monitor) = SeqPacket::pair().unwrap();
        let brief = Some(Duration::from_millis(1));
        let (other, _kept) = SeqPacket::pair().unwrap();
        assert!(!wait(&entry, other, brief).unwrap());
        let ends = std::thread::spawn(move || {
            drop(monitor);
            drop(pod);
        });
        assert!(wait(&entry, client, None).unwrap());
        assert!(!PodLock::is_held(&entry.path).unwrap());
        ends.join().unwrap();
    }
}
