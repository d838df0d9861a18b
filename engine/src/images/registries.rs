//! What the configuration says of registries, and what short names mean by it. Nothing of it is read
//! for an image of the store that is called by its name in full.

use image_store::registry::{ConfigFolders, Registries};
use image_store::{FetchOptions, Reference, StoreError};
use pod::manifest::InsecureOption;

use crate::engine::Engine;
use crate::error::Error;

/// Fewest and most digits of the beginning of a digest.
const DIGEST_DIGITS: std::ops::RangeInclusive<usize> = 6..=64;

/// The configuration of registries.
///
/// # Errors
/// If a file can't be read or understood.
pub fn load(engine: &Engine) -> Result<Registries, Error> {
    let registries = Registries::load(&ConfigFolders {
        local: engine.directories.local_config.clone(),
        system: engine.directories.system_config.clone(),
    })?;
    Ok(registries.relaxed(
        engine.gives_up(InsecureOption::Http),
        engine.gives_up(InsecureOption::Tls),
    ))
}

/// How to fetch, by the configuration.
///
/// # Errors
/// As [`load`].
pub fn fetch_options(engine: &Engine) -> Result<FetchOptions, Error> {
    Ok(FetchOptions {
        registries: load(engine)?,
        ..FetchOptions::default()
    })
}

/// What `text` may stand for, the most wanted first: itself, unless it is a short name. Of the
/// images that a short name may mean, those in the store come first, then an image whose digest
/// begins like that. Several are left only where the configuration lets the first found decide.
///
/// # Errors
/// [`StoreError::AmbiguousShortName`]; as [`load`].
pub fn full_names(engine: &Engine, text: &str) -> Result<Vec<String>, Error> {
    if !is_short_name(text) {
        return Ok(vec![text.to_owned()]);
    }
    let registries = load(engine)?;
    let candidates = registries.candidates(text)?;
    let store = engine.store();
    let mut known = Vec::new();
    for candidate in &candidates {
        if store.resolve(candidate)?.is_some() {
            known.push(candidate.clone());
        }
    }
    if known.is_empty() && may_be_digest(text) {
        let digest = format!("sha256:{text}");
        if store.find(&digest)?.is_some() {
            return Ok(vec![digest]);
        }
    }
    let wanted = if known.is_empty() { candidates } else { known };
    if wanted.len() > 1 && !registries.takes_first_found() {
        return Err(StoreError::AmbiguousShortName {
            name: text.to_owned(),
            candidates: wanted.iter().map(ToString::to_string).collect(),
        }
        .into());
    }
    Ok(wanted.iter().map(ToString::to_string).collect())
}

/// As [`full_names`], where the first will do.
///
/// # Errors
/// As [`full_names`].
pub fn full_name(engine: &Engine, text: &str) -> Result<String, Error> {
    let names = full_names(engine, text)?;
    Ok(names.into_iter().next().unwrap_or_else(|| text.to_owned()))
}

/// Whether `text` is a reference without a registry, and not a source of another kind.
fn is_short_name(text: &str) -> bool {
    Reference::is_short(text)
        && ![
            "sha256:",
            "oci:",
            "oci-archive:",
            "docker-archive:",
            "/",
            "./",
            "../",
        ]
        .iter()
        .any(|start| text.starts_with(start))
        && Reference::parse(text).is_ok()
}

fn may_be_digest(text: &str) -> bool {
    DIGEST_DIGITS.contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_told_from_everything_else() {
        for text in ["nginx", "team/app:1", "nginx:oci", "abcdef"] {
            assert!(is_short_name(text), "{text}");
        }
        for text in [
            "q.io/a",
            "docker://nginx",
            "oci:dir",
            "oci-archive:f.tar",
            "./dir",
            "/dir",
            "sha256:abcdef",
            "",
            "A",
        ] {
            assert!(!is_short_name(text), "{text}");
        }
    }
}
