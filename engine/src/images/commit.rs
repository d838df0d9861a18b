//! What an app has changed, as a new image.

use image_document::Platform;
use image_store::{Commit, ConfigChange, Interrupt, StagedCommit};
use oci_spec::image::Config as RunConfig;
use pod::exit::AppStatus;
use pod::manifest::{App, PodManifest};
use pod::timestamp::Timestamp;
use pod::{PodEntry, State, app_dir};

use crate::config::files::Config;
use crate::engine::Engine;
use crate::error::Error;
use crate::pods::files::{made_for, trees};
use crate::pods::pause::hold;
use crate::signal_names;

/// How to make an image of an app.
#[derive(Debug, Clone, Default)]
pub struct CommitSpec {
    /// What is to be another than it was for the app.
    pub changes: Vec<ConfigChange>,
    /// Whose word the image is.
    pub author: Option<String>,
    /// What its history says of it.
    pub message: Option<String>,
    /// Whether the app is frozen while its files are read.
    pub pauses: bool,
}

/// Parses a change of how an image is run, as in a Dockerfile.
///
/// # Errors
/// What is wrong with it.
pub fn change(text: &str) -> Result<ConfigChange, String> {
    let change = text.parse()?;
    match &change {
        ConfigChange::StopSignal(signal) if signal_names::parse(signal).is_none() => {
            Err(format!("no signal is called {signal:?}"))
        }
        _ => Ok(change),
    }
}

/// Packs what an app has changed of its image, whether it runs or has ended. The image is still to be fetched from there.
///
/// # Errors
/// If the app's image is not in the store any more, or something can't be read or written.
pub fn stage(
    engine: &Engine,
    entry: &PodEntry,
    manifest: &PodManifest,
    app: &App,
    spec: &CommitSpec,
    interrupt: &Interrupt,
) -> Result<StagedCommit, Error> {
    let store = engine.store();
    let image = store.image(&app.image.manifest, &Platform::host())?;
    let run_with = run_with(app, image.config().config().as_ref());
    // Even if this process is killed, the app goes on.
    let _held = match spec.pauses && runs(entry, app)? {
        false => None,
        true => match hold(entry, &engine.directories, &app.name) {
            // It has ended by itself.
            Err(Error::State { .. }) => None,
            held => Some(held?),
        },
    };
    let trees = trees(engine, entry, manifest, app);
    let but = made_for(app, &trees)?;
    let Some(changes) = trees.first() else {
        return Err(Error::NotInStore {
            reference: app.image.reference.to_string(),
        });
    };
    let commit = Commit {
        of: format!("{}/{}", manifest.called(), app.name),
        base: &app.image.manifest,
        changes,
        but: &but,
        run_with: &run_with,
        settings: &spec.changes,
        created: Timestamp::now().to_string(),
        author: spec.author.clone(),
        message: spec.message.clone(),
        created_by: app.execution.args.join(" "),
        limits: Config::read(&engine.directories)?.limits(),
    };
    Ok(store.stage_commit(&commit, interrupt)?)
}

/// Whether an app has processes.
fn runs(entry: &PodEntry, app: &App) -> Result<bool, Error> {
    let has_ended = matches!(AppStatus::load(&entry.path, &app.name), Ok(Some(_)));
    let is_created = app_dir::is_created(&entry.path, &app.name);
    Ok(entry.state()? == State::Running && !has_ended && !is_created)
}

/// What an app was run with that its image doesn't say. What its image calls the entry point stays that.
fn run_with(app: &App, image: Option<&RunConfig>) -> Vec<ConfigChange> {
    let words = |of: Option<&Option<Vec<String>>>| of.cloned().flatten().unwrap_or_default();
    let entrypoint = words(image.map(RunConfig::entrypoint));
    let cmd = words(image.map(RunConfig::cmd));
    let args = &app.execution.args;
    let mut changes = Vec::new();
    match args.strip_prefix(&*entrypoint) {
        Some(rest) if *rest == *cmd => {}
        Some(rest) => changes.push(ConfigChange::Cmd(rest.to_vec())),
        None => changes.extend([
            ConfigChange::Entrypoint(Vec::new()),
            ConfigChange::Cmd(args.clone()),
        ]),
    }
    let env = words(image.map(RunConfig::env));
    let own: Vec<String> = app
        .execution
        .env
        .iter()
        .filter(|entry| !env.contains(entry))
        .cloned()
        .collect();
    if !own.is_empty() {
        changes.push(ConfigChange::Env(own));
    }
    let user = &app.execution.user;
    let user = match (user.user.as_str(), user.group.as_str()) {
        (user, "") => user.to_owned(),
        ("", group) => format!("0:{group}"),
        (user, group) => format!("{user}:{group}"),
    };
    let of_image = image
        .and_then(|image| image.user().clone())
        .unwrap_or_default();
    if user != of_image {
        let root = || "0".to_owned();
        changes.push(ConfigChange::User(if user.is_empty() {
            root()
        } else {
            user
        }));
    }
    let cwd = app.execution.cwd.as_str();
    let of_image = image
        .and_then(|image| image.working_dir().clone())
        .unwrap_or_default();
    if cwd != of_image && !(cwd == "/" && of_image.is_empty()) {
        changes.push(ConfigChange::Workdir(cwd.to_owned()));
    }
    changes
}

#[cfg(test)]
mod tests {
    use oci_spec::image::ConfigBuilder;

    use super::*;

    fn app(args: &[&str], user: &str, cwd: &str) -> App {
        serde_json::from_value(serde_json::json!({
            "name": "a",
            "image": {
                "reference": "localhost/a:latest",
                "manifest": format!("sha256:{}", "0".repeat(64)),
                "layers": [],
                "verification": { "policy": "waived" },
            },
            "execution": {
                "args": args, "env": ["PATH=/bin", "A=1"], "cwd": cwd, "user": { "user": user },
            },
            "stop-signal": 15,
        }))
        .unwrap()
    }

    #[test]
    fn a_stop_signal_is_one() {
        for good in ["SIGQUIT", "term", "15", "RTMIN+3"] {
            assert!(change(&format!("STOPSIGNAL {good}")).is_ok(), "{good}");
        }
        for bad in ["SIGNONE", "0", "65", "-1", "TERM KILL"] {
            let error = change(&format!("STOPSIGNAL {bad}")).unwrap_err();
            assert_eq!(error, format!("no signal is called {bad:?}"));
        }
    }

    #[test]
    fn what_an_app_was_run_with_is_what_its_image_does_not_say() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let image = ConfigBuilder::default()
            .entrypoint(words("/entry -x"))
            .cmd(words("one"))
            .env(words("PATH=/bin"))
            .user("app")
            .working_dir("/srv")
            .build()
            .unwrap();
        let changes = |args: &str, user, cwd| {
            let args = words(args);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            run_with(&app(&args, user, cwd), Some(&image))
        };
        let env = || ConfigChange::Env(words("A=1"));
        let cmd = |text| ConfigChange::Cmd(words(text));
        assert_eq!(changes("/entry -x one", "app", "/srv"), [env()]);
        let two = changes("/entry -x two", "app", "/srv");
        assert_eq!(two, [cmd("two"), env()]);
        let other = changes("/bin/sh", "", "/tmp");
        let expected = [
            ConfigChange::Entrypoint(Vec::new()),
            cmd("/bin/sh"),
            env(),
            ConfigChange::User("0".to_owned()),
            ConfigChange::Workdir("/tmp".to_owned()),
        ];
        assert_eq!(other, expected);
        let plain = run_with(&app(&["/x"], "", "/"), None);
        let path = ConfigChange::Env(words("PATH=/bin A=1"));
        assert_eq!(plain, [cmd("/x"), path]);
    }
}
