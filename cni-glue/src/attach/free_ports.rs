//! Whether a pod would get its ports, before anything is done for it.

use super::attacher::{Attacher, IsLive};
use crate::error::NetworkError;
use crate::id::ContainerId;
use crate::ports::{self, PortError, PortMapping};

impl Attacher {
    /// Looks whether a pod that takes the place of `before` would get these ports. Nothing is kept for it: another can be
    /// faster.
    ///
    /// # Errors
    /// Who has which of them.
    pub fn look_for_ports(
        &self,
        wanted: &[PortMapping],
        before: &ContainerId,
        live: IsLive<'_>,
    ) -> Result<(), NetworkError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let mut freed = Vec::new();
        for (mapping, owner) in self.reservations().list()? {
            if owner.container == *before {
                freed.push(mapping);
                continue;
            }
            let is_held = live(&owner.container) || self.is_foreign(&owner.container);
            let met = wanted.iter().find(|wanted| wanted.overlaps(&mapping));
            if let Some(port) = met.filter(|_| is_held) {
                return Err(NetworkError::from(PortError::Taken {
                    port: port.host_side(),
                    holder: owner.container,
                }));
            }
        }
        let others: Vec<PortMapping> = wanted
            .iter()
            .filter(|wanted| !freed.iter().any(|freed| freed.overlaps(wanted)))
            .cloned()
            .collect();
        ports::hold(&others)?;
        Ok(())
    }
}
