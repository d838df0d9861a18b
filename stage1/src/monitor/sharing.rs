//! Clients that ask to share an app's standard streams: now, or from its start on.

use pod::AppName;
use pod::control::{AttachRequest, Response};

use super::clients::{Awaited, refusal};
use super::descriptors;
use super::event_loop::Monitor;
use super::requests::Answer;
use crate::failure::StartFailure;
use crate::protocol::ToInit;

impl Monitor {
    /// Attaches a client to an app that runs, or lets it wait for the app's start if it asks for that.
    pub(super) fn attach(&mut self, index: usize, request: AttachRequest) -> Answer {
        let name = match (&request.app, self.chosen(None)?.as_slice()) {
            (Some(name), _) => name.clone(),
            (None, [only]) => only.clone(),
            (None, _) => return Err(StartFailure::other("say which app to attach to")),
        };
        let record = self.known(&name)?;
        let Some(app) = self.manifest.app(&name) else {
            return Err(StartFailure::other(format!(
                "pod {} has no app called {name}",
                self.manifest.called()
            )));
        };
        let tty = app.execution.terminal;
        // Pipes are there before the app can write to them; a terminal comes from the app's side.
        let has_streams = record.is_running() || (record.starting && !tty);
        if !has_streams {
            if !request.at_start {
                return Err(StartFailure::other(format!("app {name} does not run")));
            }
            if let Some(client) = self.clients.get_mut(index) {
                client.await_this(Awaited::Attachment(name, request));
            }
            return Ok(None);
        }
        if !descriptors::are_left(descriptors::OF_A_COMMAND) {
            return Err(descriptors::too_many());
        }
        let terminal = record.terminal;
        // What runs already may have its input from others, too.
        let is_alone = request.at_start && !record.is_running() && !tty;
        let (id, ends) = self.streams.attach(app, request.stdin, is_alone)?;
        if let Some(client) = self.clients.get_mut(index) {
            client.tell(&Response::Attached { tty }, &ends);
            client.await_this(Awaited::AttachedEnd(name, id, terminal));
        }
        if let (Some(terminal), Some(size)) = (terminal, request.size) {
            self.tell_init(&ToInit::Resize { terminal, size })?;
        }
        Ok(None)
    }

    /// Attaches those who wait for the streams of an app that is being started: nothing has been read of them yet.
    pub(super) fn attach_waiting(&mut self, app: &AppName) {
        for index in 0..self.clients.len() {
            let client = self.clients.get_mut(index);
            let Some(request) = client.and_then(|client| client.take_attachment(app)) else {
                continue;
            };
            if let Err(failure) = self.attach(index, request)
                && let Some(client) = self.clients.get_mut(index)
            {
                client.end_wait(&refusal(failure));
            }
        }
    }

    /// Tells those who have not read what their apps write that they are attached no more: they would wait for the rest.
    pub(super) fn tell_cut_off(&mut self) {
        for attachment in self.streams.take_cut_off() {
            for client in &mut self.clients {
                if let Some(app) = client.is_attached_by(attachment) {
                    let text = format!("what app {app} writes was not read in time: attach again");
                    client.end_wait(&refusal(StartFailure::other(text)));
                }
            }
        }
    }

    /// Tells those who wait for the start of an app that has left the pod: it never comes.
    pub(super) fn refuse_waiting(&mut self, app: &AppName) {
        for client in &mut self.clients {
            if client.take_attachment(app).is_some() {
                let text = format!("app {app} was removed before it started");
                client.end_wait(&refusal(StartFailure::other(text)));
            }
        }
    }
}
