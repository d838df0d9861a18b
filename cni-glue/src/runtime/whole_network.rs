//! The verbs that are not about one pod: GC and STATUS.

use std::path::Path;

use serde_json::Map;

use super::cache::CachedAttachment;
use super::chain;
use super::verb::Verb;
use super::verbs::{Call, Runtime};
use crate::builtin::{BuiltinConfig, PLUGIN_TYPE};
use crate::config::{NetworkList, PluginConfig, SpecVersion};
use crate::error::NetworkError;
use crate::id::{ContainerId, InterfaceName};
use crate::netns;
use crate::record::Lock;

/// The codes with which a plugin says that it doesn't know a verb, or not in this version.
const UNKNOWN: [u64; 2] = [1, 4];

/// What becomes of a dead pod that can't be taken out of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// The next collection tries again.
    Remember,
    /// It is given up, with whatever the plugins keep for it.
    Forget,
}

impl Runtime {
    /// Takes all pods out of the network that are not `live`, and has its plugins clear what else belongs to none.
    /// Nobody joins or leaves meanwhile. How many attachments were taken back, and what went wrong; the rest is done
    /// nevertheless.
    pub(crate) fn gc(
        &self,
        list: &NetworkList,
        live: &dyn Fn(&ContainerId) -> bool,
        after: AfterFailure,
    ) -> (usize, Vec<NetworkError>) {
        let mut errors = Vec::new();
        let mut removed = 0;
        let outcome = self.gc_locked(list, live, after, &mut removed, &mut errors);
        errors.extend(outcome.err());
        (removed, errors)
    }

    fn gc_locked(
        &self,
        list: &NetworkList,
        live: &dyn Fn(&ContainerId) -> bool,
        after: AfterFailure,
        removed: &mut usize,
        errors: &mut Vec<NetworkError>,
    ) -> Result<(), NetworkError> {
        let _lock = Lock::exclusive(&Self::lock_path(&self.state, &list.name))?;
        let mut valid = Vec::new();
        let mut joined = false;
        for cached in self.cache().all()? {
            if cached.network_name != list.name {
                continue;
            }
            joined = true;
            if live(&cached.container_id) {
                valid.push((cached.container_id, cached.if_name));
                continue;
            }
            let path = Some(cached.netns.as_str()).filter(|path| netns::is_at(Path::new(path)));
            let path = path.unwrap_or_default();
            let left = self.del_dead(&cached, path).or_else(|error| {
                match cached.by_todays(list, &error) {
                    Some(today) => self.del_dead(&today, path).map_err(|_| error),
                    None => Err(error),
                }
            });
            match left {
                Ok(()) => *removed += 1,
                Err(error) => {
                    errors.extend(self.forget_if(after, &cached).err());
                    errors.push(error.of_dead(&cached.container_id));
                }
            }
        }
        let (own, others): (Vec<_>, Vec<_>) = list
            .plugins
            .iter()
            .partition(|plugin| plugin.kind == PLUGIN_TYPE);
        let mut failed = Vec::new();
        for plugin in own {
            let config = BuiltinConfig::parse(&list.name, &plugin.fields)?;
            errors.extend(self.gc_builtin(list, &config, &valid, live).err());
        }
        if !others.is_empty() {
            match self.version(list) {
                Ok(version) => failed.extend(
                    others
                        .into_iter()
                        .filter_map(|plugin| self.gc_plugin(list, plugin, version, &valid).err()),
                ),
                Err(error) => failed.push(error),
            }
        }
        // A network that nobody has joined may name programs that are missing or too old.
        if joined {
            errors.append(&mut failed);
        }
        Ok(())
    }

    /// Forgets a pod that a network didn't give up, if that is wanted.
    pub(crate) fn forget_if(
        &self,
        after: AfterFailure,
        cached: &CachedAttachment,
    ) -> Result<(), NetworkError> {
        match after {
            AfterFailure::Remember => Ok(()),
            AfterFailure::Forget => Ok(self.cache().remove(
                &cached.network_name,
                &cached.container_id,
                &cached.if_name,
            )?),
        }
    }

    fn gc_builtin(
        &self,
        list: &NetworkList,
        config: &BuiltinConfig,
        valid: &[(ContainerId, InterfaceName)],
        live: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<(), NetworkError> {
        // A pod that is being put in has an address before it is remembered.
        let leases = crate::builtin::Leases::of(&self.state, &list.name).list()?;
        let joining = leases.into_iter().filter(|peer| live(&peer.container));
        let joining = joining.map(|peer| (peer.container, peer.interface));
        let valid: Vec<_> = valid.iter().cloned().chain(joining).collect();
        self.network(list, config).gc(&valid)
    }

    fn gc_plugin(
        &self,
        list: &NetworkList,
        plugin: &PluginConfig,
        version: SpecVersion,
        valid: &[(ContainerId, InterfaceName)],
    ) -> Result<(), NetworkError> {
        if list.disable_gc || !version.has_gc_and_status() {
            return Ok(());
        }
        let mut input = chain::plugin_input(list, plugin, version, &Map::new(), None);
        input.insert(
            "cni.dev/valid-attachments".into(),
            chain::valid_attachments(valid),
        );
        let call = Call {
            list,
            version,
            attachment: None,
            netns: "",
        };
        known(self.call_with(&call, plugin, Verb::Gc, &input)).map(|_| ())
    }

    /// Asks whether pods can be put into the network.
    ///
    /// # Errors
    /// The first plugin that can't take any, by its own words.
    pub fn status(&self, list: &NetworkList) -> Result<(), NetworkError> {
        let version = self.version(list)?;
        for plugin in &list.plugins {
            if let Some(config) = self.builtin(list, plugin)? {
                self.network(list, &config).status()?;
                continue;
            }
            let call = Call {
                list,
                version,
                attachment: None,
                netns: "",
            };
            if version.has_gc_and_status() {
                known(self.call(&call, plugin, Verb::Status, None))?;
            } else {
                // It must be there at least.
                self.plugins
                    .find(&plugin.kind)
                    .map_err(|failure| self.failed(list, plugin, Verb::Status, failure))?;
            }
        }
        Ok(())
    }
}

/// A verb that a plugin doesn't know is one that it has no need of.
fn known(answer: Result<Vec<u8>, NetworkError>) -> Result<Option<Vec<u8>>, NetworkError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(NetworkError::Plugin(error))
            if error
                .failure
                .code()
                .is_some_and(|code| UNKNOWN.contains(&code)) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
