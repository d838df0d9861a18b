//! `fairing app sandbox`: a pod without apps, which stays until it is stopped.

use clap::Args;
use pod::activation::ActivationSockets;
use pod::manifest::Lifetime;

use crate::arguments::lifetime::AppFailure;
use crate::arguments::pod::{PodArguments, empty_spec};
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::start::new_pod;
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
        let run = new_pod::Run {
            spec,
            detach: self.detach,
            uuid_file,
            sockets: ActivationSockets::default(),
        };
        // Without images there is nothing to be asked about.
        run.run(context, |_, error| Err(error.into()))
    }
}
