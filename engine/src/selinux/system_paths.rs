//! Which directories are never relabelled: the system would not work any more.

use std::path::Path;

/// As podman has them, and where fairing and its peers keep what is theirs.
pub(super) const DIRECTORIES: [&str; 26] = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/etc/passwd",
    "/etc/pki",
    "/etc/shadow",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/var",
    "/var/lib",
    "/var/log",
    "/var/tmp",
    "/mnt",
];

/// Whether a path, which leads through no links, is one of them, or somebody's home directory.
pub(super) fn is_of_system(path: &Path, homes: &[&Path]) -> bool {
    let is_one = |directory: &&str| path == Path::new(directory);
    DIRECTORIES.iter().any(is_one)
        || path.parent() == Some(Path::new("/home"))
        || homes.contains(&path)
}

/// The home directories of those users of a passwd(5) who may log in.
pub(super) fn homes(passwd: &str) -> Vec<&Path> {
    let fields = passwd.lines().map(|line| line.split(':'));
    let homes = fields.filter_map(|mut fields| {
        let number: u32 = fields.clone().nth(2)?.parse().ok()?;
        let home = fields.nth(5)?;
        // Those of services are where their data is.
        (home.starts_with('/') && (number == 0 || number >= 1000)).then_some(Path::new(home))
    });
    homes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_the_system_and_homes_keep_their_labels() {
        let passwd = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/export/ann:/bin/sh\n\
            db:x:70:70::/var/lib/db:/bin/false\nbroken\nn:x:2000:1::relative:/bin/sh";
        let homes = homes(passwd);
        assert_eq!(homes, [Path::new("/root"), Path::new("/export/ann")]);
        for (path, expected) in [
            ("/", true),
            ("/etc", true),
            ("/usr", true),
            ("/home", true),
            ("/home/eve", true),
            ("/export/ann", true),
            ("/root", true),
            ("/home/eve/data", false),
            ("/etc/app", false),
            ("/var/lib/db", false),
            ("/srv/data", false),
        ] {
            assert_eq!(is_of_system(Path::new(path), &homes), expected, "{path}");
        }
    }
}
