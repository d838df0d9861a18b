//! `fairing app stop`: ends apps of a running pod.

use std::time::Duration;

use clap::Args;
use engine::pods::apps::OpenPod;
use pod::AppName;

use crate::arguments::grace::Grace;
use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `app stop`.
#[derive(Debug, Args)]
pub(crate) struct StopApps {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// Apps of it
    #[arg(value_name = "APP", required = true)]
    apps: Vec<AppName>,
    /// Kill the apps at once
    #[arg(short, long, conflicts_with = "grace_period")]
    force: bool,
    #[command(flatten)]
    grace: Grace,
}

impl Subcommand for StopApps {
    const NAME: &'static str = "stop";
    const ABOUT: &'static str =
        "End apps of a running pod: the stop signal, and SIGKILL after the grace period";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod)?;
        let pod = OpenPod::connect(&context.engine, &entry)?;
        let grace = match self.force {
            true => Some(Duration::ZERO),
            false => self.grace.grace_period,
        };
        for_each(self.apps, |app| {
            pod.stop(&app, grace)?;
            output::line(app.as_str())
        })
    }
}
