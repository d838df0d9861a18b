//! What the configuration says, as far as it can be read.

use std::fs;
use std::path::{Path, PathBuf};

use pod::PodUuid;

use crate::config::files::Config;
use crate::devices::cdi::Registry;
use crate::engine::Engine;
use crate::error::Error;
use crate::images::registries;
use crate::isolators::find;
use crate::networks::settings::networks;
use crate::policy::files as policy_files;

/// Each part: how much there is of it, or why it can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// `config.toml` and its drop-ins.
    pub settings: Part,
    /// Rules of trust.
    pub rules: Part,
    /// Registries.
    pub registries: Part,
    /// Networks.
    pub networks: Part,
    /// Files by which vendors describe devices.
    pub devices: Part,
    /// Addresses and ports that pods hold which are gone.
    pub stale: usize,
    /// The isolator of pods that ask for none.
    pub isolator: Part,
}

/// How many there are, or why that can't be told.
pub type Part = Result<usize, String>;

impl Configuration {
    pub(super) fn read(engine: &Engine) -> Self {
        let directories = &engine.directories;
        Self {
            settings: part(Config::read(directories), |_| 1),
            rules: part(policy_files::read(directories), |policy| {
                policy.rules().len()
            }),
            registries: part(registries::load(engine), |_| 1),
            networks: part(networks(engine), |networks| networks.lists().len()),
            devices: part(described(engine), |count| *count),
            stale: stale(engine),
            isolator: part(usual_isolator(engine), |_| 1),
        }
    }
}

fn usual_isolator(engine: &Engine) -> Result<(), Error> {
    let config = Config::read(&engine.directories)?;
    let wanted = find::wanted(None, &config);
    // Who wants one in an image fetches it at the start.
    match find::is_image(wanted) {
        true => Ok(()),
        false => find::find(wanted, &engine.directories).map(|_| ()),
    }
}

/// How many files describe devices, if all are understood.
fn described(engine: &Engine) -> Result<usize, Error> {
    let folders = Config::read(&engine.directories)?.cdi_directories();
    Registry::read(&folders).count()
}

/// Places in networks are links to their pods; those of other runtimes name no pod.
fn stale(engine: &Engine) -> usize {
    let state = engine.attacher().runtime.state;
    let links_in = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let leases = links_in(&state.join("networks"))
        .into_iter()
        .flat_map(|network| links_in(&network.join("leases")));
    let pods = engine.pods();
    let is_of_dead = |link: &PathBuf| {
        let target = fs::read_link(link).unwrap_or_default();
        let first = target.iter().next().and_then(|part| part.to_str());
        let uuid = first.and_then(|part| part.parse::<PodUuid>().ok());
        uuid.is_some_and(|uuid| pods.by_uuid(uuid).is_ok_and(|found| found.is_none()))
    };
    leases
        .chain(links_in(&state.join("ports")))
        .filter(is_of_dead)
        .count()
}

fn part<T>(read: Result<T, Error>, count: impl FnOnce(&T) -> usize) -> Part {
    read.map(|read| count(&read))
        .map_err(|error| error.to_string())
}
