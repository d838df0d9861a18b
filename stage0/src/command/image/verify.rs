//! `fairing image verify`: every byte of images in the store, and the repair of what is damaged.

use clap::Args;
use engine::images::choice::record;
use engine::images::collection::wait_for_store;
use engine::images::in_use::layers_of_running_pods;
use engine::images::registries;
use image_store::{Cure, Health, ImageReport, Problem};
use serde::Serialize;

use crate::arguments::format::{Format, format};
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::failure::{Failure, one_line};

/// The exit code where something is not as it should be: as at a start.
const DAMAGED: u8 = 111;

/// Arguments of `image verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// References, or the beginnings of digests
    #[arg(value_name = "IMAGE", required_unless_present = "all")]
    #[arg(conflicts_with = "all")]
    images: Vec<String>,
    /// Verify all images, and report what else is in the store
    #[arg(long)]
    all: bool,
    /// Restore what is damaged, from the kept blob or from where the image came from
    #[arg(long)]
    repair: bool,
    /// Only seal intact layers again, such as after a copy of the store
    #[arg(long, conflicts_with = "repair")]
    reseal: bool,
    /// How to show what was found: text, json, or a template
    #[arg(short, long, value_name = "FORMAT", value_parser = format, default_value = "text")]
    format: Format,
}

/// What was found, for showing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct View {
    images: Vec<ImageView>,
    /// Names that can't be read.
    unreadable: Vec<String>,
    /// What does not belong into the store.
    stray: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ImageView {
    reference: String,
    digest: String,
    manifest: String,
    health: Health,
    layers: usize,
    /// Of them, those without a kept blob.
    by_seal_alone: usize,
    problems: Vec<Problem>,
    more_problems: u64,
}

impl From<ImageReport> for ImageView {
    fn from(report: ImageReport) -> Self {
        Self {
            reference: report.record.reference.to_string(),
            digest: report.record.digest.to_string(),
            manifest: report.record.manifest.to_string(),
            health: report.health,
            layers: report.layers,
            by_seal_alone: report.by_seal_alone,
            problems: report.problems,
            more_problems: report.more,
        }
    }
}

impl Subcommand for Verify {
    const NAME: &'static str = "verify";
    const ABOUT: &'static str = "Check every byte of images in the store, and repair them";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let store = context.engine.store();
        let pin = store.pin()?;
        let mut unreadable = Vec::new();
        let records = match self.all {
            true => {
                let (listings, errors) = store.list()?;
                unreadable.extend(errors.into_iter().map(|error| Failure::from(error).line()));
                listings.into_iter().map(|listing| listing.record).collect()
            }
            false => {
                let records = self
                    .images
                    .iter()
                    .map(|image| record(&context.engine, image));
                records.collect::<Result<Vec<_>, _>>()?
            }
        };
        let cure = match (self.repair, self.reseal) {
            (true, _) => Cure::Repair,
            (_, true) => Cure::Reseal,
            _ => Cure::None,
        };
        let mut audit = store.audit(&registries::fetch_options(&context.engine)?, cure)?;
        audit.images(&records)?;
        drop(pin);
        if audit.has_replacements() {
            let alone = wait_for_store(&store, &context.console)?;
            audit.replace(&layers_of_running_pods(&context.engine)?, &alone)?;
        }
        let view = View {
            images: audit.reports().into_iter().map(ImageView::from).collect(),
            unreadable,
            stray: match self.all {
                true => paths(store.strays()?),
                false => Vec::new(),
            },
        };
        self.format.show(&view, || view.text(&self))?;
        let damaged = |image: &ImageView| image.health == Health::Damaged;
        match view.unreadable.is_empty() && !view.images.iter().any(damaged) {
            true => Ok(0),
            false => Ok(DAMAGED),
        }
    }
}

fn paths(paths: Vec<std::path::PathBuf>) -> Vec<String> {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect()
}

impl View {
    fn text(&self, how: &Verify) -> String {
        let mut text = String::new();
        let mut line = |line: &str| {
            text.push_str(&one_line(line));
            text.push('\n');
        };
        for image in &self.images {
            line(&image.heading());
            for problem in &image.problems {
                let Problem {
                    object,
                    path,
                    problem,
                } = problem;
                line(&match path {
                    Some(path) => format!("  {object}: {path} {problem}"),
                    None => format!("  {object}: {problem}"),
                });
            }
            if image.more_problems > 0 {
                line(&format!("  and {} more", image.more_problems));
            }
            if image.health == Health::Damaged && !how.repair {
                let reference = &image.reference;
                line(&format!(
                    "  `fairing image verify --repair {reference}` restores it"
                ));
            }
        }
        for unreadable in &self.unreadable {
            line(unreadable);
        }
        for stray in &self.stray {
            line(&format!("stray: {stray}"));
        }
        text
    }
}

impl ImageView {
    fn heading(&self) -> String {
        let health = match self.health {
            Health::Sound => "sound",
            Health::Repaired => "repaired",
            Health::Damaged => "damaged",
        };
        let count = match self.layers {
            1 => "1 layer".to_owned(),
            layers => format!("{layers} layers"),
        };
        let alone = match self.by_seal_alone {
            0 => String::new(),
            alone => format!(", {alone} of them without a blob, compared only with the seal"),
        };
        format!("{}: {health} ({count}{alone})", self.reference)
    }
}
