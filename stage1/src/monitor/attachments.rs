//! Clients that share an app's standard streams: what the app writes goes to them too, and what they write to its
//! input.
//!
//! Nobody waits for them. A client that doesn't read is cut off once its pipe is full, and is told so.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pod::AppName;
use pod::control::bounds::ATTACHED_MAX;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{Errno, write};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use super::pump::{End, Pump};
use crate::failure::StartFailure;

/// What waits for a client that reads slowly, in bytes.
const PIPE_SIZE: usize = 1 << 20;

/// One of an app's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Standard output, or a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Output {
    /// Its name in a log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One client's share of an app's streams, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AttachmentId(u64);

/// All clients that are attached to apps.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    last: u64,
    sinks: Vec<Sink>,
    inputs: Vec<Input>,
    /// Those that were cut off, and have not been told.
    cut_off: Vec<AttachmentId>,
}

/// What a client reads one of an app's outputs from.
#[derive(Debug)]
struct Sink {
    of: AttachmentId,
    app: AppName,
    output: Output,
    pipe: OwnedFd,
}

impl Sink {
    /// Whether the client still has its end.
    fn is_read(&self) -> bool {
        let mut fds = [PollFd::new(self.pipe.as_fd(), PollFlags::empty())];
        matches!(poll(&mut fds, PollTimeout::ZERO), Ok(0))
    }
}

/// What a client writes to an app.
#[derive(Debug)]
struct Input {
    app: AppName,
    /// Whether the app has no input any more when this client's ends.
    is_last: bool,
    pump: Pump,
}

impl Attachments {
    /// Attaches a client to these outputs of an app, and to its input if there is one. Returns its number and the client's
    /// ends: its input first.
    pub(super) fn add(
        &mut self,
        app: &AppName,
        input: Option<OwnedFd>,
        is_last: bool,
        outputs: &[Output],
    ) -> Result<(AttachmentId, Vec<OwnedFd>), StartFailure> {
        let attached = self
            .sinks
            .iter()
            .filter(|sink| sink.app == *app && sink.output == Output::Stdout);
        if attached.count() >= ATTACHED_MAX {
            return Err(StartFailure::other(format!(
                "{ATTACHED_MAX} clients are attached to app {app} already"
            )));
        }
        let failed = || StartFailure::os("make a pipe for a client");
        let of = AttachmentId(self.last + 1);
        let mut ends = Vec::new();
        let mut source = None;
        if input.is_some() {
            let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC).map_err(failed())?;
            fcntl_setfl(&ours, OFlags::NONBLOCK).map_err(failed())?;
            source = Some(ours);
            ends.push(theirs);
        }
        let mut sinks = Vec::new();
        for &output in outputs {
            let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC).map_err(failed())?;
            fcntl_setfl(&ours, OFlags::WRONLY | OFlags::NONBLOCK).map_err(failed())?;
            // A pipe of the usual size will do where the system gives no more.
            let _ = fcntl_setpipe_size(&ours, PIPE_SIZE);
            ends.push(theirs);
            sinks.push(Sink {
                of,
                app: app.clone(),
                output,
                pipe: ours,
            });
        }
        self.last += 1;
        self.sinks.extend(sinks);
        self.inputs
            .extend(source.zip(input).map(|(source, sink)| Input {
                app: app.clone(),
                is_last,
                pump: Pump::new(End::Own(source), End::Own(sink)),
            }));
        Ok((of, ends))
    }

    /// Whether a client sees what this app writes.
    pub(super) fn are_shown(&self, app: &AppName) -> bool {
        self.sinks.iter().any(|sink| sink.app == *app)
    }

    /// An app has written something.
    pub(super) fn show(&mut self, app: &AppName, output: Output, bytes: &[u8]) {
        let (sinks, cut_off) = (&mut self.sinks, &mut self.cut_off);
        let known = cut_off.len();
        sinks.retain(|sink| {
            if sink.app != *app || sink.output != output {
                return true;
            }
            match write(&sink.pipe, bytes) {
                Ok(written) if written == bytes.len() => true,
                // One that takes a part has no room for the rest.
                Ok(_) | Err(Errno::AGAIN) => {
                    cut_off.push(sink.of);
                    false
                }
                // It has gone.
                Err(_) => false,
            }
        });
        if let Some(new @ [_, ..]) = cut_off.get(known..) {
            // Of both outputs: one alone would look as if the app had ended the other.
            sinks.retain(|sink| !new.contains(&sink.of));
        }
    }

    /// Those that have been cut off since this was last asked.
    pub(super) fn take_cut_off(&mut self) -> Vec<AttachmentId> {
        std::mem::take(&mut self.cut_off)
    }

    /// An app will write nothing more there.
    pub(super) fn end(&mut self, app: &AppName, output: Output) {
        self.sinks
            .retain(|sink| sink.app != *app || sink.output != output);
    }

    /// An app reads nothing any more.
    pub(super) fn end_input(&mut self, app: &AppName) {
        self.inputs.retain(|input| input.app != *app);
    }

    /// The events that inputs wait for, and those that tell of readers that are gone.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let sinks = self.sinks.iter();
        let inputs = self.inputs.iter().map(|input| input.pump.interest());
        inputs.chain(sinks.map(|sink| (sink.pipe.as_fd(), PollFlags::empty())))
    }

    /// Moves what can be moved: `ready` answers [`Attachments::interests`] one by one. The result are apps that have no input
    /// any more.
    pub(super) fn advance(&mut self, mut ready: impl Iterator<Item = bool>) -> Vec<AppName> {
        for input in &mut self.inputs {
            if ready.next().unwrap_or(false) {
                input.pump.advance(|_| {});
            }
        }
        let done = self.inputs.extract_if(.., |input| input.pump.is_done());
        let last = done.filter(|input| input.is_last);
        let ended: Vec<AppName> = last.map(|input| input.app).collect();
        for app in &ended {
            self.end_input(app);
        }
        if ready.any(|ready| ready) {
            self.sinks.retain(Sink::is_read);
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};

    fn app(name: &str) -> AppName {
        name.parse().unwrap()
    }

    const BOTH: [Output; 2] = [Output::Stdout, Output::Stderr];

    /// Attaches a client; gives its ends.
    fn add(
        all: &mut Attachments,
        name: &str,
        input: Option<OwnedFd>,
        is_last: bool,
        outputs: &[Output],
    ) -> Vec<OwnedFd> {
        let added = all.add(&app(name), input, is_last, outputs);
        added.unwrap().1
    }

    #[test]
    fn each_client_sees_what_its_app_writes_where_it_writes_it() {
        let mut all = Attachments::default();
        let mut clients = [(); 2].map(|()| add(&mut all, "web", None, false, &BOTH));
        let mut other = add(&mut all, "db", None, false, &[Output::Stdout]);
        all.show(&app("web"), Output::Stdout, b"out");
        all.show(&app("web"), Output::Stderr, b"error");
        for (name, output) in [
            ("web", Output::Stdout),
            ("web", Output::Stderr),
            ("db", Output::Stdout),
        ] {
            all.end(&app(name), output);
        }
        let read = |fd: OwnedFd| {
            let mut text = String::new();
            File::from(fd).read_to_string(&mut text).unwrap();
            text
        };
        for client in &mut clients {
            assert_eq!(read(client.remove(0)), "out");
            assert_eq!(read(client.remove(0)), "error");
        }
        assert_eq!(read(other.remove(0)), "");
    }

    #[test]
    fn who_leaves_a_quiet_app_makes_room() {
        let mut all = Attachments::default();
        for _ in 0..3 * ATTACHED_MAX {
            let client = add(&mut all, "web", None, false, &BOTH);
            drop(client);
            let mut fds: Vec<_> = all
                .interests()
                .map(|(fd, flags)| PollFd::new(fd, flags))
                .collect();
            poll(&mut fds, PollTimeout::NONE).unwrap();
            let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap()).collect();
            all.advance(ready.into_iter());
            assert_eq!(all.sinks.len(), 0);
        }
    }

    #[test]
    fn who_does_not_read_is_cut_off_and_who_does_is_not() {
        let mut all = Attachments::default();
        let (stuck, _ends) = all.add(&app("web"), None, false, &BOTH).unwrap();
        let mut reading = add(&mut all, "web", None, false, &[Output::Stdout]);
        let mut reader = File::from(reading.remove(0));
        let chunk = vec![b'x'; 32 << 10];
        let mut taken = vec![0; chunk.len()];
        for _ in 0..64 {
            all.show(&app("web"), Output::Stdout, &chunk);
            reader.read_exact(&mut taken).unwrap();
        }
        assert_eq!(all.sinks.len(), 1);
        assert_eq!(all.take_cut_off(), [stuck]);
        // Who leaves is not cut off.
        drop(reader);
        all.show(&app("web"), Output::Stdout, b"nobody reads");
        assert_eq!((all.sinks.len(), all.take_cut_off().len()), (0, 0));
    }

    #[test]
    fn what_a_client_writes_goes_to_the_app_until_either_ends() {
        let mut all = Attachments::default();
        let (app_reads, app_input) = rustix::pipe::pipe().unwrap();
        let mut ends = add(&mut all, "web", Some(app_input), false, &[]);
        let mut client = File::from(ends.remove(0));
        client.write_all(b"hello").unwrap();
        for _ in 0..2 {
            assert_eq!(all.interests().count(), 1);
            all.advance(std::iter::repeat(true));
        }
        let mut text = [0; 5];
        let mut app_reads = File::from(app_reads);
        app_reads.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"hello");
        drop(client);
        all.advance(std::iter::repeat(true));
        assert_eq!(all.interests().count(), 0);
        assert_eq!(app_reads.read(&mut text).unwrap(), 0);

        let (_reads, input) = rustix::pipe::pipe().unwrap();
        let _client = add(&mut all, "web", Some(input), false, &[]);
        all.end_input(&app("db"));
        assert_eq!(all.interests().count(), 1);
        all.end_input(&app("web"));
        assert_eq!(all.interests().count(), 0);
    }

    #[test]
    fn an_input_that_is_given_once_ends_with_the_client_that_had_it() {
        let mut all = Attachments::default();
        let (app_reads, app_input) = rustix::pipe::pipe().unwrap();
        let mut ends = add(&mut all, "web", Some(app_input), true, &[]);
        File::from(ends.remove(0)).write_all(b"all").unwrap();
        let mut ended = Vec::new();
        for _ in 0..3 {
            ended.extend(all.advance(std::iter::repeat(true)));
        }
        assert_eq!(ended, [app("web")]);
        let mut text = String::new();
        File::from(app_reads).read_to_string(&mut text).unwrap();
        assert_eq!(text, "all");
    }

    #[test]
    fn more_than_so_many_are_not_attached() {
        let mut all = Attachments::default();
        let clients: Vec<_> = (0..ATTACHED_MAX)
            .map(|_| add(&mut all, "web", None, false, &BOTH))
            .collect();
        let error = all.add(&app("web"), None, false, &BOTH).unwrap_err();
        assert!(error.message.contains("web"), "{}", error.message);
        all.add(&app("db"), None, false, &BOTH).unwrap();
        drop(clients);
        all.show(&app("web"), Output::Stdout, b"nobody reads");
        all.add(&app("web"), None, false, &BOTH).unwrap();
    }
}
