//! The verbs, over whole networks.

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::at_work::AtWork;
use super::cache::{Cache, CachedAttachment};
use super::chain;
use super::invocation::{self, Limits, PluginFolders};
use super::result::CniResult;
use super::verb::Verb;
use crate::builtin::{Builtin, BuiltinConfig, Membership, PLUGIN_TYPE};
use crate::config::{NetworkList, PluginConfig, SpecVersion};
use crate::error::NetworkError;
use crate::error::{PluginError, PluginFailure};
use crate::id::{ContainerId, InterfaceName, NetworkName};
use crate::netns::Netns;
use crate::record::Lock;

/// The variable that names the lock which is held while plugins run: one of them may call the program `fairing-cni`,
/// which would wait for it.
pub(crate) const HELD_LOCK: &str = "FAIRING_NETWORK_LOCK";

/// A pod's network namespace, for those who have to be told of it.
#[derive(Debug)]
pub(crate) struct NetnsRef<'a> {
    /// Where plugins find it; empty if it is gone.
    pub path: &'a str,
    /// The namespace itself.
    pub handle: Option<&'a mut Netns>,
    /// Whether nothing lives in it any more, and it goes as soon as this process lets go of it.
    pub dying: bool,
}

/// A pod on its way into a network or out of it.
#[derive(Debug)]
pub(crate) struct Attachment<'a> {
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
    /// Readable once ADD shall be given up.
    pub interrupt: Option<BorrowedFd<'a>>,
}

impl<'a> Attachment<'a> {
    /// As it was remembered.
    pub(super) fn of(cached: &'a CachedAttachment) -> Self {
        Self {
            container: &cached.container_id,
            name: None,
            interface: &cached.if_name,
            arguments: &cached.cni_args,
            capability_args: &cached.capability_args,
            interrupt: None,
        }
    }

    pub(super) fn membership(&self) -> Membership<'_> {
        Membership {
            container: self.container,
            interface: self.interface,
            name: self.name,
            arguments: self.arguments,
            told: self.capability_args,
        }
    }
}

/// Who is asked whether a pod is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Built-in networks, which look without changing anything.
    BuiltIn,
    /// Plugins too. Some are wrong (portmap 1.1.1, tuning, sbr), and that of DHCP takes another lease.
    Everyone,
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
    /// How long all calls of DEL may take that take one pod out of its networks: one that hangs takes all of it.
    pub removal: Duration,
    /// When that time is over, for who is at it.
    pub(crate) removed_by: Option<Instant>,
}

/// How long a call of DEL may take, however late it comes: those that don't hang have a chance.
const LAST_CHANCE: Duration = Duration::from_secs(2);

/// What one call is about.
pub(super) struct Call<'a> {
    pub(super) list: &'a NetworkList,
    pub(super) version: SpecVersion,
    pub(super) attachment: Option<&'a Attachment<'a>>,
    pub(super) netns: &'a str,
}

impl Runtime {
    /// A runtime with these limits.
    pub fn new(
        plugins: PluginFolders,
        state: PathBuf,
        timeout: Duration,
        removal: Duration,
    ) -> Self {
        Self {
            plugins,
            state,
            timeout,
            removal,
            removed_by: None,
        }
    }

    /// The same for who is about to take a pod out of its networks: its time begins now.
    pub(crate) fn removing(&self) -> Self {
        Self {
            removed_by: Instant::now().checked_add(self.removal),
            ..self.clone()
        }
    }

    /// How long a call may take now.
    fn limit(&self, verb: Verb) -> Duration {
        if verb != Verb::Del {
            return self.timeout;
        }
        let now = Instant::now();
        let left = self
            .removed_by
            .map(|end| end.saturating_duration_since(now));
        // In whole seconds, as people are told of it.
        let whole = |left: Duration| {
            Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0))
        };
        left.map_or(self.removal, |left| {
            whole(left).max(LAST_CHANCE).min(self.removal)
        })
    }

    /// What is remembered.
    pub(crate) fn cache(&self) -> Cache {
        Cache::new(&self.state)
    }

    /// The file by which operations on one network are kept apart.
    pub(crate) fn lock_path(state: &Path, network: &NetworkName) -> PathBuf {
        state.join("locks").join(network.as_str())
    }

    pub(super) fn share(&self, network: &NetworkName) -> Result<Lock, NetworkError> {
        Ok(Lock::shared(&Self::lock_path(&self.state, network))?)
    }

    /// Puts a pod into a network. If that fails, the plugins that were called are called to undo it.
    ///
    /// # Errors
    /// The plugin's, or what kept it from being called.
    pub(crate) fn add(
        &self,
        list: &NetworkList,
        attachment: &Attachment<'_>,
        netns: &mut NetnsRef<'_>,
        evict: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<CniResult, NetworkError> {
        let _lock = self.share(&list.name)?;
        self.require_programs(list)?;
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
                    return Err(self.take_back(&call, called, result.as_ref(), netns, error));
                }
            }
        }
        let result = result.unwrap_or_default();
        cached.result = Some(result.to_value(call.version));
        match self.cache().store(&cached) {
            Ok(()) => Ok(result),
            Err(error) => {
                Err(self.take_back(&call, &list.plugins, Some(&result), netns, error.into()))
            }
        }
    }

    /// All programs of a network have to be there before one of them does anything.
    fn require_programs(&self, list: &NetworkList) -> Result<(), NetworkError> {
        for plugin in list.plugins.iter().filter(|p| p.kind != PLUGIN_TYPE) {
            self.plugins
                .find(&plugin.kind)
                .map_err(|failure| self.failed(list, plugin, Verb::Add, failure))?;
        }
        Ok(())
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
            let chosen = chain::told_to(plugin, attachment.capability_args);
            told.told = &chosen;
            let result = self
                .network(call.list, &config)
                .add(told, (handle, netns.path), evict)?;
            return Ok(joined(previous, result));
        }
        let answer = self.call(call, plugin, Verb::Add, previous)?;
        let garbage =
            |reason| self.failed(call.list, plugin, Verb::Add, PluginFailure::Garbage(reason));
        Ok(CniResult::parse_answer(&answer).map_err(garbage)?)
    }

    /// Looks whether a pod is connected as ADD left it. Networks that know no CHECK are taken at their word.
    ///
    /// # Errors
    /// The plugin's.
    pub(crate) fn check(
        &self,
        cached: &CachedAttachment,
        netns: &mut NetnsRef<'_>,
        asked: Asked,
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
            reason: "the pod was never attached".into(),
        })?;
        if list.disable_check || !version.has_check() {
            return Ok(());
        }
        let attachment = Attachment::of(cached);
        for plugin in &list.plugins {
            if let Some(config) = self.builtin(&list, plugin)? {
                if let Some(handle) = netns.handle.as_deref_mut() {
                    let chosen = chain::told_to(plugin, attachment.capability_args);
                    let mut told = attachment.membership();
                    told.told = &chosen;
                    self.network(&list, &config).check(told, handle, &result)?;
                }
                continue;
            }
            if asked == Asked::BuiltIn {
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

    pub(super) fn builtin(
        &self,
        list: &NetworkList,
        plugin: &PluginConfig,
    ) -> Result<Option<BuiltinConfig>, NetworkError> {
        (plugin.kind == PLUGIN_TYPE)
            .then(|| BuiltinConfig::parse(&list.name, &plugin.fields))
            .transpose()
    }

    pub(super) fn network<'a>(
        &'a self,
        list: &'a NetworkList,
        config: &'a BuiltinConfig,
    ) -> Builtin<'a> {
        Builtin {
            state: &self.state,
            name: &list.name,
            config,
        }
    }

    pub(super) fn call(
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

    pub(super) fn call_with(
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
            (
                HELD_LOCK,
                Self::lock_path(&self.state, &call.list.name).into_os_string(),
            ),
        ];
        if let Some(attachment) = call.attachment {
            environment.extend([
                ("CNI_CONTAINERID", attachment.container.as_str().into()),
                ("CNI_IFNAME", attachment.interface.as_str().into()),
                ("CNI_NETNS", call.netns.into()),
                ("CNI_ARGS", chain::arguments(attachment.arguments).into()),
            ]);
        }
        let changed = call
            .attachment
            .filter(|_| matches!(verb, Verb::Add | Verb::Del));
        let at_work = changed
            .map(|attachment| self.begin(attachment.container, verb))
            .transpose()
            .map_err(failed)?;
        let limits = Limits {
            timeout: self.limit(verb),
            interrupt: call
                .attachment
                .and_then(|attachment| attachment.interrupt)
                .filter(|_| verb == Verb::Add),
        };
        Ok(invocation::call(&program, &environment, &input, limits, at_work).map_err(failed)?)
    }

    fn begin(&self, container: &ContainerId, verb: Verb) -> Result<AtWork, PluginFailure> {
        let patience = match verb {
            Verb::Del => self.removal,
            _ => self.timeout,
        };
        AtWork::begin(&self.state, container, verb, patience)
    }

    pub(super) fn failed(
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
