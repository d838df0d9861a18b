//! `fairing app sandbox`: a pod without apps, which stays until it is stopped.

use clap::Args;
use engine::pods::prepare::prepare;
use pod::activation::ActivationSockets;
use pod::manifest::{Lifetime, Streams};

use crate::arguments::lifetime::AppFailure;
use crate::arguments::pod::{PodArguments, empty_spec};
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::start::handover;
use crate::start::uuid_file::UuidFile;
use crate::wording::failure::Failure;

/// Arguments of `app sandbox`.
#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    #[command(flatten)]
    pod: PodArguments,
    /// Remove the pod when it has been stopped
    #[arg(long, help_heading = "Pod flags")]
    rm: bool,
    /// Run in the background and print the pod's UUID once it is up
    #[arg(short, long, help_heading = "Pod flags")]
    detach: bool,
    /// What the failure of one app is to the others
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Pod flags")]
    #[arg(default_value_t = AppFailure::Continue)]
    on_app_failure: AppFailure,
}

impl Subcommand for Sandbox {
    const NAME: &'static str = "sandbox";
    const ABOUT: &'static str = "Run a pod without apps, which stays until it is stopped";

    const EPILOGUE: Option<&'static str> = Some("`fairing app sandbox --help-all` has all flags.");

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let uuid_file = self.pod.uuid_file();
        let mut spec = empty_spec(self.pod)?;
        spec.remove_on_exit = self.rm;
        spec.lifetime = Lifetime::UntilStopped;
        spec.on_app_failure = self.on_app_failure.into();
        spec.streams = match self.detach {
            true => Streams::Log,
            false => Streams::Foreground,
        };
        let uuid_file = UuidFile::save_if_wanted(uuid_file, spec.uuid)?;
        let sockets = ActivationSockets::default();
        let prepared = prepare(&context.engine, &spec, &sockets, &context.console)?;
        let (pod, stage1) = (prepared.pod, prepared.stage1);
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
