//! An app that runs, for commands that talk about it to its pod's monitor.

use std::collections::BTreeSet;
use std::io;

use engine::Error;
use engine::error::AppError;
use engine::isolators::find as isolator;
use engine::pods::connection::{connect_when_up, live_status};
use pod::exit::{AppStatus, Outcome};
use pod::feature::Feature;
use pod::manifest::PodManifest;
use pod::seqpacket::SeqPacket;
use pod::{AppName, PodEntry, PodError, State, app_dir};

use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::pod::ended;

/// A connection to the monitor of a pod, and an app of that pod.
pub(crate) struct RunningApp {
    pub(crate) connection: SeqPacket,
    pub(crate) app: AppName,
}

impl RunningApp {
    /// The app of this name, or the only one, of a pod that runs. `done` is what is to be done with it, for messages:
    /// "entered"; `feature` is what its isolator has to offer for that.
    ///
    /// # Errors
    /// If there is none, if several could be meant, if it does not run, or if the isolator lacks the feature.
    pub(crate) fn open(
        context: &Context,
        pod: &str,
        app: Option<&AppName>,
        done: &str,
        feature: Feature,
    ) -> Result<Self, Failure> {
        let (entry, app) = context.pod_with_app(pod, app)?;
        let state = entry.state()?;
        if state != State::Running {
            return Err(not_running(&entry, state, done));
        }
        let manifest = match PodManifest::load(&entry.path) {
            // It has ended and gone since it was looked at.
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(not_running(&entry, State::Exited, done));
            }
            other => other?,
        };
        let app = app_of(&manifest, app.as_ref())?;
        refuse_ended(context, &entry, &app)?;
        isolator::of_pod(&manifest.stage1, &context.engine.directories)?
            .require(&BTreeSet::from([feature]))?;
        match connect_when_up(&entry, &context.engine.directories)? {
            Some(connection) => Ok(Self { connection, app }),
            None => Err(not_running(&entry, State::Exited, done)),
        }
    }
}

/// The app of this name, or the only one.
pub(super) fn app_of(manifest: &PodManifest, asked: Option<&AppName>) -> Result<AppName, Failure> {
    let names = || {
        let names: Vec<_> = manifest.apps.iter().map(|app| app.name.as_str()).collect();
        names.join(", ")
    };
    match (asked, &*manifest.apps) {
        (Some(name), _) if manifest.app(name).is_some() => Ok(name.clone()),
        (Some(name), apps) => {
            let unknown = Failure::from(Error::from(AppError::unknown(manifest, name)));
            Err(match apps {
                [] => unknown.helped("add one with fairing app add".to_owned()),
                _ => unknown,
            })
        }
        (None, [only]) => Ok(only.name.clone()),
        (None, []) => Err(Failure::Other(format!(
            "pod {} has no apps; add one with fairing app add",
            manifest.called()
        ))),
        (None, _) => Err(Failure::Usage(format!(
            "pod {} has several apps; name one with --app: {}",
            manifest.called(),
            names()
        ))),
    }
}

/// An app of a running pod that has ended, or was never started, can't be entered.
fn refuse_ended(context: &Context, entry: &PodEntry, app: &AppName) -> Result<(), Failure> {
    // A torn record says as little as none.
    if let Ok(Some(status)) = AppStatus::load(&entry.path, app) {
        // That it can't be asked is of no account here.
        let live = live_status(entry, &context.engine.directories)
            .ok()
            .flatten();
        let known = live.and_then(|live| live.apps.into_iter().find(|known| known.name == *app));
        let again = known.and_then(|known| known.next_start);
        return Err(Failure::Other(format!(
            "app {app} of pod {} has ended (exit code {}{}){}",
            entry.uuid,
            status.exit_code,
            match status.outcome {
                Outcome::Exited { .. } => String::new(),
                other => format!(", {}", ended(&other, status.out_of_memory)),
            },
            again.map_or(String::new(), |time| format!(
                ", and starts again at {time}"
            )),
        )));
    }
    if app_dir::is_created(&entry.path, app) {
        let uuid = entry.uuid;
        return Err(Failure::Other(format!(
            "app {app} of pod {uuid} has not been started; `fairing app start {uuid} {app}` starts it"
        )));
    }
    Ok(())
}

fn not_running(entry: &PodEntry, state: State, done: &str) -> Failure {
    Failure::Other(format!(
        "pod {} can't be {done}: it {}",
        entry.uuid,
        state.in_words()
    ))
}
