//! `fairing rm`: removes pods.

use clap::Args;
use engine::pods::removal::{lost_race, remove};
use engine::pods::stop::{Stop, stop};
use pod::State;

use crate::arguments::selector::Pods;
use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    #[command(flatten)]
    pods: Pods,
    /// Kill those that are running first
    #[arg(short, long)]
    force: bool,
}

impl Subcommand for Rm {
    const NAME: &'static str = "rm";
    const ABOUT: &'static str = "Remove pods that are not running";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let pods = context.engine.pods();
        for_each(self.pods.selectors()?, |selector| {
            let mut entry = pods.find(&selector)?;
            match entry.state()? {
                State::Running if self.force => {
                    stop(&entry, &context.engine.directories, Stop::AtOnce)?;
                    entry = match pods.by_uuid(entry.uuid)? {
                        Some(entry) => entry,
                        // It went by itself: --rm.
                        None => return output::line(&entry.uuid.to_string()),
                    };
                }
                State::Running => {
                    return Err(Failure::Other(format!(
                        "pod {} is running; `fairing stop {selector}` first, or remove it with --force",
                        entry.uuid
                    )));
                }
                State::Preparing => {
                    return Err(Failure::Other(format!(
                        "pod {} is being prepared",
                        entry.uuid
                    )));
                }
                _ => {}
            }
            match pods.lock(&entry) {
                Ok(pod) => remove(pod, &context.engine, &context.console)?,
                // Another command removes it.
                Err(error) if lost_race(&error) && pods.find(&entry.uuid.to_string()).is_err() => {}
                Err(error) => return Err(error.into()),
            }
            output::line(&entry.uuid.to_string())
        })
    }
}
