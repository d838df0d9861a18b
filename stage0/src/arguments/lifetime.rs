//! When a pod ends by itself.

use std::time::Duration;

use clap::{Args, ValueEnum};
use engine::pods::spec::PodSpec;

use super::grace::grace;
use super::seconds::whole_seconds;

/// Flags about a pod's end.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pod flags")]
pub(crate) struct LifetimeArguments {
    /// When the pod ends by itself
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_short_help = true
    )]
    lifetime: Lifetime,
    /// What the failure of one app is to the others
    /// [default: stop-pod; continue with --lifetime=until-stopped]
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        verbatim_doc_comment,
        hide_short_help = true
    )]
    on_app_failure: Option<AppFailure>,
    /// When the pod counts as ready, for whoever waits for its start
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        alias = "sdnotify",
        hide_short_help = true
    )]
    ready_when: ReadyWhen,
    /// End the pod when it has run for so long, with exit code 124; 0 for no end of it
    #[arg(long, value_name = "DURATION", value_parser = grace, hide_short_help = true)]
    timeout: Option<Duration>,
}

/// When a pod counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ReadyWhen {
    /// When all of its apps have started
    #[default]
    #[value(alias = "conmon")]
    Started,
    /// When all of its apps are ready, by their health checks where they have some
    Healthy,
    /// When all of its apps have said that they are (sd_notify(3)), and are so by their health checks
    #[value(alias = "container")]
    Notified,
}

/// When a pod ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Lifetime {
    /// When all of its apps have ended
    #[default]
    WithApps,
    /// Never: it stays until it is stopped
    UntilStopped,
}

/// What the failure of one app is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AppFailure {
    /// The end of the pod
    StopPod,
    /// Nothing
    Continue,
}

impl LifetimeArguments {
    /// Says so in what is asked of a pod.
    pub(crate) fn apply(&self, spec: &mut PodSpec) {
        spec.lifetime = match self.lifetime {
            Lifetime::WithApps => pod::manifest::Lifetime::WithApps,
            Lifetime::UntilStopped => pod::manifest::Lifetime::UntilStopped,
        };
        let unless_asked = match self.lifetime {
            Lifetime::WithApps => AppFailure::StopPod,
            Lifetime::UntilStopped => AppFailure::Continue,
        };
        spec.on_app_failure = self.on_app_failure.unwrap_or(unless_asked).into();
        spec.ready_when = match self.ready_when {
            ReadyWhen::Started => pod::manifest::ReadyWhen::Started,
            ReadyWhen::Healthy => pod::manifest::ReadyWhen::Healthy,
            ReadyWhen::Notified => pod::manifest::ReadyWhen::Notified,
        };
        spec.active_deadline_seconds = self.timeout.and_then(whole_seconds);
    }
}

impl From<AppFailure> for pod::manifest::AppFailure {
    fn from(failure: AppFailure) -> Self {
        match failure {
            AppFailure::StopPod => Self::StopPod,
            AppFailure::Continue => Self::Continue,
        }
    }
}
