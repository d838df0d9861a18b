//! The standard streams of a process.

use pod::control::WindowSize;
use serde::{Deserialize, Serialize};

use crate::link::stream::{StreamId, StreamKind};

/// The standard streams of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessStreams {
    /// A stream each.
    Pipes {
        /// Standard input; empty if there is none.
        stdin: Option<StreamId>,
        /// Standard output.
        stdout: StreamId,
        /// Standard error.
        stderr: StreamId,
    },
    /// An input that is empty, and outputs that nobody wants.
    Nothing,
    /// One pseudo-terminal for all three. Pod init makes it, and begins its stream when the process runs.
    Terminal {
        /// Its stream.
        terminal: StreamId,
        /// Its size at first.
        size: Option<WindowSize>,
    },
}

impl ProcessStreams {
    /// All of them, in order.
    pub fn all(&self) -> Vec<(StreamId, StreamKind)> {
        match *self {
            Self::Pipes {
                stdin,
                stdout,
                stderr,
            } => {
                let input = stdin.map(|stdin| (stdin, StreamKind::ToPod));
                let outputs = [stdout, stderr].map(|output| (output, StreamKind::FromPod));
                input.into_iter().chain(outputs).collect()
            }
            Self::Nothing => Vec::new(),
            Self::Terminal { terminal, .. } => vec![(terminal, StreamKind::Terminal)],
        }
    }

    /// The terminal, if that is what they are.
    pub fn terminal(&self) -> Option<StreamId> {
        match *self {
            Self::Terminal { terminal, .. } => Some(terminal),
            Self::Pipes { .. } | Self::Nothing => None,
        }
    }
}
