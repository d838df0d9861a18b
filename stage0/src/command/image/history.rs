//! `fairing image history`: how an image was built, by its own word.

use clap::Args;
use engine::images::choice::record;
use image_document::Platform;
use serde::Serialize;
use serde_json::{Value, json};

use crate::arguments::listing::{ListArguments, values};
use crate::command::subcommand::Subcommand;
use crate::console::table::{Cut, Table};
use crate::context::Context;
use crate::wording::docker_members::with;
use crate::wording::failure::Failure;

/// What templates see of each.
const FIELDS: &[&str] = &[
    "created",
    "created-by",
    "comment",
    "layer",
    "ID",
    "CreatedAt",
];

/// Arguments of `image history`.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Reference, or the beginning of a digest
    #[arg(value_name = "IMAGE")]
    image: String,
    #[command(flatten)]
    shown: ListArguments,
}

/// A step of a build.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Step {
    created: Option<String>,
    created_by: Option<String>,
    comment: Option<String>,
    /// Diff ID of the layer that it made; a step may have made none.
    layer: Option<String>,
}

impl Subcommand for History {
    const NAME: &'static str = "history";
    const ABOUT: &'static str = "Show how an image was built, the last step first";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let store = context.engine.store();
        let _pin = store.pin()?;
        let record = record(&context.engine, &self.image)?;
        let image = store.image(&record.digest, &Platform::host())?;
        let config = image.config();
        let mut layers = config.rootfs().diff_ids().iter();
        let mut steps: Vec<Step> = Vec::new();
        for step in config.history().iter().flatten() {
            steps.push(Step {
                created: step.created().clone(),
                created_by: step.created_by().clone(),
                comment: step.comment().clone(),
                layer: match step.empty_layer() {
                    Some(true) => None,
                    _ => layers.next().cloned(),
                },
            });
        }
        // What nothing is told of.
        steps.extend(layers.map(|layer| Step {
            created: None,
            created_by: None,
            comment: None,
            layer: Some(layer.clone()),
        }));
        steps.reverse();
        let values = || {
            let own = values(&steps).into_iter().zip(&steps);
            own.map(|(value, step)| with(value, in_docker_words(step)))
                .collect()
        };
        self.shown
            .show(&steps, FIELDS, values, || table(&steps, self.shown.full))?;
        Ok(0)
    }
}

fn in_docker_words(step: &Step) -> Value {
    json!({
        "ID": step.layer.as_deref().unwrap_or("<missing>"),
        "CreatedAt": step.created,
    })
}

fn table(steps: &[Step], full: bool) -> Table {
    let heading = ["LAYER", "CREATED", "CREATED BY", "COMMENT"];
    let cuts = [Cut::Never, Cut::Never, Cut::End, Cut::End];
    let mut table = Table::new(&heading).cut(&cuts);
    for step in steps {
        let layer = match (&step.layer, full) {
            (None, _) => "-",
            (Some(layer), true) => layer,
            (Some(layer), false) => layer.get("sha256:".len()..19).unwrap_or_default(),
        };
        let created = step.created.as_deref().unwrap_or("-");
        let created = match full {
            true => created,
            false => created.split('T').next().unwrap_or_default(),
        };
        let or_dash = |text: &Option<String>| match text.as_deref() {
            None | Some("") => "-".to_owned(),
            Some(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        table.row([
            layer.to_owned(),
            created.to_owned(),
            or_dash(&step.created_by),
            or_dash(&step.comment),
        ]);
    }
    table
}
