//! User namespaces as requests ask for them.

use std::num::NonZeroU32;

use pod::manifest::{IdMapping, UserNamespace};

use crate::api::{self, NamespaceMode};
use crate::error::CriError;

const FIELD: &str = "namespace_options.userns_options";

/// The user namespace that is asked for; `None` for the host's.
///
/// # Errors
/// [`CriError::Invalid`] if it can't be one: only modes POD and NODE, one mapping of each kind that begins with root, the same
/// for users and groups.
pub(crate) fn of(options: Option<&api::UserNamespace>) -> Result<Option<UserNamespace>, CriError> {
    let Some(options) = options else {
        return Ok(None);
    };
    match NamespaceMode::try_from(options.mode) {
        Ok(NamespaceMode::Pod) => {}
        Ok(NamespaceMode::Node) if options.uids.is_empty() && options.gids.is_empty() => {
            return Ok(None);
        }
        Ok(NamespaceMode::Node) => {
            return Err(CriError::invalid(
                FIELD,
                "mappings are given for the host's",
            ));
        }
        Ok(mode @ (NamespaceMode::Container | NamespaceMode::Target)) => {
            return Err(CriError::invalid(
                format!("{FIELD}.mode"),
                format!("{} is not supported", mode.as_str_name()),
            ));
        }
        Err(_) => {
            return Err(CriError::invalid(
                format!("{FIELD}.mode"),
                format!("there is no mode {}", options.mode),
            ));
        }
    }
    mapped(&options.uids, &options.gids).map(Some)
}

/// The users that these mappings give.
///
/// # Errors
/// As [`of`].
pub(crate) fn mapped(
    uids: &[api::IdMapping],
    gids: &[api::IdMapping],
) -> Result<UserNamespace, CriError> {
    let uid_mappings = mappings("uids", uids)?;
    let gid_mappings = mappings("gids", gids)?;
    if uid_mappings != gid_mappings {
        return Err(CriError::invalid(
            FIELD,
            "uids and gids are not mapped alike",
        ));
    }
    UserNamespace::new(uid_mappings, gid_mappings).map_err(|error| CriError::invalid(FIELD, error))
}

fn mappings(kind: &str, mappings: &[api::IdMapping]) -> Result<Vec<IdMapping>, CriError> {
    let invalid = |reason: &str| CriError::invalid(format!("{FIELD}.{kind}"), reason);
    let [mapping] = mappings else {
        return Err(invalid("exactly one mapping is supported"));
    };
    if mapping.container_id != 0 {
        return Err(invalid("root (0) is not mapped"));
    }
    let size = NonZeroU32::new(mapping.length).ok_or_else(|| invalid("its length is 0"))?;
    // The last id of all means none to the kernel.
    let last = u64::from(mapping.host_id) + u64::from(mapping.length);
    if last > u64::from(u32::MAX) {
        return Err(invalid("it goes beyond the last id of the host"));
    }
    Ok(vec![IdMapping {
        container_id: mapping.container_id,
        host_id: mapping.host_id,
        size,
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(mode: NamespaceMode, ranges: &[(u32, u32, u32)]) -> Result<bool, String> {
        let ranges: Vec<_> = ranges
            .iter()
            .map(|(container_id, host_id, length)| api::IdMapping {
                host_id: *host_id,
                container_id: *container_id,
                length: *length,
            })
            .collect();
        let options = api::UserNamespace {
            mode: mode as i32,
            uids: ranges.clone(),
            gids: ranges,
        };
        of(Some(&options))
            .map(|mapped| mapped.is_some())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn one_mapping_that_has_root() {
        let good = (0, 100_000, 65_536);
        assert_eq!(asked(NamespaceMode::Pod, &[good]), Ok(true));
        assert_eq!(asked(NamespaceMode::Node, &[]), Ok(false));
        assert_eq!(of(None).unwrap(), None);
        for (mode, ranges) in [
            (NamespaceMode::Pod, &[][..]),
            (NamespaceMode::Pod, &[good, (65_536, 200_000, 1)]),
            (NamespaceMode::Pod, &[(1, 100_000, 65_536)]),
            (NamespaceMode::Pod, &[(0, 100_000, 0)]),
            (NamespaceMode::Pod, &[(0, u32::MAX - 5, 65_536)]),
            (NamespaceMode::Pod, &[(0, u32::MAX - 1, 2)]),
            (NamespaceMode::Node, &[good]),
            (NamespaceMode::Container, &[good]),
            (NamespaceMode::Target, &[good]),
        ] {
            asked(mode, ranges).unwrap_err();
        }
    }
}
