//! Pods of which what was remembered can't be read any more.

use super::attacher::Attacher;
use crate::builtin::{self, PLUGIN_TYPE};
use crate::config::{NetworkList, Networks};
use crate::error::NetworkError;
use crate::ports::PortOwner;
use crate::runtime::{CachedAttachment, DamagedAttachment};

impl Attacher {
    /// The networks as they are configured now; with a configuration that can't be read, the ready-made ones, and why.
    pub(super) fn lists(&self) -> (Vec<NetworkList>, Option<NetworkError>) {
        match Networks::load(&self.folders) {
            Ok(networks) => (networks.lists().to_vec(), None),
            Err(error) => (builtin::networks().collect(), Some(error.into())),
        }
    }

    /// Takes a pod out of a network as far as that can be done without knowing how it was put in: with the network's
    /// configuration of today, and without the words of its plugins. A plugin has to be content with that.
    pub(super) fn leave_damaged(
        &self,
        damaged: DamagedAttachment,
        lists: &[NetworkList],
    ) -> Result<(), NetworkError> {
        let mut outcome = Ok(());
        let mut known = false;
        // Names may have dashes too: where it could be of several networks, it is taken out of each.
        for list in lists {
            let Some((container, interface)) = damaged.place_in(&list.name) else {
                continue;
            };
            known = true;
            if list.plugins.iter().any(|plugin| plugin.kind == PLUGIN_TYPE) {
                outcome = outcome.and(builtin::forget_ports(&PortOwner::interface(
                    &container, &interface,
                )));
            }
            let path = self.mount(&container).path_if_there();
            let path = path.unwrap_or_default();
            let cached = CachedAttachment::new(list, &container, &interface);
            let left = self.runtime.del_of_dead(&cached, &path);
            outcome = outcome.and(left.map_err(|error| error.of_dead(&container)));
        }
        if known {
            return outcome;
        }
        self.runtime.cache().discard(&damaged)?;
        let damage = damaged.damage;
        Err(NetworkError::LostAttachment { damage })
    }
}
