//! `fairing app rm`: apps leave a running pod.

use clap::Args;
use engine::pods::apps::OpenPod;
use pod::AppName;

use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `app rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// Apps of it
    #[arg(value_name = "APP", required = true)]
    apps: Vec<AppName>,
    /// Kill apps that run
    #[arg(short, long)]
    force: bool,
}

impl Subcommand for Rm {
    const NAME: &'static str = "rm";
    const ABOUT: &'static str = "Remove apps from a running pod, with their files and logs";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod)?;
        let pod = OpenPod::connect(&context.engine, &entry)?;
        for_each(self.apps, |app| {
            pod.remove(&app, self.force)?;
            output::line(app.as_str())
        })
    }
}
