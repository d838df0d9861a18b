//! What must have happened between two looks. Pure.

use std::collections::BTreeMap;

use crate::api::ContainerEventType::{
    self, ContainerCreatedEvent as Created, ContainerDeletedEvent as Deleted,
    ContainerStartedEvent as Started, ContainerStoppedEvent as Stopped,
};

use crate::identity::ContainerId;

/// What one thing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It is made, and has not run.
    Created,
    /// It runs.
    Running,
    /// It has run.
    Ended,
}

/// What there is: sandboxes by their ids, and containers by theirs.
pub(super) type Phases = BTreeMap<String, Phase>;

/// What has happened to each, in an order in which it can have happened.
pub(super) fn happened(before: &Phases, now: &Phases) -> Vec<(String, ContainerEventType)> {
    let mut events = Vec::new();
    for (id, phase) in now {
        let kinds = between(before.get(id).copied(), *phase);
        events.extend(kinds.iter().map(|kind| (id.clone(), *kind)));
    }
    for (id, phase) in before {
        if !now.contains_key(id) {
            if *phase == Phase::Running {
                events.push((id.clone(), Stopped));
            }
            events.push((id.clone(), Deleted));
        }
    }
    events.sort_by_key(|(id, kind)| rank(ContainerId::parse(id).is_some(), *kind));
    events
}

/// A sandbox begins before its containers, and ends after them.
fn rank(is_container: bool, kind: ContainerEventType) -> u8 {
    match (kind, is_container) {
        (Created | Started, false) => 0,
        (Created | Started, true) => 1,
        (Stopped | Deleted, true) => 2,
        (Stopped | Deleted, false) => 3,
    }
}

fn between(before: Option<Phase>, now: Phase) -> &'static [ContainerEventType] {
    match (before, now) {
        (None, Phase::Created) => &[Created],
        (None, Phase::Running) => &[Created, Started],
        (None, Phase::Ended) => &[Created, Started, Stopped],
        (Some(Phase::Created), Phase::Running) => &[Started],
        (Some(Phase::Created), Phase::Ended) => &[Started, Stopped],
        (Some(Phase::Running), Phase::Ended) => &[Stopped],
        // It is as it was; nothing goes back to not having run, or to not having ended.
        (Some(_), _) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phases(all: &[(&str, Phase)]) -> Phases {
        let own = |(id, phase): &(&str, Phase)| ((*id).to_owned(), *phase);
        all.iter().map(own).collect()
    }

    #[test]
    fn what_was_missed_between_two_looks_is_told_in_order() {
        let kinds = |before: Option<Phase>, now: Option<Phase>| {
            let phases = |phase: Option<Phase>| {
                phases(
                    &phase
                        .map(|phase| ("a", phase))
                        .into_iter()
                        .collect::<Vec<_>>(),
                )
            };
            let events = happened(&phases(before), &phases(now));
            events.into_iter().map(|(_, kind)| kind).collect::<Vec<_>>()
        };
        use Phase::{Created as C, Ended as E, Running as R};
        for (before, now, expected) in [
            (None, None, &[][..]),
            (None, Some(C), &[Created]),
            (None, Some(R), &[Created, Started]),
            (None, Some(E), &[Created, Started, Stopped]),
            (Some(C), Some(R), &[Started]),
            (Some(C), Some(E), &[Started, Stopped]),
            (Some(R), Some(E), &[Stopped]),
            (Some(C), None, &[Deleted]),
            (Some(R), None, &[Stopped, Deleted]),
            (Some(E), None, &[Deleted]),
            (Some(R), Some(R), &[]),
            (Some(E), Some(R), &[]),
        ] {
            assert_eq!(kinds(before, now), expected, "{before:?} {now:?}");
        }
    }

    #[test]
    fn a_sandbox_begins_before_its_containers_and_ends_after_them() {
        let (sandbox, container) = ("f".repeat(32), "0".repeat(64));
        let both = |phase| phases(&[(&sandbox, phase), (&container, phase)]);
        let none = phases(&[]);
        let told = |before: &Phases, now: &Phases| {
            let events = happened(before, now).into_iter();
            events
                .map(|(id, kind)| (id == sandbox, kind))
                .collect::<Vec<_>>()
        };
        let begun = [
            (true, Created),
            (true, Started),
            (false, Created),
            (false, Started),
        ];
        assert_eq!(told(&none, &both(Phase::Running)), begun);
        let ended = [
            (false, Stopped),
            (false, Deleted),
            (true, Stopped),
            (true, Deleted),
        ];
        assert_eq!(told(&both(Phase::Running), &none), ended);
    }
}
