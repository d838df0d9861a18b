//! Which log an app gets: its own, the pod's, or the configured one.

use std::path::Path;

use pod::manifest::{Log, LogDriver};

use crate::observer::{Observer, Warning};

/// Where the journal listens.
const JOURNAL: &str = "/run/systemd/journal/socket";

/// The log of an app that asks for this, in a pod that asks for that.
pub(super) fn resolve(
    of_app: Option<&Log>,
    of_pod: Option<&Log>,
    configured: Option<LogDriver>,
) -> Option<Log> {
    let mut log = of_app.or(of_pod).cloned().unwrap_or_default();
    if log.path.is_some() {
        // A place says that there is to be a file.
        log.driver = log.driver.or(Some(LogDriver::K8sFile));
    }
    // An option without a driver is about the driver that has a use for it, if that is the one.
    log.driver = log
        .driver
        .or(of_pod.and_then(|log| log.driver))
        .or(configured);
    match log.driver.unwrap_or(LogDriver::K8sFile) {
        LogDriver::K8sFile => log.tag = None,
        LogDriver::Journald => (log.max_size, log.path) = (None, None),
        LogDriver::None => (log.tag, log.max_size, log.path) = (None, None, None),
    }
    (log != Log::default()).then_some(log)
}

/// Tells who wants entries in a journal that there is none. It may come yet.
pub(super) fn warn_without_journal<'a>(
    logs: impl IntoIterator<Item = &'a Option<Log>>,
    observer: &dyn Observer,
) {
    let mut drivers = logs
        .into_iter()
        .filter_map(|log| log.as_ref().and_then(|log| log.driver));
    if drivers.any(|driver| driver == LogDriver::Journald) && !Path::new(JOURNAL).exists() {
        observer.warning(Warning::NoJournal(JOURNAL));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_counts_more_than_the_pod_and_that_more_than_the_configuration() {
        use LogDriver::{Journald, K8sFile, None as Nothing};
        let log = |driver: Option<LogDriver>| {
            driver.map(|driver| Log {
                driver: Some(driver),
                ..Log::default()
            })
        };
        for (app, pod, configured, expected) in [
            (None, None, None, None),
            (None, None, Some(Journald), Some(Journald)),
            (None, Some(Nothing), Some(Journald), Some(Nothing)),
            (Some(K8sFile), Some(Nothing), Some(Journald), Some(K8sFile)),
        ] {
            let resolved = resolve(log(app).as_ref(), log(pod).as_ref(), configured);
            assert_eq!(resolved, log(expected));
        }
        let tagged = Log {
            tag: Some("x".to_owned()),
            ..Log::default()
        };
        let placed = Log {
            path: Some("/x".into()),
            ..Log::default()
        };
        let resolved = resolve(Some(&placed), None, Some(Journald)).unwrap();
        assert_eq!(resolved.driver, Some(K8sFile));
        assert_eq!(resolved.path, placed.path);
        let of = |pod| resolve(Some(&tagged), log(pod).as_ref(), None);
        assert_eq!(of(Some(Journald)).unwrap().tag.as_deref(), Some("x"));
        assert_eq!(of(None), None);
    }
}
