//! What is asked of a pod's networks, compared with what is configured.

use cni_glue::config::{ConfigError, Networks, Selection};
use cni_glue::names::DnsOptions;
use cni_glue::ports::check;
use image_store::Image;

use super::foreign_drops;
use super::free_ports;
use super::image_ports;
use super::spec::{NetworkSettings, NetworkSpec};
use crate::engine::Engine;
use crate::error::{Error, NetworkSpecError};
use crate::observer::{Observer, Warning};

/// More name servers than programs look at are no mistake that stands in the way of a pod, as for other tools of this kind;
/// but who names them should know.
pub(crate) fn warn_of_unasked(dns: &DnsOptions, observer: &dyn Observer) {
    let unasked = dns.unasked_servers();
    if !unasked.is_empty() {
        observer.warning(Warning::UnaskedNameServers(unasked.to_vec()));
    }
}

/// Looks up what is asked for: networks in the configuration, ports in the images.
///
/// # Errors
/// [`NetworkSpecError`] for a port that no image has, another one for networks that there are not.
pub(crate) fn resolve(
    spec: &NetworkSpec,
    images: &[&Image],
    engine: &Engine,
    observer: &dyn Observer,
) -> Result<NetworkSettings, Error> {
    let mut ports = spec
        .ports
        .iter()
        .map(|port| port.resolve(|name| image_ports::named(images, name)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(NetworkSpecError::from)?;
    if spec.publish_all {
        ports.extend(free_ports::of_images(images, &ports));
    }
    free_ports::assign(&mut ports)?;
    check(&ports).map_err(NetworkSpecError::from)?;
    let selection = as_configured(&spec.selection, engine)?;
    require(&selection, engine, observer)?;
    Ok(NetworkSettings {
        selection,
        ports,
        bandwidth: spec.bandwidth,
        dns: spec.dns.clone(),
        hosts: spec.hosts.clone(),
    })
}

/// What other tools call the network that a pod joins if none is named.
const DEFAULT_OF_OTHERS: &str = "bridge";

/// The selection, with the default network for other tools' word for it, unless there is a network of that name.
fn as_configured(selection: &Selection, engine: &Engine) -> Result<Selection, Error> {
    if let Selection::Named(requests) = selection
        && let [only] = requests.as_slice()
        && only.name.as_str() == DEFAULT_OF_OTHERS
        && networks(engine)?.get(&only.name).is_none()
        && let Ok(Selection::Named(mut default)) = Selection::parse([])
    {
        for request in &mut default {
            request.arguments.clone_from(&only.arguments);
        }
        return Ok(Selection::Named(default));
    }
    Ok(selection.clone())
}

/// Refuses networks that there are not, and tells of what stops the pods of new ones. The default network is there in any
/// case, and where a pod was in it before all is told.
fn require(selection: &Selection, engine: &Engine, observer: &dyn Observer) -> Result<(), Error> {
    let attacher = engine.attacher();
    let is_sure = match selection {
        Selection::None | Selection::Host => true,
        Selection::All => false,
        Selection::Named(requests) => requests.iter().all(|request| {
            request.name.as_str() == "default"
                && request.arguments.is_empty()
                && attacher.is_made(&request.name)
        }),
    };
    if !is_sure {
        let networks = networks(engine)?;
        let chosen = networks.select(selection).map_err(|error| match error {
            ConfigError::Argument { network, reason } => {
                NetworkSpecError::Argument { network, reason }.into()
            }
            other => Error::Networks(other),
        })?;
        foreign_drops::warn_the_first(chosen.into_iter().map(|(list, _)| list), engine, observer);
    }
    Ok(())
}

/// The networks that are configured.
///
/// # Errors
/// If a file can't be read or understood.
pub fn networks(engine: &Engine) -> Result<Networks, Error> {
    Ok(Networks::load(&engine.attacher().folders)?)
}
