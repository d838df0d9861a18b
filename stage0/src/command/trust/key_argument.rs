//! How a person names a key: by its fingerprint, the first digits of that, or its file.

use std::path::Path;

use crate::keys::files as key_files;
use crate::wording::failure::Failure;

/// Digits that a fingerprint is recognised by at least.
const LEAST: usize = 6;

/// The fingerprint, or its first digits, as rules are searched for it.
///
/// # Errors
/// If a file is missing or holds no public key, or there are too few digits to tell a key.
pub(super) fn fingerprint(text: &str) -> Result<String, Failure> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex && Path::new(text).is_file() {
        let key = key_files::read_public(Path::new(text))?;
        return Ok(key.fingerprint().to_string());
    }
    if is_hex && digits.len() < LEAST {
        return Err(Failure::Usage(format!(
            "{text:?} is too short for a fingerprint: give its first {LEAST} digits at least"
        )));
    }
    match is_hex {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(Failure::Other(format!(
            "{text:?} is no fingerprint, and there is no such file"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_taken_as_they_are_and_too_few_are_said_to_be() {
        assert_eq!(fingerprint("ABCDEF").unwrap(), "abcdef");
        assert_eq!(fingerprint("sha256:0123456").unwrap(), "sha256:0123456");
        for short in ["abcde", "sha256:12345", "1"] {
            let error = fingerprint(short).unwrap_err().to_string();
            assert!(error.contains("6 digits at least"), "{error}");
        }
        let error = fingerprint("no-file.pub").unwrap_err().to_string();
        assert!(error.contains("there is no such file"), "{error}");
    }
}
