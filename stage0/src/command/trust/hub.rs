//! Prefixes that mean another thing than people think: Docker Hub's own images are in `library/`, which they leave out, and a
//! name with a tag reads like a registry with a port.

use image_name::Prefix;

use crate::console::output;

/// Warns of a prefix that reads like one of Docker Hub's own images and covers none of them.
pub(super) fn warn_of_library(prefix: &Prefix) {
    if let Some((host, port)) = registry_like_a_tag(prefix.as_str()) {
        output::warn(&format!(
            "{prefix} is the registry at port {port} of {host}, with all that is there; a prefix has no tag: \
             for images of that name on Docker Hub, it is docker.io/library/{host}"
        ));
    }
    if let Some(meant) = meant(prefix.as_str()) {
        output::warn(&format!(
            "{prefix} does not cover {meant}, which is what `{}` means; trust {meant} for that",
            meant.trim_start_matches("docker.io/library/")
        ));
    }
}

/// Host and port of a prefix that is a registry alone, and could be a name with a tag.
fn registry_like_a_tag(prefix: &str) -> Option<(&str, &str)> {
    let (host, port) = prefix.split_once(':')?;
    let is_name = !host.contains(['.', '[', '/']) && host != "localhost";
    (is_name && !port.contains('/')).then_some((host, port))
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
    fn a_registry_of_a_short_name_could_be_an_image_with_a_tag() {
        assert_eq!(registry_like_a_tag("zz:1"), Some(("zz", "1")));
        for other in [
            "zz:1/team",
            "a.io:5000",
            "localhost:5000",
            "[::1]:5000",
            "zz",
            "*",
        ] {
            assert_eq!(registry_like_a_tag(other), None, "{other}");
        }
    }

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
