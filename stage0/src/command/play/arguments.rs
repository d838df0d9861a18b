//! Arguments of `play`.

use std::path::PathBuf;

use clap::Args;

use super::credentials::CredentialArguments;
use super::network::PlayNetworkArguments;
use crate::arguments::isolator::IsolatorArgument;
use crate::arguments::label::label;
use crate::arguments::lifetime::ReadyWhenFlag;
use crate::arguments::logging::LogArguments;
use crate::arguments::machine::MachineArguments;
use crate::arguments::users::UserArguments;

/// Where Kubernetes' nodes have profiles of system calls.
const SECCOMP_PROFILES: &str = "/var/lib/kubelet/seccomp";

/// Arguments of `play`.
#[derive(Debug, Args)]
pub(crate) struct Play {
    /// Files of pods in YAML; - for standard input
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<String>,
    /// Run in the background; print the UUIDs of the pods when they are up
    #[arg(short, long)]
    pub(super) detach: bool,
    /// Print what the manifests of the pods would be, and start nothing
    ///
    /// Images are fetched and verified as for a start.
    #[arg(long, conflicts_with_all = ["detach", "wait"])]
    pub(super) dry_run: bool,
    /// Stop and remove pods of the same names first
    #[arg(long)]
    pub(super) replace: bool,
    /// Whether the pods are started, or made to be started later [default: true]
    #[arg(long, value_name = "BOOL", hide_short_help = true, action = clap::ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) start: Option<bool>,
    /// Remove the pod when it has ended
    #[arg(short, long, conflicts_with = "detach")]
    pub(super) wait: bool,
    /// End the pods of the files, as `fairing down` does
    #[arg(long, conflicts_with_all = ["detach", "dry_run", "replace", "wait", "start"])]
    pub(super) down: bool,
    /// With --down, remove the volumes of their claims, too
    #[arg(long, requires = "down", hide_short_help = true)]
    pub(super) force: bool,
    /// Files of ConfigMaps and Secrets that the pods refer to
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub(super) configmap: Vec<String>,
    #[command(flatten)]
    pub(super) network: PlayNetworkArguments,
    #[command(flatten)]
    pub(super) users: UserArguments,
    #[command(flatten)]
    pub(super) log: LogArguments,
    #[command(flatten)]
    pub(super) credentials: CredentialArguments,
    /// Note for those who look at the pods
    #[arg(long, value_name = "KEY[=VALUE]", value_parser = label, hide_short_help = true)]
    pub(super) annotation: Vec<(String, String)>,
    /// Tell nothing of the progress of fetches
    #[arg(short, long, hide_short_help = true)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) isolator: IsolatorArgument,
    #[command(flatten)]
    pub(super) machine: MachineArguments,
    #[command(flatten)]
    pub(super) ready: ReadyWhenFlag,
    /// Directory of the profiles that `localhostProfile` names
    #[arg(long, value_name = "DIR", default_value = SECCOMP_PROFILES, hide_short_help = true)]
    pub(super) seccomp_profile_root: PathBuf,
    /// File to write the pod's UUID to, before anything can fail
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) uuid_file_save: Option<PathBuf>,
}
