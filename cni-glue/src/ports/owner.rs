//! Whose a port of the host is.

use std::fmt;
use std::str::FromStr;

use crate::id::{ContainerId, InterfaceName, InvalidName};

/// A pod, or one of its interfaces: `POD` or `POD/INTERFACE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortOwner {
    pub(crate) container: ContainerId,
    /// None for all of them, and where an earlier release wrote none.
    pub(crate) interface: Option<InterfaceName>,
}

impl PortOwner {
    /// The pod, whichever interface its ports lead to.
    pub(crate) fn pod(container: &ContainerId) -> Self {
        Self {
            container: container.clone(),
            interface: None,
        }
    }

    /// One interface of a pod.
    pub(crate) fn interface(container: &ContainerId, interface: &InterfaceName) -> Self {
        Self {
            container: container.clone(),
            interface: Some(interface.clone()),
        }
    }

    /// Whether one is the other, or a part of it.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let interfaces = self.interface.as_ref().zip(other.interface.as_ref());
        self.container == other.container && interfaces.is_none_or(|(one, other)| one == other)
    }
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.container.fmt(f)?;
        match &self.interface {
            Some(interface) => write!(f, "/{interface}"),
            None => Ok(()),
        }
    }
}

impl FromStr for PortOwner {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (container, interface) = match text.split_once('/') {
            Some((container, interface)) => (container, Some(interface.parse()?)),
            None => (text, None),
        };
        Ok(Self {
            container: container.parse()?,
            interface,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_a_pod_or_a_part_of_it() {
        let owner = |text: &str| text.parse::<PortOwner>().unwrap();
        for text in ["pod", "pod/eth0"] {
            assert_eq!(owner(text).to_string(), text);
        }
        for (one, other, meet) in [
            ("pod", "pod", true),
            ("pod", "pod/eth0", true),
            ("pod/eth0", "pod/eth0", true),
            ("pod/eth0", "pod/eth1", false),
            ("pod", "other/eth0", false),
        ] {
            assert_eq!(owner(one).meets(&owner(other)), meet, "{one} {other}");
            assert_eq!(owner(other).meets(&owner(one)), meet, "{one} {other}");
        }
        for bad in ["", "/eth0", "pod/", "pod/a/b"] {
            assert!(bad.parse::<PortOwner>().is_err(), "{bad}");
        }
    }
}
