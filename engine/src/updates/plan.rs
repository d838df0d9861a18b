//! What is to be done: states in, decisions out. Nothing is asked and nothing changed here.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use image_name::{Digest, Reference};

use super::policy::UpdatePolicy;
use super::records::NameRecord;
use super::unit::UnitName;
use super::version::Version;

/// An app of a running pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningApp {
    /// The service of its pod.
    pub unit: Option<UnitName>,
    /// The name of its image.
    pub name: Reference,
    /// The image that it runs.
    pub runs: Version,
    /// What it asks for.
    pub policy: Option<UpdatePolicy>,
}

/// What a registry has under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// An image that may run.
    Image(Version),
    /// One that may not. The number is that of an error.
    Unverified(usize),
    /// Nobody knows. The number is that of an error.
    Unknown(usize),
}

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameFacts {
    /// What it stands for in the store.
    pub stored: Option<Version>,
    /// What is remembered of it.
    pub record: NameRecord,
    /// What the registry has; `None` if it was not asked.
    pub offer: Option<Offer>,
}

/// What becomes of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It asks for nothing.
    NotAsking,
    /// It runs what there is.
    UpToDate,
    /// Its image is named by a digest, which stands for one image for ever.
    Pinned,
    /// No service could start its pod again.
    NoUnit,
    /// There is another image, with which services did not come up.
    KnownAsBad(Digest),
    /// There is another image, from which somebody has gone back by hand.
    Left(Digest),
    /// There is another image, which may not run. The number is that of an error.
    Unverified(usize),
    /// Nobody knows what there is. The number is that of an error.
    Unknown(usize),
    /// It gets another image, with all of that group.
    Update(usize),
}

/// From which image to which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is run.
    pub from: Version,
    /// What is to be run.
    pub to: Version,
    /// Whether the registry has it, and its signatures.
    pub is_of_registry: bool,
}

/// What succeeds or is taken back together: a name stands for one image, whatever services run it, and a service is
/// started with all of its images.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// The names that are to stand for something else.
    pub changes: BTreeMap<Reference, Change>,
    /// The services that are started again.
    pub units: BTreeSet<UnitName>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What becomes of each app, in their order.
    pub verdicts: Vec<Verdict>,
    /// Groups, in the order of their apps.
    pub groups: Vec<Group>,
}

/// Decides. `again` tries refused digests once more.
#[must_use]
pub fn decide(apps: &[RunningApp], names: &BTreeMap<Reference, NameFacts>, again: bool) -> Plan {
    let none = NameFacts::default();
    let facts = |app: &RunningApp| names.get(&app.name).unwrap_or(&none);
    let judged: Vec<_> = apps
        .iter()
        .map(|app| judge(app, facts(app), again))
        .collect();
    let mut plan = Plan::default();
    let mut members: Vec<Option<usize>> = Vec::with_capacity(apps.len());
    for (app, judged) in apps.iter().zip(&judged) {
        let (Err(change), Some(unit)) = (judged, &app.unit) else {
            members.push(None);
            continue;
        };
        let group = Group {
            changes: [(app.name.clone(), change.clone())].into(),
            units: [unit.clone()].into(),
        };
        let place = join(&mut plan.groups, &mut members, group);
        members.push(Some(place));
    }
    // What a name stands for is what to go back to, if any of its pods runs it.
    for group in &mut plan.groups {
        for (name, change) in &mut group.changes {
            let stored = names.get(name).and_then(|facts| facts.stored.as_ref());
            let runs = |version: &Version| {
                let mut apps = apps.iter().filter(|app| app.name == *name);
                apps.any(|app| app.runs.manifest == version.manifest)
            };
            if let Some(stored) = stored.filter(|stored| runs(stored) && **stored != change.to) {
                change.from = stored.clone();
            }
        }
    }
    let of_app = |((app, judged), member): ((&RunningApp, _), Option<usize>)| {
        let (group, place) = match (judged, member) {
            (Ok(verdict), _) => return verdict,
            (Err(_), None) => return Verdict::NoUnit,
            (Err(_), Some(place)) => (plan.groups.get(place), place),
        };
        // One app of the name may ask the registry, another the store.
        let to = group.and_then(|group| group.changes.get(&app.name));
        match to.is_some_and(|change| change.to.manifest != app.runs.manifest) {
            true => Verdict::Update(place),
            false => Verdict::UpToDate,
        }
    };
    plan.verdicts = apps.iter().zip(judged).zip(members).map(of_app).collect();
    plan
}

/// What becomes of an app, or the change that it gets.
fn judge(app: &RunningApp, facts: &NameFacts, again: bool) -> Result<Verdict, Change> {
    let Some(policy) = app.policy else {
        return Ok(Verdict::NotAsking);
    };
    if app.unit.is_none() {
        return Ok(Verdict::NoUnit);
    }
    if app.name.digest().is_some() {
        return Ok(Verdict::Pinned);
    }
    let to = match (policy, &facts.offer) {
        (UpdatePolicy::Local, _) => match &facts.stored {
            Some(stored) => stored,
            None => return Ok(Verdict::UpToDate),
        },
        (UpdatePolicy::Registry, Some(Offer::Image(version))) => version,
        (UpdatePolicy::Registry, Some(Offer::Unverified(error))) => {
            return Ok(Verdict::Unverified(*error));
        }
        (UpdatePolicy::Registry, Some(Offer::Unknown(error))) => {
            return Ok(Verdict::Unknown(*error));
        }
        (UpdatePolicy::Registry, None) => return Ok(Verdict::UpToDate),
    };
    if to.manifest == app.runs.manifest {
        return Ok(Verdict::UpToDate);
    }
    if !again && facts.record.has_refused(&to.digest) {
        return Ok(Verdict::KnownAsBad(to.digest.clone()));
    }
    let stored = facts.stored.as_ref().map(|stored| &stored.digest);
    if !again && facts.record.was_left(&to.digest, stored) {
        return Ok(Verdict::Left(to.digest.clone()));
    }
    Err(Change {
        from: app.runs.clone(),
        to: to.clone(),
        is_of_registry: policy == UpdatePolicy::Registry,
    })
}

/// Puts a group to those that have a name or a service of it, which become one; gives its place.
fn join(groups: &mut Vec<Group>, members: &mut [Option<usize>], group: Group) -> usize {
    let belongs = |one: &Group| {
        !one.units.is_disjoint(&group.units)
            || one
                .changes
                .keys()
                .any(|name| group.changes.contains_key(name))
    };
    let mut places: Vec<usize> = Vec::new();
    places.extend((0..groups.len()).filter(|place| groups.get(*place).is_some_and(belongs)));
    let Some((first, others)) = places.split_first() else {
        groups.push(group);
        return groups.len() - 1;
    };
    let mut whole = group;
    // From behind, so that the places of those before stay.
    for place in others.iter().rev() {
        absorb(&mut whole, groups.remove(*place));
        for member in members.iter_mut().flatten() {
            *member = match (*member).cmp(place) {
                std::cmp::Ordering::Less => *member,
                std::cmp::Ordering::Equal => *first,
                std::cmp::Ordering::Greater => *member - 1,
            };
        }
    }
    if let Some(one) = groups.get_mut(*first) {
        absorb(one, whole);
    }
    *first
}

/// What both have; of a name that both change, what the first says of it.
fn absorb(group: &mut Group, other: Group) {
    group.units.extend(other.units);
    for (name, change) in other.changes {
        group.changes.entry(name).or_insert(change);
    }
}
