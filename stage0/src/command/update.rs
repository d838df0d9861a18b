//! `fairing update`: changes the limits of running pods; with `--all` alone, it is `auto-update`.

use clap::builder::Resettable;
use clap::{Args, Command};
use engine::Error;
use engine::error::AppError;
use engine::pods::app_limits::warn_of_disks;
use engine::pods::limits::update;
use pod::manifest::{Limit, PodManifest, Resources};
use pod::{AppName, PodEntry, State};

use crate::arguments::resources::{PodResourceArguments, ResourceArguments};
use crate::arguments::selector::Pods;
use crate::command::auto_update::{ImageArguments, update_images};
use crate::command::several::{Named, for_each_pod};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    pods: Pods,
    /// The app whose limits change; may be left out if the pod has but one
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    #[command(flatten, next_help_heading = "Limits of the app")]
    limits: ResourceArguments,
    #[command(flatten, next_help_heading = "Limits of all apps together")]
    pod_limits: PodResourceArguments,
    #[command(
        flatten,
        next_help_heading = "Newer images for services (with --all, and no limit)"
    )]
    images: ImageArguments,
}

impl Subcommand for Update {
    const NAME: &'static str = "update";
    const ABOUT: &'static str =
        "Change the limits of running pods, or (--all) give services newer images";

    fn adjusted(command: Command) -> Command {
        // Services and pods may be named beside it: of all that ask for newer images, these.
        command.mut_arg("all", |arg| arg.conflicts_with(Resettable::Reset))
    }

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let Self {
            pods,
            app,
            limits,
            pod_limits,
            images,
        } = self;
        let (of_app, of_pod) = (limits.given()?, pod_limits.given()?);
        let names_limit = !of_app.is_unlimited() || !of_pod.is_unlimited();
        if pods.all && !names_limit && app.is_none() {
            return update_images(&pods.selectors()?, &images, context);
        }
        if !names_limit {
            return Err(Failure::Usage(
                "no limit is named, such as --memory 64m; --all alone looks for newer images"
                    .to_owned(),
            ));
        }
        if pods.all && pods.are_named() {
            return Err(Failure::Usage(
                "limits are changed of the pods that are named, or of --all".to_owned(),
            ));
        }
        if images.is_any_given() {
            return Err(Failure::Usage(
                "newer images are looked for without any limit: leave out either the limits or the flags for images"
                    .to_owned(),
            ));
        }
        let directories = &context.engine.directories;
        let is_running = |state| state == State::Running;
        warn_of_disks([&of_app, &of_pod], &context.console);
        for_each_pod(pods, context, is_running, |Named { typed, entry }| {
            // First what can be refused here, so that not half of it is done.
            let app = named_app(&entry, app.as_ref(), &of_app)?;
            let before = PodManifest::load(&entry.path)?.resources;
            if !of_pod.is_unlimited() {
                update(&entry, directories, None, &of_pod)?;
            }
            if let Some(app) = app
                && let Err(failure) = update(&entry, directories, Some(&app), &of_app)
            {
                return Err(match of_pod.is_unlimited() {
                    true => failure.into(),
                    false => taken_back(failure, &before, &of_pod, |back| {
                        update(&entry, directories, None, back)
                    }),
                });
            }
            output::line(&typed)
        })
    }
}

/// Gives all apps together the limits that they had: those of one app could not be changed with them.
fn taken_back(
    failure: Error,
    before: &Resources,
    given: &Resources,
    update: impl FnOnce(&Resources) -> Result<(), Error>,
) -> Failure {
    let after = before.with(given);
    let back = after.map(|after| after.changed_to(before, Limit::Unlimited));
    let is_back = back.is_ok_and(|back| update(&back).is_ok());
    let help = match is_back {
        true => "those of all apps together are as they were, too",
        false => "those of all apps together are changed",
    };
    Failure::Helped {
        failure: Box::new(failure.into()),
        help: help.to_owned(),
    }
}

/// The app whose limits change; `None` if none of them do.
fn named_app(
    entry: &PodEntry,
    asked: Option<&AppName>,
    limits: &Resources,
) -> Result<Option<AppName>, Failure> {
    if limits.is_unlimited() {
        return match asked {
            None => Ok(None),
            Some(app) => Err(Failure::Usage(format!(
                "no limit of app {app} is named, such as --memory 64m"
            ))),
        };
    }
    let manifest = PodManifest::load(&entry.path)?;
    match (asked, &*manifest.apps) {
        (Some(name), _) if manifest.app(name).is_some() => Ok(Some(name.clone())),
        (Some(name), _) => Err(Error::from(AppError::unknown(&manifest, name)).into()),
        (None, [only]) => Ok(Some(only.name.clone())),
        (None, []) => Err(Failure::Other(format!(
            "pod {} has no apps",
            manifest.called()
        ))),
        (None, apps) => {
            let names: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
            Err(Failure::Usage(format!(
                "pod {} has several apps; name one with --app: {}",
                manifest.called(),
                names.join(", ")
            )))
        }
    }
}
