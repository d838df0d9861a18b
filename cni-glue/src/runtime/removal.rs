//! Taking pods out of networks: DEL, at their end, after an ADD that failed, and of pods that are dead.

use super::cache::CachedAttachment;
use super::chain::told_to;
use super::result::CniResult;
use super::verb::Verb;
use super::verbs::{Attachment, Call, NetnsRef, Runtime};
use crate::config::{NetworkList, PluginConfig};
use crate::error::NetworkError;

impl Runtime {
    /// Undoes what an ADD that failed has done. The error to tell of; what couldn't be undone stays remembered.
    pub(super) fn take_back(
        &self,
        call: &Call<'_>,
        called: &[PluginConfig],
        result: Option<&CniResult>,
        netns: &NetnsRef<'_>,
        error: NetworkError,
    ) -> NetworkError {
        // A plugin that doesn't speak the version did nothing, and would say the same of DEL.
        let called = match (&error, called.split_last()) {
            (NetworkError::Plugin(error), Some((_, before))) if error.failure.code() == Some(1) => {
                before
            }
            _ => called,
        };
        let undone = self.undo(call, called, result, netns).and_then(|()| {
            let Some(attachment) = call.attachment else {
                return Ok(());
            };
            let (pod, interface) = (attachment.container, attachment.interface);
            Ok(self.cache().remove(&call.list.name, pod, interface)?)
        });
        match undone {
            Ok(()) => error,
            Err(undoing) => NetworkError::NotUndone {
                error: Box::new(error),
                undoing: Box::new(undoing),
            },
        }
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
            let outcome = match (self.builtin(call.list, plugin), call.attachment) {
                (Err(error), _) => Err(error),
                (Ok(Some(config)), Some(attachment)) => {
                    let chosen = told_to(plugin, attachment.capability_args);
                    let mut told = attachment.membership();
                    told.told = &chosen;
                    self.network(call.list, &config).del(told, netns.dying)
                }
                (Ok(_), _) => self.call(call, plugin, Verb::Del, previous).map(|_| ()),
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
    pub(crate) fn del(
        &self,
        cached: &CachedAttachment,
        netns: &NetnsRef<'_>,
    ) -> Result<(), NetworkError> {
        let _lock = self.share(&cached.network_name)?;
        self.del_locked(cached, netns)
    }

    /// As [`Self::del`], of a pod of which nothing lives. `path` is that of its namespace, if that is left.
    pub(crate) fn del_of_dead(
        &self,
        cached: &CachedAttachment,
        path: &str,
    ) -> Result<(), NetworkError> {
        let _lock = self.share(&cached.network_name)?;
        self.del_dead(cached, path)
    }

    /// A plugin that trips over what it finds in the pod's namespace, or doesn't find, is asked once more without:
    /// what is in there goes with it, and what is outside would otherwise never be given back.
    pub(super) fn del_dead(
        &self,
        cached: &CachedAttachment,
        path: &str,
    ) -> Result<(), NetworkError> {
        let at = |path| NetnsRef {
            path,
            handle: None,
            dying: false,
        };
        match self.del_locked(cached, &at(path)) {
            Err(NetworkError::Plugin(error)) if !path.is_empty() && error.failure.is_its_own() => {
                let second = self.del_locked(cached, &at(""));
                second.map_err(|_| NetworkError::Plugin(error))
            }
            outcome => outcome,
        }
    }

    pub(super) fn del_locked(
        &self,
        cached: &CachedAttachment,
        netns: &NetnsRef<'_>,
    ) -> Result<(), NetworkError> {
        let list = self.kept(cached)?;
        let attachment = Attachment::of(cached);
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

    pub(super) fn kept(&self, cached: &CachedAttachment) -> Result<NetworkList, NetworkError> {
        cached.list().map_err(|error| NetworkError::Setting {
            network: cached.network_name.to_string(),
            reason: format!(
                "what is remembered of pod {} is damaged: {error}",
                cached.container_id
            ),
        })
    }
}
