//! Pods of which nothing is remembered, since the machine was booted after they had joined their networks.

use super::attacher::Attacher;
use crate::builtin::PLUGIN_TYPE;
use crate::config::{NetworkList, Networks, Selection};
use crate::error::NetworkError;
use crate::id::{ContainerId, InterfaceName};
use crate::runtime::CachedAttachment;
use crate::status::NetworkStatus;

impl Attacher {
    /// Takes a pod out of networks that are said to be its, by how they are configured now: what the kernel had of them is
    /// gone, and plugins may keep addresses on the disk. A network that isn't configured any more is passed over, and so is
    /// a built-in one, which keeps nothing there.
    ///
    /// # Errors
    /// The first; the rest is done nevertheless, and this can be repeated.
    pub fn detach_forgotten(
        &self,
        container: &ContainerId,
        selection: &Selection,
        status: &NetworkStatus,
    ) -> Result<(), NetworkError> {
        let (lists, _) = self.lists();
        let mut first = Ok(());
        for joined in status.networks.iter().rev() {
            let mut of_plugins = lists.iter().filter(|list| is_of_plugins(list));
            if let Some(list) = of_plugins.find(|list| list.name == joined.name) {
                let left = self.leave_forgotten(container, list, &joined.interface, selection);
                first = first.and(left);
            }
        }
        first
    }

    /// As [`detach_forgotten`](Self::detach_forgotten), where what the pod had joined can't be read either: all networks
    /// that it would join now.
    ///
    /// # Errors
    /// As there.
    pub fn detach_selected(
        &self,
        container: &ContainerId,
        selection: &Selection,
    ) -> Result<(), NetworkError> {
        let Ok(networks) = Networks::load(&self.folders) else {
            return Ok(());
        };
        let chosen = networks.select(selection).unwrap_or_default();
        let mut first = Ok(());
        for (n, (list, _)) in chosen.into_iter().enumerate().rev() {
            if is_of_plugins(list) {
                let interface = InterfaceName::eth(n);
                first = first.and(self.leave_forgotten(container, list, &interface, selection));
            }
        }
        first
    }

    fn leave_forgotten(
        &self,
        container: &ContainerId,
        list: &NetworkList,
        interface: &InterfaceName,
        selection: &Selection,
    ) -> Result<(), NetworkError> {
        let mut attachment = CachedAttachment::new(list, container, interface);
        if let Selection::Named(requests) = selection
            && let Some(request) = requests.iter().find(|one| one.name == list.name)
        {
            attachment.cni_args = request.arguments.clone();
        }
        self.runtime.del_of_dead(&attachment, "")
    }
}

fn is_of_plugins(list: &NetworkList) -> bool {
    let mut plugins = list.plugins.iter();
    plugins.any(|plugin| plugin.kind != PLUGIN_TYPE)
}
