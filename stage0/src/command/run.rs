//! `fairing run`: makes a pod and becomes its monitor.

use clap::Args;
use engine::pods::prepare::prepare;
use pod::manifest::Streams;

use crate::arguments::app::AppArguments;
use crate::arguments::lifetime::LifetimeArguments;
use crate::arguments::pod::{PodArguments, spec};
use crate::command::subcommand::Subcommand;
use crate::command::trust::offer::Offers;
use crate::context::Context;
use crate::start::handover;
use crate::start::uuid_file::UuidFile;
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
        let uuid_file = self.pod.uuid_file();
        let mut spec = spec(self.pod, &self.first, &context.later_apps)?;
        self.lifetime.apply(&mut spec);
        spec.remove_on_exit = self.rm;
        spec.streams = match self.detach {
            true => Streams::Log,
            false => Streams::Foreground,
        };
        let uuid_file = UuidFile::save_if_wanted(uuid_file, spec.uuid)?;
        let mut offers = Offers::default();
        let prepared = loop {
            match prepare(&context.engine, &spec, &sockets, &context.console) {
                Ok(prepared) => break prepared,
                Err(error) => offers.pin(context, &spec, error)?,
            }
        };
        let (pod, stage1) = (prepared.pod, prepared.stage1);
        // The pin ends with this process image, or with this call: the pod is on record by then.
        let _pin = prepared.pin;
        let result = handover::hand_over(pod, &stage1, context, sockets, self.detach);
        if let Some(file) = uuid_file
            && (result.is_ok() || !matches!(context.engine.pods().by_uuid(spec.uuid), Ok(None)))
        {
            file.keep();
        }
        result
    }
}
