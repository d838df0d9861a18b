//! `fairing app add`: an app joins a running pod.

use clap::Args;
use engine::pods::apps::OpenPod;

use crate::arguments::app::AppArguments;
use crate::arguments::image_flags::Pull;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `app add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// When to fetch the image
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pull: Pull,
    /// Start the app, too
    #[arg(long)]
    start: bool,
    #[command(flatten)]
    app: AppArguments,
}

impl Subcommand for Add {
    const NAME: &'static str = "add";
    const ABOUT: &'static str =
        "Add an app to a running pod, and print its name; start it with app start";
    const USAGE: Option<&'static str> =
        Some("fairing app add [FLAGS] POD IMAGE [APP FLAGS] [COMMAND] [ARGS]");

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let spec = self.app.spec()?;
        let app = &self.app;
        if !(app.volumes().is_empty()
            && app.image_volumes().is_empty()
            && app.anonymous().is_empty())
        {
            return Err(Failure::Usage(
                "an app that joins a pod brings it no volumes: it can mount those that the pod has, named volumes, and \
                 directories of the host"
                    .to_owned(),
            ));
        }
        let entry = context.pod(&self.pod)?;
        let pod = OpenPod::connect(&context.engine, &entry)?;
        let name = pod.add(&spec, self.pull.into(), &context.console)?;
        if self.start
            && let Err(error) = pod.start(&name, &context.console)
        {
            // The command has failed as a whole: it can be repeated.
            let _ = pod.remove(&name, true);
            return Err(error.into());
        }
        output::line(name.as_str())?;
        Ok(0)
    }
}
