//! Files in, units and findings out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::finding::{Finding, Findings, Severity};
use crate::index::{Index, Parsed};
use crate::name::{Kind, SourceName};
use crate::settings::Settings;
use crate::source::Source;
use crate::translate::{
    NeededFile, Work, container, image, kube, network, pod, volume, yaml_files,
};
use crate::unit::Unit;
use crate::unit_file::{UnitFile, parse};

/// The most bytes that one file and its drop-ins have.
const FILE_MAX: usize = 1 << 20;
/// The most bytes that all of them have: drop-ins count for each file that they are for.
const ALL_MAX: usize = 32 << 20;
/// The most assignments of one file and its drop-ins.
const ENTRIES_MAX: usize = 10_000;
/// The most links of a unit.
const LINKS_MAX: usize = 256;
/// The most apps of a pod.
const APPS_MAX: usize = 64;

/// What files were made into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Generated {
    /// The units, by their names.
    pub units: Vec<Unit>,
    /// What was found on the way, by files.
    pub findings: Vec<Finding>,
}

/// Makes the units of these files. One that is not understood has findings and no unit; the others are not touched by it.
pub fn generate(sources: &[Source], settings: &Settings) -> Generated {
    let mut generated = Generated::default();
    let parsed = read(sources, &mut generated.findings);
    let index = Index::new(&parsed, sources);
    let played: BTreeSet<PathBuf> = parsed.iter().flat_map(yaml_files).collect();
    let mut members: BTreeMap<SourceName, Vec<&Parsed<'_>>> = BTreeMap::new();
    for file in &parsed {
        let Some(entry) = file.pod() else { continue };
        let name = entry.value.parse::<SourceName>().ok();
        let pod =
            name.filter(|name| name.kind() == Kind::Pod && index.find(&entry.value).is_some());
        match pod {
            Some(name) => members.entry(name).or_default().push(file),
            None => {
                let mut findings = Findings::new(&file.source.path, None);
                let why_not = index.why_not(&entry.value);
                findings.error(entry, format!("{why_not}: a .pod is named"));
                generated.findings.extend(findings.into_list());
            }
        }
    }
    let mut made = Made::default();
    for file in &parsed {
        if file.pod().is_some() || played.contains(&file.source.path) {
            continue;
        }
        let mut work = Work::new(file, &index, settings);
        let unit = match file.source.name.kind() {
            Kind::Container => container(&mut work),
            Kind::Pod => {
                let members = members
                    .get(&file.source.name)
                    .map_or(&[][..], Vec::as_slice);
                match members.len() > APPS_MAX {
                    true => {
                        work.findings
                            .file(format!("it has more than {APPS_MAX} containers"));
                        None
                    }
                    false => pod(&mut work, members),
                }
            }
            Kind::Volume => volume(&mut work),
            Kind::Network => network(&mut work),
            Kind::Image => image(&mut work),
            Kind::Kube | Kind::Yaml => kube(&mut work),
            Kind::Build => {
                work.findings
                    .file("images are not built here: build it elsewhere, and fetch it");
                None
            }
            Kind::Artifact => {
                work.findings.file("artifacts are not there yet");
                None
            }
        };
        if let Some(unit) = unit {
            let needs = std::mem::take(&mut work.needs.files);
            made.take(unit, needs, file, &mut work.findings);
        }
        generated.findings.extend(work.findings.into_list());
    }
    made.without_the_refused(&played, &mut generated.findings);
    let place = |finding: &Finding| (finding.path.clone(), finding.line);
    generated.findings.sort_by_key(place);
    generated.units = made.units.into_values().collect();
    generated
}

/// Reads the files, as far as they can be understood.
fn read<'a>(sources: &'a [Source], found: &mut Vec<Finding>) -> Vec<Parsed<'a>> {
    let mut all: usize = 0;
    let mut files = Vec::new();
    for source in sources {
        let mut findings = Findings::new(&source.path, Some(source.name.service()));
        let drop_ins = source
            .drop_ins
            .iter()
            .map(|drop_in| (&drop_in.path, &drop_in.text));
        let texts: Vec<_> = std::iter::once((&source.path, &source.text))
            .chain(drop_ins)
            .collect();
        let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
        all = all.saturating_add(bytes);
        let mut file = UnitFile::default();
        if bytes > FILE_MAX {
            findings.file("with its drop-ins, it is larger than 1 MiB");
        } else if all > ALL_MAX {
            findings.file("all files of units together are larger than 32 MiB");
        } else {
            let is_yaml = source.name.kind() == Kind::Yaml;
            for (path, text) in texts.into_iter().skip(usize::from(is_yaml)) {
                match parse(path, text) {
                    Ok(entries) => file.entries.extend(entries),
                    Err(mistake) => findings.whole(path, Some(mistake.line), mistake.reason),
                }
            }
            if file.entries.len() > ENTRIES_MAX {
                findings.file(format!("it has more than {ENTRIES_MAX} assignments"));
            }
        }
        if !findings.has_errors() {
            files.push(Parsed::new(source, file));
        }
        found.extend(findings.into_list());
    }
    files
}

/// Units by their names, and who has taken which name.
#[derive(Debug, Default)]
struct Made {
    units: BTreeMap<String, Unit>,
    names: BTreeMap<String, PathBuf>,
    pods: BTreeMap<String, PathBuf>,
    /// What each unit needs of other files.
    needs: BTreeMap<String, Vec<NeededFile>>,
}

impl Made {
    /// Takes a unit, unless another file has its name, or that of its pod.
    fn take(
        &mut self,
        unit: Unit,
        needs: Vec<NeededFile>,
        file: &Parsed<'_>,
        findings: &mut Findings<'_>,
    ) {
        if unit.links.len() > LINKS_MAX {
            findings.file(format!("it makes more than {LINKS_MAX} links"));
            return;
        }
        let aliases = unit.links.iter().filter(|link| !link.path.contains('/'));
        let names: Vec<_> = aliases
            .map(|link| &link.path)
            .chain([&unit.name])
            .cloned()
            .collect();
        for name in &names {
            if let Some(other) = self.names.get(name) {
                findings.file(format!("{name} is already made of {}", other.display()));
                return;
            }
        }
        if matches!(file.source.name.kind(), Kind::Container | Kind::Pod) {
            let pod = file.resource();
            if let Some(other) = self.pods.get(&pod) {
                findings.file(format!(
                    "a pod {pod} is already made of {}",
                    other.display()
                ));
                return;
            }
            self.pods.insert(pod, file.source.path.clone());
        }
        let path = &file.source.path;
        self.names
            .extend(names.into_iter().map(|name| (name, path.clone())));
        self.needs.insert(unit.name.clone(), needs);
        self.units.insert(unit.name.clone(), unit);
    }

    /// Gives up the units that need one which is not made of its file: they could not start. Files that are `played` by others
    /// are no units of their own.
    fn without_the_refused(&mut self, played: &BTreeSet<PathBuf>, findings: &mut Vec<Finding>) {
        let sources = self.units.values().map(|unit| unit.source.clone());
        let mut there: BTreeSet<PathBuf> = sources.chain(played.iter().cloned()).collect();
        // Each time around, what needed those that were given up before.
        loop {
            let lacking = self.needs.iter().filter_map(|(name, needs)| {
                let gone = needs.iter().find(|need| !there.contains(&need.path))?;
                Some((name.clone(), gone.clone()))
            });
            let lacking: Vec<_> = lacking.collect();
            if lacking.is_empty() {
                return;
            }
            for (name, need) in lacking {
                self.needs.remove(&name);
                let Some(unit) = self.units.remove(&name) else {
                    continue;
                };
                let is_why = |finding: &&Finding| {
                    finding.source == need.path && finding.severity == Severity::Error
                };
                let reason = match findings.iter().find(is_why) {
                    Some(why) => format!("{} is refused: {}", need.name, why.reason),
                    None => format!("{} becomes no unit", need.name),
                };
                let mut own = Findings::new(&unit.source, Some(name));
                own.error(&need.entry, reason);
                findings.extend(own.into_list());
                there.remove(&unit.source);
            }
        }
    }
}

#[cfg(test)]
mod tests;
