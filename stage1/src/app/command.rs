//! Commands inside of an app that runs: programs of the app's, and pod init's own that copies files.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use pod::control::CommandUser;
use pod::manifest::UserNamespace;
use rustix::fs::{Mode, OFlags, openat};
use rustix::mount::MountAttrFlags;

use crate::app::among_processes::among_processes_of;
use crate::app::child::Root;
use crate::app::command_line::{CommandLine, environment};
use crate::app::detached::mount_detached;
use crate::app::devices::make_terminal;
use crate::app::exec_label::ModuleLabel;
use crate::app::launch::{RunningCommand, Start, Starting, c_string, is_mapped};
use crate::app::running_app::RunningApp;
use crate::app::sockets::AppSockets;
use crate::app::stdio::{Stdio, choose_streams, keep_terminal};
use crate::failure::StartFailure;
use crate::file_transfer;
use crate::link::StreamEnds;
use crate::protocol::ExecSpec;
use pod::accounts::{Identity, by_numbers};

impl RunningApp {
    /// Who a command is that is not the app's user's.
    fn identity_of(
        &self,
        asked: &CommandUser,
        ids: Option<&UserNamespace>,
    ) -> Result<Identity, StartFailure> {
        let CommandUser { user, group } = asked;
        let plain = |uid, gid, home: &str| Identity {
            uid,
            gid,
            groups: vec![gid],
            home: home.to_owned(),
        };
        let identity = match (user.as_str(), by_numbers(user, group)) {
            ("", _) => {
                let gid = self.root.own_accounts()?.resolve("0", group)?.gid;
                plain(self.identity.uid, gid, &self.identity.home)
            }
            (_, Some((uid, gid))) => match self.root.own_accounts() {
                Ok(accounts) => accounts.resolve(user, group)?,
                Err(_) => plain(uid, gid, "/"),
            },
            (_, None) => self.root.own_accounts()?.resolve(user, group)?,
        };
        if let Some(ids) = ids {
            is_mapped(&identity, ids, &format!("a command in app {}", self.name))?;
        }
        Ok(identity)
    }

    /// Starts a command inside of this app. `streams` came with `spec`, and `ids` are the pod's.
    pub(crate) fn execute(
        &self,
        spec: &ExecSpec,
        mut streams: StreamEnds,
        ids: Option<&UserNamespace>,
    ) -> Result<Starting<RunningCommand>, StartFailure> {
        let other = spec.user.as_ref();
        let other = other.map(|user| self.identity_of(user, ids)).transpose()?;
        let identity = other.as_ref().unwrap_or(&self.identity);
        let stdio = Stdio::take(spec.streams, &mut streams)?;
        let has_terminal = stdio.terminal().is_some();
        let terminal = has_terminal.then(|| make_terminal(&self.pts)).transpose()?;
        let is_of_other =
            |entry: &str| other.is_some() && self.has_home_of_user && entry.starts_with("HOME=");
        let own = self.environment.iter().filter(|entry| !is_of_other(entry));
        let variables: Vec<String> = own.chain(&spec.env).cloned().collect();
        let variables = environment(&variables, &identity.home, "", has_terminal);
        let (argv, sockets) = match &spec.copy {
            None => (spec.argv.clone(), AppSockets::default()),
            Some(copy) => (
                file_transfer::argv(copy)?,
                AppSockets::program(own_program()?)?,
            ),
        };
        let no_sockets = AppSockets::default();
        let start = Start {
            what: format!("the command in app {}", self.name),
            root: Root::Join(self.process.pidfd.as_fd()),
            seat: &self.seat,
            streams: choose_streams(terminal.as_ref(), &stdio, &self.null, identity)?,
            controlling_terminal: has_terminal,
            identity,
            workdir: match &spec.workdir {
                Some(path) => c_string(path.as_str())?,
                // What is copied is named from the root.
                None if spec.copy.is_some() => c"/".to_owned(),
                None => self.workdir.clone(),
            },
            confinement: &self.confinement,
            limits: &self.limits,
            oom_score: self
                .oom_score
                .as_ref()
                .map(|(proc, score)| (proc.as_fd(), score.clone())),
            // What copies is fairing's own program, which no policy lets apps execute.
            label: self
                .label
                .as_ref()
                .filter(|_| spec.copy.is_none())
                .map(ModuleLabel::of_command)
                .transpose()?,
            sockets: &sockets,
            command: CommandLine::new(&argv, &variables, &no_sockets)?,
            by_descriptor: spec.copy.is_some(),
            makes_processes: false,
            adopts: spec.timeout_ms.is_some(),
        };
        let (process, report) = match self.other_processes {
            true => among_processes_of(self.process.pidfd.as_fd(), || start.go())?,
            false => start.go()?,
        };
        let (terminal, master) = keep_terminal(&stdio, terminal);
        Ok(Starting {
            process: RunningCommand {
                process,
                terminal,
                patience: spec.timeout_ms.map(Duration::from_millis),
            },
            master,
            report,
        })
    }
}

/// Pod init's program, on the mount where nobody can write to it. Its own root need not have a procfs.
fn own_program() -> Result<OwnedFd, StartFailure> {
    let proc = mount_detached("proc", &[], MountAttrFlags::empty())?;
    // To be executed; it need not be readable.
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    openat(&proc, "self/exe", flags, Mode::empty())
        .map_err(StartFailure::os("open pod init's program"))
}
