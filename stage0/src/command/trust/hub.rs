//! Docker Hub's own images are in `library/`, which people leave out.

use image_name::Prefix;

use crate::console::output;

/// Warns of a prefix that reads like one of Docker Hub's own images and covers none of them.
pub(super) fn warn_of_library(prefix: &Prefix) {
    if let Some(meant) = meant(prefix.as_str()) {
        output::warn(&format!(
            "{prefix} does not cover {meant}, which is what `{}` means; trust {meant} for that",
            meant.trim_start_matches("docker.io/library/")
        ));
    }
}

/// What a prefix of Docker Hub would have to be to cover the image of this name.
fn meant(prefix: &str) -> Option<String> {
    let name = prefix.strip_prefix("docker.io/")?;
    let is_one = !name.is_empty() && !name.contains('/') && name != "library";
    is_one.then(|| format!("docker.io/library/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_one_of_the_library() {
        assert_eq!(
            meant("docker.io/nginx").as_deref(),
            Some("docker.io/library/nginx")
        );
        for other in [
            "docker.io",
            "docker.io/library",
            "docker.io/a/b",
            "quay.io/nginx",
            "*",
        ] {
            assert_eq!(meant(other), None, "{other}");
        }
    }
}
