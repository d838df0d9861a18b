//! Pods as they stand on disk, and the contract between stage0 and an isolator (stage1).
//!
//! A pod is a directory, a lock and a rename: there is no database and no daemon. This crate holds the
//! types of every file in that directory, the rules for moving a pod from one phase to the next, and the
//! messages of the control protocol. Stage0 and the isolators share nothing else.
//!
//! # The stage1 contract
//!
//! An isolator is a directory with a [`stage1::Stage1Manifest`] named `stage1.json`. It names the
//! contract version ([`stage1::CONTRACT_VERSION`]), the isolator's features ([`feature::Feature`]) and its entry points.
//!
//! **`run`** is executed by stage0 in place of itself, so that the process which the user or the
//! service manager started becomes the pod's *monitor*:
//!
//! - the working directory is the pod directory, in phase `run`;
//! - [`stage1::ENV_LOCK_FD`] names an open file descriptor that holds the pod's lock. The entry point
//!   keeps it open for as long as anything of the pod lives and hands it to no app. The kernel
//!   releases the lock when the last holder dies; nothing else says that a pod runs;
//! - [`stage1::ENV_RUN_DIR`] names the pod's runtime directory (created by stage1, removed by stage1);
//! - [`stage1::ENV_LAYERS_DIR`] names the directory of unpacked layers, one directory a diff ID, each with its
//!   tree in `fs/`; they are shared between pods and must never be changed;
//! - [`stage1::ENV_READY_FD`], if set, names a descriptor on which one [`stage1::Readiness`] document is
//!   written when every app has been started, or could not be; then it is closed;
//! - [`stage1::ENV_CLIENT_FD`], if set, names a connection as those to the control socket are, with a client that is there
//!   before any app runs. What it has sent by then is served first. It comes only to isolators with the feature
//!   [`feature::Feature::Attach`];
//! - [`stage1::ENV_HINT`], if set, is a line that is written to standard error if no program could be executed, or the
//!   pod ends at once with an exit code by which programs say that they were called in a wrong way: words of the command
//!   line may have been meant for the other side;
//! - [`stage1::ENV_PREPARED`], if set, says that an earlier call prepared the pod. If it can't be started, it goes back
//!   to phase `prepared`; any other pod goes;
//! - sockets of a service manager come as they came to stage0, by the protocol of sd_listen_fds(3): descriptors from
//!   3 on, `LISTEN_FDS`, `LISTEN_FDNAMES` and, being the entry point's own process ID, `LISTEN_PID` ([`activation`]).
//!   The entry point hands each to the app that [`activation::app_of`] says, again by that protocol, in order
//!   and with their names, and to nobody else; it keeps none. They come only to isolators with the feature
//!   [`feature::Feature::SocketActivation`]. Without sockets these variables are not set;
//! - [`stage1::ENV_DIR`], [`stage1::ENV_RUN`], [`stage1::ENV_LOCAL_CONFIG`] and [`stage1::ENV_SYSTEM_CONFIG`] name the
//!   directories that the command works on: there networks are configured and their state is kept ([`network`]), and
//!   volumes are that outlive pods ([`named_volumes`]);
//! - for a pod that joins networks it writes [`network::NETWORK_FILE`] before any app starts;
//! - it reads [`manifest::MANIFEST_FILE`], runs the apps, serves the control protocol ([`control`]) on
//!   the socket [`control::SOCKET_FILE`] in the runtime directory (mode 0600), and writes
//!   [`exit::AppStatus`] to `apps/NAME/status.json` and [`exit::PodExit`] to `exit.json` at the end;
//! - if the manifest asks for it ([`manifest::PodManifest::remove_on_exit`]), it removes the pod;
//! - its exit code is the pod's: see [`exit::PodExit::exit_code`].
//!
//! **`gc`** is executed with the pod directory (in phase `garbage`, its lock held by the caller) as the
//! working directory and the same environment. It removes whatever a killed `run` may have left outside
//! of the pod directory: processes, cgroups, places in networks, the runtime directory. It is idempotent.
//!
//! **`copy`**, which not every isolator has, is executed for a pod that does not run, with the pod directory as the working
//! directory and the same environment; the lock's descriptor is there if the caller holds the lock, as it does of a pod in
//! phase `prepared`. Its last argument is a [`control::CopyRequest`]. It sends or takes the files as a tar stream, through
//! its standard streams, and tells on standard error what it leaves out, and last why it failed. What the app's files hold
//! is hostile: nothing in them leads to the host.
//!
//! What a pod needs and the isolator's manifest does not offer is refused by stage0 before anything
//! starts ([`stage1::Stage1::require`]).

pub mod accounts;
pub mod activation;
pub mod app_dir;
mod claimed_pairs;
pub mod containers_seccomp;
pub mod control;
pub mod disk_usage;
pub mod entry;
pub mod error;
pub mod exit;
pub mod feature;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod holder_link;
pub mod id;
pub mod id_blocks;
pub mod kernel;
pub mod layout;
pub mod lock;
pub mod machine;
pub mod machine_parts;
pub mod machine_users;
pub mod manifest;
pub mod named_volumes;
pub mod names;
pub mod network;
pub mod phase;
pub mod pods_dir;
mod private_dir;
pub mod processes;
pub mod record;
pub mod removal;
mod renaming;
pub mod selinux;
pub mod seqpacket;
pub mod signal;
pub mod stage1;
mod sys;
pub mod templates;
pub mod timestamp;
pub mod volumes;

pub use error::PodError;
pub use id::{AppName, PodName, PodUuid};
pub use phase::{Phase, State};
pub use pods_dir::{LockedPod, PodEntry, PodsDir};
