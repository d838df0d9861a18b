//! Resource limits that apps are to have beyond what the monitor has itself.

use pod::manifest::{App, Rlimit};
use rustix::process::{Rlimit as KernelLimit, getrlimit, setrlimit};

use crate::app::limits::{in_kernel, resource};
use crate::failure::StartFailure;

/// Raises the monitor's own hard limits to those that apps are to have: pod init and all in the pod begin with what the
/// monitor has, and in a user namespace nobody can raise them.
pub(super) fn raise_for<'a>(apps: impl IntoIterator<Item = &'a App>) -> Result<(), StartFailure> {
    each(apps, |limit, own| {
        let raised = KernelLimit {
            current: own.current,
            maximum: in_kernel(limit.soft, limit.hard).maximum,
        };
        setrlimit(resource(limit.kind), raised).is_ok()
    })
}

/// Whether an app that joins can have its limits: what is in the pod has what it began with.
pub(super) fn check(app: &App) -> Result<(), StartFailure> {
    each([app], |_, _| false)
}

/// Looks for limits that are above the monitor's, and whether something can be done about it.
fn each<'a>(
    apps: impl IntoIterator<Item = &'a App>,
    mut can_raise: impl FnMut(&Rlimit, KernelLimit) -> bool,
) -> Result<(), StartFailure> {
    for app in apps {
        for limit in &app.execution.rlimits {
            let own = getrlimit(resource(limit.kind));
            let wanted = in_kernel(limit.soft, limit.hard).maximum;
            let is_within = match (wanted, own.maximum) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(wanted), Some(most)) => wanted <= most,
            };
            if !is_within && !can_raise(limit, own) {
                let shown = |limit: Option<u64>| {
                    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
                };
                return Err(StartFailure::other(format!(
                    "app {} can't have the resource limit {} of {}: the hard limit here is {}, which only who has \
                     CAP_SYS_RESOURCE can raise",
                    app.name,
                    limit.kind.word(),
                    shown(wanted),
                    shown(own.maximum)
                )));
            }
        }
    }
    Ok(())
}
