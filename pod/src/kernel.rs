//! Which kernel this is.

use rustix::system::uname;

/// Whether this kernel is Linux `version` (major, minor) or later, by its release.
#[must_use]
pub fn runs_on(version: (u32, u32)) -> bool {
    let name = uname();
    let release = name.release().to_str();
    release.is_ok_and(|release| is_as_new(release, version))
}

fn is_as_new(release: &str, (major, minor): (u32, u32)) -> bool {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(major), Some(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        for release in ["6.8.0", "6.18.44-cloud", "7.0-rc1", "10.2"] {
            assert!(is_as_new(release, (6, 8)), "{release}");
        }
        for release in ["6.1.0-56-cloud-amd64", "5.15.0", "6.7", "6", "", "x"] {
            assert!(!is_as_new(release, (6, 8)), "{release}");
        }
    }
}
