//! `fairing list`: all pods.

use clap::Args;
use engine::pods::view::{AppState, AppView, PodView, look};
use pod::State;

use crate::arguments::format::Format;
use crate::arguments::listing::ListArguments;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::console::table::{Table, ago};
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::pod::{given_up, port_in_words};

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    shown: ListArguments,
}

impl Subcommand for List {
    const NAME: &'static str = "list";
    const ABOUT: &'static str = "List pods";
    const ALIASES: &'static [&'static str] = &["ps"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let mut views = Vec::new();
        for entry in context.engine.pods().list()? {
            if entry.phase == pod::Phase::Garbage {
                continue;
            }
            // A pod that vanishes while we look is not there; one that can't be looked at is said so.
            match look(&entry, None) {
                Ok(view) => views.extend(view),
                Err(failure) => output::warn(&format!(
                    "pod {}: {}",
                    entry.uuid,
                    Failure::line_of(&failure)
                )),
            }
        }
        views.sort_by_key(|view| (view.created, view.uuid));
        match self.shown.format {
            Format::Json => output::json(&views)?,
            Format::Text => output::text(&self.table(&views).render(!self.shown.no_legend))?,
        }
        Ok(0)
    }
}

impl List {
    fn table(&self, views: &[PodView]) -> Table {
        let mut heading = vec!["UUID", "NAME", "APP", "IMAGE"];
        if self.shown.full {
            heading.push("DIGEST");
        }
        heading.extend(["STATE", "CREATED"]);
        // Only where there is something to be said.
        let connected = views
            .iter()
            .any(|view| !view.networks.is_empty() || !view.ports.is_empty());
        if connected {
            heading.extend(["ADDRESS", "PORTS"]);
        }
        // As above; it should catch the eye.
        let insecure = views.iter().any(|view| !view.insecure_options.is_empty());
        if insecure {
            heading.push("INSECURE");
        }
        let mut table = Table::new(&heading);
        for view in views {
            let uuid = match self.shown.full {
                true => view.uuid.to_string(),
                false => view.uuid.short(),
            };
            let name = view.name.as_ref().map_or("-", |name| name.as_str());
            let created = match &view.created {
                None => "-".to_owned(),
                Some(time) if self.shown.full => time.to_string(),
                Some(time) => ago(time),
            };
            let pod_state = match (&view.damaged, view.exit_code) {
                (Some(_), _) => format!("{} (damaged)", view.state),
                (None, Some(code)) => format!("{} ({code})", view.state),
                (None, None) => view.state.to_string(),
            };
            let addresses: Vec<_> = view
                .networks
                .iter()
                .flat_map(|network| &network.addresses)
                .map(|address| address.address.address().to_string())
                .collect();
            let ports: Vec<_> = view.ports.iter().map(port_in_words).collect();
            let or_none = |words: Vec<String>| match words.is_empty() {
                true => "-".to_owned(),
                false => words.join(", "),
            };
            let (addresses, ports) = (or_none(addresses), or_none(ports));
            let mut row = |app: &str, image: &str, digest: &str, state: &str| {
                let mut cells = vec![
                    uuid.clone(),
                    name.to_owned(),
                    app.to_owned(),
                    image.to_owned(),
                ];
                if self.shown.full {
                    cells.push(digest.to_owned());
                }
                cells.extend([state.to_owned(), created.clone()]);
                if connected {
                    cells.extend([addresses.clone(), ports.clone()]);
                }
                if insecure {
                    cells.push(given_up(&view.insecure_options));
                }
                table.row(cells);
            };
            if view.apps.is_empty() {
                row("-", "-", "-", &pod_state);
            }
            // Its apps have ended; else they tell that it runs.
            let stays = view.state == State::Running
                && view.apps.iter().all(|app| app.state == AppState::Exited);
            for app in &view.apps {
                let mut state = app_state(view, app).unwrap_or_else(|| pod_state.clone());
                if stays {
                    state.push_str(", pod running");
                }
                row(app.name.as_str(), &app.image, &app.manifest, &state);
            }
        }
        table
    }
}

/// What an app does, where that may be something else than what its pod does.
fn app_state(view: &PodView, app: &AppView) -> Option<String> {
    let speaks = view.damaged.is_none() && matches!(view.state, State::Running | State::Exited);
    match (app.state, app.exit_code) {
        _ if !speaks => None,
        (AppState::Lost, _) => None,
        (state, Some(code)) => Some(format!("{} ({code})", state.word())),
        (state, None) => Some(state.word().to_owned()),
    }
}
