//! What clients of the monitor want of commands and terminals that are there.

use std::time::Duration;

use pod::control::WindowSize;

use super::event_loop::{Pod, SIGKILL};
use crate::link::stream::StreamId;
use crate::sys;

impl Pod {
    /// Ends a command, wherever it is on its way.
    pub(super) fn end_command(&mut self, id: u64, grace: Duration) {
        self.waiting.retain(|(spec, _)| spec.id != id);
        if let Some(starting) = self.starts.take_command(id) {
            // One that is gone already is what was wanted.
            let _ = sys::send_signal(starting.process.process.pid, SIGKILL);
        }
        if let Some(command) = self.commands.get(&id) {
            self.abandoned.add(command, grace);
        }
    }

    /// A terminal has this size now.
    pub(super) fn resize(&mut self, stream: StreamId, size: WindowSize) {
        self.starts.resize(stream, size);
        let of_apps = self.apps.values().filter_map(|app| app.terminal.as_ref());
        let of_commands = self.commands.values().filter_map(|c| c.terminal.as_ref());
        for terminal in of_apps.chain(of_commands) {
            if terminal.stream == stream {
                terminal.resize(size);
            }
        }
    }
}
