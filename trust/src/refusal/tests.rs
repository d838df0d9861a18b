//! What refusals say.

use image_name::Repository;

use super::*;
use crate::policy::{Policy, PolicySource};

fn fingerprint(number: u8) -> Fingerprint {
    Fingerprint::of(&[number])
}

fn image(reference: &str) -> RefusedImage {
    RefusedImage {
        reference: reference.to_owned(),
        repository: Repository::parse("a.io/x").unwrap(),
        digest: format!("sha256:{}", "1".repeat(64)).parse().unwrap(),
        kubernetes_namespace: None,
    }
}

fn rule() -> RuleId {
    let source = PolicySource {
        path: "/etc/a.toml".into(),
        text: "[[rule]]\nprefix = \"a.io\"\ntype = \"reject\"\n".to_owned(),
    };
    let policy = Policy::parse(&[], &[source]).unwrap();
    RuleId::of(&policy.rules()[0])
}

fn demand(keys: u8, threshold: usize) -> Demand {
    Demand {
        image: image("a.io/x:1"),
        rule: rule(),
        keys: (0..keys).map(fingerprint).collect(),
        threshold,
        unfit: Vec::new(),
        unanswered: Vec::new(),
    }
}

#[test]
fn a_demand_names_some_keys_and_counts_the_others() {
    let [zero, one, two] = [0, 1, 2].map(|number| fingerprint(number).to_string());
    for (keys, threshold, told) in [
        (1, 1, format!("key {zero}")),
        (2, 2, format!("2 of the keys {zero}, {one}")),
        (3, 1, format!("1 of the keys {zero}, {one}, {two}")),
        (4, 1, format!("1 of the keys {zero}, {one}, {two}, 1 more")),
        (9, 5, format!("5 of the keys {zero}, {one}, {two}, 6 more")),
    ] {
        assert_eq!(demand(keys, threshold).wanted(), told);
    }
}

#[test]
fn keys_that_do_not_count_are_told_by_name_where_there_are_several() {
    let not_after = Timestamp::from_seconds(0).unwrap();
    let unfit = vec![(fingerprint(0), Unfit::Expired { not_after })];
    let of = |keys| Demand {
        unfit: unfit.clone(),
        ..demand(keys, 1)
    };
    let alone = of(1).useless();
    assert!(
        alone.starts_with("; ") && !alone.contains("sha256:"),
        "{alone}"
    );
    let named = of(2).useless();
    let begin = format!("; {} does not count, ", fingerprint(0));
    assert!(named.starts_with(&begin), "{named}");
    assert_eq!(demand(2, 1).useless(), "");
}

#[test]
fn a_failed_count_is_told_by_what_says_most() {
    let boxed = || Box::new(demand(2, 2));
    let worst = |key: Option<Fingerprint>| Worst(Some((key, Flaw::OtherKey)));
    let have = vec![fingerprint(0)];
    let told = |refusal: Refusal| refusal.to_string();
    let few = told(Refusal::of(boxed(), have, worst(None), 3));
    assert!(few.contains("signed by 1 of 2 needed keys"), "{few}");
    let none = told(Refusal::of(boxed(), Vec::new(), Worst(None), 0));
    assert!(
        none.contains("is not signed: rule \"a.io\" of /etc/a.toml:1 requires"),
        "{none}"
    );
    let by_key = told(Refusal::of(
        boxed(),
        Vec::new(),
        worst(Some(fingerprint(7))),
        3,
    ));
    assert!(by_key.contains(&fingerprint(7).to_string()), "{by_key}");
    for (found, words) in [
        (1, "1 signature by another key found"),
        (2, "2 signatures by other keys found"),
    ] {
        let other = told(Refusal::of(boxed(), Vec::new(), worst(None), found));
        assert!(other.contains(words), "{other}");
    }
}

#[test]
fn what_could_not_be_asked_is_told_where_signatures_lack() {
    let lines = ["registry a said no".to_owned(), "b is down".to_owned()];
    let demand = || Box::new(demand(1, 1));
    let key = fingerprint(7);
    let noting = [
        Refusal::Unsigned { demand: demand() },
        Refusal::NotEnough {
            demand: demand(),
            have: vec![key],
        },
        Refusal::WrongKey {
            demand: demand(),
            found: 1,
        },
        Refusal::WrongSignature {
            demand: demand(),
            key,
            flaw: Box::new(Flaw::OtherKey),
        },
        Refusal::NotAttested {
            demand: demand(),
            predicate_type: "a:b".to_owned(),
            why: Some(Box::new((key, Flaw::NoDigest))),
        },
    ];
    for mut refusal in noting {
        let before = refusal.to_string();
        assert!(!before.contains("there may be more"), "{before}");
        refusal.note_unanswered(&lines);
        let told = refusal.to_string();
        let expected = "; there may be more signatures: registry a said no; b is down";
        assert_eq!(told, format!("{before}{expected}"));
    }
    // The others were not refused for want of signatures.
    let mut rejected = Refusal::Rejected {
        image: Box::new(image("a.io/x:1")),
        rule: Box::new(rule()),
    };
    let before = rejected.to_string();
    rejected.note_unanswered(&lines);
    assert_eq!(rejected.to_string(), before);
}

#[test]
fn an_attestation_that_comes_nearest_is_told() {
    let of = |why| Refusal::NotAttested {
        demand: Box::new(demand(1, 1)),
        predicate_type: "a:b".to_owned(),
        why,
    };
    let none = of(None).to_string();
    assert!(!none.contains("does not count"), "{none}");
    let near = of(Some(Box::new((fingerprint(7), Flaw::NoDigest)))).to_string();
    let end = format!(
        "; one by key {} does not count, {}",
        fingerprint(7),
        Flaw::NoDigest
    );
    assert_eq!(near, format!("{none}{end}"));
}

#[test]
fn an_image_that_may_run_by_none_of_its_names_tells_all_of_them() {
    let of = |name: &str| Refusal::NoRule {
        image: Box::new(image(name)),
        signed: false,
        elsewhere: None,
    };
    let rejected = Refusal::Rejected {
        image: Box::new(image("b.io/y:1")),
        rule: Box::new(rule()),
    };
    assert_eq!(Refusal::by_every_name(Vec::new()), None);
    let alone = Refusal::by_every_name(vec![of("a.io/x:1")]);
    assert_eq!(alone, Some(of("a.io/x:1")));
    let all = vec![of("a.io/x:1"), rejected, of("c.io/z:1")];
    let told = Refusal::by_every_name(all).unwrap().to_string();
    let others =
        "; nor may it run by b.io/y:1 (rule \"a.io\" of /etc/a.toml:1), c.io/z:1 (no rule)";
    assert_eq!(told, format!("{}{others}", of("a.io/x:1")));
    // However many there are.
    let many = (0..1000).map(|number| of(&format!("a.io/x:{number}")));
    let told = Refusal::by_every_name(many.collect()).unwrap().to_string();
    assert!(told.ends_with(" and by 991 more"), "{told}");
    assert!(told.len() < 1000, "{told}");
}
