//! What the monitor and pod init say to each other.
//!
//! One [`pod::seqpacket`] connection. The monitor sends [`ToInit::Setup`], one [`ToInit::App`] for each
//! app and [`ToInit::Start`] without waiting for answers, while pod init is being started.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cni_glue::names::PeerChanges;
use pod::AppName;
use pod::activation::SocketName;
use pod::control::ExecRequest;
use pod::exit::Outcome;
use pod::manifest::{App, InsecureOption};
use serde::{Deserialize, Serialize};

use crate::failure::StartFailure;

/// The descriptor under which pod init finds its end of the connection.
pub const INIT_SOCKET_FD: i32 = 3;

/// From the monitor to pod init.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToInit {
    /// What concerns the pod as a whole.
    Setup(Setup),
    /// An app to start. With it come, in this order: its streams as [`AppSpec::streams`] says, then
    /// its cgroup as [`AppSpec::cgroup`] says.
    App(Box<AppSpec>),
    /// With it come sockets of the app that was named last: as many such messages follow it as it takes
    /// for all of [`AppSpec::sockets`].
    Sockets,
    /// All apps have been named: start them. With it comes the pod's network namespace, unless the pod
    /// stays in the one that pod init is in.
    Start(Names),
    /// End the pod.
    Stop {
        /// Time from the stop signal to SIGKILL.
        grace_ms: u64,
    },
    /// Send a signal to the main process of one app, or of each.
    Signal {
        /// Which app.
        app: Option<AppName>,
        /// Which signal.
        signal: i32,
    },
    /// Other pods that are found by name have come or gone: change `/etc/hosts`, and answer.
    Peers(PeerChanges),
    /// Run a command inside of an app. With it come its three streams, unless it gets a terminal.
    Exec {
        /// The monitor's number for it.
        id: u64,
        /// What to run.
        request: ExecRequest,
    },
}

/// What concerns the pod as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Setup {
    /// The pod's host name.
    pub hostname: String,
    /// Folder of unpacked layers.
    pub layers_dir: PathBuf,
    /// The pod's folder.
    pub pod_dir: PathBuf,
    /// Whether the apps' changes are thrown away at the end: then the kernel need not write them out.
    pub discard_changes: bool,
    /// Time between the stop signal and SIGKILL when an app's failure ends the pod.
    pub grace_period_ms: u64,
    /// Which protections the user gave up.
    pub insecure_options: BTreeSet<InsecureOption>,
}

/// What names resolve to in the pod. It is known only when the pod has joined its networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Names {
    /// The text of `/etc/hosts`.
    pub hosts: String,
    /// The text of `/etc/resolv.conf`.
    pub resolv_conf: String,
}

/// One app, as pod init needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AppSpec {
    /// Its entry in the pod manifest.
    pub app: App,
    /// Which descriptors come for its streams.
    pub streams: StreamFds,
    /// Which descriptors come for its cgroup.
    pub cgroup: CgroupFds,
    /// The size of its terminal, if it has one.
    pub size: Option<pod::control::WindowSize>,
    /// The names of the sockets that it is handed, in order ([`pod::activation`]).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sockets: Vec<SocketName>,
}

/// The descriptors that come for an app's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamFds {
    /// None: pod init makes a pseudo-terminal and answers with its other end.
    Terminal,
    /// Standard output and error; input is empty.
    Output,
    /// Standard input, output and error.
    All,
}

/// The descriptors that come for an app's cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CgroupFds {
    /// None.
    None,
    /// Version 1: `tasks` of each hierarchy for writing, then one `cgroup.procs` for reading.
    V1 {
        /// How many hierarchies.
        hierarchies: usize,
    },
    /// Version 2: the folder.
    V2,
}

/// From pod init to the monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromInit {
    /// An app has executed its program. With it come its pidfd, and its terminal if it has one.
    AppStarted {
        /// Which.
        app: AppName,
    },
    /// Every app has.
    Started,
    /// The pod could not be started; pod init ends.
    Failed(StartFailure),
    /// The main process of an app has ended.
    AppExited {
        /// Which.
        app: AppName,
        /// How; whether memory was short is for the monitor to see.
        outcome: Outcome,
    },
    /// The answer to [`ToInit::Peers`].
    PeersTold {
        /// Why `/etc/hosts` could not be changed.
        failure: Option<String>,
    },
    /// A command has executed its program. With it come its pidfd, and its terminal if it has one.
    ExecStarted {
        /// The monitor's number for it.
        id: u64,
    },
    /// A command could not be started.
    ExecFailed {
        /// The monitor's number for it.
        id: u64,
        /// Why.
        failure: StartFailure,
    },
    /// A command has ended.
    ExecExited {
        /// The monitor's number for it.
        id: u64,
        /// How.
        outcome: Outcome,
    },
    /// All apps have ended; pod init ends, and everything in the pod with it.
    Finished {
        /// The pod's exit code.
        exit_code: i32,
    },
}
