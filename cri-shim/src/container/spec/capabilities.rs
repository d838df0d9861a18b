//! Capabilities as Kubernetes has them: words add to the usual ones and drop from them, first `ALL`, then one by one, and
//! what is dropped counts last. Users other than root get those alone that are said to be ambient.

use std::collections::BTreeSet;

use engine::pods::security::Capabilities;
use pod::manifest::{Capability, CapabilitySets};

use super::field::SECURITY;
use crate::api;
use crate::error::CriError;

/// The word for all of them.
const ALL: &str = "ALL";

/// What is asked for.
///
/// # Errors
/// If there is no capability of some name.
pub(super) fn of(asked: Option<&api::Capability>) -> Result<Capabilities, CriError> {
    let Some(asked) = asked else {
        return Ok(Capabilities::default());
    };
    let add = words("add_capabilities", &asked.add_capabilities)?;
    let drop = words("drop_capabilities", &asked.drop_capabilities)?;
    let ambient = words("add_ambient_capabilities", &asked.add_ambient_capabilities)?;
    if add == Words::default() && drop == Words::default() && ambient == Words::default() {
        return Ok(Capabilities::default());
    }
    let mut bounding = BTreeSet::from(Capability::DEFAULT);
    if add.all || ambient.all {
        bounding = Capability::ALL.iter().copied().collect();
    }
    if drop.all {
        bounding.clear();
    }
    let mut raised = match ambient.all && !drop.all {
        true => bounding.clone(),
        false => BTreeSet::new(),
    };
    bounding.extend(&add.named);
    bounding.extend(&ambient.named);
    raised.extend(&ambient.named);
    for one in &drop.named {
        bounding.remove(one);
        raised.remove(one);
    }
    Ok(Capabilities::Sets(CapabilitySets {
        effective: bounding.clone(),
        permitted: bounding.clone(),
        bounding,
        inheritable: raised.clone(),
        ambient: raised,
    }))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    all: bool,
    named: BTreeSet<Capability>,
}

fn words(field: &str, words: &[String]) -> Result<Words, CriError> {
    let mut read = Words::default();
    for word in words {
        if word.eq_ignore_ascii_case(ALL) {
            read.all = true;
            continue;
        }
        let named = Capability::named(word).ok_or_else(|| {
            CriError::invalid(
                format!("{SECURITY}.capabilities.{field}"),
                format!("there is no capability {word:?}"),
            )
        })?;
        read.named.insert(named);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(add: &[&str], drop: &[&str], ambient: &[&str]) -> CapabilitySets {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let asked = api::Capability {
            add_capabilities: own(add),
            drop_capabilities: own(drop),
            add_ambient_capabilities: own(ambient),
        };
        match of(Some(&asked)).unwrap() {
            Capabilities::Sets(sets) => sets,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_comes_first_and_what_is_dropped_counts_last() {
        let usual = Capability::DEFAULT.len();
        let all = Capability::ALL.len();
        assert_eq!(sets(&["NET_ADMIN"], &[], &[]).bounding.len(), usual + 1);
        assert_eq!(sets(&["cap_net_admin"], &["all"], &[]).bounding.len(), 1);
        assert_eq!(sets(&["ALL"], &["CHOWN"], &[]).bounding.len(), all - 1);
        assert_eq!(sets(&[], &["CHOWN"], &[]).bounding.len(), usual - 1);
        assert_eq!(sets(&["KILL"], &["KILL"], &[]).bounding.len(), usual - 1);
        assert_eq!(sets(&["ALL"], &["ALL"], &[]).bounding.len(), 0);
    }

    #[test]
    fn users_other_than_root_get_what_is_ambient() {
        assert!(sets(&["NET_ADMIN"], &[], &[]).ambient.is_empty());
        let raised = sets(&[], &["ALL"], &["NET_BIND_SERVICE"]);
        assert_eq!(raised.ambient, BTreeSet::from([Capability::NetBindService]));
        assert_eq!(raised.bounding, raised.ambient);
    }

    #[test]
    fn nothing_said_is_nothing_asked_and_nonsense_is_refused() {
        assert_eq!(of(None).unwrap(), Capabilities::default());
        let nothing = api::Capability::default();
        assert_eq!(of(Some(&nothing)).unwrap(), Capabilities::default());
        let nonsense = api::Capability {
            add_capabilities: vec!["FLY".to_owned()],
            ..nothing
        };
        let refused = of(Some(&nonsense)).unwrap_err().to_string();
        assert!(
            refused.contains("add_capabilities: ") && refused.contains("FLY"),
            "{refused}"
        );
    }
}
