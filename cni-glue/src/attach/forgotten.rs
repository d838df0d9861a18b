//! Pods of which nothing is remembered, since the machine was booted after they had joined their networks.

use super::attacher::Attacher;
use crate::builtin::PLUGIN_TYPE;
use crate::config::{NetworkList, Networks, Selection};
use crate::error::NetworkError;
use crate::id::{ContainerId, InterfaceName, NetworkName};
use crate::runtime::CachedAttachment;
use crate::status::NetworkStatus;

impl Attacher {
    /// Takes a pod out of networks that are said to be its, by how they are configured now: what the kernel had of them is
    /// gone, and plugins may keep addresses on the disk. Where nothing is said (`None`), it is taken out of all that it would
    /// join now. A network that isn't configured any more is passed over, and so is a built-in one, which keeps nothing there.
    ///
    /// # Errors
    /// The first; the rest is done nevertheless, and this can be repeated.
    pub fn detach_forgotten(
        &self,
        container: &ContainerId,
        selection: &Selection,
        status: Option<&NetworkStatus>,
    ) -> Result<(), NetworkError> {
        let (lists, _) = self.lists();
        let places: Vec<_> = match status {
            Some(status) => {
                let joined = status.networks.iter();
                joined
                    .map(|one| (one.name.clone(), one.interface.clone()))
                    .collect()
            }
            None => self.selected(selection),
        };
        let mut first = Ok(());
        let runtime = self.runtime.removing();
        for (name, interface) in places.iter().rev() {
            let mut of_plugins = lists.iter().filter(|list| is_of_plugins(list));
            if let Some(list) = of_plugins.find(|list| list.name == *name) {
                let mut attachment = CachedAttachment::new(list, container, interface);
                if let Selection::Named(requests) = selection
                    && let Some(request) = requests.iter().find(|one| one.name == list.name)
                {
                    attachment.cni_args = request.arguments.clone();
                }
                first = first.and(runtime.del_of_dead(&attachment, ""));
            }
        }
        first
    }

    /// The networks that would be joined now, with the interfaces. None where one of them isn't configured any more.
    fn selected(&self, selection: &Selection) -> Vec<(NetworkName, InterfaceName)> {
        let Ok(networks) = Networks::load(&self.folders) else {
            return Vec::new();
        };
        let chosen = networks.select(selection).unwrap_or_default();
        let named = chosen.into_iter().enumerate();
        named
            .map(|(n, (list, _))| (list.name.clone(), InterfaceName::eth(n)))
            .collect()
    }
}

fn is_of_plugins(list: &NetworkList) -> bool {
    let mut plugins = list.plugins.iter();
    plugins.any(|plugin| plugin.kind != PLUGIN_TYPE)
}
