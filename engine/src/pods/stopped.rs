//! Whether a process is stopped, as by Ctrl-Z or SIGSTOP.

use std::fs;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use pod::seqpacket::SeqPacket;

/// Whether the process of this number is stopped (proc_pid_stat(5): its state follows its name in parentheses).
pub(super) fn is_stopped(pid: i32) -> bool {
    let state = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        rest.chars().next()
    };
    matches!(state(), Some('T' | 't'))
}

/// The process at the other end of a connection, if that is stopped.
pub(super) fn stopped_peer(connection: &SeqPacket) -> Option<i32> {
    let peer = getsockopt(connection, PeerCredentials).ok()?;
    Some(peer.pid()).filter(|pid| is_stopped(*pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_is_not_stopped() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(!is_stopped(own));
        let (one, _other) = SeqPacket::pair().unwrap();
        assert_eq!(stopped_peer(&one), None);
    }
}
