//! `fairing play`: runs pods that are written in YAML, as Kubernetes has it.

mod credentials;
mod network;
mod pods;

use std::path::PathBuf;

use clap::Args;
use pod::PodName;

use crate::arguments::label::label;
use crate::arguments::lifetime::ReadyWhenFlag;
use crate::arguments::logging::LogArguments;
use crate::arguments::machine::MachineArguments;
use crate::arguments::pod::UuidPlace;
use crate::arguments::users::UserArguments;
use crate::command::down::down;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::kube::files::PodFile;
use crate::start::handover;
use crate::wording::failure::Failure;

use self::credentials::CredentialArguments;
use self::network::PlayNetworkArguments;

/// Where Kubernetes' nodes have profiles of system calls.
const SECCOMP_PROFILES: &str = "/var/lib/kubelet/seccomp";

/// Arguments of `play`.
#[derive(Debug, Args)]
pub(crate) struct Play {
    /// Files of pods in YAML; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Run in the background; print the UUIDs of the pods when they are up
    #[arg(short, long)]
    detach: bool,
    /// Print what the manifests of the pods would be, and start nothing
    ///
    /// Images are fetched and verified as for a start.
    #[arg(long, conflicts_with_all = ["detach", "replace", "wait"])]
    dry_run: bool,
    /// Stop and remove pods of the same names first
    #[arg(long)]
    replace: bool,
    /// Whether the pods are started, or made to be started later [default: true]
    #[arg(long, value_name = "BOOL", hide_short_help = true, action = clap::ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    start: Option<bool>,
    /// Remove the pod when it has ended
    #[arg(short, long, conflicts_with = "detach")]
    wait: bool,
    /// End the pods of the files, as `fairing down` does
    #[arg(long, conflicts_with_all = ["detach", "dry_run", "replace", "wait", "start"])]
    down: bool,
    /// With --down, remove the volumes of their claims, too
    #[arg(long, requires = "down", hide_short_help = true)]
    force: bool,
    /// Files of ConfigMaps and Secrets that the pods refer to
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    configmap: Vec<String>,
    #[command(flatten)]
    network: PlayNetworkArguments,
    #[command(flatten)]
    users: UserArguments,
    #[command(flatten)]
    log: LogArguments,
    #[command(flatten)]
    credentials: CredentialArguments,
    /// Note for those who look at the pods
    #[arg(long, value_name = "KEY[=VALUE]", value_parser = label, hide_short_help = true)]
    annotation: Vec<(String, String)>,
    /// Tell nothing of the progress of fetches
    #[arg(short, long, hide_short_help = true)]
    quiet: bool,
    /// Isolator: its name, its directory (beginning with / or ./), or a signed image of it
    #[arg(long, value_name = "NAME|DIR|IMAGE", hide_short_help = true)]
    stage1: Option<String>,
    #[command(flatten)]
    machine: MachineArguments,
    #[command(flatten)]
    ready: ReadyWhenFlag,
    /// Directory of the profiles that `localhostProfile` names
    #[arg(long, value_name = "DIR", default_value = SECCOMP_PROFILES, hide_short_help = true)]
    seccomp_profile_root: PathBuf,
    /// File to write the pod's UUID to, before anything can fail
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    uuid_file_save: Option<PathBuf>,
}

impl Subcommand for Play {
    const NAME: &'static str = "play";
    const ABOUT: &'static str = "Run pods that are written in YAML, as Kubernetes has it";
    const EPILOGUE: Option<&'static str> = Some(
        "Examples:\n  \
         fairing play web.yaml\n  \
         fairing play --detach --replace web.yaml\n  \
         fairing play --dry-run web.yaml",
    );

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let sockets = handover::take_sockets()?;
        let files = PodFile::read_all(&self.files)?;
        if self.down {
            return down(&files, self.force, context);
        }
        let config_maps = PodFile::read_all(&self.configmap)?;
        let plan = pods::plan(&self, &files, &config_maps)?;
        let context = self.credentials.context(context, &plan, self.quiet)?;
        if self.dry_run {
            return pods::dry_run(plan, &context);
        }
        pods::make_volumes(&plan.claims, &context)?;
        if plan.specs.is_empty() {
            for claim in &plan.claims {
                output::line(claim.volume.as_str())?;
            }
            return Ok(0);
        }
        let uuid_file = self.uuid_file_save.clone().map(UuidPlace::Any);
        match (self.start.unwrap_or(true), self.detach) {
            (false, _) => pods::prepare_all(plan, &context),
            (true, true) if plan.specs.len() > 1 => pods::start_all(plan, &context),
            (true, detach) => {
                let how = pods::How {
                    detach,
                    remove: self.wait,
                    uuid_file,
                    sockets,
                };
                pods::run_one(plan, how, &context)
            }
        }
    }
}

/// The names of pods, for messages.
fn listed(names: &[Option<PodName>]) -> String {
    let names = names.iter().flatten().map(PodName::as_str);
    names.collect::<Vec<_>>().join(", ")
}
