//! `fairing image list`: what the store has.

use std::time::{Duration, SystemTime};

use clap::Args;
use image_store::Listing;
use pod::timestamp::Timestamp;
use serde::Serialize;

use crate::arguments::Format;
use crate::arguments::listing::ListArguments;
use crate::command::Subcommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::table::{Table, ago, size};

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
struct ImageView {
    reference: String,
    digest: String,
    manifest: String,
    size: u64,
    exclusive_size: u64,
    shared_size: u64,
    layers: usize,
    created: Option<String>,
    fetched: Timestamp,
    last_used: Timestamp,
    source: String,
    damaged: Option<String>,
}

impl From<Listing> for ImageView {
    fn from(listing: Listing) -> Self {
        Self {
            reference: listing.record.reference.to_string(),
            digest: listing.record.digest.to_string(),
            manifest: listing.record.manifest.to_string(),
            size: listing.size,
            exclusive_size: listing.exclusive,
            shared_size: listing.size.saturating_sub(listing.exclusive),
            layers: listing.layers,
            created: listing.created,
            fetched: time(listing.record.fetched_at),
            last_used: time(listing.record.used_at),
            source: listing.record.source,
            damaged: listing.damaged,
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
        let (listings, unreadable) = context.store().list()?;
        for error in unreadable {
            output::warn(&Failure::from(error).line());
        }
        let views: Vec<ImageView> = listings.into_iter().map(ImageView::from).collect();
        match self.shown.format {
            Format::Json => output::json(&views)?,
            Format::Text => output::text(&self.table(&views).render(!self.shown.no_legend))?,
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
    fn table(&self, views: &[ImageView]) -> Table {
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
                true => view.manifest.as_str(),
                false => view.manifest.get("sha256:".len()..19).unwrap_or_default(),
            };
            let (whole, unique) = match &view.damaged {
                Some(_) => ("damaged".to_owned(), "-".to_owned()),
                None => (size(view.size), size(view.exclusive_size)),
            };
            // Builders write the epoch or the second of the build: the day is enough.
            let created = match (&view.created, self.shown.full) {
                (None, _) => "-",
                (Some(created), true) => created,
                (Some(created), false) => created.split('T').next().unwrap_or_default(),
            };
            table.row(vec![
                view.reference.clone(),
                digest.to_owned(),
                created.to_owned(),
                view.layers.to_string(),
                whole,
                unique,
                when(&view.fetched),
                when(&view.last_used),
            ]);
        }
        table
    }
}
