//! Commands that work on several objects.

use pod::{Phase, PodEntry, PodError, State};

use crate::arguments::selector::Pods;
use crate::console::report;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Does something for each of several objects; a failure of one is printed and keeps none of the others.
///
/// # Errors
/// The first failure, printed already.
pub(crate) fn for_each<T>(
    objects: impl IntoIterator<Item = T>,
    mut action: impl FnMut(T) -> Result<(), Failure>,
) -> Result<u8, Failure> {
    let mut first = None;
    for object in objects {
        if let Err(failure) = action(object) {
            report::print(&failure);
            // Who interrupts one means all of them.
            let last = matches!(failure, Failure::Interrupted { .. });
            first.get_or_insert(failure);
            if last {
                break;
            }
        }
    }
    match first {
        None => Ok(0),
        Some(failure) => Err(Failure::Printed {
            first: Box::new(failure),
        }),
    }
}

/// A pod, and what it was called.
pub(crate) struct Named {
    pub(crate) typed: String,
    pub(crate) entry: PodEntry,
}

/// Does something for each pod that is meant; "all" are those in states that the command is for.
///
/// # Errors
/// As [`for_each`], and if there is no telling which pods there are.
pub(crate) fn for_each_pod(
    pods: Pods,
    context: &Context,
    is_for: impl Fn(State) -> bool,
    action: impl FnMut(Named) -> Result<(), Failure>,
) -> Result<u8, Failure> {
    for_each_pod_or(pods, context, is_for, |_| Ok(()), action)
}

/// The same, with something else to do for each pod that isn't there and need not be.
///
/// # Errors
/// As [`for_each_pod`].
pub(crate) fn for_each_pod_or(
    pods: Pods,
    context: &Context,
    is_for: impl Fn(State) -> bool,
    mut missing: impl FnMut(&str) -> Result<(), Failure>,
    mut action: impl FnMut(Named) -> Result<(), Failure>,
) -> Result<u8, Failure> {
    let (all, ignore) = (pods.all, pods.ignore);
    let selectors = match all {
        true => in_states(context, is_for)?
            .iter()
            .map(|entry| entry.uuid.to_string())
            .collect(),
        false => pods.selectors()?,
    };
    for_each(selectors, |typed| {
        let entry = match context.pod(&typed) {
            // Of all pods, one may go by itself.
            Err(Failure::Engine(engine::Error::Pod(PodError::NoSuchPod(_)))) if all => {
                return Ok(());
            }
            Err(Failure::Engine(engine::Error::Pod(PodError::NoSuchPod(_)))) if ignore => {
                return missing(&typed);
            }
            other => other?,
        };
        action(Named { typed, entry })
    })
}

/// The pods in these states.
///
/// # Errors
/// If there is no telling which there are.
pub(crate) fn in_states(
    context: &Context,
    is_for: impl Fn(State) -> bool,
) -> Result<Vec<PodEntry>, Failure> {
    let mut entries = Vec::new();
    for entry in context.engine.pods().list()? {
        if entry.phase != Phase::Garbage && is_for(entry.state()?) {
            entries.push(entry);
        }
    }
    Ok(entries)
}
