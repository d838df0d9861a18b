//! Bodies of the fuzz targets: ordinary functions that take any bytes, and panic only where the code under
//! test has a bug. `fuzz/` hands them to libFuzzer; the tests below replay their corpora and mutate these.

use crate::{Digest, NameError, Prefix, Reference, Repository};

/// The value, or nothing after a look at the error, which fits one line of a terminal.
fn value<T>(result: Result<T, NameError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let shown = error.to_string();
            let fits = shown.len() < 2000 && !shown.contains(|c: char| c.is_control());
            assert!(fits, "{shown:?}");
            None
        }
    }
}

/// Repositories and prefixes.
pub fn name(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(repository) = value(Repository::parse(&text)) {
        assert_eq!(repository.as_str(), text);
        assert!(Prefix::parse(&text).is_ok());
    }
    value(Prefix::parse(&text));
}

/// References and digests.
pub fn reference(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(digest) = value(Digest::parse(&text)) {
        assert_eq!(digest.as_ref(), text);
    }
    if let Some(reference) = value(Reference::parse(&text)) {
        let canonical = reference.to_string();
        assert_eq!(Reference::parse(&canonical), Ok(reference));
    }
}

#[cfg(test)]
mod tests {
    replay::targets! {
        name: 20_000,
        reference: 30_000,
    }
}
