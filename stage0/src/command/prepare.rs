//! `fairing prepare`: makes a pod to be started later.

use clap::Args;
use pod::Phase;
use pod::activation::ActivationSockets;
use pod::manifest::Streams;

use super::Subcommand;
use crate::arguments::app::AppArguments;
use crate::arguments::pod::{PodArguments, apps};
use crate::context::Context;
use crate::failure::Failure;
use crate::prepare::{discard, sync};
use crate::{output, pod_flow};

/// Arguments of `prepare`.
#[derive(Debug, Args)]
pub(crate) struct Prepare {
    #[command(flatten)]
    pod: PodArguments,
    #[command(flatten)]
    first: AppArguments,
}

impl Subcommand for Prepare {
    const NAME: &'static str = "prepare";
    const ABOUT: &'static str = "Make a pod to be started with run-prepared, and print its UUID";
    const USAGE: Option<&'static str> = Some(
        "fairing prepare [POD FLAGS] IMAGE [APP FLAGS] [-- ARGS] [--- IMAGE2 [APP FLAGS] [-- ARGS] …]",
    );

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let apps = apps(self.first, context)?;
        let prepared = pod_flow::prepare(
            context,
            self.pod,
            &apps,
            Streams::Foreground,
            false,
            &ActivationSockets::default(),
        )?;
        let mut pod = prepared.pod;
        let uuid = pod.uuid();
        let moved = pod
            .move_to(Phase::Prepared)
            .map_err(Failure::from)
            .and_then(|()| sync(&pod));
        if let Err(failure) = moved {
            discard(pod);
            return Err(failure);
        }
        if let Some(file) = prepared.uuid_file {
            file.keep();
        }
        drop(prepared.pin);
        output::line(&uuid.to_string())?;
        Ok(0)
    }
}
