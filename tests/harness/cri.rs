//! A `fairing-cri` on a host, and clients of it.

use std::fs::File;
use std::future::Future;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
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

/// A shim that runs, and a connection to it. It is killed when this is dropped, and sandboxes are removed.
pub struct Cri {
    program: Child,
    command: Command,
    /// `fairing rm --force` on the host.
    removal: Command,
    pods: PathBuf,
    socket: PathBuf,
    journal: PathBuf,
    tokio: tokio::runtime::Runtime,
    channel: Channel,
}

impl Cri {
    /// Starts a shim that works on a host's directories.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn start(host: &Host) -> Self {
        Self::of(host, host.command_of(dist_dir().join("bin/fairing-cri")))
    }

    /// The same, where it may have so many descriptors open, `SOFT:HARD` as prlimit(1) takes it.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn start_limited(host: &Host, descriptors: &str) -> Self {
        let of_host = host.command_of(dist_dir().join("bin/fairing-cri"));
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={descriptors}"));
        command.arg(of_host.get_program()).args(of_host.get_args());
        let variables = of_host.get_envs();
        let variables = variables.filter_map(|(name, value)| Some((name, value?)));
        command.env_clear().envs(variables).current_dir(host.base());
        Self::of(host, command)
    }

    fn of(host: &Host, mut command: Command) -> Self {
        let socket = host.run_dir().join("cri.sock");
        let journal = host.base().join("cri.log");
        command.arg("--listen").arg(&socket);
        command.stdin(Stdio::null());
        let log = File::create(&journal).expect("a file in the host's directory");
        command.stderr(log);
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (program, channel) = begin(&mut command, &socket, &tokio);
        let mut removal = host.command_of(fairing_binary());
        removal.args(["rm", "--force"]);
        Self {
            program,
            command,
            removal,
            pods: host.data_dir().join("pods/run"),
            socket,
            journal,
            tokio,
            channel,
        }
    }

    /// Starts a shim that refuses to work; gives what it says of that.
    ///
    /// # Panics
    /// If it doesn't refuse.
    pub fn refused(host: &Host) -> String {
        let mut command = host.command_of(dist_dir().join("bin/fairing-cri"));
        command.arg("--listen").arg(host.run_dir().join("cri.sock"));
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
        self.program.id()
    }

    /// Kills the shim as a crash does, and starts it anew.
    pub fn restart(&mut self) {
        self.kill();
        let (program, channel) = begin(&mut self.command, &self.socket, &self.tokio);
        self.program = program;
        self.channel = channel;
    }

    /// Kills the shim.
    pub fn kill(&mut self) {
        let _ = self.program.kill();
        self.program.wait().expect("a child");
    }

    /// Asks the shim to end, as a service manager does, and waits until it has.
    ///
    /// # Panics
    /// If it takes longer than this.
    pub fn terminate(&mut self, patience: Duration) -> ExitStatus {
        let shim = Pid::from_child(&self.program);
        kill_process(shim, Signal::TERM).expect("a child");
        let program = &mut self.program;
        wait_until("the end of fairing-cri", patience, || {
            program.try_wait().expect("a child")
        })
    }

    /// A client of RuntimeService, for [`Cri::wait`].
    pub fn runtime(&self) -> RuntimeServiceClient<Channel> {
        RuntimeServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_MAX)
    }

    /// A client of ImageService, for [`Cri::wait`].
    pub fn images(&self) -> ImageServiceClient<Channel> {
        ImageServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_MAX)
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

fn begin(
    command: &mut Command,
    socket: &std::path::Path,
    tokio: &tokio::runtime::Runtime,
) -> (Child, Channel) {
    let program = command.spawn().expect("fairing-cri");
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).expect("a path");
    let channel = wait_until("fairing-cri listens", START, || {
        tokio.block_on(endpoint.connect()).ok()
    });
    (program, channel)
}
