//! `fairing rm`: removes pods.

use clap::Args;
use engine::pods::removal::{Removal, remove_seen};
use engine::pods::stop::{Stop, stop};
use pod::{PodError, State};

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
            let uuid = entry.uuid;
            match remove_seen(entry, &context.engine, &context.console)? {
                Removal::Done | Removal::GoneAlready => output::line(&uuid.to_string()),
                Removal::InUse => Err(PodError::Locked(uuid).into()),
            }
        })
    }
}
