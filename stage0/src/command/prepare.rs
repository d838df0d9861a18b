//! `fairing prepare`: makes a pod to be started later.

use clap::Args;
use engine::pods::prepare::prepare;
use pod::activation::ActivationSockets;

use crate::arguments::app::AppArguments;
use crate::arguments::lifetime::LifetimeArguments;
use crate::arguments::pod::{PodArguments, spec};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::start::service;
use crate::start::uuid_file::UuidFile;
use crate::wording::failure::Failure;

/// Arguments of `prepare`.
#[derive(Debug, Args)]
pub(crate) struct Prepare {
    #[command(flatten)]
    pod: PodArguments,
    #[command(flatten)]
    lifetime: LifetimeArguments,
    #[command(flatten)]
    first: AppArguments,
}

impl Subcommand for Prepare {
    const NAME: &'static str = "prepare";
    const ALIASES: &'static [&'static str] = &["create"];
    const ABOUT: &'static str = "Make a pod to be started with run-prepared, and print its UUID";
    const EPILOGUE: Option<&'static str> = Some("`fairing prepare --help-all` has all flags.");
    const USAGE: Option<&'static str> =
        Some("fairing prepare [FLAGS] IMAGE [APP FLAGS] [COMMAND] [ARGS] [--- IMAGE2 …]");

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let context = &self.pod.retry.context(context, service::has_started_this());
        let uuid_file = self.pod.uuid_file();
        let mut spec = spec(self.pod, &self.first, &context.later_apps)?;
        self.lifetime.apply(&mut spec);
        let uuid_file = UuidFile::save_if_wanted(uuid_file, spec.uuid)?;
        let sockets = ActivationSockets::default();
        let prepared = prepare(&context.engine, &spec, &sockets, &context.console)?;
        let uuid = prepared.keep()?;
        if let Some(file) = uuid_file {
            file.keep();
        }
        output::line(&uuid.to_string())?;
        Ok(0)
    }
}
