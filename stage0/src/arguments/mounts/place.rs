//! Where a mount goes, and where it comes from.

use std::path::{Component, Path, PathBuf};

use pod::manifest::{AppPath, Mount, MountSource};
use pod::named_volumes::{InvalidVolumeName, NamedVolumeName};

use super::options::MountWords;

/// Where an app sees something, written in one way.
pub(super) fn destination(text: &str) -> Result<AppPath, String> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err(format!(
            "`{text}` is a path in the app, and must begin with /"
        ));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("`{text}` must not go back up with `..`"));
    }
    // Without `.` and doubled slashes.
    let plain: PathBuf = path.components().collect();
    if plain == Path::new("/") {
        return Err("nothing can be mounted on / of the app: that is its image".to_owned());
    }
    if plain == Path::new("/proc") {
        return Err("nothing can be mounted on /proc of the app".to_owned());
    }
    let plain = plain.to_string_lossy().into_owned();
    AppPath::try_from(plain).map_err(|error| error.to_string())
}

/// A path of the host, as seen from the working directory.
pub(super) fn host_path(text: &str) -> Result<PathBuf, String> {
    if text == "~" || text.starts_with("~/") {
        return Err(format!(
            "`~` is for the shell, which has left it in `{text}`: write $HOME"
        ));
    }
    std::path::absolute(text).map_err(|error| format!("`{text}` is not a path: {error}"))
}

/// The name of a volume that outlives pods.
pub(super) fn named(text: &str) -> Result<NamedVolumeName, String> {
    text.parse().map_err(|error: InvalidVolumeName| {
        match text.contains('/') || matches!(text, "." | "..") {
            true => format!("{error}; type=bind is for directories of the host"),
            false => error.to_string(),
        }
    })
}

/// A mount of which nothing else is said.
pub(super) fn plain_mount(destination: AppPath, source: MountSource, options: MountWords) -> Mount {
    let MountWords { options, relabel } = options;
    Mount {
        destination,
        source,
        options,
        relabel,
        uid_mappings: Vec::new(),
        gid_mappings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_absolute_path_written_in_one_way() {
        assert_eq!(destination("//srv/./data/").unwrap().as_str(), "/srv/data");
        for (bad, reason) in [
            ("srv", "begin with /"),
            ("", "begin with /"),
            ("/a/../b", "`..`"),
            ("/.", "its image"),
            ("/proc/", "/proc"),
            ("/a\0b", "absolute"),
        ] {
            let error = destination(bad).unwrap_err();
            assert!(error.contains(reason), "{bad:?}: {error}");
        }
    }
}
