//! Where in a container something can be mounted.

use std::path::Path;

use pod::manifest::AppPath;

/// Why nothing can be mounted at a place, if that is so. Of the host's directories, its own `/sys` alone goes onto what the
/// kernel shows of itself.
pub(super) fn lack(place: &AppPath, host_path: &str) -> Option<&'static str> {
    match words(place.as_str()).as_slice() {
        [] => Some("an image's root directory can't be mounted on"),
        ["proc"] => Some("the container's own processes are shown there, and nothing else"),
        ["sys"] if !is_sys(host_path) => {
            Some("the kernel is shown there, and nothing goes in its place but the host's own /sys")
        }
        _ => None,
    }
}

fn is_sys(host_path: &str) -> bool {
    let is_absolute = Path::new(host_path).is_absolute();
    is_absolute && words(host_path) == ["sys"]
}

/// The directories of a path by its words: `/a/../b` is `b`.
fn words(path: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in path.split('/') {
        match word {
            "" | "." => {}
            ".." => {
                words.pop();
            }
            word => words.push(word),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_shows_stays_in_its_place() {
        let is_refused = |place: &str, host: &str| {
            let place = AppPath::try_from(place.to_owned()).unwrap();
            lack(&place, host).is_some()
        };
        for place in [
            "/",
            "/a/..",
            "/..",
            "/proc",
            "/proc/",
            "/a/../sys",
            "//sys/.",
        ] {
            assert!(is_refused(place, "/srv"), "{place}");
        }
        for place in ["/data", "/proc/cpuinfo", "/sys/fs/bpf", "/a/proc", "/..sys"] {
            assert!(!is_refused(place, "/srv"), "{place}");
        }
        assert!(is_refused("/proc", "/proc") && !is_refused("/sys", "/sys/"));
        assert!(is_refused("/sys", "/sys/fs") && is_refused("/sys", "sys"));
    }
}
