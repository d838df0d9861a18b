//! The service that a process belongs to, by its cgroup: the kernel tells it, and no process can claim another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name of a unit, systemd.unit(5).
const LONGEST: usize = 255;

/// The name of a service of the machine's service manager, such as `web.service`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitName(String);

/// A text that names no service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a service")]
pub struct NotAService(String);

impl UnitName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a person calls the service so: with or without the end of its name.
    #[must_use]
    pub fn is_called(&self, text: &str) -> bool {
        self.0 == text || self.0.strip_suffix(".service") == Some(text)
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for UnitName {
    type Err = NotAService;

    fn from_str(text: &str) -> Result<Self, NotAService> {
        // The characters of systemd.unit(5): no pattern, no path, no flag.
        let is_fit = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        let stem = text.strip_suffix(".service").unwrap_or_default();
        match !stem.is_empty()
            && !stem.starts_with('-')
            && text.len() <= LONGEST
            && stem.chars().all(is_fit)
        {
            true => Ok(Self(text.to_owned())),
            false => Err(NotAService(text.to_owned())),
        }
    }
}

impl TryFrom<String> for UnitName {
    type Error = NotAService;

    fn try_from(text: String) -> Result<Self, NotAService> {
        text.parse()
    }
}

impl From<UnitName> for String {
    fn from(unit: UnitName) -> Self {
        unit.0
    }
}

/// The service that a process belongs to, from its `/proc/PID/cgroup` and that of process 1; `None` if it belongs to none
/// that the machine's service manager can start again: to a scope, a session, or a service of a user's manager.
#[must_use]
pub fn unit_of(process: &str, manager: &str) -> Option<UnitName> {
    let path = service_path(process)?;
    let root = service_path(manager)?;
    // Where the service manager has its own cgroups: not at the top, if it runs in a container.
    let root = ["/init.scope", "/system.slice", "/system"]
        .iter()
        .find_map(|end| root.strip_suffix(end))
        .unwrap_or(root);
    let below = match root {
        "/" => path.strip_prefix('/'),
        root => path.strip_prefix(root)?.strip_prefix('/'),
    };
    let mut parts = below?
        .split('/')
        .skip_while(|part| part.ends_with(".slice"));
    // systemd puts `_` before what the kernel could take for a file of its own.
    let unit = parts.next()?.trim_start_matches('_');
    // Who restarts that one ends the sessions of a user.
    if unit.starts_with("user@") {
        return None;
    }
    unit.parse().ok()
}

/// The path in the hierarchy of the service manager: `name=systemd` of version 1, else version 2.
fn service_path(cgroups: &str) -> Option<&str> {
    let find = |controllers: &str| {
        cgroups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (of, path) = rest.split_once(':')?;
            (of == controllers).then_some(path)
        })
    };
    find("name=systemd").or_else(|| find(""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_service_is_the_first_that_is_no_slice() {
        let v1 = |path: &str| format!("12:pids:/other.service\n1:name=systemd:{path}\n0::/\n");
        let v2 = |path: &str| format!("0::{path}\n");
        let cases = [
            (
                "/init.scope",
                "/system.slice/web.service",
                Some("web.service"),
            ),
            (
                "/init.scope",
                "/system.slice/web.service/fairing-monitor",
                Some("web.service"),
            ),
            (
                "/init.scope",
                "/a.slice/a-b.slice/web@1.service",
                Some("web@1.service"),
            ),
            (
                "/init.scope",
                "/system.slice/_cpu.service",
                Some("cpu.service"),
            ),
            (
                "/init.scope",
                "/system.slice/a\\x2db.service",
                Some("a\\x2db.service"),
            ),
            ("/init.scope", "/web.service", Some("web.service")),
            (
                "/box/init.scope",
                "/box/system.slice/web.service",
                Some("web.service"),
            ),
            ("/", "/system.slice/web.service", Some("web.service")),
            ("/box/init.scope", "/system.slice/web.service", None),
            ("/box/init.scope", "/boxes/system.slice/web.service", None),
            (
                "/init.scope",
                "/user.slice/user-0.slice/session-1.scope",
                None,
            ),
            (
                "/init.scope",
                "/user.slice/user-0.slice/user@0.service/app.slice/web.service",
                None,
            ),
            (
                "/init.scope",
                "/machine.slice/m.scope/payload/system.slice/web.service",
                None,
            ),
            ("/init.scope", "/system.slice/web.socket", None),
            ("/init.scope", "/system.slice/web*.service", None),
            ("/init.scope", "/system.slice/--all.service", None),
            ("/init.scope", "/system.slice/.service", None),
            ("/init.scope", "/", None),
            ("/init.scope", "", None),
        ];
        for (manager, process, expected) in cases {
            for form in [&v1 as &dyn Fn(&str) -> String, &v2] {
                let unit = unit_of(&form(process), &form(manager));
                assert_eq!(unit.as_ref().map(UnitName::as_str), expected, "{process}");
            }
        }
    }

    #[test]
    fn people_leave_the_end_of_a_name_out() {
        let unit: UnitName = "web.service".parse().unwrap();
        assert!(unit.is_called("web") && unit.is_called("web.service"));
        assert!(!unit.is_called("we") && !unit.is_called("web.socket"));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_name_that_is_a_flag_a_path_or_a_pattern(
            process in "[0-9]?:(name=systemd)?:[/a-z_*.@ -]{0,40}(.service)?",
            manager in "[0-9]?:(name=systemd)?:[/a-z.]{0,20}",
        ) {
            if let Some(unit) = unit_of(&process, &manager) {
                prop_assert!(!unit.as_str().contains(['/', '*', ' ']));
                prop_assert!(!unit.as_str().starts_with('-'));
                prop_assert!(unit.as_str().ends_with(".service"));
            }
        }
    }
}
