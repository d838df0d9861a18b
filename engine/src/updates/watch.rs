//! Whether a service has come up with the images that it is to run: looks in, a verdict out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use image_name::{Digest, Reference};
use pod::PodUuid;

/// How often a service may lose a pod, or an app of one, before it is given up.
const LOSSES: u64 = 3;

/// What the service manager says of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitState {
    /// It is up, or comes up, or goes down.
    Alive,
    /// It is down, and stays so.
    Down,
}

/// What the service manager says of a service, and how often it has started that again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitStatus {
    /// Whether it is up.
    pub state: UnitState,
    /// How often it was started again.
    pub restarts: u64,
}

/// A running pod of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenPod {
    /// Its images: name, and digest of the manifest.
    pub images: Vec<(Reference, Digest)>,
    /// Why it is not ready; `None` if it is.
    pub complaint: Option<String>,
    /// How often apps of it were started again.
    pub restarts: u64,
}

/// A look at the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What the service manager says, if it was asked.
    pub unit: Option<UnitStatus>,
    /// Its running pods.
    pub pods: BTreeMap<PodUuid, SeenPod>,
}

/// What a look comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Nobody knows yet.
    Again,
    /// It is up, and has been so for long enough.
    Up,
    /// It is not, and won't be.
    NotUp(String),
}

/// Watches one service.
#[derive(Debug)]
pub struct Watch {
    /// Digests of the manifests that names are to stand for.
    wanted: BTreeMap<Reference, Digest>,
    /// How many pods it has to have.
    pods: usize,
    /// For how long it has to be up.
    settle: Duration,
    /// When it is given up.
    deadline: Instant,
    /// Its pods, with their restarts, as they were seen last.
    before: BTreeMap<PodUuid, u64>,
    /// Since when all of them are ready and the same.
    since: Option<Instant>,
    losses: u64,
    /// How often the service manager had started it again when it was looked at first.
    restarts: Option<u64>,
}

impl Watch {
    /// A watch over a service that is to have so many pods, with these images.
    #[must_use]
    pub fn new(
        wanted: BTreeMap<Reference, Digest>,
        pods: usize,
        settle: Duration,
        deadline: Instant,
    ) -> Self {
        Self {
            wanted,
            pods: pods.max(1),
            settle,
            deadline,
            before: BTreeMap::new(),
            since: None,
            losses: 0,
            restarts: None,
        }
    }

    /// Takes a look into account.
    pub fn look(&mut self, now: Instant, seen: &Seen) -> Look {
        if let Some(why) = self.foreign(seen) {
            return Look::NotUp(why);
        }
        let pods: BTreeMap<_, _> = seen
            .pods
            .iter()
            .map(|(uuid, pod)| (*uuid, pod.restarts))
            .collect();
        let is_lost = |(uuid, restarts): (&PodUuid, &u64)| match pods.get(uuid) {
            None => true,
            Some(now) => now > restarts,
        };
        if self.before.iter().any(is_lost) {
            self.losses += 1;
            self.since = None;
        }
        if pods.len() != self.before.len() {
            self.since = None;
        }
        self.before = pods;
        let is_down = seen.unit.is_some_and(|unit| unit.state == UnitState::Down);
        if is_down && seen.pods.is_empty() {
            return Look::NotUp("it has ended".to_owned());
        }
        // Pods that end at once are seen by nobody else.
        let restarts = seen.unit.map_or(0, |unit| {
            let first = *self.restarts.get_or_insert(unit.restarts);
            unit.restarts.saturating_sub(first)
        });
        if self.losses.max(restarts) >= LOSSES {
            return Look::NotUp("it ends again and again".to_owned());
        }
        let complaint = self.complaint(seen);
        if complaint.is_some() {
            self.since = None;
        } else if now.duration_since(*self.since.get_or_insert(now)) >= self.settle {
            return Look::Up;
        }
        match (now >= self.deadline, complaint) {
            (false, _) => Look::Again,
            (true, Some(complaint)) => Look::NotUp(complaint),
            (true, None) => Look::NotUp("it does not stay ready".to_owned()),
        }
    }

    /// A pod that runs another image than its name stands for.
    fn foreign(&self, seen: &Seen) -> Option<String> {
        let mut images = seen.pods.values().flat_map(|pod| &pod.images);
        images.find_map(|(name, runs)| {
            let wanted = self.wanted.get(name)?;
            (runs != wanted)
                .then(|| format!("it runs {runs} by the name {name}, which stands for {wanted}"))
        })
    }

    fn complaint(&self, seen: &Seen) -> Option<String> {
        if seen.pods.len() < self.pods {
            return Some(match (seen.pods.len(), self.pods) {
                (0, 1) => "its pod does not run".to_owned(),
                (some, all) => format!("{some} of its {all} pods run"),
            });
        }
        let mut pods = seen.pods.values();
        pods.find_map(|pod| pod.complaint.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(10);
    const LIMIT: Duration = Duration::from_secs(60);

    fn digest(letter: char) -> Digest {
        Digest::parse(&format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
    }

    fn name() -> Reference {
        Reference::parse("a.example/app:1").unwrap()
    }

    /// A pod: its number, the image, whether it is ready, restarts.
    type Pod = (u8, char, bool, u64);

    fn seen(unit: UnitState, pods: &[Pod]) -> Seen {
        let uuid = |number: u8| {
            let text = format!("00000000-0000-4000-8000-0000000000{number:02x}");
            text.parse().unwrap()
        };
        let pods = pods.iter().map(|(number, image, is_ready, restarts)| {
            let pod = SeenPod {
                images: vec![(name(), digest(*image))],
                complaint: (!is_ready).then(|| "app is not ready".to_owned()),
                restarts: *restarts,
            };
            (uuid(*number), pod)
        });
        Seen {
            unit: Some(UnitStatus {
                state: unit,
                restarts: 5,
            }),
            pods: pods.collect(),
        }
    }

    /// What looks at these seconds come to.
    fn watch(pods: usize, looks: &[(u64, UnitState, &[Pod])]) -> Vec<Look> {
        let begun = Instant::now();
        let wanted = [(name(), digest('b'))].into();
        let mut watch = Watch::new(wanted, pods, SETTLE, begun + LIMIT);
        let look = |(second, unit, pods): &(u64, UnitState, &[Pod])| {
            watch.look(begun + Duration::from_secs(*second), &seen(*unit, pods))
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn a_service_is_up_when_it_has_been_ready_for_a_while() {
        use UnitState::{Alive, Down};
        let not_up = |why: &str| Look::NotUp(why.to_owned());
        let ready: &[Pod] = &[(1, 'b', true, 0)];
        let unready: &[Pod] = &[(1, 'b', false, 0)];
        type Seen<'a> = (u64, UnitState, &'a [Pod]);
        let cases: &[(&str, usize, &[Seen<'_>], Look)] = &[
            ("at once", 1, &[(0, Alive, ready)], Look::Again),
            (
                "ready",
                1,
                &[(0, Alive, ready), (10, Alive, ready)],
                Look::Up,
            ),
            (
                "not for long",
                1,
                &[(0, Alive, ready), (9, Alive, ready)],
                Look::Again,
            ),
            (
                "late",
                1,
                &[(0, Alive, &[]), (50, Alive, ready), (60, Alive, ready)],
                Look::Up,
            ),
            (
                "never",
                1,
                &[(0, Alive, unready), (60, Alive, unready)],
                not_up("app is not ready"),
            ),
            (
                "no pod",
                1,
                &[(0, Alive, &[]), (60, Alive, &[])],
                not_up("its pod does not run"),
            ),
            (
                "ended",
                1,
                &[(0, Alive, ready), (1, Down, &[])],
                not_up("it has ended"),
            ),
            // A unit that has detached its pods has ended, and they have not.
            (
                "detached",
                1,
                &[(0, Down, ready), (10, Down, ready)],
                Look::Up,
            ),
            (
                "not ready in between",
                1,
                &[
                    (0, Alive, ready),
                    (5, Alive, unready),
                    (9, Alive, ready),
                    (12, Alive, ready),
                ],
                Look::Again,
            ),
            (
                "started again",
                1,
                &[
                    (0, Alive, ready),
                    (5, Alive, &[(2, 'b', true, 0)]),
                    (12, Alive, &[(2, 'b', true, 0)]),
                ],
                Look::Again,
            ),
            (
                "once again",
                1,
                &[
                    (0, Alive, ready),
                    (5, Alive, &[(1, 'b', true, 1)]),
                    (15, Alive, &[(1, 'b', true, 1)]),
                ],
                Look::Up,
            ),
            (
                "again and again",
                1,
                &[
                    (0, Alive, ready),
                    (1, Alive, &[(1, 'b', true, 1)]),
                    (2, Alive, &[(2, 'b', true, 0)]),
                    (3, Alive, &[]),
                ],
                not_up("it ends again and again"),
            ),
            (
                "one of two",
                2,
                &[(0, Alive, ready), (60, Alive, ready)],
                not_up("1 of its 2 pods run"),
            ),
        ];
        for (case, pods, looks, expected) in cases {
            assert_eq!(watch(*pods, looks).last(), Some(expected), "{case}");
        }
    }

    #[test]
    fn a_service_whose_pods_nobody_sees_is_given_up_when_it_was_started_again_and_again() {
        let begun = Instant::now();
        let wanted = [(name(), digest('b'))].into();
        let mut watch = Watch::new(wanted, 1, SETTLE, begun + LIMIT);
        let mut look = |restarts: u64| {
            let mut seen = seen(UnitState::Alive, &[]);
            seen.unit = Some(UnitStatus {
                state: UnitState::Alive,
                restarts,
            });
            watch.look(begun, &seen)
        };
        assert_eq!(
            [look(7), look(8), look(9)],
            [Look::Again, Look::Again, Look::Again]
        );
        assert_eq!(look(10), Look::NotUp("it ends again and again".to_owned()));
    }

    #[test]
    fn another_image_than_the_name_stands_for_is_no_success() {
        let looks: &[(u64, UnitState, &[Pod])] = &[(0, UnitState::Alive, &[(1, 'a', true, 0)])];
        let [Look::NotUp(why)] = &watch(1, looks)[..] else {
            panic!("it was taken");
        };
        assert!(why.contains("by the name a.example/app:1"), "{why}");
    }
}
