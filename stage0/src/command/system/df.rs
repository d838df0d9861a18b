//! `fairing system df`: what images, pods and volumes take on the disk.

use clap::Args;
use engine::images::in_use::images_in_use;
use engine::pods::uses::InUse;
use engine::volumes::in_use::volumes_in_use;
use pod::disk_usage::disk_usage;
use pod::{Phase, State};
use serde::Serialize;
use serde_json::json;

use crate::arguments::listing::{ListArguments, values};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::console::table::{Table, size};
use crate::context::Context;
use crate::wording::docker_members::with;
use crate::wording::failure::Failure;
use crate::wording::in_use::told;

/// What templates see of each.
const FIELDS: &[&str] = &[
    "type",
    "total",
    "active",
    "size",
    "reclaimable",
    "TotalCount",
];

/// Arguments of `system df`.
#[derive(Debug, Args)]
pub(crate) struct Df {
    #[command(flatten)]
    shown: ListArguments,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    r#type: &'static str,
    total: usize,
    active: usize,
    size: u64,
    reclaimable: u64,
}

impl Row {
    fn of(r#type: &'static str) -> Self {
        Self {
            r#type,
            total: 0,
            active: 0,
            size: 0,
            reclaimable: 0,
        }
    }

    /// Counts one more, which takes so many bytes; those that aren't used could be freed.
    fn add(&mut self, size: u64, is_active: bool, is_reclaimable: bool) {
        self.total += 1;
        self.active += usize::from(is_active);
        self.size += size;
        self.reclaimable += if is_reclaimable { size } else { 0 };
    }
}

impl Subcommand for Df {
    const NAME: &'static str = "df";
    const ABOUT: &'static str =
        "Show what images, pods and volumes take on the disk, and what could be freed";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let rows = [images(context)?, pods(context)?, volumes(context)?];
        let values = || {
            let own = values(&rows).into_iter().zip(&rows);
            own.map(|(value, row)| with(value, json!({ "TotalCount": row.total })))
                .collect()
        };
        self.shown.show(&rows, FIELDS, values, || table(&rows))?;
        Ok(0)
    }
}

fn images(context: &Context) -> Result<Row, Failure> {
    let store = context.engine.store();
    let (listings, unreadable) = store.list()?;
    for error in unreadable {
        output::warn(&Failure::from(error).line());
    }
    let uses = told(images_in_use(&context.engine)?).uses;
    let is_used = |listing: &&image_store::Listing| {
        let manifest = &listing.record.manifest;
        uses.iter().any(|used| used.manifest == *manifest)
    };
    let active = listings.iter().filter(is_used).count();
    let unused = listings.iter().filter(|listing| !is_used(listing));
    Ok(Row {
        r#type: "images",
        total: listings.len(),
        active,
        size: disk_usage(store.path()),
        reclaimable: unused.map(|listing| listing.exclusive).sum(),
    })
}

fn pods(context: &Context) -> Result<Row, Failure> {
    let mut row = Row::of("pods");
    for entry in context.engine.pods().list()? {
        let state = entry.state()?;
        let is_over = matches!(
            state,
            State::Exited | State::Garbage | State::AbortedPrepare
        );
        row.add(disk_usage(&entry.path), state == State::Running, is_over);
        // It takes its place, and is no pod any more.
        row.total -= usize::from(entry.phase == Phase::Garbage);
    }
    Ok(row)
}

/// Volumes that outlive pods: what no pod uses is freed by `volume prune`.
fn volumes(context: &Context) -> Result<Row, Failure> {
    let mut row = Row::of("volumes");
    let volumes = context.engine.volumes();
    // Told with the images.
    let InUse { known: uses, .. } = volumes_in_use(&context.engine.pods())?;
    let names = volumes.names().map_err(engine::error::VolumeError::Files);
    for name in names.map_err(engine::Error::from)? {
        // One whose record can't be read takes its place all the same.
        let size = volumes
            .get(&name)
            .ok()
            .flatten()
            .map_or(0, |volume| disk_usage(&volume.data()));
        let is_used = uses.contains_key(&name);
        row.add(size, is_used, !is_used);
    }
    Ok(row)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]);
    for row in rows {
        table.row([
            row.r#type.to_owned(),
            row.total.to_string(),
            row.active.to_string(),
            size(row.size),
            size(row.reclaimable),
        ]);
    }
    table
}
