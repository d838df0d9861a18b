//! `fairing image list`: what the store has.

use std::time::{Duration, SystemTime};

use clap::Args;
use image_store::Listing;
use pod::timestamp::Timestamp;
use serde::Serialize;

use crate::arguments::format::Format;
use crate::arguments::listing::ListArguments;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::console::table::{Table, ago, size};
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `image list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    shown: ListArguments,
}

/// Arguments of `images`, for those who know Docker.
#[derive(Debug, Args)]
pub(crate) struct Images {
    #[command(flatten)]
    list: List,
}

/// An image, for showing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ImageView<'a> {
    reference: String,
    digest: &'a str,
    manifest: &'a str,
    size: u64,
    exclusive_size: u64,
    shared_size: u64,
    layers: usize,
    created: Option<&'a str>,
    fetched: Timestamp,
    last_used: Timestamp,
    source: &'a str,
    damaged: Option<&'a str>,
}

impl<'a> From<&'a Listing> for ImageView<'a> {
    fn from(listing: &'a Listing) -> Self {
        Self {
            reference: listing.record.reference.to_string(),
            digest: listing.record.digest.as_ref(),
            manifest: listing.record.manifest.as_ref(),
            size: listing.size,
            exclusive_size: listing.exclusive,
            shared_size: listing.size.saturating_sub(listing.exclusive),
            layers: listing.layers,
            created: listing.created.as_deref(),
            fetched: time(listing.record.fetched_at),
            last_used: time(listing.record.used_at),
            source: &listing.record.source,
            damaged: listing.damaged.as_deref(),
        }
    }
}

/// A point in time from seconds since 1970.
pub(super) fn time(seconds: u64) -> Timestamp {
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        // The year 10000 and later can't be written.
        .filter(|_| seconds < 253_402_300_800)
        .unwrap_or(SystemTime::UNIX_EPOCH)
        .into()
}

impl Subcommand for List {
    const NAME: &'static str = "list";
    const ABOUT: &'static str = "List the images of the store";
    const ALIASES: &'static [&'static str] = &["ls"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let (listings, unreadable) = context.engine.store().list()?;
        for error in unreadable {
            output::warn(&Failure::from(error).line());
        }
        let views = listings.iter().map(ImageView::from);
        match self.shown.format {
            Format::Json => output::json(&views.collect::<Vec<_>>())?,
            Format::Text => output::text(&self.table(views).render(!self.shown.no_legend))?,
        }
        Ok(0)
    }
}

impl Subcommand for Images {
    const NAME: &'static str = "images";
    const ABOUT: &'static str = List::ABOUT;
    const HIDDEN: bool = true;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        self.list.run(context)
    }
}

impl List {
    fn table<'a>(&self, views: impl Iterator<Item = ImageView<'a>>) -> Table {
        let mut table = Table::new(&[
            "NAME",
            "DIGEST",
            "CREATED",
            "LAYERS",
            "SIZE",
            "UNIQUE",
            "FETCHED",
            "LAST USED",
        ]);
        let when = |time: &Timestamp| match self.shown.full {
            true => time.to_string(),
            false => ago(time),
        };
        for view in views {
            let digest = match self.shown.full {
                true => view.manifest,
                false => view.manifest.get("sha256:".len()..19).unwrap_or_default(),
            };
            let (whole, unique) = match view.damaged {
                Some(_) => ("damaged".into(), "-".into()),
                None => (size(view.size), size(view.exclusive_size)),
            };
            // Builders write the epoch or the second of the build: the day is enough.
            let created = match (view.created, self.shown.full) {
                (None, _) => "-",
                (Some(created), true) => created,
                (Some(created), false) => created.split('T').next().unwrap_or_default(),
            };
            table.row([
                view.reference.as_str(),
                digest,
                created,
                &view.layers.to_string(),
                &whole,
                &unique,
                &when(&view.fetched),
                &when(&view.last_used),
            ]);
        }
        table
    }
}
