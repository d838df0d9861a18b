//! Pods of which nothing is remembered, since the machine was booted after they had joined their networks.

use super::attacher::Attacher;
use crate::builtin::PLUGIN_TYPE;
use crate::config::{NetworkList, Selection};
use crate::error::NetworkError;
use crate::id::ContainerId;
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
            let Some(list) = of_plugins.find(|list| list.name == joined.name) else {
                continue;
            };
            let mut attachment = CachedAttachment::new(list, container, &joined.interface);
            if let Selection::Named(requests) = selection
                && let Some(request) = requests.iter().find(|one| one.name == joined.name)
            {
                attachment.cni_args = request.arguments.clone();
            }
            first = first.and(self.runtime.del_of_dead(&attachment, ""));
        }
        first
    }
}

fn is_of_plugins(list: &NetworkList) -> bool {
    let mut plugins = list.plugins.iter();
    plugins.any(|plugin| plugin.kind != PLUGIN_TYPE)
}
