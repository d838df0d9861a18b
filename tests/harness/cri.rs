//! A `fairing-cri` on a host, and clients of it.

use std::ffi::OsStr;
use std::fs::File;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use cri_shim::api::image_service_client::ImageServiceClient;
use cri_shim::api::runtime_service_client::RuntimeServiceClient;
use rustix::process::{Pid, Signal, kill_process};
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use crate::binaries::{dist_dir, fairing_binary};
use crate::deadline::{eventually, wait_until};
use crate::directory::names_in;
use crate::host::Host;

/// How long the shim may take to listen.
const START: Duration = Duration::from_secs(20);
/// Largest message of it, in bytes.
const MESSAGE_MAX: usize = 64 << 20;
/// Hands the socket at standard input over by the protocol of sd_listen_fds(3).
const HAND_OVER: &str = "exec 3<&0 < /dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";

/// A shim that runs, and a connection to it. It is killed when this is dropped, and sandboxes are removed.
pub struct Cri {
    program: Mutex<Program>,
    /// `fairing rm --force` on the host.
    removal: Command,
    pods: PathBuf,
    socket: PathBuf,
    journal: PathBuf,
    tokio: tokio::runtime::Runtime,
    channel: Channel,
}

struct Program {
    child: Child,
    command: Command,
    /// The socket that the shim is handed, as a service manager keeps it; it makes one itself if there is none.
    kept: Option<UnixListener>,
}

impl Program {
    fn of(mut command: Command, kept: Option<UnixListener>) -> Self {
        let child = spawn(&mut command, kept.as_ref());
        Self {
            child,
            command,
            kept,
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("a child");
    }

    fn begin(&mut self) {
        self.child = spawn(&mut self.command, self.kept.as_ref());
    }
}

fn spawn(command: &mut Command, kept: Option<&UnixListener>) -> Child {
    let input = match kept {
        Some(socket) => OwnedFd::from(socket.try_clone().expect("a socket")).into(),
        None => Stdio::null(),
    };
    command.stdin(input).spawn().expect("fairing-cri")
}

impl Cri {
    /// Starts a shim that works on a host's directories.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn start(host: &Host) -> Self {
        Self::on(host, host.command_of(program()), None)
    }

    /// The same with a socket that is kept while the shim is killed and started again: who comes meanwhile waits.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn activated(host: &Host) -> Self {
        let kept = UnixListener::bind(socket_of(host)).expect("a socket");
        let words = ["-c", HAND_OVER, "sh"].map(str::to_owned);
        Self::on(host, through(host, "/bin/sh", words), Some(kept))
    }

    /// The same with this variable.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn start_with(host: &Host, variable: &str, value: impl AsRef<OsStr>) -> Self {
        Self::start_with_all(host, [(variable, value)])
    }

    /// The same with these variables.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn start_with_all<'a, V: AsRef<OsStr>>(
        host: &Host,
        variables: impl IntoIterator<Item = (&'a str, V)>,
    ) -> Self {
        let mut command = host.command_of(program());
        command.envs(variables);
        Self::on(host, command, None)
    }

    /// The same, where it may have so many descriptors open, `SOFT:HARD` as prlimit(1) takes it.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn start_limited(host: &Host, descriptors: &str) -> Self {
        let words = [format!("--nofile={descriptors}")];
        Self::on(host, through(host, "prlimit", words), None)
    }

    fn on(host: &Host, mut command: Command, kept: Option<UnixListener>) -> Self {
        let socket = socket_of(host);
        let journal = host.base().join("cri.log");
        command.arg("--listen").arg(&socket);
        let log = File::create(&journal).expect("a file in the host's directory");
        command.stderr(log);
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let program = Program::of(command, kept);
        let channel = connect(&socket, &tokio);
        let mut removal = host.command_of(fairing_binary());
        removal.args(["rm", "--force"]);
        Self {
            program: Mutex::new(program),
            removal,
            pods: host.data_dir().join("pods/run"),
            socket,
            journal,
            tokio,
            channel,
        }
    }

    fn program(&self) -> MutexGuard<'_, Program> {
        self.program.lock().expect("nobody panics with it")
    }

    /// Starts a shim that refuses to work; gives what it says of that.
    ///
    /// # Panics
    /// If it doesn't refuse.
    pub fn refused(host: &Host) -> String {
        let mut command = host.command_of(program());
        command.arg("--listen").arg(socket_of(host));
        command.stdin(Stdio::null());
        let mut program = command.stderr(Stdio::piped()).spawn().expect("fairing-cri");
        let mut ended = || program.try_wait().expect("a child").is_some();
        let has_ended = eventually(START, || ended().then_some(())).is_some();
        // One that has ended is not hurt.
        let _ = program.kill();
        let output = program.wait_with_output().expect("a child");
        assert!(has_ended && !output.status.success(), "it works");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// What it has told a service manager's journal, since it was first started.
    pub fn journal(&self) -> String {
        std::fs::read_to_string(&self.journal).unwrap_or_default()
    }

    /// The process ID of the shim.
    pub fn pid(&self) -> u32 {
        self.program().child.id()
    }

    /// Kills the shim as a crash does, and starts it anew.
    pub fn restart(&mut self) {
        self.kill();
        self.program().begin();
        self.channel = connect(&self.socket, &self.tokio);
    }

    /// Kills the shim as a crash does, and starts it anew, while others call it: their connection comes to the new one, whose
    /// socket has been kept.
    pub fn crash(&self) {
        let mut program = self.program();
        program.kill();
        program.begin();
    }

    /// Kills the shim.
    pub fn kill(&self) {
        self.program().kill();
    }

    /// Asks the shim to end, as a service manager does, and waits until it has.
    ///
    /// # Panics
    /// If it takes longer than this.
    pub fn terminate(&self, patience: Duration) -> ExitStatus {
        let child = &mut self.program().child;
        kill_process(Pid::from_child(child), Signal::TERM).expect("a child");
        wait_until("the end of fairing-cri", patience, || {
            child.try_wait().expect("a child")
        })
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// A client of RuntimeService, for [`Cri::wait`].
    pub fn runtime(&self) -> RuntimeServiceClient<Channel> {
        RuntimeServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_MAX)
    }

    /// A client of ImageService, for [`Cri::wait`].
    pub fn images(&self) -> ImageServiceClient<Channel> {
        ImageServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_MAX)
    }

    /// What all clients speak through, for calls that no client has.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Waits for anything asynchronous.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.tokio.block_on(future)
    }

    /// Begins anything asynchronous beside what else is done; the handle is for [`Cri::wait`].
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tokio.spawn(future)
    }

    /// Waits for the answer of a call.
    ///
    /// # Errors
    /// What the shim says.
    pub fn call<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Status> {
        self.tokio.block_on(call).map(Response::into_inner)
    }
}

impl Drop for Cri {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.journal());
        }
        // `gc` leaves sandboxes to their kubelet, and that is this test.
        let left = names_in(&self.pods);
        if !left.is_empty() {
            let removed = self.removal.args(left).stdin(Stdio::null()).output();
            let _ = removed.expect("fairing rm");
        }
    }
}

fn program() -> PathBuf {
    dist_dir().join("bin/fairing-cri")
}

/// The shim, as another program executes it after these words of its own.
fn through<const N: usize>(host: &Host, program_before: &str, words: [String; N]) -> Command {
    let own = host.command_of(program());
    let mut command = Command::new(program_before);
    let variables = own.get_envs();
    let variables = variables.filter_map(|(name, value)| Some((name, value?)));
    command
        .args(words)
        .arg(own.get_program())
        .args(own.get_args())
        .env_clear()
        .envs(variables)
        .current_dir(host.base());
    command
}

fn socket_of(host: &Host) -> PathBuf {
    host.run_dir().join("cri.sock")
}

fn connect(socket: &Path, tokio: &tokio::runtime::Runtime) -> Channel {
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).expect("a path");
    wait_until("fairing-cri listens", START, || {
        tokio.block_on(endpoint.connect()).ok()
    })
}
