//! `fairing app start`: starts apps of a running pod.

use clap::Args;
use engine::pods::apps::OpenPod;
use pod::AppName;

use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `app start`.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// Apps that were added, or have ended
    #[arg(value_name = "APP", required = true)]
    apps: Vec<AppName>,
}

impl Subcommand for Start {
    const NAME: &'static str = "start";
    const ABOUT: &'static str = "Start apps of a running pod; their images are verified again";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod)?;
        let pod = OpenPod::connect(&context.engine, &entry)?;
        for_each(self.apps, |app| {
            pod.start(&app, &context.console)?;
            output::line(app.as_str())
        })
    }
}
