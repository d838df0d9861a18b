//! The ids by which kubelets, and `crictl`, call sandboxes and containers: a sandbox is a pod, a container an app of it.

use pod::manifest::{CRI_ANNOTATION, PodManifest};
use pod::{AppName, Phase, PodEntry, PodError, PodUuid, PodsDir};
use sha2::{Digest, Sha256};

/// Hexadecimal digits of a sandbox's id: those of a UUID.
const SANDBOX_DIGITS: usize = 32;
/// Hexadecimal digits of a container's id, which begins with its own.
const CONTAINER_DIGITS: usize = 64;
const OWN_DIGITS: usize = CONTAINER_DIGITS - SANDBOX_DIGITS;
/// Fewer digits are no beginning of an id: `crictl` shows 13.
const SHORTEST: usize = 12;

/// The id of the sandbox that is this pod.
pub fn sandbox_id(uuid: PodUuid) -> String {
    uuid.to_string().replace('-', "")
}

/// The pod of this very id; `None` if it can't be one.
pub fn parse_sandbox_id(text: &str) -> Option<PodUuid> {
    if text.len() != SANDBOX_DIGITS || !is_hexadecimal(text) {
        return None;
    }
    let mut hyphenated = String::with_capacity(SANDBOX_DIGITS + 4);
    for (place, digit) in text.chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            hyphenated.push('-');
        }
        hyphenated.push(digit);
    }
    hyphenated.parse().ok()
}

/// With what the id of a container begins; its sandbox's follows.
pub fn own_digits(sandbox_id: &str, app: &AppName) -> String {
    digits_of([sandbox_id, app.as_str()], OWN_DIGITS)
}

/// So many hexadecimal digits of the digest of these texts, which are kept apart.
pub fn digits_of<'a>(texts: impl IntoIterator<Item = &'a str>, digits: usize) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    let bytes = hasher.finalize();
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
    nibbles.filter_map(digit).take(digits).collect()
}

/// What is called by an id of the CRI.
#[derive(Debug, Clone)]
pub struct Called {
    /// The pod.
    pub entry: PodEntry,
    /// The app, if the id is a container's.
    pub app: Option<AppName>,
}

/// The pod, or the app of a sandbox, that has this id, or whose id alone begins so; `None` if there is none.
///
/// # Errors
/// [`PodError::Ambiguous`] if several begin so; if the pods can't be listed.
pub fn find(pods: &PodsDir, id: &str) -> Result<Option<Called>, PodError> {
    if !(SHORTEST..=CONTAINER_DIGITS).contains(&id.len()) || !is_hexadecimal(id) {
        return Ok(None);
    }
    let mut found = Vec::new();
    for entry in candidates(pods, id)? {
        let sandbox = sandbox_id(entry.uuid);
        for app in containers(&entry) {
            let whole = own_digits(&sandbox, &app) + &sandbox;
            if whole.starts_with(id) {
                let (entry, app) = (entry.clone(), Some(app));
                found.push((whole, Called { entry, app }));
            }
        }
        if sandbox.starts_with(id) {
            found.push((sandbox, Called { entry, app: None }));
        }
    }
    match (found.pop(), found.as_slice()) {
        (None, _) => Ok(None),
        (Some((_, only)), []) => Ok(Some(only)),
        (Some((last, _)), others) => {
            let ids = others.iter().map(|(id, _)| id.as_str());
            let ids: Vec<&str> = ids.chain([last.as_str()]).collect();
            Err(PodError::Ambiguous {
                prefix: id.to_owned(),
                candidates: ids.join(", "),
            })
        }
    }
}

/// The pods that the id, or its beginning, may be about.
fn candidates(pods: &PodsDir, id: &str) -> Result<Vec<PodEntry>, PodError> {
    let whole = match id.len() {
        SANDBOX_DIGITS => parse_sandbox_id(id),
        CONTAINER_DIGITS => id.get(OWN_DIGITS..).and_then(parse_sandbox_id),
        _ => None,
    };
    if let Some(uuid) = whole
        && let Some(entry) = pods.by_uuid(uuid)?
        && entry.phase != Phase::Garbage
    {
        return Ok(vec![entry]);
    }
    let mut all = pods.list()?;
    all.retain(|entry| entry.phase != Phase::Garbage);
    Ok(all)
}

/// The apps of a sandbox; none of other pods, or of one that can't be read.
fn containers(entry: &PodEntry) -> Vec<AppName> {
    match PodManifest::load(&entry.path) {
        Ok(manifest) if manifest.annotations.contains_key(CRI_ANNOTATION) => {
            manifest.apps.iter().map(|app| app.name.clone()).collect()
        }
        _ => Vec::new(),
    }
}

fn is_hexadecimal(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_without_hyphens() {
        let uuid = PodUuid::random();
        let id = sandbox_id(uuid);
        assert_eq!(parse_sandbox_id(&id), Some(uuid));
        for bad in ["", "x", &id[1..], &format!("{id}0"), &"g".repeat(32)] {
            assert_eq!(parse_sandbox_id(bad), None, "{bad}");
        }
        assert_eq!(parse_sandbox_id(&"é".repeat(16)), None);
    }

    #[test]
    fn texts_are_kept_apart_and_digits_are_those_of_the_digest() {
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digits_of([], 64), of_nothing);
        assert_ne!(digits_of(["a", "b"], 10), digits_of(["ab"], 10));
        assert_eq!(digits_of(["a"], 10).len(), 10);
    }

    #[test]
    fn a_pod_is_found_by_twelve_digits_and_not_by_fewer() {
        let dir = tempfile::tempdir().unwrap();
        let pods = PodsDir::new(dir.path());
        let pod = pods.create(PodUuid::random()).unwrap();
        let id = sandbox_id(pod.uuid());
        for text in [&id[..12], &id[..13], &id] {
            let called = find(&pods, text).unwrap().unwrap();
            assert_eq!((called.entry.uuid, called.app), (pod.uuid(), None));
        }
        for none in ["", &id[..11], &id[1..], &"A".repeat(13), &"0".repeat(64)] {
            assert!(find(&pods, none).unwrap().is_none(), "{none}");
        }
    }
}
