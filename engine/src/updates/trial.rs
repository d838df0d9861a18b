//! One update: images come, names move, services start again, and all of it is taken back if they don't come up.
//!
//! The records are ahead of what is done, so that whoever comes after a kill knows what to look for. Names move only after
//! all images were verified, so that they stand for one of two verified images at every moment.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use image_name::{Digest, Reference};
use image_store::RefRecord;

use super::options::Options;
use super::plan::{Group, RunningApp};
use super::records::Ledger;
use super::service_manager::ServiceManager;
use super::survey::{Member, pods_of};
use super::trial_record::{Images, Move, Stage, Trial};
use super::unit::UnitName;
use super::watch::{Look, Seen, UnitState, Watch};
use crate::engine::Engine;
use crate::error::{Error, UpdateError};
use crate::images::fetch::fetch_by_digest;
use crate::observer::Observer;
use crate::policy::verifier::Verifier;

/// What is being done.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// A service is started again, with new images.
    Starts(&'a UnitName),
    /// A service is started again, with its old images.
    GoesBack(&'a UnitName),
}

/// Between two looks at a service that comes up: nobody tells of a pod that begins.
const AGAIN: Duration = Duration::from_millis(200);

/// How an update has ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The services run the new images.
    Updated,
    /// An image may not run; nothing was changed.
    Refused(Error),
    /// Something else was wrong: before anything was changed, or with nothing taken back.
    Failed(Error),
    /// The services have their old images.
    WentBack(Error),
}

/// How many starts may be under way when names go back.
const NOTES: u32 = 16;

/// Does updates.
pub(super) struct Updater<'a> {
    pub(super) engine: &'a Engine,
    pub(super) verifier: &'a Verifier<'a>,
    pub(super) observer: &'a dyn Observer,
    pub(super) manager: &'a dyn ServiceManager,
    pub(super) options: &'a Options,
    pub(super) tell: &'a dyn Fn(Step<'_>),
}

impl Updater<'_> {
    /// Updates the services of a group.
    ///
    /// # Errors
    /// If what is done can't be written down, or the caller wants no more.
    pub(super) fn update(
        &self,
        ledger: &mut Ledger,
        group: &Group,
        members: &[Member],
    ) -> Result<Ending, Error> {
        let store = self.engine.store();
        let mut moves = BTreeMap::new();
        for (name, change) in &group.changes {
            let named = store.resolve(name).ok().flatten();
            let by_digest = store.resolve(&name.at_digest(&change.to.digest));
            moves.insert(
                name.clone(),
                Move {
                    from: change.from.clone(),
                    to: change.to.clone(),
                    newest: store.newest_signed(name)?,
                    has_digest_name: !matches!(by_digest, Ok(None)),
                    before: named.map(|record| record.digest),
                },
            );
        }
        let pods = |unit: &UnitName| {
            let of_unit = members
                .iter()
                .filter(|one| one.running.unit.as_ref() == Some(unit));
            let mut pods: Vec<_> = of_unit.map(|one| one.pod).collect();
            pods.dedup();
            (unit.clone(), pods.len())
        };
        let trial = Trial {
            stage: Stage::Fetching,
            moves,
            units: group.units.iter().map(pods).collect(),
            restarted: Default::default(),
            ran: ran(group, members),
        };
        ledger.save_trial(&trial)?;
        if let Err(error) = self.bring(group, &trial, members) {
            self.abandon(ledger, &trial)?;
            return match error {
                error @ Error::Caller(_) => Err(error),
                error @ (Error::Refused { .. } | Error::Integrity { .. }) => {
                    Ok(Ending::Refused(error))
                }
                error => Ok(Ending::Failed(error)),
            };
        }
        self.try_out(ledger, trial)
    }

    /// Goes on with an update that was interrupted; `None` if there is none, or nothing of it is left to be done.
    ///
    /// # Errors
    /// As [`Updater::update`].
    pub(super) fn go_on(&self, ledger: &mut Ledger) -> Result<Option<(Trial, Ending)>, Error> {
        let Some(trial) = ledger.records.trial.clone() else {
            return Ok(None);
        };
        // What it has asked the service manager for may be under way still. What takes too long is asked for once more.
        for unit in &trial.restarted {
            self.manager.wait_for_jobs(unit, self.options.limit)?;
        }
        // Somebody has given a name another image since then, or removed it: this one is history.
        let is_known = |name: &Reference| self.meaning(name).is_some();
        if trial.stage == Stage::Fetching
            || self.moved_by_others(&trial).is_some()
            || !trial.moves.keys().all(is_known)
        {
            self.abandon(ledger, &trial)?;
            return Ok(None);
        }
        let is_verified = match trial.stage {
            Stage::Trying => Some(self.verify(&trial.new_images())),
            Stage::Fetching | Stage::GoingBack => None,
        };
        let ending = match is_verified {
            Some(Ok(())) => self.try_out(ledger, trial.clone())?,
            Some(Err(error)) => self.go_back(ledger, trial.clone(), Some(error))?,
            None => self.go_back(ledger, trial.clone(), None)?,
        };
        Ok(Some((trial, ending)))
    }

    /// Fetches what is not there, and verifies all that the services will be started with.
    fn bring(&self, group: &Group, trial: &Trial, members: &[Member]) -> Result<(), Error> {
        for (name, change) in &group.changes {
            if change.is_of_registry {
                fetch_by_digest(self.engine, self.verifier, name, &change.to.digest)?;
            }
        }
        self.verify(&trial.new_images())?;
        let store = self.engine.store();
        let _pin = store.pin()?;
        for member in members {
            let RunningApp { unit, name, .. } = &member.running;
            let Some(unit) = unit.as_ref().filter(|unit| trial.units.contains_key(unit)) else {
                continue;
            };
            if member.is_waived || trial.moves.contains_key(name) {
                continue;
            }
            // A name that the store does not know any more is for its start to fetch.
            let Some(record) = store.resolve(name)? else {
                continue;
            };
            self.verifier
                .before_start(name, &record.digest)
                .map_err(|error| UpdateError::WouldNotStart {
                    unit: unit.to_string(),
                    name: name.to_string(),
                    source: Box::new(error),
                })?;
        }
        Ok(())
    }

    /// Verifies images as a start would.
    fn verify(&self, images: &Images) -> Result<(), Error> {
        let _pin = self.engine.store().pin()?;
        for (name, version) in images {
            self.verifier.before_start(name, &version.digest)?;
        }
        Ok(())
    }

    /// What a name stands for; nothing if nobody knows.
    fn meaning(&self, name: &Reference) -> Option<Digest> {
        let record = self.engine.store().resolve(name).ok()?;
        Some(record?.digest)
    }

    /// That somebody else has given a name another image meanwhile, if so: who did that meant it.
    fn moved_by_others(&self, trial: &Trial) -> Option<UpdateError> {
        let (name, digest) = trial.moved_by_others(|name| self.meaning(name))?;
        Some(UpdateError::Moved {
            name: name.to_string(),
            digest: digest.to_string(),
        })
    }

    /// Gives the names their new images and starts the services again.
    fn try_out(&self, ledger: &mut Ledger, mut trial: Trial) -> Result<Ending, Error> {
        // The fetch has taken its time.
        if let Some(moved) = self.moved_by_others(&trial) {
            self.abandon(ledger, &trial)?;
            return Ok(Ending::Failed(moved.into()));
        }
        trial.stage = Stage::Trying;
        ledger.save_trial(&trial)?;
        let images = trial.new_images();
        self.name(&images)?;
        self.forget_digests(&trial)?;
        let mut first = None;
        let units: Vec<_> = trial
            .units
            .iter()
            .map(|(unit, pods)| (unit.clone(), *pods))
            .collect();
        for (unit, pods) in units {
            // Somebody has stopped it since it was looked at, and means it.
            if !trial.restarted.contains(&unit) && self.is_down(&unit)? {
                continue;
            }
            let was_restarted = !trial.restarted.insert(unit.clone());
            ledger.save_trial(&trial)?;
            (self.tell)(Step::Starts(&unit));
            match self.start(&unit, pods, &images, was_restarted) {
                Ok(()) => {}
                Err(error) if self.options.rollback => {
                    return self.go_back(ledger, trial, Some(error));
                }
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        for (name, one) in &trial.moves {
            ledger.records.accept(name, one);
        }
        ledger.end_trial()?;
        Ok(match first {
            None => Ending::Updated,
            Some(error) => Ending::Failed(error),
        })
    }

    /// Gives the names their old images, and starts those services again that had been started with the new ones: each with
    /// what it has run itself.
    fn go_back(
        &self,
        ledger: &mut Ledger,
        mut trial: Trial,
        why: Option<Error>,
    ) -> Result<Ending, Error> {
        trial.stage = Stage::GoingBack;
        // Where no service could be started at all, no image is to blame.
        if !matches!(why, Some(Error::Update(UpdateError::Systemctl(_)))) {
            for (name, one) in &trial.moves {
                ledger.records.refuse(name, one);
            }
        }
        ledger.save_trial(&trial)?;
        let names: Vec<String> = trial.moves.keys().map(ToString::to_string).collect();
        let names = names.join(", ");
        let first = why.unwrap_or_else(|| UpdateError::Interrupted(names.clone()).into());
        if let Some(moved) = self.moved_by_others(&trial) {
            ledger.end_trial()?;
            let error = UpdateError::NoWayBack {
                names,
                first: first.to_string(),
                source: Box::new(moved),
            };
            return Ok(Ending::Failed(error.into()));
        }
        self.name(&trial.old_images())?;
        // The rules may have been changed to be rid of the old ones, and they go before all else.
        if let Err(error) = self.verify_old(&trial) {
            self.name(&trial.new_images())?;
            ledger.end_trial()?;
            let error = UpdateError::NoWayBack {
                names,
                first: first.to_string(),
                source: Box::new(error),
            };
            return Ok(Ending::Failed(error.into()));
        }
        let mut second = None;
        for (images, units) in trial.old_sets(&trial.restarted) {
            self.name(&images)?;
            for unit in units {
                if let Err(error) = self.start_again(unit, &trial, &images) {
                    second.get_or_insert(error);
                }
            }
        }
        ledger.end_trial()?;
        Ok(match second {
            None => Ending::WentBack(
                UpdateError::WentBack {
                    names,
                    source: Box::new(first),
                }
                .into(),
            ),
            Some(second) => Ending::Failed(
                UpdateError::BackInVain {
                    names,
                    first: first.to_string(),
                    second: Box::new(second),
                }
                .into(),
            ),
        })
    }

    /// Starts a service again with what it has run, which the names stand for.
    fn start_again(&self, unit: &UnitName, trial: &Trial, images: &Images) -> Result<(), Error> {
        (self.tell)(Step::GoesBack(unit));
        let pods = trial.units.get(unit).copied().unwrap_or_default();
        match self.start(unit, pods, images, true) {
            // A start that was under way with a new image may have noted its age since.
            Err(_) if self.forget_ages(trial)? => self.start(unit, pods, images, true),
            other => other,
        }
    }

    /// Verifies the old images, whose names mean them again.
    fn verify_old(&self, trial: &Trial) -> Result<(), Error> {
        let verify = || {
            let mut sets = trial.old_sets(&trial.restarted).into_iter();
            sets.try_for_each(|(images, _)| self.verify(&images))
        };
        self.forget_ages(trial)?;
        let mut verdict = verify();
        // Each start that was under way with a new image may note its age once more; no later one does.
        for _ in 0..NOTES {
            if verdict.is_ok() || !self.forget_ages(trial)? {
                break;
            }
            verdict = verify();
        }
        verdict
    }

    /// The starts of new images have noted how new those are, and their predecessors would be too old for rules that want
    /// names not to go back. Gives whether there was something to forget.
    fn forget_ages(&self, trial: &Trial) -> Result<bool, Error> {
        let store = self.engine.store();
        let mut any = false;
        for (name, one) in &trial.moves {
            any |= store.newest_signed(name)? > one.newest;
            store.forget_signed_since(name, one.newest)?;
        }
        Ok(any)
    }

    /// Ends an update for which no name was moved.
    fn abandon(&self, ledger: &mut Ledger, trial: &Trial) -> Result<(), Error> {
        self.forget_digests(trial)?;
        ledger.end_trial()
    }

    /// Takes the names away by which images have come.
    fn forget_digests(&self, trial: &Trial) -> Result<(), Error> {
        for (name, one) in &trial.moves {
            if !one.has_digest_name {
                self.engine
                    .store()
                    .remove(&name.at_digest(&one.to.digest))?;
            }
        }
        Ok(())
    }

    /// Lets the names stand for these images.
    fn name(&self, images: &Images) -> Result<(), Error> {
        let store = self.engine.store();
        let _pin = store.pin()?;
        for (name, version) in images {
            let known = store.resolve(name).ok().flatten();
            if known
                .as_ref()
                .is_some_and(|known| known.digest == version.digest)
            {
                continue;
            }
            let now = crate::policy::circumstances::now().seconds();
            let record = RefRecord {
                reference: name.clone(),
                digest: version.digest.clone(),
                manifest: version.manifest.clone(),
                fetched_at: now,
                source: known.map_or_else(|| name.to_string(), |known| known.source),
                used_at: now,
            };
            store.tag(&record, name)?;
        }
        Ok(())
    }

    /// Starts a service again and waits until it is up. `is_maybe_done` if that may have been done by somebody who was
    /// interrupted.
    fn start(
        &self,
        unit: &UnitName,
        pods: usize,
        images: &Images,
        is_maybe_done: bool,
    ) -> Result<(), Error> {
        let wanted: BTreeMap<Reference, Digest> = images
            .iter()
            .map(|(name, version)| (name.clone(), version.manifest.clone()))
            .collect();
        let deadline = Instant::now() + self.options.limit;
        if !(is_maybe_done && self.runs(unit, pods, &wanted)?) {
            self.manager.restart(unit, self.options.limit)?;
        }
        let mut watch = Watch::new(wanted, pods, self.options.settle, deadline);
        let mut is_first = true;
        loop {
            let pods = pods_of(self.engine, unit, self.observer)?;
            // It need not be asked again and again while the pods themselves tell.
            let unit_status = match is_first || pods.is_empty() {
                true => Some(self.manager.state(unit)?),
                false => None,
            };
            is_first = false;
            let seen = Seen {
                unit: unit_status,
                pods,
            };
            match watch.look(Instant::now(), &seen) {
                Look::Up => return Ok(()),
                Look::NotUp(why) => {
                    return Err(UpdateError::NotUp {
                        unit: unit.to_string(),
                        why,
                    }
                    .into());
                }
                Look::Again => thread::sleep(AGAIN),
            }
        }
    }

    /// Whether nothing of a service runs.
    fn is_down(&self, unit: &UnitName) -> Result<bool, Error> {
        let has_pods = !pods_of(self.engine, unit, self.observer)?.is_empty();
        Ok(!has_pods && self.manager.state(unit)?.state == UnitState::Down)
    }

    /// Whether the pods of a service run what they are to run.
    fn runs(
        &self,
        unit: &UnitName,
        count: usize,
        wanted: &BTreeMap<Reference, Digest>,
    ) -> Result<bool, Error> {
        let pods = pods_of(self.engine, unit, self.observer)?;
        let mut images = pods.values().flat_map(|pod| &pod.images);
        let is_right = images.all(|(name, runs)| wanted.get(name).is_none_or(|one| one == runs));
        Ok(pods.len() >= count && is_right)
    }
}

/// What services of a group run by the names that are to change, where the names won't stand for that again.
fn ran(group: &Group, members: &[Member]) -> BTreeMap<UnitName, Images> {
    let mut ran: BTreeMap<UnitName, Images> = BTreeMap::new();
    for member in members {
        let RunningApp {
            unit, name, runs, ..
        } = &member.running;
        let (Some(unit), Some(change)) = (unit, group.changes.get(name)) else {
            continue;
        };
        let is_other = runs.manifest != change.from.manifest && runs.manifest != change.to.manifest;
        if group.units.contains(unit) && is_other {
            let images = ran.entry(unit.clone()).or_default();
            images.entry(name.clone()).or_insert_with(|| runs.clone());
        }
    }
    ran
}
