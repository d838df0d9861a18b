//! Digests of the one algorithm that images are known by here.

use image_name::Digest;

use crate::one_line;

/// A text that should be a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not a digest: it must be \"sha256:\" and 64 lower-case hex digits")]
pub struct DigestError {
    /// The text, quoted.
    text: String,
}

/// Parses a digest.
pub(crate) fn parse_digest(text: &str) -> Result<Digest, DigestError> {
    Digest::parse(text).map_err(|_| DigestError {
        text: one_line::quoted(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sha256_digests_are_taken() {
        let hex = "ab".repeat(32);
        let text = format!("sha256:{hex}");
        assert_eq!(parse_digest(&text).unwrap().as_ref(), text);
        for text in [
            String::new(),
            hex.clone(),
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha512:{hex}{hex}"),
            format!("md5:{hex}"),
            format!("sha256:{hex}\n"),
        ] {
            let error = parse_digest(&text).unwrap_err();
            assert_eq!(error.text, one_line::quoted(&text));
        }
    }
}
