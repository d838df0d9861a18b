//! `fairing image gc`: frees what no image and no pod needs, and forgets images that nobody uses.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use engine::images::collection::collect;
use engine::images::in_use::note_uses;
use image_store::GcReport;
use pod::timestamp::Timestamp;
use serde::Serialize;

use super::list::time;
use crate::arguments::duration::duration;
use crate::arguments::format::{Format, format};
use crate::command::subcommand::Subcommand;
use crate::console::table::ago;
use crate::context::Context;
use crate::terminal::question::{confirm, somebody_is_there};
use crate::wording::failure::Failure;
use crate::wording::images::{summary, warn};

/// Arguments of `image gc`.
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// Also forget images that no pod needs and that were unused for this long; 0 for all
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_negative_numbers = true)]
    expire: Option<Duration>,
    /// Also forget all images that no pod needs; asks on a terminal
    #[arg(short, long, conflicts_with = "expire")]
    all: bool,
    /// Don't ask
    #[arg(short, long)]
    force: bool,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// How to show what was removed: text, json, or a template
    #[arg(long, value_name = "FORMAT", value_parser = format, default_value = "text")]
    format: Format,
}

/// What was removed, for showing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ReportView {
    dry_run: bool,
    expired: Vec<ExpiredView>,
    layers: usize,
    blobs: usize,
    filesystems: usize,
    signatures: usize,
    half_done: usize,
    freed: u64,
    damaged: Vec<String>,
    left_alone: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ExpiredView {
    reference: String,
    manifest: String,
    last_used: Timestamp,
}

impl ReportView {
    fn new(report: &GcReport, dry_run: bool) -> Self {
        let expired = report.expired.iter().map(|record| ExpiredView {
            reference: record.reference.to_string(),
            manifest: record.manifest.to_string(),
            last_used: time(record.used_at),
        });
        Self {
            dry_run,
            expired: expired.collect(),
            layers: report.layers,
            blobs: report.blobs,
            filesystems: report.filesystems,
            signatures: report.signatures,
            half_done: report.leftovers,
            freed: report.freed,
            damaged: report.damaged.clone(),
            left_alone: report.strange.clone(),
        }
    }
}

impl Subcommand for Gc {
    const NAME: &'static str = "gc";
    const ABOUT: &'static str =
        "Remove unused layers, interrupted fetches, and images unused for long";
    const ALIASES: &'static [&'static str] = &["prune"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        // What was imported is in no registry.
        let asks = self.all && !self.force && !self.dry_run && somebody_is_there();
        if asks && !confirm("Remove all images that no pod needs?")? {
            return Err(Failure::Other(
                "nothing was removed: the answer was no".to_owned(),
            ));
        }
        if !self.dry_run {
            note_uses(&context.engine)?;
        }
        let expire = self.expire.or(self.all.then_some(Duration::ZERO));
        let report =
            collect(&context.engine, expire, self.dry_run, &context.console)?.unwrap_or_default();
        warn(&report);
        let view = ReportView::new(&report, self.dry_run);
        let done = match self.dry_run {
            true => "would be forgotten",
            false => "forgotten",
        };
        let text = || {
            let expired = view.expired.iter().map(|image| {
                let last_used = ago(&image.last_used);
                format!("{} {done}, last used {last_used}\n", image.reference)
            });
            let nothing = || "images: nothing to remove".to_owned();
            let end = summary(&report, self.dry_run).unwrap_or_else(nothing);
            format!("{}{end}\n", expired.collect::<String>())
        };
        self.format.show(&view, text)?;
        Ok(0)
    }
}
