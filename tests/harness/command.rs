//! One call of the `fairing` command.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::binaries::dist_dir;
use crate::output::Output;
use crate::running::Running;
use crate::sys;
use crate::terminal::Terminal;

/// How long one command may take unless the test says otherwise.
const LIMIT: Duration = Duration::from_secs(60);

/// A `fairing` command that is being put together.
pub struct FairingCommand {
    command: Command,
    shown: String,
    stdin: Input,
    stdout: Option<File>,
    stderr: Option<File>,
    limit: Duration,
    handed: Vec<OwnedFd>,
}

enum Input {
    Nothing,
    Bytes(Vec<u8>),
    Open,
    File(File),
}

impl FairingCommand {
    /// A command with what all of a host's commands have.
    pub(crate) fn new(command: Command) -> Self {
        sys::hear_signals();
        Self {
            command,
            shown: "fairing".to_owned(),
            stdin: Input::Nothing,
            stdout: None,
            stderr: None,
            limit: LIMIT,
            handed: Vec::new(),
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.shown.push(' ');
        self.shown.push_str(&argument.as_ref().to_string_lossy());
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args<I, A>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item = A>,
        A: AsRef<OsStr>,
    {
        for argument in arguments {
            self = self.arg(argument);
        }
        self
    }

    /// Sets a variable of the command's own environment, which is empty but for `PATH`, `HOME`,
    /// `LANG`, `TMPDIR` and the harness's marker.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the working directory (by default the host's base directory).
    pub fn current_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.command.current_dir(path.into());
        self
    }

    /// Gives these bytes on standard input, and then its end. Without this, it is `/dev/null`.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Input::Bytes(bytes.into());
        self
    }

    /// Keeps standard input open, for [`Running::write`].
    pub fn stdin_open(mut self) -> Self {
        self.stdin = Input::Open;
        self
    }

    /// Gives the command an already open file as descriptor 0.
    pub fn stdin_file(mut self, file: File) -> Self {
        self.stdin = Input::File(file);
        self
    }

    /// Gives the command an already open file as standard output, which the harness then does not
    /// read.
    pub fn stdout_file(mut self, file: impl Into<File>) -> Self {
        self.stdout = Some(file.into());
        self
    }

    /// As [`FairingCommand::stdout_file`], for standard error.
    pub fn stderr_file(mut self, file: impl Into<File>) -> Self {
        self.stderr = Some(file.into());
        self
    }

    /// Runs through another program, which gets the command after these arguments of its own
    /// (`flock FILE`).
    pub fn through<A: AsRef<OsStr>>(
        mut self,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg(self.command.get_program())
            .args(self.command.get_args())
            .env_clear()
            .current_dir(self.command.get_current_dir().expect("always set"));
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        self.command = command;
        self
    }

    /// Keeps descriptors that the command inherits until it has been started.
    pub(crate) fn hold(mut self, descriptors: impl IntoIterator<Item = OwnedFd>) -> Self {
        self.handed.extend(descriptors);
        self
    }

    /// How long the command may take; 60 s by default.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs as another user, without any privilege. The binaries are copied to a place that
    /// everybody may read.
    pub fn as_user(mut self, uid: u32, gid: u32) -> Self {
        let everybody = PathBuf::from(self.command.get_current_dir().expect("always set"));
        let bin = everybody.join("public/bin");
        if !bin.exists() {
            fs::create_dir_all(&bin).unwrap();
            fs::copy(dist_dir().join("bin/fairing"), bin.join("fairing")).unwrap();
            for folder in [everybody.join("public"), bin.clone(), bin.join("fairing")] {
                fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let mut command = Command::new(bin.join("fairing"));
        command
            .args(self.command.get_args())
            .env_clear()
            .current_dir("/");
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.uid(uid).gid(gid);
        self.command = command;
        self
    }

    /// The command as a person would type it, without the global flags.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Its words, and the variables of its environment.
    pub(crate) fn parts(&self) -> (Vec<String>, Vec<(String, String)>) {
        let text = |word: &OsStr| word.to_string_lossy().into_owned();
        let program = std::iter::once(self.command.get_program());
        let words = program.chain(self.command.get_args()).map(text).collect();
        let variables = self.command.get_envs();
        let set = variables.filter_map(|(name, value)| Some((text(name), text(value?))));
        (words, set.collect())
    }

    /// Runs the command to its end.
    ///
    /// # Panics
    /// If it has not ended, and closed its output, within the limit.
    pub fn run(self) -> Output {
        let limit = self.limit;
        self.spawn().wait_for(limit)
    }

    /// Starts the command and gives a handle to it. It is killed when the handle is dropped.
    pub fn spawn(mut self) -> Running {
        let mut bytes = None;
        let stdin = match self.stdin {
            Input::Nothing => Stdio::null(),
            Input::Open => Stdio::piped(),
            Input::File(file) => file.into(),
            Input::Bytes(input) => {
                bytes = Some(input);
                Stdio::piped()
            }
        };
        self.command.stdin(stdin);
        let files = [self.stdout, self.stderr];
        Running::start(self.command, self.shown, self.limit, bytes, files)
    }

    /// Starts the command on a new pseudo-terminal of this size, which is its controlling
    /// terminal.
    pub fn spawn_on_terminal(self, rows: u16, columns: u16) -> Terminal {
        Terminal::start(&self.command, self.shown, rows, columns)
    }
}
