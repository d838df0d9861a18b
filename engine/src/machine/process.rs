//! What this process may do.

use rustix::process::{Resource, geteuid, getrlimit};

/// Its rights and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// It is root.
    pub is_root: bool,
    /// Its effective capabilities, as a mask; `None` if they can't be read.
    pub capabilities: Option<u64>,
    /// Most descriptors of a process, as far as it may raise that.
    pub descriptors: Option<u64>,
    /// Most processes of the user.
    pub processes: Option<u64>,
}

impl Process {
    pub(super) fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            is_root: geteuid().is_root(),
            capabilities: capabilities(&status),
            descriptors: getrlimit(Resource::Nofile).maximum,
            processes: getrlimit(Resource::Nproc).current,
        }
    }
}

/// Those that `/proc/PID/status` calls effective.
fn capabilities(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_those_that_count() {
        let status = "Name:\tx\nCapPrm:\t00ff\nCapEff:\t000001ff\n";
        assert_eq!(capabilities(status), Some(0x1ff));
        assert_eq!(capabilities("CapEff:\tx"), None);
        assert_eq!(capabilities(""), None);
    }
}
