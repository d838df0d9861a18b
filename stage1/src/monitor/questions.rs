//! What pod init has been asked about cgroups that it has itself, and what the answers are for.

use std::collections::{BTreeMap, BTreeSet};

use pod::AppName;
use pod::control::{NetworkUse, Usage};
use pod::manifest::Resources;

/// What pod init has been asked and has not answered yet.
#[derive(Debug, Default)]
pub(super) struct Questions {
    last: u64,
    pub(super) open: BTreeMap<u64, Then>,
}

/// What an answer is for.
#[derive(Debug)]
pub(super) enum Then {
    /// Figures for a client.
    Count {
        apps: Vec<AppName>,
        whole: Option<Box<Usage>>,
        network: Option<NetworkUse>,
    },
    /// Processes for a client.
    Processes,
    /// An app has other limits.
    Limit {
        app: AppName,
        before: Box<Resources>,
        after: Box<Resources>,
    },
    /// All apps together have other limits. Those of the host have been changed already.
    LimitPod {
        before: Box<Resources>,
        after: Box<Resources>,
    },
    /// These apps are paused, but for those that were resumed meanwhile.
    Pause {
        apps: Vec<AppName>,
        resumed: BTreeSet<AppName>,
    },
    /// They are not any more.
    Resume { apps: Vec<AppName> },
}

impl Questions {
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Whether an app is about to be paused.
    pub(super) fn pause(&self, app: &AppName) -> bool {
        self.open.values().any(|then| match then {
            Then::Pause { apps, resumed } => apps.contains(app) && !resumed.contains(app),
            _ => false,
        })
    }

    /// It is not to be paused after all.
    pub(super) fn take_back_pause(&mut self, app: &AppName) {
        for then in self.open.values_mut() {
            if let Then::Pause { apps, resumed } = then
                && apps.contains(app)
            {
                resumed.insert(app.clone());
            }
        }
    }

    /// Whether limits of an app, or of all together, are being changed.
    pub(super) fn limit(&self, app: Option<&AppName>) -> bool {
        self.open.values().any(|then| match then {
            Then::Limit { app: limited, .. } => app == Some(limited),
            Then::LimitPod { .. } => app.is_none(),
            _ => false,
        })
    }
}
