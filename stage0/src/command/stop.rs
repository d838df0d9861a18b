//! `fairing stop`: ends pods.

use std::time::Duration;

use clap::Args;
use pod::control::{Request, Response};
use pod::{PodEntry, State};

use super::{Subcommand, for_each};
use crate::arguments::selector::Pods;
use crate::connection::{Monitor, ask, connect_when_up, unexpected};
use crate::context::Context;
use crate::failure::Failure;
use crate::{ending, output};

/// How long a monitor that is told to end its pod at once may take.
const FORCED: Duration = Duration::from_secs(5);

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    pods: Pods,
    /// Kill the apps at once
    #[arg(short, long)]
    force: bool,
}

impl Subcommand for Stop {
    const NAME: &'static str = "stop";
    const ABOUT: &'static str = "End pods: the stop signal, and SIGKILL after the grace period";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        for_each(self.pods.selectors()?, |selector| {
            let entry = context.pods().find(&selector)?;
            match entry.state()? {
                State::Running => {}
                State::Exited => {
                    output::error(&format!("pod {} has already stopped\n", entry.uuid));
                    return Ok(());
                }
                state => {
                    return Err(Failure::Other(format!(
                        "pod {} does not run: it is {state}",
                        entry.uuid
                    )));
                }
            }
            stop(&entry, context, self.force)?;
            output::line(&entry.uuid.to_string())
        })
    }
}

/// Ends a running pod; returns when nothing of it runs any more.
///
/// # Errors
/// If it does not end.
pub(super) fn stop(entry: &PodEntry, context: &Context, force: bool) -> Result<(), Failure> {
    let Some(connection) = connect_when_up(entry, &context.directories)? else {
        return ending::wait_for_lock(entry);
    };
    let monitor = Monitor::of(&connection)?;
    let grace_ms = force.then_some(0);
    let request = Request::Stop { grace_ms };
    if !force {
        return match ask(&connection, &request)? {
            Some(Response::Done) | None => {
                ending::wait(entry, connection, None)?;
                monitor.wait()
            }
            Some(other) => Err(unexpected(&other)),
        };
    }
    // An answer is not waited for: the monitor may be stopped itself.
    let _ = connection.send(&request, &[]);
    if !ending::wait(entry, connection, Some(FORCED))? {
        // The kernel ends the pod with its monitor.
        monitor.kill()?;
        ending::wait_for_lock(entry)?;
    }
    monitor.wait()
}
