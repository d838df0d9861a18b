//! Commands that many clients want to start at once: each gets its turn.

use pod::AppName;

use super::clients::Client;
use super::descriptors;
use super::event_loop::Monitor;
use crate::failure::StartFailure;

/// Most commands of one app that pod init is told to start and has not started yet; the next ones wait for their turn.
const STARTING_MAX: usize = 64;

impl Monitor {
    /// Starts commands whose turn it is, in the order of their connections.
    pub(super) fn start_commands(&mut self) {
        for index in 0..self.clients.len() {
            let Some(app) = self.clients.get(index).and_then(Client::waits_for_turn) else {
                continue;
            };
            if self.starting_in(app) >= STARTING_MAX {
                continue;
            }
            let has_room = descriptors::are_left(descriptors::OF_A_COMMAND);
            if !has_room && self.clients.iter().any(Client::starts_command) {
                // Those take up more than they do once they run.
                return;
            }
            let started = match has_room {
                true => self.start_command(index),
                false => Err(descriptors::too_many()),
            };
            if let (Err(failure), Some(client)) = (started, self.clients.get_mut(index)) {
                client.failed(failure);
            }
        }
    }

    fn starting_in(&self, app: Option<&AppName>) -> usize {
        let starting = self.clients.iter().filter(|client| client.starts_command());
        starting
            .filter(|client| client.command_is_in() == app)
            .count()
    }

    fn start_command(&mut self, index: usize) -> Result<(), StartFailure> {
        let asked = match self.clients.get_mut(index).and_then(Client::take_turn) {
            Some(asked) => asked,
            None => return Ok(()),
        };
        // The app may have been paused meanwhile.
        self.is_thawed(asked.request.app.as_ref())?;
        self.commands += 1;
        match self.clients.get_mut(index) {
            Some(client) => client.execute(&mut *self.init, self.commands, asked),
            None => Ok(()),
        }
    }
}
