//! What the interface tells of an image.

use std::collections::BTreeSet;

use image_name::Reference;

use super::stored::Stored;
use crate::api::{Image, Int64Value};

/// All that the interface tells of an image.
pub(super) fn told(stored: &Stored, pinned: &[String]) -> Image {
    let tags = stored.names.iter().map(|name| &name.reference);
    let tags = tags.filter(|name| name.digest().is_none());
    let tags: BTreeSet<String> = tags.map(ToString::to_string).collect();
    let digests = stored.names.iter();
    let digests = digests.map(|name| name.reference.at_digest(&name.digest).to_string());
    let digests: BTreeSet<String> = digests.collect();
    let (uid, username) = user_of(&stored.facts.user);
    let mut names = stored.names.iter();
    Image {
        id: stored.facts.id.to_string(),
        repo_tags: tags.into_iter().collect(),
        repo_digests: digests.into_iter().collect(),
        size: stored.facts.size,
        uid: uid.map(|value| Int64Value { value }),
        username,
        spec: None,
        pinned: names.any(|name| is_pinned(&name.reference, pinned)),
    }
}

/// The user of an image, by number or by name; the group is not told.
fn user_of(user: &str) -> (Option<i64>, String) {
    let user = user.split(':').next().unwrap_or_default();
    match user.parse::<u32>() {
        Ok(uid) => (Some(uid.into()), String::new()),
        Err(_) => (None, user.to_owned()),
    }
}

/// Whether one of these patterns is a name's: the name itself, as short as a user would write it, or its beginning before
/// `*`.
fn is_pinned(name: &Reference, patterns: &[String]) -> bool {
    let text = name.to_string();
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => text.starts_with(beginning),
            None => Reference::parse(pattern).is_ok_and(|pattern| pattern == *name),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_number_or_a_name() {
        assert_eq!(user_of(""), (None, String::new()));
        assert_eq!(user_of("1000"), (Some(1000), String::new()));
        assert_eq!(user_of("0:5"), (Some(0), String::new()));
        assert_eq!(user_of("www:www"), (None, "www".to_owned()));
        assert_eq!(user_of("99999999999"), (None, "99999999999".to_owned()));
    }

    #[test]
    fn names_are_pinned_whole_or_by_their_beginning() {
        let is = |name: &str, pattern: &str| {
            is_pinned(&Reference::parse(name).unwrap(), &[pattern.to_owned()])
        };
        assert!(is(
            "registry.k8s.io/pause:3.10",
            "registry.k8s.io/pause:3.10"
        ));
        assert!(is("registry.k8s.io/pause:3.10", "registry.k8s.io/*"));
        assert!(is("docker.io/library/busybox:latest", "busybox"));
        assert!(!is("docker.io/library/busybox:1", "busybox"));
        assert!(!is("registry.lan/a:1", "registry.k8s.io/*"));
        assert!(is("registry.lan/a:1", "*"));
        assert!(!is("registry.lan/a:1", ""));
    }
}
