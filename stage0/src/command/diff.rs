//! `fairing diff`: what an app has changed of its image's files.

use clap::Args;
use engine::pods::files::{made_for, trees};
use image_store::tree::{Change, changes};
use pod::AppName;
use pod::manifest::PodManifest;
use serde::Serialize;

use super::export::app_of;
use crate::arguments::format::{Format, format};
use crate::arguments::pod_app::{PodApp, pod_app};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::{Failure, one_line};

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// Name or UUID of the pod, or the beginning of its UUID, and the app, if it has several
    #[arg(value_name = "POD[/APP]", value_parser = pod_app)]
    pod: PodApp,
    /// The app, if the pod has several
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    /// text, json, or a template
    #[arg(long, value_name = "FORMAT", value_parser = format, default_value = "text")]
    format: Format,
}

/// The paths, as podman has them.
#[derive(Debug, Default, Serialize)]
struct Paths {
    changed: Vec<String>,
    added: Vec<String>,
    deleted: Vec<String>,
}

impl Subcommand for Diff {
    const NAME: &'static str = "diff";
    const ABOUT: &'static str =
        "Show what an app has added (A), changed (C) and deleted (D) of its image's files";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod.pod)?;
        let manifest = PodManifest::load(&entry.path)?;
        let app = app_of(
            &manifest,
            self.pod.app_or(self.app.as_ref())?,
            &self.pod.pod,
        )?;
        let trees = trees(&context.engine, &entry, &manifest, app);
        let made_for = made_for(app, &trees)?;
        let mut paths = Paths::default();
        let mut lines = Lines::default();
        let [upper, below @ ..] = trees.as_slice() else {
            return Ok(0);
        };
        let is_text = self.format == Format::Text;
        let mut written = Ok(());
        changes(
            upper,
            below,
            |path| made_for.contains(path),
            |change, path| match is_text {
                true if written.is_ok() => written = lines.add(change, path),
                true => {}
                false => paths.add(change, path),
            },
        )?;
        written?;
        match is_text {
            true => lines.flush()?,
            false => self.format.show(&paths, String::new)?,
        }
        Ok(0)
    }
}

impl Paths {
    fn add(&mut self, change: Change, path: &[u8]) {
        let paths = match change {
            Change::Added => &mut self.added,
            Change::Changed => &mut self.changed,
            Change::Deleted => &mut self.deleted,
        };
        paths.push(format!("/{}", String::from_utf8_lossy(path)));
    }
}

/// Lines that are written some at a time: an app may have changed more than there is memory for.
#[derive(Default)]
struct Lines(Vec<u8>);

/// Bytes that are written at once.
const CHUNK: usize = 64 << 10;

impl Lines {
    /// A line break in a name would make two lines of it.
    fn add(&mut self, change: Change, path: &[u8]) -> Result<(), Failure> {
        let letter = match change {
            Change::Added => 'A',
            Change::Changed => 'C',
            Change::Deleted => 'D',
        };
        let path = String::from_utf8_lossy(path);
        let line = one_line(&format!("{letter} /{path}."));
        let line = line.strip_suffix('.').unwrap_or(&line);
        self.0.extend_from_slice(line.as_bytes());
        self.0.push(b'\n');
        match self.0.len() {
            CHUNK.. => self.flush(),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        output::bytes(&std::mem::take(&mut self.0))
    }
}
