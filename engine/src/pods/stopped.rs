//! Whether a process is stopped, as by Ctrl-Z or SIGSTOP.

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
pub(super) use pod::processes::is_stopped;
use pod::seqpacket::SeqPacket;

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
