//! How a pod is, with what its monitor says and what its networks lack.

use std::path::Path;

pub use cni_glue::runtime::Asked;
use pod::{PodEntry, PodUuid, State};

use super::connection::live_status;
use super::network_failure::NetworkFailure;
use super::view::{PodView, look};
use crate::engine::Engine;
use crate::error::Error;
use crate::networks::foreign_drops;
use crate::networks::settings::networks;
use crate::observer::{Observer, Warning};

/// Looks at a pod closely; `None` if it has moved on meanwhile.
///
/// # Errors
/// If its directory can't be looked at.
pub fn status(
    engine: &Engine,
    entry: &PodEntry,
    observer: &dyn Observer,
) -> Result<Option<PodView>, Error> {
    status_asking(engine, entry, Asked::BuiltIn, observer)
}

/// As [`status`], and says who is asked whether the pod is connected.
///
/// # Errors
/// As [`status`].
pub fn status_asking(
    engine: &Engine,
    entry: &PodEntry,
    asked: Asked,
    observer: &dyn Observer,
) -> Result<Option<PodView>, Error> {
    let live = match entry.state()? {
        State::Running => match live_status(entry, &engine.directories) {
            Ok(live) => live,
            Err(error) => {
                observer.warning(Warning::Monitor(error));
                None
            }
        },
        _ => None,
    };
    let mut view = look(entry, live.as_ref())?;
    if let Some(view) = &mut view
        && live.is_some()
        && !view.networks.is_empty()
    {
        let netns = view.network_namespace.as_deref();
        view.network_failure =
            netns.and_then(|netns| network_failure(engine, view.uuid, netns, asked));
        if let Ok(networks) = networks(engine) {
            let joined = view.networks.iter().map(|network| &network.name);
            let lists = joined.filter_map(|name| networks.get(name));
            foreign_drops::warn(lists, engine, observer);
        }
    }
    if let Some(view) = &mut view
        && view.state == State::Exited
        && let Ok(container) = pod::network::container(view.uuid)
    {
        view.networks_not_left = engine.attacher().not_left(&container).unwrap_or_default();
    }
    Ok(view)
}

/// What the networks' plugins say is missing.
fn network_failure(
    engine: &Engine,
    uuid: PodUuid,
    netns: &Path,
    asked: Asked,
) -> Option<NetworkFailure> {
    let attacher = engine.attacher();
    // A pod that ends meanwhile lacks nothing.
    let mut netns = cni_glue::Netns::open(netns).ok()?;
    let container = pod::network::container(uuid).ok()?;
    let failure = attacher.check(&container, &mut netns, asked).err()?;
    Some(NetworkFailure::from(&failure))
}
