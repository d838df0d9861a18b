//! `fairing enter`: runs a command inside of an app.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use engine::pods::environment::merged;
use pod::AppName;
use pod::control::{CommandUser, ExecRequest};
use pod::feature::Feature;
use pod::manifest::AppPath;

use crate::arguments::app::{group, user};
use crate::arguments::environment::variables;
use crate::command::running_app::RunningApp;
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::terminal::raw_mode::window_size;
use crate::terminal::session as exec_session;
use crate::wording::failure::Failure;

/// What runs if no command is given.
const SHELL: &str = "/bin/sh";

/// Arguments of `enter`.
#[derive(Debug, Args)]
pub(crate) struct Enter {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// The app to enter, if the pod has several
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    /// Give the command a pseudo-terminal
    #[arg(short, long)]
    tty: bool,
    /// Give the command the standard input
    #[arg(short, long)]
    interactive: bool,
    /// Run the command in the background: it outlives this command, and nobody sees its output; -i and -t mean nothing then
    #[arg(short, long, requires = "command")]
    detach: bool,
    /// Working directory of the command [default: the app's]
    #[arg(short, long, value_name = "PATH", value_parser = NonEmptyStringValueParser::new())]
    workdir: Option<String>,
    /// User by name or number, as the app's files know it [default: the app's]
    #[arg(short, long, value_name = "USER[:GROUP]", value_parser = user)]
    user: Option<String>,
    /// Group by name or number [default: the user's]
    #[arg(long, value_name = "GROUP", value_parser = group)]
    group: Option<String>,
    /// Environment variable; without a value, as in this command's environment
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    env: Vec<String>,
    /// File of environment variables, one per line
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Command and its arguments [default, on a terminal or with --interactive: a shell]
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<String>,
}

impl Subcommand for Enter {
    const NAME: &'static str = "enter";
    const ABOUT: &'static str =
        "Run a command inside an app, as the app's user and under its limits";
    const ALIASES: &'static [&'static str] = &["exec"];
    const USAGE: Option<&'static str> = Some("fairing enter [FLAGS] POD [-- COMMAND]");

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let RunningApp { connection, app } = RunningApp::open(
            context,
            &self.pod,
            self.app.as_ref(),
            "entered",
            Feature::Exec,
        )?;
        // Nothing but a name on a terminal: a shell, as a person would want it.
        let by_person =
            self.command.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
        if self.command.is_empty() && !by_person && !self.interactive {
            return Err(no_command(&self.pod));
        }
        // In the background nobody is there to type or to see.
        let tty = (self.tty || by_person) && !self.detach;
        let mut env = merged(&variables(&self.env_file, &self.env)?);
        if tty
            && !env.iter().any(|entry| entry.starts_with("TERM="))
            && let Ok(term) = std::env::var("TERM")
        {
            env.push(format!("TERM={term}"));
        }
        let user = self.user();
        let argv = match self.command.is_empty() {
            true => vec![SHELL.to_owned()],
            false => self.command,
        };
        let workdir = self.workdir.map(AppPath::try_from).transpose();
        let workdir = workdir.map_err(|error| Failure::Usage(format!("--workdir: {error}")))?;
        let request = ExecRequest {
            app: Some(app),
            argv,
            env,
            workdir,
            detach: self.detach,
            tty,
            size: window_size().filter(|_| tty),
            timeout_ms: None,
            outlives: false,
        };
        exec_session::run(
            connection,
            request,
            user,
            (self.interactive || by_person) && !self.detach,
        )
    }
}

/// A shell would read nothing, and end at once or never.
fn no_command(pod: &str) -> Failure {
    Failure::Usage(format!(
        "no command to run in pod {pod}: a shell without one is for a terminal; \
         `fairing enter {pod} -- COMMAND` runs a command, and `fairing enter -i {pod}` a shell \
         whose script is the standard input"
    ))
}

impl Enter {
    /// Whose process the command is, if that is said. `--group` counts more than the group behind a user.
    fn user(&self) -> Option<CommandUser> {
        let user = self.user.as_deref().unwrap_or_default();
        let (user, of_user) = user.split_once(':').unwrap_or((user, ""));
        let group = self.group.as_deref().unwrap_or(of_user);
        let is_said = !user.is_empty() || !group.is_empty();
        is_said.then(|| CommandUser {
            user: user.to_owned(),
            group: group.to_owned(),
        })
    }
}
