//! The verbs, over whole networks.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::cache::{Cache, CachedAttachment};
use super::chain;
use super::error::{PluginError, PluginFailure};
use super::invocation::{self, PluginFolders, Verb};
use super::result::CniResult;
use crate::builtin::{Builtin, BuiltinConfig, Membership, PLUGIN_TYPE};
use crate::config::{NetworkList, PluginConfig, SpecVersion};
use crate::error::NetworkError;
use crate::id::{ContainerId, InterfaceName, NetworkName};
use crate::netns::Netns;
use crate::record::Lock;

/// The codes with which a plugin says that it doesn't know a verb, or not in this version.
const UNKNOWN: [u64; 2] = [1, 4];

/// A pod's network namespace, for those who have to be told of it.
#[derive(Debug)]
pub struct NetnsRef<'a> {
    /// Where plugins find it; empty if it is gone.
    pub path: &'a str,
    /// The namespace itself.
    pub handle: Option<&'a mut Netns>,
    /// Whether nothing lives in it any more, and it goes as soon as this process lets go of it.
    pub dying: bool,
}

/// A pod on its way into a network or out of it.
#[derive(Debug)]
pub struct Attachment<'a> {
    /// The pod.
    pub container: &'a ContainerId,
    /// The pod's name, if it has one.
    pub name: Option<&'a str>,
    /// The interface in the pod.
    pub interface: &'a InterfaceName,
    /// `CNI_ARGS`.
    pub arguments: &'a [(String, String)],
    /// What plugins are told that can take it, by capability.
    pub capability_args: &'a Map<String, Value>,
}

impl Attachment<'_> {
    fn membership(&self) -> Membership<'_> {
        Membership {
            container: self.container,
            interface: self.interface,
            name: self.name,
            arguments: self.arguments,
            told: self.capability_args,
        }
    }
}

/// The runtime's side of CNI.
#[derive(Debug, Clone)]
pub struct Runtime {
    /// Where plugins are.
    pub plugins: PluginFolders,
    /// Where state is kept, until the machine is restarted.
    pub state: PathBuf,
    /// How long one call may take.
    pub timeout: Duration,
}

/// What one call is about.
struct Call<'a> {
    list: &'a NetworkList,
    version: SpecVersion,
    attachment: Option<&'a Attachment<'a>>,
    netns: &'a str,
}

impl Runtime {
    /// What is remembered.
    pub fn cache(&self) -> Cache {
        Cache::new(&self.state)
    }

    /// The file by which operations on one network are kept apart.
    pub(crate) fn lock_path(state: &Path, network: &NetworkName) -> PathBuf {
        state.join("locks").join(network.as_str())
    }

    fn share(&self, network: &NetworkName) -> Result<Lock, NetworkError> {
        Ok(Lock::shared(&Self::lock_path(&self.state, network))?)
    }

    /// Puts a pod into a network. If that fails, the plugins that were called are called to undo it.
    ///
    /// # Errors
    /// The plugin's, or what kept it from being called.
    pub fn add(
        &self,
        list: &NetworkList,
        attachment: &Attachment<'_>,
        netns: &mut NetnsRef<'_>,
        evict: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<CniResult, NetworkError> {
        let _lock = self.share(&list.name)?;
        let call = Call {
            list,
            version: self.version(list)?,
            attachment: Some(attachment),
            netns: netns.path,
        };
        let mut cached = CachedAttachment::new(list, attachment.container, attachment.interface);
        cached.netns = netns.path.into();
        cached.cni_args = attachment.arguments.to_vec();
        cached.capability_args = attachment.capability_args.clone();
        // Whoever is killed in the middle is known to have begun. Built-in networks know by themselves.
        if list.plugins.iter().any(|plugin| plugin.kind != PLUGIN_TYPE) {
            self.cache().store(&cached)?;
        }
        let mut result: Option<CniResult> = None;
        for (n, plugin) in list.plugins.iter().enumerate() {
            match self.add_one(&call, plugin, result.as_ref(), netns, evict) {
                Ok(next) => result = Some(next),
                Err(error) => {
                    let called = list.plugins.get(..=n).unwrap_or_default();
                    // The first error is the one that matters; what couldn't be undone is remembered.
                    if self.undo(&call, called, result.as_ref(), netns).is_ok() {
                        self.cache().remove(
                            &list.name,
                            attachment.container,
                            attachment.interface,
                        )?;
                    }
                    return Err(error);
                }
            }
        }
        let result = result.unwrap_or_default();
        cached.result = Some(result.to_value(call.version));
        self.cache().store(&cached)?;
        Ok(result)
    }

    fn add_one(
        &self,
        call: &Call<'_>,
        plugin: &PluginConfig,
        previous: Option<&CniResult>,
        netns: &mut NetnsRef<'_>,
        evict: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<CniResult, NetworkError> {
        if let (Some(config), Some(attachment)) =
            (self.builtin(call.list, plugin)?, call.attachment)
        {
            let handle = netns.handle.as_deref_mut();
            let handle = handle.ok_or(NetworkError::Disconnected {
                network: call.list.name.to_string(),
                reason: "the pod's network namespace is gone".into(),
            })?;
            let mut told = attachment.membership();
            let chosen = told_to(plugin, attachment.capability_args);
            told.told = &chosen;
            let result = self
                .network(call.list, &config)
                .add(told, (handle, netns.path), evict)?;
            return Ok(joined(previous, result));
        }
        let answer = self.call(call, plugin, Verb::Add, previous)?;
        let garbage =
            |reason| self.failed(call.list, plugin, Verb::Add, PluginFailure::Garbage(reason));
        let value: Value = serde_json::from_slice(&answer).map_err(|e| garbage(e.to_string()))?;
        Ok(CniResult::parse(&value).map_err(garbage)?)
    }

    fn undo(
        &self,
        call: &Call<'_>,
        plugins: &[PluginConfig],
        previous: Option<&CniResult>,
        netns: &NetnsRef<'_>,
    ) -> Result<(), NetworkError> {
        let mut first = Ok(());
        for plugin in plugins.iter().rev() {
            let outcome = match (self.builtin(call.list, plugin)?, call.attachment) {
                (Some(config), Some(attachment)) => {
                    let chosen = told_to(plugin, attachment.capability_args);
                    let mut told = attachment.membership();
                    told.told = &chosen;
                    self.network(call.list, &config).del(told, netns.dying)
                }
                _ => self.call(call, plugin, Verb::Del, previous).map(|_| ()),
            };
            first = first.and(outcome);
        }
        first
    }

    /// Takes a pod out of a network, with the configuration that put it in. All plugins are called, whatever becomes
    /// of the others; if one fails, the attachment stays remembered, and this can be repeated.
    ///
    /// # Errors
    /// The first.
    pub fn del(&self, cached: &CachedAttachment, netns: &NetnsRef<'_>) -> Result<(), NetworkError> {
        let _lock = self.share(&cached.network_name)?;
        self.del_locked(cached, netns)
    }

    fn del_locked(
        &self,
        cached: &CachedAttachment,
        netns: &NetnsRef<'_>,
    ) -> Result<(), NetworkError> {
        let list = self.kept(cached)?;
        let attachment = Attachment {
            container: &cached.container_id,
            name: None,
            interface: &cached.if_name,
            arguments: &cached.cni_args,
            capability_args: &cached.capability_args,
        };
        let call = Call {
            list: &list,
            version: self.version(&list)?,
            attachment: Some(&attachment),
            netns: netns.path,
        };
        let result = cached
            .result
            .as_ref()
            .and_then(|value| CniResult::parse(value).ok());
        self.undo(&call, &list.plugins, result.as_ref(), netns)?;
        Ok(self
            .cache()
            .remove(&cached.network_name, &cached.container_id, &cached.if_name)?)
    }

    fn kept(&self, cached: &CachedAttachment) -> Result<NetworkList, NetworkError> {
        cached.list().map_err(|error| NetworkError::Setting {
            network: cached.network_name.to_string(),
            reason: format!(
                "what is remembered of pod {} is damaged: {error}",
                cached.container_id
            ),
        })
    }

    /// Looks whether a pod is connected as ADD left it. Networks that know no CHECK are taken at their word.
    ///
    /// # Errors
    /// The plugin's.
    pub fn check(
        &self,
        cached: &CachedAttachment,
        netns: &mut NetnsRef<'_>,
    ) -> Result<(), NetworkError> {
        let _lock = self.share(&cached.network_name)?;
        let list = self.kept(cached)?;
        let version = self.version(&list)?;
        let result = cached
            .result
            .as_ref()
            .and_then(|value| CniResult::parse(value).ok());
        let result = result.ok_or_else(|| NetworkError::Disconnected {
            network: list.name.to_string(),
            reason: "the pod was never put in".into(),
        })?;
        if list.disable_check || !version.has_check() {
            return Ok(());
        }
        let attachment = Attachment {
            container: &cached.container_id,
            name: None,
            interface: &cached.if_name,
            arguments: &cached.cni_args,
            capability_args: &cached.capability_args,
        };
        for plugin in &list.plugins {
            if let Some(config) = self.builtin(&list, plugin)? {
                if let Some(handle) = netns.handle.as_deref_mut() {
                    let chosen = told_to(plugin, attachment.capability_args);
                    let mut told = attachment.membership();
                    told.told = &chosen;
                    self.network(&list, &config).check(told, handle, &result)?;
                }
                continue;
            }
            let call = Call {
                list: &list,
                version,
                attachment: Some(&attachment),
                netns: netns.path,
            };
            self.call(&call, plugin, Verb::Check, Some(&result))?;
        }
        Ok(())
    }

    /// Takes all pods out of the network that are not `live`, and has its plugins clear what else belongs to none.
    /// Nobody joins or leaves meanwhile. How many attachments were taken back.
    ///
    /// # Errors
    /// The first; the others are tried nevertheless.
    pub fn gc(
        &self,
        list: &NetworkList,
        live: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<usize, NetworkError> {
        let _lock = Lock::exclusive(&Self::lock_path(&self.state, &list.name))?;
        let mut valid = Vec::new();
        let mut removed = 0;
        let mut first = Ok(());
        for cached in self.cache().all()? {
            if cached.network_name != list.name {
                continue;
            }
            if live(&cached.container_id) {
                valid.push((cached.container_id, cached.if_name));
                continue;
            }
            let handle = (!cached.netns.is_empty() && Path::new(&cached.netns).exists())
                .then_some(cached.netns.as_str());
            let netns = NetnsRef {
                path: handle.unwrap_or_default(),
                handle: None,
                dying: false,
            };
            match self.del_locked(&cached, &netns) {
                Ok(()) => removed += 1,
                Err(error) => first = first.and(Err(error)),
            }
        }
        let version = self.version(list)?;
        for plugin in &list.plugins {
            let outcome = match self.builtin(list, plugin)? {
                Some(config) => {
                    // A pod that is being put in has an address before it is remembered.
                    let leases = crate::builtin::Leases::of(&self.state, &list.name);
                    let mut valid = valid.clone();
                    valid.extend(
                        leases
                            .list()?
                            .into_iter()
                            .filter(|peer| live(&peer.container))
                            .map(|peer| (peer.container, peer.interface)),
                    );
                    self.network(list, &config).gc(&valid)
                }
                None if list.disable_gc || !version.has_gc_and_status() => Ok(()),
                None => {
                    let mut input = chain::plugin_input(list, plugin, version, &Map::new(), None);
                    input.insert(
                        "cni.dev/valid-attachments".into(),
                        chain::valid_attachments(&valid),
                    );
                    let call = Call {
                        list,
                        version,
                        attachment: None,
                        netns: "",
                    };
                    known(self.call_with(&call, plugin, Verb::Gc, &input)).map(|_| ())
                }
            };
            first = first.and(outcome);
        }
        first.map(|()| removed)
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

    /// The version to speak. Plugins are asked only if the configuration leaves a choice.
    fn version(&self, list: &NetworkList) -> Result<SpecVersion, NetworkError> {
        if list.versions.iter().all(|version| *version == list.version) {
            return Ok(list.version);
        }
        let mut spoken = BTreeMap::new();
        for plugin in &list.plugins {
            if plugin.kind != PLUGIN_TYPE && !spoken.contains_key(&plugin.kind) {
                spoken.insert(plugin.kind.clone(), self.plugin_versions(list, plugin)?);
            }
        }
        chain::newest_common(list, &spoken).map_err(|(kind, versions)| {
            let error = PluginError {
                network: list.name.to_string(),
                plugin: kind.into(),
                verb: Verb::Version,
                failure: PluginFailure::Version(versions.join(", ")),
            };
            Box::new(error).into()
        })
    }

    /// The versions that a plugin speaks.
    fn plugin_versions(
        &self,
        list: &NetworkList,
        plugin: &PluginConfig,
    ) -> Result<Vec<String>, NetworkError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Spoken {
            supported_versions: Vec<String>,
        }

        let mut input = Map::new();
        input.insert("cniVersion".into(), SpecVersion::LATEST.as_str().into());
        let call = Call {
            list,
            version: SpecVersion::LATEST,
            attachment: None,
            netns: "",
        };
        let answer = self.call_with(&call, plugin, Verb::Version, &input)?;
        let spoken: Spoken = serde_json::from_slice(&answer).map_err(|error| {
            self.failed(
                list,
                plugin,
                Verb::Version,
                PluginFailure::Garbage(error.to_string()),
            )
        })?;
        Ok(spoken.supported_versions)
    }

    fn builtin(
        &self,
        list: &NetworkList,
        plugin: &PluginConfig,
    ) -> Result<Option<BuiltinConfig>, NetworkError> {
        (plugin.kind == PLUGIN_TYPE)
            .then(|| BuiltinConfig::parse(&list.name, &plugin.fields))
            .transpose()
    }

    fn network<'a>(&'a self, list: &'a NetworkList, config: &'a BuiltinConfig) -> Builtin<'a> {
        Builtin {
            state: &self.state,
            name: &list.name,
            config,
        }
    }

    fn call(
        &self,
        call: &Call<'_>,
        plugin: &PluginConfig,
        verb: Verb,
        previous: Option<&CniResult>,
    ) -> Result<Vec<u8>, NetworkError> {
        let empty = Map::new();
        let told = call
            .attachment
            .map_or(&empty, |attachment| attachment.capability_args);
        let previous = previous
            .filter(|_| verb != Verb::Del || call.version.has_check())
            .map(|result| result.to_value(call.version));
        let input = chain::plugin_input(call.list, plugin, call.version, told, previous);
        self.call_with(call, plugin, verb, &input)
    }

    fn call_with(
        &self,
        call: &Call<'_>,
        plugin: &PluginConfig,
        verb: Verb,
        input: &Map<String, Value>,
    ) -> Result<Vec<u8>, NetworkError> {
        let failed = |failure| self.failed(call.list, plugin, verb, failure);
        let program = self.plugins.find(&plugin.kind).map_err(failed)?;
        let input = serde_json::to_vec(input)
            .map_err(|error| failed(PluginFailure::Told(error.to_string())))?;
        let mut environment: Vec<(&str, OsString)> = vec![
            ("CNI_COMMAND", verb.as_str().into()),
            ("CNI_PATH", self.plugins.joined()),
        ];
        if let Some(attachment) = call.attachment {
            environment.extend([
                ("CNI_CONTAINERID", attachment.container.as_str().into()),
                ("CNI_IFNAME", attachment.interface.as_str().into()),
                ("CNI_NETNS", call.netns.into()),
                ("CNI_ARGS", chain::arguments(attachment.arguments).into()),
            ]);
        }
        Ok(invocation::call(&program, &environment, &input, self.timeout).map_err(failed)?)
    }

    fn failed(
        &self,
        list: &NetworkList,
        plugin: &PluginConfig,
        verb: Verb,
        failure: PluginFailure,
    ) -> Box<PluginError> {
        Box::new(PluginError {
            network: list.name.to_string(),
            plugin: plugin.kind.clone(),
            verb,
            failure,
        })
    }
}

/// What a plugin is told of what there is to tell.
fn told_to(plugin: &PluginConfig, args: &Map<String, Value>) -> Map<String, Value> {
    args.iter()
        .filter(|(capability, _)| plugin.can(capability))
        .map(|(capability, value)| (capability.clone(), value.clone()))
        .collect()
}

/// A built-in network that is not the first of its list adds to what was there.
pub(crate) fn joined(previous: Option<&CniResult>, mut own: CniResult) -> CniResult {
    let Some(previous) = previous else {
        return own;
    };
    let mut all = previous.clone();
    let offset = all.interfaces.len();
    for ip in &mut own.ips {
        ip.interface = ip.interface.map(|index| index + offset);
    }
    all.interfaces.extend(own.interfaces);
    all.ips.extend(own.ips);
    all.routes.extend(own.routes);
    if all.dns.is_empty() {
        all.dns = own.dns;
    }
    all
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
