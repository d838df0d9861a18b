//! `fairing start`: starts pods that were prepared, and apps of pods that run.

use std::collections::BTreeSet;

use clap::{ArgGroup, Args, Command};
use engine::Error;
use engine::isolators::find as isolators;
use engine::pods::apps::OpenPod;
use engine::pods::connection::{connect_when_up, live_status};
use engine::pods::prepared::{Resumption, resume};
use engine::pods::status::status;
use engine::pods::view::AppState;
use pod::activation::ActivationSockets;
use pod::control::AttachRequest;
use pod::feature::Feature;
use pod::manifest::{Lifetime, PodManifest, Streams};
use pod::seqpacket::SeqPacket;
use pod::{AppName, PodEntry, PodError, State};

use super::attached::{end, request};
use super::running_app::app_of;
use super::several::{Named, for_each_pod};
use crate::arguments::attachment::AttachmentFlags;
use crate::arguments::selector::{Pods, without_letters};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::start::handover;
use crate::start::readiness::HeldSignals;
use crate::terminal::attachment;
use crate::wording::failure::Failure;

/// Arguments of `start`.
#[derive(Debug, Args)]
pub(crate) struct Start {
    #[command(flatten)]
    pods: Pods,
    /// The app to start in a pod that runs [default: each that doesn't]
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    /// Show what the app writes, pass signals on to it, and exit with its code; of one pod
    #[arg(short, long, conflicts_with = "all")]
    attach: bool,
    /// The same, with this command's standard input as the app's if it was made with one
    #[arg(short, long, conflicts_with = "all")]
    interactive: bool,
    #[command(flatten)]
    flags: AttachmentFlags,
}

impl Subcommand for Start {
    const NAME: &'static str = "start";
    const ABOUT: &'static str =
        "Start pods that were prepared, in the background, and apps of running pods";

    // Those letters stand for --attach and --interactive.
    fn adjusted(command: Command) -> Command {
        let either = ArgGroup::new("attached").args(["attach", "interactive"]);
        let command = without_letters(command, &["all", "ignore"]).group(either.multiple(true));
        ["detach_keys", "sig_proxy"]
            .into_iter()
            .fold(command, |command, flag| {
                command.mut_arg(flag, |arg| arg.requires("attached"))
            })
    }

    fn run(self, context: &Context) -> Result<u8, Failure> {
        if self.attach || self.interactive {
            return self.attached(context);
        }
        let can_start = |state| state == State::Prepared;
        for_each_pod(self.pods, context, can_start, |named| {
            let Named { typed, entry } = &named;
            match entry.state()? {
                State::Prepared if self.app.is_none() => {
                    start_prepared(context, entry, None)?;
                    // Otherwise nobody would know that.
                    return output::line(typed)
                        .inspect_err(|_| output::warn(&format!("pod {typed} runs")));
                }
                State::Running => start_apps(context, &named, self.app.as_ref())?,
                state => return Err(cannot_start(typed, entry, state)),
            }
            output::line(typed)
        })
    }
}

/// Why a pod that has ended isn't there to be used again.
pub(super) fn not_again(typed: &str, entry: &PodEntry, what: &str) -> String {
    // One without a record has ended in whatever way.
    let lifetime = PodManifest::load(&entry.path).map(|manifest| manifest.lifetime);
    once(typed, what, lifetime.unwrap_or_default())
}

fn once(typed: &str, what: &str, lifetime: Lifetime) -> String {
    let (end, more) = match lifetime {
        Lifetime::UntilStopped => ("was stopped", ""),
        Lifetime::WithApps => (
            "has ended",
            ", and `run --lifetime=until-stopped` one whose apps can be started again",
        ),
    };
    format!(
        "pod {typed} can't be {what}: it {end}, and a pod runs once; `fairing rm {typed}` and \
         `fairing run --name {typed} …` make another{more}"
    )
}

fn cannot_start(typed: &str, entry: &PodEntry, state: State) -> Failure {
    Failure::Other(match state {
        State::Exited => not_again(typed, entry, "started"),
        state => format!("pod {typed} can't be started: it {}", state.in_words()),
    })
}

/// Starts a pod in the background, with the monitor's end of a connection if somebody is connected from the beginning.
fn start_prepared(
    context: &Context,
    entry: &PodEntry,
    client: Option<SeqPacket>,
) -> Result<HeldSignals, Failure> {
    let asked = Resumption {
        streams: Streams::Log,
        remove_on_exit: false,
        manager: None,
    };
    let sockets = ActivationSockets::default();
    let prepared = resume(&context.engine, entry, asked, &sockets, &context.console)?;
    let _pin = prepared.pin;
    handover::in_background(prepared.pod, &prepared.stage1, context, client)
}

impl Start {
    /// Starts one pod or app, or finds it running, and is attached to it: from its start on, so that nothing that it
    /// writes is missed.
    fn attached(self, context: &Context) -> Result<u8, Failure> {
        let ignore = self.pods.ignore;
        let mut selectors = self.pods.selectors()?;
        let (Some(typed), true) = (selectors.pop(), selectors.is_empty()) else {
            return Err(Failure::Usage(
                "one is attached to one pod at a time: start the others without --attach"
                    .to_owned(),
            ));
        };
        let entry = match context.pod(&typed) {
            Err(Failure::Engine(Error::Pod(PodError::NoSuchPod(_)))) if ignore => return Ok(0),
            other => other?,
        };
        let state = entry.state()?;
        if !matches!(state, State::Prepared | State::Running) {
            return Err(cannot_start(&typed, &entry, state));
        }
        let manifest = PodManifest::load(&entry.path)?;
        let app = app_of(&manifest, self.app.as_ref())?;
        isolators::of_pod(&manifest.stage1, &context.engine.directories)?
            .require(&BTreeSet::from([Feature::Attach]))?;
        let manifest = PodManifest {
            // What `resume` makes of it.
            streams: match state {
                State::Prepared => Streams::Log,
                _ => manifest.streams,
            },
            ..manifest
        };
        let request = AttachRequest {
            at_start: true,
            ..request(&manifest, app.clone(), self.interactive)
        };
        let manner = self.flags.manner(request.stdin);
        let (asked, held) = if state == State::Prepared {
            let (client, monitor) = SeqPacket::pair()?;
            // Before there is anybody to read it: it is the first that the monitor reads.
            let asked = attachment::ask(client, request)?;
            let held = start_prepared(context, &entry, Some(monitor))?;
            (asked, Some(held))
        } else {
            let ended = || cannot_start(&typed, &entry, State::Exited);
            let connection = connect_when_up(&entry, &context.engine.directories)?;
            let asked = attachment::ask(connection.ok_or_else(ended)?, request)?;
            if !runs(context, &entry, &app)? {
                OpenPod::connect(&context.engine, &entry)?.start(&app, &context.console)?;
            }
            (asked, None)
        };
        let ended = attachment::go_on(asked, manner, held)?;
        end(context, &entry, &manifest, ended)
    }
}

/// Whether an app of a pod runs, as far as its monitor tells.
fn runs(context: &Context, entry: &PodEntry, app: &AppName) -> Result<bool, Failure> {
    let live = live_status(entry, &context.engine.directories)?;
    let mut apps = live.into_iter().flat_map(|live| live.apps);
    Ok(apps.any(|live| live.name == *app && live.pid.is_some()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_had_a_pod_that_stays_is_not_told_to_have_one() {
        let stays = "--lifetime=until-stopped";
        assert!(once("web", "started", Lifetime::WithApps).contains(stays));
        let stopped = once("web", "started", Lifetime::UntilStopped);
        assert!(stopped.contains("it was stopped"), "{stopped}");
        assert!(!stopped.contains(stays), "{stopped}");
    }
}
