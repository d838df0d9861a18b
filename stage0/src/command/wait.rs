//! `fairing wait`: waits for the end of pods, or until they are in some other state.

use std::time::Duration;

use clap::{Args, Command};
use engine::pods::condition::{Condition, Reached, wait_for};
use engine::pods::wait::wait;
use pod::{AppName, State};

use crate::arguments::condition::condition;
use crate::arguments::duration::interval;
use crate::arguments::selector::{Pods, without_letters};
use crate::command::several::{Named, for_each_pod_or};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// What stands for an exit code where the wait was not for an end, or there is no such pod, as podman has it.
const NO_EXIT_CODE: i32 = -1;

/// Arguments of `wait`.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    #[command(flatten)]
    pods: Pods,
    /// Wait for this app [default: for the pod]
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    /// State to wait for, or one of several, such as running or removed [default: exited]
    #[arg(long = "condition", value_name = "CONDITION", value_delimiter = ',')]
    #[arg(value_parser = condition)]
    conditions: Vec<Condition>,
    /// Taken and not needed: changes are told, and not looked for
    #[arg(short, long, value_name = "DURATION", value_parser = interval)]
    interval: Option<Duration>,
}

impl Subcommand for Wait {
    const NAME: &'static str = "wait";
    const ABOUT: &'static str = "Wait until pods have ended, and print their exit codes; or until they are in another state";

    // That letter stands for --interval.
    fn adjusted(command: Command) -> Command {
        without_letters(command, &["ignore"])
    }

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let Self {
            pods,
            app,
            conditions,
            interval: _,
        } = self;
        let is_meant = |state| match conditions.as_slice() {
            [] => state == State::Running,
            _ => true,
        };
        let other = || output::line(&NO_EXIT_CODE.to_string());
        let directories = &context.engine.directories;
        for_each_pod_or(
            pods,
            context,
            is_meant,
            |_| other(),
            |Named { typed, entry }| {
                let reached = match conditions.as_slice() {
                    [] => Reached::End(wait(&entry, directories, app.as_ref())?),
                    _ => wait_for(entry.uuid, directories, app.as_ref(), &conditions)?,
                };
                match reached {
                    Reached::End(Some(code)) => output::line(&code.to_string()),
                    Reached::End(None) => Err(Failure::Other(format!(
                        "pod {typed} was killed: nobody knows its exit code"
                    ))),
                    Reached::State(_) => other(),
                }
            },
        )
    }
}
