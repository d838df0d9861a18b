//! `fairing start`: starts pods that were prepared, and apps of pods that run.

use clap::{Args, Command};
use engine::pods::apps::OpenPod;
use engine::pods::prepared::{Resumption, resume};
use engine::pods::status::status;
use engine::pods::view::AppState;
use pod::activation::ActivationSockets;
use pod::manifest::Streams;
use pod::{AppName, PodError, State};

use super::several::{Named, for_each_pod};
use crate::arguments::selector::{Pods, without_letters};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::start::handover;
use crate::wording::failure::Failure;

/// Arguments of `start`.
#[derive(Debug, Args)]
pub(crate) struct Start {
    #[command(flatten)]
    pods: Pods,
    /// The app to start in a pod that runs [default: each that doesn't]
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
}

impl Subcommand for Start {
    const NAME: &'static str = "start";
    const ABOUT: &'static str =
        "Start pods that were prepared, in the background, and apps of running pods";

    // Those letters stand for --attach and --interactive elsewhere.
    fn adjusted(command: Command) -> Command {
        without_letters(command, &["all", "ignore"])
    }

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let can_start = |state| state == State::Prepared;
        for_each_pod(self.pods, context, can_start, |named| {
            let Named { typed, entry } = &named;
            match entry.state()? {
                State::Prepared if self.app.is_none() => {
                    return start_prepared(context, &named);
                }
                State::Running => start_apps(context, &named, self.app.as_ref())?,
                State::Exited => return Err(Failure::Other(not_again(typed, "started"))),
                state => {
                    return Err(Failure::Other(format!(
                        "pod {typed} can't be started: it {}",
                        state.in_words()
                    )));
                }
            }
            output::line(typed)
        })
    }
}

/// Why a pod that has ended isn't there to be used again.
pub(super) fn not_again(typed: &str, what: &str) -> String {
    format!(
        "pod {typed} can't be {what}: it has ended, and a pod runs once; `fairing rm {typed}` and \
         `fairing run --name {typed} …` make another, and `run --lifetime=until-stopped` one whose \
         apps can be started again"
    )
}

fn start_prepared(context: &Context, Named { typed, entry }: &Named) -> Result<(), Failure> {
    let asked = Resumption {
        streams: Streams::Log,
        remove_on_exit: false,
    };
    let sockets = ActivationSockets::default();
    let prepared = resume(&context.engine, entry, asked, &sockets, &context.console)?;
    let _pin = prepared.pin;
    handover::in_background(prepared.pod, &prepared.stage1, context, typed).map(drop)
}

/// Starts an app of a pod that runs, or each that doesn't run.
fn start_apps(
    context: &Context,
    Named { typed, entry }: &Named,
    app: Option<&AppName>,
) -> Result<(), Failure> {
    let names = match app {
        Some(app) => vec![app.clone()],
        None => {
            let view = status(&context.engine, entry, &context.console)?
                .ok_or_else(|| PodError::NoSuchPod(typed.clone()))?;
            let stopped = view.apps.into_iter();
            stopped
                .filter(|app| matches!(app.state, AppState::Created | AppState::Exited))
                .map(|app| app.name)
                .collect()
        }
    };
    // All of it runs already, which is what was wanted.
    if names.is_empty() {
        return Ok(());
    }
    let pod = OpenPod::connect(&context.engine, entry)?;
    for name in &names {
        pod.start(name, &context.console)?;
    }
    Ok(())
}
