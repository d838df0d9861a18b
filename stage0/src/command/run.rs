//! `fairing run`: makes a pod and becomes its monitor.

use clap::Args;
use pod::manifest::Streams;

use super::Subcommand;
use crate::arguments::app::AppArguments;
use crate::arguments::pod::{PodArguments, apps};
use crate::context::Context;
use crate::failure::Failure;
use crate::{activation, handover, pod_flow};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pod: PodArguments,
    /// Remove the pod when it has ended
    #[arg(long, help_heading = "Pod flags")]
    rm: bool,
    /// Run in the background and print the pod's UUID once its apps are up
    #[arg(short, long, help_heading = "Pod flags", conflicts_with_all = ["tty", "interactive"])]
    detach: bool,
    #[command(flatten)]
    first: AppArguments,
}

impl Subcommand for Run {
    const NAME: &'static str = "run";
    const ABOUT: &'static str = "Run images as a pod";
    const USAGE: Option<&'static str> = Some(
        "fairing run [POD FLAGS] IMAGE [APP FLAGS] [-- ARGS] [--- IMAGE2 [APP FLAGS] [-- ARGS] …]",
    );

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let sockets = activation::take()?;
        let apps = apps(self.first, context)?;
        let streams = match self.detach {
            true => Streams::Log,
            false => Streams::Foreground,
        };
        let prepared = pod_flow::prepare(context, self.pod, &apps, streams, self.rm, &sockets)?;
        let (pod, stage1) = (prepared.pod, prepared.stage1);
        // The pin ends with this process image, or with this call: the pod is on record by then.
        let _pin = prepared.pin;
        let uuid_file = prepared.uuid_file;
        let uuid = pod.uuid();
        let result = handover::hand_over(pod, &stage1, context, sockets, self.detach);
        if let Some(file) = uuid_file
            && (result.is_ok() || !matches!(context.pods().by_uuid(uuid), Ok(None)))
        {
            file.keep();
        }
        result
    }
}
