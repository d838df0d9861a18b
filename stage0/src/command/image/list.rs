//! `fairing image list`: what the store has.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use clap::Args;
use image_store::Listing;
use pod::timestamp::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::pattern::{matches, untagged};
use crate::arguments::filter::{Filter, OF_IMAGES, filter, passes, unknown};
use crate::arguments::listing::ListArguments;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::console::table::{Cut, Table, ago, size};
use crate::context::Context;
use crate::wording::failure::Failure;

/// What templates see of each.
const FIELDS: &[&str] = &[
    "Name",
    "Repository",
    "Tag",
    "ID",
    "Digest",
    "Index",
    "Created",
    "CreatedAt",
    "CreatedSince",
    "Size",
    "UniqueSize",
    "SharedSize",
    "Layers",
    "Fetched",
    "LastUsed",
    "Source",
];

/// Arguments of `image list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only images of this name, with or without registry and tag
    #[arg(value_name = "IMAGE")]
    name: Option<String>,
    /// Print digests alone
    #[arg(short, long)]
    quiet: bool,
    /// Only images with this reference or digest; may be repeated
    #[arg(short, long = "filter", value_name = "KEY=VALUE", value_parser = filter)]
    filters: Vec<Filter>,
    // There are no others, and digests are shown anyway.
    #[arg(short, long, hide = true)]
    all: bool,
    #[arg(long, hide = true)]
    digests: bool,
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
        check(&self.filters)?;
        let mut views = Vec::new();
        for view in listings.iter().map(ImageView::from) {
            let is_named = |name: &String| view.is_called(name);
            if self.name.as_ref().is_none_or(is_named) && is_shown(&view, &self.filters) {
                views.push(view);
            }
        }
        if self.quiet {
            let mut digests: Vec<&str> = views.iter().map(|view| self.digest(view)).collect();
            // One that has several names is one image.
            let mut seen = BTreeSet::new();
            digests.retain(|digest| seen.insert(*digest));
            let lines = digests.iter().map(|digest| format!("{digest}\n"));
            output::text(&lines.collect::<String>())?;
            return Ok(0);
        }
        self.shown.show(
            &views,
            FIELDS,
            || views.iter().map(|view| self.value(view)).collect(),
            || self.table(&views),
        )?;
        Ok(0)
    }
}

impl ImageView<'_> {
    /// Whether this is its name, or the end of it, with or without the tag; `*` stands for anything.
    fn is_called(&self, name: &str) -> bool {
        let whole = self.reference.as_str();
        let untagged = untagged(whole);
        [whole, untagged]
            .iter()
            .any(|own| matches(name, own) || matches(&format!("*/{name}"), own))
    }

    /// Whether it passes a filter that [`check`] lets through.
    fn holds(&self, filter: &Filter) -> bool {
        let value = filter.value.as_str();
        match filter.key.as_str() {
            "reference" => self.is_called(value),
            // Each image of the store has a name.
            "dangling" => value == "false",
            _ => {
                self.manifest.starts_with(value)
                    || self
                        .manifest
                        .trim_start_matches("sha256:")
                        .starts_with(value)
            }
        }
    }
}

/// Looks whether there are such filters, whatever images there are.
fn check(filters: &[Filter]) -> Result<(), Failure> {
    for Filter { key, value } in filters {
        match key.as_str() {
            "reference" | "digest" | "id" => {}
            "dangling" if matches!(value.as_str(), "true" | "false") => {}
            "dangling" => {
                return Err(Failure::Usage(format!(
                    "the filter dangling={value}: write true or false"
                )));
            }
            other => return Err(Failure::Usage(unknown(other, OF_IMAGES))),
        }
    }
    Ok(())
}

fn is_shown(view: &ImageView<'_>, filters: &[Filter]) -> bool {
    let holds = |filter: &Filter| Ok::<_, std::convert::Infallible>(view.holds(filter));
    passes(filters, holds).unwrap_or_else(|never| match never {})
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
    fn digest<'v>(&self, view: &ImageView<'v>) -> &'v str {
        match self.shown.full {
            true => view.manifest,
            false => view.manifest.get("sha256:".len()..19).unwrap_or_default(),
        }
    }

    /// What templates see: the words that docker and podman have for it, and our own.
    fn value(&self, view: &ImageView<'_>) -> Value {
        let name = view.reference.as_str();
        let repository = untagged(name.split_once('@').map_or(name, |(name, _)| name));
        let tag = untagged(name).len() + 1;
        let created = view.created.unwrap_or_default();
        json!({
            "Name": view.reference,
            "Repository": repository,
            "Tag": name.get(tag..).filter(|_| !name.contains('@')).unwrap_or("<none>"),
            "ID": self.digest(view),
            "Digest": view.manifest,
            "Index": view.digest,
            "Created": created,
            "CreatedAt": created,
            "CreatedSince": created.split('T').next(),
            "Size": size(view.size),
            "UniqueSize": size(view.exclusive_size),
            "SharedSize": size(view.shared_size),
            "Layers": view.layers,
            "Fetched": view.fetched,
            "LastUsed": view.last_used,
            "Source": view.source,
        })
    }

    fn table(&self, views: &[ImageView<'_>]) -> Table {
        let mut heading = vec!["NAME", "DIGEST", "CREATED", "SIZE", "LAST USED"];
        if self.shown.full {
            heading.extend(["UNIQUE", "LAYERS", "FETCHED"]);
        }
        let cuts = [Cut::Start, Cut::Never, Cut::Never, Cut::Never, Cut::Never];
        let mut table = Table::new(&heading).cut(&cuts);
        let when = |time: &Timestamp| match self.shown.full {
            true => time.to_string(),
            false => ago(time),
        };
        for view in views {
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
            let mut cells = vec![
                view.reference.clone(),
                self.digest(view).to_owned(),
                created.to_owned(),
                whole,
                when(&view.last_used),
            ];
            if self.shown.full {
                cells.extend([unique, view.layers.to_string(), when(&view.fetched)]);
            }
            table.row(cells);
        }
        table
    }
}
