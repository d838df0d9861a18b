//! Names that a person gives an image.

use image_name::Reference;

use crate::wording::failure::Failure;

/// A name for an image that is here: without a registry, it is of this machine.
///
/// # Errors
/// If it is none, or names a digest.
pub(crate) fn local(text: &str) -> Result<Reference, Failure> {
    // Who types such a name later means the digest.
    let is_like_digest = text.split_once(':').is_some_and(|(algorithm, rest)| {
        matches!(algorithm, "sha256" | "sha384" | "sha512") && !rest.contains('/')
    });
    if is_like_digest {
        return Err(Failure::Usage(format!(
            "{text} looks like a digest, which an image can't be given; name it otherwise"
        )));
    }
    let name = match Reference::is_short(text) {
        true => Reference::parse(&format!("localhost/{text}"))?,
        false => Reference::parse(text)?,
    };
    match name.digest() {
        Some(_) => Err(Failure::Usage(format!(
            "{text} names a digest, which an image can't be given"
        ))),
        None => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_registry_is_local() {
        assert_eq!(local("app").unwrap().to_string(), "localhost/app:latest");
        assert_eq!(
            local("team/app:1").unwrap().to_string(),
            "localhost/team/app:1"
        );
        assert_eq!(local("a.io/app").unwrap().to_string(), "a.io/app:latest");
        let digest = format!("a.io/app@sha256:{}", "0".repeat(64));
        let bare = format!("sha256:{}", "0".repeat(64));
        for bad in ["", "A", &digest, &bare, "sha256:0123", "sha512:latest"] {
            assert!(local(bad).is_err(), "{bad}");
        }
        for good in ["sha256", "team/sha256:1", "a.io/sha256:1"] {
            assert!(local(good).is_ok(), "{good}");
        }
    }
}
