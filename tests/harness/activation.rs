//! Commands that are started with sockets, as a service manager does.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use crate::command::FairingCommand;

/// Descriptors from here on are in nobody's way, neither in this process nor in the shell.
const HIGH: i32 = 600;

impl FairingCommand {
    /// Hands descriptors over by the protocol of sd_listen_fds(3), each with its name.
    ///
    /// To be called last: what comes before runs with them, too.
    pub fn with_sockets<F: Into<OwnedFd>>(
        self,
        sockets: impl IntoIterator<Item = (&'static str, F)>,
    ) -> Self {
        let (names, sockets): (Vec<_>, Vec<OwnedFd>) = sockets
            .into_iter()
            .map(|(name, socket)| (name, socket.into()))
            .unzip();
        let count = sockets.len().to_string();
        self.env("LISTEN_FDNAMES", names.join(":"))
            .with_announced(&count, "$$", sockets)
    }

    /// Puts descriptors in their places, and announces `count` to the process that a shell's `pid` stands for.
    pub fn with_announced(
        self,
        count: &str,
        pid: &str,
        sockets: impl IntoIterator<Item = impl Into<OwnedFd>>,
    ) -> Self {
        let inherited: Vec<OwnedFd> = sockets
            .into_iter()
            .map(|socket| {
                let socket: OwnedFd = socket.into();
                let high = fcntl_dupfd_cloexec(&socket, HIGH).expect("a high descriptor");
                fcntl_setfd(high.as_fd(), FdFlags::empty()).expect("an inherited descriptor");
                high
            })
            .collect();
        let places: String = (3..)
            .zip(&inherited)
            .map(|(place, socket)| format!("exec {place}<&{0} {0}<&-\n", socket.as_raw_fd()))
            .collect();
        // Whatever this process may have inherited itself.
        let end = 3 + inherited.len();
        let script = format!("{places}exec {end}<&-\nexport LISTEN_PID={pid}\nexec \"$@\"");
        // Unlike other shells it knows descriptors of more than one digit.
        self.env("LISTEN_FDS", count)
            .through("bash", ["-c", &script, "bash"])
            .hold(inherited)
    }
}
