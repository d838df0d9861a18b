//! `fairing stop`: ends pods.

use clap::Args;
use engine::pods::stop::{Stop, stop};
use pod::State;

use crate::arguments::selector::Pods;
use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub(crate) struct StopPods {
    #[command(flatten)]
    pods: Pods,
    /// Kill the apps at once
    #[arg(short, long)]
    force: bool,
}

impl Subcommand for StopPods {
    const NAME: &'static str = "stop";
    const ABOUT: &'static str =
        "Stop pods: send the stop signal, and SIGKILL after the grace period";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        for_each(self.pods.selectors()?, |selector| {
            let entry = context.engine.pods().find(&selector)?;
            match entry.state()? {
                State::Running => {}
                State::Exited => {
                    output::error(&format!("pod {} has already stopped\n", entry.uuid));
                    return Ok(());
                }
                state => {
                    return Err(Failure::Other(format!(
                        "pod {} is not running: it {}",
                        entry.uuid,
                        state.in_words()
                    )));
                }
            }
            let how = match self.force {
                true => Stop::AtOnce,
                false => Stop::Gracefully(None),
            };
            stop(&entry, &context.engine.directories, how)?;
            output::line(&entry.uuid.to_string())
        })
    }
}
