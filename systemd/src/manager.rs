//! What a service manager hands to the process that it starts, by its environment (systemd.exec(5)).

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::socket::{NotifyError, NotifySocket};
use crate::sys::take_variable;

/// Environment variable: where the manager is told something.
pub const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
/// Environment variable: how often it has to hear that the service is alive, in microseconds.
pub const WATCHDOG_USEC: &str = "WATCHDOG_USEC";
/// Environment variable: which process it has to hear that from.
pub const WATCHDOG_PID: &str = "WATCHDOG_PID";
/// Environment variable: the directory of the service's credentials.
pub const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// All that is taken out of the environment: none of it is for another program.
pub const VARIABLES: [&str; 4] = [
    NOTIFY_SOCKET,
    WATCHDOG_USEC,
    WATCHDOG_PID,
    CREDENTIALS_DIRECTORY,
];
/// Environment variable: the process that systemd itself has started (from version 248 on).
const SYSTEMD_EXEC_PID: &str = "SYSTEMD_EXEC_PID";

/// What is there if systemd manages the machine, sd_booted(3).
const BOOTED: &str = "/run/systemd/system";

/// Whether systemd manages this machine.
pub fn is_booted() -> bool {
    let found = std::fs::symlink_metadata(BOOTED);
    found.is_ok_and(|found| found.is_dir())
}

/// What the environment says of a service manager.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceManager {
    /// Where it is told something, as it says that.
    pub notify_socket: Option<OsString>,
    /// How often it has to hear from this process.
    pub watchdog: Option<Duration>,
    /// The directory of the service's credentials, as it says that.
    pub credentials: Option<PathBuf>,
    /// Whether it has started this very process, and looks at its end.
    pub is_main: bool,
}

impl ServiceManager {
    /// Takes it out of the environment. To be called once, while there is one thread.
    pub fn take() -> Self {
        let mut taken = VARIABLES.map(|name| (name, take_variable(name)));
        let exec_pid = std::env::var_os(SYSTEMD_EXEC_PID);
        Self::parse(
            |name| match name {
                SYSTEMD_EXEC_PID => exec_pid.clone(),
                name => taken.iter_mut().find(|one| one.0 == name)?.1.take(),
            },
            std::process::id(),
        )
    }

    fn parse(mut variable: impl FnMut(&str) -> Option<OsString>, own_pid: u32) -> Self {
        let mut number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_own = |pid: u64| pid == u64::from(own_pid);
        let usec = number(WATCHDOG_USEC).filter(|usec| *usec > 0);
        let watched = number(WATCHDOG_PID).is_none_or(is_own);
        let is_executed = number(SYSTEMD_EXEC_PID).is_some_and(is_own);
        let mut path = |name| variable(name).filter(|value| !value.is_empty());
        let notify_socket = path(NOTIFY_SOCKET);
        Self {
            watchdog: usec.filter(|_| watched).map(Duration::from_micros),
            credentials: path(CREDENTIALS_DIRECTORY).map(PathBuf::from),
            is_main: is_executed || notify_socket.is_some(),
            notify_socket,
        }
    }

    /// Where it is told something, if it wants to be.
    ///
    /// # Errors
    /// [`NotifyError`] if what it says is no place for that.
    pub fn notify(&self) -> Result<Option<NotifySocket>, NotifyError> {
        let text = self.notify_socket.as_deref();
        text.map(NotifySocket::open).transpose()
    }

    /// The variables that say the same to a program which takes this process's place, but for its credentials.
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        let watchdog = self
            .watchdog
            .map(|every| every.as_micros().to_string().into());
        [
            (NOTIFY_SOCKET, self.notify_socket.clone()),
            (WATCHDOG_USEC, watchdog),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(variables: &[(&str, &str)]) -> ServiceManager {
        let find = |name: &str| {
            let mut all = variables.iter();
            all.find(|(one, _)| *one == name)
                .map(|(_, value)| OsString::from(value))
        };
        ServiceManager::parse(find, 7)
    }

    #[test]
    fn without_a_manager_there_is_nothing() {
        assert_eq!(parsed(&[]), ServiceManager::default());
        assert_eq!(parsed(&[(NOTIFY_SOCKET, "")]), ServiceManager::default());
        assert!(ServiceManager::default().variables().is_empty());
        assert!(ServiceManager::default().notify().unwrap().is_none());
    }

    #[test]
    fn what_it_says_is_understood_and_can_be_handed_on() {
        let variables = [
            (NOTIFY_SOCKET, "/run/notify"),
            (WATCHDOG_USEC, "2000000"),
            (WATCHDOG_PID, "7"),
            (CREDENTIALS_DIRECTORY, "/run/credentials/x.service"),
            (SYSTEMD_EXEC_PID, "7"),
        ];
        let manager = parsed(&variables);
        assert_eq!(manager.watchdog, Some(Duration::from_secs(2)));
        assert!(manager.is_main);
        let on: Vec<_> = manager
            .variables()
            .into_iter()
            .map(|(name, value)| (name, value.into_string().unwrap()))
            .collect();
        assert_eq!(
            on,
            [
                (NOTIFY_SOCKET, "/run/notify".to_owned()),
                (WATCHDOG_USEC, "2000000".to_owned()),
            ]
        );
    }

    #[test]
    fn what_is_for_another_process_is_not_for_this_one() {
        let other = [(WATCHDOG_USEC, "2"), (WATCHDOG_PID, "8")];
        assert_eq!(parsed(&other).watchdog, None);
        assert!(!parsed(&[(SYSTEMD_EXEC_PID, "8")]).is_main);
        for bad in ["0", "x", "-1"] {
            assert_eq!(parsed(&[(WATCHDOG_USEC, bad)]).watchdog, None, "{bad}");
        }
    }

    #[test]
    fn it_is_taken_out_of_the_environment() {
        // Each test has a process of its own.
        for name in VARIABLES {
            assert_eq!(take_variable(name), None);
        }
        assert!(take_variable("PATH").is_some());
        assert_eq!(std::env::var_os("PATH"), None);
    }
}
