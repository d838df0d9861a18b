//! The five streams between a client and a command.

use crate::process::Wanted;

/// One of them. Their numbers are those of channels of WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    Stdin = 0,
    Stdout = 1,
    Stderr = 2,
    /// How it ended.
    Error = 3,
    /// Sizes of the terminal.
    Resize = 4,
}

impl Channel {
    pub(super) const ALL: [Self; 5] = [
        Self::Stdin,
        Self::Stdout,
        Self::Stderr,
        Self::Error,
        Self::Resize,
    ];

    /// By its number.
    pub(super) fn numbered(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|channel| *channel as u8 == number)
    }

    /// By what SPDY's header `streamType` says.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "stdin" => Self::Stdin,
            "stdout" => Self::Stdout,
            "stderr" => Self::Stderr,
            "error" => Self::Error,
            "resize" => Self::Resize,
            _ => return None,
        })
    }

    /// Whether a client that asked for these streams may use it.
    pub(super) fn is_wanted(self, wanted: Wanted) -> bool {
        match self {
            Self::Stdin => wanted.stdin(),
            Self::Stdout => wanted.stdout(),
            Self::Stderr => wanted.stderr(),
            Self::Error => true,
            Self::Resize => wanted.terminal(),
        }
    }
}

/// What a client did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Incoming {
    /// It sent bytes.
    Data(Channel, Vec<u8>),
    /// It sends nothing more there.
    End(Channel),
    /// It leaves.
    Gone,
}
