//! `fairing run`: makes a pod and becomes its monitor.

use clap::Args;
use engine::pods::spec::AppSpec;
use pod::manifest::RestartPolicy;

use crate::arguments::app::AppArguments;
use crate::arguments::lifetime::LifetimeArguments;
use crate::arguments::pod::{PodArguments, spec};
use crate::command::subcommand::Subcommand;
use crate::command::trust::offer::Offers;
use crate::context::Context;
use crate::start::{handover, new_pod, service};
use crate::wording::failure::Failure;

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pod: PodArguments,
    /// Remove the pod when it has ended
    #[arg(long, help_heading = "Pod flags")]
    rm: bool,
    /// Run in the background; print the UUID when it is up
    #[arg(short, long, help_heading = "Pod flags")]
    detach: bool,
    #[command(flatten)]
    lifetime: LifetimeArguments,
    #[command(flatten)]
    first: AppArguments,
}

impl Subcommand for Run {
    const NAME: &'static str = "run";
    const ABOUT: &'static str = "Run images as a pod";
    const EPILOGUE: Option<&'static str> = Some(
        "Examples:\n  \
         fairing run --rm -it docker.io/library/alpine sh\n  \
         fairing run -d --name web -p 8080:80 docker.io/library/nginx\n\n\
         `fairing run --help-all` has all flags.",
    );
    const USAGE: Option<&'static str> =
        Some("fairing run [POD FLAGS] IMAGE [APP FLAGS] [COMMAND] [ARGS] [--- IMAGE2 …]");

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let sockets = handover::take_sockets()?;
        let context = &self.pod.retry.context(context, service::has_started_this());
        let uuid_file = self.pod.uuid_file();
        let mut spec = spec(self.pod, &self.first, &context.later_apps)?;
        self.lifetime.apply(&mut spec);
        spec.remove_on_exit = self.rm;
        if self.rm && spec.apps.iter().any(restarts) {
            return Err(Failure::Usage(
                "--rm and --restart contradict each other: a pod that is to come back is not removed"
                    .to_owned(),
            ));
        }
        let mut offers = Offers::default();
        let run = new_pod::Run {
            spec,
            detach: self.detach,
            uuid_file,
            sockets,
        };
        run.run(context, |spec, error| offers.pin(context, spec, error))
    }
}

fn restarts(app: &AppSpec) -> bool {
    app.restart.policy != RestartPolicy::Never
}
