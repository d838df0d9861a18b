//! `fairing rm`: removes pods.

use clap::Args;
use engine::pods::removal::{Removal, remove_seen};
use engine::pods::stop::{Stop, stop};
use pod::{PodError, State};

use crate::arguments::selector::Pods;
use crate::command::several::{Named, for_each_pod_or};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    #[command(flatten)]
    pods: Pods,
    /// Kill those that are running first; those that are not there are no failure
    #[arg(short, long)]
    force: bool,
    // Volumes that nobody named go with their pod: there are none that could stay.
    #[arg(short, long, hide = true)]
    volumes: bool,
}

impl Subcommand for Rm {
    const NAME: &'static str = "rm";
    const ABOUT: &'static str = "Remove pods that are not running";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let is_told = self.force && !self.pods.ignore;
        let pods = context.engine.pods();
        let is_for = |state| match state {
            State::Running => self.force,
            State::Preparing => false,
            _ => true,
        };
        let mut meant = self.pods;
        meant.ignore |= self.force;
        // Whoever forces it wants that it is gone. It may be a slip all the same.
        let missing = |typed: &str| {
            if is_told {
                output::warn(&format!("no pod is called `{typed}`"));
            }
            Ok(())
        };
        for_each_pod_or(
            meant,
            context,
            is_for,
            missing,
            |Named { typed, mut entry }| {
                match entry.state()? {
                    State::Running if self.force => {
                        stop(&entry, &context.engine.directories, Stop::AtOnce)?;
                        entry = match pods.by_uuid(entry.uuid)? {
                            Some(entry) => entry,
                            // It went by itself: --rm.
                            None => return output::line(&typed),
                        };
                    }
                    State::Running => {
                        return Err(Failure::Other(format!(
                            "pod {typed} is running; `fairing stop {typed}` first, or remove it with --force"
                        )));
                    }
                    State::Preparing => {
                        return Err(Failure::Other(format!("pod {typed} is being prepared")));
                    }
                    _ => {}
                }
                let uuid = entry.uuid;
                match remove_seen(entry, &context.engine, &context.console)? {
                    Removal::Done | Removal::GoneAlready => output::line(&typed),
                    Removal::InUse => Err(PodError::Locked(uuid).into()),
                }
            },
        )
    }
}
