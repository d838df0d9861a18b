//! What pods use, as rows: one for each app, and one for a pod of several.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use engine::pods::usage::{Measured, NetworkUse};
use pod::control::{CpuStats, MemoryStats, PidsStats, Usage};
use pod::manifest::PodManifest;
use pod::{AppName, PodName, PodUuid};
use serde::Serialize;
use serde_json::{Value, json};

use crate::console::table::{Cut, Table, size};

/// What templates see of each.
pub(super) const FIELDS: &[&str] = &[
    "ID",
    "UUID",
    "Container",
    "Name",
    "Pod",
    "App",
    "CPUPerc",
    "MemUsage",
    "MemPerc",
    "NetIO",
    "BlockIO",
    "PIDs",
    "PIDS",
];

/// What one app uses, or a pod of several apps.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Row {
    uuid: PodUuid,
    name: Option<PodName>,
    /// Absent: all of the pod.
    app: Option<AppName>,
    /// Hundredths of one processor, since the last look.
    cpu_percent: Option<f64>,
    /// What is used; absent of a pod that doesn't run.
    #[serde(flatten)]
    usage: Option<Usage>,
    /// Most memory that there can be, in bytes: the app's limit, the pod's, or all that the host has.
    memory_available: Option<u64>,
    /// Of the pod.
    network: Option<NetworkUse>,
}

/// Who uses processors.
type User = (PodUuid, Option<AppName>);

/// Processor time at the last look.
#[derive(Debug, Default)]
pub(super) struct Rates(BTreeMap<User, (Instant, u64)>);

impl Rates {
    /// Keeps what the next look is compared with.
    pub(super) fn note(&mut self, all: &BTreeMap<PodUuid, Measured>) {
        self.0.clear();
        for (uuid, measured) in all {
            let whole = measured.stats.whole.map(|usage| (None, usage.cpu));
            let apps = measured.stats.apps.iter();
            let apps = apps.map(|app| (Some(app.app.clone()), app.cpu));
            for (app, cpu) in apps.chain(whole) {
                if let Some(time) = cpu.usage_ns {
                    self.0.insert((*uuid, app), (measured.at, time));
                }
            }
        }
    }

    /// Hundredths of one processor since the last look.
    fn percent(&self, user: &User, at: Instant, cpu: CpuStats) -> Option<f64> {
        let (before, time) = self.0.get(user)?;
        let elapsed = at.saturating_duration_since(*before).as_nanos();
        // An app that was started anew counts from nothing.
        let used = cpu.usage_ns?.saturating_sub(*time);
        (elapsed > 0).then(|| used as f64 / elapsed as f64 * 100.0)
    }
}

/// The rows of a pod. Without figures, it doesn't run.
pub(super) fn rows(manifest: &PodManifest, measured: Option<&Measured>, rates: &Rates) -> Vec<Row> {
    let row = |app: Option<AppName>, usage: Option<Usage>, network, available| Row {
        uuid: manifest.uuid,
        name: manifest.name.clone(),
        cpu_percent: usage.zip(measured).and_then(|(usage, measured)| {
            rates.percent(&(manifest.uuid, app.clone()), measured.at, usage.cpu)
        }),
        app,
        usage,
        memory_available: available,
        network,
    };
    let Some(measured) = measured else {
        return vec![row(None, None, None, None)];
    };
    let host = host_memory();
    let least = |limits: [Option<u64>; 3]| limits.into_iter().flatten().min();
    let whole = measured.stats.whole;
    let of_pod = whole.and_then(|usage| usage.memory.limit);
    let is_alone = manifest.apps.len() == 1;
    let mut rows = Vec::new();
    if !is_alone || measured.stats.apps.is_empty() {
        let available = least([None, of_pod, host]);
        rows.push(row(None, whole, measured.network, available));
    }
    for app in &measured.stats.apps {
        let usage = Usage {
            cpu: app.cpu,
            memory: app.memory,
            pids: app.pids,
            block_io: app.block_io,
            pressure: app.pressure,
        };
        let available = least([app.memory.limit, of_pod, host]);
        let network = measured.network.filter(|_| is_alone);
        rows.push(row(Some(app.app.clone()), Some(usage), network, available));
    }
    rows
}

/// All memory of the host, in bytes.
fn host_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes.saturating_mul(1024))
}

/// The table for people.
pub(super) fn table(rows: &[Row], full: bool) -> Table {
    let heading = [
        "UUID",
        "NAME",
        "APP",
        "CPU %",
        "MEM USAGE / LIMIT",
        "MEM %",
        "NET I/O",
        "BLOCK I/O",
        "PIDS",
    ];
    let mut cuts = [Cut::Never; 9];
    if let Some(names) = cuts.get_mut(1..3) {
        names.fill(Cut::End);
    }
    let mut table = Table::new(&heading).cut(&cuts);
    for row in rows {
        table.row([
            row.id(full),
            row.called(),
            row.app.as_ref().map_or("-".to_owned(), AppName::to_string),
            row.cpu(),
            row.memory(),
            row.memory_percent(),
            row.network(),
            row.disks(),
            row.pids(),
        ]);
    }
    table
}

/// What templates see: docker's words for it.
pub(super) fn values(rows: &[Row], full: bool) -> Vec<Value> {
    let value = |row: &Row| {
        json!({
            "ID": row.id(full),
            "UUID": row.uuid,
            "Container": row.id(full),
            "Name": row.called(),
            "Pod": row.called(),
            "App": row.app.as_ref().map_or("", AppName::as_str),
            "CPUPerc": row.cpu(),
            "MemUsage": row.memory(),
            "MemPerc": row.memory_percent(),
            "NetIO": row.network(),
            "BlockIO": row.disks(),
            "PIDs": row.pids(),
            "PIDS": row.pids(),
        })
    };
    rows.iter().map(value).collect()
}

impl Row {
    fn id(&self, full: bool) -> String {
        match full {
            true => self.uuid.to_string(),
            false => self.uuid.short(),
        }
    }

    fn called(&self) -> String {
        self.name
            .as_ref()
            .map_or("-".to_owned(), PodName::to_string)
    }

    fn cpu(&self) -> String {
        percent(self.cpu_percent)
    }

    fn used(&self) -> Option<u64> {
        let MemoryStats {
            usage, working_set, ..
        } = self.usage?.memory;
        working_set.or(usage)
    }

    fn memory(&self) -> String {
        pair(self.used(), self.memory_available)
    }

    fn memory_percent(&self) -> String {
        let all = self.memory_available.filter(|all| *all > 0);
        let share = self.used().zip(all);
        percent(share.map(|(used, all)| used as f64 / all as f64 * 100.0))
    }

    fn network(&self) -> String {
        let network = self.network;
        pair(network.map(|n| n.received), network.map(|n| n.sent))
    }

    fn disks(&self) -> String {
        let disks = self.usage.map(|usage| usage.block_io);
        pair(disks.and_then(|d| d.read), disks.and_then(|d| d.written))
    }

    fn pids(&self) -> String {
        let PidsStats { current, .. } = self.usage.map(|usage| usage.pids).unwrap_or_default();
        current.map_or("-".to_owned(), |count| count.to_string())
    }
}

fn percent(number: Option<f64>) -> String {
    number.map_or("-".to_owned(), |number| format!("{number:.2}%"))
}

fn pair(first: Option<u64>, second: Option<u64>) -> String {
    match (first, second) {
        (None, None) => "-".to_owned(),
        _ => {
            let text = |number: Option<u64>| number.map_or("-".to_owned(), size);
            format!("{} / {}", text(first), text(second))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn processors_are_what_was_used_between_two_looks() {
        let uuid = PodUuid::random();
        let user = (uuid, None);
        let begin = Instant::now();
        let rates = Rates(BTreeMap::from([(user.clone(), (begin, 1_000_000_000))]));
        let later = begin + Duration::from_secs(2);
        let used = |usage_ns| CpuStats {
            usage_ns,
            ..CpuStats::default()
        };
        let percent = |cpu| rates.percent(&user, later, cpu);
        assert_eq!(percent(used(Some(4_000_000_000))), Some(150.0));
        // It was started anew.
        assert_eq!(percent(used(Some(5))), Some(0.0));
        assert_eq!(percent(used(None)), None);
        let app = (uuid, Some("new".parse().unwrap()));
        assert_eq!(rates.percent(&app, later, used(Some(1))), None);
    }

    #[test]
    fn what_nobody_counts_is_a_dash() {
        assert_eq!(pair(None, None), "-");
        assert_eq!(pair(Some(2048), None), format!("{} / -", size(2048)));
        assert_eq!(
            (percent(None), percent(Some(12.345))),
            ("-".into(), "12.35%".into())
        );
    }
}
