//! What is served: the caller's side of the server.

use std::error::Error;
use std::os::fd::OwnedFd;

use crate::process::{Process, Wanted};

/// Why something can't be served. Its message, with those of its sources, is sent to the client.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Starts commands, attaches to apps, reaches ports.
///
/// Each call is made on a thread of the server's and may take its time: only its own client waits.
/// These threads have SIGPIPE blocked, which a process that is forked there inherits.
pub trait Streams: Send + Sync + 'static {
    /// A request for exec, as the caller needs it.
    type Exec: Send + 'static;
    /// A request for attach.
    type Attach: Send + 'static;
    /// A request for ports of a pod.
    type PortForward: Send + Sync + 'static;

    /// Starts a command.
    ///
    /// That its client leaves doesn't end it: it then has no more input, and what it writes is read
    /// and thrown away.
    ///
    /// # Errors
    /// What the client is told.
    fn exec(&self, request: Self::Exec, wanted: Wanted) -> Result<Process, Failure>;

    /// Joins the streams of an app. When the client leaves, all that was handed over is closed.
    ///
    /// # Errors
    /// What the client is told.
    fn attach(&self, request: Self::Attach, wanted: Wanted) -> Result<Process, Failure>;

    /// Connects to a port within a pod: a connected stream socket.
    ///
    /// # Errors
    /// What the client is told.
    fn connect(&self, request: &Self::PortForward, port: u16) -> Result<OwnedFd, Failure>;

    /// Whose command this is, by whatever tells one container from another: of the commands that
    /// clients have left, whoever has most loses one first.
    fn owner(&self, _request: &Self::Exec) -> String {
        String::new()
    }

    /// Takes a warning that is for no client but for whoever runs the server.
    fn warn(&self, _text: &str) {}
}

/// A failure with its sources in one line.
pub(crate) fn chain(failure: &Failure) -> String {
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
