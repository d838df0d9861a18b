//! Cases of decisions.

use proptest::prelude::*;

use super::UpdatePolicy::{Local, Registry};
use super::*;

fn version(letter: char) -> Version {
    let digest = Digest::parse(&format!("sha256:{}", letter.to_string().repeat(64))).unwrap();
    Version {
        digest: digest.clone(),
        manifest: digest,
    }
}

fn name(text: &str) -> Reference {
    Reference::parse(&format!("a.example/{text}")).unwrap()
}

fn app(unit: &str, of: &str, runs: char, policy: Option<UpdatePolicy>) -> RunningApp {
    RunningApp {
        unit: (!unit.is_empty()).then(|| format!("{unit}.service").parse().unwrap()),
        name: name(of),
        runs: version(runs),
        policy,
    }
}

/// What the store has, what the registry has, and what is remembered.
fn facts(stored: char, offer: Option<Offer>, record: NameRecord) -> NameFacts {
    NameFacts {
        stored: Some(version(stored)),
        record,
        offer,
    }
}

fn offers(letter: char) -> Option<Offer> {
    Some(Offer::Image(version(letter)))
}

fn refused(letter: char) -> NameRecord {
    NameRecord {
        refused: vec![version(letter).digest],
        ..NameRecord::default()
    }
}

fn left(current: char, previous: char) -> NameRecord {
    NameRecord {
        current: Some(version(current)),
        previous: Some(version(previous)),
        refused: Vec::new(),
    }
}

#[test]
fn one_app() {
    let plain = NameRecord::default;
    let bad = |letter| Verdict::KnownAsBad(version(letter).digest);
    let cases = [
        (
            "new",
            app("web", "app:1", 'a', Some(Registry)),
            facts('a', offers('b'), plain()),
            Verdict::Update(0),
        ),
        (
            "same",
            app("web", "app:1", 'a', Some(Registry)),
            facts('a', offers('a'), plain()),
            Verdict::UpToDate,
        ),
        (
            "not asking",
            app("web", "app:1", 'a', None),
            facts('a', offers('b'), plain()),
            Verdict::NotAsking,
        ),
        (
            "no service",
            app("", "app:1", 'a', Some(Registry)),
            facts('a', offers('b'), plain()),
            Verdict::NoUnit,
        ),
        (
            "fetched by hand, not started yet",
            app("web", "app:1", 'a', Some(Registry)),
            facts('b', offers('b'), plain()),
            Verdict::Update(0),
        ),
        (
            "unknown",
            app("web", "app:1", 'a', Some(Registry)),
            facts('a', Some(Offer::Unknown(3)), plain()),
            Verdict::Unknown(3),
        ),
        (
            "unverified",
            app("web", "app:1", 'a', Some(Registry)),
            facts('a', Some(Offer::Unverified(2)), plain()),
            Verdict::Unverified(2),
        ),
        (
            "refused",
            app("web", "app:1", 'a', Some(Registry)),
            facts('a', offers('b'), refused('b')),
            bad('b'),
        ),
        (
            "another than the refused one",
            app("web", "app:1", 'a', Some(Registry)),
            facts('a', offers('c'), refused('b')),
            Verdict::Update(0),
        ),
        (
            "gone back by hand",
            app("web", "app:1", 'a', Some(Registry)),
            facts('a', offers('b'), left('b', 'a')),
            Verdict::Left(version('b').digest),
        ),
        (
            "gone back by hand, and a newer one is there",
            app("web", "app:1", 'a', Some(Registry)),
            facts('a', offers('c'), left('b', 'a')),
            Verdict::Update(0),
        ),
        (
            "gone back by hand, and not started yet",
            app("web", "app:1", 'b', Some(Local)),
            facts('a', None, left('b', 'a')),
            Verdict::Update(0),
        ),
        (
            "local, new",
            app("web", "app:1", 'a', Some(Local)),
            facts('b', None, plain()),
            Verdict::Update(0),
        ),
        (
            "local, same",
            app("web", "app:1", 'a', Some(Local)),
            facts('a', offers('b'), plain()),
            Verdict::UpToDate,
        ),
        (
            "local, refused",
            app("web", "app:1", 'a', Some(Local)),
            facts('b', None, refused('b')),
            bad('b'),
        ),
        (
            "local, unnamed",
            app("web", "app:1", 'a', Some(Local)),
            NameFacts::default(),
            Verdict::UpToDate,
        ),
    ];
    for (case, app, facts, expected) in cases {
        let names = [(app.name.clone(), facts)].into();
        let plan = decide(std::slice::from_ref(&app), &names, false);
        assert_eq!(plan.verdicts, [expected], "{case}");
    }
}

#[test]
fn a_pinned_image_stays() {
    let mut pinned = app("web", "app:1", 'a', Some(Registry));
    pinned.name = pinned.name.at_digest(&version('a').digest);
    let names = [(
        pinned.name.clone(),
        facts('a', offers('b'), NameRecord::default()),
    )]
    .into();
    assert_eq!(decide(&[pinned], &names, true).verdicts, [Verdict::Pinned]);
}

#[test]
fn what_was_refused_is_tried_again_where_that_is_wanted() {
    let app = app("web", "app:1", 'a', Some(Registry));
    for record in [refused('b'), left('b', 'a')] {
        let names = [(app.name.clone(), facts('a', offers('b'), record))].into();
        let plan = decide(std::slice::from_ref(&app), &names, true);
        assert_eq!(plan.verdicts, [Verdict::Update(0)]);
    }
}

fn names(of: &[(&str, char, char)]) -> BTreeMap<Reference, NameFacts> {
    let facts = |(of, stored, offered): &(&str, char, char)| {
        (
            name(of),
            facts(*stored, offers(*offered), NameRecord::default()),
        )
    };
    of.iter().map(facts).collect()
}

#[test]
fn what_hangs_together_is_one_group_and_all_else_stands_alone() {
    let apps = [
        app("one", "a:1", 'a', Some(Registry)),
        app("two", "b:1", 'a', Some(Registry)),
        app("three", "c:1", 'a', Some(Registry)),
        // It has an image of the first and one of the third.
        app("four", "a:1", 'a', Some(Registry)),
        app("four", "c:1", 'a', Some(Registry)),
        // No change ties it to the others.
        app("five", "c:1", 'a', None),
    ];
    let names = names(&[("a:1", 'a', 'b'), ("b:1", 'a', 'b'), ("c:1", 'a', 'b')]);
    let plan = decide(&apps, &names, false);
    let groups: Vec<(Vec<String>, Vec<String>)> = plan
        .groups
        .iter()
        .map(|group| {
            let units = group.units.iter().map(ToString::to_string);
            let names = group.changes.keys().map(ToString::to_string);
            (units.collect(), names.collect())
        })
        .collect();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    assert_eq!(
        groups,
        [
            (
                texts(&["four.service", "one.service", "three.service"]),
                texts(&["a.example/a:1", "a.example/c:1"])
            ),
            (texts(&["two.service"]), texts(&["a.example/b:1"])),
        ]
    );
    use Verdict::{NotAsking, Update};
    let verdicts = [
        Update(0),
        Update(1),
        Update(0),
        Update(0),
        Update(0),
        NotAsking,
    ];
    assert_eq!(plan.verdicts, verdicts);
}

#[test]
fn what_is_gone_back_to_is_what_the_name_stands_for_if_a_pod_runs_it() {
    let apps = [
        app("one", "a:1", 'd', Some(Registry)),
        app("two", "a:1", 'a', Some(Registry)),
    ];
    let plan = decide(&apps, &names(&[("a:1", 'a', 'b')]), false);
    assert_eq!(plan.groups[0].changes[&name("a:1")].from, version('a'));
    // Nobody runs what the name stands for.
    let plan = decide(&apps[..1], &names(&[("a:1", 'a', 'b')]), false);
    assert_eq!(plan.groups[0].changes[&name("a:1")].from, version('d'));
}

fn some_app() -> impl Strategy<Value = RunningApp> {
    (0..5_u8, 0..5_u8, 0..3_u8, 0..3_u8).prop_map(|(unit, of, runs, policy)| {
        let unit = match unit {
            0 => String::new(),
            unit => format!("u{unit}"),
        };
        let policy = [None, Some(Registry), Some(Local)][usize::from(policy)];
        app(&unit, &format!("i{of}:1"), char::from(b'a' + runs), policy)
    })
}

proptest! {
    #[test]
    fn each_service_and_each_name_is_of_one_group_at_most_and_of_that_of_its_apps(
        apps in prop::collection::vec(some_app(), 0..12),
        stored in 0..3_u8,
        offered in 0..3_u8,
    ) {
        let letter = |number: u8| char::from(b'a' + number);
        let all: Vec<String> = (0..5).map(|of| format!("i{of}:1")).collect();
        let all: Vec<_> = all.iter().map(|of| (of.as_str(), letter(stored), letter(offered))).collect();
        let plan = decide(&apps, &names(&all), false);
        let units: Vec<_> = plan.groups.iter().flat_map(|group| &group.units).collect();
        let changed: Vec<_> = plan.groups.iter().flat_map(|group| group.changes.keys()).collect();
        prop_assert_eq!(units.len(), units.iter().collect::<BTreeSet<_>>().len());
        prop_assert_eq!(changed.len(), changed.iter().collect::<BTreeSet<_>>().len());
        for (app, verdict) in apps.iter().zip(&plan.verdicts) {
            if let Verdict::Update(group) = verdict {
                let group = &plan.groups[*group];
                prop_assert!(group.units.contains(app.unit.as_ref().unwrap()));
                prop_assert!(group.changes[&app.name].to.manifest != app.runs.manifest);
            }
        }
        for change in plan.groups.iter().flat_map(|group| group.changes.values()) {
            prop_assert_ne!(&change.from, &change.to);
        }
    }
}
