//! Profiles of AppArmor: whether the kernel has one.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::SecurityError;

/// What the kernel says of the module, and which profiles it has.
const ENABLED: &str = "/sys/module/apparmor/parameters/enabled";
const PROFILES: &str = "/sys/kernel/security/apparmor/profiles";

/// Whether the kernel has AppArmor, and uses it.
pub(crate) fn is_enabled() -> bool {
    says_yes(Path::new(ENABLED))
}

/// Refuses a profile that no app can get here.
///
/// # Errors
/// [`SecurityError::NoAppArmor`] and [`SecurityError::UnknownProfile`].
pub(super) fn require(profile: &str) -> Result<(), SecurityError> {
    judge(profile, Path::new(ENABLED), Path::new(PROFILES))
}

fn judge(profile: &str, enabled: &Path, profiles: &Path) -> Result<(), SecurityError> {
    if !says_yes(enabled) {
        return Err(SecurityError::NoAppArmor(profile.to_owned()));
    }
    match fs::read_to_string(profiles) {
        Ok(loaded) if loaded.lines().any(|line| name_of(line) == profile) => Ok(()),
        Ok(_) => Err(SecurityError::UnknownProfile(profile.to_owned())),
        // Where securityfs isn't mounted, the kernel itself refuses what it doesn't have.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(SecurityError::Profiles(error)),
    }
}

fn says_yes(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.trim() == "Y")
}

/// The name in a line such as `docker-default (enforce)`.
fn name_of(line: &str) -> &str {
    line.rsplit_once(" (").map_or(line, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_had_where_the_kernel_has_loaded_it() {
        let kernel = tempfile::tempdir().unwrap();
        let (enabled, profiles) = (kernel.path().join("e"), kernel.path().join("p"));
        let answer = |profile: &str| match judge(profile, &enabled, &profiles) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        assert!(answer("web").contains("has no AppArmor"));
        fs::write(&enabled, "N\n").unwrap();
        assert!(answer("web").contains("has no AppArmor"));
        fs::write(&enabled, "Y\n").unwrap();
        assert_eq!(answer("web"), "");
        fs::write(&profiles, "/usr/bin/man (enforce)\nweb (complain)\n").unwrap();
        assert_eq!(answer("web"), "");
        assert_eq!(answer("/usr/bin/man"), "");
        let error = answer("we");
        assert!(error.contains("`we` is not loaded"), "{error}");
    }
}
