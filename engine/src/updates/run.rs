//! Updates of all services that ask for them.

use std::collections::{BTreeMap, BTreeSet};

use image_name::{Digest, Reference};
use pod::{AppName, PodName, PodUuid};

use super::options::Options;
use super::plan::{NameFacts, Plan, RunningApp, Verdict, decide};
use super::policy::UpdatePolicy;
use super::records::{self, Ledger, NameRecord, Records};
use super::registry;
use super::service_manager::ServiceManager;
use super::survey::{Member, survey};
use super::trial::{Ending, Step, Updater};
use super::trial_record::Trial;
use super::unit::UnitName;
use super::version::Version;
use crate::engine::Engine;
use crate::error::{Error, UpdateError};
use crate::observer::Observer;
use crate::policy::verifier::Verifier;

/// What has become of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// It runs the new image.
    Yes,
    /// There is none, or nobody could start its pod again.
    No,
    /// There is one, and it was only to be said.
    Pending,
    /// It could not be found out, or not be done.
    Failed,
    /// It runs its old image again.
    RolledBack,
    /// There is one that may not run, or with which the service did not come up before.
    Refused,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// An error, by its number in the report.
    Problem(usize),
    /// Something that is as it should be.
    Note(String),
}

/// An app that asks for updates.
#[derive(Debug, Clone)]
pub struct Row {
    /// The service of its pod.
    pub unit: Option<UnitName>,
    /// Its pod.
    pub pod: PodUuid,
    /// The pod's name.
    pub pod_name: Option<PodName>,
    /// Its name.
    pub app: AppName,
    /// The name of its image.
    pub image: Reference,
    /// What it asks for.
    pub policy: UpdatePolicy,
    /// What has become of it.
    pub updated: Updated,
    /// The image that it ran.
    pub from: Digest,
    /// The image that it was to run.
    pub to: Option<Digest>,
    /// Why.
    pub reason: Option<Reason>,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Report {
    /// The apps.
    pub rows: Vec<Row>,
    /// What went wrong.
    pub problems: Vec<Error>,
    /// What should be known, and stops nothing.
    pub notes: Vec<Error>,
}

/// Updates the services that ask for it: those that are `wanted`, by their own names or those of their pods, or all.
///
/// # Errors
/// [`UpdateError::Busy`], [`UpdateError::NotAsking`]; if there is no telling which pods there are, or what is done can't be
/// written down. What goes wrong with one service is in the report.
pub fn update(
    engine: &Engine,
    observer: &dyn Observer,
    manager: &dyn ServiceManager,
    wanted: &[String],
    options: &Options,
    tell: &dyn Fn(Step<'_>),
) -> Result<Report, Error> {
    let verifier = Verifier::new(engine, observer)?;
    let updater = Updater {
        engine,
        verifier: &verifier,
        observer,
        manager,
        options,
        tell,
    };
    let mut report = Report::default();
    // Only one command changes anything; any number may look.
    let mut ledger = match options.dry_run {
        true => None,
        false => Some(Ledger::open(&engine.directories.data)?),
    };
    let gone_on = match &mut ledger {
        Some(ledger) => updater.go_on(ledger)?,
        None => None,
    };
    let records = match &ledger {
        Some(ledger) => ledger.records.clone(),
        None => records::read(&engine.directories.data)?,
    };
    let (mut members, notes) = survey(engine, observer)?;
    report.notes = notes;
    choose(&mut members, wanted)?;
    let apps: Vec<RunningApp> = members
        .iter()
        .map(|member| member.running.clone())
        .collect();
    let names = facts(engine, &verifier, &apps, &records, &mut report.problems)?;
    let plan = decide(&apps, &names, options.again);
    // Without one, nothing is to be said of the images.
    if ledger.is_some() && !plan.groups.is_empty() {
        manager.require()?;
    }
    let mut endings = Vec::new();
    for group in &plan.groups {
        endings.push(match &mut ledger {
            None => None,
            Some(ledger) => Some(updater.update(ledger, group, &members)?),
        });
    }
    let endings = settle(endings, &mut report.problems);
    for (member, verdict) in members.iter().zip(&plan.verdicts) {
        report.rows.extend(row(member, verdict, &plan, &endings));
    }
    if let Some((trial, ending)) = gone_on {
        tell_of(&trial, ending, &mut report);
    }
    if let Some(ledger) = &mut ledger {
        forget_unknown(engine, ledger)?;
    }
    Ok(report)
}

/// Leaves those alone that are not wanted.
fn choose(members: &mut [Member], wanted: &[String]) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    let is_called = |member: &Member, text: &str| {
        let unit = member.running.unit.as_ref();
        unit.is_some_and(|unit| unit.is_called(text))
            || member.pod_name.as_ref().is_some_and(|name| name.as_str() == text)
            // As many digits as other commands want.
            || (text.len() >= 4 && member.pod.to_string().starts_with(text))
    };
    for text in wanted {
        let mut asking = members
            .iter()
            .filter(|member| member.running.policy.is_some());
        if !asking.any(|member| is_called(member, text)) {
            return Err(UpdateError::NotAsking(text.clone()).into());
        }
    }
    for member in members {
        if !wanted.iter().any(|text| is_called(member, text)) {
            member.running.policy = None;
        }
    }
    Ok(())
}

/// What is known of the names of apps that ask.
fn facts(
    engine: &Engine,
    verifier: &Verifier<'_>,
    apps: &[RunningApp],
    records: &Records,
    problems: &mut Vec<Error>,
) -> Result<BTreeMap<Reference, NameFacts>, Error> {
    let asking = apps.iter().filter(|app| app.policy.is_some());
    let names: BTreeSet<&Reference> = asking.map(|app| &app.name).collect();
    let mut facts = BTreeMap::new();
    for name in names {
        let is_asked_for = apps.iter().any(|app| {
            app.name == *name
                && app.policy == Some(UpdatePolicy::Registry)
                && app.unit.is_some()
                && name.digest().is_none()
        });
        let stored = engine.store().resolve(name)?.map(|record| Version {
            digest: record.digest,
            manifest: record.manifest,
        });
        let record: NameRecord = records.names.get(name).cloned().unwrap_or_default();
        let offer = is_asked_for.then(|| registry::ask(engine, verifier, name, problems));
        facts.insert(
            name.clone(),
            NameFacts {
                stored,
                record,
                offer,
            },
        );
    }
    Ok(facts)
}

/// How the update of a group has ended, with the number of what went wrong; `None` if it was only planned.
type Settled = Option<(Updated, Option<usize>)>;

fn settle(endings: Vec<Option<Ending>>, problems: &mut Vec<Error>) -> Vec<Settled> {
    let settled = endings
        .into_iter()
        .map(|ending| Some(settled(ending?, problems)));
    settled.collect()
}

fn settled(ending: Ending, problems: &mut Vec<Error>) -> (Updated, Option<usize>) {
    let (updated, error) = match ending {
        Ending::Updated => return (Updated::Yes, None),
        Ending::Refused(error) => (Updated::Refused, error),
        Ending::Failed(error) => (Updated::Failed, error),
        Ending::WentBack(error) => (Updated::RolledBack, error),
    };
    problems.push(error);
    (updated, Some(problems.len() - 1))
}

/// The row of an app; `None` if it asks for nothing.
fn row(member: &Member, verdict: &Verdict, plan: &Plan, endings: &[Settled]) -> Option<Row> {
    let RunningApp {
        unit,
        name,
        runs,
        policy,
    } = &member.running;
    let note = |text: String| Some(Reason::Note(text));
    let (updated, reason) = match verdict {
        Verdict::NotAsking => return None,
        Verdict::UpToDate => (Updated::No, None),
        Verdict::Pinned => (
            Updated::No,
            note(format!(
                "{name} names a digest, which never stands for another image"
            )),
        ),
        Verdict::NoUnit => (
            Updated::No,
            note(UpdateError::NoUnit(member.called()).to_string()),
        ),
        Verdict::KnownAsBad(digest) => (
            Updated::Refused,
            note(format!(
                "{digest} was tried before as {name}, and did not come up"
            )),
        ),
        Verdict::Left(digest) => (
            Updated::Refused,
            note(format!(
                "{digest} was {name} before, and somebody has gone back from it"
            )),
        ),
        Verdict::Unverified(problem) => (Updated::Refused, Some(Reason::Problem(*problem))),
        Verdict::Unknown(problem) => (Updated::Failed, Some(Reason::Problem(*problem))),
        Verdict::Update(group) => match endings.get(*group).and_then(Option::as_ref) {
            Some((updated, problem)) => (*updated, problem.map(Reason::Problem)),
            None => (Updated::Pending, None),
        },
    };
    let to = match verdict {
        Verdict::Update(group) => {
            let change = plan
                .groups
                .get(*group)
                .and_then(|group| group.changes.get(name));
            change.map(|change| change.to.digest.clone())
        }
        Verdict::KnownAsBad(digest) | Verdict::Left(digest) => Some(digest.clone()),
        _ => None,
    };
    Some(Row {
        unit: unit.clone(),
        pod: member.pod,
        pod_name: member.pod_name.clone(),
        app: member.app.clone(),
        image: name.clone(),
        policy: (*policy)?,
        updated,
        from: runs.digest.clone(),
        to,
        reason,
    })
}

/// Tells of an update that was gone on with, where nothing else was done with its apps since.
fn tell_of(trial: &Trial, ending: Ending, report: &mut Report) {
    let (updated, problem) = settled(ending, &mut report.problems);
    for row in &mut report.rows {
        let is_of_trial = row
            .unit
            .as_ref()
            .is_some_and(|unit| trial.units.contains_key(unit));
        let Some(one) = trial.moves.get(&row.image).filter(|_| is_of_trial) else {
            continue;
        };
        // It was refused just now, which is told once.
        let is_told = updated == Updated::RolledBack && row.updated == Updated::Refused;
        if row.updated == Updated::No || is_told {
            row.updated = updated;
            row.from = one.from.digest.clone();
            row.to = Some(one.to.digest.clone());
            row.reason = problem.map(Reason::Problem);
        }
    }
}

/// Forgets what is remembered of names that the store does not know any more.
fn forget_unknown(engine: &Engine, ledger: &mut Ledger) -> Result<(), Error> {
    let store = engine.store();
    let before = ledger.records.names.len();
    ledger
        .records
        .names
        .retain(|name, _| !matches!(store.resolve(name), Ok(None)));
    match ledger.records.names.len() == before {
        true => Ok(()),
        false => ledger.save(),
    }
}
