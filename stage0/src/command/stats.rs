//! `fairing stats`: what running pods use.

mod figures;
mod screen;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use clap::Args;
use engine::error::MonitorError;
use engine::pods::usage::{Measured, PATIENCE, measure};
use pod::machine::MachineRecord;
use pod::manifest::PodManifest;
use pod::{PodEntry, PodUuid, State};

use self::figures::{FIELDS, Rates, Row, rows, table, values};
use self::screen::Screen;
use crate::arguments::duration::duration;
use crate::arguments::listing::ListArguments;
use crate::command::several::in_states;
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::failure::Failure;

/// The shortest time between two looks: they are not to be what pods use most.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Arguments of `stats`.
#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// Names or UUIDs of pods, or the beginnings of UUIDs [default: all that run]
    #[arg(value_name = "POD")]
    pods: Vec<String>,
    /// Also pods that don't run, which use nothing
    #[arg(short, long, conflicts_with = "pods")]
    all: bool,
    /// Show it once
    #[arg(long)]
    no_stream: bool,
    /// Time between two looks
    #[arg(short, long, value_name = "DURATION", value_parser = interval, default_value = "1s")]
    interval: Duration,
    /// Write one table after the other on a terminal, too
    #[arg(long)]
    no_reset: bool,
    #[command(flatten)]
    shown: ListArguments,
}

/// A duration; a number alone is one of seconds, as podman has it.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = match text.parse::<u32>() {
        Ok(seconds) => Duration::from_secs(seconds.into()),
        Err(_) => duration(text)?,
    };
    match interval < INTERVAL_MIN {
        true => Err("it must be at least 100ms".to_owned()),
        false => Ok(interval),
    }
}

impl Subcommand for Stats {
    const NAME: &'static str = "stats";
    const ABOUT: &'static str =
        "Show what running pods use: processors, memory, networks, disks, processes";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let named = self.named(context)?;
        let mut rates = Rates::default();
        let mut screen = Screen::new(self.no_stream || self.no_reset);
        let Look { measured, .. } = self.look(context, &named)?;
        rates.note(&measured);
        loop {
            // What processors do is a difference of two looks.
            thread::sleep(self.interval);
            let Look {
                entries,
                measured,
                refused,
            } = self.look(context, &named)?;
            let is_over = !named.is_empty() && measured.is_empty();
            // An empty table would say that nothing is used.
            if is_over
                && refused.is_empty()
                && let Some((_, typed)) = named
                    .iter()
                    .zip(&self.pods)
                    .find(|(pod, _)| is_running(pod))
            {
                let mute = MonitorError::Mute(PATIENCE);
                return Err(Failure::Other(format!("pod {typed}: {mute}")));
            }
            let rows = self.rows(&entries, &measured, &rates);
            rates.note(&measured);
            screen.show(&self.shown, &rows)?;
            if let Some((_, refusal)) = refused.into_iter().next()
                && is_over
            {
                return Err(refusal.into());
            }
            if self.no_stream || is_over {
                return Ok(0);
            }
        }
    }
}

/// What was found by one look.
struct Look {
    entries: Vec<PodEntry>,
    measured: BTreeMap<PodUuid, Measured>,
    /// Why isolators don't tell.
    refused: BTreeMap<PodUuid, engine::Error>,
}

impl Stats {
    /// The pods that were named, each of which must run.
    fn named(&self, context: &Context) -> Result<Vec<PodEntry>, Failure> {
        let pods = self.pods.iter();
        pods.map(|pod| {
            let entry = context.pod(pod)?;
            match entry.state()? {
                State::Running => Ok(entry),
                state => Err(engine::Error::State {
                    uuid: entry.uuid,
                    operation: "measured",
                    state,
                }
                .into()),
            }
        })
        .collect()
    }

    fn look(&self, context: &Context, named: &[PodEntry]) -> Result<Look, Failure> {
        let entries = match named.is_empty() {
            true => in_states(context, |state| self.all || state == State::Running)?,
            false => named.to_vec(),
        };
        let (measured, refused) = measure(&entries, &context.engine.directories);
        Ok(Look {
            entries,
            measured,
            refused,
        })
    }

    fn rows(
        &self,
        entries: &[PodEntry],
        measured: &BTreeMap<PodUuid, Measured>,
        rates: &Rates,
    ) -> Vec<Row> {
        let mut all = Vec::new();
        for entry in entries {
            // One that vanishes while we look uses nothing.
            let Ok(manifest) = PodManifest::load(&entry.path) else {
                continue;
            };
            let measured = measured.get(&entry.uuid);
            if measured.is_some() || self.all {
                let machine = machine_memory(&manifest, entry);
                all.extend(rows(&manifest, machine, measured, rates));
            }
        }
        all
    }
}

/// How many bytes of memory the machine of a pod has, if it has one.
fn machine_memory(manifest: &PodManifest, entry: &PodEntry) -> Option<u64> {
    manifest.virtual_machine.as_ref()?;
    // A torn record says as little as none.
    let machine = MachineRecord::load(&entry.path).ok().flatten()?;
    Some(machine.memory << 20)
}

/// Whether a pod still runs, whose monitor said nothing.
fn is_running(entry: &PodEntry) -> bool {
    matches!(entry.state(), Ok(State::Running))
}

impl Screen {
    fn show(&mut self, shown: &ListArguments, rows: &[Row]) -> Result<(), Failure> {
        self.begin()?;
        shown.show(
            &rows,
            FIELDS,
            || values(rows, shown.full),
            || table(rows, shown.full).at_most(self.lines()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_duration_or_seconds() {
        assert_eq!(interval("2"), Ok(Duration::from_secs(2)));
        assert_eq!(interval("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["0", "99ms", "-1", "", "x"] {
            assert!(interval(bad).is_err(), "{bad}");
        }
    }
}
