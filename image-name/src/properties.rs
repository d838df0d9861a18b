//! What holds for all names, whatever the text.

use proptest::prelude::*;

use crate::{Digest, Location, MAX_REPOSITORY, Prefix, Reference, Repository};

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]{1,8}(-[a-z0-9]{1,4})?\\.[a-z]{2,4}",
        Just("localhost".to_owned()),
        Just("[::1]".to_owned()),
        Just("docker.io".to_owned()),
    ]
}

fn registry() -> impl Strategy<Value = String> {
    (host(), proptest::option::of(1_u16..)).prop_map(|(host, port)| match port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec("[a-z0-9]{1,6}((\\.|_|__|-{1,3})[a-z0-9]{1,4})?", 1..4)
        .prop_map(|parts| parts.join("/"))
}

fn tag() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"
}

/// A text of pieces that matter to the grammar, mostly no name.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => host(),
        4 => path(),
        2 => tag(),
        4 => "[/:@.]",
        1 => Just("@sha256:".to_owned()),
        1 => "[0-9a-f]{64}",
        1 => Just("*.".to_owned()),
        1 => any::<String>(),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_text_of_the_grammar_is_a_reference_of_these_parts(
        registry in registry(),
        path in path(),
        tag in proptest::option::of(tag()),
        bytes in proptest::option::of(any::<[u8; 32]>()),
    ) {
        prop_assume!(registry.len() + path.len() < MAX_REPOSITORY);
        let digest = bytes.map(|bytes| Digest::from_bytes(&bytes));
        let mut text = format!("{registry}/{path}");
        if let Some(tag) = &tag {
            text.push_str(&format!(":{tag}"));
        }
        if let Some(digest) = &digest {
            text.push_str(&format!("@{digest}"));
        }
        let reference = Reference::parse(&text).unwrap();
        prop_assert_eq!(reference.registry(), registry.as_str());
        prop_assert!(reference.path().ends_with(&path));
        prop_assert_eq!(reference.digest(), digest.as_ref());
        let wanted = tag.or(digest.is_none().then(|| "latest".to_owned()));
        prop_assert_eq!(reference.tag(), wanted.as_deref());
    }

    #[test]
    fn what_is_parsed_has_one_canonical_text(text in text()) {
        if let Ok(reference) = Reference::parse(&text) {
            let canonical = reference.to_string();
            prop_assert!(!Reference::is_short(&canonical));
            prop_assert_eq!(Reference::parse(&canonical), Ok(reference.clone()));
            prop_assert_eq!(Reference::parse_full(&canonical), Ok(reference.clone()));
            let repository = reference.repository();
            prop_assert_eq!(Repository::parse(repository.as_str()), Ok(repository.clone()));
            prop_assert!(repository.is_named_by(repository.as_str()));
        }
        if let Ok(location) = Location::parse(&text) {
            prop_assert_eq!(Location::parse(location.as_str()), Ok(location.clone()));
        }
    }

    #[test]
    fn no_name_is_longer_than_registries_and_resolvers_take(
        labels in proptest::collection::vec(1_usize..=70, 3..6),
        path in 1_usize..300,
    ) {
        let labels: Vec<String> = labels.iter().map(|length| "a".repeat(*length)).collect();
        let (host, path) = (labels.join("."), "b".repeat(path));
        let is_host = host.len() <= 253 && labels.iter().all(|label| label.len() <= 63);
        prop_assert_eq!(Location::parse(&host).is_ok(), is_host);
        prop_assert_eq!(Location::parse(&format!("{host}:65535")).is_ok(), is_host);
        let text = format!("{host}/{path}");
        let fits = is_host && text.len() <= MAX_REPOSITORY;
        prop_assert_eq!(Reference::parse(&text).is_ok(), fits);
        prop_assert_eq!(Repository::parse(&text).is_ok(), fits);
        prop_assert_eq!(Prefix::parse(&text).is_ok(), fits);
    }

    #[test]
    fn a_refusal_is_one_short_line(text in any::<String>()) {
        let errors = [
            Reference::parse(&text).err(),
            Reference::parse_full(&text).err(),
            Repository::parse(&text).err(),
            Location::parse(&text).err(),
            Prefix::parse(&text).err(),
            Prefix::of_registry(&text).err(),
            Digest::parse(&text).err(),
        ];
        for error in errors.into_iter().flatten() {
            let message = error.to_string();
            prop_assert!(message.len() < 2000 && !message.contains('\n'), "{}", message);
        }
    }

    #[test]
    fn every_prefix_of_whole_components_covers_and_no_other_does(
        registry in registry(),
        path in path(),
        longer in "[a-z0-9]{1,3}",
    ) {
        let text = format!("{registry}/{path}");
        let repository = Reference::parse(&text).unwrap().repository().clone();
        let text = repository.as_str();
        for (at, _) in text.match_indices('/').chain([(text.len(), "")]) {
            let (front, behind) = text.split_at(at);
            let prefix = Prefix::parse(front).unwrap();
            prop_assert_eq!(prefix.rest(&repository), Some(behind));
            let beside = Prefix::scope(&format!("{front}{longer}"));
            prop_assert!(!beside.covers(&repository), "{} covers {}", beside, text);
            prop_assert!(prefix.specificity() > Prefix::scope("*").specificity());
        }
        prop_assert!(Prefix::from(&repository).covers(&repository));
    }

    #[test]
    fn digests_are_their_bytes(bytes in any::<[u8; 32]>(), other in any::<[u8; 32]>()) {
        let digest = Digest::from_bytes(&bytes);
        prop_assert_eq!(Digest::parse(digest.as_str()), Ok(digest.clone()));
        prop_assert!(digest.is(&bytes));
        prop_assert_eq!(digest.is(&other), bytes == other);
    }
}
