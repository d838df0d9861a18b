//! Waiting for the end of a pod: for its connection to close, and then for its lock to be free.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use pod::PodEntry;
use pod::control::Response;
use pod::lock::{LOCK_FILE, PodLock};
use pod::seqpacket::SeqPacket;

use crate::connection::wait_readable;
use crate::failure::Failure;

/// Waits until a pod has ended; false if `patience` ran out before.
///
/// # Errors
/// If the kernel can't tell.
pub(crate) fn wait(
    entry: &PodEntry,
    connection: SeqPacket,
    patience: Option<Duration>,
) -> Result<bool, Failure> {
    let deadline = patience.map(|patience| Instant::now() + patience);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if !wait_readable(&connection, left)? {
            return Ok(false);
        }
        // A late answer tells nothing; the end of the stream tells all.
        match connection.recv::<Response>() {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    wait_for_lock(entry)?;
    Ok(true)
}

/// Waits until nobody holds the pod's lock.
///
/// # Errors
/// If the kernel can't tell.
pub(crate) fn wait_for_lock(entry: &PodEntry) -> Result<(), Failure> {
    // Mostly it is free by now, and then it is not even touched.
    if !PodLock::is_held(&entry.path)? {
        return Ok(());
    }
    let path = entry.path.join(LOCK_FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        // The pod has been removed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::io("open", &path)(error)),
    };
    let shared = libc::flock {
        l_type: libc::F_RDLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    loop {
        match fcntl(&file, FcntlArg::F_OFD_SETLKW(&shared)) {
            // Closing the file gives the lock back.
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::errno("wait for", &path)(errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
