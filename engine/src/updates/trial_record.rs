//! What is written down of an update that has begun, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use image_name::{Digest, Reference};
use serde::{Deserialize, Serialize};

use super::unit::UnitName;
use super::version::Version;

/// What names stand for.
pub type Images = BTreeMap<Reference, Version>;

/// A name that is given another image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// What it stands for again if the services don't come up.
    pub from: Version,
    /// What they are to run.
    pub to: Version,
    /// The newest time at which an image of the name had been signed before, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub newest: Option<u64>,
    /// Whether the new image had a name by its digest before, which somebody else gave it.
    #[serde(default)]
    pub has_digest_name: bool,
    /// What the name stood for when this began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Digest>,
}

/// How far a trial is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Images are being fetched; all names stand for what they did.
    Fetching,
    /// Names are moved, and services started again.
    Trying,
    /// Names are moved back, and services that were started again are so once more.
    GoingBack,
}

/// An update that has begun. Only one is at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// How far it is.
    pub stage: Stage,
    /// The names.
    pub moves: BTreeMap<Reference, Move>,
    /// The services, and how many pods each has run.
    pub units: BTreeMap<UnitName, usize>,
    /// Those that were started again, or are being so.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub restarted: BTreeSet<UnitName>,
    /// What services ran by these names, where that is not what the names stand for again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub ran: BTreeMap<UnitName, Images>,
}

impl Trial {
    /// What the names are to stand for.
    #[must_use]
    pub fn new_images(&self) -> Images {
        let new = |(name, one): (&Reference, &Move)| (name.clone(), one.to.clone());
        self.moves.iter().map(new).collect()
    }

    /// What they stand for again if the services don't come up.
    #[must_use]
    pub fn old_images(&self) -> Images {
        let old = |(name, one): (&Reference, &Move)| (name.clone(), one.from.clone());
        self.moves.iter().map(old).collect()
    }

    /// What a service has run by them.
    #[must_use]
    pub fn images_of(&self, unit: &UnitName) -> Images {
        let mut images = self.old_images();
        images.extend(self.ran.get(unit).cloned().unwrap_or_default());
        images
    }

    /// Each set of images that services have run, the one last that the names stand for again, with those of these services
    /// that ran it.
    #[must_use]
    pub fn old_sets<'a>(
        &self,
        units: impl IntoIterator<Item = &'a UnitName>,
    ) -> Vec<(Images, Vec<&'a UnitName>)> {
        let last = self.old_images();
        let mut sets: Vec<(Images, Vec<&UnitName>)> = Vec::new();
        let mut of_last = Vec::new();
        for unit in units {
            let images = self.images_of(unit);
            if images == last {
                of_last.push(unit);
            } else if let Some((_, units)) = sets.iter_mut().find(|(set, _)| *set == images) {
                units.push(unit);
            } else {
                sets.push((images, vec![unit]));
            }
        }
        sets.push((last, of_last));
        sets
    }

    /// All images of it.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        let moved = self.moves.values().flat_map(|one| [&one.from, &one.to]);
        moved.chain(self.ran.values().flat_map(BTreeMap::values))
    }

    /// The first name that stands for an image which none of this has given it; and that image.
    #[must_use]
    pub fn moved_by_others(
        &self,
        meaning: impl Fn(&Reference) -> Option<Digest>,
    ) -> Option<(&Reference, Digest)> {
        self.moves.iter().find_map(|(name, one)| {
            let means = meaning(name)?;
            let ran = self.ran.values().filter_map(|images| images.get(name));
            let mut known = [&one.from, &one.to].into_iter().chain(ran);
            let is_known =
                known.any(|version| version.digest == means) || one.before.as_ref() == Some(&means);
            (!is_known).then_some((name, means))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(letter: char) -> Version {
        let digest = Digest::parse(&format!("sha256:{}", letter.to_string().repeat(64))).unwrap();
        Version {
            digest: digest.clone(),
            manifest: digest,
        }
    }

    fn name() -> Reference {
        Reference::parse("a.example/app:1").unwrap()
    }

    fn unit(text: &str) -> UnitName {
        text.parse().unwrap()
    }

    /// Three services: what two of them ran is `a`, and the name stands for that again; the third ran `b`.
    fn trial() -> Trial {
        let one = Move {
            from: version('a'),
            to: version('c'),
            newest: None,
            has_digest_name: false,
            before: Some(version('d').digest),
        };
        Trial {
            stage: Stage::Trying,
            moves: [(name(), one)].into(),
            units: ["x", "y", "z"]
                .map(|stem| (unit(&format!("{stem}.service")), 1))
                .into(),
            restarted: BTreeSet::new(),
            ran: [(unit("x.service"), [(name(), version('b'))].into())].into(),
        }
    }

    #[test]
    fn each_service_gets_what_it_ran_and_the_name_s_own_are_the_last() {
        let trial = trial();
        let [x, y, z] = ["x", "y", "z"].map(|stem| unit(&format!("{stem}.service")));
        let images = |letter| -> Images { [(name(), version(letter))].into() };
        assert_eq!(
            trial.old_sets([&x, &y, &z]),
            [(images('b'), vec![&x]), (images('a'), vec![&y, &z])]
        );
        // The name comes back also where none of them was started.
        assert_eq!(trial.old_sets([]), [(images('a'), vec![])]);
        assert_eq!(trial.new_images(), images('c'));
    }

    #[test]
    fn what_nobody_here_has_named_is_somebody_else_s() {
        let trial = trial();
        let at = |letter: Option<char>| move |_: &Reference| Some(version(letter?).digest);
        for own in [Some('a'), Some('b'), Some('c'), Some('d'), None] {
            assert_eq!(trial.moved_by_others(at(own)), None, "{own:?}");
        }
        let moved = trial.moved_by_others(at(Some('e')));
        assert_eq!(moved, Some((&name(), version('e').digest)));
    }
}
